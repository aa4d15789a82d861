//! The machine's questions, each with the safe answer first and chosen: the `.env`, a token to revoke, something else on
//! chain; and whether to roll back.
//!
//! ```text
//!              old                  new                  on chain
//! bucket       fp 8d1f02aa          the same             the same
//! read key     858850…45f0          55148b…a267          another, fp 0c9e1234
//! secret       fp aaf3893f          fp 57b19ca7          fp 99aabbcc
//! ```

use ratatui::text::Line;

use super::super::commit::choice::{Answer, Word, asking};
use super::super::dialog::{Fit, Page, Parts, key};
use super::super::facts::{paragraph, remark};
use super::super::style::Styles;
use super::super::text::{fit as fitted, ink};
use super::heading;
use crate::domain::rotation::{Replacement, Rotation, Seen};
use crate::domain::secret::Fingerprint;
use crate::domain::text::{age_blocks, grouped};
use crate::tui::commit::Choice;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::rotate::{AcceptChoice, Asked, EnvChoice, word};
use crate::tui::state::State;

/// Columns of a value in the three-way table.
const VALUE: usize = 20;

/// What about the `.env`.
pub(super) fn env(state: &State, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let Some(Asked::Env { path, variables, choice }) = &state.rotations.question else { return None };
    let report = state.rotations.open()?;
    let mut page = Page::new(fit);
    heading(&mut page, state, &report.rotation, width, styles);
    page.gap();
    let text = "GRAIL compares its .env with the chain at every start and publishes what the .env says. With the keys of \
                before in it, its next start undoes this rotation.";
    paragraph(&mut page.lines, text, 0, width, styles.plain());
    page.gap();
    match path {
        Some(path) => page.fact("file", vec![ink(path, styles.strong())], styles),
        None => page.fact("file", vec![ink("none is named here (--env-file)", styles.drift())], styles),
    }
    for (index, variable) in variables.iter().enumerate() {
        page.fact(if index == 0 { "changes" } else { "" }, vec![ink(variable, styles.plain())], styles);
    }
    if variables.is_empty() {
        page.fact("changes", vec![ink("none of these variables stands in it", styles.dim())], styles);
    }
    page.gap();
    let text =
        "Only these values change; every other byte of the file stays. It is written beside and put in place at once.";
    paragraph(&mut page.lines, text, 0, width, styles.dim());
    let answers = [
        Answer::new("Not now", *choice == EnvChoice::NotNow, true),
        Answer::new("Rewrite", *choice == EnvChoice::Rewrite, path.is_some()),
        Answer::new("I have done it elsewhere", *choice == EnvChoice::Elsewhere, true),
    ];
    let answers = if path.is_some() { &answers[..] } else { &[answers[0], answers[2]][..] };
    let foot = asking(state, "Bring the .env up to date?", None, answers, width, styles);
    Some(("Rotation: the .env".to_owned(), styles.drift(), page.lines, foot))
}

/// A token to be revoked at the provider.
pub(super) fn revoke(state: &State, rotation: &Rotation, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let Some(Asked::Revoke { side }) = &state.rotations.question else { return None };
    let old = rotation.change.side(*side).and_then(|keys| keys.old.as_ref())?;
    let mut page = Page::new(fit);
    heading(&mut page, state, rotation, width, styles);
    page.gap();
    remark(
        &mut page.lines,
        "●",
        &format!("Revoke the old {} token at the provider now:", side.word()),
        width,
        styles.drift(),
    );
    page.gap();
    page.fact("token", vec![ink("Access Key ID ", styles.dim()), ink(&old.shown, styles.strong())], styles);
    page.fact("", vec![ink(format!("fp {} of its secret", old.secret.short()), styles.dim())], styles);
    page.gap();
    let text = "Delete exactly this token and no other. Then the console asks the store with the old key and goes on only \
                when it is refused with 401 or 403; until then the old key is kept here.";
    paragraph(&mut page.lines, text, 0, width, styles.plain());
    if let Some(url) = &state.options.tokens_url {
        page.gap();
        paragraph(
            &mut page.lines,
            "In practice a shell lists the tokens, and revokes one by its id:",
            0,
            width,
            styles.dim(),
        );
        page.push(ink(format!("  curl {url}    curl -X DELETE {url}/ID"), styles.dim()));
    }
    let [enter, back, esc] =
        [Command::Accept, Command::RollBack, Command::Cancel].map(|command| key(state, KeyMode::Dialog, command));
    let turns = if rotation.can_roll_back() { format!(" · {back} rolls back") } else { String::new() };
    let keys = format!("{enter} when it is revoked{turns} · {esc} not now");
    let foot = vec![ink(keys, styles.strong()).into()];
    Some(("Rotation: revoke the old token".to_owned(), styles.drift(), page.lines, foot))
}

/// Whether every process of the subnet was restarted, without which uid 0's old key is not retired.
pub(super) fn restarted(state: &State, rotation: &Rotation, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let Some(Asked::Restarted(choice)) = &state.rotations.question else { return None };
    let mut page = Page::new(fit);
    heading(&mut page, state, rotation, width, styles);
    page.gap();
    let text = "The old read key is uid 0's: every miner and validator took it at its start, and keeps it.";
    remark(&mut page.lines, "▲", text, width, styles.drift());
    page.gap();
    let text = "Whoever was not restarted since the new key is on chain reads no checkpoint any more once the old token is \
                revoked. The console cannot see who that is: it takes your word.";
    paragraph(&mut page.lines, text, 0, width, styles.plain());
    let answers =
        [Answer::new("No", *choice == Choice::No, true), Answer::new("All restarted", *choice == Choice::Yes, true)];
    let foot = asking(state, "Was every process of the subnet restarted?", None, &answers, width, styles);
    Some(("Rotation: uid 0's key".to_owned(), styles.drift(), page.lines, foot))
}

