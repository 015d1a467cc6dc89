//! The connections of the local API: how many, how long each may keep the node waiting, and which one
//! has to go when there are too many.
//!
//! axum's own server limits neither, so whoever reaches the port could hold connections with half a
//! request until the process has no descriptors left. Here a connection is either *waiting* for its
//! client (the head of a request, more of a body, the answer being taken) or at work for it. When one
//! more comes than there may be, the one that has waited longest is closed, so that a crowd of slow
//! ones cannot keep a quick one out.

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
    let request: Request = request.map(|body| {
        let house = Arc::clone(&place.house);
        let arriving = Arriving { body, place: Arc::clone(&place), room: Arc::clone(&room) };
        Body::new(Admitted { arriving, bodies: Arc::clone(&house.bodies), waits: None })
    });
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
    count: usize,
    /// Those that wait for their clients, in the order in which they began to.
    waiting: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

impl House {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if need be that of the one which has waited longest; none: all
    /// are at work.
    fn enter(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut open = self.open();
        if open.count >= CONNECTIONS {
            let (_, oldest) = open.waiting.pop_first()?;
            oldest.notify_one();
            open.count = open.count.saturating_sub(1);
        }
        open.count = open.count.saturating_add(1);
        drop(open);
        Some(Arc::new(Place {
            house: Arc::clone(self),
            gone: Arc::default(),
            waits_since: Mutex::new(None),
        }))
    }
}

/// The place of one connection.
struct Place {
    house: Arc<House>,
    /// Told when it has to go.
    gone: Arc<Notify>,
    /// Its number among those that wait; none: it is at work.
    waits_since: Mutex<Option<u64>>,
}

impl Place {
    fn since(&self) -> MutexGuard<'_, Option<u64>> {
        self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It waits for its client from now on.
    fn wait(&self) {
        let mut since = self.since();
        if since.is_none() {
            let mut open = self.house.open();
            open.next = open.next.saturating_add(1);
            let number = open.next;
            open.waiting.insert(number, Arc::clone(&self.gone));
            *since = Some(number);
            self.house.room.notify_one();
        }
    }

    /// It works for its client from now on.
    fn work(&self) {
        let mut since = self.since();
        if let Some(number) = *since
            && self.house.open().waiting.remove(&number).is_some()
        {
            *since = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let since = self.since().take();
        let mut open = self.house.open();
        // Whoever was told to go has given its place away already.
        if since.is_none_or(|number| open.waiting.remove(&number).is_some()) {
            open.count = open.count.saturating_sub(1);
            self.house.room.notify_one();
        }
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
