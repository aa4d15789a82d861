//! Beginning: which keys are replaced by which, and everything that forbids it.

use std::time::Duration;

use tokio::time::timeout;

use super::advance::NeedsInput;
use super::executor::Executor;
use crate::domain::credentials::{Variable, hint};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::provider::Provider;
use crate::domain::rotation::{ChainFacts, Change, Event, MOST_GRACE, Replacement, Seen, Side, Step};
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::{GenerationNumber, KeyRef, Origin};
use crate::ops::keys::{generation_of, same};
use crate::vault::{Generation, KeyPair};

/// An emergency does not wait for the chain; it is asked for so long whether the key is uid 0's.
const EMERGENCY_LOOK: Duration = Duration::from_secs(5);

/// New keys, as they were pasted or read.
#[derive(Debug, Clone, Default)]
pub struct NewKeys {
    /// The new read pair.
    pub read: Option<KeyPair>,
    /// The new write pair.
    pub write: Option<KeyPair>,
}

/// What is to be begun.
#[derive(Debug, Clone)]
pub struct Begin {
    /// The new keys.
    pub keys: NewKeys,
    /// Length of the grace, in blocks.
    pub grace: u64,
    /// Revoke first, without grace: a write key leaked.
    pub emergency: bool,
}

impl Executor {
    /// Begins a rotation and goes on with it. One that broke off before its keys were in the vault is taken up again with
    /// the same keys.
    pub async fn begin(&mut self, begin: Begin) -> Result<NeedsInput, Diagnostic> {
        check_shapes(&self.context.provider, &begin.keys)?;
        if let Some(rotation) = self.rotation() {
            if rotation.step() == Step::Stage && is_same(&rotation.change, &begin.keys) {
                return self.stage(begin.keys).await;
            }
            return Err(open_already(&rotation.title()));
        }
        if begin.grace > MOST_GRACE {
            return Err(Diagnostic::failure(
                Class::Usage,
                "grace_too_long",
                format!("A grace of {} blocks is longer than a week", begin.grace),
                "The old token would have to stay alive all the time.",
                format!("Take {MOST_GRACE} blocks at most."),
            ));
        }
        let from = self.old_generation().await?;
        let change = change(&from, &begin.keys)?;
        self.refuse_reuse(&from, &begin.keys)?;
        let locator = from.bucket.clone().or_else(|| from.account.clone()).ok_or_else(no_bucket)?;
        let chain = match (change.read.is_some(), begin.emergency) {
            (true, false) => Some(self.refuse_drift(&locator, &change).await?),
            (true, true) => timeout(EMERGENCY_LOOK, self.chain()).await.ok().and_then(Result::ok),
            (false, _) => None,
        };
        // The old keys first: they must be there to go back to.
        let from = self.keep_old(from).await?;
        let first = Event::Began {
            from: from.number,
            to: self.number_for(&from, &begin.keys).await?,
            backend: self.opened.vault.backend(),
            locator,
            change,
            grace_blocks: if begin.emergency { 0 } else { begin.grace },
            emergency: begin.emergency,
        };
        self.note(first)?;
        if let Some(pinned @ Event::Pinned) = chain.and_then(|chain| self.rotation()?.heard(&chain)) {
            self.note(pinned)?;
        }
        if self.is_staged(&self.under_way()?).await? {
            return self.advance().await;
        }
        self.stage(begin.keys).await
    }

    /// The number of the new generation: the next one, or that under which the vault holds these very keys since a rotation
    /// whose journal was lost.
    async fn number_for(&mut self, from: &Generation, keys: &NewKeys) -> Result<GenerationNumber, Diagnostic> {
        let next = self.opened.next_number().await?;
        let new = Generation {
            read: keys.read.clone().or_else(|| from.read.clone()),
            write: keys.write.clone().or_else(|| from.write.clone()),
            ..from.clone()
        };
        let held = same(&self.opened.index.holdings, &new).map(|holding| holding.number);
        Ok(held.filter(|held| *held > from.number.max(self.history.highest())).unwrap_or(next))
    }

