//! The relay of TCP connections.
//!
//! A direction that is held is not read: the sender's bytes wait in its own buffers, as they do on a
//! network that swallows packets, and arrive late if the weather clears before it gives up.

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Weather, Wire};

/// Most bytes forwarded at a time: about what a few network packets hold.
const PIECE: usize = 8 * 1024;

/// Longest wait for the target.
const DIAL: Duration = Duration::from_secs(5);

/// Pause after the system refused a connection, for want of files perhaps.
const REFUSED: Duration = Duration::from_millis(100);

pub(super) async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    weather: watch::Receiver<Weather>,
    wire: Wire,
    seed: u64,
) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    loop {
        let Ok((incoming, _)) = listener.accept().await else {
            tokio::time::sleep(REFUSED).await;
            continue;
        };
        let (weather, wire, seed) = (weather.clone(), wire.clone(), chance.random());
        tokio::spawn(async move {
            relay(incoming, target, weather, wire, seed).await;
        });
    }
}

/// One connection, until a side closes or the weather ends it.
async fn relay(
    incoming: TcpStream,
    target: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    wire: Wire,
    seed: u64,
) {
    let born = *weather.borrow();
    if born.refuse {
        return;
    }
    // While nothing goes up, the target does not hear of the connection either.
    if weather.wait_for(|now| !now.hold_up || now.generation != born.generation).await.is_err() {
        return;
    }
    let Ok(Ok(outgoing)) = tokio::time::timeout(DIAL, TcpStream::connect(target)).await else {
        return;
    };
    // Without it small answers wait for more; that it cannot be set is no reason to stop.
    let _ = (incoming.set_nodelay(true), outgoing.set_nodelay(true));
    let ((from_dialler, to_dialler), (from_target, to_target)) =
        (incoming.into_split(), outgoing.into_split());
    let pump = |up, from, to, seed| Pump {
        up,
        from,
        to,
        weather: weather.clone(),
        wire: wire.clone(),
        chance: ChaCha8Rng::seed_from_u64(seed),
    };
    let up = pump(true, from_dialler, to_target, seed);
    let down = pump(false, from_target, to_dialler, seed.wrapping_add(1));
    let mut ended = weather.clone();
    tokio::select! {
        _ = up.run() => {}
        _ = down.run() => {}
        _ = ended.wait_for(|now| now.generation != born.generation) => {}
    }
}

/// One direction of a connection.
struct Pump {
    up: bool,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    wire: Wire,
    chance: ChaCha8Rng,
}

impl Pump {
    /// Forwards until the connection is to be closed.
    async fn run(mut self) -> Option<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            let up = self.up;
            self.weather.wait_for(|now| !now.held(up)).await.ok()?;
            let mut changes = self.weather.clone();
            let read = tokio::select! {
                biased;
                held = changes.wait_for(|now| now.held(up)) => {
                    held.ok()?;
                    continue;
                }
                read = self.from.read(&mut buffer) => read.ok()?,
            };
            if read == 0 {
                return None;
            }
            let piece = buffer.get(..read)?;
            self.wire.came(up, piece);
            let now = *self.weather.borrow();
            if self.chance.random_bool(now.breaks) {
                return None;
            }
            tokio::time::sleep(wait(&now, read, &mut self.chance)).await;
            // What is on its way when the direction is cut does not arrive before it is free again.
            self.weather.wait_for(|now| !now.held(up)).await.ok()?;
            if self.chance.random_bool(now.loses) {
                self.wire.lost();
                continue;
            }
            self.to.write_all(piece).await.ok()?;
            if self.chance.random_bool(now.repeats) {
                self.wire.repeated();
                self.to.write_all(piece).await.ok()?;
            }
        }
    }
}

/// How long a piece of so many bytes waits.
pub(super) fn wait(weather: &Weather, bytes: usize, chance: &mut ChaCha8Rng) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let paced =
        weather.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * bytes / rate.max(1));
    let most = u64::try_from(weather.delay.as_millis()).unwrap_or(u64::MAX);
    paced + Duration::from_millis(chance.random_range(0..=most))
}
