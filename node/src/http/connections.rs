//! The connections of the local API: how many, how long each may keep the node waiting, and which one
//! has to go when there are too many.
//!
//! axum's own server limits neither, so whoever reaches the port could hold connections with half a
//! request until the process has no descriptors left. Here a connection is either *waiting* (for its
//! client: the head of a request, more of a body, the answer being taken; or for its turn) or at work.
//! When one more comes than there may be, one that waits is closed: of whoever has the most of them, the
//! one that has waited longest. And of the questions of one token only so many are at work at a time. So
//! a crowd of slow ones, or somebody who asks for everything all the time, cannot keep others out.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use futures::future::BoxFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// Connections at once: some people and programs of one house, and a quarter of the descriptors that a
/// process has on most systems.
const CONNECTIONS: usize = 256;

/// Longest time for the head of a request, also of a further one: longer than clients keep idle
/// connections (15 s), so that those close them and not this side.
const HEAD: Duration = Duration::from_secs(20);

/// Longest head of a request, in bytes: far above what a client of this API sends.
const HEAD_BYTES: usize = 32 * 1024;

/// Longest time for which an answer may make no progress.
const UNREAD: Duration = Duration::from_secs(20);

/// Questions of one token that are at work at a time: what a busy program of the house needs.
const AT_WORK: usize = 8;

/// Bytes of long bodies that are held at once, over all requests; what one brings is parsed into a
/// multiple of it. A body that is longer than all of this has it for itself.
const BODIES: usize = 32 * 1024 * 1024;

/// A body up to this is not counted: a request of one record.
const SHORT_BODY: usize = 64 * 1024;

