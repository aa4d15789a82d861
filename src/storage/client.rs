//! The store of clients: one pool beneath, and per target an SDK client that knows nothing but that target.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::{Client, Config};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::bucket::Bucket;
use super::dial::Dialer;
use super::owner::Owner;
use super::reader::Reader;
use super::target::Target;
use super::transport::Transport;
use crate::domain::probe::WHOLE_SECONDS;
use crate::net::Resolver;

/// Bounds of every request, and the two seams: how names become addresses, and whom to trust besides the system.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// For name lookup, TCP and TLS together. 3 s, as validators (FACTS 5).
    pub connect: Duration,
    /// For one request with its answer, whatever the deadline of the whole. 6 s, as validators.
    pub total: Duration,
    /// For `visible` or a self-test as a whole. 60 s.
    pub whole: Duration,
    /// The longest pauses before the second and the third try of a read test, as validators'. 1 s and 2 s.
    pub pauses: [Duration; 2],
    /// Bytes of a body that are read at most. 64 KiB (THREATS T9).
    pub cap: u64,
    /// The region in signatures. R2's is `auto`.
    pub region: String,
    /// How names become addresses.
    pub resolver: Resolver,
    /// Certificate authorities that are trusted besides the system's. None.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            total: Duration::from_secs(6),
            whole: Duration::from_secs(WHOLE_SECONDS),
            pauses: [Duration::from_secs(1), Duration::from_secs(2)],
            cap: 64 << 10,
            region: "auto".to_owned(),
            resolver: Resolver::default(),
            authorities: Vec::new(),
        }
    }
}

/// Where readers and owners of buckets come from. Clones share one pool of connections.
#[derive(Clone)]
pub struct Store {
    options: StoreOptions,
    transport: Transport,
}

impl Store {
    /// Nothing is opened before the first request. Neither AWS nor proxy variables nor files are looked at (T11).
    pub fn new(options: StoreOptions) -> Self {
        let dialer = Dialer::new(options.resolver.clone(), options.connect, &options.authorities);
        let transport = Transport::new(dialer, options.cap);
        Self { options, transport }
    }

    /// The bounds.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// For anybody's bucket: HEAD and GET of documented names.
    pub fn reader(&self, target: Target) -> Reader {
        Reader::new(self.bucket(target), self.options.cap)
    }

    /// For the own bucket: the self-test's objects.
    pub fn owner(&self, target: Target) -> Owner {
        Owner::new(self.bucket(target), self.options.cap)
    }

    fn bucket(&self, target: Target) -> Bucket {
        let client = Client::from_conf(self.config(&target));
        Bucket::new(client, target, self.options.total)
    }

    /// Every choice is made here, so that none is left to the environment.
    fn config(&self, target: &Target) -> Config {
        let key = Credentials::new(target.key_id(), target.secret().expose(), None, None, "grail-console");
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.transport.clone())
            .endpoint_resolver(Fixed::at(target))
            .credentials_provider(key)
            .identity_cache(IdentityCache::no_cache())
            .region(Region::new(self.options.region.clone()))
            .force_path_style(true)
            .accelerate(false)
            .use_fips(false)
            .use_dual_stack(false)
            .use_arn_region(false)
            .disable_multi_region_access_points(true)
            .disable_s3_express_session_auth(true)
            // A clock that is wrong must look wrong, as it will to every other program of this machine.
            .disable_clock_skew_correction(true)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.options).finish()
    }
}

/// The target's host and nothing else, in place of the SDK's rules, by which a bucket's name may choose another host
/// (THREATS T3).
#[derive(Debug)]
struct Fixed {
    base: String,
    bucket: String,
}

impl Fixed {
    fn at(target: &Target) -> Self {
        let base = target.endpoint().as_str().trim_end_matches('/').to_owned();
        Self { base, bucket: target.bucket().to_owned() }
    }
}

impl ResolveEndpoint for Fixed {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        let url = match params.bucket() {
            Some(_) => format!("{}/{}", self.base, self.bucket),
            None => self.base.clone(),
        };
        EndpointFuture::ready(Ok(Endpoint::builder().url(url).build()))
    }
}
