//! Attacks of an admitted subordinate below the protocols: its own frames of Yamux, streams that do
//! not go on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, FutureExt as _};

use super::{Attack, Scene, Victim, crowd, garbage};
use crate::hostile::wire::{Proved, host, keypair, open_line, proposal, silent, yamux_frame};

/// Streams of one connection that are opened and not used.
const STREAMS: u32 = 1_000;

/// Connections at once: as many as a node keeps of one peer, and one more.
const CONNECTIONS: usize = 3;

/// Bytes that a stream may carry before its reader says more.
const WINDOW: usize = 256 * 1024;

/// Streams that a connection fills: as many as a node lets it have.
const FILLED: u32 = 250;

/// Streams that drip.
const DRIPPING: usize = 64;

/// Time between two bytes of a stream that drips.
const DRIP: Duration = Duration::from_millis(200);

/// Frames that are written in one piece.
const AT_ONCE: u32 = 100;

/// Kinds and flags of Yamux.
const DATA: u8 = 0;
const UPDATE: u8 = 1;
const PING: u8 = 2;
const SYN: u8 = 1;
const RST: u8 = 8;

/// The protocol that statements come by.
const REPORT: &str = "/reeve/report/1";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "lengths",
        what: "1,000 half-open streams that announce 4 GiB each",
        victim: Victim::Superior,
        run: |scene| half_open(scene, vec![0xFF; 4]).boxed(),
    },
    Attack {
        name: "half-frames",
        what: "1,000 streams with half a frame of 64 KiB each",
        victim: Victim::Superior,
        run: |scene| half_open(scene, half_a_frame()).boxed(),
    },
    Attack {
        name: "frame-loris",
        what: "64 streams that drip a frame, a byte at a time",
        victim: Victim::Superior,
        run: dripping,
    },
    Attack {
        name: "streams",
        what: "streams that are opened and reset, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| flood(scene, resets).boxed(),
    },
    Attack {
        name: "pings",
        what: "pings of Yamux, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| flood(scene, pings).boxed(),
    },
    Attack {
        name: "identify",
        what: "streams that ask who the node is, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| flood(scene, |from| asks(from, "/ipfs/id/1.0.0")).boxed(),
    },
    Attack {
        name: "windows",
        what: "250 streams filled with 256 KiB each, on three connections",
        victim: Victim::Superior,
        run: windows,
    },
    Attack {
        name: "garbage-yamux",
        what: "random bytes in place of frames of Yamux",
        victim: Victim::Superior,
        run: |scene| flood(scene, |from| garbage(u64::from(from), WINDOW)).boxed(),
    },
];

/// The announcement of a frame of 64 KiB less one, and the first half of it.
fn half_a_frame() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0xFF, 0xFF];
    bytes.resize(32 * 1024, 0xA5);
    bytes
}

/// A frame that opens a stream and carries its first bytes.
fn opening(stream: u32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut frame = yamux_frame(DATA, SYN, stream, length).to_vec();
    frame.extend_from_slice(bytes);
    frame
}

/// The numbers of so many streams, which are odd for whoever dialled.
fn numbers(from: u32, count: u32) -> impl Iterator<Item = u32> {
    (from..from.saturating_add(count)).map(|stream| stream.wrapping_mul(2).wrapping_add(1))
}

async fn line(scene: &Scene, number: usize) -> io::Result<Proved> {
    open_line(&keypair(&scene.subordinate.seed())?, host(number), scene.superior.peers).await
}

