//! What is configured, value by value: the one list behind `doctor` and the You view.

use serde::Serialize;

use crate::domain::credentials::{LocalValues, Masked, Source, Variable};
use crate::domain::provider::Provider;
use crate::domain::secret::SecretKey;

/// One variable as GRAIL would see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueLine {
    /// Which variable.
    pub variable: Variable,
    /// Its masked value; `None` when it is not set, or set to nothing.
    pub shown: Option<Masked>,
    /// Where the definition that counts stands, even an empty one.
    pub source: Option<Source>,
    /// Definitions that do not count because a stronger one exists.
    pub hidden: Vec<HiddenValue>,
}

/// A definition that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HiddenValue {
    /// Where it stands.
    pub source: Source,
    /// Whether it says the same as the one that counts.
    pub same: bool,
}

/// Every variable in its fixed order.
pub fn list(provider: &Provider, values: &LocalValues) -> Vec<ValueLine> {
    Variable::ALL.iter().map(|variable| line(provider, values, *variable)).collect()
}

fn line(provider: &Provider, values: &LocalValues, variable: Variable) -> ValueLine {
    let definitions = values.definitions(variable);
    let hidden = definitions.iter().skip(1).map(|other| HiddenValue {
        source: other.source,
        same: definitions.first().is_some_and(|winner| winner.value == other.value),
    });
    ValueLine {
        variable,
        shown: values.effective(variable).map(|sourced| masked(provider, values, variable, &sourced.value)),
        source: definitions.first().map(|sourced| sourced.source),
        hidden: hidden.collect(),
    }
}

/// An id that is the same as one of the secrets is a secret in the wrong place, whatever its shape.
fn masked(provider: &Provider, values: &LocalValues, variable: Variable, value: &SecretKey) -> Masked {
    let secrets = [Variable::ReadSecret, Variable::WriteSecret];
    let same = |secret: &&Variable| values.effective(**secret).is_some_and(|other| other.value == *value);
    match secrets.iter().find(same).filter(|_| !variable.is_secret()) {
        Some(secret) => Masked::Misshapen { chars: value.chars(), why: format!("is the same as {secret}") },
        None => Masked::of(variable, provider, value),
    }
}
