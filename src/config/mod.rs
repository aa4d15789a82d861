//! What the operator has configured: the console's own file with its profiles, GRAIL's `.env`, exported variables and
//! flags, each value with the place it came from.
//!
//! Nothing here reads the process environment or the current directory: the environment is a parameter, and the only
//! files read are the console's own and the ones named by a flag or a profile.

pub mod dotenv;
pub mod file;
mod known_secrets;
pub mod local;
mod misplaced;
mod notes;
pub mod ownership;
mod setting;
mod settings;
mod wrong;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use known_secrets::KnownSecrets;
pub use notes::GRAIL_DEFAULT_NETUID;
pub use setting::{Files, Origin, Setting};
pub use settings::{DEFAULT_NETWORK, DEFAULT_WALLETS, Flags, Places, Settings, SettingsError};
pub use wrong::{Needs, Wrong, WrongSetting};

use crate::domain::credentials::LocalValues;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use dotenv::{Dotenv, DotenvError};
use file::{ConfigFile, ConfigFileError};

/// Why the configuration cannot be used. Each names the file and what to do.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The console's own file.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// GRAIL's `.env`.
    #[error(transparent)]
    Dotenv(#[from] DotenvError),
    /// Values that do not go together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// What to talk to, value by value with its origin.
    pub settings: Settings,
    /// The credential variables with every place that defines them.
    pub local: LocalValues,
    /// The same as a GRAIL with python-dotenv before 1.2.4 sees them, where its `.env` begins with a byte order mark that hides
    /// one of them from it.
    pub local_of_older: Option<LocalValues>,
    /// Every other secret found beside them, for the log's redaction.
    pub secrets: Vec<SecretKey>,
    /// Every text that no commitment may hold, and where it stands.
    pub known: KnownSecrets,
    /// GRAIL's `.env`, when one is named.
    pub dotenv: Option<Dotenv>,
    /// Keys of the configuration file, for the console to check.
    pub keys: BTreeMap<String, Vec<String>>,
    /// What is odd about all this.
    pub findings: Vec<Diagnostic>,
    /// What is wrong, and left out.
    pub wrong: Vec<WrongSetting>,
    /// The files that were read, for messages.
    pub files: Files,
}

impl Configuration {
    /// Reads the configuration file and the `.env` that the flag or the profile names, and chooses the values that
    /// count. `file` is the path of the configuration file; one that does not exist is an empty one, `None` reads none.
    ///
    /// The first thing that is wrong is an error.
    pub fn load(flags: &Flags, environment: &Environment, file: Option<&Path>) -> Result<Self, ConfigError> {
        let (configuration, wrong) = Self::examine(flags, environment, file, |_| {});
        wrong.into_iter().next().map_or(Ok(configuration), |wrong| Err(wrong.error))
    }

    /// The same, going on after what is wrong. It tells the secrets that it found before it judges anything: a judgement may
    /// quote a value, and the value may be a secret in the wrong place.
    pub fn examine(
        flags: &Flags,
        environment: &Environment,
        file: Option<&Path>,
        tell: impl Fn(&[SecretKey]),
    ) -> (Self, Vec<Wrong>) {
        tell(&local::secrets(None, environment));
        let mut files = Files { env: None, config: file.map(Path::to_owned) };
        let mut wrong = Vec::new();
        let read = misplaced::Read { flags, environment, dotenv: None, profile: None };
        tell(&read.secrets());
        let file = file.map_or_else(|| Ok(ConfigFile::default()), ConfigFile::read);
        let file = file.unwrap_or_else(|error| {
            wrong.push(unplaced(error.into()));
            ConfigFile::default()
        });
        // Where the file is not known, its profiles are not either.
        let profile = if wrong.is_empty() { file.profile(flags.profile.as_deref()) } else { Ok(None) };
        let profile = profile.unwrap_or_else(|error| {
            wrong.push(unplaced(error.into()));
            None
        });
        let read = misplaced::Read { profile, ..read };
        tell(&read.secrets());
        let home = environment.filled("HOME").map(PathBuf::from);
        let env_file = settings::env_file(flags, profile, home.as_deref()).unwrap_or_else(|error| {
            wrong.push(unplaced(error.into()));
            None
        });
        files.env = env_file.as_ref().map(|named| named.value.clone());
        let text = env_file.as_ref().map(|named| dotenv::read_text(&named.value)).transpose();
        // Going on without it could mean another subnet or network.
        let text = text.unwrap_or_else(|error| {
            wrong.push(unplaced(error.into()));
            None
        });
        let dotenv = text.as_ref().map(|text| Dotenv::parse(text, environment));
        let known = KnownSecrets::gather(
            env_file.as_ref().zip(text.as_ref()).map(|(named, text)| (named.value.as_path(), text.as_str())),
            environment,
        );
        let mut secrets = local::secrets(dotenv.as_ref(), environment);
        for secret in known.write_pairs() {
            if !secrets.contains(secret) {
                secrets.push(secret.clone());
            }
        }
        tell(&secrets);
        let read = misplaced::Read { dotenv: dotenv.as_ref(), ..read };
        tell(&read.secrets());
        let places = Places { flags, dotenv: dotenv.as_ref(), environment, file: &file, profile };
        let (settings, wrong_ones) = Settings::resolve(&places, env_file.clone());
        wrong.extend(wrong_ones);
        let mut findings = notes::of_settings(&places, &settings);
        findings.extend(read.findings());
        if let (Some(named), Some(dotenv)) = (&env_file, &dotenv) {
            findings.extend(notes::readable_by_others(&named.value, dotenv));
            let expected = settings.env_owner.as_ref().map(|named| named.value);
            findings.extend(ownership::of_read(ownership::ENV, &named.value, expected));
        }
        findings.extend(files.config.iter().flat_map(|file| ownership::of_read("configuration file", file, None)));
        let local = local::local_values(dotenv.as_ref(), environment);
        let older = dotenv.as_ref().and_then(|file| file.older.as_deref());
        let local_of_older = older.map(|older| local::local_values(Some(older), environment));
        let local_of_older = local_of_older.filter(|older| *older != local);
        let words = wrong.iter().map(|wrong| WrongSetting::of(wrong, &files)).collect();
        let configuration = Self {
            settings,
            local,
            local_of_older,
            secrets,
            known,
            dotenv,
            keys: file.keys,
            findings,
            wrong: words,
            files,
        };
        (configuration, wrong)
    }
}

/// Errors that name their file themselves, and without which nothing is known of the subnet.
const fn unplaced(error: ConfigError) -> Wrong {
    Wrong { needs: Needs::Subnet, origin: None, error }
}
