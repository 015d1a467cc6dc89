//! What an operator asks for with `reeve invite`, as it travels to the running node.

use reeve_statement::catalogue::Titles;
use reeve_statement::unit::UnitId;
use serde::{Deserialize, Serialize};

use super::by_file::Application;
use super::join::JoinError;
use super::message::EnrolRefusal;
use super::one_line::LineError;
use crate::config::Config;
use crate::house::{Authority, House, HouseError, Passphrase};

/// Shortest time that an invite can be valid, in seconds: a person has to carry it.
pub(super) const SHORTEST_S: u64 = 60;
/// Digits of a key that are compared at least: 64 bits.
const KEY_DIGITS: usize = 16;
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

/// An order to admit whoever applies by file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionOrder {
    /// Whom, and the passphrase; for how long an invite is valid is not looked at.
    pub order: InviteOrder,
    /// The application, as it came.
    pub application: String,
    /// The key that was told over another channel, or how it begins.
    pub key: String,
    /// Whether it audits, and reports nothing.
    #[serde(default)]
    pub auditor: bool,
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

    /// Its names, each language once.
    #[must_use]
    pub fn titles(&self) -> Titles {
        let mut names = self.names.clone();
        names.sort();
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        Titles(names)
    }
}

impl AdmissionOrder {
    /// The application, if it is of the key that was told.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn application(&self) -> Result<Application, OrderError> {
        let application: Application = self.application.parse()?;
        let found = application.key()?.to_string();
        let told = self.key.trim().to_ascii_lowercase();
        if told.len() < KEY_DIGITS {
            return Err(OrderError::ShortKey { found: told });
        }
        if !found.starts_with(&told) {
            return Err(OrderError::OtherKey { told, found });
        }
        Ok(application)
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
    /// An auditor was to report, or a unit that reports to audit.
    #[error(
        "{unit} was certified to {was} before: an auditor reports nothing, and has a unit id of its own"
    )]
    OtherTask {
        /// The unit.
        unit: UnitId,
        /// What it was certified for.
        was: &'static str,
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
    /// The application cannot be read.
    #[error(transparent)]
    Application(#[from] JoinError),
    /// It is no application.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Too few digits of a key.
    #[error(
        "expected the key that was told, or its first {KEY_DIGITS} digits at least, found {found:?}"
    )]
    ShortKey {
        /// What was given.
        found: String,
    },
    /// Somebody else applies.
    #[error(
        "the application is of the key {found}, not of the one that was told ({told}): somebody else made \
         it, or it was exchanged on its way; nothing was issued"
    )]
    OtherKey {
        /// What was told.
        told: String,
        /// The application's.
        found: String,
    },
    /// Nothing is issued for it.
    #[error("nothing was issued: {0}")]
    Refused(#[from] EnrolRefusal),
    /// It could not be entered.
    #[error(
        "the certificate could not be entered into the ledger; see `reeve status`, and try again"
    )]
    NotEntered,
    /// The authority key cannot be used.
    #[error(transparent)]
    House(#[from] HouseError),
}
