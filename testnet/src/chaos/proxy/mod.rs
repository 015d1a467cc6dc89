//! A relay between two nodes that treats them badly: it delays, throttles, swallows, refuses, cuts,
//! loses and repeats.
//!
//! It forwards bytes and understands none: between two nodes they are encrypted and authenticated. What
//! it does to them is a [`Weather`] that may change at any time and counts for connections that are there
//! already. On TCP a lost or repeated piece breaks the stream, as it should; `udp` does the same to
//! datagrams, which QUIC survives.

mod tcp;
mod udp;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use wire::Wire;

/// What a relay does to what goes through it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Nothing goes from the dialling side to the other; connections stay open.
    pub hold_up: bool,
    /// Nothing goes back; connections stay open.
    pub hold_down: bool,
    /// New connections are closed at once.
    pub refuse: bool,
    /// Each piece waits for up to this long.
    pub delay: Duration,
    /// Bytes per second in each direction; none: as fast as it goes.
    pub rate: Option<u32>,
    /// How likely a piece is to break its connection.
    pub breaks: f64,
    /// How likely a piece is not to be forwarded.
    pub loses: f64,
    /// How likely a piece is to be forwarded twice.
    pub repeats: f64,
    /// Connections of an earlier generation are closed.
    pub generation: u64,
}

impl Weather {
    /// Everything is forwarded as it comes.
    pub const FAIR: Self = Self {
        hold_up: false,
        hold_down: false,
        refuse: false,
        delay: Duration::ZERO,
        rate: None,
        breaks: 0.0,
        loses: 0.0,
        repeats: 0.0,
        generation: 0,
    };

    /// Nothing goes in either direction, and nobody is told.
    pub const BLACKHOLE: Self = Self { hold_up: true, hold_down: true, ..Self::FAIR };

    const fn held(&self, up: bool) -> bool {
        if up { self.hold_up } else { self.hold_down }
    }
}

/// A relay on its way to one target; ended when dropped.
#[derive(Debug)]
pub struct Proxy {
    weather: watch::Sender<Weather>,
    address: SocketAddr,
    wire: Wire,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Relays TCP connections from an address to a target; chance begins with `seed`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn tcp(
        runtime: &Handle,
        listen: SocketAddr,
        target: SocketAddr,
        seed: u64,
    ) -> std::io::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind(listen))?;
        let address = listener.local_addr()?;
        let (weather, seen) = watch::channel(Weather::FAIR);
        let wire = Wire::default();
        let task = runtime.spawn(tcp::serve(listener, target, seen, wire.clone(), seed));
        Ok(Self { weather, address, wire, task })
    }

    /// Relays datagrams from an address to a target; chance begins with `seed`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn udp(
        runtime: &Handle,
        listen: SocketAddr,
        target: SocketAddr,
        seed: u64,
    ) -> std::io::Result<Self> {
        let socket = runtime.block_on(UdpSocket::bind(listen))?;
        let address = socket.local_addr()?;
        let (weather, seen) = watch::channel(Weather::FAIR);
        let wire = Wire::default();
        let task = runtime.spawn(udp::serve(socket, target, seen, wire.clone(), seed));
        Ok(Self { weather, address, wire, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went through it.
    #[must_use]
    pub const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Changes the weather; connections stay.
    pub fn set(&self, weather: Weather) {
        self.weather.send_modify(|now| *now = Weather { generation: now.generation, ..weather });
    }

    /// Closes every connection that is there.
    pub fn close_all(&self) {
        self.weather.send_modify(|now| now.generation = now.generation.wrapping_add(1));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        // Connections outlive the listener; each sees that nobody makes the weather any more.
        self.close_all();
    }
}

#[cfg(test)]
mod tests;
