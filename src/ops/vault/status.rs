//! What `doctor` tells of the vault: where it is, what it holds, and whether that can be read.

use std::path::Path;

use serde::Serialize;

use super::{Choice, VaultProblem, choose, indexes, known_genesis, open};
use crate::domain::findings::{Finding, Severity};
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, Index, Origin};
use crate::ops::context::Context;
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
pub async fn look(context: &Context, passphrase: Option<SecretKey>) -> (VaultLine, Vec<Finding>) {
    let mut findings = Vec::new();
    let owner = context.hotkey.zip(known_genesis(context));
    let owner = owner.map(|(hotkey, genesis)| Owner { genesis, netuid: context.netuid(), hotkey });
    let (index, known) =
        match owner.map(|owner| indexes(context).and_then(|of| Ok((of.read(&owner)?, of.file(&owner))))) {
            Some(Ok((index, file))) => (index, Some(file)),
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

fn forgets() -> Finding {
    Finding::new(
        "vault_forgets",
        Severity::Warning,
        "The kernel's keyring holds your keys, and forgets them at the next reboot",
        "After it the miner cannot start with them, and only whoever made them can give them again.",
        "Keep a copy elsewhere, or move them to a store that lasts: --vault secret-service or --vault file.",
    )
}
