//! Whether an extrinsic may be included in the next block: the runtime's checks in the runtime's order, with its reasons.

use parity_scale_codec::{Decode, Encode, Output};

use super::block::SANDBOX_GENESIS;
use super::chain::{Chain, StateAt};
use super::dispatch::Call;
use super::extrinsic::{Account, Extrinsic, Signed, birth, death};
use super::metadata::Runtime;

/// What newer runtimes answer to a commitment by somebody who is not on the subnet: `UidNotFound` of their
/// `CustomTransactionError`.
pub const NOT_REGISTERED: u8 = 19;
/// And to one on a subnet that is not there: `SubnetNotExists`.
const NO_SUCH_SUBNET: u8 = 3;

/// Why an extrinsic is not valid (`InvalidTransaction` of the runtime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The sender cannot pay.
    Payment,
    /// Its nonce is higher than the account's.
    Future,
    /// Its nonce has been used.
    Stale,
    /// The signature is not the sender's over what this chain would have signed.
    BadProof,
    /// The node does not know the block with which its era began.
    AncientBirthBlock,
    /// It is larger than a block may be.
    ExhaustsResources,
    /// A reason of the runtime's own.
    Custom(u8),
    /// Only a block's author may make this call.
    MandatoryValidation,
}

impl Invalid {
    const fn number(self) -> u8 {
        match self {
            Self::Payment => 1,
            Self::Future => 2,
            Self::Stale => 3,
            Self::BadProof => 4,
            Self::AncientBirthBlock => 5,
            Self::ExhaustsResources => 6,
            Self::Custom(_) => 7,
            Self::MandatoryValidation => 9,
        }
    }

    /// The node's words for it.
    pub fn text(self) -> String {
        match self {
            Self::Payment => "Inability to pay some fees (e.g. account balance too low)",
            Self::Future => "Transaction will be valid in the future",
            Self::Stale => "Transaction is outdated",
            Self::BadProof => "Transaction has a bad signature",
            Self::AncientBirthBlock => "Transaction has an ancient birth block",
            Self::ExhaustsResources => "Transaction would exhaust the block limits",
            Self::MandatoryValidation => "Transaction dispatch is mandatory; transactions must not be validated.",
            Self::Custom(number) => return format!("Custom error: {number}"),
        }
        .to_owned()
    }
}

/// Why nobody can say whether an extrinsic is valid (`UnknownTransaction` of the runtime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Something that the check needs is not there.
    CannotLookup,
    /// Nobody checks this call without a signature.
    NoUnsignedValidator,
}

/// Why an extrinsic is refused (`TransactionValidityError` of the runtime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is not valid.
    Invalid(Invalid),
    /// Nobody can say.
    Unknown(Unknown),
}

impl Encode for Refusal {
    /// With the runtime's numbers.
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        match *self {
            Self::Invalid(invalid) => [0, invalid.number()].encode_to(out),
            Self::Unknown(Unknown::CannotLookup) => [1u8, 0].encode_to(out),
            Self::Unknown(Unknown::NoUnsignedValidator) => [1u8, 1].encode_to(out),
        }
        if let Self::Invalid(Invalid::Custom(reason)) = *self {
            reason.encode_to(out);
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// A valid extrinsic's place among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid {
    /// Which of two with one nonce goes first: the higher.
    pub priority: u64,
    /// For how many more blocks it stays valid.
    pub longevity: u64,
    /// Whether its nonce is ahead: others of its account have to be included first.
    pub is_ahead: bool,
}

/// Where the commitments of somebody who is not on the subnet end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unregistered {
    /// In the pool, as since August 2026.
    Pool,
    /// In the block, as failed.
    Block,
}

/// What the chain knows about an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holder {
    /// Extrinsics that it has had included.
    pub nonce: u32,
    /// What it can spend, in rao.
    pub free: u64,
}

impl Holder {
    /// An account in a state; one without an entry has nothing and did nothing.
    pub fn of(state: StateAt<'_>, account: &Account) -> Self {
        let entry = state.runtime().entry("System", "Account").ok();
        let value = entry.and_then(|entry| state.get(&entry.key(&[account])));
        // Nonce, three reference counts, free balance.
        let decoded = value.and_then(|value| <(u32, [u32; 3], u64)>::decode(&mut value.as_ref()).ok());
        decoded.map_or_else(Self::default, |(nonce, _, free)| Self { nonce, free })
    }
}

