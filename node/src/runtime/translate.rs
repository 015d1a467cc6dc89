//! Between the network task's words and the core's.

use reeve_protocol::effect::{Channel, InboundId, RequestId, SendFailure};
use reeve_protocol::{Input, NodeKey};

use crate::net::{self, NetEvent, PeerKey, Protocol};

fn key(peer: PeerKey) -> NodeKey {
    NodeKey(peer.to_bytes())
}

/// What a network event is for the core; none for what the shell keeps to itself.
pub(super) fn input(event: NetEvent) -> Option<Input> {
    Some(match event {
        NetEvent::Connected { peer, dialled, .. } => Input::Connected { peer: key(peer), dialled },
        NetEvent::Disconnected { peer, .. } => Input::Disconnected { peer: key(peer) },
        NetEvent::Request { inbound, peer, protocol, bytes } => Input::Frame {
            inbound: InboundId(inbound.0),
            peer: key(peer),
            channel: channel(protocol)?,
            bytes,
        },
        NetEvent::Response { request, result, .. } => Input::Response {
            request: RequestId(request.0),
            result: result.map_err(|failure| send_failure(&failure)),
        },
        _ => return None,
    })
}

fn send_failure(failure: &net::SendFailure) -> SendFailure {
    match failure {
        net::SendFailure::NotConnected | net::SendFailure::ConnectionClosed => {
            SendFailure::Disconnected
        }
        net::SendFailure::Deadline | net::SendFailure::Busy => SendFailure::TimedOut,
        _ => SendFailure::Protocol,
    }
}

const fn channel(protocol: Protocol) -> Option<Channel> {
    Some(match protocol {
        Protocol::Hello => Channel::Hello,
        Protocol::Home => Channel::Home,
        Protocol::Report => Channel::Report,
        Protocol::Ledger => Channel::Ledger,
        Protocol::Enrol => return None,
    })
}

/// The wire protocol of a channel.
pub(super) const fn protocol(channel: Channel) -> Protocol {
    match channel {
        Channel::Hello => Protocol::Hello,
        Channel::Home => Protocol::Home,
        Channel::Report => Protocol::Report,
        Channel::Ledger => Protocol::Ledger,
    }
}

/// The label of a refused connection or request in metrics.
pub(super) const fn refusal_label(what: net::Refusal) -> &'static str {
    use net::Refusal as R;
    match what {
        R::UnknownPeer => "unknown_peer",
        R::TooManyConnections => "too_many_connections",
        R::TooManyFromAddress => "too_many_from_address",
        R::ConnectsTooOften => "connects_too_often",
        R::Overloaded => "overloaded",
        R::Handshake => "handshake",
        R::Replaced => "replaced",
        R::TooManyStreams => "too_many_streams",
        R::OverlongRequest => "overlong_request",
        R::SlowRequest => "slow_request",
        R::BrokenRequest => "broken_request",
        R::SlowResponse => "slow_response",
        R::OverlongResponse => "overlong_response",
    }
}
