//! The read test as pure functions: which request comes next, what the answers mean, and in which words.

use std::collections::BTreeSet;

use grail_console::domain::probe::{
    Case, Exchange, Found, Judgement, Layer, Reply, Request, Trouble, Verdict, judge, next, verdict_of,
};
use grail_console::domain::provider::{Provider, S3Endpoint};
use grail_console::domain::untrusted::{Untrusted, is_visible};
use grail_console::domain::window::{Deadline, Window};
use proptest::prelude::*;
use rstest::rstest;

const WINDOW: u64 = 9_168_240;
const DEADLINE: Deadline = Deadline { at_ms: 1_790_000_000_000, exact: true };
const MOST: u64 = 350 * 1024 * 1024;

fn r2() -> Provider {
    Provider::default()
}

fn custom() -> Provider {
    Provider::Custom(S3Endpoint::parse("https://store.example").unwrap())
}

fn exchange(request: Request, reply: Reply) -> Exchange {
    Exchange { request, reply, ms: 7 }
}

fn refused(http: u16, code: Option<&str>, message: Option<&str>) -> Reply {
    Reply::Refused { http, code: code.map(Untrusted::from), message: message.map(Untrusted::from) }
}

fn found(size: u64, modified_ms: u64) -> Reply {
    Reply::Found(Found { http: 200, size: Some(size), last_modified_ms: Some(modified_ms) })
}

/// As the storage layer meets a refusal: two HEADs without a body, and a GET whose body has the code.
fn refusal(http: u16, code: Option<&str>, message: Option<&str>) -> Vec<Exchange> {
    let heads = [Request::HeadCompressed, Request::HeadPlain].map(|head| exchange(head, refused(http, None, None)));
    let mut exchanges = heads.to_vec();
    exchanges.extend(next(&exchanges).map(|request| exchange(request, refused(http, code, message))));
    exchanges
}

fn failure(trouble: Trouble) -> Vec<Exchange> {
    vec![exchange(Request::HeadCompressed, Reply::Failed(trouble))]
}

fn case<'c>(provider: &'c Provider, own: bool, exchanges: &'c [Exchange]) -> Case<'c> {
    Case {
        provider,
        uid: Some(20),
        own,
        window: Window::of(WINDOW),
        deadline: Some(DEADLINE),
        exchanges,
        clock_offset_ms: Some(0),
    }
}

fn judged(provider: &Provider, exchanges: &[Exchange]) -> Judgement {
    judge(&case(provider, true, exchanges))
}

/// What a validator's two HEADs find in the end.
fn of_object(size: Option<u64>, last_modified_ms: Option<u64>) -> Verdict {
    let object = Reply::Found(Found { http: 200, size, last_modified_ms });
    judged(&r2(), &[exchange(Request::HeadCompressed, object)]).verdict
}

#[test]
fn a_test_asks_what_a_validator_asks_and_then_at_most_for_one_byte() {
    let (no, throttled, elsewhere) = (refused(404, None, None), refused(429, None, None), refused(307, None, None));
    let down = Reply::Failed(Trouble::Tcp { why: "connection refused".to_owned() });
    let (cut, slow) = (Reply::Failed(closed()), Reply::Failed(Trouble::Slow { after_ms: 6_000 }));
    let (gz, plain, byte) = (Request::HeadCompressed, Request::HeadPlain, Request::GetByte);
    let there = found(200, 0);
    for (so_far, expected) in [
        (vec![], Some(gz)),
        (vec![(gz, &there)], None),
        (vec![(gz, &down)], None),
        (vec![(gz, &slow)], None),
        (vec![(gz, &cut)], Some(plain)),
        (vec![(gz, &cut), (plain, &cut)], None),
        (vec![(gz, &cut), (plain, &no)], Some(byte)),
        (vec![(gz, &no)], Some(plain)),
        (vec![(gz, &throttled)], Some(plain)),
        (vec![(gz, &no), (plain, &there)], None),
        (vec![(gz, &no), (plain, &down)], None),
        (vec![(gz, &no), (plain, &no)], Some(byte)),
        (vec![(gz, &no), (plain, &throttled)], None),
        (vec![(gz, &no), (plain, &elsewhere)], None),
        (vec![(gz, &no), (plain, &no), (byte, &no)], None),
        (vec![(gz, &no), (plain, &no), (byte, &there)], None),
    ] {
        let exchanges: Vec<_> = so_far.into_iter().map(|(request, reply)| exchange(request, reply.clone())).collect();
        assert_eq!(next(&exchanges), expected, "{exchanges:?}");
    }
}

