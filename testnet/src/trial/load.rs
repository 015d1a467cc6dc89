//! Clients that write to nodes for as long as they are let.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve::api::{WriteRequest, Written};
use reeve::client::{Client, ClientError};

use super::cases::{DAYS, Known};

/// Pause between two requests: the node is busy, and so is the machine with the other nodes.
pub(crate) const PAUSE: Duration = Duration::from_millis(3);

/// Most operations of one request.
const BATCH: usize = 12;

/// Status of a node that is asked for too much at once.
const BUSY: u16 = 503;

/// How many requests were answered or not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Acknowledged.
    pub(crate) acknowledged: u64,
    /// Without an answer: done or not.
    pub(crate) open: u64,
}

/// Writes until told to stop, or until the node is gone; pauses between two requests.
pub(crate) fn write(
    client: &Client,
    known: &mut Known,
    chance: &mut ChaCha8Rng,
    stop: &AtomicBool,
    pause: Duration,
) -> Result<Tally, ClientError> {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let count = if chance.random_bool(0.7) { 1 } else { chance.random_range(1..=BATCH) };
        let request = WriteRequest { operations: known.draw(count, &DAYS, chance) };
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
        std::thread::sleep(pause);
    }
    Ok(tally)
}
