//! A child that does not outlive whoever started it, however that one ends.
//!
//! Dropped, it is killed. Its [`Leash`] let go, it is killed. And if its starter is killed itself, its
//! standard input ends, on which `reeve run --until-eof` stops in good order.

use std::io::{Error, ErrorKind};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::stopwatch::now;

/// Longest wait for a process to end after it was told to.
const ENDING: Duration = Duration::from_secs(20);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Holds processes that were started with it, so that all can be ended from elsewhere: from a signal.
#[derive(Debug, Clone, Default)]
pub struct Leash(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    let_go: bool,
    children: Vec<Weak<Mutex<Child>>>,
}

impl Leash {
    /// Kills what was started with it; nothing more can be.
    pub fn let_go(&self) {
        let mut held = locked(&self.0);
        held.let_go = true;
        for child in held.children.drain(..).filter_map(|child| child.upgrade()) {
            // An error means that it has ended already.
            let _ = locked(&child).kill();
        }
    }

    /// Whether it was let go.
    #[must_use]
    pub fn is_let_go(&self) -> bool {
        locked(&self.0).let_go
    }

    /// Starts a process whose standard input is open for as long as this one lives.
    pub(crate) fn start(&self, command: &mut Command) -> std::io::Result<Guard> {
        let mut held = locked(&self.0);
        if held.let_go {
            return Err(Error::new(ErrorKind::Interrupted, "told to stop"));
        }
        let child = Arc::new(Mutex::new(command.stdin(Stdio::piped()).spawn()?));
        held.children.retain(|child| child.strong_count() > 0);
        held.children.push(Arc::downgrade(&child));
        Ok(Guard(child))
    }
}

/// A child; killed when dropped.
#[derive(Debug)]
pub(crate) struct Guard(Arc<Mutex<Child>>);

impl Guard {
    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        locked(&self.0).try_wait().ok().flatten()
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&self) {
        let mut child = locked(&self.0);
        // An error means that it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        locked(&self.0).id()
    }

    /// Sends it a signal by name, such as `STOP`; whether there is a `kill` to do so.
    pub(crate) fn signal(&self, name: &str) -> bool {
        Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().is_ok()
    }

    /// SIGTERM, and waits for the end. Where there is no `kill`, nothing happens here.
    pub(crate) fn stop(&self) {
        let told = self.signal("TERM");
        let began = now();
        while told && began.elapsed() < ENDING && self.ended().is_none() {
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a thread that panicked held is as good as before: each holder leaves it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
