//! Answers that a pool gives on request, whatever is submitted.

use super::Rejection;
use crate::sandbox::validity::Invalid;

/// How every submission is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolAnswer {
    /// 1010: the nonce has been used.
    Stale,
    /// 1010: the nonce is ahead of its time.
    Future,
    /// 1010: the signature is wrong.
    BadProof,
    /// 1010: the era began too long ago.
    AncientBirthBlock,
    /// 1010: the sender cannot pay.
    Payment,
    /// 1010: no block has room for it.
    ExhaustsResources,
    /// 1010: a reason of the runtime's own; 10 is "hotkey not registered".
    Custom(u8),
    /// 1012.
    Banned,
    /// 1013.
    AlreadyImported,
    /// 1014, with equal priorities.
    LowPriority,
    /// 1016.
    Dropped,
}

impl From<PoolAnswer> for Rejection {
    fn from(answer: PoolAnswer) -> Self {
        match answer {
            PoolAnswer::Stale => Invalid::Stale.into(),
            PoolAnswer::Future => Invalid::Future.into(),
            PoolAnswer::BadProof => Invalid::BadProof.into(),
            PoolAnswer::AncientBirthBlock => Invalid::AncientBirthBlock.into(),
            PoolAnswer::Payment => Invalid::Payment.into(),
            PoolAnswer::ExhaustsResources => Invalid::ExhaustsResources.into(),
            PoolAnswer::Custom(reason) => Invalid::Custom(reason).into(),
            PoolAnswer::Banned => Self::Banned,
            PoolAnswer::AlreadyImported => Self::AlreadyImported,
            PoolAnswer::LowPriority => Self::LowPriority { old: 32_768, new: 32_768 },
            PoolAnswer::Dropped => Self::Dropped,
        }
    }
}
