//! The words of a verdict: why, and what to do. The one text for screens, command line and JSON.

use super::blame::{Blame, is_fake};
use super::evidence::{Exchange, Found, Page, Reply, Request, Trouble};
use super::judge::{Case, decisive};
use super::verdict::Verdict;
use crate::domain::text::{age_seconds, grouped};
use crate::domain::window::{Deadline, EXCLUSION_WINDOWS, MAX_OBJECT_BYTES, MIN_OBJECT_BYTES};

/// Clock differences from which validators and stores notice, in ms.
pub const CLOCK_WARNING_MS: u64 = 60_000;

/// Explanation and fix.
pub(super) fn tell(case: &Case<'_>, verdict: Verdict, blame: Option<Blame>, found: Option<Found>) -> (String, String) {
    let explanation = explanation(case, verdict, found);
    let explanation = match clock(case) {
        Some(clock) if verdict != Verdict::ClockSkew => format!("{explanation} {clock}"),
        _ => explanation,
    };
    (explanation, fix(case, verdict, blame))
}

fn explanation(case: &Case<'_>, verdict: Verdict, found: Option<Found>) -> String {
    let window = grouped(case.window.start());
    match verdict {
        Verdict::Ok => on_time(case, found),
        Verdict::Late => late(case, found),
        Verdict::BadSize => bad_size(found),
        Verdict::NoObject => no_object(case, &window),
        Verdict::NoBucket if case.provider.is_r2() => {
            "The account has no bucket named like its id, where validators look.".to_owned()
        }
        Verdict::NoBucket => "The store has no bucket of that name, where validators look.".to_owned(),
        Verdict::WrongRegion => format!(
            "The store wants signatures for another region than the one configured here ({}); GRAIL, configured alike, is \
             refused too.",
            decisive(case.exchanges).map(|exchange| exchange.reply.said()).unwrap_or_default()
        ),
        Verdict::ScopeDenied => scope(case),
        Verdict::AuthBadSecret => {
            "The store knows the key id, and the published secret is not its secret: the token was \
                                   rolled in place, or the secret was copied wrong."
                .to_owned()
        }
        Verdict::AuthUnknownKey => {
            "The store does not know this key: the token was deleted, has expired, or is less than a minute old."
                .to_owned()
        }
        Verdict::Malformed => malformed(case),
        Verdict::ClockSkew => format!(
            "The store refuses the request because of its time.{} This says nothing about the uid.",
            clock(case).map_or_else(String::new, |clock| format!(" {clock}"))
        ),
        Verdict::Throttled => "The store refuses more requests for now. This says nothing about the uid.".to_owned(),
        Verdict::NoCommitment => {
            "Nothing was ever published: validators do not look for this bucket at all.".to_owned()
        }
        Verdict::Dns | Verdict::Tcp | Verdict::Tls | Verdict::Slow | Verdict::ProviderError | Verdict::NotS3 => {
            service(case)
        }
    }
}

fn on_time(case: &Case<'_>, found: Option<Found>) -> String {
    let early = found.and_then(|found| found.last_modified_ms).zip(case.deadline).map(|(modified, deadline)| {
        format!(
            ", uploaded {} before the deadline{}",
            age_seconds((deadline.at_ms.saturating_sub(modified)) / 1_000),
            counted(deadline)
        )
    });
    let unknown = ", and the deadline could not be read from the chain";
    format!(
        "A validator would take window {}: {} bytes{}.",
        grouped(case.window.start()),
        grouped(found.and_then(|found| found.size).unwrap_or_default()),
        early.as_deref().unwrap_or(unknown)
    )
}

const fn counted(deadline: Deadline) -> &'static str {
    if deadline.exact { "" } else { " (counted at 12 s a block)" }
}

