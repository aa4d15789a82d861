//! The operator's own side as the console shows it: names, masks, fingerprints and findings.

use serde::Serialize;

use crate::config::Setting;
use crate::domain::credentials::{LocalValues, LocalView, Mode};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::findings::{self, ENV_GONE, ENV_UNUSABLE};
use crate::domain::given::Given;
use crate::domain::hotkey::Hotkey;
use crate::domain::inventory::{self, ValueLine};
use crate::domain::network::BlockHash;
use crate::domain::provider::Provider;
use crate::domain::roster::Own;
use crate::domain::untrusted::Untrusted;
use crate::domain::vault_index::{Holding, Index};
use crate::ops::context::Context;

/// What the console knows of its operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnInfo {
    /// The own hotkey, if one is configured.
    pub hotkey: Option<Hotkey>,
    /// Name of the wallet.
    pub wallet: Option<Untrusted>,
    /// Name of the hotkey in it.
    pub hotkey_name: Option<Untrusted>,
    /// The object store in use, in words.
    pub provider: String,
    /// Whether that is R2, whose shapes every commitment must have.
    pub is_r2: bool,
    /// The comparable part of the credentials.
    pub local: LocalView,
    /// The generation of the vault that is in use, if one is.
    pub vault: Option<Holding>,
    /// The variables, one by one.
    pub variables: Vec<ValueLine>,
    /// What is wrong with them.
    pub findings: Vec<Diagnostic>,
    /// The chain that answered at this endpoint before, where no network's name says which one is meant.
    pub chain_before: Option<BlockHash>,
    /// What the help shows as places on disk: what it is, and its path.
    pub paths: Vec<(&'static str, Untrusted)>,
}

impl OwnInfo {
    /// From the values that GRAIL would see, where no vault is in use. Names, hotkey and paths are the caller's to add.
    pub fn of(provider: &Provider, values: &LocalValues) -> Self {
        Self::beside(provider, values, &Index::default())
    }

    /// The same beside what the vault holds.
    pub fn beside(provider: &Provider, values: &LocalValues, index: &Index) -> Self {
        let vault = index.in_use();
        Self {
            hotkey: None,
            wallet: None,
            hotkey_name: None,
            provider: provider.to_string(),
            is_r2: provider.is_r2(),
            local: LocalView::beside(provider, values, index),
            vault: vault.cloned(),
            variables: inventory::beside(provider, values, vault),
            findings: findings::beside(provider, values, vault),
            chain_before: None,
            paths: Vec::new(),
        }
    }

    /// As it is configured.
    pub fn of_context(context: &Context) -> Self {
        let settings = &context.configuration.settings;
        let name = |setting: &Option<Setting<Given>>| {
            setting.as_ref().map(|s| Untrusted::from_text(crate::logs::redacted(&s.value.to_string())))
        };
        let mut own = Self::beside(&context.provider, &context.configuration.local, &context.vault);
        own.local = context.local();
        own.hotkey = context.hotkey;
        own.wallet = name(&settings.wallet);
        own.hotkey_name = name(&settings.hotkey);
        own.findings.clone_from(&context.findings);
        own.chain_before = context.chain_before();
        if let Some(paths) = &context.paths {
            let places = [
                ("configuration", paths.config_file()),
                ("state", paths.state.clone()),
                ("logs", paths.logs()),
                ("cache", paths.cache.clone()),
            ];
            own.paths = places.map(|(what, path)| (what, Untrusted::from_text(path.to_string_lossy()))).into();
        }
        own
    }

    /// The part that marks and compares the own row.
    pub fn own(&self) -> Option<Own> {
        self.hotkey.map(|hotkey| Own { hotkey, local: self.local.clone() })
    }

    /// That the `.env` is gone, or cannot be read any more, since what is shown of it was read.
    pub fn env_trouble(&self) -> Option<&Diagnostic> {
        self.findings.iter().find(|finding| finding.code == ENV_GONE || finding.code == ENV_UNUSABLE)
    }

    /// Whether neither a hotkey nor credentials are configured.
    pub fn is_first_run(&self) -> bool {
        self.hotkey.is_none() && self.local.mode == Mode::Absent
    }
}
