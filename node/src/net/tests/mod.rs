//! The network as a node sees it: real sockets on loopback, several nodes in one process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these measure by the clock of this machine"
)]

mod abuse;
mod enrolment;
mod exchange;
mod links;
mod many;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{
    InboundId, Net, NetCommand, NetConfig, NetEvent, NetHandle, NetLimits, PeerKey, Protocol,
    RequestId, SendFailure,
};

pub(crate) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(crate) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that a test drives by hand.
pub(crate) struct TestNode {
    pub(crate) handle: NetHandle,
    pub(crate) events: mpsc::Receiver<NetEvent>,
    pub(crate) key: PeerKey,
}

pub(crate) fn seed(number: u8) -> [u8; 32] {
    [number; 32]
}

pub(crate) fn key(number: u8) -> PeerKey {
    super::peer::key_pair(&seed(number)).unwrap().1
}

impl TestNode {
    pub(crate) fn start(number: u8, change: impl FnOnce(&mut NetConfig)) -> Self {
        let mut config = NetConfig::new(seed(number));
        config.allow_private_addresses = true;
        config.jitter_seed = u64::from(number);
        change(&mut config);
        let (handle, events) = Net::spawn(config).unwrap();
        let key = handle.local;
        Self { handle, events, key }
    }

    /// A node that listens; also its address.
    pub(crate) async fn listening(
        number: u8,
        listen: &str,
        change: impl FnOnce(&mut NetLimits),
    ) -> (Self, String) {
        let mut node = Self::start(number, |config| {
            config.listen = vec![listen.to_owned()];
            change(&mut config.limits);
        });
        let address = node
            .until("listening", |event| match event {
                NetEvent::Listening { address } => Some(address),
                _ => None,
            })
            .await;
        (node, address)
    }

    pub(crate) async fn command(&self, command: NetCommand) {
        self.handle.commands.send(command).await.unwrap();
    }

    pub(crate) async fn allow(&self, peers: &[PeerKey]) {
        self.command(NetCommand::Allow(peers.iter().copied().collect::<BTreeSet<_>>())).await;
    }

    pub(crate) async fn dial(&self, peer: PeerKey, address: &str) {
        let addresses = vec![address.to_owned()];
        self.command(NetCommand::Dial { peer, addresses }).await;
    }

    pub(crate) async fn send(&self, request: u64, peer: PeerKey, protocol: Protocol, bytes: &[u8]) {
        let (request, bytes) = (RequestId(request), bytes.to_vec());
        self.command(NetCommand::Send { request, peer, protocol, bytes }).await;
    }

    pub(crate) async fn respond(&self, inbound: InboundId, bytes: Vec<u8>) {
        self.command(NetCommand::Respond { inbound, bytes }).await;
    }

    /// The first event that `choose` wants; others are dropped.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut choose: impl FnMut(NetEvent) -> Option<T>,
    ) -> T {
        let wanted = async {
            loop {
                let event = self.events.recv().await.expect("the network task ended");
                if let Some(found) = choose(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, wanted).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    pub(crate) async fn connected(&mut self, to: PeerKey) -> bool {
        self.until("a connection", |event| match event {
            NetEvent::Connected { peer, dialled, .. } if peer == to => Some(dialled),
            _ => None,
        })
        .await
    }

    pub(crate) async fn disconnected(&mut self, from: PeerKey) -> super::DisconnectReason {
        self.until("the end of a connection", |event| match event {
            NetEvent::Disconnected { peer, reason } if peer == from => Some(reason),
            _ => None,
        })
        .await
    }

    pub(crate) async fn response(&mut self, to: u64) -> Result<Vec<u8>, SendFailure> {
        self.until("a response", |event| match event {
            NetEvent::Response { request, result, .. } if request == RequestId(to) => Some(result),
            _ => None,
        })
        .await
    }

    pub(crate) async fn request(&mut self) -> (InboundId, PeerKey, Protocol, Vec<u8>) {
        self.until("a request", |event| match event {
            NetEvent::Request { inbound, peer, protocol, bytes } => {
                Some((inbound, peer, protocol, bytes))
            }
            _ => None,
        })
        .await
    }

    /// From here on the node answers every request with the same bytes and a mark.
    pub(crate) fn echo(mut self) -> Echo {
        let task = tokio::spawn(async move {
            while let Some(event) = self.events.recv().await {
                if let NetEvent::Request { inbound, mut bytes, .. } = event {
                    bytes.push(b'!');
                    self.respond(inbound, bytes).await;
                }
            }
        });
        Echo(task)
    }
}

/// A node that answers by itself until this is dropped.
pub(crate) struct Echo(tokio::task::JoinHandle<()>);

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Two nodes that know each other, the second having dialled the first.
pub(crate) async fn pair(listen: &str, change: impl Fn(&mut NetLimits)) -> (TestNode, TestNode) {
    let (mut superior, address) = TestNode::listening(1, listen, &change).await;
    let mut subordinate = TestNode::start(2, |config| change(&mut config.limits));
    superior.allow(&[subordinate.key]).await;
    subordinate.allow(&[superior.key]).await;
    subordinate.dial(superior.key, &address).await;
    assert!(subordinate.connected(superior.key).await, "the subordinate dialled");
    assert!(!superior.connected(subordinate.key).await, "the superior did not");
    (superior, subordinate)
}
