//! What GRAIL would see on this machine: settings, credentials, wallets, files and the chain, and what to do about it.

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use crate::chain::provenance::Examination;
use crate::config::{Needs, Setting, WrongSetting};
use crate::domain::commitment::Commitment;
use crate::domain::credentials::{Mode, Place};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::drift::exposes_write_key;
use crate::domain::hotkey::Hotkey;
use crate::domain::inventory::{self, ValueLine};
use crate::domain::local::LocalView;
use crate::domain::provenance::Level;
use crate::domain::roster::{Row, State};
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::{Untrusted, sanitize};
use crate::domain::vault_index::{Backend, Holding};
use crate::logs::redacted;
use crate::ops::commit::{Reconciled, reconcile, secret_inside};
use crate::ops::context::Context;
use crate::ops::keys::left_copies;
use crate::ops::rotation::rotations;
use crate::ops::survey::{Survey, survey};
use crate::ops::vault::{self, VaultLine};
use crate::ops::verify::{OwnRow, own_row};
use crate::wallet::{self, Lock, WalletError};

/// Characters of a setting's value that are shown.
const SHOWN: usize = 200;

/// A setting with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Its name, as the flag without dashes.
    pub name: &'static str,
    /// Its value; `None` when nothing names one.
    pub value: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
}

/// A file or directory of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathLine {
    /// What is kept there.
    pub what: &'static str,
    /// Where.
    pub path: Untrusted,
    /// Whether it exists.
    pub exists: bool,
}

/// A hotkey of a wallet on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WalletLine {
    /// Name of the wallet.
    pub wallet: Untrusted,
    /// Name of the hotkey.
    pub hotkey: Untrusted,
    /// Its address, when its public side can be read.
    pub address: Option<Hotkey>,
    /// Why not, otherwise.
    pub problem: Option<String>,
    /// The uid it has on the subnet, when the chain was asked.
    pub uid: Option<u16>,
    /// Whether it is the one in use.
    pub own: bool,
    /// How its key file is protected; `None` without a key file, when it is only watched.
    pub lock: Option<Lock>,
    /// What the modes of its files let others do.
    pub findings: Vec<Diagnostic>,
}

/// What the chain said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChainLine {
    /// Not asked.
    Skipped,
    /// It answered.
    Reached {
        /// Through which endpoint.
        endpoint: String,
        /// Runtime spec version.
        spec_version: u32,
        /// Finalized block number.
        block: u64,
        /// Seconds since that block.
        age_seconds: u64,
        /// The state of the own commitment, when a hotkey is known and its sources do not contradict each other.
        own: Option<&'static str>,
        /// How far that is confirmed.
        level: Option<Level>,
    },
    /// It did not, or it said that there is no such subnet.
    Unreachable {
        /// The same as what decides.
        #[serde(skip)]
        why: Box<Diagnostic>,
        /// What failed, why, and what to do.
        problem: String,
    },
}

/// Everything `doctor` tells.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Settings in the order of their importance.
    pub settings: Vec<SettingLine>,
    /// The object store in words.
    pub provider: String,
    /// What GRAIL would do at its next start.
    pub mode: Mode,
    /// Whether that depends on GRAIL's python-dotenv, and an older one publishes the write key.
    #[serde(skip)]
    pub may_publish_write_key: bool,
    /// Where GRAIL would take its keys from; `None` where there are none.
    pub grail_takes: Option<Place>,
    /// The generation of the vault that is in use, if one is.
    pub in_use: Option<Holding>,
    /// The credentials, value by value.
    pub credentials: Vec<ValueLine>,
    /// Wallets on disk.
    pub wallets: Vec<WalletLine>,
    /// The vault of the own hotkey.
    pub vault: VaultLine,
    /// Files and directories.
    pub paths: Vec<PathLine>,
    /// The chain.
    pub chain: ChainLine,
    /// What is wrong, worst first.
    #[serde(skip)]
    pub findings: Vec<Diagnostic>,
    /// What was read from the chain, where it answered.
    #[serde(skip)]
    pub read: Option<Box<Survey>>,
}

