//! The console as a job of a shell: stopping so that the shell comes back, and waiting for the foreground.

use std::io;
use std::time::Duration;

use nix::unistd::{Pid, getpgrp, getppid, getsid};
use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use rustix::termios::tcgetpgrp;

/// How often, and how many times at most, a process that was stopped for being in the background looks again.
const LOOKS: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);

/// What the system calls a process, a group or a session of another PID namespace: the caller of a container, for example.
const OUTSIDE: Pid = Pid::from_raw(0);

/// Whether somebody would continue this process when it stops: a shell of the same session that gave it a process group
/// of its own. Otherwise the system ignores the request to stop, and so does the console.
pub(super) fn has_shell() -> bool {
    let parent = getppid();
    // Asked about process 0, the system answers about the process that asks.
    let parents = if parent == OUTSIDE { Ok(OUTSIDE) } else { getsid(Some(parent)) };
    is_job(getsid(None).unwrap_or(OUTSIDE), getpgrp(), parents.unwrap_or(OUTSIDE))
}

/// Whether a process with this session and group is a job of a parent with that session.
fn is_job(session: Pid, group: Pid, parents: Pid) -> bool {
    session != OUTSIDE && parents == session && session != group
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
            Ok(foreground) if foreground.as_raw_nonzero().get() != getpgrp().as_raw() => {
                kill_current_process_group(Signal::TTOU)?;
                std::thread::sleep(BETWEEN);
            }
            // A terminal that belongs to no session, or to another one, has no foreground to wait for.
            _ => return Ok(()),
        }
    }
    Err(io::Error::other("the terminal is in use by another program"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::job_of_a_shell(10, 20, 10, true)]
    #[case::shell_without_jobs(10, 10, 10, false)]
    #[case::session_leader(20, 20, 10, false)]
    // `docker exec` and `nsenter`: the parent, its session or both are not of this container.
    #[case::parent_is_outside(20, 20, 0, false)]
    #[case::session_is_outside(0, 20, 0, false)]
    #[case::all_is_outside(0, 0, 0, false)]
    fn only_a_job_of_a_shell_is_continued(
        #[case] session: i32,
        #[case] group: i32,
        #[case] parents: i32,
        #[case] expected: bool,
    ) {
        assert_eq!(is_job(Pid::from_raw(session), Pid::from_raw(group), Pid::from_raw(parents)), expected);
    }
}
