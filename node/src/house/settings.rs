//! What the core is told at start, as far as the folder says it.

use std::collections::BTreeSet;
use std::sync::Arc;

use reeve_protocol::bugs::Bugs;
use reeve_protocol::consent::Accepted;
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::Question;
use reeve_protocol::settings::{DialledPeer, Purpose, Settings, Writer};
use reeve_protocol::wire::{NO_CHAIN, SignedList};
use reeve_statement::cert::Chain;

use super::entropy::Entropy;
use super::error::HouseError;
use super::{Admission, HeldList, House};
use crate::config::{EVERY_BASIS, Retention};

impl House {
    /// The core's settings.
    ///
    /// # Errors
    /// When the node has not joined, or the schema or policy cannot be read.
    pub fn settings(&self, entropy: &mut Entropy) -> Result<Settings, HouseError> {
        let identity = self.identity()?;
        let config = self.config();
        let dial = config.superior.iter().chain(&config.home).map(|peer| DialledPeer {
            key: NodeKey(peer.key.to_bytes()),
            addresses: peer.addresses.clone(),
        });
        let mut issued = self.issued()?;
        issued.sort_by_key(|it| (it.validity().not_before, it.digest()));
        Ok(Settings {
            bugs: Bugs::default(),
            issued: issued.iter().map(|it| it.der().to_vec()).collect(),
            roots: identity.roots.clone(),
            key: self.node_key().clone(),
            chain: identity.node.clone(),
            unit: identity.unit()?.clone(),
            term: identity.term()?,
            writer: Writer { key: self.writer_key().clone(), chain: identity.writer.clone() },
            schema: self.schema()?.map(Arc::new),
            time_zone: config.time_zone.clone(),
            policy: self.policy()?,
            accepted: accepted(&config.accepted_legal_bases),
            dial: dial.collect(),
            sources: config.sources.clone(),
            entropy: *entropy.draw()?,
            scheduled_retention: config.retention == Retention::Scheduled,
            purpose: Purpose {
                purpose: config.request.purpose.clone(),
                legal_basis: config.request.legal_basis.clone(),
            },
        })
    }
}

/// What is adopted without an act.
fn accepted(bases: &[String]) -> Accepted {
    if bases.iter().any(|basis| basis == EVERY_BASIS) {
        return Accepted::Everything;
    }
    let bases: BTreeSet<String> = bases.iter().cloned().collect();
    if bases.is_empty() { Accepted::Nothing } else { Accepted::LegalBases(bases) }
}

impl HeldList {
    /// The list as the core and its peers pass it on.
    pub fn signed(&self) -> SignedList {
        let chain = self.chain.as_ref().map_or_else(|| NO_CHAIN.to_vec(), Chain::to_cbor);
        SignedList { chain, list: self.list.der().to_vec() }
    }
}

impl Admission {
    /// What the core is asked.
    pub fn question(&self) -> Question {
        Question::Admit {
            chain: self.chain.clone(),
            names: self.names.clone(),
            time_zone: self.time_zone.clone(),
        }
    }
}
