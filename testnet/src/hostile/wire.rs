//! The way to a node for a peer that is not bound by our program: TCP from a chosen loopback address,
//! Noise with any key, Yamux either by libp2p or frame by frame, and protocols negotiated by hand.
//!
//! Nothing here keeps a limit or waits politely; whoever uses it bounds its counts and its time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox};
use libp2p::core::upgrade::OutboundConnectionUpgrade as _;
use libp2p::identity::Keypair;
use libp2p::tcp::tokio::TcpStream;
use libp2p::{noise, yamux};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// First words of every negotiation (multistream-select 1.0).
const MULTISTREAM: &str = "/multistream/1.0.0";
/// Longest line of a negotiation that is read, in bytes: the length is one byte then.
const LINE: usize = 127;
/// Longest answer that is read, in bytes: a node sends no longer frame.
const ANSWER: usize = 256 * 1024;
/// Bytes of a ping.
const PING: usize = 32;
/// Streams that may wait to be opened.
const OPENING: usize = 64;
/// Longest time for a connection or an answer: a node gives up earlier.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a request of the node is held that is not answered.
const HELD: Duration = Duration::from_secs(30);

/// Loopback addresses that attacks come from, as from so many hosts.
pub(super) const HOSTS: u8 = 50;

/// One of the [`HOSTS`], by number.
pub(super) fn host(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number % usize::from(HOSTS)).unwrap_or(0);
    Ipv4Addr::new(127, 0, 0, last.saturating_add(2))
}

/// Something took longer than a node would take.
fn too_slow(_: tokio::time::error::Elapsed) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// A socket from one loopback address.
pub(super) async fn socket(from: Ipv4Addr, to: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    let connected = socket.connect(to);
    let stream = tokio::time::timeout(PATIENCE, connected).await.map_err(too_slow)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A key that nobody has seen before.
pub(super) fn stranger() -> Keypair {
    Keypair::generate_ed25519()
}

/// The key of a node, as the network knows it.
pub(super) fn keypair(seed: &[u8; 32]) -> io::Result<Keypair> {
    Keypair::ed25519_from_bytes(*seed).map_err(io::Error::other)
}

/// One line of a negotiation.
pub(super) fn line(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len().saturating_add(1)).unwrap_or(u8::MAX);
    let mut bytes = vec![length];
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    bytes
}

/// The whole proposal of a protocol.
pub(super) fn proposal(protocol: &str) -> Vec<u8> {
    let mut bytes = line(MULTISTREAM);
    bytes.extend(line(protocol));
    bytes
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut length = [0];
    stream.read_exact(&mut length).await?;
    let [length] = length.map(usize::from);
    if length > LINE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    Ok(text.trim_end_matches('\n').to_owned())
}

