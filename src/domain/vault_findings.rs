//! What is odd between the vault and what GRAIL itself reads. GRAIL loads its `.env` over everything, so a key that is left
//! there beats the vault's.

use crate::domain::credentials::{LocalValues, Place, Source, Variable};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::secret::Fingerprint;
use crate::domain::vault_index::{Holding, KeyRef};

/// The key variables of one pair in one place.
struct Pair {
    word: &'static str,
    id: Variable,
    secret: Variable,
}

const READ: Pair = Pair { word: "read", id: Variable::ReadKeyId, secret: Variable::ReadSecret };
const WRITE: Pair = Pair { word: "write", id: Variable::WriteKeyId, secret: Variable::WriteSecret };

/// How a place's pair stands to the vault's.
#[derive(PartialEq, Eq)]
enum Standing {
    /// Nothing of it is there.
    Absent,
    /// What is there is the vault's.
    Same,
    /// Something there is not the vault's, or the vault has none.
    Other,
}

/// The findings, where a generation of the vault is in use.
pub(super) fn findings(values: &LocalValues, holding: &Holding) -> Vec<Diagnostic> {
    let outside = values.grail();
    let mut findings: Vec<Diagnostic> =
        blank_line(&outside).into_iter().chain(other_bucket(&outside, holding)).collect();
    for place in [Place::EnvFile, Place::Environment] {
        let here = outside.only(|source| Place::of(source) == place);
        let standing = |pair: &Pair, kept: Option<&KeyRef>| (pair.standing(&here, kept), pair.word);
        let pairs = [standing(&READ, holding.read.as_ref()), standing(&WRITE, holding.write.as_ref())];
        let words = |wanted: Standing| {
            let found = pairs.iter().filter(|(standing, _)| *standing == wanted);
            found.map(|(_, word)| *word).collect::<Vec<_>>().join(" and ")
        };
        let (same, other) = (words(Standing::Same), words(Standing::Other));
        if !other.is_empty() {
            findings.push(differs(place, &other, holding.number));
        }
        // Exported variables with the vault's keys are what `exec` makes.
        if place == Place::EnvFile && other.is_empty() && !same.is_empty() {
            findings.push(same_secrets(&same, holding.number));
        }
    }
    findings
}

impl Pair {
    fn standing(&self, here: &LocalValues, kept: Option<&KeyRef>) -> Standing {
        let print = |variable| here.effective(variable).map(|sourced| sourced.value.fingerprint());
        let is = |found: Option<Fingerprint>, kept: Option<Fingerprint>| found.is_none() || found == kept;
        match (print(self.id), print(self.secret)) {
            (None, None) => Standing::Absent,
            (id, secret) if is(id, kept.map(|kept| kept.id)) && is(secret, kept.map(|kept| kept.secret)) => {
                Standing::Same
            }
            _ => Standing::Other,
        }
    }
}

fn same_secrets(pairs: &str, generation: u64) -> Diagnostic {
    Diagnostic::new(
        "env_holds_secrets",
        Severity::Note,
        format!("The secrets stand in the .env as well: the {pairs} key of vault generation {generation}"),
        "Whoever reads that file has them, and GRAIL takes them from there, not from the vault: the next rotation would \
         have to change both.",
        "Take them out of the .env with grail-console keys import, and run GRAIL with grail-console exec.",
    )
}

fn differs(place: Place, pairs: &str, generation: u64) -> Diagnostic {
    let word = place.word();
    let why = match pairs {
        "write" => format!("A GRAIL that is started with this {word} uploads with that key, whatever the vault holds."),
        _ => format!(
            "A GRAIL that is started with this {word} takes that key, whatever the vault holds, and commits its read key."
        ),
    };
    let (code, todo) = match place {
        Place::EnvFile => {
            ("env_differs_from_vault", "Take the keys out of the .env and run GRAIL with grail-console exec;")
        }
        _ => ("environment_differs_from_vault", "Do not export the R2_* keys and run GRAIL with grail-console exec;"),
    };
    Diagnostic::new(
        code,
        Severity::Warning,
        format!("The {word} has another {pairs} key than vault generation {generation}"),
        why,
        format!("{todo} if the {word} is right, bring its keys into the vault with grail-console keys import."),
    )
}

/// An empty definition in the `.env` is loaded over what `exec` exports.
fn blank_line(outside: &LocalValues) -> Option<Diagnostic> {
    let blank = |variable: &Variable| match outside.definitions(*variable).first() {
        Some(sourced) if sourced.value.chars() == 0 => match sourced.source {
            Source::EnvFile { line } => Some((*variable, line)),
            _ => None,
        },
        _ => None,
    };
    let (variable, line) = Variable::ALL.iter().find_map(blank)?;
    Some(Diagnostic::new(
        "env_blanks_vault",
        Severity::Warning,
        format!("The .env sets {variable} to nothing on line {line}"),
        "GRAIL loads the .env over what is exported: run with grail-console exec, it would get nothing in place of the \
         vault's value.",
        format!("Put a # before line {line}, or remove it."),
    ))
}

/// Account or bucket of the `.env` is loaded over what `exec` exports, like any other value.
fn other_bucket(outside: &LocalValues, holding: &Holding) -> Option<Diagnostic> {
    let kept = Fingerprint::of(holding.locator.as_deref()?);
    let in_file = outside.only(|source| Place::of(source) == Place::EnvFile);
    let bucket = in_file.effective(Variable::BucketId).or_else(|| in_file.effective(Variable::AccountId))?;
    (bucket.value.fingerprint() != kept).then(|| {
        Diagnostic::new(
            "env_bucket_differs_from_vault",
            Severity::Warning,
            format!("The .env has another bucket than vault generation {}", holding.number),
            "GRAIL loads the .env over what is exported: it would use and commit the bucket of the .env with the vault's keys.",
            "Correct R2_ACCOUNT_ID and R2_BUCKET_ID in the .env, or remove them there.",
        )
    })
}
