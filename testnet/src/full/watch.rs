//! A command that does not outlive whoever asked for it: it runs in a group of its own, and when the
//! watcher's standard input ends, or SIGTERM or SIGINT comes, all of the group is ended.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// Longest wait for the group to end after SIGTERM; then it is killed.
const ENDING: Duration = Duration::from_secs(20);

/// How often it is looked whether the command has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the command until it ends; none: it was ended before.
///
/// # Errors
/// When it cannot be started.
pub fn watch(program: &OsString, arguments: &[OsString]) -> std::io::Result<Option<ExitStatus>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn()?;
    let group = child.id();
    let ended = runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            status = ended(&mut child) => status.map(Some),
            () = input_ended() => Ok(None),
            _ = terminate.recv() => Ok(None),
            _ = interrupt.recv() => Ok(None),
        }
    })?;
    if ended.is_none() {
        signal_group("-TERM", group);
        let gone = runtime.block_on(async {
            tokio::time::timeout(ENDING, ended_all(&mut child, group)).await.is_ok()
        });
        if !gone {
            signal_group("-KILL", group);
            child.wait()?;
        }
    }
    // The thread that reads the input may still wait for it.
    runtime.shutdown_background();
    Ok(ended)
}

async fn ended(child: &mut std::process::Child) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits for the command, and for what it started in its group.
async fn ended_all(child: &mut std::process::Child, group: u32) {
    // An error means that it has ended already.
    let _ = ended(child).await;
    while signal_group("-0", group) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether there was anybody to send it to.
fn signal_group(what: &str, group: u32) -> bool {
    let group = format!("-{group}");
    let sent = Command::new("kill").args([what, "--", &group]).stderr(Stdio::null()).status();
    sent.is_ok_and(|status| status.success())
}

async fn input_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: it may never end, and must not hold up the runtime.
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Nobody waits any more if the command has ended.
        let _ = ended.send(());
    });
    let _ = end.await;
}
