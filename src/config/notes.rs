//! What the configuration alone tells about how GRAIL would behave on this machine.

use std::path::Path;

use super::dotenv::{Dotenv, Fault};
use super::local::{NAMING_VARIABLES, NETUID_VARIABLES, STORE_VARIABLES};
use super::settings::{Places, Settings, parse_netuid};
use crate::domain::diagnostic::{Diagnostic, Severity};

/// The subnet that GRAIL's miner takes when no variable names one (FACTS 1).
pub const GRAIL_DEFAULT_NETUID: u16 = 200;

/// Findings about the settings and the `.env`, in the order in which an operator would mend them.
pub(super) fn of_settings(places: &Places<'_>, settings: &Settings) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    findings.extend(places.dotenv.map(|file| of_faults(&file.faults)).unwrap_or_default());
    findings.extend(places.dotenv.into_iter().flat_map(hidden_by_mark));
    findings.extend(places.dotenv.and_then(|_| loading_disabled(places)));
    findings.extend(grail_netuid(places, settings));
    findings.extend(proxy(places));
    findings.extend(overruled(settings));
    findings.extend(settings.network_is_ignored().then(|| ignored_network(settings)));
    findings
}

/// Lines of the `.env` that are reported one by one; what is no `.env` at all has a fault on every line.
const LINES_REPORTED: usize = 20;

/// The faults that make GRAIL skip something first, then the rest, each in the order of the file.
fn of_faults(faults: &[Fault]) -> Vec<Diagnostic> {
    let (errors, notes): (Vec<&Fault>, Vec<&Fault>) = faults.iter().partition(|fault| fault.kind.is_error());
    let mut findings: Vec<_> = errors.into_iter().chain(notes).take(LINES_REPORTED).map(of_fault).collect();
    if faults.len() > LINES_REPORTED {
        findings.push(Diagnostic::new(
            "env_file_line",
            Severity::Warning,
            format!(".env: {} more lines that do not do what they seem to", faults.len() - LINES_REPORTED),
            "A file with so many is probably not GRAIL's .env.",
            "Check the path given with --env-file or as env_file in the profile.",
        ));
    }
    findings
}

/// Settings, not credentials, that an older python-dotenv does not see. A name that is not one of ours is not told: in a
/// broken file it may be anything.
fn hidden_by_mark(file: &Dotenv) -> Vec<Diagnostic> {
    let names = NETUID_VARIABLES.into_iter().chain(STORE_VARIABLES).chain(NAMING_VARIABLES);
    let lost = file.lost();
    let lost = names.filter_map(|name| lost.iter().find(|(lost, _)| *lost == name));
    let told = lost.map(|(name, line)| {
        Diagnostic::new(
            "env_file_mark",
            Severity::Warning,
            format!("GRAIL may not see {name} (.env line {line}), depending on its python-dotenv"),
            "The file begins with a byte order mark: releases before 1.2.4 take it for a part of the first name.",
            "Save the file as UTF-8 without a byte order mark.",
        )
    });
    told.collect()
}

fn of_fault(fault: &Fault) -> Diagnostic {
    let severity = if fault.kind.is_error() { Severity::Warning } else { Severity::Note };
    let what = format!(".env {}: {}", fault.place, fault.kind.what());
    Diagnostic::new("env_file_line", severity, what, fault.kind.consequence(), fault.kind.todo())
        .about_line(fault.place.line)
}

fn loading_disabled(places: &Places<'_>) -> Option<Diagnostic> {
    let value = places.environment.filled("PYTHON_DOTENV_DISABLED")?.to_lowercase();
    ["1", "true", "t", "yes", "y"].contains(&value.as_str()).then(|| {
        Diagnostic::new(
            "env_file_disabled",
            Severity::Warning,
            "PYTHON_DOTENV_DISABLED is set",
            "A GRAIL started from this environment ignores its .env altogether.",
            "Unset it where GRAIL is started, or leave --env-file out to see what GRAIL would see.",
        )
    })
}

/// Variables that send other programs through a proxy.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy would see which hosts are asked and choose where names lead; the console judges the way by itself.
fn proxy(places: &Places<'_>) -> Option<Diagnostic> {
    let name = PROXY_VARIABLES.into_iter().find(|name| places.environment.filled(name).is_some())?;
    Some(Diagnostic::new(
        "proxy_not_used",
        Severity::Note,
        format!("{name} is set, and the console does not use it"),
        "It connects to chain and store directly. Where only the proxy leads out, it reaches neither, and GRAIL may.",
        "If no host can be reached here, let this machine connect to them without the proxy.",
    ))
}

/// GRAIL asks `BT_NETUID` first and falls back to a subnet of its own; a difference means that it would publish
/// elsewhere than the console looks.
fn grail_netuid(places: &Places<'_>, settings: &Settings) -> Option<Diagnostic> {
    let named = NETUID_VARIABLES.iter().find_map(|name| places.variable(name));
    if named.is_none() && places.dotenv.is_none() {
        return None;
    }
    let (grail, why) = match &named {
        Some(setting) => (parse_netuid(setting.value.as_str()), setting.source.to_string()),
        None => (Some(GRAIL_DEFAULT_NETUID), "its own default: neither BT_NETUID nor NETUID is set".to_owned()),
    };
    let ours = &settings.netuid;
    let Some(grail) = grail else {
        return Some(Diagnostic::new(
            "grail_netuid",
            Severity::Warning,
            format!("The netuid in {why} is not a number"),
            "GRAIL stops at start-up.",
            format!("Write {} there.", ours.value),
        ));
    };
    (grail != ours.value).then(|| {
        Diagnostic::new(
            "grail_netuid",
            Severity::Warning,
            format!("GRAIL would use netuid {grail} ({why}); the console looks at {} ({})", ours.value, ours.source),
            "GRAIL would publish on another subnet than the one shown here.",
            format!("Set both BT_NETUID and NETUID to {} in GRAIL's .env, or give --netuid {grail}.", ours.value),
        )
    })
}

/// GRAIL does the same: the endpoint wins.
fn ignored_network(settings: &Settings) -> Diagnostic {
    let Settings { network, .. } = settings;
    Diagnostic::new(
        "network_ignored",
        Severity::Note,
        format!("{:?} ({}) is no network that the console knows", network.value, network.source),
        "The endpoint is used, and its chain is not compared with any network's.",
        "Write custom there for a chain of your own, or the right name, so that a wrong chain is noticed.",
    )
}

fn overruled(settings: &Settings) -> Option<Diagnostic> {
    let endpoint = settings.overruled.as_ref()?;
    let network = &settings.network;
    Some(Diagnostic::new(
        "endpoint_overruled",
        Severity::Note,
        format!("The endpoint from {} is not used", endpoint.source),
        format!("The network was named at a stronger place ({}).", network.source),
        "Give --endpoint as well to use that node.",
    ))
}

/// Whether somebody else on this machine can read the secrets in the `.env`.
pub(super) fn readable_by_others(path: &Path, dotenv: &Dotenv) -> Option<Diagnostic> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let holds_secrets =
        !super::local::secrets(Some(dotenv), &crate::domain::environment::Environment::default()).is_empty();
    (mode & 0o077 != 0 && holds_secrets).then(|| {
        Diagnostic::new(
            "env_file_mode",
            Severity::Warning,
            format!("The .env has mode {:04o}: other users of this machine may read or change it", mode & 0o7777),
            "It holds secrets.",
            "Run chmod 600 on it.",
        )
    })
}
