//! The exchanges of one connection, as libp2p polls them.
//!
//! libp2p's request-response behaviour is not used: it cannot limit the streams of a peer per
//! protocol and direction, reads a request before anybody can say that the peer is above its
//! share, and counts its timeout from after the negotiation. This handler does those three things
//! and nothing else. It runs in the connection's own task; the node being slow holds back
//! requests, never a ping.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::Stream;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::event::{Refusal, SendFailure};
use super::exchange::{Ended, Incoming, Line, Outgoing, ask, io_failure, serve};
use super::limits::OPEN_STREAMS_PER_CONNECTION;
use super::protocol::Protocol;

/// Requests on their way from their stream to the network task; they wait in their place.
const HAND_OVER: usize = 1;

/// The protocols that a stream may be opened for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer(&'static [Protocol]);

impl UpgradeInfo for Offer {
    type Info = Protocol;
    type InfoIter = std::iter::Copied<std::slice::Iter<'static, Protocol>>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().copied()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Stream, Protocol);
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, protocol: Protocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Stream, Protocol);
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, protocol: Protocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// What a handler tells its behaviour.
#[derive(Debug)]
pub(super) enum Told {
    Incoming(Incoming),
    Asked { request: super::RequestId, result: Result<Vec<u8>, SendFailure> },
    Refused { what: Refusal, count: u64 },
}

/// The handler of one connection.
pub(super) struct Handler {
    offer: &'static [Protocol],
    line: Line,
    request_deadline: Duration,
    /// Requests for which a stream must still be asked for; the network task bounds their number.
    wanted: VecDeque<Outgoing>,
    /// Requests that never got a stream.
    failed: VecDeque<Told>,
    exchanges: FuturesUnordered<BoxFuture<'static, Ended>>,
    served: BTreeMap<Protocol, usize>,
    refused: BTreeMap<Refusal, u64>,
    to_node: mpsc::Sender<Incoming>,
    from_streams: mpsc::Receiver<Incoming>,
}

type Polled = ConnectionHandlerEvent<Offer, Outgoing, Told>;

impl Handler {
    pub(super) fn new(offer: &'static [Protocol], line: Line, request_deadline: Duration) -> Self {
        let (to_node, from_streams) = mpsc::channel(HAND_OVER);
        Self {
            offer,
            line,
            request_deadline,
            wanted: VecDeque::new(),
            failed: VecDeque::new(),
            exchanges: FuturesUnordered::new(),
            served: BTreeMap::new(),
            refused: BTreeMap::new(),
            to_node,
            from_streams,
        }
    }

    fn on_inbound(&mut self, stream: Stream, protocol: Protocol) {
        let open = self.served.entry(protocol).or_default();
        if *open >= OPEN_STREAMS_PER_CONNECTION {
            *self.refused.entry(Refusal::TooManyStreams).or_default() += 1;
            return;
        }
        *open += 1;
        let deadline = Instant::now() + self.request_deadline;
        let node = self.to_node.clone();
        self.exchanges.push(serve(stream, self.line.clone(), protocol, deadline, node));
    }

    fn on_no_stream(&mut self, request: super::RequestId, result: SendFailure) {
        self.failed.push_back(Told::Asked { request, result: Err(result) });
    }

    fn on_ended(&mut self, ended: Ended) -> Option<Told> {
        match ended {
            Ended::Asked { request, result } => Some(Told::Asked { request, result }),
            Ended::Served { protocol, refusal } => {
                if let Some(open) = self.served.get_mut(&protocol) {
                    *open = open.saturating_sub(1);
                }
                refusal.map(|what| Told::Refused { what, count: 1 })
            }
        }
    }

    /// The next thing to tell, if there is one.
    fn poll_told(&mut self, cx: &mut Context<'_>) -> Option<Told> {
        if let Some(told) = self.failed.pop_front() {
            return Some(told);
        }
        if let Some((what, count)) = self.refused.pop_first() {
            return Some(Told::Refused { what, count });
        }
        while let Poll::Ready(Some(ended)) = self.exchanges.poll_next_unpin(cx) {
            if let Some(told) = self.on_ended(ended) {
                return Some(told);
            }
        }
        match self.from_streams.poll_recv(cx) {
            Poll::Ready(Some(incoming)) => Some(Told::Incoming(incoming)),
            _ => None,
        }
    }

    /// The next request that needs a stream; those whose deadline has passed are not sent.
    fn next_wanted(&mut self) -> Option<Polled> {
        let out = self.wanted.pop_front()?;
        let left = out.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let told = Told::Asked { request: out.request, result: Err(SendFailure::Deadline) };
            return Some(ConnectionHandlerEvent::NotifyBehaviour(told));
        }
        let protocol = SubstreamProtocol::new(Offer(out.protocol.alone()), out).with_timeout(left);
        Some(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Outgoing;
    type ToBehaviour = Told;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Outgoing;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer, ()> {
        SubstreamProtocol::new(Offer(self.offer), ()).with_timeout(self.request_deadline)
    }

    fn on_behaviour_event(&mut self, out: Outgoing) {
        self.wanted.push_back(out);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        if let Some(told) = self.poll_told(cx) {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(told));
        }
        match self.next_wanted() {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer, (), Outgoing>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => self.on_inbound(stream, protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info,
            }) => self.exchanges.push(ask(stream, self.line.clone(), info)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let result = match error {
                    StreamUpgradeError::Timeout => SendFailure::Deadline,
                    StreamUpgradeError::NegotiationFailed => SendFailure::Unsupported,
                    StreamUpgradeError::Io(error) => io_failure(&error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.on_no_stream(info.request, result);
            }
            _ => {}
        }
    }
}
