//! The password of a key file: from a file or standard input, from Bittensor's variable, or from a prompt that shows
//! nothing; and the passphrase of the encrypted file, from a file, standard input or the prompt.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use thiserror::Error;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::output::Output;
use crate::config::Flags;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::own_hotkey::learn;
use crate::wallet::{Lock, OwnHotkey, WalletError, password};

/// The password, `None` where the key file needs none. What is odd about its file is told.
pub async fn password(
    own: &OwnHotkey,
    flags: &Flags,
    environment: &Environment,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Option<SecretKey>, WalletError> {
    let Some(key_file) = own.key_file.as_deref().filter(|_| own.lock == Some(Lock::Nacl)) else { return Ok(None) };
    of_file(key_file, flags, environment, output, tell).await.map(Some)
}

/// The password of an encrypted key file.
async fn of_file(
    key_file: &Path,
    flags: &Flags,
    environment: &Environment,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<SecretKey, WalletError> {
    match flags.password_file.clone() {
        // At a terminal somebody would type it, which nobody is to see.
        Some(file) if file == Path::new("-") && io::stdin().is_terminal() => {
            return prompt(key_file, output).await;
        }
        Some(file) if file == Path::new("-") => {
            return read(|| password::from_reader(io::stdin().lock())).await;
        }
        Some(file) => {
            let (password, odd) = read(move || password::from_file(&file)).await?;
            odd.map(tell);
            return Ok(password);
        }
        None => {}
    }
    match password::from_environment(environment, key_file) {
        Some(found) => found,
        None if io::stdin().is_terminal() => prompt(key_file, output).await,
        None => Err(WalletError::PasswordNeeded(key_file.to_owned())),
    }
}

/// The context with the address of the own hotkey, where only its password tells that and the password is at hand or may be
/// asked for; with the password, which is needed again to sign.
pub async fn identified(
    context: Context,
    (flags, environment): (&Flags, &Environment),
    may_ask: bool,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<(Context, Option<SecretKey>), WalletError> {
    let Some(locked) = context.locked.clone().filter(|locked| locked.lock == Lock::Nacl) else {
        return Ok((context, None));
    };
    let in_file = flags.password_file.as_deref().is_some_and(|file| file != Path::new("-"));
    let at_hand = in_file || password::from_environment(environment, &locked.key_file).is_some();
    let can_be_had = may_ask && (flags.password_file.is_some() || io::stdin().is_terminal());
    if !at_hand && !can_be_had {
        return Ok((context, None));
    }
    let password = of_file(&locked.key_file, flags, environment, output, tell).await?;
    if !output.is_json() {
        output.remark("… opening the key file for its address, once: about three seconds");
    }
    let context = learn(&context, &locked, &password, (flags, environment)).await?;
    Ok((context, Some(password)))
}

async fn read<T: Send + 'static>(
    from: impl FnOnce() -> Result<T, WalletError> + Send + 'static,
) -> Result<T, WalletError> {
    spawn_blocking(from).await.unwrap_or_else(|error| Err(WalletError::BrokeOff(error.to_string())))
}

/// Where a passphrase is to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Once: it opens what is there.
    Once,
    /// Twice: what is locked with a mistyped passphrase is lost.
    Twice,
    /// Not at all: only the file that is named.
    Never,
}

/// Why there is no passphrase.
#[derive(Debug, Error)]
pub enum PassphraseError {
    /// Its file, the standard input or the terminal.
    #[error(transparent)]
    Unread(WalletError),
    /// Nothing, or nothing but blanks.
    #[error("the passphrase is empty, and would protect nothing. Give one that nobody guesses")]
    Empty,
    /// What was typed twice was not the same.
    #[error("the two passphrases are not the same; nothing was done. Try again")]
    Differ,
}

impl From<WalletError> for PassphraseError {
    fn from(error: WalletError) -> Self {
        if matches!(error, WalletError::PasswordEmpty) { Self::Empty } else { Self::Unread(error) }
    }
}

/// The passphrase of the encrypted file; `None` where there is nowhere to get it from. What is odd about its file is told.
pub async fn passphrase(
    flags: &Flags,
    ask: Ask,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Option<SecretKey>, PassphraseError> {
    match flags.vault_passphrase_file.clone() {
        Some(file) if file != Path::new("-") => {
            let (passphrase, odd) = read(move || password::from_file(&file)).await?;
            odd.map(|odd| Diagnostic {
                cause: "Other users of this machine may read what opens your keys.".to_owned(),
                ..odd
            })
            .map(tell);
            Ok(Some(passphrase))
        }
        // At a terminal somebody would type it, which nobody is to see.
        Some(_) if !io::stdin().is_terminal() => Ok(Some(read(|| password::from_reader(io::stdin().lock())).await?)),
        _ if ask == Ask::Never || !io::stdin().is_terminal() => Ok(None),
        _ => asked(ask == Ask::Twice, output).await.map(Some),
    }
}

async fn asked(twice: bool, output: Output) -> Result<SecretKey, PassphraseError> {
    let first = typed("Passphrase of the encrypted file: ", output).await?;
    if first.expose().trim().is_empty() {
        return Err(PassphraseError::Empty);
    }
    if twice && typed("The same once more: ", output).await? != first {
        return Err(PassphraseError::Differ);
    }
    Ok(first)
}

/// Asks for a hotkey's password on the terminal.
async fn prompt(key_file: &Path, output: Output) -> Result<SecretKey, WalletError> {
    let name = key_file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let line = typed(&format!("Password of hotkey {}: ", sanitize(&name, 60)), output).await?;
    // As btcli takes a typed password.
    match line.expose().trim() {
        "" => Err(WalletError::PasswordEmpty),
        password => Ok(SecretKey::new(password)),
    }
}

/// One line from the terminal, without echo. The terminal is given back whatever happens, also when the question is given up.
async fn typed(question: &str, output: Output) -> Result<SecretKey, WalletError> {
    let silent = Silent::begin();
    output.ask(question);
    let answer = read(move || {
        // It never grows, since growing leaves a copy behind: no terminal gives a longer line.
        let mut line = Zeroizing::new(String::with_capacity(password::MAX_BYTES + 2));
        let from = "the terminal".to_owned();
        io::stdin().read_line(&mut line).map_err(|error| WalletError::PasswordUnreadable { from, error })?;
        Ok(SecretKey::new(line.trim_end_matches(['\r', '\n'])))
    });
    let answer = answer.await;
    drop(silent);
    output.ask("\n");
    answer
}

/// Something secret from the terminal, without echo and without the blanks around it.
pub async fn hidden(question: &str, output: Output) -> Result<SecretKey, WalletError> {
    let line = typed(question, output).await?;
    Ok(SecretKey::new(line.expose().trim()))
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