/// Serves until `stop` comes, then lets running requests end.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let house = Arc::new(House {
        open: Mutex::new(Open::default()),
        room: Notify::new(),
        bodies: Arc::new(Semaphore::new(BODIES)),
    });
    let (stopping, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let mut place = None;
    loop {
        if place.is_none() {
            place = house.enter();
        }
        tokio::select! {
            () = &mut stop => break,
            // While all are at work, who comes waits with the system.
            () = house.room.notified(), if place.is_none() => {}
            (stream, _) = listener.accept(), if place.is_some() => if let Some(place) = place.take() {
                place.wait();
                tasks.spawn(connection(stream, router.clone(), place, stopped.clone()));
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(place);
    drop((listener, stopped));
    // Every connection sees it, and ends after its request.
    drop(stopping);
    while tasks.join_next().await.is_some() {}
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    place: Arc<Place>,
    mut stopping: watch::Receiver<()>,
) {
    let io = TokioIo::new(Patient { stream, unread: None });
    let at = Arc::clone(&place);
    let service = service_fn(move |request| answer(router.clone(), Arc::clone(&at), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let mut served = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        // How a client ends its connection concerns nobody.
        _ = served.as_mut() => {}
        () = place.gone.notified() => {}
        _ = stopping.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

async fn answer(
    router: Router,
    place: Arc<Place>,
    request: hyper::Request<Incoming>,
) -> Result<Response, std::convert::Infallible> {
    place.work();
    let room: Room = Arc::default();
    let mut request: Request = request.map(|body| {
        let house = Arc::clone(&place.house);
        let arriving = Arriving { body, place: Arc::clone(&place), room: Arc::clone(&room) };
        Body::new(Admitted { arriving, bodies: Arc::clone(&house.bodies), waits: None })
    });
    request.extensions_mut().insert(Turn(Arc::clone(&place)));
    let response = TowerToHyperService::new(router).call(request).await;
    place.wait();
    // The room of the body is free once what was made of it is gone.
    drop(room);
    response
}

/// All connections.
struct House {
    open: Mutex<Open>,
    /// Told when a connection ends or begins to wait.
    room: Notify,
    bodies: Arc<Semaphore>,
}

#[derive(Default)]
struct Open {
    /// Every connection, in the order in which they came.
    places: BTreeMap<u64, Standing>,
    next: u64,
    /// What lets so many questions of a token work at a time. Only tokens that are known come here.
    turns: BTreeMap<String, Arc<Semaphore>>,
}

/// How it stands with a connection.
struct Standing {
    /// Told when it has to go.
    gone: Arc<Notify>,
    /// Since when it waits, as a number that counts up; none: it is at work.
    waits_since: Option<u64>,
    /// The token that its last request showed.
    owner: Option<String>,
}

impl Open {
    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// Which connection has to go for another one.
    fn victim(&self) -> Option<u64> {
        let mut of: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for standing in self.places.values() {
            let count = of.entry(standing.owner.as_deref()).or_default();
            *count = count.saturating_add(1);
        }
        let waiting = self.places.iter().filter_map(|(number, standing)| {
            let count = of.get(&standing.owner.as_deref()).copied().unwrap_or(0);
            Some((count, core::cmp::Reverse(standing.waits_since?), *number))
        });
        waiting.max().map(|(_, _, number)| number)
    }
}

impl House {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if need be that of another one; none: all are at work.
    fn enter(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut open = self.open();
        if open.places.len() >= CONNECTIONS {
            let victim = open.victim()?;
            if let Some(standing) = open.places.remove(&victim) {
                standing.gone.notify_one();
            }
        }
        let (number, gone) = (open.number(), Arc::<Notify>::default());
        let standing = Standing { gone: Arc::clone(&gone), waits_since: None, owner: None };
        open.places.insert(number, standing);
        drop(open);
        Some(Arc::new(Place { house: Arc::clone(self), gone, number }))
    }
}

/// The place of one connection.
struct Place {
    house: Arc<House>,
    /// Told when it has to go.
    gone: Arc<Notify>,
    number: u64,
}

impl Place {
    /// It waits from now on.
    fn wait(&self) {
        let mut open = self.house.open();
        let since = open.number();
        if let Some(standing) = open.places.get_mut(&self.number)
            && standing.waits_since.is_none()
        {
            standing.waits_since = Some(since);
            self.house.room.notify_one();
        }
    }

    /// It works for its client from now on.
    fn work(&self) {
        if let Some(standing) = self.house.open().places.get_mut(&self.number) {
            standing.waits_since = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever was told to go has given its place away already.
        if self.house.open().places.remove(&self.number).is_some() {
            self.house.room.notify_one();
        }
    }
}

/// The turn of a request, in its extensions.
#[derive(Clone)]
pub(super) struct Turn(Arc<Place>);

impl Turn {
    /// Waits until few enough other questions of the same token are at work.
    pub(super) async fn of(&self, owner: &str) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut open = self.0.house.open();
            if let Some(standing) = open.places.get_mut(&self.0.number) {
                standing.owner = Some(owner.to_owned());
            }
            let turns = open.turns.entry(owner.to_owned());
            Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(AT_WORK))))
        };
        if let Ok(permit) = Arc::clone(&turns).try_acquire_owned() {
            return Some(permit);
        }
        self.0.wait();
        let permit = turns.acquire_owned().await.ok();
        self.0.work();
        permit
    }
}

/// The room that a long body takes; it is held until its request was answered.
type Room = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// A body as it arrives: while it does not, its connection waits.
struct Arriving {
    body: Incoming,
    place: Arc<Place>,
    room: Room,
}

/// The same, read only once there is room for all of it.
struct Admitted {
    arriving: Arriving,
    bodies: Arc<Semaphore>,
    waits: Option<BoxFuture<'static, Option<OwnedSemaphorePermit>>>,
}

impl Admitted {
    /// Whether there is room; asked again when it was not.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let length = self.arriving.body.size_hint().upper();
        let length = length.map_or(BODIES, |it| usize::try_from(it).unwrap_or(BODIES));
        let held = self.arriving.room.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if held || (length <= SHORT_BODY && self.waits.is_none()) {
            return Poll::Ready(());
        }
        let waits = self.waits.get_or_insert_with(|| {
            let wanted = u32::try_from(length.min(BODIES)).unwrap_or(u32::MAX);
            let bodies = Arc::clone(&self.bodies);
            Box::pin(async move { bodies.acquire_many_owned(wanted).await.ok() })
        });
        match waits.as_mut().poll(cx) {
            Poll::Ready(permit) => {
                self.waits = None;
                *self.arriving.room.lock().unwrap_or_else(PoisonError::into_inner) = permit;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl HttpBody for Admitted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.poll_room(cx).is_pending() {
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.arriving.body).poll_frame(cx);
        if frame.is_pending() {
            self.arriving.place.wait();
        } else {
            self.arriving.place.work();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.arriving.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.arriving.body.size_hint()
    }
}

/// A socket that fails when nothing that is written to it goes on for [`UNREAD`].
struct Patient<S> {
    stream: S,
    unread: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        let unread = self.unread.get_or_insert_with(|| Box::pin(tokio::time::sleep(UNREAD)));
        unread.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn house() -> Arc<House> {
        Arc::new(House {
            open: Mutex::default(),
            room: Notify::new(),
            bodies: Arc::new(Semaphore::new(BODIES)),
        })
    }

    #[tokio::test]
    async fn who_has_the_most_connections_loses_one() {
        let house = house();
        let quiet = house.enter().unwrap();
        quiet.wait();
        drop(Turn(Arc::clone(&quiet)).of("quiet").await);
        let mut loud = Vec::new();
        while loud.len() < 2 * CONNECTIONS {
            let place = house.enter().unwrap();
            drop(Turn(Arc::clone(&place)).of("loud").await);
            place.wait();
            loud.push(place);
        }
        assert_eq!(house.open().places.len(), CONNECTIONS);
        assert!(house.open().places.contains_key(&quiet.number), "it is older than all of them");
        drop(loud);
        assert_eq!(house.open().places.len(), 1);
    }

    #[tokio::test]
    async fn nobody_is_closed_while_at_work() {
        let house = house();
        let busy: Vec<_> = (0..CONNECTIONS).map(|_| house.enter().unwrap()).collect();
        assert!(house.enter().is_none());
        busy.last().unwrap().wait();
        assert!(house.enter().is_some());
        assert!(!house.open().places.contains_key(&busy.last().unwrap().number));
    }

    #[tokio::test]
    async fn the_questions_of_one_token_wait_for_each_other_and_for_nobody_else() {
        let house = house();
        let turn = || Turn(house.enter().unwrap());
        let mut held = Vec::new();
        for _ in 0..AT_WORK {
            held.push(turn().of("loud").await.unwrap());
        }
        let next = turn();
        let waiting = next.of("loud");
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(house.open().places[&next.0.number].waits_since.is_some(), "it may have to go");
        assert!(turn().of("quiet").await.is_some());
        held.pop();
        assert!(waiting.await.is_some());
        assert!(house.open().places[&next.0.number].waits_since.is_none());
    }
}
