//! The text that people read: one function for each command.

use std::fmt::Write as _;

use crate::cli::levels::Levels;
use crate::cli::table::{
    BAD, Cell, DIM, GOOD, STRONG, WARN, cell, drift_cell, finding, paint, plain, row_cells, row_heading, table,
};
use crate::cli::vault;
use crate::domain::commitment::{Commitment, MaskedBytes, Shape};
use crate::domain::credentials::{Masked, Mode, Place};
use crate::domain::diagnostic::Severity;
use crate::domain::drift::{Drift, DriftState};
use crate::domain::inventory::ValueLine;
use crate::domain::roster::{Roster, Row};
use crate::domain::snapshot::{SubnetInfo, SubnetSnapshot};
use crate::domain::text::{age_blocks, age_seconds, grouped};
use crate::ops::context::Context;
use crate::ops::doctor::{ChainLine, Diagnosis, WalletLine};
use crate::ops::survey::Survey;
use crate::report::commitment;
use crate::wallet::Lock;

/// Bytes in a line of the hex dump.
const DUMP_WIDTH: usize = 16;

/// `status`
pub fn status(context: &Context, found: &Survey, now_ms: u64, shown: &[&Row], levels: &Levels) -> String {
    let (snapshot, roster) = (&found.snapshot, &found.roster);
    let own = own_line(context, roster);
    let mut out = heading(snapshot, now_ms) + &summary(roster) + &own + &levels.line(shown) + "\n";
    let head = snapshot.at.number;
    if shown.is_empty() {
        out += "no row matches\n";
        return out;
    }
    let lines = shown.iter().map(|row| row_cells(row, head));
    out + &table(&std::iter::once(row_heading()).chain(lines).collect::<Vec<_>>())
}

/// Where the answer came from, in one line.
pub fn heading(snapshot: &SubnetSnapshot, now_ms: u64) -> String {
    let age = age_seconds(now_ms.saturating_sub(snapshot.at.timestamp_ms) / 1_000);
    let name = snapshot.subnet.name.as_ref().map_or_else(String::new, |name| format!(" {name:?}"));
    format!(
        "{} · subnet {}{name} · #{} finalized {age} ago · {} · spec {}\n",
        paint(STRONG, &snapshot.chain.network),
        snapshot.netuid,
        grouped(snapshot.at.number),
        snapshot.chain.endpoint,
        snapshot.chain.spec_version
    )
}

fn summary(roster: &Roster) -> String {
    let s = roster.summary;
    format!(
        "{} uids   {}   {}   {}   {}\n",
        s.uids,
        paint(GOOD, &format!("✓ {} readable", s.readable)),
        paint(BAD, &format!("✗ {} unreadable", s.unreadable)),
        paint(DIM, &format!("○ {} none", s.none)),
        paint(DIM, &format!("+ {} ex-member{}", s.ex_members, if s.ex_members == 1 { "" } else { "s" })),
    )
}

fn own_line(context: &Context, roster: &Roster) -> String {
    if context.own_is_missing() {
        return paint(WARN, "▲ you: the hotkey that is configured was not found\n");
    }
    let Some(hotkey) = context.hotkey else {
        return paint(DIM, "no own hotkey configured: name it with --wallet and --hotkey, or --hotkey SS58\n");
    };
    let Some(row) = roster.own().filter(|row| !row.is_ex_member()) else {
        return paint(WARN, &format!("▲ you: {} is not registered on this subnet\n", hotkey.short()));
    };
    let uid = row.uid.unwrap_or_default();
    match &row.drift {
        Some(drift) => {
            let (glyph, style) = match drift.consequence.severity {
                Severity::Danger => ("✗", BAD),
                Severity::Warning => ("▲", WARN),
                Severity::Note if drift.state == DriftState::Match => ("✓", GOOD),
                Severity::Note => ("·", DIM),
            };
            paint(style, &format!("{glyph} you: uid {uid}, {}\n", drift.consequence.headline))
        }
        None => paint(WARN, &format!("? you: uid {uid}, what is on chain is not known: sources disagree\n")),
    }
}

/// `show`
pub fn show(snapshot: &SubnetSnapshot, row: &Row) -> String {
    let mut lines = vec![
        pair("network", plain(format!("{} · subnet {}", snapshot.chain.network, snapshot.netuid))),
        pair("uid", plain(row.uid.map_or_else(|| "none: no longer registered".to_owned(), |uid| uid.to_string()))),
        pair("hotkey", plain(row.address.clone())),
        pair("role", commitment::whose(row)),
        pair("commitment", commitment::state(row)),
    ];
    if let Some(successor) = &row.successor {
        lines.push(pair("successor", plain(successor.to_string())));
    }
    if let Some(registered) = row.registered_at {
        lines.push(pair("registered", plain(at_block(registered, snapshot.at.number))));
    }
    if let Some(commitment) = &row.commitment {
        lines.extend(commitment_lines(commitment, snapshot.at.number));
    }
    let mut out = table(&lines);
    if row.predates_registration() {
        out += "\nThe commitment is older than the registration: the hotkey registered again and inherited it.\n";
    }
    if let Some(unreadable) = row.commitment.as_ref().and_then(Commitment::unreadable) {
        let _ = write!(out, "\n{}\n", unreadable.detail);
    }
    if let Some(drift) = &row.drift {
        out += &drift_section(drift);
    }
    match row.commitment.as_ref().filter(|commitment| !commitment.dump.is_empty()) {
        Some(commitment) => out + "\n" + &dump(&commitment.dump),
        None => out,
    }
}

