//! The `grail-console` binary: harden the process, hand over, leave with the documented exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    grail_console::cli::harden_process();
    grail_console::cli::run(std::env::args_os()).into()
}