impl Diagnosis {
    /// Whether something is wrong that costs rewards or leaks keys.
    pub fn has_trouble(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::Warning)
    }
}

/// Looks at everything; the chain only when asked to. The passphrase is for the vault's encrypted file, which is not opened
/// without it. `now_ms` is the time since 1970.
pub async fn diagnose(context: &Context, ask_chain: bool, passphrase: Option<SecretKey>, now_ms: u64) -> Diagnosis {
    let mut findings = context.findings.clone();
    let unplaced = context.wrong_for(Needs::Subnet);
    let ask_chain = ask_chain && unplaced.is_none();
    let answer = if ask_chain { Some(survey(context, now_ms).await) } else { None };
    let found = answer.as_ref().and_then(|answer| answer.as_ref().ok());
    let mut level = None;
    match &answer {
        Some(Ok(found)) => {
            findings.extend(found.findings.iter().cloned());
            let (own_level, of_own) = of_own_row(context, found, now_ms).await;
            level = own_level;
            findings.extend(of_own);
        }
        Some(Err(error)) => findings.push(error.finding()),
        None => {}
    }
    if ask_chain {
        // Also when nobody could be asked: that a commit is open must be known.
        findings.extend(reconcile(context, now_ms).await.iter().map(Reconciled::finding));
    }
    findings.extend(left_copies(context));
    findings.extend(secret_inside(context).await);
    let (vault, odd) = vault::look(context, passphrase).await;
    if odd.iter().any(|finding| finding.code.starts_with("vault_index_")) {
        // That one says more.
        findings.retain(|finding| finding.code != "vault_index");
    }
    findings.extend(odd);
    let wallets = wallets(context, found, &mut findings);
    let local = context.local();
    if findings.iter().any(|finding| finding.code == "legacy_single_credential") && !is_exposed(found, &local) {
        // What the next start publishes is told by that one.
        findings.retain(|finding| finding.code != "own_commitment");
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Diagnosis {
        settings: settings(context),
        provider: context.provider.to_string(),
        mode: local.mode,
        may_publish_write_key: local.may_publish_write_key,
        grail_takes: local.grail.place,
        in_use: context.vault.in_use().cloned(),
        credentials: inventory::beside(&context.provider, &context.configuration.local, context.vault.in_use()),
        wallets,
        vault,
        paths: paths(context),
        chain: match &answer {
            None => unplaced.map_or(ChainLine::Skipped, not_asked),
            Some(Err(error)) => {
                ChainLine::Unreachable { why: Box::new(error.finding()), problem: sanitize(&error.to_string(), 600) }
            }
            Some(Ok(found)) => reached(found, level, now_ms),
        },
        findings,
        read: answer.and_then(Result::ok).map(Box::new),
    }
}

/// Whether the chain holds a part of the write key by now.
fn is_exposed(found: Option<&Survey>, local: &LocalView) -> bool {
    let row = found.and_then(|found| found.roster.own());
    let published = row.and_then(|row| row.commitment.as_ref()).and_then(Commitment::published);
    published.is_some_and(|published| exposes_write_key(published, local))
}

/// Which subnet is meant is not known, and the console asks about no other.
fn not_asked(wrong: &WrongSetting) -> ChainLine {
    ChainLine::Unreachable {
        why: Box::new(wrong.finding()),
        problem: format!("not asked: {}", sanitize(&wrong.to_string(), 600)),
    }
}

fn reached(found: &Survey, level: Option<Level>, now_ms: u64) -> ChainLine {
    let snapshot = &found.snapshot;
    ChainLine::Reached {
        endpoint: snapshot.chain.endpoint.clone(),
        spec_version: snapshot.chain.spec_version,
        block: snapshot.at.number,
        age_seconds: now_ms.saturating_sub(snapshot.at.timestamp_ms) / 1_000,
        own: level.and_then(|_| found.roster.own()).map(|row| row.state().word()),
        level,
    }
}

/// How far the own row is confirmed, and what is to be said of it: what is in the way of being sure, or its state when it is not
/// healthy.
async fn of_own_row(context: &Context, found: &Survey, now_ms: u64) -> (Option<Level>, Vec<Diagnostic>) {
    let Some(hotkey) = context.hotkey else { return (None, Vec::new()) };
    let examination = Examination { node: context.node.clone(), netuid: found.snapshot.netuid, now_ms };
    match own_row(&examination, hotkey, found.snapshot.commitments.get(&hotkey)).await {
        OwnRow::Holds(confirmed, others) => {
            (Some(confirmed.level), state_of_own_row(context, hotkey, found).into_iter().chain(others).collect())
        }
        OwnRow::OneWord(why) => {
            let state = state_of_own_row(context, hotkey, found);
            (Some(Level::Reported), state.into_iter().chain([one_word(&why)]).collect())
        }
        OwnRow::Doubted(finding) => (None, vec![*finding]),
    }
}

fn one_word(why: &str) -> Diagnostic {
    Diagnostic::new(
        "not_verified",
        Severity::Note,
        "Your commitment is what one node says of it",
        format!("Nobody else could confirm it: {}.", sanitize(why, 400)),
        "Ask again in a while, or name another second source with --witness.",
    )
}

/// What is wrong with the own row: it is not there, its commitment is not readable, or it is not the one that is meant.
pub fn state_of_own_row(context: &Context, hotkey: Hotkey, found: &Survey) -> Option<Diagnostic> {
    let Some(row) = found.roster.own().filter(|row| !row.is_ex_member()) else {
        let not_registered = Diagnostic::new(
            "not_registered",
            Severity::Warning,
            format!("{} is not registered on subnet {}", hotkey.short(), found.snapshot.netuid),
            "A hotkey without a uid cannot commit, and validators do not ask for its bucket.",
            "Check --netuid, --wallet and --hotkey, or register the hotkey.",
        );
        return Some(not_registered.about_row(None, hotkey));
    };
    let of = |severity, what: &str, why: &str| {
        let what = format!("uid {}: {what}", row.uid.unwrap_or_default());
        Diagnostic::new("own_commitment", severity, what, why, next_step(row, is_rotating(context)))
            .about_row(row.uid, hotkey)
    };
    if let Some(drift) = &row.drift {
        let severity = drift.consequence.severity;
        let trouble = row.drifts() || row.state() != State::Readable || severity == Severity::Danger;
        return trouble
            .then(|| of(severity.max(Severity::Warning), &drift.consequence.headline, &drift.consequence.detail));
    }
    // Without local credentials the commitment alone tells.
    let unreadable = row.commitment.as_ref().and_then(Commitment::unreadable)?;
    Some(of(Severity::Danger, &format!("your commitment is not readable: {}", unreadable.label), &unreadable.detail))
}

/// While a rotation of the read key is open nothing else publishes.
fn is_rotating(context: &Context) -> bool {
    let history = || Some(rotations(context).ok()?.history(&context.owner()?).ok()?.0);
    history().and_then(|history| history.open).is_some_and(|open| open.change.read.is_some())
}

fn next_step(row: &Row, rotating: bool) -> &'static str {
    let is_grave = row.drift.as_ref().is_some_and(|drift| drift.consequence.severity == Severity::Danger);
    match row.state() {
        _ if rotating => {
            "A rotation is open, and only its own steps publish: see rotate status, then rotate resume or rotate rollback."
        }
        // What is to be done stands there already, and a commit is not it.
        State::Readable if is_grave => "Do that before GRAIL starts again; doctor shows each value with its place.",
        State::Readable => {
            "See what would change with commit --dry-run, then commit; or restart GRAIL with the right .env."
        }
        _ => {
            "Publish the read pair with commit (look with --dry-run first), or restart GRAIL with correct credentials."
        }
    }
}

