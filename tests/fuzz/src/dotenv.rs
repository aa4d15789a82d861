//! GRAIL's `.env`: read, and rewritten in place.

use grail_console::config::dotenv::{Change, Dotenv, DotenvError, MAX_EXPANDED, lines_holding, rewrite};
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;

use super::{files, secret};

/// Names that are changed, as GRAIL has them.
const NAMES: [&str; 3] = ["R2_READ_SECRET_ACCESS_KEY", "R2_WRITE_SECRET_ACCESS_KEY", "R2_BUCKET_ID"];

/// The text of a file.
pub fn run(data: &[u8]) -> &'static str {
    let bytes = secret::placed(data);
    let Ok(text) = std::str::from_utf8(&bytes) else { return not_utf8(&bytes) };
    let environment: Environment = [("HOME", "/home/operator"), ("R2_BUCKET_ID", "b")].into_iter().collect();
    let file = Dotenv::parse(text, &environment);
    stays_in_bounds(&file, text);
    for file in [Some(&file), file.older.as_deref()].into_iter().flatten() {
        secret::is_not_in(&format!("{file:?}"));
    }
    let holding = lines_holding(text, &[&SecretKey::new(secret::SECRET)]);
    assert_eq!(holding.is_empty(), !text.contains(secret::SECRET));
    assert_eq!(rewrite(text, &[], true).unwrap().as_str(), text, "nothing changes where nothing is to change");
    let new = SecretKey::new("0new+1/value=");
    let all = [Change::Value(&new), Change::Blank, Change::Comment];
    let mut outcome = "refused";
    for change in all {
        for append in [false, true] {
            let changes = NAMES.map(|name| (name, change));
            let one = [(NAMES[0], change), (NAMES[2], Change::Blank)];
            for changes in [&changes[..], &one] {
                if is_rewritten(text, changes, append) {
                    outcome = "rewritten";
                }
            }
        }
    }
    outcome
}

/// Python stops at the first byte that is not UTF-8, and so does the console, before it says anything of the content.
fn not_utf8(bytes: &[u8]) -> &'static str {
    let folder = files::folder();
    let path = folder.path().join(".env");
    files::write(&path, bytes);
    let error = Dotenv::read(&path, &Environment::default()).unwrap_err();
    assert!(matches!(error, DotenvError::NotUtf8 { .. }), "{error:?}");
    secret::is_not_told(&error);
    "not_utf8"
}

fn stays_in_bounds(file: &Dotenv, text: &str) {
    let lines = u32::try_from(text.replace("\r\n", "\n").replace('\r', "\n").split('\n').count()).unwrap();
    let mut bytes = 0;
    for entry in &file.entries {
        assert!((1..=lines).contains(&entry.line), "{entry:?} of {lines} lines");
        bytes += entry.value.as_ref().map_or(0, |value| value.expose().len());
    }
    assert!(bytes <= MAX_EXPANDED, "{bytes} bytes of values");
    for fault in &file.faults {
        assert!((1..=lines).contains(&fault.place.line), "{fault:?} of {lines} lines");
    }
    assert!(file.faults.is_sorted_by_key(|fault| fault.place));
}

/// Whether it can be rewritten; then GRAIL reads what was meant, and everything else as before.
fn is_rewritten(text: &str, changes: &[(&str, Change<'_>)], append: bool) -> bool {
    let out = match rewrite(text, changes, append) {
        Ok(out) => out,
        Err(error) => {
            secret::is_not_told(&error);
            return false;
        }
    };
    let nothing = Environment::default();
    let (before, after) = (Dotenv::parse(text, &nothing), Dotenv::parse(&out, &nothing));
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let others = |file: &Dotenv| {
        let others = file.entries.iter().filter(|entry| !is_changed(&entry.name));
        others.map(|entry| (entry.name.clone(), entry.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(others(&before), others(&after));
    assert_eq!(text.starts_with('\u{feff}'), out.starts_with('\u{feff}'), "the byte order mark stays");
    for (name, change) in changes {
        let was = before.entries.iter().filter(|entry| entry.name == *name).count();
        let is: Vec<_> = after.entries.iter().filter(|entry| entry.name == *name).collect();
        let meant = match change {
            Change::Value(value) => Some((*value).clone()),
            Change::Blank => Some(SecretKey::new("")),
            Change::Comment => None,
        };
        let count = match change {
            Change::Value(_) if append => was.max(1),
            Change::Value(_) | Change::Blank => was,
            Change::Comment => 0,
        };
        assert_eq!(is.len(), count, "definitions of {name}");
        assert!(is.iter().all(|entry| entry.value == meant), "{name} is what was meant");
    }
    assert_eq!(rewrite(&out, changes, append).unwrap(), out, "what is as it should be stays so");
    true
}
