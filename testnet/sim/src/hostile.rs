//! What a hostile node makes of what its program would have sent.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve_protocol::wire::{Blob, Downward, Upward, decode};
use reeve_statement::bounds::Bounds;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::Chain;
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Counts, UnitState};
use reeve_statement::cose::{STATEMENT_TYPE, Signed, Verifier, sign, sign_bytes};
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::registry::key;

/// A figure beyond all belief.
const ABSURD: i64 = 1_000_000_000_000_000_000;

/// Longest garbage, in bytes.
const GARBAGE: usize = 4_096;

/// An oversized frame, in bytes: more than any adapter passes on.
const OVERSIZED: usize = 300 * 1_024;

/// Frames of a flood: more than a superior verifies at once for one peer.
const FLOOD: usize = 48;

/// A hostile node's means: its own key and chain, and what hostile nodes have sent so far.
pub(crate) struct Hostile<'a> {
    pub(crate) key: &'a SecretKey,
    pub(crate) chain: &'a Chain,
    pub(crate) verifier: &'a Verifier,
    pub(crate) at: Timestamp,
    pub(crate) sent: &'a [Vec<u8>],
    pub(crate) random: &'a mut ChaCha8Rng,
}

impl Hostile<'_> {
    /// The frames that go out in place of an honest one; none: it is withheld.
    pub(crate) fn twist(&mut self, honest: Vec<u8>) -> Vec<Vec<u8>> {
        match self.random.random_range(0..24) {
            0 => Vec::new(),
            1 => vec![self.garbage()],
            2 => vec![self.flip(honest)],
            3 | 4 => self.replay(),
            5 | 6 => self.twice(honest),
            7 => self.forged(&honest, inflate),
            8 => self.forged(&honest, roll_back),
            9 => self.forged(&honest, skip),
            10 => self.forged(&honest, over_claim),
            11 => self.forged(&honest, under_claim),
            12 => self.exceed_area(&honest),
            13 => vec![self.oversized(honest)],
            14 => vec![honest; FLOOD],
            15 => self.other_ledger(honest),
            16 => self.lie_downwards(honest),
            _ => vec![honest],
        }
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = self.random.random_range(0..GARBAGE);
        (0..length).map(|_| self.random.random()).collect()
    }

    fn oversized(&mut self, mut honest: Vec<u8>) -> Vec<u8> {
        honest.resize(OVERSIZED, 0);
        honest
    }

    fn flip(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = self.random.random_range(0..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << self.random.random_range(0..8);
        }
        bytes
    }

    /// A frame that it, or another hostile node, sent before.
    fn replay(&mut self) -> Vec<Vec<u8>> {
        let place = self.random.random_range(0..self.sent.len().max(1));
        self.sent.get(place).cloned().into_iter().collect()
    }

    /// Two different statements as one edition.
    fn twice(&mut self, honest: Vec<u8>) -> Vec<Vec<u8>> {
        let mut frames = self.forged(&honest, inflate);
        frames.push(honest);
        frames
    }

    /// The statement of a frame, with the checkpoint beside it.
    fn opened(&self, honest: &[u8]) -> Option<(Statement, String)> {
        let Ok(Upward::Deliver { statement, checkpoint }) = decode::<Upward>(honest) else {
            return None;
        };
        let signed = Signed::decode(&statement.0).unwrap();
        let verified = signed.verify_with(self.chain, self.verifier, self.at).ok()?;
        Some((verified.into_statement(), checkpoint))
    }

    /// The statement changed and signed again with the node's own key.
    fn forged(
        &mut self,
        honest: &[u8],
        change: impl FnOnce(&mut Statement, &mut ChaCha8Rng),
    ) -> Vec<Vec<u8>> {
        let Some((mut statement, checkpoint)) = self.opened(honest) else {
            return vec![honest.to_vec()];
        };
        change(&mut statement, self.random);
        match sign(&statement, self.key, self.chain) {
            Ok(signed) => {
                let statement = Blob(signed.to_bytes());
                vec![to_vec(&Upward::Deliver { statement, checkpoint })]
            }
            Err(_) => vec![honest.to_vec()],
        }
    }

    /// Speaks for a unit elsewhere, under its own key. (Its program's library would not sign that.)
    fn exceed_area(&mut self, honest: &[u8]) -> Vec<Vec<u8>> {
        let Some((mut statement, checkpoint)) = self.opened(honest) else {
            return vec![honest.to_vec()];
        };
        let own = statement.issuer.clone();
        let elsewhere: UnitPath = match self.random.random_range(0..3) {
            0 => "top/elsewhere".parse().unwrap(),
            1 => own.parent().unwrap_or(own),
            _ => format!("{own}/below").parse().unwrap(),
        };
        statement.issuer = elsewhere;
        let (payload, at) = (to_vec(&statement), statement.issued_at);
        let leaf = self.chain.leaf().digest();
        let bytes = sign_bytes(STATEMENT_TYPE, payload, &statement.issuer, at, self.key, leaf);
        let statement = Signed::decode(&bytes).unwrap().with_chain(self.chain).to_bytes();
        vec![to_vec(&Upward::Deliver { statement: Blob(statement), checkpoint })]
    }

    /// A ledger that is longer than its own, or signed by a key that is not its own.
    fn other_ledger(&mut self, honest: Vec<u8>) -> Vec<Vec<u8>> {
        let Ok(Upward::Deliver { statement, checkpoint }) = decode::<Upward>(&honest) else {
            return vec![honest];
        };
        let Ok(mut head) = Checkpoint::parse_unverified(&checkpoint) else { return vec![honest] };
        head.size += self.random.random_range(0..3);
        let stranger = key("a key that nobody certified");
        let own = self.random.random_bool(0.3);
        let checkpoint = head.sign(if own { self.key } else { &stranger });
        vec![to_vec(&Upward::Deliver { statement, checkpoint })]
    }

    /// Tells a subordinate that it holds other things of it than it does.
    fn lie_downwards(&mut self, honest: Vec<u8>) -> Vec<Vec<u8>> {
        let Ok(Downward::Have(mut page)) = decode::<Downward>(&honest) else {
            return vec![honest];
        };
        match self.random.random_range(0..3) {
            0 => page.ledger_size += self.random.random_range(1..1_000),
            1 => page.figures.clear(),
            _ => page.figures.iter_mut().for_each(|have| have.edition += 1_000),
        }
        vec![to_vec(&Downward::Have(page))]
    }
}