fn settings(context: &Context) -> Vec<SettingLine> {
    let settings = &context.configuration.settings;
    vec![
        of("profile", settings.profile.as_ref()),
        of("network", Some(&settings.network)),
        of("endpoint", settings.endpoint.as_ref()),
        of("witness", settings.witness.as_ref()),
        of("archive", settings.archive.as_ref()),
        of("netuid", Some(&settings.netuid)),
        of("wallet", settings.wallet.as_ref()),
        of("hotkey", settings.hotkey.as_ref()),
        of_path("wallet-path", settings.wallet_path.as_ref()),
        of_path("env-file", settings.env_file.as_ref()),
        of("env-owner", settings.env_owner.as_ref()),
        of("s3-endpoint", settings.s3_endpoint.as_ref()),
        of("s3-region", settings.s3_region.as_ref()),
        of_word("vault", settings.vault.as_ref()),
        of_path("vault-key-file", settings.vault_key_file.as_ref()),
        of("read-only", Some(&settings.read_only)),
    ]
}

fn of<T: Display>(name: &'static str, setting: Option<&Setting<T>>) -> SettingLine {
    SettingLine {
        name,
        value: setting.map(|setting| shown(&setting.value.to_string())),
        source: setting.map(|setting| setting.source.to_string()),
    }
}

