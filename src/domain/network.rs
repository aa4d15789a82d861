//! Networks by name, with their pinned genesis, and the endpoints that may be dialled (FACTS 3, THREATS T12).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

use crate::domain::untrusted::Untrusted;

/// The netuid of GRAIL on finney.
pub const GRAIL_NETUID: u16 = 81;

/// A 32-byte hash of a block or of the genesis, written `0x…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockHash(pub [u8; 32]);

impl BlockHash {
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
pub const NETWORKS: [NamedNetwork; 4] = [
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
    NamedNetwork { name: "local", endpoints: &["ws://127.0.0.1:9944"], genesis: None },
];

/// Where and what to connect to: a pool of endpoints that all must be the same chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The name shown wherever a network is named; `SANDBOX` for the practice subnet, the host for an endpoint of the
    /// operator's own.
    pub name: String,
    /// Endpoints in order of preference; never empty.
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
    /// The URL with its path, as it is dialled.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }

    /// The host, for headers and messages.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
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
        f.write_str(self.url())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url().trim_end_matches('/'))
    }
}

impl FromStr for Endpoint {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NetworkError::NotAUrl(text.into()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NetworkError::UserInfo);
        }
        if url.host().is_none() {
            return Err(NetworkError::NotAUrl(text.into()));
        }
        match url.scheme() {
            "wss" => Ok(Self(url)),
            "ws" if is_loopback(&url) => Ok(Self(url)),
            "ws" => Err(NetworkError::PlaintextRemote(text.into())),
            other => Err(NetworkError::Scheme(text.into(), other.into())),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Network {
    /// A network by the name that `--network` and `BT_NETWORK` use.
    pub fn named(name: &str) -> Result<Self, NetworkError> {
        let known = NETWORKS.iter().find(|n| n.name == name).ok_or_else(|| NetworkError::Unknown(name.into()))?;
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
