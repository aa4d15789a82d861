//! `${NAME}` and `${NAME:-default}`, in values of every quoting: python-dotenv expands inside single quotes too.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;

/// Names defined further up in the file; `None` for a name without `=`.
pub(super) type Earlier = BTreeMap<String, Option<SecretKey>>;

/// Replaces every reference. Loading with override looks in the file's earlier lines first, then in the environment. A
/// default counts only for a name that is unknown to both: an empty value, or a name without `=`, is known.
///
/// `None` when the result would be longer than `limit` bytes: values that refer to values can double at every line.
pub(super) fn interpolate(
    value: &str,
    earlier: &Earlier,
    environment: &Environment,
    limit: usize,
) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(String::with_capacity(value.len()));
    let mut rest = value;
    while let Some(begin) = rest.find("${") {
        if out.len() > limit {
            return None;
        }
        out.push_str(&rest[..begin]);
        if let Some((reference, length)) = Reference::at(&rest[begin + 2..]) {
            out.push_str(reference.resolve(earlier, environment));
            rest = &rest[begin + 2 + length..];
        } else {
            out.push('$');
            rest = &rest[begin + 1..];
        }
    }
    out.push_str(rest);
    (out.len() <= limit).then_some(out)
}

/// The names that a value refers to.
pub(super) fn references(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let begin = rest.find("${")? + 2;
            rest = &rest[begin..];
            if let Some((reference, length)) = Reference::at(rest) {
                rest = &rest[length..];
                return Some(reference.name);
            }
        }
    })
}

struct Reference<'a> {
    name: &'a str,
    default: &'a str,
}

impl<'a> Reference<'a> {
    /// Reads what follows `${`; gives the reference and its length with the closing brace.
    fn at(text: &'a str) -> Option<(Self, usize)> {
        let name_end = text.find(['}', ':'])?;
        let name = &text[..name_end];
        let after = &text[name_end..];
        if after.starts_with('}') {
            return Some((Self { name, default: "" }, name_end + 1));
        }
        let default = after.strip_prefix(":-")?;
        let default_end = default.find('}')?;
        Some((Self { name, default: &default[..default_end] }, name_end + 2 + default_end + 1))
    }

    fn resolve(&self, earlier: &'a Earlier, environment: &'a Environment) -> &'a str {
        match earlier.get(self.name) {
            Some(value) => value.as_ref().map_or("", SecretKey::expose),
            None => environment.get(self.name).unwrap_or(self.default),
        }
    }
}
