//! The operator's credential variables, gathered from every place that defines them.

use super::dotenv::Dotenv;
use crate::domain::credentials::{LocalValues, Source, Variable};
use crate::domain::environment::Environment;
use crate::domain::secret::{SecretKey, says_secret};

/// The variables that change how GRAIL reaches its store, beside the credentials themselves (FACTS 1).
pub const STORE_VARIABLES: [&str; 3] = ["R2_ENDPOINT_URL", "R2_REGION", "R2_FORCE_PATH_STYLE"];
/// The variables from which GRAIL takes network and wallet.
pub const NAMING_VARIABLES: [&str; 4] = ["BT_NETWORK", "BT_CHAIN_ENDPOINT", "BT_WALLET_COLD", "BT_WALLET_HOT"];
/// The variables from which GRAIL takes the subnet, the strongest first.
pub const NETUID_VARIABLES: [&str; 2] = ["BT_NETUID", "NETUID"];

/// Every definition of the six credential variables. In the `.env` only the definition that counts is taken.
pub fn local_values(dotenv: Option<&Dotenv>, environment: &Environment) -> LocalValues {
    let mut values = LocalValues::default();
    for variable in Variable::ALL {
        for (value, source) in definitions(variable.name(), dotenv, environment) {
            values.define(variable, value, source);
        }
    }
    values
}

/// Every definition of one variable, the one that counts first; blank ones too, since a blank line in the `.env` hides
/// an exported value.
pub fn definitions(name: &str, dotenv: Option<&Dotenv>, environment: &Environment) -> Vec<(SecretKey, Source)> {
    let in_file = dotenv.and_then(|file| file.get(name)).map(|(value, line)| (value.clone(), Source::EnvFile { line }));
    let exported = environment.get(name).map(|value| (SecretKey::new(value), Source::Environment));
    in_file.into_iter().chain(exported).collect()
}

/// The values that must never be shown, written or sent, whatever they are called: everything in the `.env` and in the
/// environment whose name says that it is a secret.
pub fn secrets(dotenv: Option<&Dotenv>, environment: &Environment) -> Vec<SecretKey> {
    let in_file = dotenv.into_iter().flat_map(|file| &file.entries);
    let in_file = in_file.filter(|entry| names_a_secret(&entry.name)).filter_map(|entry| entry.value.clone());
    let exported = environment.iter().filter(|(name, _)| names_a_secret(name));
    in_file.chain(exported.map(|(_, value)| SecretKey::new(value))).filter(|value| value.chars() > 0).collect()
}

fn names_a_secret(name: &str) -> bool {
    says_secret(name) || name == Variable::WriteKeyId.name()
}
