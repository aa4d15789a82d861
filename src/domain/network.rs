//! Networks by name, with their pinned genesis, and the endpoints that may be dialled (FACTS 3, THREATS T12).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

use crate::domain::given::{self, KEYLIKE_CHARS};
use crate::domain::untrusted::Untrusted;

/// The netuid of GRAIL on finney.
pub const GRAIL_NETUID: u16 = 81;

/// What stands wherever a network's name would, when the practice subnet is shown.
pub const SANDBOX: &str = "SANDBOX";
/// Genesis of the embedded practice subnet, by which it is recognised however it was reached.
pub const SANDBOX_GENESIS: BlockHash = BlockHash([
    0x76, 0x26, 0x8e, 0x87, 0x4f, 0x16, 0x5a, 0x73, 0x48, 0xc3, 0x90, 0x9d, 0x64, 0x93, 0x27, 0x05, 0xc1, 0x84, 0xfa,
    0x2f, 0xa8, 0x5a, 0xcf, 0x20, 0x6b, 0x8f, 0xee, 0x95, 0x79, 0xc3, 0xc7, 0x6d,
]);

/// A 32-byte hash of a block or of the genesis, written `0x…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockHash(pub [u8; 32]);

impl BlockHash {
    /// As much of it as tells two apart at a glance.
    pub fn glance(&self) -> String {
        format!("0x{}…{}", hex::encode(&self.0[..4]), hex::encode(&self.0[30..]))
    }

    /// First eight hex characters, as file names and dialogs use them.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<BlockHash> for String {
    fn from(hash: BlockHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for BlockHash {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for BlockHash {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Whether a chain is the practice subnet: its genesis, told by this machine itself. Another machine that tells it only
/// wants the words and the colours that go with practice.
pub fn is_sandbox(genesis: BlockHash, endpoint: &str) -> bool {
    let host = Url::parse(endpoint).ok();
    genesis == SANDBOX_GENESIS && host.as_ref().and_then(Url::host).is_some_and(|host| is_loopback(&host))
}

/// What GRAIL's documentation calls a network that is known by its endpoint alone.
pub const CUSTOM: &str = "custom";
/// A name of the Bittensor SDK, and the node that it stands for there, which is plaintext to another machine.
const PLAINTEXT_NAME: (&str, &str) = ("subvortex", "ws://subvortex.info:9944");

/// A network known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedNetwork {
    /// What `--network` and `BT_NETWORK` call it.
    pub name: &'static str,
    /// Endpoints in the order of trust and speed; the first is the default, the rest take over when it fails.
    pub endpoints: &'static [&'static str],
    /// The genesis that a node of this network must report; `None` for a chain made anew each time.
    pub genesis: Option<&'static str>,
}

/// Endpoints and genesis hashes from FACTS 3.
pub const NETWORKS: [NamedNetwork; 5] = [
    NamedNetwork {
        name: "finney",
        endpoints: &[
            "wss://entrypoint-finney.opentensor.ai:443",
            "wss://lite.sub.latent.to:443",
            "wss://bittensor-finney.api.onfinality.io/public-ws",
        ],
        genesis: Some("0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"),
    },
    NamedNetwork {
        name: "archive",
        endpoints: &["wss://archive.chain.opentensor.ai:443", "wss://archive.sub.latent.to:443"],
        genesis: Some("0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"),
    },
    NamedNetwork {
        name: "test",
        endpoints: &["wss://test.finney.opentensor.ai:443"],
        genesis: Some("0x8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105"),
    },
    // A name of the Bittensor SDK for one of the nodes above.
    NamedNetwork {
        name: "latent-lite",
        endpoints: &["wss://lite.sub.latent.to:443"],
        genesis: Some("0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"),
    },
    NamedNetwork { name: "local", endpoints: &["ws://127.0.0.1:9944"], genesis: None },
];

/// Where and what to connect to: a pool of endpoints that all must be the same chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The name shown wherever a network is named; `SANDBOX` for the practice subnet, the host for an endpoint of the
    /// operator's own.
    pub name: String,
    /// Endpoints in order of preference; empty only where the settings name no network that can be used.
    pub endpoints: Vec<Endpoint>,
    /// The genesis that must be found there, if one is known.
    pub genesis: Option<BlockHash>,
}

/// Why a network or an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// No such name.
    #[error(
        "unknown network {0:?}: known are finney, archive, test and local; for a node of your own use --endpoint wss://HOST"
    )]
    Unknown(Untrusted),
    /// `custom` alone.
    #[error(
        "the network \"custom\" names no node: set BT_CHAIN_ENDPOINT (or --endpoint, or endpoint in the profile) to wss://HOST"
    )]
    CustomAlone,
    /// A name that the SDK takes for a plaintext node.
    #[error(
        "the network {name} is {url} to the Bittensor SDK, plaintext to another machine, so anybody on the way could forge \
         the chain: name finney, or a node of your own with wss://"
    )]
    PlaintextName {
        /// The name.
        name: &'static str,
        /// What the SDK takes it for.
        url: &'static str,
    },
    /// Not a URL, or one without a host.
    #[error("{0:?} is not an endpoint URL: write it as wss://HOST or wss://HOST:PORT")]
    NotAUrl(Untrusted),
    /// A scheme other than `ws` and `wss`.
    #[error("endpoint {0:?} has the scheme {1:?}: a node is reached by wss:// (or ws:// on this machine)")]
    Scheme(Untrusted, Untrusted),
    /// Plaintext to another machine: anybody on the way could forge what the chain says.
    #[error(
        "endpoint {0:?} is plaintext to another machine, so anybody on the way could forge the chain: use wss://, or an \
         ssh tunnel to ws://127.0.0.1:PORT"
    )]
    PlaintextRemote(Untrusted),
    /// User name or password in the URL.
    #[error("the endpoint URL holds a user name or password, which would end up in logs: remove it")]
    UserInfo,
}

