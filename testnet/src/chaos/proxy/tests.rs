//! The relay against a server that answers what it is sent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use tokio::runtime::Runtime;

use super::*;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A server that sends back what comes, on every connection.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(any()).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn relay() -> (Runtime, Proxy, TcpStream) {
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy::tcp(runtime.handle(), any(), echo(), 1).unwrap();
    let stream = TcpStream::connect(proxy.address()).unwrap();
    (runtime, proxy, stream)
}

/// What comes back within a time.
fn back(stream: &mut TcpStream, within: Duration) -> std::io::Result<Vec<u8>> {
    let mut buffer = [0; 64];
    stream.set_read_timeout(Some(within)).unwrap();
    stream.read(&mut buffer).map(|read| buffer[..read].to_vec())
}

#[test]
fn fair_weather_forwards_and_what_went_through_can_be_searched() {
    let (_runtime, proxy, mut stream) = relay();
    stream.write_all(b"a plain text").unwrap();
    assert_eq!(back(&mut stream, LONG).unwrap(), b"a plain text");
    assert!(proxy.wire().shows("plain text") && !proxy.wire().shows("another"));
    assert_eq!(proxy.wire().kept(), 24);
}

#[test]
fn a_blackhole_keeps_connections_open_and_gives_late_what_it_held() {
    let (_runtime, proxy, mut stream) = relay();
    stream.write_all(b"one").unwrap();
    assert_eq!(back(&mut stream, LONG).unwrap(), b"one");
    proxy.set(Weather::BLACKHOLE);
    stream.write_all(b"two").unwrap();
    assert!(back(&mut stream, SHORT).is_err(), "nothing comes, and it is not closed either");
    proxy.set(Weather::FAIR);
    assert_eq!(back(&mut stream, LONG).unwrap(), b"two");
}

#[test]
fn one_direction_can_be_cut() {
    let (_runtime, proxy, mut stream) = relay();
    stream.write_all(b"one").unwrap();
    assert_eq!(back(&mut stream, LONG).unwrap(), b"one");
    proxy.set(Weather { hold_down: true, ..Weather::FAIR });
    stream.write_all(b"two").unwrap();
    assert!(back(&mut stream, SHORT).is_err());
    assert!(proxy.wire().shows("two"), "the other direction goes on");
}

#[test]
fn connections_are_closed_and_refused() {
    let (_runtime, proxy, mut stream) = relay();
    stream.write_all(b"one").unwrap();
    assert_eq!(back(&mut stream, LONG).unwrap(), b"one");
    proxy.set(Weather { refuse: true, ..Weather::FAIR });
    proxy.close_all();
    assert!(matches!(back(&mut stream, LONG), Ok(empty) if empty.is_empty()));
    let mut other = TcpStream::connect(proxy.address()).unwrap();
    let closed = back(&mut other, LONG);
    assert!(
        closed
            .as_ref()
            .map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, Vec::is_empty),
        "{closed:?}"
    );
}

#[test]
fn pieces_wait_as_long_as_the_rate_says() {
    let mut chance = rand::SeedableRng::seed_from_u64(1);
    let slow = Weather { rate: Some(1_000), ..Weather::FAIR };
    assert_eq!(tcp::wait(&slow, 2_500, &mut chance), Duration::from_millis(2_500));
    let late = Weather { delay: Duration::from_millis(5), ..Weather::FAIR };
    assert!(tcp::wait(&late, 2_500, &mut chance) <= Duration::from_millis(5));
}

#[test]
fn datagrams_are_lost_and_repeated_at_about_the_rate() {
    const SENT: u64 = 2_000;
    let runtime = Runtime::new().unwrap();
    let target = UdpSocket::bind(any()).unwrap();
    target.set_read_timeout(Some(SHORT)).unwrap();
    let proxy = Proxy::udp(runtime.handle(), any(), target.local_addr().unwrap(), 7).unwrap();
    proxy.set(Weather { loses: 0.3, repeats: 0.5, ..Weather::FAIR });
    let client = UdpSocket::bind(any()).unwrap();
    let counting = thread::spawn(move || {
        let mut buffer = [0; 64];
        let mut came = 0_u64;
        while target.recv(&mut buffer).is_ok() {
            came += 1;
        }
        came
    });
    for number in 0..SENT {
        client.send_to(&number.to_be_bytes(), proxy.address()).unwrap();
        // Not faster than the system's buffers are emptied.
        thread::sleep(Duration::from_micros(50));
    }
    let came = counting.join().unwrap();
    let counts = proxy.wire().counts();
    assert!(counts.lost > counts.pieces / 5 && counts.lost < counts.pieces * 2 / 5, "{counts:?}");
    assert!(counts.repeated > counts.pieces / 4, "{counts:?}");
    assert!(came > counts.pieces * 9 / 10, "{came} came of {counts:?}");
}
