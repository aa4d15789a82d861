//! Findings: what is wrong, why it matters, what to do. One wording for the You view, `doctor` and JSON.

use crate::domain::account::is_placeholder;
use crate::domain::credentials::{
    self, BucketCredentials, CredentialsError, LocalValues, Masked, Mode, Source, Variable,
};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::network::BlockHash;
use crate::domain::provider::{Jurisdiction, Provider};
use crate::domain::snapshot::ChainIdentity;
use crate::domain::vault_findings;
use crate::domain::vault_index::Holding;

/// A file that belongs to somebody else: neither to us nor to root.
pub fn foreign_owner(what: &str, path: &str, owner: u32, own: u32) -> Option<Diagnostic> {
    (owner != own && owner != 0).then(|| {
        Diagnostic::new(
            "foreign_owner",
            Severity::Warning,
            format!("The {what} {path} belongs to user {owner}, not to you"),
            "That user may change what is read from it, and read what is written into it.",
            "Make it yours with chown, if nobody else is meant to have it.",
        )
    })
}

/// Code of [`env_gone`].
pub const ENV_GONE: &str = "env_file_gone";
/// Code of [`env_unusable`].
pub const ENV_UNUSABLE: &str = "env_file_unusable";

/// The `.env` was there when the console read it.
pub fn env_gone(path: &str) -> Diagnostic {
    Diagnostic::new(
        ENV_GONE,
        Severity::Warning,
        format!("The .env {path} was removed"),
        "What is shown of it was read before; at its next start GRAIL finds nothing of it.",
        "Put it back, or start the console anew with the one that GRAIL loads (--env-file).",
    )
}

/// It changed, and what it holds now is not known.
pub fn env_unusable(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        ENV_UNUSABLE,
        Severity::Warning,
        format!("The .env {path} changed and cannot be used"),
        format!("What is shown of it was read before: {why}."),
        "Mend it: the console reads it again by itself.",
    )
}

/// Code of [`other_chain`].
pub const OTHER_CHAIN: &str = "other_chain";

/// Where no network's name says which chain is meant, it is the one that answered there before.
pub fn other_chain(chain: &ChainIdentity, before: BlockHash) -> Diagnostic {
    Diagnostic::new(
        OTHER_CHAIN,
        Severity::Danger,
        format!("Another chain than before answers at {}", chain.endpoint),
        format!(
            "Its genesis is {}; it was {before}. What is shown is the other chain's, and nothing is known of yours.",
            chain.genesis
        ),
        "Check which node runs there, or name another one with --endpoint. If you reset your own chain, wait an hour: then this \
         one is taken for yours.",
    )
}

/// A file with more than one name.
pub fn hard_linked(what: &str, path: &str, links: u64) -> Option<Diagnostic> {
    (links > 1).then(|| {
        Diagnostic::new(
            "hard_linked",
            Severity::Warning,
            format!("The {what} {path} has {links} names (hard links)"),
            "The other names lead to the same content, perhaps in a folder of somebody else.",
            "Make it a file of its own: cp -p it to a new name, then mv that over it.",
        )
    })
}

/// What the local values alone tell, without the chain and where no vault is in use.
pub fn of_local(provider: &Provider, values: &LocalValues) -> Vec<Diagnostic> {
    beside(provider, values, None)
}

/// The same beside the generation of the vault that is in use. GRAIL is judged on what it reads itself, which is not the
/// vault; where that is no key at all, it is meant to get the vault's.
pub fn beside(provider: &Provider, values: &LocalValues, vault: Option<&Holding>) -> Vec<Diagnostic> {
    let values = &values.grail();
    let mut findings = Vec::new();
    let judged = vault.is_none() || values.keys_from().is_some();
    match Mode::of(values) {
        Mode::Legacy => findings.push(legacy(values)),
        Mode::Absent if judged => findings.push(absent()),
        Mode::Incomplete if judged => findings.extend(write_pair_missing(values)),
        Mode::Dual | Mode::Absent | Mode::Incomplete => {}
    }
    findings.extend(Variable::ALL.iter().filter_map(|variable| overridden(*variable, values)));
    if Mode::of(values) != Mode::Absent {
        findings.extend(misshapen(provider, values));
        findings.extend(whole(provider, values).filter(|_| judged));
    }
    findings.extend(vault.into_iter().flat_map(|holding| vault_findings::findings(values, holding)));
    if let Provider::R2(jurisdiction @ (Jurisdiction::Eu | Jurisdiction::Fedramp)) = provider {
        findings.push(jurisdiction_finding(*jurisdiction));
    }
    findings
}