fn late(case: &Case<'_>, found: Option<Found>) -> String {
    match (found.and_then(|found| found.last_modified_ms), case.deadline) {
        (Some(modified), Some(deadline)) => format!(
            "Window {} was uploaded {} after its deadline{}: validators ignore it, and exclude the miner for {EXCLUSION_WINDOWS} windows.",
            grouped(case.window.start()),
            age_seconds(modified.saturating_sub(deadline.at_ms).div_ceil(1_000)),
            counted(deadline)
        ),
        _ => "The store does not say when the object was uploaded, so validators cannot take it as on time.".to_owned(),
    }
}

fn bad_size(found: Option<Found>) -> String {
    match found.and_then(|found| found.size) {
        Some(size) => format!(
            "The object has {} bytes; validators take {} to {}.",
            grouped(size),
            grouped(MIN_OBJECT_BYTES),
            grouped(MAX_OBJECT_BYTES)
        ),
        None => "The store does not say how large the object is, so validators cannot take it.".to_owned(),
    }
}

fn no_object(case: &Case<'_>, window: &str) -> String {
    if case.exchanges.iter().any(|e| e.request == Request::GetByte && matches!(e.reply, Reply::Found(_))) {
        return format!(
            "HEAD does not find window {window} and GET does; validators ask by HEAD. It may have appeared just now."
        );
    }
    let said = decisive(case.exchanges).and_then(|exchange| exchange.reply.raw_code()).is_some();
    let doubt = if said { "" } else { " (the store did not say whether bucket or object is missing)" };
    format!(
        "The bucket can be read, and nothing was uploaded for window {window}{doubt}: an idle miner, or another hotkey."
    )
}

fn scope(case: &Case<'_>) -> String {
    if case.exchanges.iter().any(|e| e.request == Request::GetByte && matches!(e.reply, Reply::Found(_))) {
        return "The key may GET the object and not HEAD it, and validators ask by HEAD.".to_owned();
    }
    if case.provider.is_r2() {
        return "The store knows the key and refuses it here: it is scoped to another bucket, filtered by IP address, or the \
                bucket is in the EU or FedRAMP jurisdiction, which validators cannot reach."
            .to_owned();
    }
    "The store knows the key and refuses it here: it is scoped to another bucket or filtered by IP address; or the object is \
     missing and the key may not list (then AWS says 403 instead of 404)."
        .to_owned()
}

fn malformed(case: &Case<'_>) -> String {
    let said = decisive(case.exchanges).and_then(|exchange| match &exchange.reply {
        Reply::Refused { message: Some(message), .. } => Some(message.shown()),
        _ => None,
    });
    match said {
        Some(message) => format!("The store refuses the shape of the key: {message}."),
        None => "What is published has not the shape of any bucket and key that could be read with.".to_owned(),
    }
}

fn service(case: &Case<'_>) -> String {
    match decisive(case.exchanges).map(|exchange: &Exchange| &exchange.reply) {
        Some(Reply::Failed(trouble)) => troubled(trouble, case),
        Some(Reply::Refused { http: http @ 300..=399, .. }) => {
            format!(
                "The store answers {http} and points elsewhere; redirects are never followed, by validators' signed requests neither."
            )
        }
        Some(reply @ Reply::Refused { http, .. }) if reply.raw_code() == Some("NotEntitled") => {
            format!(
                "The store answers {http} NotEntitled: the account's R2 subscription has lapsed, so nothing in it can be read."
            )
        }
        Some(Reply::Refused { http, code: None, .. }) => format!("The store answers {http} without a word."),
        Some(reply @ Reply::Refused { .. }) => format!("The store answers {}.", reply.said().trim_end_matches('.')),
        Some(Reply::Unmarked(page)) => unmarked(case, page),
        Some(Reply::Found(Found { http, .. })) => {
            format!("What answered is no S3 store: {http}, and neither the size nor the time of an object.")
        }
        None => "The store gave no answer that can be used.".to_owned(),
    }
}