/// Something else is on chain.
pub(super) fn accept(state: &State, rotation: &Rotation, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let Some(Asked::Accept { typed, choice }) = &state.rotations.question else { return None };
    let (seen, read) = (rotation.difference?, rotation.change.read.as_ref()?);
    let mut page = Page::new(fit);
    remark(
        &mut page.lines,
        "✗",
        &format!("The chain holds {seen}: neither the old key nor the new one."),
        width,
        styles.danger(),
    );
    let text = "Somebody with this hotkey published it: another machine, or a GRAIL with another .env. Find out who before you \
                publish over it, or it comes back.";
    paragraph(&mut page.lines, text, 2, width, styles.plain());
    page.gap();
    three_ways(&mut page, rotation, read, seen, styles);
    let wanted = word(state);
    let line = wanted.as_deref().map(|wanted| Word {
        what: "the first 4 of its fingerprint",
        other: "another fingerprint",
        typed,
        wanted,
    });
    let reached = line.as_ref().is_none_or(|word| word.typed == word.wanted);
    let all = [
        Answer::new("Not now", *choice == AcceptChoice::NotNow, true),
        Answer::new("Roll back", *choice == AcceptChoice::RollBack, rotation.can_roll_back()),
        Answer::new("Go on over it", *choice == AcceptChoice::GoOn, reached),
    ];
    let foot = asking(state, "Go on over what the chain holds?", line.as_ref(), &all, width, styles);
    Some(("Rotation: stopped at a difference".to_owned(), styles.unreadable(), page.lines, foot))
}

fn three_ways(page: &mut Page, rotation: &Rotation, read: &Replacement, seen: Seen, styles: Styles) {
    let row = |label: &str, cells: [String; 3]| {
        let [old, new, chain] = cells;
        Line::from(vec![
            ink(fitted(label, 11), styles.dim()),
            ink(fitted(&old, VALUE), styles.plain()),
            ink(fitted(&new, VALUE), styles.plain()),
            ink(chain, styles.strong()),
        ])
    };
    let held = match seen {
        Seen::Holds(held) => Some(held),
        Seen::Nothing | Seen::Unreadable => None,
    };
    let nothing = if seen == Seen::Nothing { "nothing" } else { "unreadable" };
    let chain = |of: fn(&crate::domain::rotation::OnChain) -> Fingerprint, ours: &[(Fingerprint, &str)]| {
        let Some(print) = held.as_ref().map(of) else { return nothing.to_owned() };
        let same = ours.iter().find(|(known, _)| *known == print).map(|(_, word)| (*word).to_owned());
        same.unwrap_or_else(|| format!("another, fp {}", print.short()))
    };
    let columns = ["old", "new", "on chain"].map(ToOwned::to_owned);
    let heading = columns.iter().map(|word| ink(fitted(word, VALUE), styles.dim()));
    page.push(Line::from(std::iter::once(ink(fitted("", 11), styles.dim())).chain(heading).collect::<Vec<_>>()));
    let locator = Fingerprint::of(&rotation.locator);
    let bucket = crate::domain::text::middle_cut(&rotation.locator, 6, 4);
    page.push(row("bucket", [bucket, "the same".to_owned(), chain(|held| held.locator, &[(locator, "the same")])]));
    let old = read.old.as_ref();
    let mut ids = vec![(read.new.id, "the new one")];
    ids.extend(old.map(|old| (old.id, "the old one")));
    let shown = old.map_or_else(|| "none".to_owned(), |old| old.shown.clone());
    page.push(row("read key", [shown, read.new.shown.clone(), chain(|held| held.key_id, &ids)]));
    let print = |secret: Fingerprint| format!("fp {}", secret.short());
    let on_chain = held.map_or_else(|| nothing.to_owned(), |held| print(held.secret));
    let shown = old.map_or_else(|| "none".to_owned(), |old| print(old.secret));
    page.push(row("secret", [shown, print(read.new.secret), on_chain]));
}

/// Whether to roll back.
pub(super) fn roll_back(state: &State, rotation: &Rotation, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let choice = state.rotations.turning?;
    let mut page = Page::new(fit);
    heading(&mut page, state, rotation, width, styles);
    page.gap();
    for text in consequences(rotation) {
        remark(&mut page.lines, "·", &text, width, styles.plain());
    }
    let answers =
        [Answer::new("No", choice == Choice::No, true), Answer::new("Roll back", choice == Choice::Yes, true)];
    let foot = asking(state, "Roll this rotation back?", None, &answers, width, styles);
    Some(("Rotation: roll back".to_owned(), styles.drift(), page.lines, foot))
}

/// What rolling back means from here.
fn consequences(rotation: &Rotation) -> Vec<String> {
    let on_its_way = rotation.submission.is_some();
    if !rotation.published && !rotation.promoted && !on_its_way {
        return vec![
            "Nothing of the new keys was published: chain, .env and the keys in use are as they were.".to_owned(),
            "The new generation is taken out of the vault; you can delete its token at the provider.".to_owned(),
        ];
    }
    let mut all = Vec::new();
    if on_its_way {
        all.push("A commit is on its way: first the chain tells what became of it.".to_owned());
    }
    if rotation.change.read.is_some() {
        all.push("The old read key is published again; you are asked before that.".to_owned());
    }
    all.push(format!("Generation {} is in use again, and the .env follows.", rotation.from));
    let grace = crate::domain::rotation::LEAST_GRACE;
    all.push(format!(
        "Leave both tokens alive for {} blocks (about {}) after that: validators may have read the new key.",
        grouped(grace),
        age_blocks(grace)
    ));
    all
}