/// Checks what was submitted for the block after a state.
pub fn judge(chain: &Chain, state: StateAt<'_>, extrinsic: Extrinsic) -> Result<(Signed, Valid), Refusal> {
    let signed = signed(extrinsic, state.runtime())?;
    let nonce = Holder::of(state, &signed.signer).nonce;
    let valid = check(chain, state, &signed, nonce)?;
    Ok((signed, valid))
}

/// The signed extrinsic among those that can be checked at all.
fn signed(extrinsic: Extrinsic, runtime: &Runtime) -> Result<Signed, Refusal> {
    match extrinsic {
        Extrinsic::Signed(signed) => Ok(*signed),
        Extrinsic::Unaddressable => Err(Refusal::Unknown(Unknown::CannotLookup)),
        Extrinsic::Bare(call) if runtime.call_index("Timestamp", "set") == Ok(call) => {
            Err(Invalid::MandatoryValidation.into())
        }
        Extrinsic::Bare(_) => Err(Refusal::Unknown(Unknown::NoUnsignedValidator)),
    }
}

/// Checks an extrinsic for the block after a state, in which its account's nonce will be `nonce`.
pub fn check(chain: &Chain, state: StateAt<'_>, signed: &Signed, nonce: u32) -> Result<Valid, Refusal> {
    let runtime = state.runtime();
    let current = u64::from(state.block.number()) + 1;
    let born = birth_hash(chain, state, birth(signed.era, current)).ok_or(Invalid::AncientBirthBlock)?;
    if signed.metadata_hash {
        // As a runtime that was built without a metadata hash.
        return Err(Refusal::Unknown(Unknown::CannotLookup));
    }
    if !signed.is_proven(runtime, &born) {
        return Err(Invalid::BadProof.into());
    }
    if signed.nonce < nonce {
        return Err(Invalid::Stale.into());
    }
    let length = signed.bytes.encoded_size() as u64;
    let room = u64::from(runtime.constant::<u32>("System", "BlockLength").unwrap_or(u32::MAX));
    if length > room {
        return Err(Invalid::ExhaustsResources.into());
    }
    if signed.tip > Holder::of(state, &signed.signer).free {
        return Err(Invalid::Payment.into());
    }
    if chain.unregistered() == Unregistered::Pool
        && let Some(reason) = may_not_commit(state, signed)
    {
        return Err(Invalid::Custom(reason).into());
    }
    Ok(Valid {
        // As the payment pallet counts: a higher tip, and how many of this size fit into a block.
        priority: signed.tip.saturating_add(1).saturating_mul(room / length.max(1)),
        longevity: death(signed.era, current).saturating_sub(current),
        is_ahead: signed.nonce > nonce,
    })
}

/// The hash of the block with which an era began, where the runtime would still have it.
fn birth_hash(chain: &Chain, state: StateAt<'_>, birth: u64) -> Option<super::block::Hash> {
    if birth == 0 {
        return Some(SANDBOX_GENESIS);
    }
    let kept = u64::from(state.runtime().constant::<u32>("System", "BlockHashCount").unwrap_or(u32::MAX));
    let age = u64::from(state.block.number()).checked_sub(birth).filter(|age| *age < kept)?;
    Some(chain.block(state.block.number() - u32::try_from(age).ok()?)?.hash)
}

/// Why a commitment is none by somebody on a subnet; calls within other calls nobody looks at.
fn may_not_commit(state: StateAt<'_>, signed: &Signed) -> Option<u8> {
    let Ok(Call::SetCommitment { netuid, .. }) = Call::of(state.runtime(), &signed.call) else { return None };
    let is_there = |entry: &str, parts: &[&[u8]]| {
        let entry = state.runtime().entry("SubtensorModule", entry).ok();
        entry.is_some_and(|entry| state.get(&entry.key(parts)).is_some())
    };
    let id = netuid.encode();
    match (is_there("NetworksAdded", &[&id]), is_there("Uids", &[&id, &signed.signer])) {
        (false, _) => Some(NO_SUCH_SUBNET),
        (true, false) => Some(NOT_REGISTERED),
        (true, true) => None,
    }
}