/// Writes, and throws away what is heard, until the node closes or the time is over.
async fn talk(scene: &Scene, line: Proved, mut next: impl FnMut() -> Option<Vec<u8>>) {
    let (mut ear, mut mouth) = line.split();
    let mut heard = vec![0; 16 * 1024];
    let hearing = async { while matches!(ear.read(&mut heard).await, Ok(1..)) {} };
    let speaking = async {
        while let Some(bytes) = next() {
            if mouth.write_all(&bytes).await.is_err() || mouth.flush().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    };
    scene
        .within(async {
            tokio::select! {
                () = hearing => {}
                () = speaking => {}
            }
        })
        .await;
}

async fn half_open(scene: Arc<Scene>, end: Vec<u8>) {
    let mut bytes = proposal(REPORT);
    bytes.extend(end);
    crowd(scene, CONNECTIONS, |scene, number| {
        let bytes = bytes.clone();
        async move {
            while !scene.over() {
                if let Ok(line) = line(&scene, number).await {
                    let mut streams = numbers(0, STREAMS);
                    let bytes = bytes.clone();
                    let counted = Arc::clone(&scene);
                    talk(&scene, line, move || {
                        let stream = streams.next()?;
                        counted.attempts(1);
                        Some(opening(stream, &bytes))
                    })
                    .await;
                }
                scene.refused(1);
                scene.again().await;
            }
        }
    })
    .await;
}

/// Sends what `of` makes of the number of the next stream, again and again.
async fn flood(scene: Arc<Scene>, of: fn(u32) -> Vec<u8>) {
    crowd(scene, CONNECTIONS, |scene, number| async move {
        while !scene.over() {
            if let Ok(line) = line(&scene, number).await {
                let mut from = 0_u32;
                let counted = Arc::clone(&scene);
                talk(&scene, line, move || {
                    from = from.wrapping_add(AT_ONCE);
                    counted.attempts(u64::from(AT_ONCE));
                    Some(of(from))
                })
                .await;
            }
            scene.refused(1);
            scene.again().await;
        }
    })
    .await;
}

fn resets(from: u32) -> Vec<u8> {
    numbers(from, AT_ONCE)
        .flat_map(|stream| {
            let open = yamux_frame(UPDATE, SYN, stream, 0);
            open.into_iter().chain(yamux_frame(UPDATE, RST, stream, 0))
        })
        .collect()
}

fn pings(from: u32) -> Vec<u8> {
    numbers(from, AT_ONCE).flat_map(|number| yamux_frame(PING, SYN, 0, number)).collect()
}

/// Streams that ask something, and are reset.
fn asks(from: u32, protocol: &str) -> Vec<u8> {
    let words = proposal(protocol);
    numbers(from, AT_ONCE)
        .flat_map(|stream| {
            let mut bytes = opening(stream, &words);
            bytes.extend(yamux_frame(UPDATE, RST, stream, 0));
            bytes
        })
        .collect()
}

fn windows(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, CONNECTIONS, |scene, number| async move {
        while !scene.over() {
            if let Ok(line) = line(&scene, number).await {
                let mut full = vec![0xA5; WINDOW];
                let words = proposal(REPORT);
                // A frame of the longest kind, of which the last byte is missing.
                for (to, from) in full.iter_mut().zip(words.iter().chain(&[0, 4, 0, 0])) {
                    *to = *from;
                }
                let mut streams = numbers(0, FILLED);
                let counted = Arc::clone(&scene);
                talk(&scene, line, move || {
                    let stream = streams.next()?;
                    counted.attempts(1);
                    Some(opening(stream, &full))
                })
                .await;
            }
            scene.refused(1);
            scene.again().await;
        }
    })
    .boxed()
}

fn dripping(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    async move {
        while !scene.over() {
            let Ok(peer) = scene.as_subordinate(0, silent()).await else {
                scene.again().await;
                continue;
            };
            let peer = Arc::new(peer);
            crowd(Arc::clone(&scene), DRIPPING, |scene, _| {
                let peer = Arc::clone(&peer);
                async move {
                    while !scene.over() && peer.is_open() {
                        scene.attempts(1);
                        let Ok(mut stream) = peer.stream().await else { return };
                        let mut first = proposal(REPORT);
                        first.extend([0, 0, 0xFF, 0xFF]);
                        let dripping = async {
                            let mut sent = stream.write_all(&first).await;
                            while sent.is_ok() {
                                tokio::time::sleep(DRIP).await;
                                sent = stream.write_all(&[0]).await;
                                sent = sent.and(stream.flush().await);
                            }
                        };
                        if scene.within(dripping).await {
                            scene.refused(1);
                        }
                    }
                }
            })
            .await;
        }
    }
    .boxed()
}
