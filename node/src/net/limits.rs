//! Every bound of the network in one place (DESIGN section 12), with its unit and its reason.
//!
//! [`NetLimits`] carries those that an operator or a test may change; what is a promise of the
//! wire format stands in [`super::Protocol`].

use std::time::Duration;

/// Streams of one peer and protocol that are served at once; also how many we open at once.
pub const STREAMS_PER_PEER: usize = 16;
/// Streams of one connection and protocol that may be open in all: those served and a few that
/// wait unread, because the peer may see our answer before we have closed our side.
pub const OPEN_STREAMS_PER_CONNECTION: usize = STREAMS_PER_PEER + 4;
/// Streams of one connection that have not yet said which protocol they are for.
pub const UNNAMED_STREAMS: usize = 4 * OPEN_STREAMS_PER_CONNECTION;
/// Requests to one peer and protocol that wait for a stream; one more is refused as busy.
pub const WAITING_REQUESTS: usize = 256;
/// Requests of one peer that were read but not yet taken by the node.
pub const UNDELIVERED_PER_PEER: usize = 8;
/// Connections of one peer; a further one closes the oldest, for a peer that restarted is reached
/// by the new one while the old may look alive until a ping fails.
pub const CONNECTIONS_PER_PEER: usize = 2;
/// Commands and events in flight between the node and its network task.
pub const QUEUE: usize = 256;
/// Events that wait beyond the queue. From here on new connections and commands are held off.
pub const WAITING_EVENTS: usize = 512;
/// How often the network task looks at its timers (pings, redials, deadlines of waiting requests).
pub const TICK: Duration = Duration::from_millis(100);
/// A connection that lived this long was a success: the next redial starts from the floor again.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Different refusals that are counted apart between two reports; the rest is counted together.
pub const REFUSALS_APART: usize = 256;
/// Addresses tried for one peer.
pub const ADDRESSES_PER_PEER: usize = 16;
/// Yamux streams of one connection, both directions: those of four protocols, ping, identify, and
/// as many again that one side has closed and the other not yet. More ends the connection; each
/// can hold 256 KiB that we have not read.
pub const YAMUX_STREAMS: usize = 2 * 4 * OPEN_STREAMS_PER_CONNECTION + 96;
/// QUIC: bytes in flight to us on one stream; a frame fits.
pub const QUIC_STREAM_WINDOW: u32 = 256 * 1024;
/// QUIC: bytes in flight to us on one connection.
pub const QUIC_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// QUIC: streams that the other side may have open on one connection.
pub const QUIC_STREAMS: u32 = 32;

/// How often one peer may connect: a node that flaps redials after 250 ms and then ever more slowly.
/// Each connection costs a handshake, a hello, and all that is told at a beginning.
pub const CONNECTS_PER_PEER: Rate = Rate { per_second: 1, burst: 10 };
/// Of the places of connections that have not proved who they are, those kept for addresses from which
/// a listed peer has connected before: a crowd of strangers cannot keep peers from coming back.
pub const PLACES_FOR_KNOWN: usize = 32;
/// Addresses that are remembered for that; the oldest is forgotten.
pub const KNOWN_ADDRESSES: usize = 4_096;

/// How many requests a peer may make: `burst` at once, then `per_second`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Sustained requests per second; at least 1.
    pub per_second: u32,
    /// Requests that may come at once after a silence; at least 1.
    pub burst: u32,
}

/// The bounds that may be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetLimits {
    /// From a `Send` to its `Response`, and from the opening of a stream to its last byte.
    pub request_deadline: Duration,
    /// From the first packet to an authenticated connection, either way.
    pub dial_timeout: Duration,
    /// Silence after a ping before the next.
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered before the connection is closed.
    pub ping_timeout: Duration,
    /// A connection without any stream for this long is closed.
    pub idle_timeout: Duration,
    /// Inbound connections that have not yet proved who they are, in all.
    pub pending_inbound: usize,
    /// The same per IP address, so that one host cannot take all places. Peers behind one address
    /// that start together are let in over a few redials; raise it where many share one.
    pub pending_inbound_per_address: usize,
    /// Connections in all, either way.
    pub established: usize,
    /// Requests of one peer, over all protocols. A request above the rate waits unread.
    pub requests_per_peer: Rate,
    /// First wait before a redial.
    pub redial_floor: Duration,
    /// Longest wait before a redial.
    pub redial_ceiling: Duration,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            request_deadline: Duration::from_secs(5),
            dial_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(3_600),
            pending_inbound: 128,
            pending_inbound_per_address: 8,
            established: 1_024,
            requests_per_peer: Rate { per_second: 400, burst: 800 },
            redial_floor: Duration::from_millis(250),
            // A superior that comes back must have right figures within five seconds, and it has at most
            // some hundreds of subordinates: a dial of each every four seconds is no load.
            redial_ceiling: Duration::from_secs(4),
        }
    }
}