fn unmarked(case: &Case<'_>, page: &Page) -> String {
    if case.exchanges.iter().any(|e| e.request == Request::GetByte && matches!(e.reply, Reply::Found(_))) {
        return format!(
            "HEAD is answered {} without the size and the time of an object, and GET finds it; validators ask by HEAD.",
            page.http
        );
    }
    format!("What answered is no S3 store: {}, {}.", page.http, page.shown())
}

fn troubled(trouble: &Trouble, case: &Case<'_>) -> String {
    match trouble {
        Trouble::Dns { why } if case.provider.is_r2() => {
            format!("The account's host does not resolve ({why}): the account id is wrong, or this machine has no DNS.")
        }
        Trouble::Dns { why } => format!("The store's host does not resolve ({why})."),
        Trouble::NotLookedUp { why } => {
            format!("The store's host could not be looked up ({why}): this machine's DNS gives no answer for now.")
        }
        Trouble::PrivateAddress { address } if is_fake(address) => format!(
            "The account's host resolves to {address}, a fake address of 198.18.0.0/15 as local proxies give them out for \
             every name; nothing was sent there."
        ),
        Trouble::PrivateAddress { address } => {
            format!("The account's host resolves to {address}, an address that no R2 host has; nothing was sent there.")
        }
        Trouble::Tcp { why } => format!("The store's host cannot be reached from this machine ({why})."),
        Trouble::Tls { handshake_failure: true, .. } => "The host refuses the TLS handshake (alert 40): a new account's \
                                                         certificate takes about 20 minutes, and an account id that does \
                                                         not exist never gets one."
            .to_owned(),
        Trouble::Tls { why, .. } => format!("No TLS session with the store: {}.", why.shown()),
        Trouble::NoRootCertificates => "This machine has no root certificates, so no TLS host can be trusted.".to_owned(),
        Trouble::Slow { after_ms } => format!(
            "No complete answer within {} s; a validator gives up then and counts nothing.",
            (after_ms + 500) / 1_000
        ),
        Trouble::Closed { why } => format!("The store ended the connection within its answer ({why})."),
        Trouble::NotS3 { why } => format!("What answered is no S3 store: {}.", why.shown()),
        Trouble::TooLarge { cap } => {
            format!("The store sent more than the {} KiB that an answer may have; the rest was not read.", cap / 1_024)
        }
    }
}

/// Whose clock is wrong, where one is.
fn clock(case: &Case<'_>) -> Option<String> {
    let offset = case.clock_offset_ms?;
    let seconds = offset.unsigned_abs() / 1_000;
    (offset.unsigned_abs() > CLOCK_WARNING_MS).then(|| {
        let side = if offset > 0 { "behind" } else { "ahead of" };
        format!("This machine's clock is {} {side} the store's.", age_seconds(seconds))
    })
}

fn fix(case: &Case<'_>, verdict: Verdict, blame: Option<Blame>) -> String {
    let what = todo(case, verdict);
    if case.own || what.is_empty() || blame != Some(Blame::Holder) {
        return what;
    }
    let who = case.uid.map_or_else(|| "this ex-member".to_owned(), |uid| format!("uid {uid}"));
    format!("Only the holder of {who} can mend it: {}", crate::domain::text::uncapitalised(&what))
}

