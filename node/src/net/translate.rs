//! libp2p's errors and addresses in the words of `event`.

use std::io;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::{ConnectionDenied, ConnectionError, DialError, ListenError};

use super::event::{DialFailure, DisconnectReason, NetEvent, Refusal};
use super::peer::PeerKey;

/// The address without a peer at its end.
pub(super) fn bare(address: &Multiaddr) -> String {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Part::P2p(_))) {
        address.pop();
    }
    address.to_string()
}

/// Why a connection to us was not let in.
pub(super) fn refusal(error: ListenError) -> Refusal {
    match error {
        ListenError::Denied { cause } => denial(&cause),
        ListenError::Aborted
        | ListenError::WrongPeerId { .. }
        | ListenError::LocalPeerId { .. }
        | ListenError::Transport(_) => Refusal::Handshake,
    }
}

fn denial(cause: &ConnectionDenied) -> Refusal {
    cause.downcast_ref::<Refusal>().copied().unwrap_or(Refusal::UnknownPeer)
}

/// Why a dial failed.
pub(super) fn dial_failure(error: DialError) -> DialFailure {
    match error {
        DialError::WrongPeerId { obtained, address } => DialFailure::OtherPeer {
            address: bare(&address),
            found: PeerKey::from_peer_id(&obtained),
        },
        DialError::LocalPeerId { address } => {
            DialFailure::OtherPeer { address: bare(&address), found: None }
        }
        DialError::NoAddresses => DialFailure::NoAddress,
        DialError::Denied { cause } => match denial(&cause) {
            Refusal::UnknownPeer => DialFailure::NotAllowed,
            _ => DialFailure::Limit,
        },
        DialError::Transport(attempts) => DialFailure::Unreachable(
            attempts
                .iter()
                .map(|(address, error)| format!("{}: {}", bare(address), root(error)))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        DialError::Aborted | DialError::DialPeerConditionFalse(_) => {
            DialFailure::Unreachable("the dial was abandoned".to_owned())
        }
    }
}

/// The innermost cause: what the system said, without the layers it came through.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Why a connection ended.
pub(super) fn closed(cause: Option<&ConnectionError>) -> DisconnectReason {
    match cause {
        Some(ConnectionError::KeepAliveTimeout) => DisconnectReason::Idle,
        Some(ConnectionError::IO(error)) => DisconnectReason::Ended(root(error)),
        None => DisconnectReason::Ended("closed".to_owned()),
    }
}

/// A listener that has ended.
pub(super) fn listener_closed(addresses: &[Multiaddr], reason: io::Result<()>) -> NetEvent {
    let addresses = addresses.iter().map(bare).collect();
    let reason = reason.err().map_or("closed".to_owned(), |error| error.to_string());
    NetEvent::ListenerClosed { addresses, reason }
}
