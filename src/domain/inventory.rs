//! What is configured, value by value: the one list behind `doctor` and the You view.

use serde::Serialize;

use crate::domain::credentials::{LocalValues, Masked, Source, Variable};
use crate::domain::provider::Provider;
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::text::middle_cut;
use crate::domain::vault_index::{Holding, KeyRef};

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

/// The same with what the generation in use holds on top, as the index knows it without opening the vault.
pub fn beside(provider: &Provider, values: &LocalValues, vault: Option<&Holding>) -> Vec<ValueLine> {
    let mut lines = list(provider, &values.grail());
    for line in &mut lines {
        if let Some((shown, print)) = vault.and_then(|holding| held(provider, holding, line.variable)) {
            let definitions = values.definitions(line.variable).iter().filter(|sourced| !sourced.source.is_vault());
            let hidden = definitions.map(|it| HiddenValue { source: it.source, same: it.value.fingerprint() == print });
            line.hidden = hidden.collect();
            line.shown = Some(shown);
            line.source = vault.map(|holding| Source::Vault { generation: holding.number });
        }
    }
    lines
}

/// What a generation holds of a variable, and its fingerprint.
fn held(provider: &Provider, holding: &Holding, variable: Variable) -> Option<(Masked, Fingerprint)> {
    let (read, write) = (holding.read.as_ref(), holding.write.as_ref());
    let id = |key: &KeyRef| (Masked::Id { text: key.shown.clone() }, key.id);
    let secret = |key: &KeyRef| (Masked::Secret { fingerprint: key.secret }, key.secret);
    match variable {
        // The index does not keep them apart: on R2 they are the same.
        Variable::AccountId if !provider.is_r2() => None,
        Variable::AccountId | Variable::BucketId => {
            let locator = holding.locator.as_deref()?;
            Some((Masked::Id { text: middle_cut(locator, 6, 4) }, Fingerprint::of(locator)))
        }
        Variable::ReadKeyId => read.map(id),
        Variable::ReadSecret => read.map(secret),
        Variable::WriteKeyId => write.map(id),
        Variable::WriteSecret => write.map(secret),
    }
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
