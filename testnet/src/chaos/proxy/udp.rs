//! The relay of datagrams. Each dialling address has a socket of its own towards the target, so that
//! answers find their way back; a datagram that is delayed is overtaken by others.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Weather, Wire, tcp};

/// Largest datagram (RFC 768).
const DATAGRAM: usize = 65_535;

/// Most addresses that are relayed at once: a node that dials again does so from the same one.
const CLIENTS: usize = 64;

/// Most datagrams that are on their way; more are lost, as on any network.
const UNDER_WAY: usize = 4_096;

pub(super) async fn serve(
    socket: UdpSocket,
    target: SocketAddr,
    weather: watch::Receiver<Weather>,
    wire: Wire,
    seed: u64,
) {
    let socket = Arc::new(socket);
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut clients: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    // Dropped with this task, and so are all of them.
    let mut answering = JoinSet::new();
    let mut lane = Lane::new(true, weather.clone(), wire.clone(), chance.random());
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error is about a datagram that was sent before: its target was not there.
        let Ok((read, from)) = socket.recv_from(&mut buffer).await else { continue };
        if !clients.contains_key(&from) {
            let Some(own) = towards(target).await.filter(|_| clients.len() < CLIENTS) else {
                continue;
            };
            let own = Arc::new(own);
            let back = Lane::new(false, weather.clone(), wire.clone(), chance.random());
            answering.spawn(answer(Arc::clone(&own), Arc::clone(&socket), from, back));
            clients.insert(from, own);
        }
        let (Some(own), Some(datagram)) = (clients.get(&from), buffer.get(..read)) else {
            continue;
        };
        lane.forward(datagram, own, target);
    }
}

async fn towards(target: SocketAddr) -> Option<UdpSocket> {
    let own = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    own.connect(target).await.ok().map(|()| own)
}

async fn answer(own: Arc<UdpSocket>, socket: Arc<UdpSocket>, to: SocketAddr, mut lane: Lane) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let Ok(read) = own.recv(&mut buffer).await else { continue };
        if let Some(datagram) = buffer.get(..read) {
            lane.forward(datagram, &socket, to);
        }
    }
}

/// One direction.
struct Lane {
    up: bool,
    weather: watch::Receiver<Weather>,
    wire: Wire,
    chance: ChaCha8Rng,
    flying: JoinSet<()>,
}

impl Lane {
    fn new(up: bool, weather: watch::Receiver<Weather>, wire: Wire, seed: u64) -> Self {
        let chance = ChaCha8Rng::seed_from_u64(seed);
        Self { up, weather, wire, chance, flying: JoinSet::new() }
    }

    fn forward(&mut self, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr) {
        while self.flying.try_join_next().is_some() {}
        self.wire.came(self.up, datagram);
        let now = *self.weather.borrow();
        let full = self.flying.len() >= UNDER_WAY;
        if now.held(self.up) || now.refuse || full || self.chance.random_bool(now.loses) {
            self.wire.lost();
            return;
        }
        self.send(datagram, by, to, &now);
        if self.chance.random_bool(now.repeats) {
            self.wire.repeated();
            self.send(datagram, by, to, &now);
        }
    }

    fn send(&mut self, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr, now: &Weather) {
        let wait = tcp::wait(now, datagram.len(), &mut self.chance);
        let (by, datagram, up) = (Arc::clone(by), datagram.to_vec(), self.up);
        self.flying.spawn(async move {
            tokio::time::sleep(wait).await;
            // A datagram that cannot be sent is lost.
            let _ = if up { by.send(&datagram).await } else { by.send_to(&datagram, to).await };
        });
    }
}
