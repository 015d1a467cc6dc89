//! How a node enters the network and holds on to it: configuration, start, and the handle.

use std::sync::Arc;

use libp2p::identity::Keypair;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::behaviour::Behaviour;
use super::driver::Driver;
use super::event::{NetCommand, NetError, NetEvent};
use super::limits::{NetLimits, QUEUE, TICK, UNNAMED_STREAMS, YAMUX_STREAMS};
use super::peer::{PeerKey, key_pair};
use super::tap::Tap;
use super::transport::{self, Streams};

/// How a node takes part in the network.
#[derive(Debug)]
pub struct NetConfig {
    /// The node key.
    pub seed: NodeSeed,
    /// Multiaddresses to listen on; port 0 lets the system choose.
    pub listen: Vec<String>,
    /// Bounds.
    pub limits: NetLimits,
    /// Whether peers may be dialled on loopback, link-local and private addresses.
    pub allow_private_addresses: bool,
    /// Seed of the chance that spreads redials.
    pub jitter_seed: u64,
    /// For tests: sees every application byte.
    pub tap: Option<Tap>,
}

impl NetConfig {
    /// A node with this key, with default limits, that listens nowhere yet.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed: NodeSeed(Zeroizing::new(seed)),
            listen: Vec::new(),
            limits: NetLimits::default(),
            allow_private_addresses: false,
            jitter_seed: 0,
            tap: None,
        }
    }
}

/// The secret Ed25519 seed of a node key; never printed, wiped after use.
#[derive(Clone)]
pub struct NodeSeed(Zeroizing<[u8; 32]>);

impl NodeSeed {
    /// A seed of these bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(super) fn key_pair(&self) -> Result<(Keypair, PeerKey), NetError> {
        key_pair(&self.0).ok_or(NetError::Key)
    }
}

impl std::fmt::Debug for NodeSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeSeed")
    }
}

const STREAMS: Streams = Streams { open: YAMUX_STREAMS, unnamed: UNNAMED_STREAMS };

/// The network of one node.
#[derive(Debug)]
pub struct Net;

impl Net {
    /// Starts the network task of a node in the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If the key is unusable or an address cannot be listened on.
    pub fn spawn(config: NetConfig) -> Result<(NetHandle, mpsc::Receiver<NetEvent>), NetError> {
        let (key, local) = config.seed.key_pair()?;
        let limits = Arc::new(config.limits.clone());
        let behaviour = Behaviour::new(&key, &limits, config.tap.clone());
        let mut swarm = transport::swarm(&key, behaviour, &limits, STREAMS)?;
        transport::listen(&mut swarm, &config.listen)?;
        let (commands, commanded) = mpsc::channel(QUEUE);
        let (events, reported) = mpsc::channel(QUEUE);
        let driver = Driver::new(swarm, limits, &config);
        let task = tokio::spawn(driver.run(commanded, events));
        Ok((NetHandle { local, commands, task }, reported))
    }
}

/// The node's end of the network task. Dropping it ends the task.
#[derive(Debug)]
pub struct NetHandle {
    /// Our own key.
    pub local: PeerKey,
    /// Where commands go. While too many events wait to be taken, this channel fills up: take
    /// events while waiting to send.
    pub commands: mpsc::Sender<NetCommand>,
    task: JoinHandle<()>,
}

impl NetHandle {
    /// Ends the task and waits until its sockets are closed.
    pub async fn shut_down(self) {
        let Self { commands, mut task, .. } = self;
        // The task takes no commands while it is behind with its events; it sees the closed
        // channel of events then, or is ended here.
        let asked = commands.try_send(NetCommand::Shutdown);
        drop(commands);
        if asked.is_err() || tokio::time::timeout(TICK * 10, &mut task).await.is_err() {
            task.abort();
            let _ = task.await;
        }
    }
}
