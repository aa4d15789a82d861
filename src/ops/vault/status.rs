//! What `doctor` tells of the vault: where it is, what it holds, and whether that can be read.

use std::path::Path;

use serde::Serialize;

use super::{Choice, Known, VaultProblem, choose, indexes, known_genesis, known_of, open};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, Index, Origin};
use crate::ops::context::Context;
use crate::ops::rotation::rotations;
use crate::vault::VaultError;
use crate::vault::file::FILE;

/// A generation that the index knows, and whether it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GenerationLine {
    /// Its number.
    pub generation: GenerationNumber,
    /// Whether it is the one in use.
    pub in_use: bool,
    /// Which store holds it.
    pub backend: Backend,
    /// When it was put there, in ms since 1970.
    pub created_ms: u64,
    /// How it came there.
    pub origin: Origin,
    /// The bucket.
    pub locator: Option<Untrusted>,
    /// The read pair, without its secret.
    pub read: Option<String>,
    /// The write pair, without its secret.
    pub write: Option<String>,
    /// `true` when it was read and is what was put there, `false` when not, `None` when nobody looked.
    pub kept: Option<bool>,
}

/// The vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultLine {
    /// Which store would be opened.
    pub backend: Backend,
    /// Where it was named; `None` where nobody named one.
    pub source: Option<String>,
    /// Whether it answers; `None` when it was not asked.
    pub reachable: Option<bool>,
    /// Why not, or why it was not asked, and what to do.
    pub problem: Option<String>,
    /// The index, once it is known whose it is.
    pub index: Option<Untrusted>,
    /// The encrypted file, where there is one or would be one.
    pub file: Option<Untrusted>,
    /// What the index knows, oldest first.
    pub generations: Vec<GenerationLine>,
}

/// Looks at the vault without asking the chain, and asks the store. What cannot be read although the index has it is a
/// finding; a store that is not there is none as long as it holds nothing.
pub async fn look(context: &Context, passphrase: Option<SecretKey>) -> (VaultLine, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let owner = context.hotkey.zip(known_genesis(context));
    let owner = owner.map(|(hotkey, genesis)| Owner { genesis, netuid: context.netuid(), hotkey });
    let file_of = |owner: &Owner| indexes(context).map(|of| of.file(owner));
    let read = owner.map(|owner| known_of(context, owner).and_then(|known| Ok((known, file_of(&owner)?))));
    let (mut index, known) = match read {
        Some(Ok((Known { owner, index, history, lost }, file))) => {
            findings.extend(damaged_journal(context, &owner));
            findings.extend((!lost.is_empty()).then(|| unknown_to_the_index(&lost)));
            findings.extend(history.rotated_without_it(&index).map(journal_lost));
            (index, Some(file))
        }
        Some(Err(problem)) => {
            findings.push(problem.finding());
            (Index::default(), None)
        }
        None => (Index::default(), None),
    };
    let Choice { backend, named } = choose(context, &index);
    let mut line = VaultLine {
        backend,
        source: named.map(|origin| origin.to_string()),
        reachable: None,
        problem: None,
        index: known.as_deref().map(shown),
        file: file(context, backend),
        generations: index.holdings.iter().map(|holding| generation(holding, &index)).collect(),
    };
    if known.is_none() {
        line.problem = Some(unknown(context, findings.is_empty()));
        return (line, findings);
    }
    match open(context, passphrase).await {
        Ok(opened) => {
            line.reachable = Some(true);
            if opened.derived.is_some() {
                index = opened.index.clone();
                line.generations = index.holdings.iter().map(|holding| generation(holding, &index)).collect();
                findings.retain(|finding| finding.code != "vault_index_incomplete");
                findings.extend(opened.derived.clone());
            }
            for generation in line.generations.iter_mut().filter(|generation| generation.backend == backend) {
                let read = opened.generation(generation.generation).await;
                generation.kept = Some(read.is_ok());
                findings.extend(read.err().map(|problem| problem.finding()));
            }
        }
        // Nobody is asked for it here.
        Err(VaultProblem::Vault(error @ VaultError::NeedsKey)) => line.problem = Some(not_asked(&error)),
        Err(problem) => {
            line.reachable = Some(false);
            line.problem = Some(problem.to_string());
            let holds = index.holdings.iter().any(|holding| holding.backend == backend);
            findings.extend((holds || line.source.is_some()).then(|| problem.finding()));
        }
    }
    if backend == Backend::Keyutils && !line.generations.is_empty() {
        findings.push(forgets());
    }
    (line, findings)
}

