//! Declarations: an emergency response level, by which authority, on which legal basis, for which area,
//! from when and until when.
//!
//! They are signed by the authority of a unit and come down like catalogues, as far as their area
//! reaches. While one is in force here, relaxations of the policy (`@supersedes`) may hold; with its end
//! the stricter rules bind again. What is in force is asked at every single decision, by the time that
//! a statement would be signed with; when it changes, every figure is looked at again. What was told of
//! a figure under stricter rules stays protected: that is kept with the data (`DisclosureState`).

use std::collections::BTreeMap;

use reeve_statement::cbor::to_vec;
use reeve_statement::cose::{Signed, Verified};
use reeve_statement::digest::Digest;
use reeve_statement::register::Declaration;
use reeve_statement::release::DECLARATIONS;
use reeve_statement::statement::{Body, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::bugs::Bug;
use crate::effect::{Channel, NodeKey};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Blob, Downward, HomeMessage};

/// Most declarations that a node keeps: ten a year for a century.
const KEPT: usize = 1_000;

/// Most declarations in one message: with their chains they fill half a frame.
const PER_MESSAGE: usize = 8;

/// Longest time for which a declaration may be in force, in milliseconds: 366 days. What is to last
/// longer is declared again, or is a law.
pub const LONGEST_MS: i64 = 366 * 24 * 60 * 60 * 1_000;

/// How a declaration stands at this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is in force here.
    InForce,
    /// Its time has not come.
    Ahead,
    /// Its time has passed.
    Over,
    /// It was ended before its time.
    Ended,
    /// It is for another area: this unit only passes it on.
    Elsewhere,
}

impl core::fmt::Display for Phase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::InForce => "in force",
            Self::Ahead => "ahead",
            Self::Over => "over",
            Self::Ended => "ended",
            Self::Elsewhere => "elsewhere",
        })
    }
}

/// A declaration that this node keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What it says.
    pub declaration: Declaration,
    /// Which authority signed it.
    pub issuer: UnitPath,
    /// When.
    pub issued_at: Timestamp,
    /// Digest of the statement.
    pub statement: Digest,
    /// How it stands here.
    pub phase: Phase,
}

/// One that is kept, as it was signed.
#[derive(Debug)]
struct Held {
    declaration: Declaration,
    issued_at: Timestamp,
    statement: Digest,
    bytes: Vec<u8>,
}

impl Held {
    /// Of two with one name the greater holds: one that ends it, or else the newer.
    fn rank(&self) -> (bool, Timestamp, Digest) {
        (self.declaration.ended, self.issued_at, self.statement)
    }

    fn is_in_force(&self, unit: &UnitPath, at: Timestamp) -> bool {
        let Declaration { from, until, ended, area, .. } = &self.declaration;
        !ended && *from <= at && at < *until && unit.is_within(area)
    }
}

/// Who declared, and the declaration's name.
type Name = (UnitPath, String);

/// The level that is in force, and the declarations that it follows from; the highest level first.
type Level = (u8, Vec<Digest>);

/// The declarations that a node keeps.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    held: BTreeMap<Name, Held>,
    /// What was in force when it was last looked at.
    seen: Level,
}

/// Whether an area has to do with a unit: it lies in it, or the unit in the area.
fn concerns(area: &UnitPath, unit: &UnitPath) -> bool {
    unit.is_within(area) || area.is_within(unit)
}

impl Node {
    /// The level that is in force here, 0 for none, and the declarations that it follows from.
    pub(crate) fn response(&self) -> Level {
        // Never below what was signed last: the end of a declaration does not come twice.
        let at = self.context.now().wall.max(self.reports.last_signed);
        let outlive = self.settings.bugs.has(Bug::OutliveDeclarations);
        let mut levels: Vec<(u8, Digest)> = self
            .declarations
            .held
            .values()
            .filter(|held| {
                let at = if outlive { at.min(held.declaration.until.plus_millis(-1)) } else { at };
                held.is_in_force(&self.settings.unit, at)
            })
            .map(|held| (held.declaration.level, held.statement))
            .collect();
        levels.sort_unstable();
        let level = levels.first().map_or(0, |(level, _)| *level);
        (level, levels.into_iter().take(DECLARATIONS).map(|(_, statement)| statement).collect())
    }

