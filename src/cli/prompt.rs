//! Questions on the terminal. Enter alone never agrees to anything.

use std::io::{self, IsTerminal as _};

use crate::cli::output::Output;
use crate::domain::diagnostic::Diagnostic;

/// Whether somebody is there to answer.
pub(super) fn can_ask(output: Output) -> bool {
    !output.is_json() && io::stdin().is_terminal()
}

/// Asks for a yes, typed in full.
pub(super) async fn agreed(output: Output, what: &str) -> bool {
    if !can_ask(output) {
        return false;
    }
    output.ask(&format!("{what}? Type yes to do it, anything else to leave it: "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let Ok(Ok(answer)) = answer.await else { return false };
    let answer = answer.trim();
    if answer != "yes" && !answer.is_empty() {
        output.remark("That is not the whole word yes: it was not done.");
    }
    answer == "yes"
}

/// The same for something that no flag agrees to: what it is and why it matters stands before the question.
pub(super) async fn agreed_to(output: Output, odd: &Diagnostic) -> bool {
    agreed(output, &format!("▲ {}. {} Write the keys there all the same", odd.summary, odd.cause)).await
}