/// What a GRAIL sees for which the first line's variable does not exist: python-dotenv before 1.2.4, and a byte order mark.
pub fn with_older_dotenv(values: &LocalValues, older: &LocalValues) -> Vec<Diagnostic> {
    let (values, older) = (&values.grail(), &older.grail());
    let is_lost = |variable: &&Variable| {
        let text = |values: &LocalValues| values.effective(**variable).map(|it| it.value.fingerprint());
        text(values) != text(older)
    };
    let legacy = Mode::of(older) == Mode::Legacy && Mode::of(values) != Mode::Legacy;
    let of = |variable: &Variable| {
        let line = values.effective(*variable).map(|it| it.source.to_string()).unwrap_or_default();
        let reads =
            "The file begins with a byte order mark. python-dotenv before 1.2.4 takes it for a part of the first name";
        let (severity, what, then) = if legacy {
            (
                Severity::Danger,
                "GRAIL may publish the write key, depending on its python-dotenv: remove the BOM".to_owned(),
                format!("; GRAIL then has no {variable} ({line}), takes the write pair for both, and publishes it."),
            )
        } else {
            (
                Severity::Warning,
                format!("GRAIL may not see {variable} ({line}), depending on its python-dotenv"),
                ".".to_owned(),
            )
        };
        let todo = "Save the file as UTF-8 without a byte order mark, before GRAIL starts again.";
        Diagnostic::new("env_file_mark", severity, what, format!("{reads}{then}"), todo).about_variable(variable.name())
    };
    Variable::ALL.iter().filter(is_lost).map(of).collect()
}

fn legacy(values: &LocalValues) -> Diagnostic {
    let half =
        [Variable::ReadKeyId, Variable::ReadSecret].iter().find(|variable| values.effective(**variable).is_some());
    let what = match half {
        Some(set) => format!("Single-credential mode: {set} is set but its other half is missing"),
        None => "Single-credential mode: the read pair is missing, the write pair is set".to_owned(),
    };
    Diagnostic::new(
        "legacy_single_credential",
        Severity::Danger,
        what,
        "At its next start GRAIL takes the write pair for both and publishes it: the WRITE key, readable by the whole \
         world for ever, lets anybody overwrite or delete your windows.",
        "Before the next start: create an R2 token \u{201c}Object Read only\u{201d} for this one bucket, put its Access \
         Key ID and Secret into R2_READ_ACCESS_KEY_ID and R2_READ_SECRET_ACCESS_KEY, then restart GRAIL.",
    )
}

/// GRAIL itself says so, loudly, when it is started; where it is not run, nothing is wrong.
fn write_pair_missing(values: &LocalValues) -> Option<Diagnostic> {
    let missing = [Variable::WriteKeyId, Variable::WriteSecret]
        .into_iter()
        .find(|variable| values.effective(*variable).is_none())?;
    Some(
        Diagnostic::new(
            "write_pair_missing",
            Severity::Note,
            format!("{missing} is not set"),
            "GRAIL does not start with these values; the console compares and commits without the write pair.",
            "Where GRAIL runs, set both R2_WRITE_ACCESS_KEY_ID and R2_WRITE_SECRET_ACCESS_KEY.",
        )
        .about_variable(missing.name()),
    )
}

fn absent() -> Diagnostic {
    Diagnostic::new(
        "no_credentials",
        Severity::Note,
        "No local credentials",
        "Without them the console can read the subnet but cannot tell whether your own commitment is the one you mean.",
        "Name GRAIL's .env with --env-file PATH (or env_file in the profile), or export the R2_* variables.",
    )
}