    /// When what is in force changes, every figure is looked at again.
    pub(crate) fn review_declarations(&mut self) {
        let now = self.response();
        if now == self.declarations.seen {
            return;
        }
        let stricter = now.0 == 0;
        self.context.counters.count("declarations", if stricter { "ended" } else { "in_force" });
        self.declarations.seen = now;
        self.mark_everything_due();
    }

    /// Takes a verified declaration from above, or one that was signed here.
    pub(crate) fn take_declaration(
        &mut self,
        verified: &Verified,
        bytes: Vec<u8>,
    ) -> Result<(), Refusal> {
        let statement = verified.statement();
        let Some(held) = self.judged(statement, verified.digest(), bytes)? else { return Ok(()) };
        self.log_own(statement, held.statement, &held.bytes)?;
        let name = (statement.issuer.clone(), held.declaration.id.clone());
        self.context.persist(rows::statement(&held.statement), Some(held.bytes.clone()));
        self.context.persist(key_of(&name), Some(held.bytes.clone()));
        self.context.counters.count("declarations", "taken");
        let (area, blob) = (held.declaration.area.clone(), Blob(held.bytes.clone()));
        self.declarations.held.insert(name, held);
        self.forget_declarations();
        self.pass_declaration_on(&area, &blob);
        self.review_declarations();
        Ok(())
    }

    /// Whether a declaration may be taken; none: it is here already.
    fn judged(
        &self,
        statement: &Statement,
        digest: Digest,
        bytes: Vec<u8>,
    ) -> Result<Option<Held>, Refusal> {
        let Body::Declaration(declaration) = &statement.body else {
            return Err(Refusal::OutOfPlace);
        };
        let Declaration { id, level, area, from, until, .. } = declaration;
        let lasts = until.since(*from);
        if !area.is_within(&statement.issuer) || !concerns(area, &self.settings.unit) {
            return Err(Refusal::OutOfArea);
        }
        if id.is_empty() || *level == 0 || lasts <= 0 || lasts > LONGEST_MS {
            return Err(Refusal::BadDeclaration);
        }
        let (declaration, issued_at) = (declaration.clone(), statement.issued_at);
        let new = Held { declaration, issued_at, statement: digest, bytes };
        let name = (statement.issuer.clone(), id.clone());
        match self.declarations.held.get(&name) {
            Some(held) if held.statement == digest => Ok(None),
            Some(held) if held.rank() > new.rank() => Err(Refusal::OldVersion),
            _ => Ok(Some(new)),
        }
    }

    /// Makes room: what ended longest ago is forgotten first.
    fn forget_declarations(&mut self) {
        while self.declarations.held.len() > KEPT {
            let held = self.declarations.held.iter();
            let oldest = held.min_by_key(|(_, held)| held.declaration.until);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            self.context.persist(key_of(&name), None);
            self.declarations.held.remove(&name);
        }
    }

    fn pass_declaration_on(&mut self, area: &UnitPath, blob: &Blob) {
        let message = Downward::Distribute { statements: vec![blob.clone()], lists: Vec::new() };
        let below: Vec<NodeKey> = self
            .peers
            .of(Standing::Subordinate)
            .filter(|(_, peer)| concerns(area, &peer.unit))
            .map(|(key, _)| *key)
            .collect();
        for peer in below {
            self.tell(peer, Channel::Report, to_vec(&message));
        }
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        let message = HomeMessage::Declarations(vec![blob.clone()]);
        for peer in home {
            self.tell(peer, Channel::Home, to_vec(&message));
        }
    }

