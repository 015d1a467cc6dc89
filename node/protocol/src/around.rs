//! The nodes of homes around this one, and where they listen: so that a superior and its subordinates know
//! each other's further nodes before one of those has to report.
//!
//! A hello names the sender itself and the other nodes that it knows of its home, and of its superior's,
//! each by its chain. What is believed of them is in the chains alone: a node of this home or of a
//! subordinate is admitted, and a node of the superior is dialled.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{Chain, Role};
use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::effect::{Effect, NodeKey};
use crate::node::Node;
use crate::rows::{self, MemberRow};
use crate::settings::DialledPeer;
use crate::trust::{Standing, standing};
use crate::wire::{ADDRESS_BYTES, ADDRESSES, Hello, NODES_AROUND, NodeAt};

/// Under [`rows::META`]: a node around, by its key.
pub(crate) const AROUND: &[u8] = b"around/";

/// Most bytes of nodes in a hello: a quarter of what a hello may be, beside its chain and the writers'.
const HELLO_NODES_BYTES: usize = 16 * 1024;

/// Most nodes around that are remembered: a few of this home and of the superior's.
const REMEMBERED: usize = 64;

/// The nodes around.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Where this node itself is reached.
    reached: Vec<String>,
    /// Nodes of this home and of the superior's, as they were told.
    known: BTreeMap<NodeKey, NodeAt>,
}

/// What a hello says of nodes, in short.
pub(crate) fn digest_of(hello: &Hello) -> Digest {
    Digest::of(&to_vec(&hello.nodes))
}

impl Node {
    /// Where this node is reached, as its driver found; whoever is there is told.
    pub(crate) fn set_reached(&mut self, addresses: Vec<String>) {
        let fits = |it: &String| it.len() <= ADDRESS_BYTES;
        let addresses: Vec<String> = addresses.into_iter().filter(fits).take(ADDRESSES).collect();
        if addresses != self.around.reached {
            self.around.reached = addresses;
            self.greet_again();
        }
    }

