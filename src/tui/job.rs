//! The console as a job of a shell: stopping so that the shell comes back, and waiting for the foreground.

use std::io;
use std::time::Duration;

use rustix::process::{Signal, getpgrp, getpid, getppid, getsid, kill_current_process_group, kill_process};
use rustix::termios::tcgetpgrp;

/// How often, and how many times at most, a process that was stopped for being in the background looks again.
const LOOKS: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);

/// Whether somebody would continue this process when it stops: a shell of the same session that gave it a process group
/// of its own. Otherwise the system ignores the request to stop, and so does the console.
pub(super) fn has_shell() -> bool {
    let session = getsid(None).ok();
    let parents = getppid().and_then(|parent| getsid(Some(parent)).ok());
    session.is_some() && parents == session && session != Some(getpgrp())
}

/// Asks the process group to stop, as ctrl-z does on a terminal that is not raw. `false` when nobody would continue it.
pub(super) fn ask_to_stop() -> io::Result<bool> {
    if !has_shell() {
        return Ok(false);
    }
    kill_current_process_group(Signal::TSTP)?;
    Ok(true)
}

/// Stops this process until it is continued; to be called when the terminal was given back. The process may run on for a
/// moment after this returns.
pub(super) fn stop() -> io::Result<()> {
    Ok(kill_process(getpid(), Signal::STOP)?)
}

/// Waits, stopped, until the terminal is this process group's: what is set up in the background takes the terminal from
/// the shell.
pub(super) fn wait_for_foreground() -> io::Result<()> {
    for _ in 0..LOOKS {
        match tcgetpgrp(io::stdout()) {
            Ok(foreground) if foreground != getpgrp() => {
                kill_current_process_group(Signal::TTOU)?;
                std::thread::sleep(BETWEEN);
            }
            // A terminal that belongs to no session, or to another one, has no foreground to wait for.
            _ => return Ok(()),
        }
    }
    Err(io::Error::other("the terminal is in use by another program"))
}
