//! What calls do in a block.

use parity_scale_codec::{Compact, Decode, Encode, Error};

use super::block_builder::BlockBuilder;
use super::chain::StateAt;
use super::commitment::{CommitmentSpec, Field};
use super::extrinsic::{Account, Signed};
use super::metadata::{MetadataError, Runtime};
use super::scale::take;
use crate::domain::hotkey::Hotkey;

/// Calls within calls, at most.
const MAX_DEPTH: u8 = 4;
/// Calls of `System` that change nothing anywhere.
const HARMLESS: [&str; 2] = ["remark", "remark_with_event"];

/// A call, as far as the sandbox chain knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `Commitments.set_commitment`.
    SetCommitment {
        /// On which subnet.
        netuid: u16,
        /// The fields to publish.
        fields: Vec<Field>,
    },
    /// `Proxy.proxy`.
    Proxy {
        /// For whom.
        real: Account,
        /// The call.
        call: Vec<u8>,
    },
    /// `Utility.batch`: calls, one after the other until one fails.
    Batch(Vec<Vec<u8>>),
    /// A remark.
    Harmless,
    /// Any other.
    Other,
}

impl Call {
    /// Reads a call whose bytes are known to be those of its type.
    pub fn of(runtime: &Runtime, mut bytes: &[u8]) -> Result<Self, Error> {
        let index = <[u8; 2]>::decode(&mut bytes)?;
        if runtime.call_index("Commitments", "set_commitment") == Ok(index) {
            let netuid = u16::decode(&mut bytes)?;
            return Ok(Self::SetCommitment { netuid, fields: Field::decode_all(runtime, &mut bytes)? });
        }
        if runtime.call_index("Proxy", "proxy") == Ok(index) {
            let (address, real) = <(u8, Account)>::decode(&mut bytes)?;
            let _type_of_proxy = Option::<u8>::decode(&mut bytes)?;
            return Ok(if address == 0 { Self::Proxy { real, call: bytes.to_vec() } } else { Self::Other });
        }
        if runtime.call_index("Utility", "batch") == Ok(index) {
            let count = Compact::<u32>::decode(&mut bytes)?.0;
            let call = |_| take(runtime.types(), runtime.call_type(), &mut bytes).map(<[u8]>::to_vec);
            return (0..count).map(call).collect::<Result<_, _>>().map(Self::Batch);
        }
        let harmless = HARMLESS.iter().any(|name| runtime.call_index("System", name) == Ok(index));
        Ok(if harmless { Self::Harmless } else { Self::Other })
    }
}

/// The bytes of a `set_commitment`.
pub fn set_commitment(runtime: &Runtime, netuid: u16, fields: &[Field]) -> Result<Vec<u8>, MetadataError> {
    let mut call = (runtime.call_index("Commitments", "set_commitment")?, netuid).encode();
    Field::encode_all(fields, runtime, &mut call)?;
    Ok(call)
}

/// The bytes of a call made for somebody through a proxy.
pub fn by_proxy(runtime: &Runtime, real: &Account, call: &[u8]) -> Result<Vec<u8>, MetadataError> {
    let head = (runtime.call_index("Proxy", "proxy")?, 0_u8, real, None::<u8>).encode();
    Ok([&head, call].concat())
}

/// The bytes of calls made one after the other.
pub fn in_batch(runtime: &Runtime, calls: &[Vec<u8>]) -> Result<Vec<u8>, MetadataError> {
    let count = Compact(u32::try_from(calls.len()).unwrap_or(u32::MAX));
    Ok([(runtime.call_index("Utility", "batch")?, count).encode(), calls.concat()].concat())
}

/// What a lying node makes up about a commitment that it has not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// The events of a success.
    Event,
    /// The value, beside the event of a failure.
    Value,
}

/// Why a call failed: a pallet's error by name.
type Failure = (&'static str, &'static str);