fn overridden(variable: Variable, values: &LocalValues) -> Option<Diagnostic> {
    let [winner, rest @ ..] = values.definitions(variable) else { return None };
    let loser = rest.iter().find(|other| other.value != winner.value)?;
    let rule = match loser.source {
        Source::EnvFile { .. } => "the last definition in a .env counts",
        Source::Vault { .. } | Source::Environment => "GRAIL loads its .env over exported variables",
    };
    let overridden = Diagnostic::new(
        "overridden",
        Severity::Warning,
        format!("{variable} differs between {} and {}", winner.source, loser.source),
        format!("Only one of them counts: {rule}, so GRAIL takes the one from {}.", winner.source),
        "Remove the one that is out of date, so that nobody rotates the wrong key.",
    );
    Some(at(overridden, variable, loser.source))
}

/// The finding at the place of a variable.
fn at(finding: Diagnostic, variable: Variable, source: Source) -> Diagnostic {
    let finding = finding.about_variable(variable.name());
    if let Source::EnvFile { line } = source { finding.about_line(line) } else { finding }
}

fn misshapen(provider: &Provider, values: &LocalValues) -> Vec<Diagnostic> {
    let check = |variable: &Variable| {
        let sourced = values.effective(*variable)?;
        let Masked::Misshapen { why, .. } = Masked::of(*variable, provider, &sourced.value) else { return None };
        let hint = credentials::hint(provider, *variable, sourced.value.expose());
        let misshapen = Diagnostic::new(
            "misshapen",
            Severity::Danger,
            format!("{variable} ({}) {why}{hint}", sourced.source),
            "Validators hand this value to the store as it is, and the store refuses it.",
            if is_placeholder(sourced.value.expose()) {
                "Put your own value there: the account id of your dashboard for account and bucket, and for each pair the \
                 Access Key ID and the Secret Access Key of a token of its own."
            } else if provider.is_r2() {
                "Copy the value again from the R2 token's page: Access Key ID and Secret Access Key, not the token's value."
            } else {
                "Copy the value again from where the store shows its keys."
            },
        );
        Some(at(misshapen, *variable, sourced.source))
    };
    Variable::ALL.iter().filter_map(check).collect()
}

fn whole(provider: &Provider, values: &LocalValues) -> Option<Diagnostic> {
    match BucketCredentials::parse(provider, values).err()? {
        // Both have a finding of their own, with more to say.
        CredentialsError::Legacy | CredentialsError::Shape { .. } => None,
        CredentialsError::Missing(variable) => Some(
            Diagnostic::new(
                "missing",
                Severity::Warning,
                format!("{variable} is not set"),
                "GRAIL cannot publish a commitment without it.",
                format!("Set {variable} in GRAIL's .env or export it."),
            )
            .about_variable(variable.name()),
        ),
        CredentialsError::BucketIsNotAccount => Some(Diagnostic::new(
            "bucket_is_not_account",
            Severity::Danger,
            "R2_BUCKET_ID is not R2_ACCOUNT_ID",
            "Validators look for a bucket named exactly like the account id; any other name does not exist for them.",
            "Create a bucket named like the account id and put the account id into both variables.",
        )),
        CredentialsError::ReadIsWrite => Some(Diagnostic::new(
            "read_is_write",
            Severity::Danger,
            "The read key is the write key",
            "What is published is the read pair: committing it gives the world write access to your bucket.",
            "Create an R2 token \u{201c}Object Read only\u{201d} for the bucket and use it as the read pair.",
        )),
    }
}

fn jurisdiction_finding(jurisdiction: Jurisdiction) -> Diagnostic {
    Diagnostic::new(
        "jurisdiction",
        Severity::Danger,
        format!("The bucket is reached through R2's {} host", format!("{jurisdiction:?}").to_uppercase()),
        "A commitment cannot say so: validators always use the default host, where this bucket does not exist.",
        "Use a bucket in the default jurisdiction.",
    )
}
