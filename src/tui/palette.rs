//! What the palette finds.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};

use crate::tui::keymap::{Command, SPECS, Spec};
use crate::tui::state::{Palette, View};

/// The commands of the view that fit what was typed, the best first.
pub(super) fn found(mut palette: Palette, view: View) -> Palette {
    let pattern = Pattern::parse(palette.line.value(), CaseMatching::Ignore, Normalization::Smart);
    let offered = SPECS.iter().filter(|spec| spec.views.contains(&view) && spec.offered()).map(Offer::of);
    let best = pattern.match_list(offered, &mut Matcher::new(Config::DEFAULT));
    palette.found = best.into_iter().map(|(offer, _)| offer.command).collect();
    palette.cursor = 0;
    palette
}

/// A command by the words that the palette searches.
struct Offer {
    command: Command,
    words: String,
}

impl Offer {
    fn of(spec: &Spec) -> Self {
        Self { command: spec.command, words: format!("{} {}", spec.hint, spec.what) }
    }
}

impl AsRef<str> for Offer {
    fn as_ref(&self) -> &str {
        &self.words
    }
}