fn of_word(name: &'static str, setting: Option<&Setting<Backend>>) -> SettingLine {
    let word = setting.map(|setting| Setting::new(setting.value.word(), setting.source.clone()));
    of(name, word.as_ref())
}

fn of_path(name: &'static str, setting: Option<&Setting<std::path::PathBuf>>) -> SettingLine {
    SettingLine {
        name,
        value: setting.map(|setting| shown(&setting.value.to_string_lossy())),
        source: setting.map(|setting| setting.source.to_string()),
    }
}

/// Somebody may have pasted a key where a name belongs: what the settings mask, and what is known as a secret.
fn shown(text: &str) -> String {
    redacted(&sanitize(text, SHOWN))
}

fn unreadable_wallets(error: &WalletError) -> Diagnostic {
    Diagnostic::new(
        "wallets_unreadable",
        Severity::Warning,
        "The folder of wallets cannot be read",
        redacted(&sanitize(&error.to_string(), 600)),
        "Check the permissions of the folder, and which user runs the console.",
    )
}

fn wallets(context: &Context, found: Option<&Survey>, findings: &mut Vec<Diagnostic>) -> Vec<WalletLine> {
    let folder = context.configuration.settings.wallet_path.as_ref();
    let Some(folder) = folder else { return Vec::new() };
    let listed = wallet::list(&folder.value, |file| context.disk.address_of(file));
    let listed = listed.unwrap_or_else(|error| {
        findings.push(unreadable_wallets(&error));
        Vec::new()
    });
    let uid_of = |address: Option<Hotkey>| found?.roster.by_hotkey(&address?)?.uid;
    let line = |entry: wallet::Listed| WalletLine {
        uid: uid_of(entry.address),
        own: entry.address.is_some() && entry.address == context.hotkey,
        wallet: entry.wallet.as_str().into(),
        hotkey: entry.hotkey.as_str().into(),
        address: entry.address,
        problem: entry.problem,
        lock: entry.lock,
        findings: entry.findings,
    };
    listed.into_iter().map(line).collect()
}

fn paths(context: &Context) -> Vec<PathLine> {
    let Some(paths) = &context.paths else { return Vec::new() };
    let line = |what, path: &Path| PathLine {
        what,
        path: Untrusted::from_text(path.to_string_lossy().into_owned()),
        exists: path.exists(),
    };
    vec![
        line("configuration", &paths.config_file()),
        line("state (last snapshots)", &paths.state),
        line("journal of commits", &paths.journal()),
        line("index of the vault", &paths.vault()),
        line("logs", &paths.logs()),
        line("cache (metadata)", &paths.cache),
    ]
}
