//! What a file would change: its records held against the node's, by hashes, shard by shard.

use std::collections::BTreeMap;

use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Kind;
use reeve_protocol::local::Sweep;
use reeve_statement::digest::Digest;
use reeve_statement::unit::UnitId;
use serde::Serialize;

use super::CommandError;
use crate::api::{Records, Written};
use crate::client::{Client, escaped};
use crate::import::Checked;

/// What a file would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Difference {
    pub(super) inserted: u64,
    pub(super) changed: u64,
    pub(super) deleted: u64,
    pub(super) unchanged: u64,
}

impl Difference {
    pub(super) fn written(&self) -> Written {
        let Self { inserted, changed, deleted, unchanged } = *self;
        Written { inserted, changed, deleted, unchanged }
    }
}

/// Sixteen bytes for a record's content.
fn content(record: &Record) -> [u8; 16] {
    let digest = Digest::of(&record.to_cbor());
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Compares a file with the records of the node. Reads both once; keeps 32 bytes for each record of
/// the file.
pub(super) fn compare(
    client: &Client,
    checked: &Checked,
    unit: Option<&UnitId>,
) -> Result<Difference, CommandError> {
    let kind = checked.mapping().kind();
    let mut shard = 0;
    // Asked first, so that nothing is read for someone who may not compare.
    let mut page = records(client, kind, shard)?;
    let mut file = contents(checked, unit)?;
    let sweep = checked.sweep(unit);
    let mut difference = Difference::default();
    loop {
        for held in &page.records {
            let (id, record) = parse(kind, held)?;
            match file.remove(&Sweep::hash(&id)) {
                Some(says) if says == content(&record) => difference.unchanged += 1,
                Some(_) => difference.changed += 1,
                None if sweep.as_ref().is_some_and(|sweep| sweep.removes(&id, &record)) => {
                    difference.deleted += 1;
                }
                None => {}
            }
        }
        shard += 1;
        if shard >= page.shards {
            difference.inserted = u64::try_from(file.len()).unwrap_or(u64::MAX);
            return Ok(difference);
        }
        page = records(client, kind, shard)?;
    }
}

fn contents(
    checked: &Checked,
    unit: Option<&UnitId>,
) -> Result<BTreeMap<[u8; 16], [u8; 16]>, CommandError> {
    let mut contents = BTreeMap::new();
    for batch in checked.batches()? {
        let batch = batch?;
        if batch.unit.as_ref() == unit {
            let says = batch.puts.iter();
            contents.extend(says.map(|put| (Sweep::hash(&put.id), content(put.record.record()))));
        }
    }
    Ok(contents)
}

fn records(client: &Client, kind: &Kind, shard: u32) -> Result<Records, CommandError> {
    let kind = escaped(kind.id.as_str());
    Ok(client.get(&format!("/v1/records/{kind}?shard={shard}"))?)
}

fn parse(kind: &Kind, held: &crate::api::RecordView) -> Result<(RecordId, Record), CommandError> {
    let senseless = || {
        CommandError::Failed(
            "the node's records do not fit its schema; stop the node and run `reeve verify`"
                .to_owned(),
        )
    };
    let id = RecordId::new(&held.id).map_err(|_| senseless())?;
    let record = Record::from_json(kind, &held.record).map_err(|_| senseless())?;
    Ok((id, record))
}
