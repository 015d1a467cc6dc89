//! What goes into the core and what comes out: one vocabulary for the shell, the simulator and tests.

use std::collections::BTreeSet;

use reeve_statement::time::Timestamp;

use crate::job::{Job, JobResult};
use crate::local::{Answer, Ask};

/// The time, as the driver sees it: a clock that only goes forward, and the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the driver started; never goes back.
    pub monotonic: u64,
    /// Wall clock; may jump.
    pub wall: Timestamp,
}

/// The public key of a node, which is also its identity on the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct NodeKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl core::fmt::Display for NodeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "NodeKey({self})")
    }
}

/// Which protocol a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Who is there: chains, versions, clocks.
    Hello,
    /// Records between the nodes of one home.
    Home,
    /// Requests, releases, notices, and what superiors distribute.
    Report,
    /// Checkpoints and proofs.
    Ledger,
}

/// Names a persist until the driver says that it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Names a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadId(pub u64);

/// Names a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Names a request that this node sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a request that a peer sent, chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboundId(pub u64);

/// Names a local ask, chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// One row of the store: a key, and its value or none to delete it.
pub type Row = (Vec<u8>, Option<Vec<u8>>);

/// What to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// The values of these keys, in their order.
    Get(Vec<Vec<u8>>),
    /// At most `limit` rows whose keys start with `prefix` and come after `after`, in key order.
    Scan {
        /// Prefix of the keys.
        prefix: Vec<u8>,
        /// Last key already seen.
        after: Option<Vec<u8>>,
        /// Most rows wanted.
        limit: usize,
    },
}

/// What was loaded, in the form of the [`Load`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// One value, or none, per key.
    Values(Vec<Option<Vec<u8>>>),
    /// The rows found; fewer than the limit means that there are no more.
    Rows(Vec<(Vec<u8>, Vec<u8>)>),
}

/// Why a request got no answer. Whether it arrived is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// The peer is not connected, or the connection ended first.
    Disconnected,
    /// No answer within the deadline.
    TimedOut,
    /// The peer or the connection broke the protocol.
    Protocol,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// Every row of the core was restored; begin.
    Started,
    /// A time that the core asked to be woken at has come.
    Wake,
    /// Whether the store is short of space from now on. While it is, what makes it grow is refused:
    /// records, deliveries, changes of the home, new figures. What is there can be read.
    Space {
        /// It is short.
        short: bool,
    },
    /// A connection to an allowed peer stands.
    Connected {
        /// The peer.
        peer: NodeKey,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// The last connection to the peer ended.
    Disconnected {
        /// The peer.
        peer: NodeKey,
    },
    /// A peer asks.
    Frame {
        /// Names the answer that is due.
        inbound: InboundId,
        /// The peer.
        peer: NodeKey,
        /// The protocol.
        channel: Channel,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A peer answered, or did not.
    Response {
        /// Which request.
        request: RequestId,
        /// The answer.
        result: Result<Vec<u8>, SendFailure>,
    },
    /// Something on this machine asks.
    Ask {
        /// Names the reply that is due.
        ask: AskId,
        /// What is asked.
        what: Box<Ask>,
    },
    /// A persist is durable.
    Persisted(Ticket),
    /// A load is done.
    Loaded(LoadId, Loaded),
    /// A job is done.
    Computed(JobId, Box<JobResult>),
    /// The store's files were rewritten, as [`Effect::Rewrite`] asks for.
    Rewritten,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Effect {
    /// Commit these rows, all or none; persists are committed in order.
    Persist {
        /// Names it.
        ticket: Ticket,
        /// The rows.
        rows: Vec<Row>,
    },
    /// Read from the store what was persisted so far.
    Load {
        /// Names it.
        load: LoadId,
        /// What to read.
        what: Load,
    },
    /// Rewrite the store's files, after everything persisted so far: afterwards they hold no byte of what
    /// its rows no longer hold, whatever stops in between. One is asked for at a time.
    Rewrite,
    /// Run a bounded pure job, on any thread.
    Compute {
        /// Names it.
        job: JobId,
        /// The job.
        what: Box<Job>,
    },
    /// Send a request to a connected peer.
    Send {
        /// Names it.
        request: RequestId,
        /// The peer.
        peer: NodeKey,
        /// The protocol.
        channel: Channel,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Answer a peer.
    Respond {
        /// Which request.
        inbound: InboundId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Answer a local ask.
    Reply {
        /// Which ask.
        ask: AskId,
        /// The answer.
        answer: Box<Answer>,
    },
    /// Wake the core at this monotonic time, replacing an earlier wish.
    WakeAt(u64),
    /// Admit these peers and no others; connections of others end.
    Allow(BTreeSet<NodeKey>),
    /// Keep a connection to this peer at these addresses.
    Dial {
        /// The peer.
        peer: NodeKey,
        /// Where it listens.
        addresses: Vec<String>,
    },
    /// End every connection to this peer.
    Disconnect(NodeKey),
    /// Keep these chains for the next start: a renewed one is in force.
    Renewed {
        /// The node's own, CBOR.
        node: Vec<u8>,
        /// Its writer's, CBOR.
        writer: Vec<u8>,
    },
}
