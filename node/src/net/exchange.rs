//! One request and its response on one stream, seen from either side. Bounded in size by the
//! protocol and in time by a deadline that covers everything from the opening of the stream to its
//! last byte; libp2p's own request timeout starts only after negotiation and is not used.

use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};
use libp2p::core::upgrade::NegotiationError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::event::{Refusal, RequestId, SendFailure};
use super::frame::{FrameError, read_frame, write_last_frame};
use super::peer::PeerKey;
use super::protocol::Protocol;
use super::share::Share;
use super::tap::{Direction, Tap};

/// A request on its way to a peer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) request: RequestId,
    pub(super) protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    pub(super) deadline: Instant,
}

/// A request that a peer made, ready to be taken by the node.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    /// Where the answer goes; dropping it tells the peer that there is none.
    pub(super) answer: oneshot::Sender<Vec<u8>>,
    /// The place it takes until the node has it.
    pub(super) place: OwnedSemaphorePermit,
}

/// What both sides of an exchange need to know of their connection.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) peer: PeerKey,
    pub(super) share: Arc<Share>,
    pub(super) tap: Option<Tap>,
}

impl Line {
    fn see(&self, way: Direction, protocol: Protocol, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.see(way, self.peer, protocol, bytes);
        }
    }
}

/// How an exchange ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// We asked.
    Asked { request: RequestId, result: Result<Vec<u8>, SendFailure> },
    /// We were asked.
    Served { protocol: Protocol, refusal: Option<Refusal> },
}

/// Any stream that libp2p may give us.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Asks, and waits for the answer.
pub(super) fn ask(mut stream: impl Stream, line: Line, out: Outgoing) -> BoxFuture<'static, Ended> {
    let Outgoing { request, protocol, bytes, deadline } = out;
    let talk = async move {
        line.see(Direction::Sent, protocol, &bytes);
        write_last_frame(&mut stream, &bytes).await.map_err(FrameError::Io)?;
        let answer = read_frame(&mut stream, protocol.max_response()).await?;
        line.see(Direction::Received, protocol, &answer);
        Ok(answer)
    };
    Box::pin(async move {
        let result = match timeout_at(deadline, talk).await {
            Ok(answer) => answer.map_err(failure),
            Err(_) => Err(SendFailure::Deadline),
        };
        Ended::Asked { request, result }
    })
}

/// What a failed frame means to the one who asked.
fn failure(error: FrameError) -> SendFailure {
    match error {
        FrameError::TooLong { announced, limit } => {
            SendFailure::OverlongResponse { announced, limit }
        }
        FrameError::Absent => SendFailure::Unanswered,
        FrameError::Cut { .. } => SendFailure::Broken(error.to_string()),
        FrameError::Io(io) => io_failure(&io),
    }
}

/// With lazy negotiation a protocol that the peer does not speak shows only when we read.
pub(super) fn io_failure(error: &io::Error) -> SendFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<NegotiationError>());
    if matches!(inner, Some(NegotiationError::Failed)) {
        return SendFailure::Unsupported;
    }
    SendFailure::Broken(error.to_string())
}

/// How far a peer's request has come; tells what it was that took too long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    Answering,
}

/// Serves one request of a peer: waits for the peer's turn before a byte is read, reads, hands
/// over, waits for the answer, writes it.
pub(super) fn serve(
    mut stream: impl Stream,
    line: Line,
    protocol: Protocol,
    deadline: Instant,
    node: mpsc::Sender<Incoming>,
) -> BoxFuture<'static, Ended> {
    Box::pin(async move {
        let mut stage = Stage::Reading;
        let talk = exchange(&mut stream, &line, protocol, &node, &mut stage);
        let refusal = match timeout_at(deadline, talk).await {
            Ok(outcome) => outcome.err(),
            Err(_) if stage == Stage::Reading => Some(Refusal::SlowRequest),
            Err(_) => Some(Refusal::SlowResponse),
        };
        Ended::Served { protocol, refusal }
    })
}

async fn exchange(
    stream: &mut impl Stream,
    line: &Line,
    protocol: Protocol,
    node: &mpsc::Sender<Incoming>,
    stage: &mut Stage,
) -> Result<(), Refusal> {
    let Some(_stream_place) = line.share.stream(protocol).await else { return Ok(()) };
    line.share.turn().await;
    let Some(place) = line.share.place().await else { return Ok(()) };
    let bytes = read_frame(stream, protocol.max_request()).await.map_err(refusal)?;
    line.see(Direction::Received, protocol, &bytes);
    *stage = Stage::Answering;
    let (answer, answered) = oneshot::channel();
    if node.send(Incoming { protocol, bytes, answer, place }).await.is_err() {
        return Ok(());
    }
    // An answer that was dropped is an answer too: the stream ends without a frame.
    let Ok(bytes) = answered.await else {
        let _ = stream.close().await;
        return Ok(());
    };
    if bytes.len() > protocol.max_response() {
        return Err(Refusal::OverlongResponse);
    }
    line.see(Direction::Sent, protocol, &bytes);
    // A peer that went away meanwhile shows as a closed connection, not here.
    let _ = write_last_frame(stream, &bytes).await;
    Ok(())
}

fn refusal(error: FrameError) -> Refusal {
    match error {
        FrameError::TooLong { .. } => Refusal::OverlongRequest,
        FrameError::Absent | FrameError::Cut { .. } | FrameError::Io(_) => Refusal::BrokenRequest,
    }
}
