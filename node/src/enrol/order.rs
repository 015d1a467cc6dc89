//! What an operator asks for with `reeve invite`, as it travels to the running node.

use reeve_statement::catalogue::Titles;
use reeve_statement::unit::UnitId;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::house::{Authority, House, HouseError, Passphrase};

/// Shortest time that an invite can be valid, in seconds: a person has to carry it.
pub(super) const SHORTEST_S: u64 = 60;
/// Longest time, in seconds: the authority key stays unlocked for so long.
pub(super) const LONGEST_S: u64 = 7 * 24 * 3_600;

/// An order for an invite. It carries the passphrase of the authority key, so it goes to the own
/// node only, over loopback.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteOrder {
    /// Id of the unit to invite; for a further node of the home, the own one.
    pub unit: String,
    /// Name of its level.
    #[serde(default)]
    pub level: String,
    /// Its names by language tag.
    #[serde(default)]
    pub names: Vec<(String, String)>,
    /// Its time zone; none: what the newcomer's configuration says.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// For how many seconds the invite can be used.
    pub valid_s: u64,
    /// Whether a further node of this home is invited.
    #[serde(default)]
    pub home_node: bool,
    /// Tells a further node of this home apart; none: made from its key.
    #[serde(default)]
    pub label: Option<String>,
    /// The passphrase of the authority key.
    pub passphrase: String,
}

impl InviteOrder {
    /// Opens the authority key: slow on purpose, so it belongs on a worker thread.
    ///
    /// # Errors
    /// When the passphrase is wrong, or this node has no authority key.
    pub fn unlock(&self, house: &House) -> Result<Authority, HouseError> {
        house.authority(&Passphrase::new(self.passphrase.as_str()))
    }

    pub(super) fn unit_id(&self) -> Result<UnitId, OrderError> {
        UnitId::new(&self.unit).map_err(|error| OrderError::Unit { reason: error.to_string() })
    }

    pub(super) fn titles(&self) -> Titles {
        let mut names = self.names.clone();
        names.sort();
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        Titles(names)
    }
}

impl Drop for InviteOrder {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.passphrase);
    }
}

impl std::fmt::Debug for InviteOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InviteOrder({}, passphrase redacted)", self.unit)
    }
}

/// Where the running node is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// By peers.
    pub node: Vec<String>,
    /// By newcomers.
    pub enrolment: Vec<String>,
}

impl Reach {
    /// What the configuration announces, else what the node found itself listening on (loopback only
    /// if there is nothing else).
    pub fn new(config: &Config, node: Vec<String>, enrolment: Vec<String>) -> Self {
        let choose = |announced: &[String], found: Vec<String>| {
            if announced.is_empty() { beyond_loopback(found) } else { announced.to_vec() }
        };
        Self {
            node: choose(&config.net.announce, node),
            enrolment: choose(&config.net.announce_enrolment, enrolment),
        }
    }
}

fn beyond_loopback(addresses: Vec<String>) -> Vec<String> {
    let is_loopback = |it: &String| it.starts_with("/ip4/127.") || it.starts_with("/ip6/::1/");
    let reachable: Vec<_> = addresses.iter().filter(|it| !is_loopback(it)).cloned().collect();
    if reachable.is_empty() { addresses } else { reachable }
}

/// Why an invite is not made. Whoever ordered it is at fault.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The enrolment port is closed.
    #[error("the enrolment port is closed; start the node again")]
    Closed,
    /// No unit id.
    #[error("{reason}")]
    Unit {
        /// Why.
        reason: String,
    },
    /// The own unit was invited as a subordinate.
    #[error(
        "{unit} is this node's own unit; use --home-node to invite a further node of this home"
    )]
    OwnUnit {
        /// The unit.
        unit: UnitId,
    },
    /// A further node was ordered for another unit.
    #[error("a further node of this home belongs to unit {own}, not {found}")]
    OtherUnit {
        /// The own unit.
        own: UnitId,
        /// The unit that was asked for.
        found: UnitId,
    },
    /// Too short or too long.
    #[error(
        "an invite can be valid from {SHORTEST_S} s to {LONGEST_S} s (7 days), found {found} s"
    )]
    Validity {
        /// What was asked for.
        found: u64,
    },
    /// A time zone that nobody knows.
    #[error("expected an IANA time zone such as Europe/Rome, found {found:?}")]
    TimeZone {
        /// What was found.
        found: String,
    },
    /// Nobody could reach the desk.
    #[error(
        "this node has no enrolment port; set `enrolment` in the [net] section of reeve.toml and \
         restart it"
    )]
    NoPort,
    /// Too many are open.
    #[error("{limit} invites are open already; wait until some are used or expire")]
    TooMany {
        /// Most that are kept.
        limit: usize,
    },
    /// The authority key cannot be used.
    #[error(transparent)]
    House(#[from] HouseError),
}
