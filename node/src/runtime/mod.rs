//! The event loop: one task owns the protocol core and carries out its effects.
//!
//! Network, store and workers run apart; the loop meets them over bounded channels and futures, hands
//! what happens to the core, and carries out what the core says. It never waits for any one of them.
//! A commit that fails stops the node: nothing may be spoken after it.

mod api;
mod effects;
mod enrolment;
mod handle;
mod host;
mod translate;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use reeve_protocol::counters::Counters;
use reeve_protocol::effect::AskId;
use reeve_protocol::local::{Answer, Ask};
use reeve_protocol::rows::{RESTORED, format_key};
use reeve_protocol::{Input, Node, Settings, StartError};
use tokio::sync::{mpsc, oneshot, watch};

pub use api::{Api, ApiError, serve_api};
pub use enrolment::Porter;
pub use handle::{NodeHandle, local_person};
pub use host::{HostOptions, Hosted, host, store_config};

use crate::clock::Clock;
use crate::net::{Net, NetCommand, NetConfig, NetError, NetEvent, NetHandle};
use crate::store::{
    Room, ScanLimit, Store, StoreConfig, StoreError, StoreHandle, StoreThread, start as start_store,
};

/// Local asks that may wait for the loop: each holds a connection of the HTTP server.
const ASKS: usize = 256;

/// Rows read at a time while restoring.
const RESTORE_PAGE: usize = 4_096;

/// Inputs handed to the core in a row before the loop looks at its timers again.
const INPUTS_PER_TURN: usize = 64;

/// How often it is looked how much room the store's disk has.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// Local asks taken after so many events: peers that never pause must not keep the people of the house
/// from being answered.
const ASKS_PER_TURN: usize = 16;

/// What a node is started from.
#[derive(Debug)]
pub struct Parts {
    /// What the core is told.
    pub settings: Settings,
    /// Where its rows are.
    pub store: StoreConfig,
    /// How it takes part in the network.
    pub net: NetConfig,
}

/// Why a node does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node's folder.
    #[error(transparent)]
    House(Box<crate::house::HouseError>),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The store's thread.
    #[error("the store's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The network.
    #[error("the network: {0}")]
    Net(#[from] NetError),
    /// The settings or the rows.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The local API.
    #[error("the local API: {0}")]
    Api(Box<ApiError>),
    /// It failed, and its store does not close.
    #[error(
        "it failed, as the log says, and its store is not closed; it is checked at the next start"
    )]
    NotClosed,
    /// The network task ended.
    #[error("the network task ended; see the log")]
    NetEnded,
}

/// One local ask on its way.
#[derive(Debug)]
pub(crate) struct Asking {
    ask: Ask,
    reply: oneshot::Sender<Answer>,
}

/// What the loop tells others about itself.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// Where peers reach this node.
    pub addresses: Vec<String>,
    /// Whether it serves.
    pub ready: bool,
    /// Whether it has stopped for good.
    pub ended: bool,
    /// Whether it did so because something failed.
    pub failed: bool,
    /// The chains last put in force in place of those that it started with.
    pub renewed: Option<std::sync::Arc<Renewed>>,
}

/// Renewed chains, to be kept for the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The node's own, CBOR.
    pub node: Vec<u8>,
    /// Its writer's, CBOR.
    pub writer: Vec<u8>,
}

/// A running node: its loop, to be awaited.
#[derive(Debug)]
pub struct Running {
    task: tokio::task::JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// Waits until the node has stopped and its store is closed.
    ///
    /// # Errors
    /// Why it stopped, unless it was told to.
    pub async fn stopped(self) -> Result<(), RunError> {
        self.task.await.unwrap_or(Err(RunError::NetEnded))
    }
}