fn todo(case: &Case<'_>, verdict: Verdict) -> String {
    let r2 = case.provider.is_r2();
    let text = match verdict {
        Verdict::Ok => "",
        Verdict::Late => {
            "Upload earlier: the object must be there four seconds before the window's closing block. Check the \
                          upload's bandwidth and this window's place in the miner's log."
        }
        Verdict::BadSize => "Check what the miner wrote in this window, and that the upload was complete.",
        Verdict::NoObject => "Check that the miner runs, that it uses this hotkey, and that it uploads to this bucket.",
        Verdict::NoBucket if r2 => "Create a bucket named exactly like the account id, in the default jurisdiction.",
        Verdict::NoBucket => "Create the bucket, or publish the one that is there.",
        Verdict::WrongRegion => "Set R2_REGION to the region that the store names, for GRAIL too.",
        Verdict::ScopeDenied if r2 => {
            "Give the token Object Read on the bucket named like the account id, without an IP \
                                       filter; then publish its key."
        }
        Verdict::ScopeDenied => "Allow the key to read (and list) this bucket from anywhere; then publish it.",
        Verdict::AuthBadSecret => {
            "Publish the right secret. After a roll in place create a new token instead: validators \
                                   cache the old secret by the key id."
        }
        Verdict::AuthUnknownKey => {
            "Check the token; wait a minute if it is new; otherwise create another one and publish it."
        }
        Verdict::Malformed if r2 => {
            "Publish the Access Key ID (32 hex) and Secret Access Key (64 hex) of an R2 token, not \
                                     the token's value and not an AWS key."
        }
        Verdict::Malformed => "Publish the name of a bucket and a key of this store.",
        Verdict::ClockSkew => "Set this machine's clock (NTP), then test again.",
        Verdict::Throttled => "Wait a while, then test again; sweep with fewer at once.",
        Verdict::NoCommitment => "Publish the read pair with commit.",
        Verdict::Dns => dns(case),
        Verdict::Tcp => "Check this machine's firewall (HTTPS_PROXY is not used); test from the miner's host too.",
        Verdict::Tls => tls(case),
        Verdict::Slow => "Test again; if it lasts, look at the store's status and at the way to it.",
        Verdict::NotS3 => {
            "Look at what is between this machine and the store (a proxy, a login page, a load balancer), and at the S3 \
             endpoint."
        }
        Verdict::ProviderError => provider(case),
    };
    text.to_owned()
}

fn dns(case: &Case<'_>) -> &'static str {
    match decisive(case.exchanges).map(|exchange| &exchange.reply) {
        Some(Reply::Failed(Trouble::NotLookedUp { .. })) => "Check this machine's DNS and connection, then test again.",
        Some(Reply::Failed(Trouble::PrivateAddress { address })) if is_fake(address) => {
            "Let the proxy on this machine leave the store's host alone (its fake-ip filter), then test again."
        }
        Some(Reply::Failed(Trouble::PrivateAddress { .. })) => "Check this machine's DNS, then test again.",
        _ if case.provider.is_r2() => "Check the account id, character by character; then this machine's DNS.",
        _ => "Check the S3 endpoint and this machine's DNS.",
    }
}

fn tls(case: &Case<'_>) -> &'static str {
    match decisive(case.exchanges).map(|exchange| &exchange.reply) {
        Some(Reply::Failed(Trouble::NoRootCertificates)) => "Install the ca-certificates package on this machine.",
        Some(Reply::Failed(Trouble::Tls { handshake_failure: true, .. })) => {
            "Check the account id; if the account is new, wait 20 minutes and test again."
        }
        _ => "Check the store's certificate, and whether something between here and there opens TLS.",
    }
}

fn provider(case: &Case<'_>) -> &'static str {
    let reply = decisive(case.exchanges).map(|exchange| &exchange.reply);
    match reply {
        Some(Reply::Refused { http: 300..=399, .. }) => "Publish a bucket that answers at its own host.",
        Some(refused @ Reply::Refused { .. }) if refused.raw_code() == Some("NotEntitled") => {
            "Settle the bill of the account's R2 subscription at Cloudflare."
        }
        Some(Reply::Refused { http: 500..=599, .. }) => {
            "Wait and test again; look at the store's status page if it lasts."
        }
        Some(Reply::Refused { .. }) => "See the store's own words, and the account where the store shows it.",
        Some(Reply::Failed(Trouble::Closed { .. })) => {
            "Test again; if it lasts, look at the connection, the firewall and the proxy of this machine."
        }
        _ => "Test again; if it lasts, look at what serves the bucket.",
    }
}