fn closed() -> Trouble {
    Trouble::Closed { why: "reset by peer".to_owned() }
}

/// GRAIL swallows the error of the first name and takes what it finds under the second.
#[test]
fn a_plain_object_is_taken_also_where_nobody_could_tell_of_a_compressed_one() {
    for wrong in [Reply::Failed(closed()), refused(500, None, None), refused(429, None, None)] {
        let plain = exchange(Request::HeadPlain, found(5_000, 0));
        let judgement = judged(&r2(), &[exchange(Request::HeadCompressed, wrong.clone()), plain]);
        assert_eq!((judgement.verdict, judgement.is_definite), (Verdict::Ok, true), "{wrong:?}");
    }
}

/// That the plain object is not there does not make it a miner that uploaded nothing.
#[test]
fn without_an_answer_for_the_compressed_object_nothing_is_said_to_be_missing() {
    for (wrong, verdict) in [
        (Reply::Failed(closed()), Verdict::ProviderError),
        (Reply::Failed(Trouble::NotS3 { why: "odd".into() }), Verdict::NotS3),
        (refused(500, None, None), Verdict::ProviderError),
        (refused(429, None, None), Verdict::Throttled),
    ] {
        let exchanges = [
            exchange(Request::HeadCompressed, wrong.clone()),
            exchange(Request::HeadPlain, refused(404, None, None)),
            exchange(Request::GetByte, refused(404, Some("NoSuchKey"), None)),
        ];
        let judgement = judged(&r2(), &exchanges);
        assert_eq!((judgement.verdict, judgement.is_definite), (verdict, false), "{wrong:?}");
    }
    let bucket = [
        exchange(Request::HeadCompressed, Reply::Failed(closed())),
        exchange(Request::HeadPlain, refused(404, None, None)),
        exchange(Request::GetByte, refused(404, Some("NoSuchBucket"), None)),
    ];
    assert_eq!(judged(&r2(), &bucket).verdict, Verdict::NoBucket, "where there is none, nothing is in it");
}

