//! Attacks of whoever can reach a port: no key, or one that nobody admitted.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncReadExt as _, FutureExt as _};
use reeve_protocol::wire::FRAME_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::{Attack, Scene, Victim, crowd, garbage, seed};
use crate::hostile::wire::{HOSTS, Peer, host, open_line, proposal, silent, socket, stranger};
use crate::stopwatch::now;

/// Sockets that are held open at once: three times what a node lets wait.
const HELD: usize = 400;

/// Dials in all.
const DIALS: u64 = 10_000;

/// Attackers that dial or shake hands at once.
const DIALLERS: usize = 64;

/// Bytes of garbage on one connection.
const GARBAGE: usize = 64 * 1024;

/// Datagrams in all; each is as long as a first one of QUIC must be.
const DATAGRAMS: u64 = 200_000;

/// Bytes of a datagram (RFC 9000 section 14.1).
const DATAGRAM: usize = 1_200;

/// A socket that lives this long was let in.
const LET_IN: Duration = Duration::from_secs(1);

/// Time between two bytes of a slow-loris.
const DRIP: Duration = Duration::from_millis(500);

/// Guesses of one connection at the enrolment port.
const GUESSES: usize = 16;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "tcp-loris",
        what: "400 sockets from 50 addresses that say nothing",
        victim: Victim::Superior,
        run: |scene| hold(scene, Vec::new()).boxed(),
    },
    Attack {
        name: "noise-loris",
        what: "400 sockets that drip a Noise handshake, a byte at a time",
        victim: Victim::Superior,
        run: |scene| hold(scene, proposal("/noise")).boxed(),
    },
    Attack {
        name: "dials",
        what: "10,000 dials from 50 addresses, each closed at once",
        victim: Victim::Superior,
        run: dials,
    },
    Attack {
        name: "handshakes",
        what: "whole handshakes with new keys, as fast as it goes",
        victim: Victim::Superior,
        run: handshakes,
    },
    Attack {
        name: "garbage-tcp",
        what: "random bytes in place of a negotiation",
        victim: Victim::Superior,
        run: |scene| send_garbage(scene, Vec::new()).boxed(),
    },
    Attack {
        name: "garbage-noise",
        what: "random bytes in place of a Noise handshake",
        victim: Victim::Superior,
        run: |scene| send_garbage(scene, proposal("/noise")).boxed(),
    },
    Attack {
        name: "garbage-quic",
        what: "200,000 datagrams that look like first ones of QUIC",
        victim: Victim::Superior,
        run: datagrams,
    },
    Attack {
        name: "enrolment",
        what: "guessed secrets and silent sockets at the enrolment port",
        victim: Victim::Superior,
        run: enrolment,
    },
];

async fn hold(scene: Arc<Scene>, first: Vec<u8>) {
    crowd(scene, HELD, |scene, number| {
        let first = first.clone();
        async move {
            while !scene.over() {
                scene.attempts(1);
                let began = now();
                if let Ok(stream) = socket(host(number), scene.superior.peers).await {
                    scene.within(drip(stream, &first)).await;
                }
                scene.ended(began.elapsed() >= LET_IN);
                scene.again().await;
            }
        }
    })
    .await;
}

/// Says something, then a byte now and then, until the other side closes.
async fn drip(mut stream: TcpStream, first: &[u8]) {
    if stream.write_all(first).await.is_err() {
        return;
    }
    let mut heard = [0; 256];
    loop {
        tokio::select! {
            read = stream.read(&mut heard) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            () = tokio::time::sleep(DRIP), if !first.is_empty() => {
                if stream.write_all(&[0]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn dials(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, DIALLERS, |scene, number| async move {
        while scene.attempt_of(DIALS) {
            scene.ended(socket(host(number), scene.superior.peers).await.is_ok());
        }
    })
    .boxed()
}

fn handshakes(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, DIALLERS, |scene, number| async move {
        while !scene.over() {
            scene.attempts(1);
            let line = open_line(&stranger(), host(number), scene.superior.peers).await;
            // Whoever is let in can open a stream; everybody else is closed on.
            if let Ok(mut line) = line {
                let mut heard = [0; 64];
                let mut let_in = false;
                let began = now();
                scene
                    .within(async {
                        while matches!(line.read(&mut heard).await, Ok(1..)) {}
                        let_in = began.elapsed() >= LET_IN;
                    })
                    .await;
                scene.ended(let_in);
            } else {
                scene.refused(1);
                scene.again().await;
            }
        }
    })
    .boxed()
}

async fn send_garbage(scene: Arc<Scene>, first: Vec<u8>) {
    crowd(scene, DIALLERS, |scene, number| {
        let mut bytes = first.clone();
        bytes.extend(garbage(seed(number), GARBAGE));
        async move {
            while !scene.over() {
                scene.attempts(1);
                let began = now();
                if let Ok(mut stream) = socket(host(number), scene.superior.peers).await {
                    let mut heard = Vec::new();
                    scene
                        .within(async {
                            if stream.write_all(&bytes).await.is_ok() {
                                // How it ends does not matter, only when.
                                let _ = stream.read_to_end(&mut heard).await;
                            }
                        })
                        .await;
                }
                scene.ended(began.elapsed() >= LET_IN);
                scene.again().await;
            }
        }
    })
    .await;
}

fn datagrams(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    /// The long form and the fixed bit, kind: first; version 1 (RFC 9000 section 17.2).
    const HEADER: [u8; 5] = [0xC0, 0, 0, 0, 1];
    crowd(scene, usize::from(HOSTS), |scene, number| async move {
        let Ok(sender) = UdpSocket::bind((host(number), 0)).await else { return };
        let mut bytes = garbage(seed(number), DATAGRAM);
        let mut sent = 0_u8;
        while scene.attempt_of(DATAGRAMS) {
            sent = sent.wrapping_add(1);
            for (to, from) in bytes.iter_mut().zip(HEADER) {
                *to = from;
            }
            if let [.., last] = bytes.as_mut_slice() {
                *last = sent;
            }
            // A full buffer is the system's answer to a flood.
            let _ = sender.send_to(&bytes, scene.superior.quic).await;
            if sent == 0 {
                tokio::task::yield_now().await;
            }
        }
    })
    .boxed()
}

fn enrolment(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, DIALLERS, |scene, number| async move {
        let frame = garbage(seed(number), FRAME_BYTES / 64);
        while !scene.over() {
            scene.attempts(1);
            let (key, to) = (stranger(), scene.superior.enrolment);
            let Ok(peer) = Peer::dial(&key, host(number), to, silent()).await else {
                scene.refused(1);
                scene.again().await;
                continue;
            };
            scene.accepted(1);
            for _ in 0..GUESSES {
                if scene.over() || peer.ask("/reeve/enrol/1", &frame).await.is_err() {
                    break;
                }
            }
        }
    })
    .boxed()
}
