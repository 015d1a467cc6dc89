//! The store thread: owns the store, does its blocking work, and groups commits.
//!
//! Syncing a disk takes about as long for a hundred batches as for one. So the thread takes every
//! commit that waits in its queue, up to a limit, makes them durable together and then answers
//! each one, in the order they came. A request after a commit sees that commit. The queue is
//! bounded: a full queue makes callers wait or be told so, it never grows.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::checked::Store;
use super::error::StoreError;
use super::port::{Batch, Page, ScanLimit};

/// Requests that may wait. Enough to keep the disk busy; beyond it the caller must slow down.
pub const QUEUE_LENGTH: usize = 1024;

/// Bytes of the batches that become one durable commit: bounds memory and the time to sync.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Batches that become one durable commit: bounds how long the first of them waits.
const GROUP_BATCHES: usize = QUEUE_LENGTH;

/// How long whoever waits believes in a store that does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often it is looked whether the store's thread has done anything.
    pub look: Duration,
    /// Looks in a row that see nothing done, after which the store counts as stalled. They are counted
    /// one by one, so that a process that was stopped for an hour has missed one of them and not all.
    pub idle_looks: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { look: Duration::from_secs(5), idle_looks: 12 }
    }
}

/// Names a commit for the caller who waits for it.
pub type Ticket = u64;

/// The answer to one commit.
#[derive(Debug)]
pub struct Committed {
    /// The caller's name for it.
    pub ticket: Ticket,
    /// The number of the durable commit it became part of, or why it did not.
    pub result: Result<u64, StoreError>,
}

type Operation = Box<dyn FnOnce(&mut Store, &Pulse) + Send>;

enum Request {
    Commit { ticket: Ticket, batch: Batch, reply: oneshot::Sender<Committed> },
    Call(Operation),
}

/// Whether the thread gets on with its work: an engine can wait for itself for ever after a failed write
/// (sled does), and a disk for its controller.
#[derive(Debug)]
struct Pulse {
    patience: Patience,
    /// Groups and operations done.
    done: AtomicU64,
    /// Somebody has waited in vain.
    stalled: AtomicBool,
}

impl Pulse {
    /// Waits as long as the thread gets on with its work.
    async fn while_it_beats<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut work = std::pin::pin!(work);
        let mut done = self.done.load(Ordering::Relaxed);
        let mut idle = 0;
        let Patience { look, idle_looks } = self.patience;
        while idle < idle_looks {
            tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                () = tokio::time::sleep(look) => {}
            }
            let now = self.done.load(Ordering::Relaxed);
            idle = if now == done { idle.saturating_add(1) } else { 0 };
            done = now;
        }
        self.stalled.store(true, Ordering::Relaxed);
        Err(StoreError::Stalled { waited: look.saturating_mul(idle_looks) })
    }

    fn beat(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Requests go in here; clones share the queue. The thread ends when the last one is dropped.
///
/// Nobody waits for ever: see [`StoreError::Stalled`]. The futures need tokio's timer.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    queue: mpsc::Sender<Request>,
    pulse: Arc<Pulse>,
}

/// The running thread.
#[derive(Debug)]
pub struct StoreThread {
    thread: JoinHandle<Result<(), StoreError>>,
    pulse: Arc<Pulse>,
}

/// Starts a thread that owns `store`.
pub fn start(store: Store) -> io::Result<(StoreHandle, StoreThread)> {
    start_with(store, Patience::default())
}

/// Starts a thread that owns `store`, with another patience than usual.
pub fn start_with(store: Store, patience: Patience) -> io::Result<(StoreHandle, StoreThread)> {
    let (queue, requests) = mpsc::channel(QUEUE_LENGTH);
    let (done, stalled) = (AtomicU64::new(0), AtomicBool::new(false));
    let pulse = Arc::new(Pulse { patience, done, stalled });
    let beating = Arc::clone(&pulse);
    let thread = thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || serve(store, requests, &beating))?;
    Ok((StoreHandle { queue, pulse: Arc::clone(&pulse) }, StoreThread { thread, pulse }))
}

impl StoreThread {
    /// Waits until every handle is dropped, the queue is done and the store is closed. Blocks; not for a
    /// store that has stalled, whose thread ends with the process.
    pub fn join(self) -> Result<(), StoreError> {
        if self.pulse.stalled.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        self.thread.join().unwrap_or(Err(StoreError::Closed))
    }
}

/// A commit under way. Answers come in the order the commits were accepted.
#[derive(Debug)]
pub struct Committing {
    ticket: Ticket,
    reply: oneshot::Receiver<Committed>,
    pulse: Arc<Pulse>,
}

