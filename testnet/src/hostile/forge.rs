//! What a member of a federation can say that our program would not: messages signed with its own
//! right keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve::clock::wall;
use reeve::house::House;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{Author, HomeId, RecordOp, Shard};
use reeve_protocol::wire::{Blob, Hello, HelloAnswer, Upward, WIRE_VERSION, decode};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::Chain;
use reeve_statement::cert::name::dns_name;
use reeve_statement::cose::sign;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::{Notice, NoticeCode};
use reeve_statement::period::Period;
use reeve_statement::release::{Conditions, Decision};
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::unit::UnitPath;
use serde_json::json;

use super::HostileError;

/// The indicator that hostile figures are of: one of the epidemic pack.
pub(super) const INDICATOR: &str = "confirmed_by_day";

/// The kind of the records that a hostile home node makes.
const KIND: &str = "case";

/// Bytes of each of the policy names that make a notice long.
const NAME: usize = 500;

/// Most of them.
pub(super) const NAMES: usize = 64;

/// A member of the federation whose keys the attacker holds.
pub(super) struct Member {
    /// Its unit.
    pub(super) unit: UnitPath,
    key: SecretKey,
    writer: SecretKey,
    writer_chain: Chain,
    chain: Chain,
    term: u64,
    federation: FederationId,
    origin: Origin,
    schema: Arc<Schema>,
}

impl Member {
    /// The member whose keys are in this folder.
    pub(super) fn of(house: &House, schema: &Schema) -> Result<Self, HostileError> {
        let identity = house.identity()?;
        let unit = identity.unit()?.clone();
        let name = dns_name(&unit, identity.roots.domain()).map_err(HostileError::text)?;
        Ok(Self {
            unit,
            key: house.node_key().clone(),
            writer: house.writer_key().clone(),
            writer_chain: identity.writer.clone(),
            chain: identity.node.clone(),
            term: identity.term()?.unwrap_or(0),
            federation: identity.roots.federation(),
            // The second node of a home has no term, and shows no ledger.
            origin: Origin::of(&name, identity.term()?.unwrap_or(1)).map_err(HostileError::text)?,
            schema: Arc::new(schema.clone()),
        })
    }

    /// The seed of its node key.
    pub(super) fn seed(&self) -> [u8; 32] {
        *self.key.seed()
    }

    /// Its hello.
    pub(super) fn hello(&self) -> Vec<u8> {
        to_vec(&Hello {
            version: WIRE_VERSION,
            federation: self.federation,
            chain: self.chain.to_cbor(),
            clock: wall(),
            term: self.term,
            catalogue_version: 0,
            writers: vec![Blob(self.writer_chain.to_cbor())],
            nodes: Vec::new(),
        })
    }

    /// A notice about a day, with so many long names in it.
    pub(super) fn notice(
        &self,
        day: Period,
        edition: u64,
        names: usize,
    ) -> Result<Vec<u8>, HostileError> {
        let decision = Decision {
            policy_set: Digest::ZERO,
            determining: (0..names).map(|name| format!("{name:0>NAME$}")).collect(),
            conditions: Conditions::default(),
            declarations: Vec::new(),
            adoption: None,
            asked: None,
        };
        let notice = Notice {
            class: RecipientClass::Superior,
            indicator: IndicatorId::new(INDICATOR).map_err(HostileError::text)?,
            definition: None,
            period: Some(day),
            edition,
            previous: (edition > 1).then_some(Digest::ZERO),
            code: NoticeCode::NoReport,
            request: None,
            decision: (names > 0).then_some(decision),
        };
        let above = self.unit.parent().ok_or_else(|| HostileError::text("no superior"))?;
        let statement = Statement {
            version: VERSION,
            federation: self.federation,
            issuer: self.unit.clone(),
            term: self.term,
            audience: Audience::Unit(above),
            onward: Onward::Aggregate,
            issued_at: wall(),
            valid_until: None,
            witnessed: None,
            body: Body::Notice(notice),
        };
        let signed = sign(&statement, &self.key, &self.chain).map_err(HostileError::text)?;
        Ok(signed.to_bytes())
    }

    /// The delivery of a statement, with the checkpoint of a ledger of that size.
    pub(super) fn delivery(&self, statement: Vec<u8>, ledger: u64) -> Vec<u8> {
        let root = Digest::of(&ledger.to_be_bytes());
        let origin = self.origin.clone();
        let checkpoint = Checkpoint { origin, size: ledger, root }.sign(&self.key);
        to_vec(&Upward::Deliver { statement: Blob(statement), checkpoint })
    }

    /// Signed changes of so many records, each written once more after that: all by this member's
    /// one writer, as a home node would pass them on.
    pub(super) fn changes(&self, records: usize) -> Result<Vec<Vec<u8>>, HostileError> {
        /// Records of one change.
        const AT_ONCE: usize = 200;
        let home = HomeId::of(&self.federation, self.unit.leaf());
        let author = Author::new(self.writer.clone(), self.key.public().key_id(), 1);
        let missing = || HostileError::text("the schema has no cases");
        let kind = self.schema.kind(KIND).cloned().ok_or_else(missing)?;
        let case = json!({
            "status": "confirmed", "reported_on": "2020-02-01", "age": 3, "sex": "male",
        });
        let fields = case.as_object().cloned().ok_or_else(missing)?;
        let record = Record::from_json(&kind, &fields).map_err(|_| missing())?;
        let record = kind.validate(record).map_err(|_| missing())?;
        let mut shards: BTreeMap<u32, Shard> = BTreeMap::new();
        let mut changes = Vec::new();
        let ids: Vec<usize> = (0..records).collect();
        for some in ids.chunks(AT_ONCE) {
            let mut by_shard: BTreeMap<u32, Vec<RecordOp>> = BTreeMap::new();
            for number in some {
                let id = RecordId::new(&format!("hostile-{number}")).map_err(HostileError::text)?;
                let index = kind.shard_of(&id);
                let put = RecordOp::Put { id, record: record.clone() };
                by_shard.entry(index).or_default().push(put);
            }
            for (index, ops) in by_shard {
                let shard = shards
                    .entry(index)
                    .or_insert_with(|| Shard::new(home, Arc::clone(&kind), index, 0));
                let written = shard.write(&author, ops, wall()).map_err(HostileError::text)?;
                changes.extend(written.changes.iter().map(|change| change.as_bytes().to_vec()));
            }
        }
        Ok(changes)
    }
}

/// Whether an answer to a hello is a welcome.
pub(super) fn is_welcome(answer: &[u8]) -> bool {
    matches!(decode::<HelloAnswer>(answer), Ok(HelloAnswer::Welcome(_)))
}