/// A WebSocket URL that may be dialled: `wss://` anywhere, `ws://` only on this machine.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The whole URL, as it is dialled. For showing there is `Display`.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }

    /// The host, for headers and messages.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is on this machine.
    pub fn is_this_machine(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }

    /// Who operates it, as far as a name tells: the last two labels of the host, or a whole address; on this machine, however
    /// it is written, and at a private address the port as well, behind which a tunnel may lead anywhere.
    ///
    /// A registrable domain has at least two labels, so one operator is never taken for two. Two operators below one public
    /// suffix of two labels (`co.uk`) are taken for one: then there is no second source, and that is said.
    pub fn operator(&self) -> String {
        let port = self.0.port_or_known_default().unwrap_or(0);
        let address = match self.0.host() {
            Some(Host::Domain(domain)) => {
                let domain = domain.trim_end_matches('.').to_ascii_lowercase();
                let labels: Vec<&str> = domain.split('.').collect();
                if labels.last() == Some(&"localhost") {
                    return place(Ipv4Addr::LOCALHOST.into(), port);
                }
                return labels[labels.len().saturating_sub(2)..].join(".");
            }
            Some(Host::Ipv4(ip)) => IpAddr::from(ip),
            Some(Host::Ipv6(ip)) => IpAddr::from(ip),
            None => return String::new(),
        };
        if is_near(address) { place(address, port) } else { address.to_canonical().to_string() }
    }

    /// The first label of the host (or the whole address), short enough for the header line.
    pub fn label(&self) -> String {
        match self.0.host() {
            Some(Host::Domain(domain)) => domain.split('.').next().unwrap_or(domain).to_owned(),
            _ => match self.0.port() {
                Some(port) => format!("{}:{port}", self.host()),
                None => self.host().to_owned(),
            },
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it may be shown and kept: some providers put the customer's API key into the path or the query, so a long path
/// segment and any query become an ellipsis.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&given::shown(self.0.as_str()))
    }
}

impl FromStr for Endpoint {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NetworkError::NotAUrl(quotable_url(text)))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NetworkError::UserInfo);
        }
        let Some(host) = url.host() else { return Err(NetworkError::NotAUrl(quotable_url(text))) };
        match url.scheme() {
            "wss" => Ok(Self(url)),
            "ws" if is_loopback(&host) => Ok(Self(url)),
            "ws" => Err(NetworkError::PlaintextRemote(quotable_url(text))),
            other => Err(NetworkError::Scheme(quotable_url(text), quotable_url(other))),
        }
    }
}