impl Committing {
    /// Waits until the commit is durable or has failed.
    pub async fn done(self) -> Committed {
        let Self { ticket, reply, pulse } = self;
        match pulse.while_it_beats(reply).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(_)) => Committed { ticket, result: Err(StoreError::Closed) },
            Err(stalled) => Committed { ticket, result: Err(stalled) },
        }
    }
}

impl StoreHandle {
    /// Queues a commit; waits while the queue is full.
    pub async fn commit(&self, ticket: Ticket, batch: Batch) -> Result<Committing, StoreError> {
        let (request, committing) = self.commit_request(ticket, batch);
        self.send(request).await?;
        Ok(committing)
    }

    /// Queues a commit if there is room; gives the batch back if the queue is full or closed.
    pub fn try_commit(&self, ticket: Ticket, batch: Batch) -> Result<Committing, Batch> {
        match self.queue.try_reserve() {
            Ok(place) => {
                let (request, committing) = self.commit_request(ticket, batch);
                place.send(request);
                Ok(committing)
            }
            Err(_) => Err(batch),
        }
    }

    /// The value at `key`, after every commit queued before.
    pub async fn get(&self, key: impl Into<Vec<u8>>) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.into();
        self.call(move |store| store.get(&key)).await
    }

    /// A page of rows; see [`Store::scan`].
    pub async fn scan(
        &self,
        prefix: impl Into<Vec<u8>>,
        after: Option<Vec<u8>>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        let prefix = prefix.into();
        self.call(move |store| store.scan(&prefix, after.as_deref(), limit)).await
    }

    /// Runs `operation` on the store, between commits: verification, export, figures for `status`.
    pub async fn call<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call_with(move |store, _| operation(store)).await
    }

    /// Rewrites the store's files, see [`Store::rewrite`]; everything else waits for it.
    pub async fn rewrite(&self) -> Result<(), StoreError> {
        self.call_with(|store, pulse| store.rewrite(&mut || pulse.beat())).await
    }

    async fn call_with<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Store, &Pulse) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Call(Box::new(move |store, pulse| {
            // A caller who went away does not need the answer.
            let _ = reply.send(operation(store, pulse));
        }));
        self.send(request).await?;
        self.pulse.while_it_beats(answer).await?.unwrap_or(Err(StoreError::Closed))
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        let sent = self.pulse.while_it_beats(self.queue.send(request)).await?;
        sent.map_err(|_| StoreError::Closed)
    }

    fn commit_request(&self, ticket: Ticket, batch: Batch) -> (Request, Committing) {
        let (reply, answer) = oneshot::channel();
        let pulse = Arc::clone(&self.pulse);
        (Request::Commit { ticket, batch, reply }, Committing { ticket, reply: answer, pulse })
    }
}

fn serve(
    mut store: Store,
    mut requests: mpsc::Receiver<Request>,
    pulse: &Pulse,
) -> Result<(), StoreError> {
    let mut group = Group::default();
    while let Some(request) = requests.blocking_recv() {
        let mut next = group.take(request);
        while next.is_none() && !group.is_full() {
            let Ok(request) = requests.try_recv() else { break };
            next = group.take(request);
        }
        group.commit(&mut store);
        pulse.beat();
        if let Some(operation) = next {
            operation(&mut store, pulse);
            pulse.beat();
        }
    }
    store.close()
}

/// Batches that become durable together.
#[derive(Default)]
struct Group {
    batch: Batch,
    waiting: Vec<(Ticket, oneshot::Sender<Committed>, Result<(), StoreError>)>,
}

impl Group {
    /// Takes a commit in; gives anything else back, to be done after the group.
    fn take(&mut self, request: Request) -> Option<Operation> {
        match request {
            Request::Commit { ticket, batch, reply } => {
                let admitted = Store::admit(&batch);
                if admitted.is_ok() {
                    self.batch.append(batch);
                }
                self.waiting.push((ticket, reply, admitted));
                None
            }
            Request::Call(operation) => Some(operation),
        }
    }

    fn is_full(&self) -> bool {
        self.batch.bytes() >= GROUP_BYTES || self.waiting.len() >= GROUP_BATCHES
    }

    fn commit(&mut self, store: &mut Store) {
        if self.waiting.is_empty() {
            return;
        }
        let committed = store.write(std::mem::take(&mut self.batch));
        for (ticket, reply, admitted) in self.waiting.drain(..) {
            let result = admitted.and_then(|()| committed.clone());
            // A caller who went away does not need the answer.
            let _ = reply.send(Committed { ticket, result });
        }
    }
}