/// What it is; status, code and message; the verdict.
type Refusal = (&'static str, u16, Option<&'static str>, Option<&'static str>, Verdict);

/// Every row of the catalogue in which a store answers, in the words of R2 and of AWS and its kin.
const CATALOGUE: [Refusal; 41] = [
    (
        "AWS-shaped key",
        400,
        Some("InvalidArgument"),
        Some("Credential access key has length 20, should be 32"),
        Verdict::Malformed,
    ),
    ("bucket's name impossible", 400, Some("InvalidBucketName"), None, Verdict::Malformed),
    ("clock, R2 and AWS", 403, Some("RequestTimeTooSkewed"), None, Verdict::ClockSkew),
    ("signed too long ago, R2", 400, Some("ExpiredRequest"), None, Verdict::ClockSkew),
    ("signed too long ago, others", 400, Some("RequestExpired"), None, Verdict::ClockSkew),
    ("unknown key, R2", 401, Some("Unauthorized"), None, Verdict::AuthUnknownKey),
    ("unknown key, AWS", 403, Some("InvalidAccessKeyId"), None, Verdict::AuthUnknownKey),
    ("unknown key, Garage", 403, Some("AccessDenied"), Some("Forbidden: No such key: GK1"), Verdict::AuthUnknownKey),
    ("wrong secret, Garage", 403, Some("AccessDenied"), Some("Forbidden: Invalid signature"), Verdict::AuthBadSecret),
    (
        "expired key, Garage",
        403,
        Some("AccessDenied"),
        Some("Forbidden: Access key GK1 has expired"),
        Verdict::AuthUnknownKey,
    ),
    (
        "other region, Garage",
        400,
        Some("AuthorizationHeaderMalformed"),
        Some("Authorization header malformed, unexpected scope: 'x', expected: '20261201/garage/s3/aws4_request'"),
        Verdict::WrongRegion,
    ),
    (
        "other region, AWS",
        400,
        Some("AuthorizationHeaderMalformed"),
        Some("The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
        Verdict::WrongRegion,
    ),
    (
        "no right, Garage",
        403,
        Some("AccessDenied"),
        Some("Forbidden: Operation is not allowed for this key."),
        Verdict::ScopeDenied,
    ),
    ("unknown key without a body, R2", 401, None, None, Verdict::AuthUnknownKey),
    ("token of a session, AWS", 400, Some("InvalidToken"), None, Verdict::AuthUnknownKey),
    ("token of a session over, AWS", 400, Some("ExpiredToken"), None, Verdict::AuthUnknownKey),
    ("no such account, AWS", 403, Some("NotSignedUp"), None, Verdict::AuthUnknownKey),
    ("wrong secret, R2 and AWS", 403, Some("SignatureDoesNotMatch"), None, Verdict::AuthBadSecret),
    ("other scope, R2 and AWS", 403, Some("AccessDenied"), None, Verdict::ScopeDenied),
    ("other scope without a body", 403, None, None, Verdict::ScopeDenied),
    ("account closed, AWS", 403, Some("AllAccessDisabled"), None, Verdict::ProviderError),
    ("account in trouble, AWS", 403, Some("AccountProblem"), None, Verdict::ProviderError),
    ("account disabled", 403, Some("AccountDisabled"), None, Verdict::ProviderError),
    ("object in an archive, AWS", 403, Some("InvalidObjectState"), None, Verdict::ProviderError),
    (
        "cap, Backblaze",
        403,
        Some("AccessDenied"),
        Some("Transaction cap exceeded, see the Caps & Alerts page to increase your cap."),
        Verdict::ProviderError,
    ),
    ("unknown key, Backblaze", 401, Some("UnauthorizedAccess"), None, Verdict::AuthUnknownKey),
    ("no bucket, R2 and AWS", 404, Some("NoSuchBucket"), None, Verdict::NoBucket),
    ("lapsed, R2", 403, Some("NotEntitled"), None, Verdict::ProviderError),
    ("no object, R2 and AWS", 404, Some("NoSuchKey"), None, Verdict::NoObject),
    ("no object without a body", 404, None, None, Verdict::NoObject),
    ("no object, others", 404, Some("NotFound"), None, Verdict::NoObject),
    ("throttled, R2", 429, None, None, Verdict::Throttled),
    ("throttled, AWS", 503, Some("SlowDown"), None, Verdict::Throttled),
    ("throttled, others", 503, Some("RequestLimitExceeded"), None, Verdict::Throttled),
    ("fault, R2 and AWS", 500, Some("InternalError"), None, Verdict::ProviderError),
    ("outage, R2", 503, Some("ServiceUnavailable"), None, Verdict::ProviderError),
    ("outage without a body", 503, None, None, Verdict::ProviderError),
    ("redirect", 307, None, None, Verdict::ProviderError),
    ("an argument that is not the key", 400, Some("InvalidArgument"), Some("max-keys"), Verdict::ProviderError),
    ("a code that nobody knows, whatever its status", 403, Some("Zorn"), None, Verdict::ProviderError),
    ("a code that nobody knows", 418, Some("Teapot"), None, Verdict::ProviderError),
];

#[test]
fn every_refusal_of_the_catalogue_has_its_verdict() {
    for (row, http, code, message, verdict) in CATALOGUE {
        for provider in [r2(), custom()] {
            let exchanges = refusal(http, code, message);
            assert_eq!(judged(&provider, &exchanges).verdict, verdict, "{row}");
            assert_eq!(verdict_of(&refused(http, code, message)), verdict, "{row}");
        }
    }
}

fn troubles() -> Vec<(Trouble, Verdict, &'static str)> {
    let why = || "a reason".to_owned();
    let tls = |handshake_failure| Trouble::Tls { why: Untrusted::from("a reason"), handshake_failure };
    vec![
        (Trouble::Dns { why: why() }, Verdict::Dns, "dns"),
        (Trouble::NotLookedUp { why: why() }, Verdict::Dns, "dns_for_now"),
        (Trouble::PrivateAddress { address: "10.0.0.1".to_owned() }, Verdict::Dns, "private_address"),
        (Trouble::Tcp { why: why() }, Verdict::Tcp, "tcp"),
        (tls(true), Verdict::Tls, "tls"),
        (tls(false), Verdict::Tls, "tls"),
        (Trouble::NoRootCertificates, Verdict::Tls, "no_root_certificates"),
        (Trouble::Slow { after_ms: 6_000 }, Verdict::Slow, "deadline"),
        (Trouble::Closed { why: why() }, Verdict::ProviderError, "closed"),
        (Trouble::NotS3 { why: Untrusted::from("a reason") }, Verdict::NotS3, "not_s3"),
        (Trouble::TooLarge { cap: 65_536 }, Verdict::ProviderError, "too_large"),
    ]
}

#[test]
fn every_answer_that_does_not_come_has_its_verdict_and_its_code() {
    for (trouble, verdict, code) in troubles() {
        let exchanges = failure(trouble.clone());
        assert_eq!(judged(&r2(), &exchanges).verdict, verdict, "{trouble}");
        assert_eq!((exchanges[0].reply.http(), exchanges[0].reply.code().as_deref()), (None, Some(code)));
    }
}

#[rstest]
#[case::empty(Some(0), Verdict::BadSize)]
#[case::one_byte_short(Some(199), Verdict::BadSize)]
#[case::smallest(Some(200), Verdict::Ok)]
#[case::largest(Some(MOST), Verdict::Ok)]
#[case::one_byte_more(Some(MOST + 1), Verdict::BadSize)]
#[case::unknown(None, Verdict::BadSize)]
fn an_object_is_taken_from_200_bytes_to_350_mib(#[case] size: Option<u64>, #[case] verdict: Verdict) {
    assert_eq!(of_object(size, Some(DEADLINE.at_ms)), verdict);
}

#[rstest]
#[case::early(Some(0), Verdict::Ok)]
#[case::at_the_deadline(Some(DEADLINE.at_ms), Verdict::Ok)]
#[case::a_millisecond_after(Some(DEADLINE.at_ms + 1), Verdict::Late)]
#[case::unknown(None, Verdict::Late)]
fn an_object_is_on_time_up_to_its_deadline(#[case] modified_ms: Option<u64>, #[case] verdict: Verdict) {
    assert_eq!(of_object(Some(200), modified_ms), verdict);
}

#[test]
fn what_is_too_small_and_late_is_first_of_all_too_small() {
    assert_eq!(of_object(Some(1), Some(u64::MAX)), Verdict::BadSize);
}

#[test]
fn without_the_chain_nothing_is_late_and_the_words_say_so() {
    let exchanges = [exchange(Request::HeadCompressed, found(200, u64::MAX))];
    let provider = r2();
    let judgement = judge(&Case { deadline: None, ..case(&provider, true, &exchanges) });
    assert_eq!(judgement.verdict, Verdict::Ok);
    let words =
        "A validator would take window 9,168,240: 200 bytes, and the deadline could not be read from the chain.";
    assert_eq!(judgement.explanation, words);
}

#[test]
fn the_object_that_counts_is_that_of_the_first_head_that_finds_one() {
    let gone = exchange(Request::HeadCompressed, refused(404, None, None));
    let plain = exchange(Request::HeadPlain, found(5_000, 0));
    let judgement = judged(&r2(), &[gone, plain]);
    assert_eq!((judgement.verdict, judgement.found.and_then(|found| found.size)), (Verdict::Ok, Some(5_000)));
    assert_eq!(judgement.fix, "");
}

#[rstest]
#[case::missing(
    404,
    Verdict::NoObject,
    "HEAD does not find window 9,168,240 and GET does; validators ask by HEAD. It may \
                                         have appeared just now."
)]
#[case::refused(403, Verdict::ScopeDenied, "The key may GET the object and not HEAD it, and validators ask by HEAD.")]
fn what_get_finds_and_head_does_not_is_not_seen_by_validators(
    #[case] http: u16,
    #[case] verdict: Verdict,
    #[case] words: &str,
) {
    let mut exchanges = refusal(http, None, None);
    exchanges[2].reply = found(5_000, 0);
    let judgement = judged(&r2(), &exchanges);
    assert_eq!((judgement.verdict, judgement.explanation.as_str()), (verdict, words));
}

