//! Where things are kept: the XDG base directories, each with a folder of our own.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::StateError;
use crate::domain::environment::Environment;

/// Name of our folder in each base directory.
pub const FOLDER: &str = "grail-console";

/// The directories of the console. Nothing is created by knowing them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// `$XDG_CONFIG_HOME/grail-console`, by default below `~/.config`.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/grail-console`, by default below `~/.local/state`.
    pub state: PathBuf,
    /// `$XDG_CACHE_HOME/grail-console`, by default below `~/.cache`.
    pub cache: PathBuf,
}

impl Paths {
    /// From an environment. As the XDG specification demands, a variable that is no absolute path is ignored.
    pub fn resolve(environment: &Environment) -> Result<Self, StateError> {
        let home = environment.filled("HOME").map(Path::new).filter(|home| home.is_absolute());
        let base = |what, variable, default: &str| {
            let named = environment.filled(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            let base = named.or_else(|| home.map(|home| home.join(default)));
            base.map(|base| base.join(FOLDER)).ok_or(StateError::NoHome { what, variable })
        };
        Ok(Self {
            config: base("config", "XDG_CONFIG_HOME", ".config")?,
            state: base("state", "XDG_STATE_HOME", ".local/state")?,
            cache: base("cache", "XDG_CACHE_HOME", ".cache")?,
        })
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// Folder of the journals of commits.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal")
    }

    /// Folder of the vault's indexes, and of the encrypted file where there is one.
    pub fn vault(&self) -> PathBuf {
        self.state.join("vault")
    }

    /// Folder of the log files.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }
}
