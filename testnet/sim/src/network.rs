//! A network that is played: who is connected to whom, and which directions are blocked.

use std::collections::{BTreeMap, BTreeSet};

use reeve_protocol::NodeKey;

/// Names a connection; a new one between the same two has another number.
pub(crate) type LinkId = u64;

/// Connections and blocked directions.
#[derive(Debug, Default)]
pub(crate) struct Network {
    links: BTreeMap<(NodeKey, NodeKey), LinkId>,
    blocked: BTreeSet<(NodeKey, NodeKey)>,
    last: LinkId,
}

fn pair(a: NodeKey, b: NodeKey) -> (NodeKey, NodeKey) {
    if a < b { (a, b) } else { (b, a) }
}

impl Network {
    pub(crate) fn link(&self, a: NodeKey, b: NodeKey) -> Option<LinkId> {
        self.links.get(&pair(a, b)).copied()
    }

    pub(crate) fn connect(&mut self, a: NodeKey, b: NodeKey) {
        self.last += 1;
        self.links.insert(pair(a, b), self.last);
    }

    /// The connection that ended, if there was one.
    pub(crate) fn disconnect(&mut self, a: NodeKey, b: NodeKey) -> Option<LinkId> {
        self.links.remove(&pair(a, b))
    }

    /// Those whom a node is connected to.
    pub(crate) fn peers(&self, node: NodeKey) -> Vec<NodeKey> {
        let of_node = self.links.keys().filter(|(a, b)| *a == node || *b == node);
        of_node.map(|(a, b)| if *a == node { *b } else { *a }).collect()
    }

    /// Connections, in order.
    pub(crate) fn links(&self) -> Vec<(NodeKey, NodeKey)> {
        self.links.keys().copied().collect()
    }

    pub(crate) fn block(&mut self, from: NodeKey, to: NodeKey) {
        self.blocked.insert((from, to));
    }

    pub(crate) fn is_blocked(&self, from: NodeKey, to: NodeKey) -> bool {
        self.blocked.contains(&(from, to))
    }

    pub(crate) fn heal(&mut self) {
        self.blocked.clear();
    }
}
