//! Whose fault a verdict is, and whether validators elsewhere would get the same answer. A fault of this machine or of the
//! way to the store is never laid on whoever published the key.

use serde::Serialize;

use super::evidence::{Exchange, Found, Page, Reply, Trouble};
use super::judge::{Case, decisive};
use super::verdict::Verdict;

/// Who can fix what a read test found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// This machine: its clock, its settings, its certificates.
    ThisMachine,
    /// What is between this machine and the store: DNS, firewall, proxy.
    Network,
    /// The store.
    Store,
    /// Whoever published the key.
    Holder,
    /// What GRAIL's protocol has no place for.
    Protocol,
    /// The answers do not tell.
    Unknown,
}

/// Whose fault it is; `None` where nothing is wrong.
pub(super) fn blame(case: &Case<'_>, verdict: Verdict, found: Option<Found>) -> Option<Blame> {
    let reply = decisive(case.exchanges).map(|exchange: &Exchange| &exchange.reply);
    Some(match verdict {
        Verdict::Ok => return None,
        // The store leaves out what validators judge by.
        Verdict::Late if found.is_some_and(|found| found.last_modified_ms.is_none()) => Blame::Store,
        Verdict::BadSize if found.is_some_and(|found| found.size.is_none()) => Blame::Store,
        Verdict::NoCommitment
        | Verdict::Malformed
        | Verdict::AuthUnknownKey
        | Verdict::AuthBadSecret
        | Verdict::ScopeDenied
        | Verdict::NoBucket
        | Verdict::NoObject
        | Verdict::Late
        | Verdict::BadSize => Blame::Holder,
        Verdict::ClockSkew | Verdict::WrongRegion => Blame::ThisMachine,
        Verdict::Throttled => Blame::Store,
        Verdict::Slow => Blame::Unknown,
        Verdict::Dns | Verdict::Tcp | Verdict::Tls => of_the_way(reply, case.provider.is_r2()),
        // A gateway that does not reach its store may be the store's own.
        Verdict::NotS3 if matches!(reply, Some(Reply::Unmarked(Page { http: 500..=599, .. }))) => Blame::Unknown,
        Verdict::NotS3 => Blame::Network,
        Verdict::ProviderError => of_the_store(reply),
    })
}

fn of_the_way(reply: Option<&Reply>, is_r2: bool) -> Blame {
    match reply {
        // R2 ends the handshake so for account ids that do not exist or are very new.
        Some(Reply::Failed(Trouble::Tls { handshake_failure: true, .. })) if is_r2 => Blame::Holder,
        Some(Reply::Failed(Trouble::NoRootCertificates)) => Blame::ThisMachine,
        Some(Reply::Failed(Trouble::PrivateAddress { address })) if is_fake(address) => Blame::ThisMachine,
        // The endpoint is a setting of this machine.
        Some(Reply::Failed(Trouble::Dns { .. })) if !is_r2 => Blame::ThisMachine,
        Some(Reply::Failed(Trouble::Dns { .. } | Trouble::Tls { handshake_failure: true, .. })) => Blame::Unknown,
        _ => Blame::Network,
    }
}

fn of_the_store(reply: Option<&Reply>) -> Blame {
    match reply {
        Some(Reply::Refused { http: 300..=399, .. }) => Blame::Holder,
        Some(refused @ Reply::Refused { .. }) if refused.raw_code() == Some("NotEntitled") => Blame::Holder,
        Some(Reply::Refused { .. } | Reply::Unmarked(_)) => Blame::Store,
        Some(Reply::Failed(Trouble::Closed { .. })) => Blame::Network,
        _ => Blame::Unknown,
    }
}

/// Whether it is an address of 198.18.0.0/15, which local proxies (Clash, Surge, sing-box) give out in place of every name.
pub(super) fn is_fake(address: &str) -> bool {
    address.parse().is_ok_and(|address: std::net::Ipv4Addr| matches!(address.octets(), [198, 18 | 19, ..]))
}

/// Whether it is a store's own answer, which a validator would get too: yes or no. Anything else is unknown.
pub(super) fn is_definite(case: &Case<'_>, verdict: Verdict, blame: Option<Blame>) -> bool {
    match verdict {
        Verdict::Dns | Verdict::Tcp | Verdict::NotS3 | Verdict::ClockSkew | Verdict::Throttled | Verdict::Slow => false,
        Verdict::Tls => blame == Some(Blame::Holder),
        Verdict::ProviderError => decisive(case.exchanges).is_some_and(|exchange| match &exchange.reply {
            Reply::Refused { http, .. } | Reply::Unmarked(Page { http, .. }) => *http < 500,
            Reply::Found(_) | Reply::Failed(_) => false,
        }),
        _ => true,
    }
}
