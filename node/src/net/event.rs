//! What goes in and out of the network task: plain data, no libp2p type, no opinion.

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;

use super::address::AddressError;
use super::peer::PeerKey;
use super::protocol::Protocol;

/// Names a request that we send; chosen by the sender, unique while the request is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names a request that a peer made of us, until it is answered or its deadline passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundId(pub u64);

/// What the network task is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetCommand {
    /// These peers and no others may be connected. Replaces the list before; peers that are no
    /// longer on it are cut off at once. A task starts with an empty list.
    Allow(BTreeSet<PeerKey>),
    /// Keep a connection to this peer at these addresses until `Hangup`.
    Dial {
        /// Whom.
        peer: PeerKey,
        /// Multiaddresses; see [`super::NodeAddress`] for the two shapes.
        addresses: Vec<String>,
    },
    /// Stop keeping a connection to this peer, and close it.
    Hangup {
        /// Whom.
        peer: PeerKey,
    },
    /// Ask a connected peer. Exactly one `Response` event follows.
    Send {
        /// Name for the answer.
        request: RequestId,
        /// Whom.
        peer: PeerKey,
        /// In which protocol.
        protocol: Protocol,
        /// What.
        bytes: Vec<u8>,
    },
    /// Answer a peer's request. An answer that comes after the deadline, or to a peer that is
    /// gone, is dropped without an event: the peer has been told that there is none.
    Respond {
        /// Which request.
        inbound: InboundId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Close the connections of this peer; one that is kept by `Dial` comes back.
    Disconnect {
        /// Whom.
        peer: PeerKey,
    },
    /// Close everything and end the task.
    Shutdown,
}

/// What the network task reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// We can be reached at this address.
    Listening {
        /// The multiaddress, with the real port.
        address: String,
    },
    /// A listener has ended; nobody can connect to these addresses any more.
    ListenerClosed {
        /// Its multiaddresses.
        addresses: Vec<String>,
        /// What the system said.
        reason: String,
    },
    /// A new connection. It can come twice without a `Disconnected` between (a peer that
    /// restarted, or both sides dialled): what was said on an earlier connection may be forgotten
    /// on the other side. Requests go over the newest connection.
    Connected {
        /// With whom.
        peer: PeerKey,
        /// Whether we dialled.
        dialled: bool,
        /// The multiaddress of the other side.
        address: String,
    },
    /// The last connection to this peer is gone.
    Disconnected {
        /// Whose.
        peer: PeerKey,
        /// Why.
        reason: DisconnectReason,
    },
    /// A peer kept by `Dial` could not be reached; it is tried again.
    DialFailed {
        /// Whom.
        peer: PeerKey,
        /// Why.
        reason: DialFailure,
        /// After this long.
        retry_in: Duration,
    },
    /// A peer asks. Answer with `Respond` within the request deadline.
    Request {
        /// Name for the answer.
        inbound: InboundId,
        /// Who asks.
        peer: PeerKey,
        /// In which protocol.
        protocol: Protocol,
        /// What.
        bytes: Vec<u8>,
    },
    /// The end of a `Send`.
    Response {
        /// Which.
        request: RequestId,
        /// Who was asked.
        peer: PeerKey,
        /// The answer, or why there is none.
        result: Result<Vec<u8>, SendFailure>,
    },
    /// Something was refused, `count` times since the last report.
    Refused {
        /// What.
        what: Refusal,
        /// The last address it came from, where one is known.
        address: Option<String>,
        /// From whom, where that was proved.
        peer: Option<PeerKey>,
        /// How often.
        count: u64,
    },
}

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendFailure {
    /// There is no connection to the peer.
    #[error("the peer is not connected")]
    NotConnected,
    /// The connection closed first. Whether the peer acted on the request is not known.
    #[error("the connection closed before the response")]
    ConnectionClosed,
    /// The deadline passed. Whether the peer acted on the request is not known.
    #[error("no response within the deadline")]
    Deadline,
    /// Too many requests to this peer are waiting already.
    #[error("too many requests to this peer are waiting")]
    Busy,
    /// Our mistake: the request is longer than the protocol allows.
    #[error("the request has {length} bytes; the protocol allows {limit}")]
    TooLong {
        /// Bytes of the request.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Our mistake: the name of the request is in use.
    #[error("a request of this name is under way")]
    NameInUse,
    /// The peer announced a response longer than the protocol allows.
    #[error("the peer announced a response of {announced} bytes; the protocol allows {limit}")]
    OverlongResponse {
        /// Bytes announced.
        announced: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The peer does not speak this protocol.
    #[error("the peer does not speak this protocol")]
    Unsupported,
    /// The peer closed the stream without a response.
    #[error("the peer gave no response")]
    Unanswered,
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Broken(String),
}

/// Why a peer has no connection any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DisconnectReason {
    /// It is no longer on the list.
    #[error("the peer is no longer allowed")]
    NotAllowed,
    /// We were told to.
    #[error("closed on request")]
    Requested,
    /// A ping was not answered in time.
    #[error("a ping was not answered")]
    PingFailed,
    /// Nothing was said for the idle time.
    #[error("idle")]
    Idle,
    /// The other side closed, or the network between broke.
    #[error("the connection ended: {0}")]
    Ended(String),
}

/// Why a peer could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialFailure {
    /// It is not on the list.
    #[error("the peer is not on the list of allowed peers")]
    NotAllowed,
    /// None of its addresses may be dialled; the last reason.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no address.
    #[error("no address is known for the peer")]
    NoAddress,
    /// Another node answers at this address.
    #[error("another node answers at {address}")]
    OtherPeer {
        /// Where.
        address: String,
        /// Who.
        found: Option<PeerKey>,
    },
    /// Nobody answers.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Too many dials or connections at once.
    #[error("too many dials or connections at once")]
    Limit,
}