#[test]
fn verdicts_have_exactly_the_names_of_the_contract() {
    let contract = [
        "ok",
        "no_commitment",
        "malformed",
        "dns",
        "tcp",
        "tls",
        "clock_skew",
        "auth_unknown_key",
        "auth_bad_secret",
        "scope_denied",
        "wrong_region",
        "no_bucket",
        "no_object",
        "late",
        "bad_size",
        "slow",
        "throttled",
        "provider_error",
        "not_s3",
    ];
    let names: BTreeSet<_> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
    assert_eq!(names, BTreeSet::from(contract));
    assert_eq!(Verdict::ALL.len(), contract.len(), "each is there once");
    let words: BTreeSet<_> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
    assert_eq!(words.len(), contract.len(), "each has its own words");
    for verdict in Verdict::ALL {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        assert_eq!(verdict.passes(), verdict == Verdict::Ok);
        assert_eq!(verdict.layer() == Layer::None, verdict == Verdict::Ok);
    }
}

/// Every case there is words for: what came back, by provider.
fn everything() -> Vec<Vec<Exchange>> {
    let mut all: Vec<_> = CATALOGUE.iter().map(|(_, http, code, message, _)| refusal(*http, *code, *message)).collect();
    all.extend(troubles().into_iter().map(|(trouble, ..)| failure(trouble)));
    let objects = [found(200, 0), found(1, 0), found(200, u64::MAX)];
    all.extend(objects.map(|object| vec![exchange(Request::HeadCompressed, object)]));
    all.push(Vec::new());
    all
}

