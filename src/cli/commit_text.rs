//! What `commit` tells people: the plan, each step, the end.

use std::fmt::Write as _;

use crate::cli::table::{BAD, Cell, DIM, GOOD, STRONG, WARN, cell, finding, paint, plain, table};
use crate::domain::commit::{Ended, Plan, Progress, Verdict};
use crate::domain::commitment::Published;
use crate::domain::drift::FieldDrift;
use crate::domain::network::BlockHash;
use crate::domain::text::{grouped, middle_cut};

/// What would be published, by whom, and to where.
pub(super) fn plan(plan: &Plan, asks: bool) -> String {
    let heading = paint(STRONG, plan.heading(asks));
    let mut out = format!("{heading}\n\n{}{}{}\n", signer(plan), table(&facts(plan)), bytes(plan));
    for check in &plan.checks {
        let mark = if check.trouble.is_none() { paint(GOOD, "✓") } else { paint(WARN, "▲") };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{mark} {}", check.words);
    }
    out + "\n" + &follows(plan)
}

/// Label, value, and what is to be known of the value.
fn facts(plan: &Plan) -> Vec<Vec<Cell>> {
    let (standing, subject) = (&plan.standing, &plan.subject);
    let chain = &standing.chain;
    let pinned = if standing.pinned { "pinned" } else { "not pinned" };
    let genesis = format!("genesis {}… ({pinned}) · spec {}", chain.genesis.short(), chain.spec_version);
    let uid = standing.uid.map_or_else(|| "no uid".to_owned(), |uid| format!("uid {uid}"));
    let named = match (&subject.wallet, &subject.name) {
        (Some(wallet), Some(name)) => format!("{} of wallet {}", name.shown(), wallet.shown()),
        _ => String::new(),
    };
    let mut rows = vec![
        vec![label("network"), cell(&chain.network, STRONG), cell(genesis, DIM)],
        vec![label("node"), plain(&chain.endpoint), plain("")],
        vec![label("subnet"), cell(format!("{} · {uid}", subject.netuid), STRONG), cell(named, DIM)],
    ];
    let old = plan.old();
    let id = |of: fn(&Published) -> String| (old.map(of), of(&plan.new));
    let compared = [
        ("bucket", id(|p| middle_cut(&p.locator.shown(), 8, 4)), plan.fields.locator),
        ("read key id", id(|p| middle_cut(&p.read_key_id.shown(), 8, 4)), plan.fields.read_key_id),
        ("read secret", id(|p| format!("fp {}", p.read_secret.short())), plan.fields.read_secret),
    ];
    rows.extend(compared.into_iter().map(|(name, (old, new), field)| changed(name, old, &new, field)));
    if let Some(space) = standing.space {
        let next = space.next_epoch(standing.at.number).map(|next| format!("next epoch {next}")).unwrap_or_default();
        let left = format!("{} of {} commits left", space.commits_left(), space.commits_in_all());
        rows.push(vec![label("this epoch"), plain(left), cell(next, DIM)]);
    }
    if !matches!(plan.verdict, Verdict::Unchanged | Verdict::NotRegistered) {
        let blocks = plan.era.death.saturating_sub(plan.era.birth);
        let valid = format!("valid for {blocks} blocks once signed");
        rows.push(vec![label("nonce"), plain(standing.nonce.to_string()), cell(valid, DIM)]);
    }
    rows
}

/// The bytes as characters, in their three places; the secret's is masked.
fn bytes(plan: &Plan) -> String {
    let all: String = plan.bytes.iter().map(|byte| byte.map_or('•', char::from)).collect();
    let place = |from: usize| middle_cut(all.chars().skip(from).take(32).collect::<String>().trim_end(), 8, 4);
    let places = format!("1-32 {} · 33-64 {} · 65-128 •••••••• masked", place(0), place(32));
    format!("  {}  {places}\n", paint(DIM, "bytes      "))
}

/// The whole address by itself: it is what must be compared.
fn signer(plan: &Plan) -> String {
    format!("  {}  {}\n", paint(DIM, "signed by  "), paint(STRONG, &plan.subject.hotkey.to_string()))
}

fn label(name: &str) -> Cell {
    cell(format!("  {name}"), DIM)
}

fn changed(name: &str, old: Option<String>, new: &str, field: FieldDrift) -> Vec<Cell> {
    match (field, old) {
        (FieldDrift::Equal, _) => vec![label(name), plain(new), cell("equal", DIM)],
        (_, Some(old)) => vec![label(name), plain(format!("{old} → {new}")), cell("changes", WARN)],
        (_, None) => vec![label(name), plain(new), cell("new: nothing readable is there", WARN)],
    }
}

fn follows(plan: &Plan) -> String {
    match plan.verdict {
        Verdict::Ready => "Validators follow within about 10 minutes.\n\
             Restart GRAIL with the same .env, or its next start puts the old key back.\n\n"
            .to_owned(),
        _ => String::new(),
    }
}

/// A step; `None` for those that a text has no use for.
pub(super) fn step(progress: &Progress) -> Option<String> {
    let done = |text: String| Some(format!("{} {text}", paint(GOOD, "✓")));
    let odd = |text: String| Some(format!("{} {text}", paint(WARN, "▲")));
    match progress {
        Progress::Unlocking => Some("… opening the key file".to_owned()),
        Progress::Testing { words } => Some(format!("… {words}")),
        Progress::Signed { extrinsic, death } => {
            done(format!("signed · {} · valid until #{}", short(*extrinsic), grouped(*death)))
        }
        Progress::Broadcast => done("broadcast".to_owned()),
        Progress::InBlock(block) => done(format!("in block #{} · {}", grouped(block.number), short(block.hash))),
        Progress::Retracted(block) => odd(format!("block #{} was replaced by a fork", grouped(block.number))),
        Progress::Finalized(block) => done(format!("finalized #{}", grouped(block.number))),
        Progress::Event { index } => done(format!("event seen · extrinsic {index} of its block")),
        Progress::ReadBack => done("read back equal".to_owned()),
        Progress::Disbelieved { what } => odd(format!("not believed: {what}")),
        Progress::Lost { problem } => odd(format!("connection lost: {}", problem.summary)),
        Progress::Found { endpoint } => done(format!("connected again: {endpoint}")),
        Progress::SentAgain => odd("handed in once more, the very same bytes".to_owned()),
        Progress::Waited { .. } => None,
    }
}

fn short(hash: BlockHash) -> String {
    middle_cut(&hash.to_string(), 10, 4)
}

/// How it ended, in three sentences.
pub(super) fn end(ended: &Ended) -> String {
    let told = ended.finding();
    match ended {
        Ended::Committed(_) | Ended::Unchanged { .. } => {
            let todo = if told.help == "Nothing." { String::new() } else { format!("  → {}\n", told.help) };
            format!("{} {}\n  {}\n{todo}", paint(GOOD, "✓"), paint(STRONG, &told.summary), told.cause)
        }
        Ended::Failed { .. } | Ended::Expired { .. } | Ended::Refused(_) => {
            let mark = paint(BAD, "✗");
            format!("{mark} {}\n  {}\n  → {}\n", paint(STRONG, &told.summary), told.cause, told.help)
        }
        Ended::Pending { .. } => finding(&told),
    }
}