/// What was refused or cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Refusal {
    /// A connection of a peer that is not on the list, before any stream.
    #[error("the peer is not on the list of allowed peers")]
    UnknownPeer,
    /// A connection beyond the limits for unproved or established connections.
    #[error("too many connections")]
    TooManyConnections,
    /// A connection beyond the limit for unproved ones of its address.
    #[error("too many unproved connections from this address")]
    TooManyFromAddress,
    /// A connection of a listed peer that comes back all the time.
    #[error("the peer connects too often")]
    ConnectsTooOften,
    /// A connection while the node does not keep up with events.
    #[error("the node is behind with its events")]
    Overloaded,
    /// A connection that did not prove who it is, or broke while doing so.
    #[error("the handshake failed")]
    Handshake,
    /// The oldest connection of a peer that made another one too many.
    #[error("replaced by a newer connection of the peer")]
    Replaced,
    /// A stream beyond the limit.
    #[error("too many streams")]
    TooManyStreams,
    /// A request whose announced length is over the limit.
    #[error("the announced request is too long")]
    OverlongRequest,
    /// A request that was not complete by its deadline.
    #[error("the request was not complete in time")]
    SlowRequest,
    /// A request that ended early or broke.
    #[error("the request broke off")]
    BrokenRequest,
    /// A request that we did not answer, or whose answer the peer did not take, in time.
    #[error("the response was not taken in time")]
    SlowResponse,
    /// Our mistake: an answer longer than the protocol allows.
    #[error("our response is too long")]
    OverlongResponse,
}

/// Why the network could not start.
#[derive(Debug, Error)]
pub enum NetError {
    /// The node key is not usable.
    #[error("the node key is not an Ed25519 seed")]
    Key,
    /// The secure channel could not be set up from the node key.
    #[error("the secure channel could not be set up: {0}")]
    Channel(String),
    /// An address to listen on is not a multiaddress.
    #[error("`{address}` is not an address to listen on: {reason}")]
    ListenAddress {
        /// As configured.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system does not let us listen.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        reason: String,
    },
}
