//! Connections: who may have one, how long it lasts, when it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{QUIC, TCP, TestNode, key, pair};
use crate::net::{
    DialFailure, DisconnectReason, NetCommand, NetEvent, Protocol, Refusal, SendFailure,
};

#[tokio::test]
async fn an_unknown_peer_is_refused_before_it_can_say_anything() {
    for listen in [TCP, QUIC] {
        let (mut superior, address) = TestNode::listening(1, listen, |_| {}).await;
        superior.allow(&[key(3)]).await;
        let mut stranger = TestNode::start(2, |_| {});
        stranger.allow(&[superior.key]).await;
        stranger.dial(superior.key, &address).await;
        let (peer, from, count) = superior
            .until("a refusal", |event| match event {
                NetEvent::Refused { what: Refusal::UnknownPeer, peer, address, count } => {
                    Some((peer, address, count))
                }
                NetEvent::Connected { .. } | NetEvent::Request { .. } => {
                    panic!("a stranger got in: {event:?}")
                }
                _ => None,
            })
            .await;
        assert_eq!(peer, Some(stranger.key));
        assert!(from.unwrap().starts_with("/ip4/127.0.0.1/") && count >= 1);
        // What the stranger may have taken for a connection carries nothing.
        stranger.send(1, superior.key, Protocol::Hello, b"let me in").await;
        assert!(stranger.response(1).await.is_err());
    }
}

#[tokio::test]
async fn a_peer_taken_from_the_list_is_cut_at_once() {
    for listen in [TCP, QUIC] {
        let (mut superior, mut subordinate) = pair(listen, |_| {}).await;
        subordinate.send(1, superior.key, Protocol::Report, b"?").await;
        let (inbound, ..) = superior.request().await;
        let start = Instant::now();
        superior.allow(&[]).await;
        assert_eq!(superior.disconnected(subordinate.key).await, DisconnectReason::NotAllowed);
        assert!(subordinate.response(1).await.is_err());
        let took = start.elapsed();
        assert!(took < Duration::from_millis(100), "{took:?}");
        superior.respond(inbound, b"too late".to_vec()).await;
        // Back on the list it is let in again.
        superior.allow(&[subordinate.key]).await;
        superior.connected(subordinate.key).await;
    }
}

#[tokio::test]
async fn a_peer_is_dialled_again_when_it_comes_back() {
    let (superior, mut subordinate) = pair(TCP, |_| {}).await;
    let name = superior.key;
    superior.handle.shut_down().await;
    subordinate.disconnected(name).await;

    // A different socket, the same key: the subordinate is told the new address.
    let (mut superior, address) = TestNode::listening(1, TCP, |_| {}).await;
    superior.allow(&[subordinate.key]).await;
    subordinate.dial(name, &address).await;
    subordinate.connected(name).await;

    // The same address: nothing needs to be told.
    superior.handle.shut_down().await;
    subordinate.disconnected(name).await;
    subordinate
        .until("a failed dial", |event| match event {
            NetEvent::DialFailed { reason: DialFailure::Unreachable(_), .. } => Some(()),
            _ => None,
        })
        .await;
    (superior, _) = TestNode::listening(1, &address, |_| {}).await;
    superior.allow(&[subordinate.key]).await;
    subordinate.connected(name).await;
    superior.connected(subordinate.key).await;
}

#[tokio::test]
async fn a_third_connection_closes_the_oldest() {
    let (mut superior, address) = TestNode::listening(1, TCP, |_| {}).await;
    superior.allow(&[key(2)]).await;
    let mut copies = Vec::new();
    for _ in 0..3 {
        let mut copy = TestNode::start(2, |_| {});
        copy.allow(&[superior.key]).await;
        copy.dial(superior.key, &address).await;
        copy.connected(superior.key).await;
        superior.connected(key(2)).await;
        copies.push(copy);
    }
    copies[0].disconnected(superior.key).await;
    // Requests go over the newest connection.
    superior.send(1, key(2), Protocol::Hello, b"?").await;
    let (inbound, ..) = copies[2].request().await;
    copies[2].respond(inbound, b"newest".to_vec()).await;
    assert_eq!(superior.response(1).await.unwrap(), b"newest");
}

