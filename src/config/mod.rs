//! What the operator has configured: the console's own file with its profiles, GRAIL's `.env`, exported variables and
//! flags, each value with the place it came from.
//!
//! Nothing here reads the process environment or the current directory: the environment is a parameter, and the only
//! files read are the console's own and the ones named by a flag or a profile.

pub mod dotenv;
pub mod file;
mod known_secrets;
pub mod local;
mod misplaced;
mod notes;
pub mod ownership;
mod setting;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use known_secrets::KnownSecrets;
pub use notes::GRAIL_DEFAULT_NETUID;
pub use setting::{Origin, Setting};
pub use settings::{DEFAULT_NETWORK, DEFAULT_WALLETS, Flags, Places, Settings, SettingsError};

use crate::domain::credentials::LocalValues;
use crate::domain::environment::Environment;
use crate::domain::findings::Finding;
use crate::domain::secret::SecretKey;
use dotenv::{Dotenv, DotenvError};
use file::{ConfigFile, ConfigFileError};

/// Why the configuration cannot be used. Each names the file and what to do.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The console's own file.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// GRAIL's `.env`.
    #[error(transparent)]
    Dotenv(#[from] DotenvError),
    /// Values that do not go together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// What to talk to, value by value with its origin.
    pub settings: Settings,
    /// The credential variables with every place that defines them.
    pub local: LocalValues,
    /// Every other secret found beside them, for the log's redaction.
    pub secrets: Vec<SecretKey>,
    /// Every text that no commitment may hold, and where it stands.
    pub known: KnownSecrets,
    /// GRAIL's `.env`, when one is named.
    pub dotenv: Option<Dotenv>,
    /// Keys of the configuration file, for the console to check.
    pub keys: BTreeMap<String, Vec<String>>,
    /// What is odd about all this.
    pub findings: Vec<Finding>,
}

impl Configuration {
    /// Reads the configuration file and the `.env` that the flag or the profile names, and chooses the values that
    /// count. `file` is the path of the configuration file; one that does not exist is an empty one, `None` reads none.
    ///
    /// A named `.env` that cannot be read is an error: going on without it could mean another subnet or network.
    pub fn load(flags: &Flags, environment: &Environment, file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_telling(flags, environment, file, |_| {})
    }

    /// [`Configuration::load`], which tells the secrets that it found before it judges anything: a judgement may quote a
    /// value, and the value may be a secret in the wrong place.
    pub fn load_telling(
        flags: &Flags,
        environment: &Environment,
        file: Option<&Path>,
        tell: impl Fn(&[SecretKey]),
    ) -> Result<Self, ConfigError> {
        tell(&local::secrets(None, environment));
        let config_file = file.map(Path::to_owned);
        let read = misplaced::Read { flags, environment, dotenv: None, profile: None };
        tell(&read.secrets());
        let file = file.map_or_else(|| Ok(ConfigFile::default()), ConfigFile::read)?;
        let profile = file.profile(flags.profile.as_deref())?;
        let read = misplaced::Read { profile, ..read };
        tell(&read.secrets());
        let home = environment.filled("HOME").map(PathBuf::from);
        let env_file = settings::env_file(flags, profile, home.as_deref())?;
        let text = env_file.as_ref().map(|named| dotenv::read_text(&named.value)).transpose()?;
        let dotenv = text.as_ref().map(|text| Dotenv::parse(text, environment));
        let known = KnownSecrets::gather(
            env_file.as_ref().zip(text.as_ref()).map(|(named, text)| (named.value.as_path(), text.as_str())),
            environment,
        );
        let mut secrets = local::secrets(dotenv.as_ref(), environment);
        for secret in known.write_pairs() {
            if !secrets.contains(secret) {
                secrets.push(secret.clone());
            }
        }
        tell(&secrets);
        let read = misplaced::Read { dotenv: dotenv.as_ref(), ..read };
        tell(&read.secrets());
        let places = Places { flags, dotenv: dotenv.as_ref(), environment, file: &file, profile };
        let settings = Settings::resolve(&places)?;
        let mut findings = notes::of_settings(&places, &settings);
        findings.extend(read.findings());
        if let (Some(named), Some(dotenv)) = (&env_file, &dotenv) {
            findings.extend(notes::readable_by_others(&named.value, dotenv));
            let expected = settings.env_owner.as_ref().map(|named| named.value);
            findings.extend(ownership::of_read(ownership::ENV, &named.value, expected));
        }
        findings.extend(config_file.iter().flat_map(|file| ownership::of_read("configuration file", file, None)));
        let local = local::local_values(dotenv.as_ref(), environment);
        Ok(Self { settings, local, secrets, known, dotenv, keys: file.keys, findings })
    }
}