/// A frame whose statement carries its chain, so that another node can send it on.
pub(crate) fn with_chain(frame: &[u8], chain: &Chain) -> Vec<u8> {
    let Ok(Upward::Deliver { statement, checkpoint }) = decode::<Upward>(frame) else {
        return frame.to_vec();
    };
    let Ok(signed) = Signed::decode(&statement.0) else { return frame.to_vec() };
    let statement = Blob(signed.with_chain(chain).to_bytes());
    to_vec(&Upward::Deliver { statement, checkpoint })
}

fn release_of(statement: &mut Statement) -> Option<&mut Release> {
    match &mut statement.body {
        Body::Release(release) => Some(release),
        _ => None,
    }
}

fn inflate(statement: &mut Statement, random: &mut ChaCha8Rng) {
    let Some(release) = release_of(statement) else { return };
    let Part::Inline(table) = &mut release.table else { return };
    let by = match random.random_range(0..4) {
        0 => ABSURD,
        1 => i64::MAX,
        _ => random.random_range(1..50),
    };
    for cell in table.rows.values_mut() {
        cell.value = Bounds::exact(by);
        cell.contributors = Bounds::exact(by);
    }
}

fn set_edition(statement: &mut Statement, change: impl FnOnce(u64) -> u64) {
    match &mut statement.body {
        Body::Release(release) => release.edition = change(release.edition),
        Body::Notice(notice) => notice.edition = change(notice.edition),
        _ => {}
    }
}

fn roll_back(statement: &mut Statement, random: &mut ChaCha8Rng) {
    set_edition(statement, |edition| random.random_range(1..=edition.max(1)));
}

fn skip(statement: &mut Statement, random: &mut ChaCha8Rng) {
    set_edition(statement, |edition| edition + random.random_range(1..1_000));
}

/// Counts units as reported that are not there.
fn over_claim(statement: &mut Statement, random: &mut ChaCha8Rng) {
    let Some(release) = release_of(statement) else { return };
    release.counts.add(UnitState::Reported, random.random_range(1..1_000));
    if let Part::Inline(manifest) = &mut release.manifest {
        manifest.exceptions.clear();
        manifest.direct.iter_mut().for_each(|entry| entry.state = UnitState::Reported);
    }
}

/// Leaves units out that are there.
fn under_claim(statement: &mut Statement, _: &mut ChaCha8Rng) {
    let Some(release) = release_of(statement) else { return };
    release.counts = Counts::default();
    if let Part::Inline(manifest) = &mut release.manifest {
        manifest.exceptions.clear();
        manifest.direct.pop();
    }
}
