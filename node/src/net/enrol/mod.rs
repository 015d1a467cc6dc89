//! The enrolment port: a second, much smaller listener that strangers may talk to, and the one
//! call that a stranger makes.
//!
//! It speaks one protocol, `/reeve/enrol/1`, and shares nothing with the node's network but code:
//! whatever happens here, no list, share or queue of the node is touched. Few connections, short
//! ones, at a low rate. Whether a newcomer is admitted is decided by whoever answers the request.
//!
//! The channel is encrypted, but a caller who does not say which peer it expects cannot know who
//! is at the other end: [`EnrolAnswer::server`] tells who it was.

mod call;
mod port;

pub use call::{EnrolAnswer, EnrolCall, EnrolError, enrol_call};
pub use port::{EnrolCommand, EnrolConfig, EnrolEvent, EnrolPort};

use super::transport::Streams;

/// Streams of one connection. One is needed; each can hold 256 KiB that were not read.
const STREAMS: Streams = Streams { open: 8, unnamed: 4 };
