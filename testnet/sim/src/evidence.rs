//! What a played federation leaves to an auditor: the files of a proof bundle.

use std::collections::BTreeMap;

use reeve_audit::{
    CHECKPOINTS, CHUNKS, FIGURE, LISTS, LedgerProof, PROOFS, ROOTS, STATEMENTS, WITNESSES,
};
use reeve_protocol::effect::NodeKey;
use reeve_protocol::rows::{self, CosignedRow, SentRow};
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::{Chain, dns_name};
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::{Frontier, NodeAddress, inclusion_proof, leaf_hash};

use crate::check::entries_of;
use crate::registry::node_key;
use crate::sim::Sim;

/// A file's place in the bundle.
fn place((folder, ending): (&str, &str), name: impl core::fmt::Display) -> String {
    format!("{folder}/{name}.{ending}")
}

impl Sim {
    /// Everything on all disks, and the last of each of the top's figures, and its bulletins, as what it is
    /// about.
    pub(crate) fn evidence(&self) -> Vec<(String, Vec<u8>)> {
        let top = self.plan.units[0].clone();
        let told = self.seen.last.iter().filter(|((unit, _), _)| *unit == top);
        let told = told.map(|(_, known)| known.digest);
        let prefix = rows::BULLETIN;
        let disk = &self.disks[&self.reporter(&top)].rows;
        let bulletins =
            disk.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        let bulletins =
            bulletins.map(|(key, _)| Digest::from_bytes(key[prefix.len()..].try_into().unwrap()));
        let figures: String = told.chain(bulletins).map(|it| format!("{it}\n")).collect();
        let mut files = BTreeMap::from([
            (FIGURE.to_owned(), figures.into_bytes()),
            (ROOTS.to_owned(), self.registry.roots.encode()),
        ]);
        for (number, list) in self.registry.empty_lists().into_iter().enumerate() {
            files.insert(place(LISTS, number), list.into_bytes());
        }
        for (key, disk) in &self.disks {
            for (row, bytes) in &disk.rows {
                if row.starts_with(rows::CHUNK) {
                    files.insert(place(CHUNKS, Digest::of(bytes)), bytes.clone());
                } else if row.starts_with(rows::STATEMENT) {
                    let signed = Signed::decode(bytes).unwrap();
                    let chain = self.registry.chain_of(&signed.unverified_leaf_digest());
                    let signed = chain.map_or(signed.clone(), |chain| signed.with_chain(&chain));
                    files.insert(place(STATEMENTS, signed.digest()), signed.to_bytes());
                } else if row.starts_with(rows::COSIGNED) {
                    let cosigned: CosignedRow = from_slice("row", bytes, bytes.len()).unwrap();
                    let name = Digest::of(cosigned.note.as_bytes());
                    files.insert(place(CHECKPOINTS, name), cosigned.note.into_bytes());
                    let witness = Chain::from_cbor(&cosigned.chain).unwrap();
                    let chain = witness.to_pem().into_bytes();
                    files.insert(place(WITNESSES, witness.leaf_digest()), chain);
                    for auditor in cosigned.also.into_iter().flatten() {
                        let witness = Chain::from_cbor(&auditor.chain).unwrap();
                        let chain = witness.to_pem().into_bytes();
                        files.insert(place(WITNESSES, witness.leaf_digest()), chain);
                    }
                }
            }
            let term = self.places[key].term.unwrap_or(0);
            for (digest, proof) in self.proofs(*key, term) {
                files.insert(place(PROOFS, digest), proof.to_string().into_bytes());
            }
        }
        files.into_iter().collect()
    }

    /// That each statement of a term is in the ledger, as its disk holds it.
    fn proofs(&self, at: NodeKey, term: u64) -> Vec<(Digest, LedgerProof)> {
        let ledger = entries_of(&self.disks[&at], term);
        let (mut tree, mut nodes) = (Frontier::new(), BTreeMap::<NodeAddress, Digest>::new());
        for entry in ledger.values() {
            nodes.extend(tree.append(leaf_hash(entry.as_bytes())).unwrap());
        }
        let place = &self.places[&at];
        let name = dns_name(&place.unit, self.registry.roots.domain()).unwrap();
        let origin = Origin::of(&name, term).unwrap();
        let head = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let checkpoint = head.sign(&node_key(&place.unit, &place.label));
        let mut cosigned: Vec<CosignedRow> = Vec::new();
        let of_term = rows::key(rows::COSIGNED, &[&term.to_be_bytes()]);
        let rows_of_term = self.disks[&at].rows.range(of_term.clone()..);
        for (_, row) in rows_of_term.take_while(|(key, _)| key.starts_with(&of_term)) {
            cosigned.push(from_slice("row", row, row.len()).unwrap());
        }
        let prefix = rows::key(rows::SENT, &[&term.to_be_bytes()]);
        let sent = self.disks[&at].rows.range(prefix.clone()..);
        sent.take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(_, value)| {
                let row = from_slice::<SentRow>("sent", value, value.len()).unwrap();
                // The first that a witness has cosigned with it, else the ledger as it is.
                let seen = cosigned.iter().find(|it| it.size > row.index);
                let size = seen.map_or(tree.size(), |it| it.size);
                let checkpoint = seen.map_or(&checkpoint, |it| &it.note).clone();
                let path = inclusion_proof(&nodes, row.index, size).unwrap();
                (row.statement, LedgerProof { index: row.index, path, checkpoint })
            })
            .collect()
    }
}