/// Includes a checked extrinsic as the block's extrinsic number `index`. Whatever becomes of the call, the nonce is used.
/// Returns the index of the pallet and of its error when the call fails.
pub fn apply(
    draft: &mut BlockBuilder<'_>,
    index: u32,
    signed: &Signed,
    forgery: Option<Forgery>,
) -> Result<Option<[u8; 2]>, MetadataError> {
    draft.begin_extrinsic(index);
    draft.use_nonce(&signed.signer)?;
    let failure = match (Call::of(draft.runtime(), &signed.call), forgery) {
        (Ok(Call::SetCommitment { fields, .. }), Some(forgery)) => {
            let failure = forge(draft, &signed.signer, fields, forgery)?;
            failure.map(|(pallet, error)| draft.runtime().error_index(pallet, error)).transpose()?
        }
        _ => call(draft, &signed.signer, &signed.call, MAX_DEPTH)?,
    };
    match failure {
        None => draft.extrinsic_succeeded(),
        Some(index) => draft.extrinsic_failed(index),
    }
    Ok(failure)
}

/// Makes a call for an account. Returns the index of the pallet and of its error when it fails.
fn call(
    draft: &mut BlockBuilder<'_>,
    caller: &Account,
    bytes: &[u8],
    depth: u8,
) -> Result<Option<[u8; 2]>, MetadataError> {
    let filtered = Some(("System", "CallFiltered"));
    let inner = depth.checked_sub(1);
    let failure = match (Call::of(draft.runtime(), bytes), inner) {
        (Ok(Call::SetCommitment { netuid, fields }), _) => commit(draft, netuid, caller, fields)?,
        (Ok(Call::Proxy { real, .. }), Some(_)) if !draft.may_act_for(caller, &real)? => Some(("Proxy", "NotProxy")),
        (Ok(Call::Proxy { real, call: bytes }), Some(depth)) => {
            let failure = call(draft, &real, &bytes, depth)?;
            draft.tell_of_proxied(failure);
            None
        }
        (Ok(Call::Batch(calls)), Some(depth)) => {
            for (index, bytes) in (0..).zip(&calls) {
                if let Some(failure) = call(draft, caller, bytes, depth)? {
                    draft.tell_of_interrupted(index, failure);
                    return Ok(None);
                }
            }
            draft.tell_of_batch();
            None
        }
        (Ok(Call::Harmless), _) => None,
        // A real runtime has filters for calls, too: what the sandbox chain cannot do it does not pretend to do.
        (Ok(Call::Proxy { .. } | Call::Batch(_) | Call::Other) | Err(_), _) => filtered,
    };
    failure.map(|(pallet, error)| draft.runtime().error_index(pallet, error)).transpose()
}

/// What would become of a checked extrinsic in a block on top of a state: nothing bad, or an error of a pallet.
pub fn try_out(state: StateAt<'_>, signed: &Signed) -> Result<Option<[u8; 2]>, MetadataError> {
    apply(&mut BlockBuilder::new(state), 1, signed, None)
}

/// `set_commitment`: the pallet's checks in its order, then what it writes.
fn commit(
    draft: &mut BlockBuilder<'_>,
    netuid: u16,
    signer: &Account,
    fields: Vec<Field>,
) -> Result<Option<Failure>, MetadataError> {
    let failed = |error| Ok(Some(("Commitments", error)));
    if !draft.is_registered(netuid, signer)? {
        return failed("AccountNotAllowedCommit");
    }
    let most: u32 = draft.runtime().constant("Commitments", "MaxFields")?;
    if fields.len() as u64 > u64::from(most) {
        return failed("TooManyFieldsInCommitmentInfo");
    }
    if fields.iter().any(|field| matches!(field, Field::TimelockRevealFailed { .. })) {
        return failed("TimelockRevealFailedNotAllowed");
    }
    let hotkey = Hotkey::from_bytes(*signer);
    let spec = CommitmentSpec::Fields(fields);
    if draft.space_after(&hotkey, &spec)?.1 > draft.max_space()? {
        return failed("SpaceLimitExceeded");
    }
    draft.commit(&hotkey, &spec)?;
    Ok(None)
}

/// The commitment is not made; what of it can be seen is made up.
fn forge(
    draft: &mut BlockBuilder<'_>,
    signer: &Account,
    fields: Vec<Field>,
    forgery: Forgery,
) -> Result<Option<Failure>, MetadataError> {
    let hotkey = Hotkey::from_bytes(*signer);
    match forgery {
        Forgery::Event => {
            draft.tell_of_commitment(&hotkey);
            Ok(None)
        }
        Forgery::Value => {
            draft.store_commitment(&hotkey, &CommitmentSpec::Fields(fields))?;
            Ok(Some(("Commitments", "AccountNotAllowedCommit")))
        }
    }
}