/// Opens the store, restores the core and starts the loop.
///
/// # Errors
/// [`RunError`]: the store, the network or the settings are at fault.
pub async fn start(parts: Parts) -> Result<(NodeHandle, Running), RunError> {
    let clock = Clock::start();
    let Parts { settings, store, net } = parts;
    let mut node = Node::new(settings, clock.now())?;
    let (node, store) = tokio::task::spawn_blocking(move || -> Result<_, RunError> {
        let (store, report) = Store::open(&store)?;
        tracing::info!(
            engine = report.engine,
            rows = report.rows,
            clean = report.clean,
            "store opened"
        );
        restore(&mut node, &store)?;
        Ok((node, store))
    })
    .await
    .unwrap_or(Err(RunError::NetEnded))?;
    let (store, thread) = start_store(store)?;
    let (net, events) = Net::spawn(net)?;
    let (asks, asked) = mpsc::channel(ASKS);
    let (stop, stopping) = watch::channel(false);
    let (present, presence) = watch::channel(Presence::default());
    let handle = NodeHandle::new(node.key(), asks, stop, presence, store.clone());
    let driver = Loop {
        node,
        clock,
        looking: look_for_room(store.clone(), Duration::ZERO),
        short: false,
        store,
        commands: net.commands.clone(),
        outgoing: VecDeque::new(),
        pending: FuturesUnordered::new(),
        asking: BTreeMap::new(),
        next_ask: 0,
        wake: None,
        counters: Counters::default(),
        present,
        clock_told: false,
        equivocations_told: 0,
    };
    let task = tokio::spawn(driver.run(net, events, asked, stopping, thread));
    Ok((handle, Running { task }))
}

fn look_for_room(store: StoreHandle, after: Duration) -> Looking {
    Box::pin(async move {
        tokio::time::sleep(after).await;
        store.call(|store| Ok(store.room())).await
    })
}