#[tokio::test]
async fn a_full_node_refuses_until_there_is_a_place() {
    let (mut superior, address) =
        TestNode::listening(1, TCP, |limits| limits.established = 1).await;
    superior.allow(&[key(2), key(3)]).await;
    let first = TestNode::start(2, |_| {});
    first.allow(&[superior.key]).await;
    first.dial(superior.key, &address).await;
    superior.connected(key(2)).await;
    let second = TestNode::start(3, |_| {});
    second.allow(&[superior.key]).await;
    second.dial(superior.key, &address).await;
    superior
        .until("a refusal", |event| match event {
            NetEvent::Refused { what: Refusal::TooManyConnections, peer, .. } => peer,
            _ => None,
        })
        .await;
    first.handle.shut_down().await;
    superior.connected(key(3)).await;
}

#[tokio::test]
async fn hanging_up_ends_a_connection_for_good() {
    let (mut superior, mut subordinate) = pair(TCP, |_| {}).await;
    subordinate.command(NetCommand::Hangup { peer: superior.key }).await;
    assert_eq!(subordinate.disconnected(superior.key).await, DisconnectReason::Requested);
    superior.disconnected(subordinate.key).await;
    subordinate.send(1, superior.key, Protocol::Report, b"?").await;
    assert_eq!(subordinate.response(1).await, Err(SendFailure::NotConnected));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(superior.events.try_recv().is_err(), "nothing came back");
}

#[tokio::test]
async fn disconnecting_a_kept_peer_brings_it_back() {
    let (mut superior, mut subordinate) = pair(TCP, |_| {}).await;
    superior.command(NetCommand::Disconnect { peer: subordinate.key }).await;
    superior.disconnected(subordinate.key).await;
    superior.connected(subordinate.key).await;
    subordinate.connected(superior.key).await;
}

#[tokio::test]
async fn another_node_at_the_address_is_told_from_the_one_wanted() {
    let (superior, address) = TestNode::listening(1, TCP, |_| {}).await;
    let mut subordinate = TestNode::start(2, |_| {});
    subordinate.allow(&[key(3)]).await;
    subordinate.dial(key(3), &address).await;
    let reason = subordinate
        .until("a failed dial", |event| match event {
            NetEvent::DialFailed { peer, reason, .. } if peer == key(3) => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, DialFailure::OtherPeer { address, found: Some(superior.key) });
}

#[tokio::test]
async fn inner_addresses_and_unlisted_peers_are_not_dialled() {
    let mut subordinate = TestNode::start(2, |config| config.allow_private_addresses = false);
    subordinate.dial(key(3), "/ip4/127.0.0.1/tcp/4001").await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let reason = subordinate
            .until("a failed dial", |event| match event {
                NetEvent::DialFailed { reason, .. } => Some(reason),
                _ => None,
            })
            .await;
        reasons.push(reason);
        // On the list it is tried again at once, and the address is looked at.
        subordinate.allow(&[key(3)]).await;
    }
    assert_eq!(reasons[0], DialFailure::NotAllowed);
    assert!(matches!(reasons[1], DialFailure::Address(_)), "{reasons:?}");
}

/// Passes bytes on between a listener of its own and `to`, until it is frozen.
async fn freezable(to: std::net::SocketAddr) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let frozen = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&frozen);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(pass(near_read, far_write, Arc::clone(&flag)));
            tokio::spawn(pass(far_read, near_write, Arc::clone(&flag)));
        }
    });
    (port, frozen)
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    frozen: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while frozen.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_closed_after_one_missed_ping() {
    let quick = |limits: &mut crate::net::NetLimits| {
        limits.ping_interval = Duration::from_millis(300);
        limits.ping_timeout = Duration::from_millis(400);
    };
    let (mut superior, address) = TestNode::listening(1, TCP, quick).await;
    let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
    let (proxy, frozen) = freezable(([127, 0, 0, 1], port).into()).await;
    let mut subordinate = TestNode::start(2, |config| quick(&mut config.limits));
    superior.allow(&[subordinate.key]).await;
    subordinate.allow(&[superior.key]).await;
    subordinate.dial(superior.key, &format!("/ip4/127.0.0.1/tcp/{proxy}")).await;
    subordinate.connected(superior.key).await;
    // Pings go on for a while, and nothing happens.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(subordinate.events.try_recv().is_err());

    frozen.store(true, Ordering::Relaxed);
    let start = Instant::now();
    assert_eq!(subordinate.disconnected(superior.key).await, DisconnectReason::PingFailed);
    assert!(start.elapsed() < Duration::from_millis(1_200), "{:?}", start.elapsed());
    superior.disconnected(subordinate.key).await;
}
