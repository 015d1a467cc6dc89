//! The way bytes travel: TCP with Noise and Yamux, or QUIC, whichever the address says. Names are
//! resolved before an address comes here (see `address`), so there is no DNS in this stack.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::upgrade::Version;
use libp2p::core::{Multiaddr, Transport};
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, NetworkBehaviour};
use libp2p::{Swarm, noise, quic, tcp, yamux};

use super::event::NetError;
use super::limits::{NetLimits, QUIC_CONNECTION_WINDOW, QUIC_STREAM_WINDOW, QUIC_STREAMS};

/// How many streams one connection may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    /// In all, both directions.
    pub(super) open: usize,
    /// That have not yet said which protocol they are for.
    pub(super) unnamed: usize,
}

/// A swarm with this behaviour over both transports.
pub(super) fn swarm<B: NetworkBehaviour>(
    key: &Keypair,
    behaviour: B,
    limits: &NetLimits,
    streams: Streams,
) -> Result<Swarm<B>, NetError> {
    let noise = noise::Config::new(key).map_err(|error| NetError::Channel(error.to_string()))?;
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(streams.open);
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic_config(key, limits, streams))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = tcp.or_transport(quic).map(|either, _| either.into_inner());
    let transport = TransportTimeout::new(either, limits.dial_timeout).boxed();
    let config = Config::with_tokio_executor()
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_max_negotiating_inbound_streams(streams.unnamed)
        .with_idle_connection_timeout(limits.idle_timeout);
    Ok(Swarm::new(transport, behaviour, key.public().to_peer_id(), config))
}

fn quic_config(key: &Keypair, limits: &NetLimits, streams: Streams) -> quic::Config {
    let silence = limits.ping_interval + limits.ping_timeout;
    let mut config = quic::Config::new(key);
    config.handshake_timeout = limits.dial_timeout;
    config.max_idle_timeout = milliseconds(silence);
    config.keep_alive_interval = silence / 3;
    config.max_concurrent_stream_limit =
        u32::try_from(streams.open).map_or(QUIC_STREAMS, |open| open.min(QUIC_STREAMS));
    config.max_stream_data = QUIC_STREAM_WINDOW;
    config.max_connection_data = QUIC_CONNECTION_WINDOW;
    config
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Listens on the configured addresses.
pub(super) fn listen<B: NetworkBehaviour>(
    swarm: &mut Swarm<B>,
    addresses: &[String],
) -> Result<(), NetError> {
    for address in addresses {
        let parsed: Multiaddr = address.parse().map_err(|error| NetError::ListenAddress {
            address: address.clone(),
            reason: format!("{error}"),
        })?;
        swarm.listen_on(parsed).map_err(|error| NetError::Listen {
            address: address.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}