    /// Declarations that are not over and concern a unit, in pages.
    fn declarations_for(&self, unit: &UnitPath) -> Vec<Vec<Blob>> {
        let now = self.context.now().wall;
        let held = self.declarations.held.values();
        let blobs: Vec<Blob> = held
            .filter(|held| held.declaration.until > now && concerns(&held.declaration.area, unit))
            .map(|held| Blob(held.bytes.clone()))
            .collect();
        blobs.chunks(PER_MESSAGE).map(<[Blob]>::to_vec).collect()
    }

    /// A subordinate said hello: it hears of the declarations that concern it.
    pub(crate) fn declare_to_subordinate(&mut self, peer: NodeKey) {
        let Some(unit) = self.peers.greeted(&peer).map(|greeted| greeted.unit.clone()) else {
            return;
        };
        for statements in self.declarations_for(&unit) {
            let message = Downward::Distribute { statements, lists: Vec::new() };
            self.tell(peer, Channel::Report, to_vec(&message));
        }
    }

    /// A node of this home said hello: it hears of every declaration that is not over.
    pub(crate) fn declare_to_home(&mut self, peer: NodeKey) {
        for statements in self.declarations_for(&self.settings.unit.clone()) {
            let message = HomeMessage::Declarations(statements);
            self.tell(peer, Channel::Home, to_vec(&message));
        }
    }

    /// A declaration that this node's own store holds. One whose signer is no longer believed has no
    /// force.
    pub(crate) fn restore_declaration(&mut self, bytes: &[u8]) {
        let verified = Signed::decode(bytes)
            .ok()
            .and_then(|it| it.verify(self.trust.verifier(), self.context.now().wall).ok());
        let Some(verified) = verified else {
            return self.context.counters.count("declarations", "no_longer_verifies");
        };
        let statement = verified.statement();
        if let Ok(Some(held)) = self.judged(statement, verified.digest(), bytes.to_vec()) {
            let name = (statement.issuer.clone(), held.declaration.id.clone());
            self.declarations.held.insert(name, held);
        }
    }

    /// A list was taken: what a revoked authority declared has no force any more.
    pub(crate) fn review_declarers(&mut self) {
        let (verifier, now) = (self.trust.verifier(), self.context.now().wall);
        let believed = |held: &Held| {
            let signed = Signed::decode(&held.bytes);
            signed.is_ok_and(|signed| signed.verify(verifier, now).is_ok())
        };
        let held = &self.declarations.held;
        let gone: Vec<Name> =
            held.iter().filter(|(_, it)| !believed(it)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.context.persist(key_of(&name), None);
            self.context.counters.count("declarations", "no_longer_verifies");
            self.declarations.held.remove(&name);
        }
        self.review_declarations();
    }

    /// What is declared, the newest last: for people.
    pub(crate) fn view_declarations(&self) -> Vec<Declared> {
        let at = self.context.now().wall.max(self.reports.last_signed);
        let unit = &self.settings.unit;
        let mut all: Vec<Declared> = self
            .declarations
            .held
            .iter()
            .map(|((issuer, _), held)| {
                let Declaration { from, until, ended, area, .. } = &held.declaration;
                let phase = match () {
                    () if *ended => Phase::Ended,
                    () if *until <= at => Phase::Over,
                    () if !unit.is_within(area) => Phase::Elsewhere,
                    () if at < *from => Phase::Ahead,
                    () => Phase::InForce,
                };
                Declared {
                    declaration: held.declaration.clone(),
                    issuer: issuer.clone(),
                    issued_at: held.issued_at,
                    statement: held.statement,
                    phase,
                }
            })
            .collect();
        all.sort_by_key(|it| (it.declaration.from, it.statement));
        all
    }
}

fn key_of((issuer, id): &Name) -> Vec<u8> {
    let name = Digest::of_parts(&[issuer.to_string().as_bytes(), b"\0", id.as_bytes()]);
    rows::key(rows::META, &[rows::DECLARATION, name.as_bytes()])
}
