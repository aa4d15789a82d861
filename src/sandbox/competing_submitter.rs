//! The other one who has the same hotkey: true extrinsics that follow somebody's own.

use std::collections::HashSet;
use std::sync::Arc;

use super::accounts::{NETUID, key_pair_of};
use super::block::Hash;
use super::commitment::CommitmentSpec;
use super::dispatch::{Call, set_commitment};
use super::extrinsic::{Account, Signed, sign};
use super::metadata::Runtime;

/// What competing submitters have submitted, so that none competes with another.
#[derive(Debug, Default)]
pub struct Usurpations(HashSet<Hash>);

impl Usurpations {
    /// Who of these has published something on the subnet and could be followed, each once.
    pub fn victims(&self, runtime: &Runtime, extrinsics: &[Arc<Signed>]) -> Vec<Account> {
        let commits = |signed: &Signed| {
            let call = Call::of(runtime, &signed.call);
            matches!(call, Ok(Call::SetCommitment { netuid: NETUID, .. })) && !self.0.contains(&signed.hash)
        };
        let mut victims: Vec<_> =
            extrinsics.iter().filter(|signed| commits(signed)).map(|signed| signed.signer).collect();
        victims.sort_unstable();
        victims.dedup();
        victims
    }

    /// The commitment that follows, signed with the victim's own key; `None` where nobody knows that key, or where no
    /// call can say what is to be published.
    pub fn follow(&mut self, runtime: &Runtime, victim: &Account, nonce: u32, spec: &CommitmentSpec) -> Option<Signed> {
        let CommitmentSpec::Fields(fields) = spec else { return None };
        let call = set_commitment(runtime, NETUID, fields).ok()?;
        let signed = sign(runtime, &key_pair_of(victim)?, nonce, &call);
        self.0.insert(signed.hash);
        Some(signed)
    }
}