    /// Puts the new keys into the vault. The pair that stays is taken along, so that a generation is whole.
    async fn stage(&mut self, keys: NewKeys) -> Result<NeedsInput, Diagnostic> {
        let rotation = self.under_way()?;
        self.working("putting the new keys into the vault");
        let from = self.opened.generation(rotation.from).await?;
        let generation = Generation {
            number: rotation.to,
            created_ms: rotation.began_ms,
            origin: Origin::Rotated,
            account: from.account,
            bucket: from.bucket,
            read: keys.read.or(from.read),
            write: keys.write.or(from.write),
        };
        self.opened.put_as_journalled(generation).await?;
        self.advance().await
    }

    /// The keys until now: the generation in use, or what `.env` and environment hold, which has no number yet.
    async fn old_generation(&mut self) -> Result<Generation, Diagnostic> {
        if let Some(number) = self.opened.index.current {
            return Ok(self.opened.generation(number).await?);
        }
        let generation = generation_of(&self.context.configuration.local, 0, self.now());
        if generation.read.is_none() && generation.write.is_none() {
            return Err(Diagnostic::failure(
                Class::Usage,
                "no_credentials",
                "There are no keys to rotate",
                "Neither the vault nor .env nor environment holds a whole pair.",
                "Name GRAIL's .env with --env-file, or import keys with keys import.",
            ));
        }
        Ok(generation)
    }

    /// The old keys in the vault, under a number and in use.
    async fn keep_old(&mut self, mut from: Generation) -> Result<Generation, Diagnostic> {
        if from.number == 0 {
            self.working("taking the keys until now into the vault");
            let number = self.opened.next_number().await?;
            // An attempt that broke off may have kept them already.
            if let Some(kept) = same(&self.opened.index.holdings, &from).map(|holding| holding.number) {
                from = self.opened.generation(kept).await?;
            } else {
                from.number = number;
                self.opened.put(from.clone()).await?;
            }
            self.opened.promote(from.number).await?;
        }
        Ok(from)
    }

    /// A key id that was used before with another secret was rolled in place (THREATS T17); a key in two places is none.
    fn refuse_reuse(&self, from: &Generation, keys: &NewKeys) -> Result<(), Diagnostic> {
        let new = [(Side::Read, &keys.read), (Side::Write, &keys.write)];
        let new = new.into_iter().filter_map(|(side, pair)| Some((side, pair.as_ref()?.reference())));
        let mut known: Vec<KeyRef> = [&from.read, &from.write].into_iter().flatten().map(KeyPair::reference).collect();
        let held = self.opened.index.holdings.iter().flat_map(|holding| [holding.read.clone(), holding.write.clone()]);
        known.extend(held.flatten());
        for (side, key) in new {
            let in_use = [&from.read, &from.write].into_iter().flatten().any(|pair| pair.reference().id == key.id);
            let rolled = known.iter().any(|old| old.id == key.id && old.secret != key.secret);
            if in_use || rolled {
                return Err(same_id(side, &key));
            }
            // A secret that stands elsewhere already would be published with the wrong id, or be the write key's.
            if known.iter().any(|old| old.secret == key.secret && old.id != key.id) {
                return Err(same_secret(side));
            }
        }
        match (&keys.read, &keys.write) {
            (Some(read), Some(write)) if read.id == write.id || read.secret == write.secret => {
                Err(same_secret(Side::Read))
            }
            _ => Ok(()),
        }
    }

    /// The old key must be what the chain holds: with a third one there nobody could tell what a rotation replaces.
    async fn refuse_drift(&self, locator: &str, change: &Change) -> Result<ChainFacts, Diagnostic> {
        self.working("comparing the chain with the keys until now");
        let chain = self.chain().await?;
        if let Some(stale) = super::advance::stale(&chain) {
            return Err(stale);
        }
        let Some(read) = &change.read else { return Ok(chain) };
        let expected = read.old.as_ref().is_some_and(|old| chain.seen.is(locator, old));
        // A commit of the new key by hand, before the rotation was begun, is no harm.
        if expected || chain.seen.is(locator, &read.new) {
            return Ok(chain);
        }
        let todo = match chain.seen {
            Seen::Nothing => {
                "Commit the present keys first (C, or the command commit), or put the new ones into the .env and commit those."
            }
            _ => {
                "Look at status: commit the present keys first, or bring .env and vault in line with the chain. For a leaked key take --emergency."
            }
        };
        Err(Diagnostic::refused(
            "drift",
            format!("The chain holds {}, not the read key in use here", chain.seen),
            "A rotation replaces the key that validators read with; here it is another one.",
            todo,
        ))
    }
}

