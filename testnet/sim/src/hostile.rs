//! What a hostile node makes of what its program would have sent.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve_protocol::wire::{Blob, Upward, decode};
use reeve_statement::bounds::Bounds;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::Chain;
use reeve_statement::chunk::Part;
use reeve_statement::cose::{Signed, Verifier, sign};
use reeve_statement::key::SecretKey;
use reeve_statement::statement::{Body, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

/// A figure beyond all belief.
const ABSURD: i64 = 1_000_000_000_000_000_000;

/// Longest garbage, in bytes.
const GARBAGE: usize = 4_096;

/// A hostile node's means: its own key and chain, and every frame that it has sent so far.
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
        match self.random.random_range(0..10) {
            0 => Vec::new(),
            1 => vec![self.garbage()],
            2 => vec![self.flip(honest)],
            3 => self
                .sent
                .get(self.random.random_range(0..self.sent.len().max(1)))
                .cloned()
                .into_iter()
                .collect(),
            4 => self.twice(honest),
            5 => self.forged(&honest, inflate),
            6 => self.forged(&honest, |statement, _| exceed_area(statement)),
            _ => vec![honest],
        }
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = self.random.random_range(0..GARBAGE);
        (0..length).map(|_| self.random.random()).collect()
    }

    fn flip(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = self.random.random_range(0..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << self.random.random_range(0..8);
        }
        bytes
    }

    /// Two different statements as one edition.
    fn twice(&mut self, honest: Vec<u8>) -> Vec<Vec<u8>> {
        let mut frames = self.forged(&honest, inflate);
        frames.push(honest);
        frames
    }

    /// The statement changed and signed again with the node's own key.
    fn forged(
        &mut self,
        honest: &[u8],
        change: impl FnOnce(&mut Statement, &mut ChaCha8Rng),
    ) -> Vec<Vec<u8>> {
        let Ok(Upward::Deliver { statement, checkpoint }) = decode::<Upward>(honest) else {
            return vec![honest.to_vec()];
        };
        let signed = Signed::decode(&statement.0).unwrap();
        let Ok(verified) = signed.verify_with(self.chain, self.verifier, self.at) else {
            return vec![honest.to_vec()];
        };
        let mut statement = verified.into_statement();
        change(&mut statement, self.random);
        match sign(&statement, self.key, self.chain) {
            Ok(signed) => {
                let statement = Blob(signed.to_bytes());
                vec![to_vec(&Upward::Deliver { statement, checkpoint })]
            }
            Err(_) => vec![honest.to_vec()],
        }
    }
}

fn inflate(statement: &mut Statement, random: &mut ChaCha8Rng) {
    let Body::Release(release) = &mut statement.body else { return };
    let Part::Inline(table) = &mut release.table else { return };
    let by = if random.random_bool(0.5) { ABSURD } else { random.random_range(1..50) };
    for cell in table.rows.values_mut() {
        cell.value = Bounds::exact(by);
    }
}

fn exceed_area(statement: &mut Statement) {
    let elsewhere: UnitPath = "top/elsewhere".parse().unwrap();
    statement.issuer = elsewhere;
}
