//! Peers that mean ill: enrolled, authenticated, and sending what no node of ours would send.
//!
//! The bad peer is built on libp2p's own request-response with a codec that follows a script
//! instead of our format.

use std::io;
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::core::{Multiaddr, Transport};
use libp2p::request_response::{Behaviour, Codec, Config, Event, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{Swarm, noise, tcp, yamux};

use super::{TCP, TestNode, key, pair, seed};
use crate::net::limits::Rate;
use crate::net::peer::key_pair;
use crate::net::{NetEvent, Protocol, Refusal, SendFailure};

/// What a bad peer writes where a frame should be.
#[derive(Debug, Clone)]
enum Script {
    /// These bytes; then the stream stays open.
    Hold(Vec<u8>),
    /// The announcement of a long frame, then a byte now and then.
    Trickle,
}

#[derive(Debug, Clone, Default)]
struct BadCodec;

async fn act<S: AsyncWrite + Unpin>(stream: &mut S, script: Script) -> io::Result<()> {
    match script {
        Script::Hold(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await
        }
        Script::Trickle => {
            stream.write_all(&1_000_u32.to_be_bytes()).await?;
            loop {
                stream.write_all(&[0]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Codec for BadCodec {
    type Protocol = Protocol;
    type Request = Script;
    type Response = Script;

    async fn read_request<S>(&mut self, _: &Protocol, stream: &mut S) -> io::Result<Script>
    where
        S: AsyncRead + Unpin + Send,
    {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        Ok(Script::Hold(all))
    }

    async fn read_response<S>(&mut self, _: &Protocol, stream: &mut S) -> io::Result<Script>
    where
        S: AsyncRead + Unpin + Send,
    {
        self.read_request(&Protocol::Report, stream).await
    }

    async fn write_request<S>(&mut self, _: &Protocol, stream: &mut S, s: Script) -> io::Result<()>
    where
        S: AsyncWrite + Unpin + Send,
    {
        act(stream, s).await?;
        // Keeps our side open: the request is never finished.
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    }

    async fn write_response<S>(&mut self, _: &Protocol, stream: &mut S, s: Script) -> io::Result<()>
    where
        S: AsyncWrite + Unpin + Send,
    {
        act(stream, s).await
    }
}

/// A bad peer with the key of node `number`.
fn bad_peer(number: u8) -> Swarm<Behaviour<BadCodec>> {
    let (pair, _) = key_pair(&seed(number)).unwrap();
    let transport = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&pair).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = Config::default()
        .with_request_timeout(Duration::from_secs(30))
        .with_max_concurrent_streams(2_000);
    let behaviour = Behaviour::new([(Protocol::Report, ProtocolSupport::Full)], config);
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(60));
    Swarm::new(transport, behaviour, pair.public().to_peer_id(), config)
}

/// Connects a bad peer to a node and lets it send these scripts as requests.
async fn attack(
    address: &str,
    number: u8,
    victim: u8,
    scripts: Vec<Script>,
) -> tokio::task::JoinHandle<()> {
    let mut swarm = bad_peer(number);
    let victim = key(victim).to_peer_id().unwrap();
    let address: Multiaddr = address.parse().unwrap();
    swarm.dial(address).unwrap();
    while !swarm.is_connected(&victim) {
        swarm.select_next_some().await;
    }
    for script in scripts {
        swarm.behaviour_mut().send_request(&victim, script);
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    })
}

async fn refused(node: &mut TestNode, wanted: Refusal) -> u64 {
    node.until("a refusal", |event| match event {
        NetEvent::Refused { what, peer, count, .. } if what == wanted => {
            assert_eq!(peer, Some(key(66)));
            Some(count)
        }
        NetEvent::Request { .. } => panic!("a bad request got through"),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn an_overlong_request_is_refused_from_its_announcement() {
    let (mut node, address) = TestNode::listening(1, TCP, |_| {}).await;
    node.allow(&[key(66)]).await;
    let scripts = vec![Script::Hold(vec![0xFF; 4]), Script::Hold(vec![0, 4, 0, 1])];
    let start = Instant::now();
    let task = attack(&address, 66, 1, scripts).await;
    let mut count = 0;
    while count < 2 {
        count += refused(&mut node, Refusal::OverlongRequest).await;
    }
    assert!(start.elapsed() < Duration::from_secs(2), "without waiting for a deadline");
    task.abort();
}

#[tokio::test]
async fn a_request_that_trickles_is_dropped_at_its_deadline() {
    let (mut node, address) =
        TestNode::listening(1, TCP, |limits| limits.request_deadline = Duration::from_millis(500))
            .await;
    node.allow(&[key(66)]).await;
    let task = attack(&address, 66, 1, vec![Script::Trickle, Script::Hold(vec![0, 0])]).await;
    let mut count = 0;
    while count < 2 {
        count += refused(&mut node, Refusal::SlowRequest).await;
    }
    task.abort();
}

/// Memory of this process in bytes, where the system tells it.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    resident.unwrap_or_default() * 4_096
}

#[tokio::test]
async fn a_thousand_half_open_streams_take_nothing_from_an_honest_peer() {
    let (mut node, address) = TestNode::listening(1, TCP, |_| {}).await;
    node.allow(&[key(66), key(2)]).await;
    let before = resident();
    // A thousand times 65,535 bytes announced, four sent.
    let half_open = vec![Script::Hold(vec![0, 0, 0xFF, 0xFF]); 1_000];
    let task = attack(&address, 66, 1, half_open).await;
    let count = refused(&mut node, Refusal::TooManyStreams).await;
    assert!(count >= 1);

    let mut honest = TestNode::start(2, |_| {});
    honest.allow(&[node.key]).await;
    honest.dial(node.key, &address).await;
    honest.connected(node.key).await;
    let to = node.key;
    let _echo = node.echo();
    for number in 0..50 {
        let start = Instant::now();
        honest.send(number, to, Protocol::Report, b"?").await;
        assert_eq!(honest.response(number).await.unwrap(), b"?!");
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
    // The attacker lives in this process too; its share is in the sum.
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes");
    task.abort();
}

#[tokio::test]
async fn silent_sockets_are_few_and_let_go() {
    let (mut node, address) = TestNode::listening(1, TCP, |limits| {
        limits.dial_timeout = Duration::from_millis(700);
    })
    .await;
    node.allow(&[key(2)]).await;
    let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let (mut crowded, mut silent) = (0, 0);
    while crowded < 12 || silent < 8 {
        node.until("refusals", |event| match event {
            NetEvent::Refused { what: Refusal::TooManyFromAddress, count, .. } => {
                crowded += count;
                Some(())
            }
            NetEvent::Refused { what: Refusal::Handshake, count, .. } => {
                silent += count;
                Some(())
            }
            _ => None,
        })
        .await;
    }
    assert_eq!((crowded, silent), (12, 8));
    let honest = TestNode::start(2, |_| {});
    honest.allow(&[node.key]).await;
    honest.dial(node.key, &address).await;
    node.connected(key(2)).await;
}

/// What a node gets that asks a bad peer which answers with `script`.
async fn ask_bad_peer(script: Script, deadline: Duration) -> Result<Vec<u8>, SendFailure> {
    let (mut node, address) =
        TestNode::listening(1, TCP, |limits| limits.request_deadline = deadline).await;
    node.allow(&[key(66)]).await;
    let mut swarm = bad_peer(66);
    swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
    let task = tokio::spawn(async move {
        loop {
            let SwarmEvent::Behaviour(Event::Message {
                message: Message::Request { channel, .. },
                ..
            }) = swarm.select_next_some().await
            else {
                continue;
            };
            let _ = swarm.behaviour_mut().send_response(channel, script.clone());
        }
    });
    node.connected(key(66)).await;
    let start = Instant::now();
    node.send(1, key(66), Protocol::Report, b"?").await;
    let result = node.response(1).await;
    assert!(start.elapsed() < deadline + Duration::from_secs(1), "{:?}", start.elapsed());
    task.abort();
    result
}

#[tokio::test]
async fn a_response_that_trickles_ends_at_the_deadline() {
    let result = ask_bad_peer(Script::Trickle, Duration::from_millis(700)).await;
    assert_eq!(result, Err(SendFailure::Deadline));
}

#[tokio::test]
async fn bad_responses_are_told_apart() {
    let long = ask_bad_peer(Script::Hold(vec![0xFF; 4]), Duration::from_secs(5)).await;
    assert!(matches!(long, Err(SendFailure::OverlongResponse { .. })), "{long:?}");
    let cut = ask_bad_peer(Script::Hold(vec![0, 0, 0, 9, 1]), Duration::from_secs(5)).await;
    assert!(matches!(cut, Err(SendFailure::Broken(_))), "{cut:?}");
    let none = ask_bad_peer(Script::Hold(Vec::new()), Duration::from_secs(5)).await;
    assert_eq!(none, Err(SendFailure::Unanswered));
}

#[tokio::test]
async fn a_peer_without_pings_is_closed() {
    // The bad peer speaks no ping at all.
    let (mut node, address) = TestNode::listening(1, TCP, |limits| {
        limits.ping_interval = Duration::from_millis(300);
        limits.ping_timeout = Duration::from_millis(300);
    })
    .await;
    node.allow(&[key(66)]).await;
    let task = attack(&address, 66, 1, Vec::new()).await;
    assert_eq!(node.disconnected(key(66)).await, crate::net::DisconnectReason::PingFailed);
    task.abort();
}

#[tokio::test]
async fn a_flood_is_throttled_and_an_honest_peer_is_still_answered() {
    let rate = Rate { per_second: 50, burst: 50 };
    let (node, address) =
        TestNode::listening(1, TCP, |limits| limits.requests_per_peer = rate).await;
    node.allow(&[key(2), key(3)]).await;
    let to = node.key;
    let _echo = node.echo();
    let mut flooder = TestNode::start(2, |_| {});
    let mut honest = TestNode::start(3, |_| {});
    for peer in [&mut flooder, &mut honest] {
        peer.allow(&[to]).await;
        peer.dial(to, &address).await;
        peer.connected(to).await;
    }
    for number in 0..250 {
        flooder.send(number, to, Protocol::Report, b"flood").await;
    }
    let start = Instant::now();
    for number in 0..20 {
        let asked = Instant::now();
        honest.send(number, to, Protocol::Report, b"?").await;
        assert_eq!(honest.response(number).await.unwrap(), b"?!");
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    }
    // In the time passed the flooder was served its burst and its rate, and no more.
    tokio::time::sleep(Duration::from_secs(1).saturating_sub(start.elapsed())).await;
    let mut served = 0.0;
    while let Ok(event) = flooder.events.try_recv() {
        if matches!(event, NetEvent::Response { result: Ok(_), .. }) {
            served += 1.0;
        }
    }
    let fair = 50.0 + 50.0 * start.elapsed().as_secs_f64();
    assert!(served <= fair + 20.0 && served >= 50.0, "served {served}, fair {fair}");
}

#[tokio::test]
async fn a_node_that_takes_no_events_holds_requests_back_and_answers_pings() {
    let quick = |limits: &mut crate::net::NetLimits| {
        limits.ping_interval = Duration::from_millis(200);
        limits.ping_timeout = Duration::from_millis(400);
        limits.request_deadline = Duration::from_secs(20);
    };
    let (superior, mut subordinate) = pair(TCP, quick).await;
    // 64 KiB each, and nobody takes them: most must stay with the sender.
    let bytes = vec![5; Protocol::Ledger.max_request()];
    for protocol in Protocol::BETWEEN_NODES {
        for number in 0..60 {
            let request = number + 1_000 * (*protocol as u64);
            subordinate.send(request, superior.key, *protocol, &bytes).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(subordinate.events.try_recv().is_err(), "no answer, and no lost connection");
    // Taken at last, all are answered over the same connection.
    let echo = superior.echo();
    let mut answered = 0;
    while answered < 240 {
        subordinate
            .until("an answer", |event| match event {
                NetEvent::Response { result, .. } => {
                    // An echo of the longest request is a byte too long for a hello.
                    assert!(result.is_ok() || answered < 240, "{result:?}");
                    Some(())
                }
                NetEvent::Disconnected { .. } => panic!("the connection was lost"),
                _ => None,
            })
            .await;
        answered += 1;
    }
    drop(echo);
}
