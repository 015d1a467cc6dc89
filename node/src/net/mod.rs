//! The network adapter: a dumb, bounded carrier of opaque frames between known peers.
//!
//! It holds connections (libp2p: TCP with Noise and Yamux, or QUIC), moves one request and one
//! response per stream, and reports what happened. It never reads what it carries, never decides
//! who may have what, and knows neither statements nor records: the protocol core does that. The
//! only judgement made here is whether a peer is on the list it was given.
//!
//! How it is used: [`Net::spawn`] starts one task and gives a [`NetHandle`] for commands and a
//! channel of events. Whoever drives it must take events while it waits to send a command (one
//! `select`), because commands are held off while too many events wait. Nothing here grows without
//! bound: see [`limits`].
//!
//! | file | what it does |
//! |---|---|
//! | `address` | which addresses may be dialled |
//! | `frame` | four bytes of length, then the bytes |
//! | `share` | what one peer may take: streams, rate, unread requests |
//! | `exchange` | one request and its response, on either side |
//! | `handler`, `carrier` | the exchanges of a connection, and of all connections, for libp2p |
//! | `gate` | who may connect |
//! | `redial` | when to try again |
//! | `sends`, `peers`, `outbox` | requests under way; connections; events that wait to be taken |
//! | `behaviour`, `transport` | what libp2p is made to be |
//! | `driver` | the task |
//! | `node` | configuration, start, handle |
//! | `enrol` | the separate port for newcomers, and its client |

mod address;
mod behaviour;
mod carrier;
mod driver;
pub mod enrol;
mod event;
mod exchange;
pub mod frame;
mod gate;
mod handler;
pub mod limits;
mod node;
mod outbox;
mod peer;
mod peers;
mod protocol;
mod redial;
mod sends;
mod share;
mod tap;
mod translate;
mod transport;

#[cfg(test)]
mod tests;

pub use address::{AddressError, NodeAddress};
pub use event::{
    DialFailure, DisconnectReason, InboundId, NetCommand, NetError, NetEvent, Refusal, RequestId,
    SendFailure,
};
pub use limits::{NetLimits, Rate};
pub use node::{Net, NetConfig, NetHandle, NodeSeed};
pub use peer::PeerKey;
pub use protocol::Protocol;
pub use tap::{Direction, Tap};
