//! `reeve.toml`: what the people of a house decide about their node.
//!
//! [`Config::parse`] reads it and names every mistake with file, line and column, unknown keys too;
//! [`Config::to_toml`] writes it with a comment for every key. Nothing here opens a socket or looks
//! whether a file exists; relative file names are relative to the house's folder.

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reeve_statement::key::PublicKey;
use reeve_statement::unit::UnitId;

pub use reeve_crdt::indicator::Source;
pub use reeve_crdt::located::Problems;

/// The newest format of the file that this program reads, and the one that it writes.
pub const FORMAT: u32 = 1;
/// Port on which a node listens for peers, unless the file says otherwise.
pub const PEER_PORT: u16 = 7401;
/// Port on which a node listens for newcomers.
pub const ENROLMENT_PORT: u16 = 7402;
/// Port of the local HTTP API.
pub const HTTP_PORT: u16 = 7400;
/// Stands for every legal basis, and for none, among those that are accepted beforehand.
pub const EVERY_BASIS: &str = "*";
/// Longest wait before a redial, in seconds, unless the file says otherwise: a superior that comes back
/// has right figures within five seconds.
const REDIAL_CEILING_S: u64 = 4;

/// The configuration of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The id of the unit of government that this node belongs to. Its path is read from its
    /// certificates, because a unit may move.
    pub unit: UnitId,
    /// IANA name of the unit's time zone.
    pub time_zone: String,
    /// Languages of titles and messages, the preferred first.
    pub languages: Vec<String>,
    /// How peers are reached.
    pub net: Net,
    /// The local HTTP API.
    pub http: Http,
    /// Which store.
    pub store: Engine,
    /// The schema of the twins; none: this node keeps no records of its own.
    pub schema: Option<PathBuf>,
    /// Whether records that are older than their kind's retention are removed by themselves.
    pub retention: Retention,
    /// The policy file.
    pub policy: PathBuf,
    /// Legal bases whose indicators are adopted as soon as a catalogue proposes them; [`EVERY_BASIS`]
    /// is every indicator.
    pub accepted_legal_bases: Vec<String>,
    /// Whether it takes two persons to change the policy, adopt an indicator, remove records or publish a
    /// bulletin.
    pub two_persons: bool,
    /// Sources that are expected to report; none for a kind: whoever ever closed a period of it.
    pub sources: Vec<Source>,
    /// What this node asks its subordinates for.
    pub request: Request,
    /// What is logged, and how.
    pub log: Log,
    /// Nodes of the superior unit, which this node dials.
    pub superior: Vec<Peer>,
    /// Other nodes of this home, which this node dials.
    pub home: Vec<Peer>,
}

/// How peers are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// Multiaddresses to listen on for peers.
    pub listen: Vec<String>,
    /// Multiaddresses at which peers reach this node; none: those that it listens on.
    pub announce: Vec<String>,
    /// Multiaddresses to listen on for newcomers; none: nobody can join through this node.
    pub enrolment: Vec<String>,
    /// Multiaddresses at which newcomers reach this node; none: those that it listens on.
    pub announce_enrolment: Vec<String>,
    /// Whether peers may be dialled on loopback, link-local and private addresses.
    pub allow_private_addresses: bool,
    /// Longest wait before a redial.
    pub redial_ceiling: Duration,
}

/// The local HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it may listen beyond loopback.
    pub allow_beyond_loopback: bool,
    /// Names that a request's `Host` may have besides the address and `localhost`.
    pub host_names: Vec<String>,
    /// Whether anybody may read the ledger's checkpoints and tiles, without a token.
    pub ledger: bool,
}

/// Which store keeps the node's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The default.
    Redb,
    /// Where sled is asked for.
    Sled,
}

impl Engine {
    /// The word for it in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }
}

/// When records that are older than their kind's retention are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// By `reeve twin expire` alone.
    ByHand,
    /// By the node itself, as the schema says.
    Scheduled,
}

impl Retention {
    const ALL: [Self; 2] = [Self::ByHand, Self::Scheduled];

    /// The word for it in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Scheduled => "scheduled",
        }
    }
}

/// What this node asks its subordinates for; both texts are part of every signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What for.
    pub purpose: String,
    /// On which legal basis.
    pub legal_basis: String,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// From which level on.
    pub level: Level,
    /// One JSON object per line, instead of text for people.
    pub json: bool,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something must be done.
    Error,
    /// Something should be looked at.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word for it in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A node that this node dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub key: PublicKey,
    /// Multiaddresses at which it is reached.
    pub addresses: Vec<String>,
}

impl Config {
    /// The configuration of a new node of this unit.
    pub fn new(unit: UnitId) -> Self {
        let tcp = |port| format!("/ip4/0.0.0.0/tcp/{port}");
        Self {
            unit,
            time_zone: "UTC".to_owned(),
            languages: vec!["en".to_owned()],
            net: Net {
                listen: vec![tcp(PEER_PORT), format!("/ip4/0.0.0.0/udp/{PEER_PORT}/quic-v1")],
                announce: Vec::new(),
                enrolment: vec![tcp(ENROLMENT_PORT)],
                announce_enrolment: Vec::new(),
                allow_private_addresses: false,
                redial_ceiling: Duration::from_secs(REDIAL_CEILING_S),
            },
            http: Http {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT)),
                allow_beyond_loopback: false,
                host_names: Vec::new(),
                ledger: false,
            },
            store: Engine::Redb,
            schema: None,
            retention: Retention::ByHand,
            policy: PathBuf::from("policy.cedar"),
            accepted_legal_bases: Vec::new(),
            two_persons: false,
            sources: Vec::new(),
            request: Request {
                purpose: "situation reporting".to_owned(),
                legal_basis: "not stated".to_owned(),
            },
            log: Log { level: Level::Info, json: false },
            superior: Vec::new(),
            home: Vec::new(),
        }
    }

    /// Reads the text of a file that the messages call `file`.
    ///
    /// # Errors
    /// All mistakes at once, each with its place, what was expected and what was found.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read::parse(file, text)
    }

    /// The file, with a comment for every key.
    pub fn to_toml(&self) -> String {
        write::config(self)
    }

    /// What is appended to a file to add a node of the superior unit.
    pub fn superior_entry(peer: &Peer) -> String {
        write::peer("superior", peer)
    }

    /// A file without the nodes of the superior: their lines become comments.
    #[must_use]
    pub fn without_superiors(text: &str) -> String {
        write::without(text, "superior")
    }

    /// What is appended to a file to add another node of this home.
    pub fn home_entry(peer: &Peer) -> String {
        write::peer("home", peer)
    }
}
