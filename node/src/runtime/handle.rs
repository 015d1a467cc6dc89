//! A handle on a running node, for the HTTP server, the test network and programs.

use reeve_policy::authz::{Person, Role, Scope};
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Ask, Failure, Question};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Asking, Presence};
use crate::store::StoreHandle;

/// One running node. Clones share it; it runs on until [`NodeHandle::stop`].
#[derive(Debug, Clone)]
pub struct NodeHandle {
    key: NodeKey,
    asks: mpsc::Sender<Asking>,
    stop: watch::Sender<bool>,
    presence: watch::Receiver<Presence>,
    store: StoreHandle,
}

impl NodeHandle {
    pub(super) const fn new(
        key: NodeKey,
        asks: mpsc::Sender<Asking>,
        stop: watch::Sender<bool>,
        presence: watch::Receiver<Presence>,
        store: StoreHandle,
    ) -> Self {
        Self { key, asks, stop, presence, store }
    }

    /// Asks the node something in a person's name; the policy decides whether it is answered.
    pub async fn ask(&self, who: Person, what: Question) -> Answer {
        let (reply, answer) = oneshot::channel();
        let stopped = || Answer::Failed(Failure::NotFound("running node"));
        if self.asks.send(Asking { ask: Ask { who, what }, reply }).await.is_err() {
            return stopped();
        }
        answer.await.unwrap_or_else(|_| stopped())
    }

    /// The node's key on the network.
    #[must_use]
    pub const fn key(&self) -> NodeKey {
        self.key
    }

    /// Where peers reach it.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.presence.borrow().addresses.clone()
    }

    /// Whether it serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.presence.borrow().ready
    }

    /// Waits until it listens at one address at least.
    pub async fn listening(&self) -> Vec<String> {
        let mut presence = self.presence.clone();
        // An error means that the node has stopped; it then listens nowhere.
        let _ = presence.wait_for(|presence| !presence.addresses.is_empty()).await;
        self.addresses()
    }

    /// Waits until it no longer serves.
    pub async fn stopped(&self) {
        let mut presence = self.presence.clone();
        // An error means that the loop is gone.
        let _ = presence.wait_for(|presence| presence.ended).await;
    }

    /// What it tells of itself, to be watched.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.clone()
    }

    /// The node's store, for figures of its size and its verification.
    #[must_use]
    pub const fn store(&self) -> &StoreHandle {
        &self.store
    }

    /// Tells the node to stop; see [`super::Running::stopped`].
    pub fn stop(&self) {
        // Nobody listens any more: it has stopped already.
        let _ = self.stop.send(true);
    }
}

/// A person of this machine that may do everything of a role: for programs that embed a node.
#[must_use]
pub fn local_person(name: &str, role: Role) -> Person {
    Person {
        name: name.to_owned(),
        role,
        kinds: Scope::All,
        areas: Scope::All,
        indicators: Scope::All,
    }
}
