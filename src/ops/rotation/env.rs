//! The `.env`: what it says of the keys that change, and bringing it up to date.

use std::path::PathBuf;

use super::advance::NeedsInput;
use super::executor::Executor;
use crate::config::dotenv::{Change, Dotenv, read_text, replace_file, rewrite};
use crate::domain::credentials::{Source, Variable};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::rotation::messages::EnvAnswer;
use crate::domain::rotation::{EnvStands, EnvUpdate, Event, Rotation, Side};
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::ops::keys::objection;
use crate::vault::Generation;

/// What is to happen with the `.env`.
pub type EnvChoice = EnvAnswer;

/// The variables of a side with the values of a generation.
fn values(side: Side, generation: &Generation) -> Vec<(Variable, SecretKey)> {
    let (id, secret, pair) = match side {
        Side::Read => (Variable::ReadKeyId, Variable::ReadSecret, &generation.read),
        Side::Write => (Variable::WriteKeyId, Variable::WriteSecret, &generation.write),
    };
    let pair = pair.as_ref().map(|pair| [(id, SecretKey::new(pair.id.clone())), (secret, pair.secret.clone())]);
    pair.into_iter().flatten().collect()
}

fn changed(rotation: &Rotation, generation: &Generation) -> Vec<(Variable, SecretKey)> {
    rotation.change.sides().flat_map(|(side, _)| values(side, generation)).collect()
}

impl Executor {
    fn env_path(&self) -> Option<PathBuf> {
        self.context.configuration.settings.env_file.as_ref().map(|named| named.value.clone())
    }

    /// What the `.env` says now of the keys that change, against a generation.
    pub(super) fn env_stands(&self, target: &Generation) -> Result<EnvStands, Diagnostic> {
        let rotation = self.under_way()?;
        let wanted = changed(&rotation, target);
        let Some(path) = self.env_path() else { return Ok(EnvStands::Unnamed) };
        let dotenv = match Dotenv::read(&path, &self.environment) {
            Ok(dotenv) => dotenv,
            Err(error) => return Ok(EnvStands::Unreadable(sanitize(&error.to_string(), 300))),
        };
        let filled = |variable: Variable| {
            dotenv.get(variable.name()).map(|(value, _)| value.expose().trim()).filter(|value| !value.is_empty())
        };
        let is_target = wanted.iter().all(|(variable, value)| filled(*variable) == Some(value.expose()));
        let is_silent = wanted.iter().all(|(variable, _)| filled(*variable).is_none());
        // With a write pair alone GRAIL would publish that: the read pair belongs beside it.
        let legacy = rotation.change.read.is_some() && filled(Variable::WriteSecret).is_some();
        Ok(match (is_target, is_silent) {
            (true, _) => EnvStands::Target,
            (_, true) if !legacy => {
                // What is exported where the console runs is perhaps exported to GRAIL too.
                if self.exported_otherwise(&wanted) { EnvStands::Unnamed } else { EnvStands::Undefined }
            }
            _ => EnvStands::Other,
        })
    }

    fn exported_otherwise(&self, wanted: &[(Variable, SecretKey)]) -> bool {
        let local = &self.context.configuration.local;
        wanted.iter().any(|(variable, value)| {
            let exported = local.definitions(*variable).iter().find(|one| one.source == Source::Environment);
            exported.is_some_and(|one| !one.value.expose().is_empty() && one.value != *value)
        })
    }

    pub(super) fn env_question(&self) -> (Option<String>, Vec<String>) {
        let path = self.env_path().map(|path| sanitize(&path.to_string_lossy(), 200));
        let sides = self.rotation().map(|rotation| rotation.change.clone());
        let names = sides.iter().flat_map(|change| {
            change.sides().flat_map(|(side, _)| match side {
                Side::Read => [Variable::ReadKeyId, Variable::ReadSecret],
                Side::Write => [Variable::WriteKeyId, Variable::WriteSecret],
            })
        });
        (path, names.map(|variable| variable.name().to_owned()).collect())
    }

    /// Brings the `.env` up to date as the operator decided, and goes on.
    pub async fn update_env(&mut self, choice: EnvChoice) -> Result<NeedsInput, Diagnostic> {
        let target = self.target().await?;
        let how = match choice {
            EnvAnswer::DoneElsewhere => match self.env_stands(&target)? {
                EnvStands::Other => return Err(not_done()),
                EnvStands::Target => EnvUpdate::Already,
                _ => EnvUpdate::Elsewhere,
            },
            EnvAnswer::Rewrite | EnvAnswer::RewriteAnyway => match self.env_stands(&target)? {
                EnvStands::Target => EnvUpdate::Already,
                EnvStands::Undefined => EnvUpdate::Undefined,
                EnvStands::Unnamed => return Ok(NeedsInput::Env { path: None, variables: Vec::new() }),
                EnvStands::Unreadable(why) => return Err(unreadable(&why)),
                EnvStands::Other => {
                    if let Some(finding) = self.env_objection()?.filter(|_| choice == EnvAnswer::Rewrite) {
                        return Err(finding.in_class(Class::Refused));
                    }
                    self.note(Event::EnvIntended)?;
                    self.rewrite_env(&target)?;
                    EnvUpdate::Rewritten
                }
            },
        };
        self.note(Event::EnvUpdated { how })?;
        self.advance().await
    }

    /// What has to be agreed to at a terminal before secrets are written into the `.env`.
    pub fn env_objection(&self) -> Result<Option<Diagnostic>, Diagnostic> {
        self.env_path().map_or(Ok(None), |path| objection(&self.context, &path))
    }

    fn rewrite_env(&self, target: &Generation) -> Result<(), Diagnostic> {
        let rotation = self.under_way()?;
        let path = self.env_path().ok_or_else(|| unreadable("no .env is named"))?;
        self.working("rewriting the .env");
        let before = read_text(&path).map_err(|error| unreadable(&error.to_string()))?;
        let values = changed(&rotation, target);
        let changes: Vec<_> = values.iter().map(|(variable, value)| (variable.name(), Change::Value(value))).collect();
        let after = rewrite(&before, &changes, true).map_err(|error| not_rewritten(&error))?;
        replace_file(&path, before.as_bytes(), after.as_bytes(), None).map_err(|error| not_rewritten(&error))?;
        Ok(())
    }
}

pub(super) fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "env_unreadable",
        format!("The .env cannot be read: {}", sanitize(why, 300)),
        "What GRAIL would do at its next start is not known without it.",
        "Mend that, then run rotate resume.",
    )
}

fn not_rewritten(error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "env_not_rewritten",
        format!("The .env was not rewritten: {}", sanitize(&error.to_string(), 300)),
        "It is as it was, byte for byte.",
        "Mend that and run rotate resume, or change it by hand and say rotate resume --env-done.",
    )
}

fn not_done() -> Diagnostic {
    Diagnostic::refused(
        "env_not_updated",
        "The .env that is named here still holds other keys",
        "GRAIL's next start would commit those, and undo the rotation.",
        "Let the console rewrite it, or change it by hand, then run rotate resume again.",
    )
}