fn change(from: &Generation, keys: &NewKeys) -> Result<Change, Diagnostic> {
    let replace = |old: Option<&KeyPair>, new: &Option<KeyPair>| {
        new.as_ref().map(|new| Replacement { old: old.map(KeyPair::reference), new: new.reference() })
    };
    // In single-credential mode the write key is what is published.
    let old_read = from.read.as_ref().or(from.write.as_ref());
    let change = Change { read: replace(old_read, &keys.read), write: replace(from.write.as_ref(), &keys.write) };
    if change.main().is_none() {
        return Err(Diagnostic::failure(
            Class::Usage,
            "no_new_keys",
            "No new keys were given",
            "A rotation needs the id and the secret of a new token.",
            "Give R2_READ_ACCESS_KEY_ID and R2_READ_SECRET_ACCESS_KEY, or the write pair, with --new-key-file.",
        ));
    }
    if from.read.is_none() && change.read.is_some() && change.write.is_none() {
        return Err(Diagnostic::refused(
            "single_credential_mode",
            "There is a write key only, and GRAIL publishes it: a new read key alone does not make it secret again",
            "Whoever read the chain has the write key.",
            "Give a new read pair and a new write pair together, with --emergency when the write key is on chain.",
        ));
    }
    Ok(change)
}

fn is_same(change: &Change, keys: &NewKeys) -> bool {
    let same = |replacement: &Option<Replacement>, pair: &Option<KeyPair>| {
        replacement.as_ref().map(|one| &one.new) == pair.as_ref().map(KeyPair::reference).as_ref()
    };
    same(&change.read, &keys.read) && same(&change.write, &keys.write)
}

/// The shapes that the provider wants, named by the variable.
fn check_shapes(provider: &Provider, keys: &NewKeys) -> Result<(), Diagnostic> {
    let parts = |pair: &Option<KeyPair>, id, secret| {
        pair.clone().map(|pair| [(id, SecretKey::new(pair.id)), (secret, pair.secret)]).into_iter().flatten()
    };
    let read = parts(&keys.read, Variable::ReadKeyId, Variable::ReadSecret);
    for (variable, value) in read.chain(parts(&keys.write, Variable::WriteKeyId, Variable::WriteSecret)) {
        if let Err(error) = variable.check(provider, value.expose()) {
            return Err(Diagnostic::failure(
                Class::Usage,
                "misshapen",
                format!("The new {variable} {error}{}", hint(provider, variable, value.expose())),
                "Nothing was taken over.",
                "Copy the Access Key ID and the Secret Access Key again from where the store shows them once.",
            ));
        }
    }
    Ok(())
}

fn open_already(title: &str) -> Diagnostic {
    Diagnostic::refused(
        "rotation_open",
        format!("A rotation is under way already: {title}"),
        "One at a time: the old keys of the one are the new keys of the other.",
        "Finish it with rotate resume, or roll it back with rotate rollback.",
    )
}

fn same_id(side: Side, key: &KeyRef) -> Diagnostic {
    Diagnostic::refused(
        "same_key_id",
        format!("The new {} key has an id that is in use already: {}", side.word(), key.shown),
        "A token rolled in place keeps its id, and validators that cached the old secret under it fail until they restart.",
        "Create a new token at the provider instead of rolling one, and begin with that.",
    )
}

fn same_secret(side: Side) -> Diagnostic {
    Diagnostic::refused(
        "same_secret",
        format!("The new {} key is in use already in another place", side.word()),
        "A read key that is also the write key would publish it.",
        "Check what was pasted: each token has its own id and its own secret.",
    )
}

fn no_bucket() -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "no_bucket",
        "Neither R2_BUCKET_ID nor R2_ACCOUNT_ID is known",
        "A key without its bucket opens nothing.",
        "Set both in GRAIL's .env, then begin again.",
    )
}