fn shown(path: &Path) -> Untrusted {
    Untrusted::from_text(path.to_string_lossy())
}

fn unknown(context: &Context, readable: bool) -> String {
    match (context.hotkey, readable) {
        (None, _) => "no hotkey is configured, so it is not known whose keys to look for".to_owned(),
        (_, false) => "its index cannot be read (see the findings)".to_owned(),
        _ => "the chain has not been asked yet which one it is; run doctor without --offline".to_owned(),
    }
}

fn not_asked(error: &VaultError) -> String {
    format!("not asked: {error}")
}

fn file(context: &Context, backend: Backend) -> Option<Untrusted> {
    let indexes = indexes(context).ok()?;
    let path = indexes.dir().path().join(FILE);
    (backend == Backend::File || path.exists()).then(|| shown(&path))
}

fn generation(holding: &Holding, index: &Index) -> GenerationLine {
    GenerationLine {
        generation: holding.number,
        in_use: index.current == Some(holding.number),
        backend: holding.backend,
        created_ms: holding.created_ms,
        origin: holding.origin,
        locator: holding.locator.as_deref().map(Untrusted::from_text),
        read: holding.read.as_ref().map(ToString::to_string),
        write: holding.write.as_ref().map(ToString::to_string),
        kept: None,
    }
}

/// That the journal of rotations cannot be read: it alone tells which keys are the old and which the new ones.
fn damaged_journal(context: &Context, owner: &Owner) -> Option<Diagnostic> {
    let error = rotations(context).ok()?.history(owner).err()?;
    let text = crate::domain::untrusted::sanitize(&error.to_string(), 400);
    let (what, todo) = text.split_once(". ").unwrap_or((&text, "Restore the file from a copy."));
    Some(Diagnostic::new(
        "rotation_journal",
        Severity::Warning,
        format!("The journal of rotations cannot be used: {what}"),
        "Whether a rotation is open is not known. Nothing is rotated, imported or removed until it can be read.",
        todo,
    ))
}

/// What the journal of rotations knows and the index does not.
fn unknown_to_the_index(lost: &[String]) -> Diagnostic {
    Diagnostic::new(
        "vault_index_incomplete",
        Severity::Warning,
        format!("The vault's index does not know {}", lost.join(", ")),
        "It is gone, damaged, or an older copy of itself. The keys do not depend on it.",
        "Run keys list --check, with the flags of your vault (--vault file …): it is derived again from the vault and from the \
         journal of rotations.",
    )
}

/// A generation that came by a rotation of which no journal tells.
fn journal_lost(number: GenerationNumber) -> Diagnostic {
    Diagnostic::new(
        "rotation_journal_lost",
        Severity::Warning,
        format!("Generation {number} came by a rotation, and the journal of rotations does not know it"),
        "The journal is gone, or an older copy of itself: a rotation that was open there is not known any more.",
        "Put a copy of it back. Without one: see with keys list --online which key is published. Where that is the one in \
         use, bring the .env in line with keys restore-env and remove the other with keys remove; else run rotate start \
         with the very same new keys.",
    )
}

fn forgets() -> Diagnostic {
    Diagnostic::new(
        "vault_forgets",
        Severity::Warning,
        "The kernel's keyring holds your keys, and forgets them at the next reboot",
        "After it the miner cannot start with them, and only whoever made them can give them again.",
        "Keep a copy elsewhere, or move them to a store that lasts: --vault secret-service or --vault file.",
    )
}