fn pair(name: &str, value: Cell) -> Vec<Cell> {
    vec![cell(name, DIM), value]
}

fn at_block(block: u64, head: u64) -> String {
    format!("#{} · about {} ago", grouped(block), age_blocks(head.saturating_sub(block)))
}

fn commitment_lines(commitment: &Commitment, head: u64) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    if let Some(published) = commitment.published() {
        lines.push(pair("bucket", plain(published.locator.shown())));
        lines.push(pair("read key id", plain(published.read_key_id.shown())));
        lines.push(pair("read secret", plain(format!("•••• fp {}", published.read_secret.short()))));
        lines.push(pair(
            "shape",
            match published.shape {
                Shape::R2 => plain("R2 (32 / 32 / 64 hexadecimal characters)"),
                Shape::Foreign => cell("foreign: not the shapes of R2", WARN),
            },
        ));
    }
    lines.push(pair("set at", plain(commitment.block.map_or_else(|| "unknown".to_owned(), |b| at_block(b, head)))));
    let count = commitment.field_count().map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let more = if commitment.fields > 1 { ", of which GRAIL reads the first" } else { "" };
    lines.push(pair("fields", plain(format!("{count} ({}{more})", commitment.variant))));
    lines
}

fn drift_section(drift: &Drift) -> String {
    let fields = [
        ("bucket", drift.fields.locator),
        ("read key id", drift.fields.read_key_id),
        ("read secret", drift.fields.read_secret),
    ];
    let mut lines: Vec<Vec<Cell>> = fields.iter().map(|(name, field)| pair(name, drift_cell(*field))).collect();
    let several = drift.places.len() > 1 || drift.places.iter().any(|place| place.vault.is_some());
    if several {
        // Beside what counts, each place by itself: a rotation that forgot one shows here.
        let head = drift.places.iter().map(|place| cell(place.heading(), DIM));
        lines.insert(0, [cell("", DIM), cell("what counts", DIM)].into_iter().chain(head).collect());
        for place in &drift.places {
            let of = [place.fields.locator, place.fields.read_key_id, place.fields.read_secret];
            lines[1..].iter_mut().zip(of).for_each(|(line, field)| line.push(drift_cell(field)));
        }
    }
    let heading = paint(STRONG, &format!("chain and local credentials: {}", drift.consequence.headline));
    format!("\n{heading}\n{}{}\n", table(&lines), drift.consequence.detail)
}

/// Sixteen bytes a line; a masked byte is `··`.
fn dump(bytes: &MaskedBytes) -> String {
    let bytes: Vec<Option<u8>> = bytes.iter().collect();
    let mut out = String::new();
    for (line, chunk) in bytes.chunks(DUMP_WIDTH).enumerate() {
        let hex: Vec<String> =
            chunk.iter().map(|b| b.map_or_else(|| "··".to_owned(), |b| format!("{b:02x}"))).collect();
        let text: String = chunk.iter().map(|b| printable(*b)).collect();
        let _ = writeln!(out, "{:04x}  {:<47}  {text}", line * DUMP_WIDTH, hex.join(" "));
    }
    out
}

fn printable(byte: Option<u8>) -> char {
    match byte {
        None => '·',
        Some(byte) if byte.is_ascii_graphic() || byte == b' ' => char::from(byte),
        Some(_) => '.',
    }
}

/// `doctor`
pub fn doctor(diagnosis: &Diagnosis) -> String {
    let mut out = section("Settings");
    let settings = diagnosis.settings.iter().map(|line| match (&line.value, &line.source) {
        (Some(value), Some(source)) => vec![cell(line.name, DIM), plain(value.clone()), cell(source.clone(), DIM)],
        _ => vec![cell(line.name, DIM), cell("not set", DIM)],
    });
    out += &table(&settings.collect::<Vec<_>>());
    out += &section(&format!("What GRAIL would see ({})", diagnosis.provider));
    out += &table(&diagnosis.credentials.iter().map(credential_cells).collect::<Vec<_>>());
    let _ = writeln!(out, "{}", mode(diagnosis));
    if let Some(holding) = &diagnosis.in_use {
        let _ = writeln!(out, "vault: {}", holding.summary());
    }
    out += &wallets(&diagnosis.wallets);
    out += &section("Vault");
    out += &vault::section(&diagnosis.vault);
    out += &section("On disk");
    let paths = diagnosis.paths.iter().map(|line| {
        let exists = if line.exists { plain("") } else { cell("not there yet", DIM) };
        vec![cell(line.what, DIM), plain(line.path.shown()), exists]
    });
    out += &table(&paths.collect::<Vec<_>>());
    out += &section("Chain");
    out += &chain(&diagnosis.chain);
    out += &diagnosis.read.as_ref().map_or_else(String::new, |found| whose(&found.snapshot));
    out += &section("Findings");
    if diagnosis.findings.is_empty() {
        out += &paint(GOOD, "✓ nothing to complain about\n");
    }
    diagnosis.findings.iter().for_each(|found| out += &finding(found));
    out
}

