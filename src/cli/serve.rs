//! `sandbox`: the practice subnet, for the console in this process or for other clients.

use std::collections::BTreeMap;

use std::path::Path;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::args::SandboxArguments;
use crate::cli::commands::misuse;
use crate::cli::exit::Exit;
use crate::cli::json::{NetworkDocument, SubnetDocument};
use crate::cli::no_signals;
use crate::cli::output::Output;
use crate::cli::report::{Place, Report, print};
use crate::config::Flags;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::{BlockHash, SANDBOX, SANDBOX_GENESIS};
use crate::domain::untrusted::sanitize;
use crate::sandbox::{BlockTime, NETUID, Operator, Sandbox, SandboxOptions, Scenario};

/// `sandbox --serve --json`
#[derive(Debug, Serialize)]
struct ServeDocument {
    node: String,
    witness: String,
    s3: String,
    tokens: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grail_restart: Option<String>,
    genesis: BlockHash,
    netuid: u16,
    scenario: String,
    environment: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    operator: Option<OperatorDocument>,
}

#[derive(Debug, Serialize)]
struct OperatorDocument {
    uid: u16,
    hotkey: Hotkey,
    wallet_path: String,
    env_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
}

/// Starts the practice subnet as the arguments say, or says why not.
pub async fn start(arguments: &SandboxArguments) -> Result<Sandbox, Diagnostic> {
    let scenario = Scenario::named(&arguments.scenario).map_err(|error| misuse(&error.to_string()))?;
    let mut options = SandboxOptions::new(scenario);
    if let Some(uids) = arguments.uids {
        options.uids = uids;
    }
    if let Some(block_time) = arguments.block_time {
        options.block_time = BlockTime::Every(block_time);
    }
    options.latency = arguments.latency.unwrap_or_default();
    options.rate_limit = arguments.rate_limit;
    options.port = arguments.port.unwrap_or_default();
    options.s3_port = arguments.s3_port.unwrap_or_default();
    Sandbox::start(options).await.map_err(|error| misuse(&error.to_string()))
}

/// The flags that point the console at a running sandbox.
pub fn flags(sandbox: &Sandbox, given: &Flags) -> Flags {
    let operator = sandbox.operator();
    Flags {
        endpoint: Some(sandbox.url().to_owned()),
        witness: Some(given.witness.clone().unwrap_or_else(|| sandbox.witness_url().to_owned())),
        archive: given.archive.clone(),
        acknowledged: given.acknowledged.clone(),
        s3_endpoint: Some(sandbox.s3_url().to_owned()),
        netuid: Some(NETUID),
        wallet: operator.map(|operator| operator.wallet.to_owned()),
        hotkey: operator.map(|operator| operator.hotkey_name.to_owned()),
        wallet_path: operator.map(|operator| operator.wallet_path.clone()),
        env_file: operator.map(|operator| operator.env_file.clone()),
        read_only: given.read_only,
        ..Flags::default()
    }
}