#[test]
fn every_verdict_is_explained_and_every_one_but_ok_says_what_to_do() {
    for exchanges in everything() {
        for (provider, own) in [(r2(), true), (r2(), false), (custom(), true), (custom(), false)] {
            let judgement = judge(&case(&provider, own, &exchanges));
            assert!(judgement.explanation.ends_with('.'), "{judgement:?}");
            assert_eq!(judgement.fix.is_empty(), judgement.verdict == Verdict::Ok, "{judgement:?}");
            assert!(judgement.fix.is_empty() || judgement.fix.ends_with('.'), "{judgement:?}");
        }
    }
}

/// What is wrong with somebody's key, bucket or upload.
const OF_THE_HOLDER: [Verdict; 8] = [
    Verdict::Malformed,
    Verdict::AuthUnknownKey,
    Verdict::AuthBadSecret,
    Verdict::ScopeDenied,
    Verdict::NoBucket,
    Verdict::NoObject,
    Verdict::Late,
    Verdict::BadSize,
];

#[test]
fn what_is_a_strangers_only_the_holder_can_mend() {
    let holder = "Only the holder of uid 20 can mend it: ";
    for exchanges in everything() {
        for provider in [r2(), custom()] {
            let own = judge(&case(&provider, true, &exchanges));
            let stranger = judge(&case(&provider, false, &exchanges));
            assert_eq!(own.explanation, stranger.explanation);
            assert!(!own.fix.contains("Only the holder"), "{own:?}");
            if OF_THE_HOLDER.contains(&own.verdict) {
                let (first, rest) = own.fix.split_at(1);
                assert_eq!(stranger.fix, format!("{holder}{}{rest}", first.to_lowercase()));
            }
            let nobody = judge(&Case { uid: None, ..case(&provider, false, &exchanges) });
            assert_eq!(nobody.fix, stranger.fix.replace("uid 20", "this ex-member"));
        }
    }
}