    /// What a hello says: this node itself, the others of its home, and the superior's.
    pub(crate) fn nodes_around(&self) -> Vec<NodeAt> {
        let itself = NodeAt { chain: Vec::new(), addresses: self.around.reached.clone() };
        let known = self
            .around
            .known
            .iter()
            .filter(|(key, _)| self.trust.member(key).is_none_or(Result::is_ok));
        let mut room = HELLO_NODES_BYTES;
        let fits = |node: &NodeAt| {
            let bytes = node.chain.len() + node.addresses.iter().map(String::len).sum::<usize>();
            let left = room.checked_sub(bytes);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let all = core::iter::once(itself).chain(known.map(|(_, node)| node.clone()));
        all.take(NODES_AROUND).filter(fits).collect()
    }

    /// A peer that was just met names nodes.
    pub(crate) fn take_nodes(&mut self, peer: NodeKey, hello: &Hello) {
        let Some(greeted) = self.peers.greeted(&peer) else { return };
        let (of, at) = (greeted.standing, greeted.unit.clone());
        let mut news = false;
        for node in &hello.nodes {
            let itself = node.chain.is_empty();
            let chain = if itself { hello.chain.clone() } else { node.chain.clone() };
            let node = NodeAt { chain, addresses: node.addresses.clone() };
            news |= self.take_node(&node, (of, &at), itself);
        }
        self.publish_allow_list();
        if news {
            self.greet_again();
        }
    }

    /// Whether a node that was named is news to tell further.
    fn take_node(&mut self, node: &NodeAt, (of, at): (Standing, &UnitPath), itself: bool) -> bool {
        let now = self.context.now().wall;
        let Ok(chain) = Chain::from_cbor(&node.chain) else { return false };
        let Ok(verified) = self.trust.verify_any(&chain, now) else { return false };
        let key = NodeKey(verified.key().to_bytes());
        if verified.role() != Role::Node || key == self.key || !self.knows_authorities(&chain) {
            return false;
        }
        let unit = verified.unit();
        match (of, standing(&self.settings.unit, unit)) {
            (Standing::Subordinate, Some(Standing::Subordinate)) if unit == at => {
                self.admit_around(key, &chain);
                false
            }
            (Standing::Home, Some(Standing::Home)) => {
                self.admit_around(key, &chain);
                self.hear_of_home_terms();
                self.remember(key, node, itself)
            }
            (Standing::Home | Standing::Superior, Some(Standing::Superior)) => {
                let new = !self.around.known.contains_key(&key);
                let news = self.remember(key, node, of == Standing::Superior);
                if news {
                    self.dial_around(key);
                }
                // Addresses alone are not told further at once: two nodes may differ about them.
                news && new
            }
            _ => false,
        }
    }

    fn admit_around(&mut self, key: NodeKey, chain: &Chain) {
        if self.trust.member(&key).is_some() {
            return;
        }
        let now = self.context.now().wall;
        let row = MemberRow { key, chain: chain.to_cbor(), admitted_at: now };
        self.context.persist(rows::key(rows::MEMBER, &[&key.0]), Some(to_vec(&row)));
        self.trust.admit(row, now);
        self.context.counters.count("members", "named_by_a_peer");
        self.publish_allow_list();
    }

    /// Whether what was said of a node is news. Its addresses are those that it said itself, or that the
    /// superior did of its own; others' word counts where nothing is known.
    fn remember(&mut self, key: NodeKey, node: &NodeAt, believed: bool) -> bool {
        let held = self.around.known.get(&key);
        if held.is_none() && self.around.known.len() >= REMEMBERED {
            return false;
        }
        let mut kept = held.cloned().unwrap_or_else(|| node.clone());
        if rank(&node.chain) > rank(&kept.chain) {
            kept.chain.clone_from(&node.chain);
        }
        if !node.addresses.is_empty() && (believed || kept.addresses.is_empty()) {
            kept.addresses.clone_from(&node.addresses);
        }
        if held == Some(&kept) {
            return false;
        }
        self.context.persist(rows::key(rows::META, &[AROUND, &key.0]), Some(to_vec(&kept)));
        self.around.known.insert(key, kept);
        true
    }

    fn dial_around(&mut self, key: NodeKey) {
        let known = self.around.known.get(&key);
        let addresses = known.map(|node| node.addresses.clone()).unwrap_or_default();
        let dial = &mut self.settings.dial;
        let same = |it: &DialledPeer| it.key == key && it.addresses == addresses;
        if addresses.is_empty() || dial.iter().any(same) {
            return;
        }
        dial.retain(|it| it.key != key);
        dial.push(DialledPeer { key, addresses: addresses.clone() });
        self.context.act(Effect::Dial { peer: key, addresses });
    }

    /// A node around that this node's store remembers; one of the superior is dialled when it starts.
    pub(crate) fn restore_around(&mut self, value: &[u8]) -> Option<()> {
        let node: NodeAt = from_slice("node", value, value.len()).ok()?;
        let chain = Chain::from_cbor(&node.chain).ok()?;
        let key = NodeKey(chain.leaf().key().to_bytes());
        let above = chain.leaf().claims().is_some_and(|claims| {
            standing(&self.settings.unit, &claims.unit) == Some(Standing::Superior)
        });
        let dialled: BTreeSet<NodeKey> = self.settings.dial.iter().map(|it| it.key).collect();
        if above && !dialled.contains(&key) && !node.addresses.is_empty() {
            let addresses = node.addresses.clone();
            self.settings.dial.push(DialledPeer { key, addresses });
        }
        self.around.known.insert(key, node);
        Some(())
    }

    /// A node of this home was admitted here: whoever is there is told of it.
    pub(crate) fn note_home_node(&mut self, key: NodeKey, chain: &Chain) {
        let node = NodeAt { chain: chain.to_cbor(), addresses: Vec::new() };
        if !self.around.known.contains_key(&key) && self.remember(key, &node, false) {
            self.greet_again();
        }
    }
}

/// The later a chain's term, and its end, the newer it is.
fn rank(chain: &[u8]) -> Option<(Option<u64>, Timestamp)> {
    let chain = Chain::from_cbor(chain).ok()?;
    let leaf = chain.leaf();
    Some((leaf.claims().and_then(|claims| claims.term), leaf.validity().not_after))
}
