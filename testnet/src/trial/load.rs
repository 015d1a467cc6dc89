//! Clients that write to nodes for as long as they are let.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve::api::{Operation, WriteRequest, Written};
use reeve::client::{Client, ClientError};

use super::cases::{Known, operation};

/// Pause between two requests: the node is busy, and so is the machine with the other nodes.
const PAUSE: Duration = Duration::from_millis(3);

/// Most operations of one request.
const BATCH: usize = 12;

/// Status of a node that is asked for too much at once.
const BUSY: u16 = 503;

/// How many requests were answered or not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Acknowledged.
    pub(super) acknowledged: u64,
    /// Without an answer: done or not.
    pub(super) open: u64,
}

/// Writes until told to stop, or until the node is gone.
pub(super) fn write(
    client: &Client,
    known: &mut Known,
    chance: &mut ChaCha8Rng,
    stop: &AtomicBool,
) -> Result<Tally, ClientError> {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let count = if chance.random_bool(0.7) { 1 } else { chance.random_range(1..=BATCH) };
        let operations: Vec<Operation> = (0..count).map(|_| operation(chance)).collect();
        known.sent(&operations);
        let request = WriteRequest { operations };
        let answer: Result<Written, _> = client.send("POST", "/v1/records/case", &request);
        match answer {
            Ok(_) => {
                known.acknowledged(&request.operations);
                tally.acknowledged += 1;
            }
            Err(ClientError::Problem(problem)) if problem.status == BUSY => tally.open += 1,
            Err(ClientError::Unreachable { .. } | ClientError::Answer { .. }) => {
                tally.open += 1;
                break;
            }
            Err(error) => return Err(error),
        }
        std::thread::sleep(PAUSE);
    }
    Ok(tally)
}
