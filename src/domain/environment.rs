//! The process environment as a value, so that no layer reads the ambient one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// Environment variables, handed down from `main`. Values may be secrets: `Debug` names the variables only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// From what `std::env::vars_os` yields. A name or value that is not UTF-8 is left out: nothing we read may be one.
    pub fn from_os(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        vars.into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value as it was set, empty text included.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every variable, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value unless it is blank: the shell's `NAME=` and an unset variable mean the same to every setting.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    /// The variables that name the locale of characters, the one that counts first.
    pub fn locale(&self) -> [Option<&str>; 3] {
        ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| self.get(name))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Self {
        Self(vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
