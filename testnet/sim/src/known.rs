//! Statements as anybody could have them who listened: verified, their parts together.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use reeve_protocol::NodeKey;
use reeve_statement::completeness::Manifest;
use reeve_statement::digest::Digest;
use reeve_statement::register::Register;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, FigureId, Statement};
use reeve_statement::table::Table;
use reeve_statement::unit::UnitPath;

/// A statement whose signature holds.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) statement: Statement,
    pub(crate) digest: Digest,
    /// Of a release; empty otherwise.
    pub(crate) table: Table,
    /// Of a release; empty otherwise.
    pub(crate) manifest: Manifest,
    /// The own table of a release that is a sum.
    pub(crate) own: Option<Table>,
}

impl Known {
    /// Puts a statement's parts together; none if one is missing.
    pub(crate) fn of(
        statement: Statement,
        digest: Digest,
        find: impl Fn(&Digest) -> Option<Vec<u8>>,
    ) -> Option<Self> {
        let (mut table, mut manifest, mut own) = (Table::default(), Manifest::default(), None);
        if let Body::Release(release) = &statement.body {
            table = release.table.join("table", &find).ok()?;
            manifest = release.manifest.join("manifest", &find).ok()?;
            own = match &release.own {
                Some(part) => Some(part.join("own table", &find).ok()?),
                None => None,
            };
        }
        Some(Self { statement, digest, table, manifest, own })
    }

    pub(crate) fn release(&self) -> Option<&Release> {
        match &self.statement.body {
            Body::Release(release) => Some(release),
            _ => None,
        }
    }
}

/// Which statement a node holds of a figure: term, edition, digest.
pub(crate) type Held = (u64, u64, Digest);

/// Everything that was seen so far, by whoever sees all wires and disks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Statements by digest; none: its signature does not hold.
    pub(crate) statements: BTreeMap<Digest, Option<Rc<Known>>>,
    /// Which statements reached which node.
    pub(crate) received: BTreeSet<(NodeKey, Digest)>,
    /// What each node has accepted last of each figure.
    pub(crate) accepted: BTreeMap<(NodeKey, UnitPath, FigureId), Held>,
    /// The last edition that each honest unit issued of each figure.
    pub(crate) last: BTreeMap<(UnitPath, FigureId), Rc<Known>>,
    /// Roots of the ledgers that were shown, by ledger and size.
    pub(crate) heads: BTreeMap<(String, u64), Digest>,
    /// Every register that an honest unit issued.
    pub(crate) registers: BTreeMap<Digest, Register>,
}

impl Seen {
    /// A statement whose signature holds.
    pub(crate) fn known(&self, digest: &Digest) -> Option<Rc<Known>> {
        self.statements.get(digest)?.clone()
    }

    /// A statement that reached a node and whose signature holds.
    pub(crate) fn received_by(&self, at: NodeKey, digest: &Digest) -> Option<Rc<Known>> {
        self.received.contains(&(at, *digest)).then(|| self.known(digest)).flatten()
    }

    /// A node has other rows than before: what it accepted is no longer known.
    pub(crate) fn forget_accepted(&mut self, at: NodeKey) {
        self.accepted.retain(|(host, ..), _| *host != at);
    }

    /// A unit's store is put back for good: its last word is what its superior holds.
    pub(crate) fn fall_back(&mut self, unit: &UnitPath, held: &[Digest]) {
        self.last.retain(|(of, _), _| of != unit);
        for digest in held {
            if let Some(known) = self.known(digest) {
                self.note_issued(&known);
            }
        }
    }

    /// The last edition that a unit issued of a figure.
    pub(crate) fn last_of(&self, unit: &UnitPath, id: &FigureId) -> Option<Rc<Known>> {
        self.last.get(&(unit.clone(), id.clone())).cloned()
    }

    /// Takes note of an edition that an honest unit issued.
    pub(crate) fn note_issued(&mut self, issued: &Rc<Known>) {
        if let Body::Register(register) = &issued.statement.body {
            self.registers.insert(issued.digest, register.clone());
        }
        let Some((id, edition)) = issued.statement.figure() else { return };
        let name = (issued.statement.issuer.clone(), id);
        let number = |known: &Known| {
            (known.statement.term, known.statement.figure().map_or(0, |(_, edition)| edition))
        };
        let before = self.last.get(&name).map(|known| number(known));
        if before.is_none_or(|before| before <= (issued.statement.term, edition)) {
            self.last.insert(name, issued.clone());
        }
    }
}
