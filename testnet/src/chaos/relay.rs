//! Relays between all nodes that lose, repeat, delay and read along: the federation converges, and nothing
//! of it can be read on the way.

use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::Federation;
use super::proxy::Weather;
use super::{ChaosSpec, Seen, Transport, end, shape};
use crate::processes::Leash;
use crate::stopwatch::now;
use crate::trial::TrialError;
use crate::trial::broken;
use crate::trial::cases::CANARY;

/// Of a hundred datagrams, how many are lost and how many come twice (threat 47).
const LOSES: f64 = 0.3;
/// See [`LOSES`].
const REPEATS: f64 = 0.5;

/// Longest delay of a datagram: later ones overtake it.
const DELAY: Duration = Duration::from_millis(30);

/// How likely a piece is to break its connection, where nothing can be lost without doing so: on TCP.
const BREAKS: f64 = 0.02;

/// What must not be read on the way: a note, an indicator, a field, the federation's domain, a period.
const OURS: [&str; 5] = [CANARY, "confirmed_by_day", "reported_on", "reeve.test", "2020-03-0"];

/// What can be read on the way of TCP: how two nodes agree to encrypt. It shows that the search finds.
const READABLE: &str = "/noise";

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct RelayReport {
    /// Over what nodes reached each other.
    pub transport: &'static str,
    /// Pieces or datagrams that came to the relays.
    pub pieces: u64,
    /// Those that were lost.
    pub lost: u64,
    /// Those that were repeated.
    pub repeated: u64,
    /// Bytes that were searched.
    pub searched: usize,
    /// From the clients' rest to right figures at the nation, in seconds, the relays as bad as before.
    pub right: f64,
    /// The rest.
    pub seen: Seen,
}

/// Runs for so long. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`].
pub fn run(
    spec: &ChaosSpec,
    length: Duration,
    runtime: &Handle,
    leash: &Leash,
) -> Result<RelayReport, TrialError> {
    let weather = match spec.transport {
        Transport::Quic => {
            Weather { loses: LOSES, repeats: REPEATS, delay: DELAY, ..Weather::FAIR }
        }
        Transport::Tcp => Weather { breaks: BREAKS, delay: DELAY, ..Weather::FAIR },
    };
    let mut federation = Federation::raise(spec, shape::places(&shape::SMALL)?, runtime, leash)?;
    for node in federation.network.relayed() {
        federation.network.weather(node, weather);
    }
    federation.load.go();
    std::thread::sleep(length);
    let right = match federation.check_at_rest(now()) {
        Ok(right) => right,
        Err(error) => {
            federation.keep_status();
            return Err(error);
        }
    };
    let report = read_along(&federation, spec.transport)?;
    Ok(RelayReport { right: right.as_secs_f64(), seen: end(federation, 0)?, ..report })
}

fn read_along(federation: &Federation, transport: Transport) -> Result<RelayReport, TrialError> {
    let nation = &federation.nation()?.place.unit;
    let name = match transport {
        Transport::Tcp => "TCP",
        Transport::Quic => "QUIC",
    };
    let mut report = RelayReport {
        transport: name,
        pieces: 0,
        lost: 0,
        repeated: 0,
        searched: 0,
        right: 0.0,
        seen: Seen::default(),
    };
    for wire in federation.network.wires() {
        let counts = wire.counts();
        report.pieces += counts.pieces;
        report.lost += counts.lost;
        report.repeated += counts.repeated;
        report.searched += wire.kept();
        if let Some(text) = OURS.iter().find(|text| wire.shows(text)) {
            return Err(broken(nation, format!("`{text}` can be read on the way")));
        }
        if transport == Transport::Tcp && !wire.shows(READABLE) {
            return Err(broken(nation, "the search did not find what can be read"));
        }
    }
    Ok(report)
}
