//! A value and the place it came from.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::domain::diagnostic::About;
use crate::domain::untrusted::sanitize;

/// Characters of a path that are shown.
const SHOWN: usize = 300;

/// Where a setting came from, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A command line flag.
    Flag {
        /// Its name with the dashes.
        name: &'static str,
    },
    /// GRAIL's `.env`: it beats exported variables, as it does for GRAIL.
    EnvFile {
        /// The variable.
        name: &'static str,
        /// Its line, from 1.
        line: u32,
    },
    /// An exported variable.
    Environment {
        /// The variable.
        name: &'static str,
    },
    /// The configuration file.
    File {
        /// The profile; `None` for the top of the file.
        profile: Option<String>,
    },
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// How strong it is. GRAIL sees `.env` and exported variables as one environment, so they rank alike where one
    /// setting decides about another (an endpoint about a network).
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Flag { .. } => 3,
            Self::EnvFile { .. } | Self::Environment { .. } => 2,
            Self::File { .. } => 1,
            Self::Default => 0,
        }
    }
}

/// The files that settings were read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// GRAIL's `.env`.
    pub env: Option<PathBuf>,
    /// The console's own file.
    pub config: Option<PathBuf>,
}

impl Origin {
    /// The place with the path of its file, for whoever has to correct it there.
    pub fn place(&self, files: &Files) -> String {
        let shown = |path: &Option<PathBuf>, word: &str| {
            path.as_ref().map_or_else(|| word.to_owned(), |path| sanitize(&path.to_string_lossy(), SHOWN))
        };
        match self {
            Self::EnvFile { name, line } => format!("{name} in {}, line {line}", shown(&files.env, ".env")),
            Self::File { .. } => format!("{self} in {}", shown(&files.config, "the configuration file")),
            _ => self.to_string(),
        }
    }
}

impl Origin {
    /// The place as a document names it.
    pub(super) fn about(&self, files: &Files) -> About {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| sanitize(&path.to_string_lossy(), SHOWN));
        let variable = match self {
            Self::Flag { name } | Self::EnvFile { name, .. } | Self::Environment { name } => Some((*name).to_owned()),
            Self::File { profile } => profile.as_deref().map(crate::domain::given::shown),
            Self::Default => None,
        };
        let (file, line) = match self {
            Self::EnvFile { line, .. } => (shown(&files.env), Some(*line)),
            Self::File { .. } => (shown(&files.config), None),
            _ => (None, None),
        };
        About { file, line, variable, ..About::default() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } => f.write_str(name),
            Self::EnvFile { name, line } => write!(f, "{name}, .env line {line}"),
            Self::Environment { name } => write!(f, "{name} in the environment"),
            Self::File { profile: Some(profile) } => {
                write!(f, "profile {}", crate::domain::given::shown(profile))
            }
            Self::File { profile: None } => f.write_str("configuration file"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Origin,
}

impl<T> Setting<T> {
    /// Pairs a value with its origin.
    pub const fn new(value: T, source: Origin) -> Self {
        Self { value, source }
    }
}
