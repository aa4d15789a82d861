//! A store's errors by their names. What a store says is text from outside.

use std::error::Error as StdError;

use keyring_core::Error;
use keyring_core::error::PlatformError;

use super::error::VaultError;
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::Backend;

/// Characters of a store's own words that are shown.
const SHOWN: usize = 200;

pub(super) const CHOOSE_FILE: &str = "On a host without a desktop choose the encrypted file with --vault file; on a \
                                      desktop, log in to it or start its keyring (gnome-keyring, KWallet, KeePassXC)";
const UNLOCK: &str = "Unlock it at its desktop (over ssh no question can be shown), or choose the encrypted file with \
                      --vault file";
const MAKE_KEYRING: &str = "Make a default keyring: log in at the desktop once, or use its password program (Seahorse, \
                            KWalletManager); or choose the encrypted file with --vault file";
const ALLOW: &str = "Allow it in the store's own settings, or choose another one with --vault";
pub(super) const UNIX_BUS: &str = "Unset DBUS_SESSION_BUS_ADDRESS, or set it to unix:path=/run/user/UID/bus; or choose the \
                                   encrypted file with --vault file";
const KEYCTL: &str = "Run this in a session that has a keyring of its own (a login, or keyctl session - COMMAND), or \
                      choose the encrypted file with --vault file";

/// The error of a store that is to be opened: whatever cannot be named is a store that is not there.
pub(super) fn unopened(backend: Backend, error: Error) -> VaultError {
    match failure(backend, error) {
        VaultError::Failed { why, .. } => VaultError::Missing { backend, why, todo: todo_missing(backend) },
        named => named,
    }
}

/// The error of a store that is open.
pub(super) fn failure(backend: Backend, error: Error) -> VaultError {
    let failed = |why: String| VaultError::Failed { backend, why };
    match error {
        Error::NoStorageAccess(error) => named(backend, error).unwrap_or_else(|error| match backend {
            Backend::Keyutils => VaultError::Missing { backend, why: shown(&*error), todo: KEYCTL },
            _ => VaultError::Locked { backend, why: shown(&*error), todo: todo_locked(backend) },
        }),
        Error::PlatformFailure(error) => named(backend, error).unwrap_or_else(|error| failed(shown(&*error))),
        // The others may hold what was stored: only their kind is told.
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => {
            failed("what it keeps is damaged".to_owned())
        }
        Error::Ambiguous(entries) => failed(format!("{} entries have the same name", entries.len())),
        Error::TooLong(what, most) => failed(format!("{} may have {most} characters at most", sanitize(&what, 40))),
        Error::NoEntry => failed("it has no such entry".to_owned()),
        _ => failed("it cannot do what was asked".to_owned()),
    }
}

fn shown(error: &dyn StdError) -> String {
    sanitize(&error.to_string(), SHOWN)
}

const fn todo_locked(backend: Backend) -> &'static str {
    match backend {
        Backend::SecretService => UNLOCK,
        Backend::Keychain => "Unlock it (security unlock-keychain), or choose the encrypted file with --vault file",
        _ => "Unlock it, then try again",
    }
}

const fn todo_missing(backend: Backend) -> &'static str {
    match backend {
        Backend::SecretService => CHOOSE_FILE,
        Backend::Keyutils => KEYCTL,
        _ => "Choose another store with --vault",
    }
}

/// What is known by its own type: an error of ours that went through the store's interface, or one of the Secret Service.
fn named(backend: Backend, error: PlatformError) -> Result<VaultError, PlatformError> {
    let error = match error.downcast::<VaultError>() {
        Ok(ours) => return Ok(*ours),
        Err(error) => error,
    };
    of_secret_service(backend, &error).ok_or(error)
}

#[cfg(not(target_os = "linux"))]
fn of_secret_service(_: Backend, _: &PlatformError) -> Option<VaultError> {
    None
}

#[cfg(target_os = "linux")]
fn of_secret_service(backend: Backend, error: &PlatformError) -> Option<VaultError> {
    use secret_service::Error as Service;
    let locked = |why: &str| VaultError::Locked { backend, why: why.to_owned(), todo: UNLOCK };
    Some(match error.downcast_ref::<Service>()? {
        Service::Locked => locked("it gives nothing out until it is unlocked"),
        Service::Prompt => locked("its question was dismissed, or could not be shown"),
        Service::PromptDisconnected => locked("it went away while it was asking"),
        Service::NoResult => {
            VaultError::Missing { backend, why: "it has no default keyring".to_owned(), todo: MAKE_KEYRING }
        }
        Service::Unavailable => VaultError::Missing {
            backend,
            why: "there is no session bus, or nothing on it that keeps secrets".to_owned(),
            todo: CHOOSE_FILE,
        },
        Service::Zbus(error) => on_the_bus(backend, &error.to_string()),
        Service::ZbusFdo(error) => on_the_bus(backend, &error.to_string()),
        other => VaultError::Failed { backend, why: shown(other) },
    })
}

/// Errors of D-Bus begin with their name, which is part of the protocol.
#[cfg(target_os = "linux")]
fn on_the_bus(backend: Backend, text: &str) -> VaultError {
    const LOCKED: [&str; 1] = ["org.freedesktop.Secret.Error.IsLocked"];
    const DENIED: [&str; 4] = [
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.AuthFailed",
        "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        "org.gnome.keyring.Error.Denied",
    ];
    const AWAY: [&str; 10] = [
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.NoServer",
        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.DBus.Error.Spawn",
        "org.freedesktop.DBus.Error.TimedOut",
        "I/O error",
        "Failed to connect",
        "handshake failed",
    ];
    let is = |names: &[&str]| names.iter().any(|name| text.contains(name));
    let why = sanitize(text, SHOWN);
    match () {
        () if is(&LOCKED) => VaultError::Locked { backend, why, todo: UNLOCK },
        () if is(&DENIED) => VaultError::Denied { backend, why, todo: ALLOW },
        () if is(&AWAY) => VaultError::Missing { backend, why, todo: CHOOSE_FILE },
        () => VaultError::Failed { backend, why },
    }
}
