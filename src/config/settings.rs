//! Which value counts: flag > `.env` > environment > profile > default.
//!
//! GRAIL loads its `.env` over exported variables, so a variable there beats an exported one here too. A blank variable
//! counts as unset.

use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::dotenv::Dotenv;
use super::file::{AnchoredPath, ConfigFile, Profile, ProviderName, Theme, UserName};
use super::ownership::user;
use super::setting::{Origin, Setting};
use super::wrong::{Needs, Wrong};
use crate::domain::environment::Environment;
use crate::domain::given::Given;
use crate::domain::network::{CUSTOM, GRAIL_NETUID, Network};
use crate::domain::provider::{Jurisdiction, Provider, S3EndpointError};
use crate::domain::vault_index::Backend;

/// Network without any configuration: the chain is public, and reading it needs nothing (DESIGN 7).
pub const DEFAULT_NETWORK: &str = "finney";
/// Wallet folder below the home directory (FACTS 4).
pub const DEFAULT_WALLETS: &str = ".bittensor/wallets";

/// The connection flags as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--network`
    pub network: Option<String>,
    /// `--endpoint`
    pub endpoint: Option<String>,
    /// `--witness`
    pub witness: Option<String>,
    /// `--archive`
    pub archive: Option<String>,
    /// `--read-dispute`
    pub acknowledged: Vec<String>,
    /// `--netuid`
    pub netuid: Option<u16>,
    /// `--wallet`
    pub wallet: Option<String>,
    /// `--hotkey`
    pub hotkey: Option<String>,
    /// `--wallet-path`
    pub wallet_path: Option<PathBuf>,
    /// `--env-file`
    pub env_file: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--s3-endpoint`
    pub s3_endpoint: Option<String>,
    /// `--password-file`
    pub password_file: Option<PathBuf>,
    /// `--vault`
    pub vault: Option<Backend>,
    /// `--vault-key-file`
    pub vault_key_file: Option<PathBuf>,
    /// `--vault-passphrase-file`
    pub vault_passphrase_file: Option<PathBuf>,
    /// `--read-only`
    pub read_only: bool,
}

/// Why the settings make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// `NETUID` is no number of a subnet.
    #[error("{0:?} is not a netuid: write a number from 0 to 65535, such as 81")]
    NotANetuid(Given),
    /// A `~` in the configuration and no home directory.
    #[error("{key} begins with ~ but HOME is not set: write an absolute path, or set HOME")]
    NoHome {
        /// Which key of the profile.
        key: &'static str,
    },
    /// `env_owner` names nobody.
    #[error("env_owner = {0:?} is no user of /etc/passwd: write the uid, as a number without quotes")]
    UnknownUser(Given),
    /// `provider = "custom"` alone.
    #[error("provider = \"custom\" needs an s3_endpoint in the profile, R2_ENDPOINT_URL, or --s3-endpoint")]
    CustomWithoutEndpoint,
    /// `provider = "r2…"` beside an `s3_endpoint` in one profile.
    #[error("the profile names R2 as its provider and an s3_endpoint as well: remove one of the two")]
    ProviderAndEndpoint,
}

/// Everything that decides what the console talks to, each value with its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Network by name, not yet checked against the known ones.
    pub network: Setting<Given>,
    /// Node URL, not yet parsed. An endpoint that a stronger `network` overrules is in [`Settings::overruled`].
    pub endpoint: Option<Setting<Given>>,
    /// An endpoint that does not count because the network was named at a stronger place.
    pub overruled: Option<Setting<Given>>,
    /// URL of another operator's node, against which what the endpoint says is held; not yet parsed.
    pub witness: Option<Setting<Given>>,
    /// URL of a node that keeps old blocks; not yet parsed.
    pub archive: Option<Setting<Given>>,
    /// Subnet.
    pub netuid: Setting<u16>,
    /// Wallet name.
    pub wallet: Option<Setting<Given>>,
    /// Hotkey name or SS58 address.
    pub hotkey: Option<Setting<Given>>,
    /// Folder of wallets; `None` without a home directory to look in.
    pub wallet_path: Option<Setting<PathBuf>>,
    /// Kind of object store, where a profile names one.
    pub provider: Option<Setting<ProviderName>>,
    /// URL of an S3 store, not yet parsed.
    pub s3_endpoint: Option<Setting<Given>>,
    /// Region in signatures for that store, as GRAIL takes it from `R2_REGION`; R2's own is always `auto`.
    pub s3_region: Option<Setting<Given>>,
    /// GRAIL's `.env`.
    pub env_file: Option<Setting<PathBuf>>,
    /// The uid that owns GRAIL's `.env`, where a profile names one.
    pub env_owner: Option<Setting<u32>>,
    /// Which store keeps the keys, where one is named.
    pub vault: Option<Setting<Backend>>,
    /// Key file of the encrypted file.
    pub vault_key_file: Option<Setting<PathBuf>>,
    /// Refuse everything that changes something outside this machine.
    pub read_only: Setting<bool>,
    /// Colours.
    pub theme: Setting<Theme>,
    /// Name of the profile in use.
    pub profile: Option<Setting<Given>>,
}

/// The places a setting may come from.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// Command line.
    pub flags: &'a Flags,
    /// GRAIL's `.env`, if one is named and was read.
    pub dotenv: Option<&'a Dotenv>,
    /// Exported variables.
    pub environment: &'a Environment,
    /// Configuration file.
    pub file: &'a ConfigFile,
    /// The profile in use, with its name.
    pub profile: Option<(&'a str, &'a Profile)>,
}

impl Places<'_> {
    /// A variable as GRAIL would see it, unless it is blank.
    pub(super) fn variable(&self, name: &'static str) -> Option<Setting<Given>> {
        if let Some((value, line)) = self.dotenv.and_then(|file| file.get(name)) {
            let filled = !value.expose().trim().is_empty();
            return filled.then(|| Setting::new(Given::new(value.expose()), Origin::EnvFile { name, line }));
        }
        self.environment.filled(name).map(|value| Setting::new(Given::new(value), Origin::Environment { name }))
    }

    fn of_profile<T>(&self, pick: impl FnOnce(&Profile) -> Option<T>) -> Option<Setting<T>> {
        let (name, profile) = self.profile?;
        pick(profile).map(|value| Setting::new(value, Origin::File { profile: Some(name.to_owned()) }))
    }

    fn text(
        &self,
        flag: (&'static str, Option<&String>),
        variable: &'static str,
        pick: impl FnOnce(&Profile) -> Option<String>,
    ) -> Option<Setting<Given>> {
        let flag = flagged(flag.0, flag.1.map(|text| Given::new(text.as_str())));
        flag.or_else(|| self.variable(variable)).or_else(|| self.of_profile(|profile| pick(profile).map(Given::new)))
    }

    fn home(&self) -> Option<PathBuf> {
        self.environment.filled("HOME").map(PathBuf::from)
    }

    fn netuid(&self, wrong: &mut Vec<Wrong>) -> Setting<u16> {
        if let Some(flag) = flagged("--netuid", self.flags.netuid) {
            return flag;
        }
        if let Some(Setting { value, source }) = self.variable("NETUID") {
            match parse_netuid(value.as_str()) {
                Some(netuid) => return Setting::new(netuid, source),
                None => wrong.push(is_wrong(Needs::Subnet, Some(source), SettingsError::NotANetuid(value))),
            }
        }
        let of_profile = self.of_profile(|profile| profile.netuid);
        of_profile.unwrap_or(Setting::new(GRAIL_NETUID, Origin::Default))
    }

    fn wallet_path(&self, wrong: &mut Vec<Wrong>) -> Option<Setting<PathBuf>> {
        if let Some(flag) = flagged("--wallet-path", self.flags.wallet_path.clone()) {
            return Some(flag);
        }
        match self.of_profile(|profile| profile.wallet_path.clone()) {
            Some(named) => self.expanded(named, Needs::Wallet, "wallet_path", wrong),
            None => self.home().map(|home| Setting::new(home.join(DEFAULT_WALLETS), Origin::Default)),
        }
    }

    fn expanded(
        &self,
        Setting { value, source }: Setting<AnchoredPath>,
        needs: Needs,
        key: &'static str,
        wrong: &mut Vec<Wrong>,
    ) -> Option<Setting<PathBuf>> {
        let path = value.expand(self.home().as_deref());
        if path.is_none() {
            wrong.push(is_wrong(needs, Some(source.clone()), SettingsError::NoHome { key }));
        }
        path.map(|path| Setting::new(path, source))
    }

    fn env_owner(&self, wrong: &mut Vec<Wrong>) -> Option<Setting<u32>> {
        let Setting { value, source } = self.of_profile(|profile| profile.env_owner.clone())?;
        let uid = match value {
            UserName::Uid(uid) => Some(uid),
            UserName::Name(name) => user(&name).or_else(|| {
                let unknown = SettingsError::UnknownUser(Given::new(name.as_str()));
                wrong.push(is_wrong(Needs::EnvFile, Some(source.clone()), unknown));
                None
            }),
        };
        uid.map(|uid| Setting::new(uid, source))
    }

    fn vault(&self) -> Option<Setting<Backend>> {
        flagged("--vault", self.flags.vault).or_else(|| self.of_profile(|profile| profile.vault.map(Into::into)))
    }

    fn vault_key_file(&self, wrong: &mut Vec<Wrong>) -> Option<Setting<PathBuf>> {
        if let Some(flag) = flagged("--vault-key-file", self.flags.vault_key_file.clone()) {
            return Some(flag);
        }
        let named = self.of_profile(|profile| profile.vault_key_file.clone())?;
        self.expanded(named, Needs::Vault, "vault_key_file", wrong)
    }

    fn read_only(&self) -> Setting<bool> {
        flagged("--read-only", self.flags.read_only.then_some(true))
            .or_else(|| self.of_profile(|profile| profile.read_only))
            .unwrap_or(Setting::new(false, Origin::Default))
    }
}

fn flagged<T>(name: &'static str, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting::new(value, Origin::Flag { name }))
}

fn is_wrong(needs: Needs, origin: Option<Origin>, error: SettingsError) -> Wrong {
    Wrong { needs, origin, error: error.into() }
}

/// A netuid as Python's `int` takes it: blanks around the digits do not matter.
pub(super) fn parse_netuid(text: &str) -> Option<u16> {
    text.trim().parse().ok()
}

/// Which `.env` is meant: the one of the flag, else the one of the profile. The current directory is never searched.
pub(super) fn env_file(
    flags: &Flags,
    profile: Option<(&str, &Profile)>,
    home: Option<&Path>,
) -> Result<Option<Setting<PathBuf>>, SettingsError> {
    if let Some(flag) = flagged("--env-file", flags.env_file.clone()) {
        return Ok(Some(flag));
    }
    let Some((name, path)) = profile.and_then(|(name, profile)| Some((name, profile.env_file.as_ref()?))) else {
        return Ok(None);
    };
    let path = path.expand(home).ok_or(SettingsError::NoHome { key: "env_file" })?;
    Ok(Some(Setting::new(path, Origin::File { profile: Some(name.to_owned()) })))
}

impl Settings {
    /// Chooses each value from the strongest place that has one. Reads nothing but its arguments. What is wrong is left out,
    /// and told.
    pub(super) fn resolve(places: &Places<'_>, env_file: Option<Setting<PathBuf>>) -> (Self, Vec<Wrong>) {
        let (flags, mut wrong) = (places.flags, Vec::new());
        let network = places
            .text(("--network", flags.network.as_ref()), "BT_NETWORK", |profile| profile.network.clone())
            .unwrap_or_else(|| Setting::new(Given::new(DEFAULT_NETWORK), Origin::Default));
        let endpoint = places
            .text(("--endpoint", flags.endpoint.as_ref()), "BT_CHAIN_ENDPOINT", |profile| profile.endpoint.clone());
        let (endpoint, overruled) = match endpoint {
            Some(endpoint) if network.value != CUSTOM && network.source.rank() > endpoint.source.rank() => {
                (None, Some(endpoint))
            }
            other => (other, None),
        };
        // As the SDK takes it: where a network's name belongs, the URL of a node is that node.
        let endpoint = endpoint.or_else(|| is_url(network.value.as_str()).then(|| network.clone()));
        let settings = Self {
            witness: places
                .text(("--witness", flags.witness.as_ref()), "BT_WITNESS_ENDPOINT", |profile| profile.witness.clone()),
            archive: places
                .text(("--archive", flags.archive.as_ref()), "BT_ARCHIVE_ENDPOINT", |profile| profile.archive.clone()),
            netuid: places.netuid(&mut wrong),
            wallet: places.text(("--wallet", flags.wallet.as_ref()), "BT_WALLET_COLD", |p| p.wallet.clone()),
            hotkey: places.text(("--hotkey", flags.hotkey.as_ref()), "BT_WALLET_HOT", |p| p.hotkey.clone()),
            wallet_path: places.wallet_path(&mut wrong),
            provider: places.of_profile(|profile| profile.provider),
            s3_endpoint: places
                .text(("--s3-endpoint", flags.s3_endpoint.as_ref()), "R2_ENDPOINT_URL", |p| p.s3_endpoint.clone()),
            s3_region: places.variable("R2_REGION"),
            env_file,
            env_owner: places.env_owner(&mut wrong),
            vault: places.vault(),
            vault_key_file: places.vault_key_file(&mut wrong),
            read_only: places.read_only(),
            theme: top_of_file(places.file.theme).unwrap_or(Setting::new(Theme::Auto, Origin::Default)),
            profile: profile_name(places),
            network,
            endpoint,
            overruled,
        };
        wrong.extend(settings.wrong_provider());
        (settings, wrong)
    }

    fn wrong_provider(&self) -> Option<Wrong> {
        let named = self.provider.as_ref()?;
        let error = match &self.s3_endpoint {
            None if named.value == ProviderName::Custom => SettingsError::CustomWithoutEndpoint,
            Some(endpoint) if named.value != ProviderName::Custom && named.source == endpoint.source => {
                SettingsError::ProviderAndEndpoint
            }
            _ => return None,
        };
        Some(is_wrong(Needs::Store, Some(named.source.clone()), error))
    }

    /// The network whose pinned genesis a chosen endpoint must have: the one named at a place at least as strong as the
    /// endpoint's. With `--endpoint` alone, a network named in a profile does not bind it; with both flags it does.
    pub fn network_beside_endpoint(&self) -> Option<&str> {
        let endpoint = self.endpoint.as_ref()?;
        let name = self.network.value.as_str();
        let names_one = name != CUSTOM && !is_url(name) && !self.network_is_ignored();
        (names_one && self.network.source.rank() >= endpoint.source.rank()).then_some(name)
    }

    /// Whether a variable names a network that nobody knows beside an endpoint: GRAIL takes the endpoint.
    pub(super) fn network_is_ignored(&self) -> bool {
        let name = self.network.value.as_str();
        let unknown = name != CUSTOM && !is_url(name) && Network::named(name).is_err();
        let of_grail = matches!(self.network.source, Origin::EnvFile { .. } | Origin::Environment { .. });
        unknown && of_grail && self.endpoint.is_some()
    }

    /// The object store: a named endpoint beats the profile's provider.
    pub fn provider(&self) -> Result<Provider, S3EndpointError> {
        if let Some(endpoint) = &self.s3_endpoint {
            return Provider::from_endpoint(Some(endpoint.value.as_str()));
        }
        Ok(Provider::R2(match self.provider.as_ref().map(|named| named.value) {
            Some(ProviderName::R2Eu) => Jurisdiction::Eu,
            Some(ProviderName::R2Fedramp) => Jurisdiction::Fedramp,
            Some(ProviderName::R2 | ProviderName::Custom) | None => Jurisdiction::Default,
        }))
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn top_of_file<T>(value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting::new(value, Origin::File { profile: None }))
}

fn profile_name(places: &Places<'_>) -> Option<Setting<Given>> {
    let (name, _) = places.profile?;
    let asked = flagged("--profile", places.flags.profile.as_deref().map(Given::new));
    Some(asked.unwrap_or_else(|| Setting::new(Given::new(name), Origin::File { profile: None })))
}
