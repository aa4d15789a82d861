//! Opening the vault for a command: the passphrase where one is needed, and the exit code where it cannot be.

use crate::chain::ChainError;
use crate::cli::commands::fail;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::password::{Ask, PassphraseError, passphrase};
use crate::config::Flags;
use crate::domain::findings::Finding;
use crate::ops::context::Context;
use crate::ops::vault::{Opened, VaultProblem, Wanted, open, passphrase_wanted};
use crate::vault::VaultError;

/// Opens the vault of the configured hotkey, asking for the passphrase of the encrypted file where it is needed; or says
/// why not. What is odd on the way is told.
pub async fn opened(
    context: &Context,
    flags: &Flags,
    output: Output,
    tell: impl FnOnce(Finding),
) -> Result<Opened, Exit> {
    let failed = |problem: &VaultProblem| failure(output, problem);
    let ask = match passphrase_wanted(context).await.map_err(|problem| failed(&problem))? {
        None => None,
        Some(Wanted::Known) => Some(Ask::Once),
        Some(Wanted::New) => Some(Ask::Twice),
    };
    let passphrase = match ask {
        None => None,
        Some(ask) => passphrase(flags, ask, output, tell).await.map_err(|error| unasked(output, &error))?,
    };
    if passphrase.is_some() && !output.is_json() {
        output.remark("… opening the encrypted file: about a second");
    }
    open(context, passphrase).await.map_err(|problem| failed(&problem))
}

fn unasked(output: Output, error: &PassphraseError) -> Exit {
    fail(output, &error.to_string(), Exit::VaultUnavailable)
}

/// Says why the vault cannot be used.
pub fn failure(output: Output, problem: &VaultProblem) -> Exit {
    fail(output, &problem.to_string(), exit_of(problem))
}

/// The documented exit codes.
pub const fn exit_of(problem: &VaultProblem) -> Exit {
    match problem {
        VaultProblem::Chain(ChainError { fault, .. }) if fault.is_about_the_chain() => Exit::Usage,
        VaultProblem::Chain(_) => Exit::ChainUnreachable,
        VaultProblem::NoHotkey(_) | VaultProblem::Vault(VaultError::Unknown { .. } | VaultError::Elsewhere { .. }) => {
            Exit::Usage
        }
        VaultProblem::Vault(_) | VaultProblem::State(_) | VaultProblem::NoPlace | VaultProblem::Busy => {
            Exit::VaultUnavailable
        }
    }
}