/// Serves until a signal, after printing where and with what to reach it.
pub async fn serve(arguments: &SandboxArguments, output: Output) -> Exit {
    let served = match started(arguments, output).await {
        Ok(served) => served,
        Err(why) => return print("sandbox", Err(why), output),
    };
    let (sandbox, report, [mut terminate, mut interrupt, mut hang_up]) = served;
    let exit = print("sandbox", Ok(report), output);
    if exit != Exit::Healthy {
        return exit;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    let meter = sandbox.meter();
    output.remark(&format!(
        "SANDBOX served {} requests in {} sequential round trips",
        meter.requests.values().sum::<u64>(),
        meter.round_trips
    ));
    Exit::Healthy
}

async fn started(arguments: &SandboxArguments, output: Output) -> Result<(Sandbox, Report, [Signal; 3]), Diagnostic> {
    let listen = |kind| signal(kind).map_err(|_| no_signals());
    let signals = [listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?];
    let sandbox = start(arguments).await?;
    let environment = environment(&sandbox);
    let words = text(&sandbox, &environment);
    let report = Report::of(output, || document(&sandbox, arguments, environment), || words)?;
    let place = Place {
        network: Some(NetworkDocument {
            name: SANDBOX.to_owned(),
            endpoint: Some(sandbox.url().to_owned()),
            genesis: Some(SANDBOX_GENESIS),
            spec_version: None,
        }),
        subnet: Some(SubnetDocument::numbered(NETUID)),
        block: None,
    };
    Ok((sandbox, report.at(place), signals))
}

/// The variables that GRAIL and the Bittensor tools understand. Credentials stay in the `.env`.
fn environment(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("BT_CHAIN_ENDPOINT", sandbox.url().to_owned()),
        ("R2_ENDPOINT_URL", sandbox.s3_url().to_owned()),
        ("NETUID", NETUID.to_string()),
    ];
    if let Some(operator) = sandbox.operator() {
        variables.push(("BT_WALLET_COLD", operator.wallet.to_owned()));
        variables.push(("BT_WALLET_HOT", operator.hotkey_name.to_owned()));
    }
    variables.push(("BT_WITNESS_ENDPOINT", sandbox.witness_url().to_owned()));
    variables
}

fn document(
    sandbox: &Sandbox,
    arguments: &SandboxArguments,
    environment: Vec<(&'static str, String)>,
) -> ServeDocument {
    ServeDocument {
        node: sandbox.url().to_owned(),
        witness: sandbox.witness_url().to_owned(),
        s3: sandbox.s3_url().to_owned(),
        tokens: sandbox.tokens_url(),
        grail_restart: sandbox.grail_url(),
        genesis: SANDBOX_GENESIS,
        netuid: NETUID,
        scenario: arguments.scenario.clone(),
        environment: environment.into_iter().collect(),
        operator: sandbox.operator().map(operator_document),
    }
}

fn operator_document(operator: &Operator) -> OperatorDocument {
    OperatorDocument {
        uid: operator.uid,
        hotkey: operator.hotkey,
        wallet_path: shown(&operator.wallet_path),
        env_file: shown(&operator.env_file),
        password: operator.password,
    }
}

/// One line each: the node first and the buckets second, so that a script needs no more than `head -n 1`.
fn text(sandbox: &Sandbox, environment: &[(&'static str, String)]) -> String {
    let mut lines = vec![sandbox.url().to_owned(), sandbox.s3_url().to_owned()];
    lines.extend(environment.iter().map(|(name, value)| format!("export {name}={value}")));
    if let Some(operator) = sandbox.operator() {
        lines.push(format!("--wallet-path {}", shown(&operator.wallet_path)));
        lines.push(format!("--env-file {}", shown(&operator.env_file)));
        lines.extend(operator.password.map(|password| format!("password {password}")));
    }
    lines.push(format!("tokens {}", sandbox.tokens_url()));
    lines.extend(sandbox.grail_url().map(|url| format!("grail-restart {url}")));
    lines.join("\n") + "\n"
}

/// The temporary directory is named by the environment.
fn shown(path: &Path) -> String {
    sanitize(&path.to_string_lossy(), 400)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn practice(scenario: &str) -> Sandbox {
        let options = SandboxOptions::new(Scenario::named(scenario).unwrap());
        Sandbox::start(SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..options }).await.unwrap()
    }

    #[tokio::test]
    async fn the_practice_password_is_told_where_the_hotkey_s_file_has_one() {
        for (scenario, password) in [("encrypted-wallet", Some("practice-password-1")), ("healthy", None)] {
            let sandbox = practice(scenario).await;
            let document = json!(operator_document(sandbox.operator().unwrap()));
            assert_eq!(document.get("password").and_then(serde_json::Value::as_str), password);
            let text = text(&sandbox, &[]);
            assert_eq!(text.lines().find_map(|line| line.strip_prefix("password ")), password);
        }
    }
}
