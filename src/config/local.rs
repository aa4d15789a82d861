//! The operator's credential variables, gathered from every place that defines them.

use super::dotenv::Dotenv;
use crate::domain::credentials::{LocalValues, Source, Variable};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;

/// The variables that change how GRAIL reaches its store, beside the credentials themselves (FACTS 1).
pub const STORE_VARIABLES: [&str; 3] = ["R2_ENDPOINT_URL", "R2_REGION", "R2_FORCE_PATH_STYLE"];
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

/// Words in the names of secrets that are never a copy of the read secret: no commitment may hold their values.
const NEVER_PUBLISHED: [&str; 9] =
    ["TOKEN", "API_KEY", "PASSWORD", "PASSWD", "PASSPHRASE", "MNEMONIC", "PRIVATE", "SEED", "BT_PW_"];

/// Those of the secrets that no commitment may hold, by name. `…SECRET…` is not among them: S3 tools keep a copy of the
/// read secret under such names.
pub fn private(dotenv: Option<&Dotenv>, environment: &Environment) -> Vec<(String, SecretKey)> {
    let never = |name: &str| {
        let name = name.to_ascii_uppercase();
        NEVER_PUBLISHED.iter().any(|word| name.contains(word))
    };
    let in_file = dotenv.into_iter().flat_map(|file| &file.entries);
    let in_file = in_file.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
    let exported = environment.iter().map(|(name, value)| (name.to_owned(), SecretKey::new(value)));
    in_file.chain(exported).filter(|(name, value)| never(name) && value.chars() > 0).collect()
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "MNEMONIC", "PHRASE", "PRIVATE", "API_KEY", "SEED", "BT_PW_"];
    words.iter().any(|word| name.contains(word)) || name == Variable::WriteKeyId.name()
}
