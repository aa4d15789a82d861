//! One request with its deadline, and the answer in the words of the read test.

use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use tokio::time::{Instant, timeout_at};

use super::record::Record;
use super::target::Target;
use crate::domain::probe::{Exchange, Found, Reply, Request, Trouble};
use crate::domain::untrusted::Untrusted;

/// What came of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The request, the reply, the time it took.
    pub exchange: Exchange,
    /// What was read of the object; empty unless it was a GET that found one.
    pub bytes: Vec<u8>,
    /// The server's clock minus this machine's at the middle of the request, in ms, to about half a second: positive when
    /// this machine is behind. `None` where the server sent no date.
    pub clock_offset_ms: Option<i64>,
    /// The region that the answer names as the bucket's.
    pub region: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("exchange", &self.exchange)
            .field("bytes", &self.bytes.len())
            .field("clock_offset_ms", &self.clock_offset_ms)
            .field("region", &self.region)
            .finish()
    }
}

/// What a good answer's headers speak of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The object that was asked for: its size and its time, which are all that a HEAD can show of a store.
    Head,
    /// The object that was asked for: its size, its time.
    Object,
    /// The answer itself, whose length is nobody's size.
    Itself,
}

/// The SDK's client of one target.
#[derive(Clone)]
pub(super) struct Bucket {
    client: Client,
    target: Target,
    total: Duration,
}

impl Bucket {
    pub(super) fn new(client: Client, target: Target, total: Duration) -> Self {
        Self { client, target, total }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The same bucket, asked with signatures for another region.
    pub(super) fn in_region(&self, region: &str) -> Self {
        let config = self.client.config().to_builder().region(Region::new(region.to_owned())).build();
        Self { client: Client::from_conf(config), ..self.clone() }
    }

    /// Id of the key that requests are signed with.
    pub(super) fn key_id(&self) -> &str {
        self.target.key_id()
    }

    pub(super) fn name(&self) -> &str {
        self.target.bucket()
    }

    /// Sends one request and waits for what `send` makes of the answer, but not past `by`.
    pub(super) async fn ask<T, E, F>(
        &self,
        request: Request,
        about: About,
        by: Instant,
        send: impl FnOnce(Record) -> F,
    ) -> (Answer, Option<T>)
    where
        E: ProvideErrorMetadata + StdError + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let record = Record::default();
        let began = Instant::now();
        let by = by.min(began + self.total);
        // Past its deadline nothing is sent at all.
        let outcome = if by > began { timeout_at(by, send(record.clone())).await.ok() } else { None };
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (reply, value) = match outcome {
            None => (Reply::Failed(Trouble::Slow { after_ms: ms }), None),
            Some(outcome) => settled(&record, about, outcome),
        };
        let exchange = Exchange { request, reply, ms };
        let (clock_offset_ms, region) = (record.clock_offset_ms(), record.region());
        (Answer { exchange, bytes: Vec::new(), clock_offset_ms, region }, value)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

/// For `mutate_request`: the record travels with the request to the transport, and the SDK's description of this machine
/// stays here. It is taken off before the signature covers it.
pub(super) fn noted(record: Record) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    move |request| {
        request.headers_mut().remove("x-amz-user-agent");
        request.headers_mut().remove("x-amzn-trace-id");
        request.add_extension(record.clone());
    }
}

fn settled<T, E>(record: &Record, about: About, outcome: Result<T, SdkError<E, HttpResponse>>) -> (Reply, Option<T>)
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    // A body that broke off is none, even where the SDK saw nothing wrong with the answer's head.
    if let Some(trouble) = record.trouble() {
        return (Reply::Failed(trouble), None);
    }
    match outcome {
        Ok(value) if is_of_a_store(record, about) => (Reply::Found(told(record, about)), Some(value)),
        Ok(_) => (Reply::Unmarked(record.page()), None),
        Err(error) => (said_no(record, &error), None),
    }
}

/// Whether a good answer can be a store's: a page of a proxy or a login is none, and a HEAD that finds an object tells its
/// size and its time.
fn is_of_a_store(record: &Record, about: About) -> bool {
    let found = record.found();
    let tells = about != About::Head || (found.size.is_some() && found.last_modified_ms.is_some());
    record.has_marks() || (tells && !record.is_foreign())
}

fn told(record: &Record, about: About) -> Found {
    let found = record.found();
    match about {
        About::Head | About::Object => found,
        About::Itself => Found { http: found.http, ..Found::default() },
    }
}

fn said_no<E>(record: &Record, error: &SdkError<E, HttpResponse>) -> Reply
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match record.status() {
        Some(http) if !(200..300).contains(&http) => {
            let told = |text: Option<&str>| text.filter(|_| record.has_body()).map(Untrusted::from);
            match told(error.code()).filter(|code| !code.is_empty()) {
                None if !record.has_marks() => Reply::Unmarked(record.page()),
                code => Reply::Refused { http, code, message: told(error.message()) },
            }
        }
        Some(_) if record.is_foreign() => Reply::Unmarked(record.page()),
        // The status was fine, and the body was not what the operation answers with.
        _ => Reply::Failed(Trouble::NotS3 { why: Untrusted::from_text(innermost(error)) }),
    }
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    successors(Some(error), |&error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