fn section(title: &str) -> String {
    format!("\n{}\n", paint(STRONG, title))
}

fn credential_cells(line: &ValueLine) -> Vec<Cell> {
    let value = match &line.shown {
        None if line.source.is_some() => cell("set, but empty", WARN),
        None => cell("not set", DIM),
        Some(Masked::Misshapen { why, .. }) => cell(why.clone(), BAD),
        Some(masked) => plain(masked.to_string()),
    };
    let mut source = line.source.map(|source| source.to_string()).unwrap_or_default();
    for hidden in &line.hidden {
        let _ = write!(source, " · {} the one from {}", if hidden.same { "same as" } else { "hides" }, hidden.source);
    }
    vec![cell(line.variable.name(), DIM), value, cell(source, DIM)]
}

fn mode(diagnosis: &Diagnosis) -> String {
    match diagnosis.mode {
        _ if diagnosis.may_publish_write_key => paint(
            BAD,
            "✗ GRAIL may PUBLISH THE WRITE KEY at its next start, depending on its python-dotenv: remove the BOM from the .env",
        ),
        Mode::Dual if diagnosis.grail_takes == Some(Place::Vault) => paint(
            GOOD,
            "✓ dual credentials in the vault: run GRAIL with grail-console exec, and it publishes the read pair",
        ),
        Mode::Dual => paint(GOOD, "✓ dual credentials: GRAIL publishes the read pair"),
        Mode::Legacy => paint(BAD, "✗ single-credential mode: GRAIL will PUBLISH THE WRITE KEY at its next start"),
        Mode::Incomplete => paint(WARN, "▲ incomplete: GRAIL cannot publish a commitment"),
        Mode::Absent => paint(DIM, "· nothing configured"),
    }
}

fn wallets(wallets: &[WalletLine]) -> String {
    if wallets.is_empty() {
        return section("Wallets") + &paint(DIM, "none found\n");
    }
    let line = |wallet: &WalletLine| {
        let address = match (&wallet.address, &wallet.problem) {
            (Some(address), _) => plain(address.to_string()),
            (None, Some(problem)) => cell(problem.clone(), WARN),
            (None, None) => cell("address unknown", DIM),
        };
        let uid = wallet.uid.map_or_else(|| plain(""), |uid| plain(format!("uid {uid}")));
        let has = |code| wallet.findings.iter().any(|finding| finding.code == code);
        let lock = match wallet.lock {
            Some(lock @ Lock::Legacy(_)) => {
                cell(format!("{}: btcli wallet regen-hotkey with its phrase", lock.word()), WARN)
            }
            Some(_) if has("hotkey_file_mode") => cell("open to others: chmod 600", WARN),
            Some(_) if has("hotkeys_folder_mode") => cell("folder open to others: chmod go-w", WARN),
            Some(Lock::Nacl) => cell("encrypted", DIM),
            Some(Lock::Open) => cell("not encrypted", DIM),
            None => cell("no key file: only watched", DIM),
        };
        let own = if wallet.own { cell("● you", GOOD) } else { plain("") };
        vec![cell(format!("{}/{}", wallet.wallet.shown(), wallet.hotkey.shown()), DIM), address, uid, lock, own]
    };
    section("Wallets") + &table(&wallets.iter().map(line).collect::<Vec<_>>())
}

/// Whose subnet it is, as far as the chain tells.
fn whose(snapshot: &SubnetSnapshot) -> String {
    let SubnetInfo { name, owner, registered_at } = &snapshot.subnet;
    let name = name.as_ref().map_or_else(|| "without a name".to_owned(), |name| format!("{name:?}"));
    let owner = owner.map_or_else(String::new, |owner| format!(" · owner {owner}"));
    let since = registered_at.map_or_else(String::new, |at| format!(" · registered at #{}", grouped(at)));
    format!("{} subnet {} {name}{owner}{since}\n", paint(DIM, "·"), snapshot.netuid)
}

fn chain(chain: &ChainLine) -> String {
    match chain {
        ChainLine::Skipped => paint(DIM, "not asked (--offline)\n"),
        ChainLine::Unreachable { problem, .. } => format!("{} {problem}\n", paint(BAD, "✗")),
        ChainLine::Reached { endpoint, spec_version, block, age_seconds: age, own, level } => {
            let level = level.map_or(String::new(), |level| format!(" ({})", level.word()));
            let own = own.map(|state| format!(" · own commitment: {state}{level}")).unwrap_or_default();
            format!(
                "{} {endpoint} · #{} finalized {} ago · spec {spec_version}{own}\n",
                paint(GOOD, "✓"),
                grouped(*block),
                age_seconds(*age)
            )
        }
    }
}