impl NetworkError {
    /// Whether a safety rule said no: trust would have crossed the network in the clear.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::PlaintextRemote(_) | Self::PlaintextName { .. })
    }
}

/// Whether an address is of this machine or of a private network: there each port of each address is a place of its own, and
/// one place is one operator, by whatever name it was reached (THREATS T29).
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && b & 0b1100_0000 == 64;
            ip.is_loopback() || ip.is_unspecified() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether two endpoints are one operator's: by their names, or by the addresses that were reached there.
pub fn are_one_operator(one: (&Endpoint, Option<SocketAddr>), other: (&Endpoint, Option<SocketAddr>)) -> bool {
    let near = |peer: Option<SocketAddr>| peer.filter(|peer| is_near(peer.ip())).map(|at| place(at.ip(), at.port()));
    let (here, there) = (near(one.1), near(other.1));
    one.0.operator() == other.0.operator() || here.is_some() && here == there
}

/// A place by address and port; this machine is one address.
fn place(address: IpAddr, port: u16) -> String {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return format!("this machine:{port}");
    }
    SocketAddr::new(address, port).to_string()
}

/// Whether a host is this machine, to which plaintext may be spoken (THREATS T12).
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => *name == "localhost",
    }
}

/// What an error message may repeat of a mistyped URL. What stands before an `@` may be a password, what stands after
/// the host may be an API key, and a text without the punctuation of a host may be a key in the wrong variable.
pub fn quotable_url(text: &str) -> Untrusted {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let keylike = |part: &str| part.len() >= KEYLIKE_CHARS && !part.contains(['.', ':']);
    if keylike(scheme) || keylike(host) || (scheme.is_empty() && given::looks_secret(text)) {
        return format!("{} characters that are no URL", text.chars().count()).as_str().into();
    }
    let cut = if authority.len() < rest.trim_end_matches('/').len() { "/…" } else { "" };
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{cut}").as_str().into()
}

impl Network {
    /// None: the settings do not say which one is meant.
    pub fn unknown() -> Self {
        Self { name: "unknown".to_owned(), endpoints: Vec::new(), genesis: None }
    }

    /// A network by the name that `--network` and `BT_NETWORK` use.
    pub fn named(name: &str) -> Result<Self, NetworkError> {
        match name {
            CUSTOM => return Err(NetworkError::CustomAlone),
            name if name == PLAINTEXT_NAME.0 => {
                let (name, url) = PLAINTEXT_NAME;
                return Err(NetworkError::PlaintextName { name, url });
            }
            _ => {}
        }
        let known =
            NETWORKS.iter().find(|n| n.name == name).ok_or_else(|| NetworkError::Unknown(quotable_url(name)))?;
        let endpoints = known.endpoints.iter().map(|url| url.parse()).collect::<Result<_, _>>()?;
        let genesis = known.genesis.and_then(|hash| hash.parse().ok());
        Ok(Self { name: known.name.to_owned(), endpoints, genesis })
    }

    /// A single endpoint of the operator's own choice. The genesis of `named` is demanded of it when a network was
    /// named beside it.
    pub fn at_endpoint(url: &str, named: Option<&str>) -> Result<Self, NetworkError> {
        let endpoint: Endpoint = url.parse()?;
        let (name, genesis) = match named {
            Some(name) => Self::named(name).map(|network| (network.name, network.genesis))?,
            None => match Self::owner_of(&endpoint) {
                Some(network) => (network.name, network.genesis),
                None => (endpoint.label(), None),
            },
        };
        Ok(Self { name, endpoints: vec![endpoint], genesis })
    }

    fn owner_of(endpoint: &Endpoint) -> Option<Self> {
        NETWORKS
            .iter()
            .filter_map(|known| Self::named(known.name).ok())
            .find(|network| network.genesis.is_some() && network.endpoints.iter().any(|e| e.host() == endpoint.host()))
    }
}