async fn agreed(stream: &mut (impl AsyncRead + Unpin), protocol: &str) -> io::Result<()> {
    let words = [read_line(stream).await?, read_line(stream).await?];
    if words == [MULTISTREAM, protocol] { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Proposes a protocol and waits for the consent.
async fn select<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, with: &str) -> io::Result<()> {
    stream.write_all(&proposal(with)).await?;
    stream.flush().await?;
    agreed(stream, with).await
}

/// A connection whose other end has proved its key, and whose own was not refused yet: whoever is
/// unknown learns that when the node closes.
pub(super) type Proved = noise::Output<TcpStream>;

/// TCP and Noise.
pub(super) async fn prove(key: &Keypair, from: Ipv4Addr, to: SocketAddr) -> io::Result<Proved> {
    let work = async {
        let mut stream = TcpStream(socket(from, to).await?);
        select(&mut stream, "/noise").await?;
        let config = noise::Config::new(key).map_err(io::Error::other)?;
        let (_, proved) =
            config.upgrade_outbound(stream, "/noise").await.map_err(io::Error::other)?;
        Ok(proved)
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(too_slow)?
}

/// The same with Yamux agreed on; frames are the caller's.
pub(super) async fn open_line(key: &Keypair, from: Ipv4Addr, to: SocketAddr) -> io::Result<Proved> {
    let work = async {
        let mut proved = prove(key, from, to).await?;
        select(&mut proved, "/yamux/1.0.0").await?;
        Ok(proved)
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(too_slow)?
}

/// A frame of Yamux: kind and flags, stream, and the length or what stands in its place.
pub(super) fn yamux_frame(kind: u8, flags: u8, stream: u32, length: u32) -> [u8; 12] {
    let ([a, b, c, d], [e, f, g, h]) = (stream.to_be_bytes(), length.to_be_bytes());
    [0, kind, 0, flags, a, b, c, d, e, f, g, h]
}

/// What a peer says to a request of the node: the bytes to write, or nothing for as long as the node
/// waits.
pub(super) type Manners = Arc<dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// A peer that answers nothing but pings.
pub(super) fn silent() -> Manners {
    Arc::new(|_, _| None)
}

/// Bytes with their length before them.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    framed
}

/// A connection with streams. Dropped, it is closed.
pub(super) struct Peer {
    opening: mpsc::Sender<oneshot::Sender<SubstreamBox>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Connects; what the node asks is answered in this manner.
    pub(super) async fn dial(
        key: &Keypair,
        from: Ipv4Addr,
        to: SocketAddr,
        manners: Manners,
    ) -> io::Result<Self> {
        let line = open_line(key, from, to).await?;
        let muxer = yamux::Config::default().upgrade_outbound(line, "/yamux/1.0.0").await;
        let muxer = StreamMuxerBox::new(muxer.map_err(io::Error::other)?);
        let (opening, opened) = mpsc::channel(OPENING);
        let task = tokio::spawn(drive(muxer, opened, manners));
        Ok(Self { opening, task })
    }

    /// Whether the node has not closed the connection.
    pub(super) fn is_open(&self) -> bool {
        !self.task.is_finished()
    }

    /// A new stream, on which nothing was said yet.
    pub(super) async fn stream(&self) -> io::Result<SubstreamBox> {
        let (opened, stream) = oneshot::channel();
        let closed = |_| io::Error::from(io::ErrorKind::NotConnected);
        self.opening.send(opened).await.map_err(|_| io::ErrorKind::NotConnected)?;
        tokio::time::timeout(PATIENCE, stream).await.map_err(too_slow)?.map_err(closed)
    }

    /// One request and its answer.
    pub(super) async fn ask(&self, protocol: &str, request: &[u8]) -> io::Result<Vec<u8>> {
        let work = async {
            let mut stream = self.stream().await?;
            let mut bytes = proposal(protocol);
            bytes.extend(frame(request));
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            agreed(&mut stream, protocol).await?;
            read_frame(&mut stream).await
        };
        tokio::time::timeout(PATIENCE, work).await.map_err(too_slow)?
    }
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > ANSWER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Moves what there is to move on a connection, until it ends.
async fn drive(
    mut muxer: StreamMuxerBox,
    mut opened: mpsc::Receiver<oneshot::Sender<SubstreamBox>>,
    manners: Manners,
) {
    let mut wanted: Option<oneshot::Sender<SubstreamBox>> = None;
    poll_fn(move |cx| {
        loop {
            let mut moved = false;
            match muxer.poll_inbound_unpin(cx) {
                Poll::Ready(Ok(stream)) => {
                    tokio::spawn(hear(stream, Arc::clone(&manners)));
                    moved = true;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if wanted.is_none()
                && let Poll::Ready(Some(next)) = opened.poll_recv(cx)
            {
                wanted = Some(next);
            }
            if wanted.is_some() {
                match muxer.poll_outbound_unpin(cx) {
                    Poll::Ready(Ok(stream)) => {
                        if let Some(wanted) = wanted.take() {
                            // Whoever asked may have given up.
                            let _ = wanted.send(stream);
                        }
                        moved = true;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            match muxer.poll_unpin(cx) {
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if !moved {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// A stream that the node opened.
async fn hear(mut stream: SubstreamBox, manners: Manners) {
    // A stream that breaks is the node's business; the attack goes on.
    let _ = tokio::time::timeout(HELD, answer(&mut stream, &manners)).await;
}

async fn answer(stream: &mut SubstreamBox, manners: &Manners) -> io::Result<()> {
    if read_line(stream).await? != MULTISTREAM {
        return Ok(());
    }
    let protocol = read_line(stream).await?;
    stream.write_all(&line(MULTISTREAM)).await?;
    if protocol == "/ipfs/ping/1.0.0" {
        stream.write_all(&line(&protocol)).await?;
        stream.flush().await?;
        return echo(stream).await;
    }
    if !protocol.starts_with("/reeve/") {
        stream.write_all(&line("na")).await?;
        return stream.flush().await;
    }
    stream.write_all(&line(&protocol)).await?;
    stream.flush().await?;
    let request = read_frame(stream).await?;
    match manners(&protocol, &request) {
        Some(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            stream.close().await
        }
        None => std::future::pending().await,
    }
}

async fn echo(stream: &mut SubstreamBox) -> io::Result<()> {
    loop {
        let mut ping = [0; PING];
        stream.read_exact(&mut ping).await?;
        stream.write_all(&ping).await?;
        stream.flush().await?;
    }
}