/// Hands every restored row to the core.
fn restore(node: &mut Node, store: &Store) -> Result<(), RunError> {
    Node::check_format(store.get(&format_key())?.as_deref())?;
    for prefix in RESTORED {
        let mut after = None;
        loop {
            let page = store.scan(prefix, after.as_deref(), ScanLimit::rows(RESTORE_PAGE))?;
            for (key, value) in &page.rows {
                node.restore(key, value)?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}

type Pending = BoxFuture<'static, Result<Input, StoreError>>;

/// A look at the room on the store's disk, under way.
type Looking = BoxFuture<'static, Result<Option<Room>, StoreError>>;

struct Loop {
    node: Node,
    clock: Clock,
    store: StoreHandle,
    commands: mpsc::Sender<NetCommand>,
    /// Commands that the network task has not taken yet, in order. Bounded by the core's own limits
    /// on what is under way.
    outgoing: VecDeque<NetCommand>,
    pending: FuturesUnordered<Pending>,
    asking: BTreeMap<AskId, oneshot::Sender<Answer>>,
    next_ask: u64,
    wake: Option<u64>,
    counters: Counters,
    present: watch::Sender<Presence>,
    /// Whether it was said that the clock is behind.
    clock_told: bool,
    /// How many proofs that subordinates keep two ledgers were told of.
    equivocations_told: usize,
    looking: Looking,
    short: bool,
}

impl Loop {
    async fn run(
        mut self,
        net: NetHandle,
        mut events: mpsc::Receiver<NetEvent>,
        mut asked: mpsc::Receiver<Asking>,
        mut stopping: watch::Receiver<bool>,
        thread: StoreThread,
    ) -> Result<(), RunError> {
        let room = (&mut self.looking).await?;
        self.on_room(room).await?;
        self.input(Input::Started).await?;
        self.present.send_modify(|presence| presence.ready = true);
        let ended = self.turn(&mut events, &mut asked, &mut stopping).await;
        self.present.send_modify(|presence| {
            presence.ready = false;
            presence.ended = true;
            presence.failed = ended.is_err();
        });
        if let Err(error) = &ended {
            tracing::error!(%error, "the node stops");
        }
        // What was persisted is finished; nothing new is begun.
        let finished = self.finish().await;
        // Whatever holds the store goes before its thread is waited for: work that nobody finishes any
        // more, and those who wait for answers, by whom the HTTP server holds it.
        drop((self, asked, events));
        net.shut_down().await;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        ended?;
        finished?;
        joined.unwrap_or(Err(StoreError::Closed)).or_else(|error| match error {
            // Other handles (the HTTP server's) may still hold the store open for a moment.
            StoreError::Closed => Ok(()),
            error => Err(error),
        })?;
        Ok(())
    }

    async fn turn(
        &mut self,
        events: &mut mpsc::Receiver<NetEvent>,
        asked: &mut mpsc::Receiver<Asking>,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), RunError> {
        let commands = self.commands.clone();
        loop {
            let wake = self.wake.map(|at| tokio::time::Instant::from_std(self.clock.instant(at)));
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = stopping.changed() => return Ok(()),
                Some(done) = self.pending.next(), if !self.pending.is_empty() => {
                    self.input(done?).await?;
                }
                permit = commands.reserve(), if !self.outgoing.is_empty() => {
                    let permit = permit.map_err(|_| RunError::NetEnded)?;
                    if let Some(command) = self.outgoing.pop_front() {
                        permit.send(command);
                    }
                }
                event = events.recv() => {
                    let event = event.ok_or(RunError::NetEnded)?;
                    self.on_net(event).await?;
                    // More that is there already is taken in one go.
                    for _ in 1..INPUTS_PER_TURN {
                        let Ok(event) = events.try_recv() else { break };
                        self.on_net(event).await?;
                    }
                    for _ in 0..ASKS_PER_TURN {
                        let Ok(asking) = asked.try_recv() else { break };
                        self.on_asking(asking).await?;
                    }
                }
                Some(asking) = asked.recv() => self.on_asking(asking).await?,
                () = sleep => {
                    self.wake = None;
                    self.input(Input::Wake).await?;
                }
                room = &mut self.looking => self.on_room(room?).await?,
            }
        }
    }

    /// Tells the core when space runs short, and when there is enough again; then looks again in a while.
    async fn on_room(&mut self, room: Option<Room>) -> Result<(), RunError> {
        self.looking = look_for_room(self.store.clone(), LOOK_FOR_ROOM);
        let Some(Room { free, short }) = room else { return Ok(()) };
        if short == self.short {
            return Ok(());
        }
        self.short = short;
        if short {
            tracing::error!(
                free,
                "the store's disk is full, or nearly: records and reports are refused until there is space"
            );
        } else {
            tracing::info!(free, "the store's disk has space again");
        }
        self.input(Input::Space { short }).await
    }

    async fn on_asking(&mut self, Asking { ask: what, reply }: Asking) -> Result<(), RunError> {
        let ask = AskId(self.next_ask);
        self.next_ask = self.next_ask.saturating_add(1);
        self.asking.insert(ask, reply);
        self.input(Input::Ask { ask, what: Box::new(what) }).await
    }

    /// Waits for commits under way, so that a clean stop loses nothing that was begun.
    async fn finish(&mut self) -> Result<(), RunError> {
        while let Some(done) = self.pending.next().await {
            if let Input::Persisted(_) = done? {}
        }
        Ok(())
    }

    async fn input(&mut self, input: Input) -> Result<(), RunError> {
        self.node.handle(self.clock.now(), input);
        self.tell_clock();
        self.tell_equivocations();
        for effect in self.node.drain() {
            self.carry_out(effect).await?;
        }
        Ok(())
    }

    /// Says so when the clock is too far back to sign, and when it is right again.
    fn tell_clock(&mut self) {
        let behind = self.node.clock_behind();
        if behind.is_some() == self.clock_told {
            return;
        }
        self.clock_told = behind.is_some();
        match behind {
            Some(ms) => tracing::error!(
                seconds = ms / 1_000,
                "the clock is behind what was signed last: nothing is signed until it is right"
            ),
            None => tracing::info!("the clock is right again: figures are signed"),
        }
    }

    /// Says so when a subordinate is proven to keep two ledgers.
    fn tell_equivocations(&mut self) {
        let proven = self.node.equivocations();
        if proven > self.equivocations_told {
            tracing::error!(
                proven,
                "a subordinate has signed two ledgers in one term: nothing it signs in that term is taken \
                 any more; `reeve status` names it, `reeve ledger equivocations` writes the proof"
            );
        }
        self.equivocations_told = proven;
    }

    async fn on_net(&mut self, event: NetEvent) -> Result<(), RunError> {
        match event {
            NetEvent::Listening { address } => {
                tracing::info!(%address, "listening");
                self.present.send_modify(|presence| presence.addresses.push(address));
                Ok(())
            }
            NetEvent::ListenerClosed { addresses, reason } => {
                tracing::error!(?addresses, %reason, "no longer listening");
                self.present.send_modify(|presence| {
                    presence.addresses.retain(|address| !addresses.contains(address));
                });
                Ok(())
            }
            NetEvent::Refused { what, count, .. } => {
                self.counters.add("refused_connections", translate::refusal_label(what), count);
                Ok(())
            }
            NetEvent::DialFailed { peer, reason, .. } => {
                self.counters.count("dials", "failed");
                tracing::debug!(%peer, %reason, "peer not reached");
                Ok(())
            }
            other => match translate::input(other) {
                Some(input) => self.input(input).await,
                None => Ok(()),
            },
        }
    }
}
