//! Which keys are where: each generation of the vault, and what `.env`, environment and chain hold beside it.

use crate::domain::credentials::{LocalValues, Place, Source};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::rotation::Seen;
use crate::domain::vault_index::{GenerationNumber, Holding, Index, KeyRef};
use crate::ops::context::Context;
use crate::ops::keys::generation_of;
use crate::ops::rotation::{chain_facts, rotations};
use crate::ops::vault::{OpenVault, VaultProblem, index_if_any};
use crate::vault::KeyPair;

/// Everything that is known of the operator's keys, without a secret.
#[derive(Debug)]
pub struct Listing {
    /// The generations, oldest first.
    pub generations: Vec<Listed>,
    /// What `.env` and environment hold.
    pub places: Vec<PlaceKeys>,
    /// What the chain holds, where it was asked.
    pub chain: Option<Seen>,
    /// When it was listed, in ms since 1970.
    pub at_ms: u64,
}

/// A generation of the vault.
#[derive(Debug)]
pub struct Listed {
    /// What the index knows of it.
    pub holding: Holding,
    /// Whether it is in use.
    pub in_use: bool,
    /// Who else has its keys: `.env`, environment, chain, or a rotation that needs them.
    pub used_by: Vec<&'static str>,
    /// Whether it could be read; why not. `None` when nobody looked.
    pub kept: Option<Result<(), String>>,
}

/// The pairs of a place that is not the vault.
#[derive(Debug)]
pub struct PlaceKeys {
    /// Which place.
    pub place: Place,
    /// Lines of the `.env` on which they are defined, from 1.
    pub lines: Vec<u32>,
    /// The read pair.
    pub read: Option<KeyRef>,
    /// The write pair.
    pub write: Option<KeyRef>,
}

impl Listing {
    /// From the index, `.env` and environment; neither store nor chain is asked. `now_ms` is the time since 1970.
    pub async fn of(context: &Context, now_ms: u64) -> Result<Self, VaultProblem> {
        let known = index_if_any(context).await?;
        let places = [Place::EnvFile, Place::Environment];
        let places: Vec<_> = places.into_iter().filter_map(|place| place_keys(context, place)).collect();
        let Some((owner, index)) = known else {
            return Ok(Self { generations: Vec::new(), places, chain: None, at_ms: now_ms });
        };
        let open = rotations(context)?.history(&owner)?.0.open;
        let needed = |number| open.as_ref().is_some_and(|open| open.from == number || open.to == number);
        let generations = index.holdings.iter().map(|holding| listed(holding, &index, &places, needed)).collect();
        Ok(Self { generations, places, chain: None, at_ms: now_ms })
    }

    /// Reads every generation from the store that is open.
    pub async fn check(&mut self, opened: &OpenVault) {
        for listed in &mut self.generations {
            let read = opened.generation(listed.holding.number).await;
            listed.kept = Some(read.map(drop).map_err(|problem| problem.to_string()));
        }
    }

    /// Asks the chain which key is published. `now_ms` is the time since 1970.
    pub async fn ask_chain(&mut self, context: &Context, now_ms: u64) -> Result<(), Diagnostic> {
        let owner = crate::ops::vault::owner(context).await?;
        let seen = chain_facts(context, &owner, now_ms).await?.seen;
        for listed in &mut self.generations {
            let Holding { locator: Some(locator), read: Some(read), .. } = &listed.holding else { continue };
            if seen.is(locator, read) {
                listed.used_by.push("chain");
            }
        }
        self.chain = Some(seen);
        Ok(())
    }

    /// The generations that the store does not give back.
    pub fn damaged(&self) -> Vec<Diagnostic> {
        let damaged = self.generations.iter().filter_map(|listed| {
            let why = listed.kept.as_ref()?.as_ref().err()?;
            let what = format!("generation {} of the vault cannot be read", listed.holding.number);
            let help = "See doctor. Where the store has lost it, import its keys again from where they are.";
            Some(Diagnostic::failure(Class::Vault, "vault_generation", what, why, help))
        });
        damaged.collect()
    }
}

fn listed(holding: &Holding, index: &Index, places: &[PlaceKeys], needed: impl Fn(GenerationNumber) -> bool) -> Listed {
    let is = |kept: &Option<KeyRef>, found: &Option<KeyRef>| found.is_some() && kept == found;
    let has = |place: &&PlaceKeys| is(&holding.read, &place.read) || is(&holding.write, &place.write);
    let mut used_by: Vec<_> = places.iter().filter(has).map(|place| place.place.word()).collect();
    if needed(holding.number) {
        used_by.push("rotation");
    }
    Listed { in_use: index.current == Some(holding.number), holding: holding.clone(), used_by, kept: None }
}

fn place_keys(context: &Context, place: Place) -> Option<PlaceKeys> {
    let values: LocalValues = context.configuration.local.only(|source| Place::of(source) == place);
    let generation = generation_of(&values, 0, 0);
    let lines = crate::domain::credentials::Variable::ALL.into_iter().filter_map(|variable| {
        match values.effective(variable)?.source {
            Source::EnvFile { line } => Some(line),
            _ => None,
        }
    });
    let reference = |pair: &Option<KeyPair>| pair.as_ref().map(KeyPair::reference);
    let (read, write) = (reference(&generation.read), reference(&generation.write));
    (read.is_some() || write.is_some()).then(|| PlaceKeys { place, lines: lines.collect(), read, write })
}
