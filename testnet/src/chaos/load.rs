//! Clients that write to nodes all the time, through every fault, and remember what was acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve::client::{Client, ClientError};

use crate::trial::TrialError;
use crate::trial::cases::Known;
use crate::trial::load::{Tally, write};

/// Pause between two requests of one client: a steady load that leaves a small machine free for the rest.
const PAUSE: Duration = Duration::from_millis(60);

/// Pause before a client tries again at a node that did not answer.
const AGAIN: Duration = Duration::from_millis(100);

/// From here on a status says that the node cannot, not that the client may not.
const NODE_AT_FAULT: u16 = 500;

/// What a node says whose clock is before its own certificates.
const WRONG_CLOCK: &str = "no_writer";

/// One client, and what it knows.
struct Writer {
    /// At which node.
    node: usize,
    client: Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Shared {
    rest: AtomicBool,
    ended: AtomicBool,
    acknowledged: AtomicU64,
    open: AtomicU64,
    refused: Mutex<Option<ClientError>>,
}

/// The clients; ended when dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    writers: Vec<Arc<Writer>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts a client at each of these nodes: its ids begin as given. They rest at first.
    pub(super) fn start(at: Vec<(usize, Client, String)>, chance: &mut ChaCha8Rng) -> Self {
        let shared = Arc::new(Shared::default());
        shared.rest.store(true, Ordering::SeqCst);
        let writer = |(node, client, prefix): (usize, Client, String)| {
            Arc::new(Writer { node, client, known: Mutex::new(Known::beginning_with(&prefix)) })
        };
        let writers: Vec<Arc<Writer>> = at.into_iter().map(writer).collect();
        let start = |writer: &Arc<Writer>| {
            let (writer, shared) = (Arc::clone(writer), Arc::clone(&shared));
            let mut chance = ChaCha8Rng::seed_from_u64(chance.random());
            std::thread::spawn(move || keep_writing(&writer, &shared, &mut chance))
        };
        let threads = writers.iter().map(start).collect();
        Self { shared, writers, threads }
    }

    /// Lets them write.
    pub(super) fn go(&self) {
        self.shared.rest.store(false, Ordering::SeqCst);
    }

    /// Has them rest, and waits until no request is under way.
    ///
    /// # Errors
    /// When a node refused what it must accept.
    pub(super) fn rest(&self) -> Result<(), TrialError> {
        self.shared.rest.store(true, Ordering::SeqCst);
        for writer in &self.writers {
            drop(locked(&writer.known));
        }
        match locked(&self.shared.refused).take() {
            Some(error) => Err(TrialError::Trial(format!("a write was refused: {error}"))),
            None => Ok(()),
        }
    }

    /// What is known of the records at a node, if a client writes to it.
    pub(super) fn known(&self, node: usize) -> Option<MutexGuard<'_, Known>> {
        let writer = self.writers.iter().find(|writer| writer.node == node)?;
        Some(locked(&writer.known))
    }

    /// How many requests were acknowledged, and how many had no answer.
    pub(super) fn tally(&self) -> (u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.shared.acknowledged), of(&self.shared.open))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.rest.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // One that panicked has told so.
            let _ = thread.join();
        }
    }
}

fn keep_writing(writer: &Writer, shared: &Shared, chance: &mut ChaCha8Rng) {
    while !shared.ended.load(Ordering::SeqCst) {
        if !shared.rest.load(Ordering::SeqCst) {
            let mut known = locked(&writer.known);
            match write(&writer.client, &mut known, chance, &shared.rest, PAUSE) {
                Ok(Tally { acknowledged, open }) => {
                    shared.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
                    shared.open.fetch_add(open, Ordering::Relaxed);
                }
                Err(ClientError::Problem(problem))
                    if problem.status >= NODE_AT_FAULT || problem.code == WRONG_CLOCK =>
                {
                    shared.open.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    *locked(&shared.refused) = Some(error);
                    return;
                }
            }
        }
        std::thread::sleep(AGAIN);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
