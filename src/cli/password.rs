//! The password of a key file: from a file or standard input, from Bittensor's variable, or from a prompt that shows
//! nothing.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::output::Output;
use crate::config::Flags;
use crate::domain::environment::Environment;
use crate::domain::findings::Finding;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::wallet::{Lock, OwnHotkey, WalletError, password};

/// The password, `None` where the key file needs none. What is odd about its file is told.
pub async fn password(
    own: &OwnHotkey,
    flags: &Flags,
    environment: &Environment,
    output: Output,
    tell: impl FnOnce(Finding),
) -> Result<Option<SecretKey>, WalletError> {
    let Some(key_file) = own.key_file.as_deref().filter(|_| own.lock == Some(Lock::Nacl)) else { return Ok(None) };
    match flags.password_file.clone() {
        // At a terminal somebody would type it, which nobody is to see.
        Some(file) if file == Path::new("-") && io::stdin().is_terminal() => {
            return prompt(key_file, output).await.map(Some);
        }
        Some(file) if file == Path::new("-") => {
            return read(|| password::from_reader(io::stdin().lock())).await.map(Some);
        }
        Some(file) => {
            let (password, odd) = read(move || password::from_file(&file)).await?;
            odd.map(tell);
            return Ok(Some(password));
        }
        None => {}
    }
    match password::from_environment(environment, key_file) {
        Some(found) => found.map(Some),
        None if io::stdin().is_terminal() => prompt(key_file, output).await.map(Some),
        None => Err(WalletError::PasswordNeeded(key_file.to_owned())),
    }
}

async fn read<T: Send + 'static>(
    from: impl FnOnce() -> Result<T, WalletError> + Send + 'static,
) -> Result<T, WalletError> {
    spawn_blocking(from).await.unwrap_or_else(|error| Err(WalletError::BrokeOff(error.to_string())))
}

/// Asks on the terminal, without echo. The terminal is given back whatever happens, also when the question is given up.
async fn prompt(key_file: &Path, output: Output) -> Result<SecretKey, WalletError> {
    let name = key_file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let silent = Silent::begin();
    output.ask(&format!("Password of hotkey {}: ", sanitize(&name, 60)));
    let answer = read(move || {
        // It never grows, since growing leaves a copy behind: no terminal gives a longer line.
        let mut line = Zeroizing::new(String::with_capacity(password::MAX_BYTES + 2));
        let from = "the terminal".to_owned();
        io::stdin().read_line(&mut line).map_err(|error| WalletError::PasswordUnreadable { from, error })?;
        // As btcli takes a typed password.
        if line.trim().is_empty() { Err(WalletError::PasswordEmpty) } else { Ok(SecretKey::new(line.trim())) }
    });
    let answer = answer.await;
    drop(silent);
    output.ask("\n");
    answer
}

/// A terminal that does not show what is typed.
struct Silent(Option<Termios>);

impl Silent {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(settings) = &before {
            let mut silent = settings.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &silent);
        }
        Self(before)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