#[rstest]
#[case::clock(refusal(403, Some("RequestTimeTooSkewed"), None))]
#[case::throttled(refusal(429, None, None))]
#[case::outage(refusal(503, Some("ServiceUnavailable"), None))]
#[case::no_way_there(failure(Trouble::Tcp { why: "connection refused".to_owned() }))]
#[case::no_answer(failure(Trouble::Slow { after_ms: 6_000 }))]
#[case::this_machine_trusts_nobody(failure(Trouble::NoRootCertificates))]
fn what_is_this_machines_or_the_stores_is_not_laid_on_a_stranger(#[case] exchanges: Vec<Exchange>) {
    for provider in [r2(), custom()] {
        let (own, stranger) = (judge(&case(&provider, true, &exchanges)), judge(&case(&provider, false, &exchanges)));
        assert_eq!(stranger.fix, own.fix, "{:?}", own.verdict);
    }
}

#[test]
fn the_operators_own_endpoint_is_not_laid_on_a_stranger() {
    let provider = custom();
    for trouble in [Trouble::Dns { why: "no".to_owned() }, Trouble::NotS3 { why: Untrusted::from("HTML") }] {
        let exchanges = failure(trouble);
        let (own, stranger) = (judge(&case(&provider, true, &exchanges)), judge(&case(&provider, false, &exchanges)));
        assert_eq!(stranger.fix, own.fix, "{:?}", own.verdict);
    }
}

#[test]
fn a_clock_that_differs_by_more_than_a_minute_is_told_beside_the_verdict() {
    let (exchanges, provider) = ([exchange(Request::HeadCompressed, found(200, 0))], r2());
    let told = |offset_ms| {
        let clock_offset_ms = Some(offset_ms);
        judge(&Case { clock_offset_ms, ..case(&provider, true, &exchanges) }).explanation
    };
    assert!(told(90_000).ends_with("This machine's clock is 90 s behind the store's."));
    assert!(told(-7_300_000).ends_with("This machine's clock is 2 h ahead of the store's."));
    assert!(!told(60_000).contains("clock") && !told(-60_000).contains("clock"));
}

proptest! {
    #[test]
    fn no_answer_makes_the_words_do_anything_to_a_terminal(
        http in 300u16..600,
        code in prop::option::of(prop::collection::vec(any::<u8>(), 0..700)),
        message in prop::option::of("\\PC*|[\u{0}-\u{9f}]{0,40}|[\u{200b}-\u{206f}]{0,9}|access key[\u{0}-\u{1f}]{0,9}"),
        known in prop::sample::select(CATALOGUE.map(|(_, _, code, ..)| code).to_vec()),
        own: bool,
    ) {
        let message = message.map(Untrusted::from_text);
        let code = code.map(Untrusted::from_bytes);
        for code in [code, known.map(Untrusted::from)] {
            let reply = Reply::Refused { http, code, message: message.clone() };
            let exchanges = vec![exchange(Request::GetByte, reply)];
            for provider in [r2(), custom()] {
                let judgement = judge(&case(&provider, own, &exchanges));
                let words = [&judgement.explanation, &judgement.fix, &exchanges[0].reply.code().unwrap_or_default()].map(String::as_str).concat();
                prop_assert!(words.chars().all(is_visible), "{:?}", words);
                prop_assert!(!judgement.explanation.is_empty() && !judgement.fix.is_empty());
            }
        }
    }
}
