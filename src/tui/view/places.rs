//! The chain against every place that defines read credentials, side by side.
//!
//! ```text
//! CHAIN AND LOCAL   ◂ counts: GRAIL loads its .env over exported variables
//!                 on chain         .env                 environment
//!   bucket        3f9a12…f6c4e1    = 3f9a12…f6c4e1 ◂    —
//!   read key id   7be100…0b0c90    ≠ 51aa3d…0000e7 ◂    = 7be100…0b0c90
//! ```
//!
//! With a vault, what counts for the console and what GRAIL takes may be two things: the mark stands at the second.

use ratatui::text::{Line, Span};

use super::facts::section;
use super::style::Styles;
use super::text::{fit, ink};
use crate::domain::commitment::Published;
use crate::domain::credentials::{LocalView, MISSHAPEN, Place, PlaceView};
use crate::domain::secret::Fingerprint;
use crate::domain::text::middle_cut;
use crate::domain::untrusted::Untrusted;

/// Columns of a label.
const LABEL: usize = 14;
/// Columns of what is on chain.
const CHAIN: usize = 17;
/// Columns of a place, its sign and its mark.
const PLACE: usize = 21;
/// The same where three places have no room otherwise.
const NARROW_PLACE: usize = 16;

/// One field: on chain, and in each place.
struct Field {
    label: &'static str,
    chain: Option<String>,
    places: Vec<Option<Here>>,
}

/// What a place says of a field.
struct Here {
    text: String,
    /// Whether the chain says the same; `None` where it says nothing.
    same: Option<bool>,
    /// Whether it is what GRAIL takes at its next start.
    counts: bool,
}

/// The three fields, each against the chain in every place, with a mark at the one that GRAIL takes.
pub(super) fn compared(
    lines: &mut Vec<Line<'static>>,
    published: Option<&Published>,
    local: &LocalView,
    width: usize,
    styles: Styles,
) {
    let title = if local.vault().is_some() {
        "CHAIN AND LOCAL   ◂ what GRAIL takes at its next start"
    } else {
        "CHAIN AND LOCAL   ◂ counts: GRAIL loads its .env over exported variables"
    };
    section(lines, title, styles);
    let wide = 2 + LABEL + CHAIN + local.places.len() * PLACE <= width.max(80);
    let (place_columns, ends) = if wide { (PLACE, 6) } else { (NARROW_PLACE, 4) };
    let mut head = format!("  {}{}", fit("", LABEL), fit("on chain", CHAIN));
    for place in &local.places {
        head.push_str(&fit(&place.heading(), place_columns));
    }
    lines.push(ink(head.trim_end(), styles.dim()).into());
    lines.extend(fields(published, local, ends).iter().map(|field| field.line(place_columns, styles)));
}

fn fields(published: Option<&Published>, local: &LocalView, ends: usize) -> [Field; 3] {
    let text = |text: &Untrusted| text.as_text().map(ToOwned::to_owned);
    let (bucket, id) = (published.and_then(|p| text(&p.locator)), published.and_then(|p| text(&p.read_key_id)));
    let secret = published.map(|p| &p.read_secret);
    let (shown, print) = (|id: &String| id_shown(id, ends), |secret: &Fingerprint| format!("fp {}", secret.short()));
    let grail = &local.grail;
    let (locator, key, fp) = (grail.locator.as_ref(), grail.read_key_id.as_ref(), grail.read_secret.as_ref());
    [
        field("bucket", bucket.as_ref(), locator, local, |place| place.locator.as_ref(), shown),
        field("read key id", id.as_ref(), key, local, |place| place.read_key_id.as_ref(), shown),
        field("read secret", secret, fp, local, |place| place.read_secret.as_ref(), print),
    ]
}

/// A value without the shape of an id is known by its fingerprint alone, since it may be a secret in the wrong place.
fn id_shown(id: &str, ends: usize) -> String {
    if id.starts_with(MISSHAPEN) { "misshapen".to_owned() } else { middle_cut(id, ends, ends) }
}

fn field<T: PartialEq>(
    label: &'static str,
    chain: Option<&T>,
    taken: Option<&T>,
    local: &LocalView,
    of: impl Fn(&PlaceView) -> Option<&T>,
    shown: impl Fn(&T) -> String,
) -> Field {
    // What stands in the vault is taken only by a GRAIL that gets its keys there.
    let reached = |place: &PlaceView| place.place != Place::Vault || local.grail.place == Some(Place::Vault);
    let counting = local.places.iter().position(|place| reached(place) && of(place).is_some() && of(place) == taken);
    let here = |(i, place): (usize, &PlaceView)| {
        let value = of(place)?;
        let same = chain.map(|chain| chain == value);
        Some(Here { text: shown(value), same, counts: counting == Some(i) })
    };
    Field { label, places: local.places.iter().enumerate().map(here).collect(), chain: chain.map(shown) }
}

impl Field {
    fn line(&self, place_columns: usize, styles: Styles) -> Line<'static> {
        let mut line = Line::from(vec![
            ink(format!("  {}", fit(self.label, LABEL)), styles.dim()),
            ink(fit(self.chain.as_deref().unwrap_or("—"), CHAIN), styles.plain()),
        ]);
        line.spans.extend(self.places.iter().flat_map(|here| cell(here.as_ref(), place_columns, styles)));
        line
    }
}

fn cell(here: Option<&Here>, place_columns: usize, styles: Styles) -> [Span<'static>; 2] {
    let room = place_columns - 2;
    let Some(here) = here else { return [ink("  ", styles.plain()), ink(fit("—", room), styles.dim())] };
    let (sign, style) = match here.same {
        None => ("· ", styles.dim()),
        Some(true) => ("= ", styles.readable()),
        Some(false) => ("≠ ", styles.drift()),
    };
    let (mark, value) = if here.counts { (" ◂", styles.strong()) } else { ("", styles.plain()) };
    [ink(sign, style), ink(fit(&format!("{}{mark}", here.text), room), value)]
}
