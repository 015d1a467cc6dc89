//! Attacks of an admitted subordinate by messages: garbage, the same hello again and again, no answers,
//! wrong answers, and coming back all the time.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reeve_protocol::wire::{FRAME_BYTES, ReportAnswer};
use reeve_statement::cbor::to_vec;

use super::{Attack, Scene, Victim, crowd, garbage, seed};
use crate::hostile::wire::{Manners, Peer, frame, silent};

/// Requests under way at once: more than a node serves of one peer.
const UNDER_WAY: usize = 24;

/// The protocols between nodes.
const PROTOCOLS: [&str; 4] =
    ["/reeve/hello/1", "/reeve/home/1", "/reeve/report/1", "/reeve/ledger/1"];

/// The head of an array of one (RFC 8949): as many as fit in a row nest as deep.
const NESTED: u8 = 0x81;

/// Longest request that every protocol takes, in bytes.
const SHORT: usize = 64 * 1024;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "garbage-frames",
        what: "right frames with random bytes, on every protocol",
        victim: Victim::Superior,
        run: |scene| requests(scene, |number| garbage(seed(number), 512)).boxed(),
    },
    Attack {
        name: "depth",
        what: "CBOR that nests 64 Ki deep, on every protocol",
        victim: Victim::Superior,
        run: |scene| requests(scene, |_| vec![NESTED; SHORT]).boxed(),
    },
    Attack {
        name: "hellos",
        what: "the same right hello, as fast as it goes",
        victim: Victim::Superior,
        run: hellos,
    },
    Attack {
        name: "mute",
        what: "a right hello, and no answer to anything from then on",
        victim: Victim::Superior,
        run: |scene| come_back(scene, silent()).boxed(),
    },
    Attack {
        name: "wrong-answers",
        what: "every request answered with garbage, a long frame or two frames",
        victim: Victim::Superior,
        run: |scene| come_back(scene, rude()).boxed(),
    },
    Attack {
        name: "reconnects",
        what: "hello, one answer, and away, as fast as it goes",
        victim: Victim::Superior,
        run: reconnects,
    },
];

/// One connection after the other as the hostile subordinate, each used by a crowd until it is
/// closed.
pub(super) async fn with_peers<F, W>(scene: Arc<Scene>, size: usize, work: W)
where
    F: Future<Output = ()> + Send + 'static,
    W: Fn(Arc<Scene>, Arc<Peer>, usize) -> F,
{
    while !scene.over() {
        let Ok(peer) = scene.as_subordinate(0, accepting()).await else {
            scene.refused(1);
            scene.again().await;
            continue;
        };
        let peer = Arc::new(peer);
        crowd(Arc::clone(&scene), size, |scene, number| work(scene, Arc::clone(&peer), number))
            .await;
    }
}

/// Says that everything is well.
pub(super) fn accepting() -> Manners {
    Arc::new(|_, _| Some(frame(&to_vec(&ReportAnswer::Accepted))))
}

/// Answers in ways that no node of ours would: by the length of what was asked.
fn rude() -> Manners {
    Arc::new(|_, request: &[u8]| {
        Some(match request.len() % 4 {
            0 => frame(&garbage(1, 300)),
            1 => vec![0xFF; 4],
            2 => {
                let twice = frame(&to_vec(&ReportAnswer::Accepted));
                [twice.clone(), twice].concat()
            }
            _ => Vec::new(),
        })
    })
}

async fn requests(scene: Arc<Scene>, of: fn(usize) -> Vec<u8>) {
    with_peers(scene, UNDER_WAY, |scene, peer, number| async move {
        let bytes = of(number);
        let mut protocols = PROTOCOLS.iter().cycle().skip(number);
        while !scene.over() && peer.is_open() {
            scene.attempts(1);
            let Some(protocol) = protocols.next() else { return };
            match peer.ask(protocol, &bytes).await {
                Ok(_) => scene.accepted(1),
                Err(_) => scene.refused(1),
            }
        }
    })
    .await;
}

fn hellos(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    with_peers(scene, UNDER_WAY, |scene, peer, _| async move {
        let hello = scene.subordinate.hello();
        while !scene.over() && peer.is_open() {
            scene.attempts(1);
            scene.ended(peer.ask("/reeve/hello/1", &hello).await.is_ok());
        }
    })
    .boxed()
}

/// Stays for as long as the node wants, in this manner, and comes back.
async fn come_back(scene: Arc<Scene>, manners: Manners) {
    let mut number = 0;
    while !scene.over() {
        scene.attempts(1);
        number += 1;
        match scene.as_subordinate(number, Arc::clone(&manners)).await {
            Ok(peer) => {
                scene.accepted(1);
                scene
                    .within(async {
                        while peer.is_open() {
                            scene.again().await;
                        }
                    })
                    .await;
            }
            Err(_) => scene.refused(1),
        }
        scene.again().await;
    }
}

fn reconnects(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, 8, |scene, number| async move {
        while !scene.over() {
            scene.attempts(1);
            scene.ended(scene.as_subordinate(number, accepting()).await.is_ok());
            scene.again().await;
        }
    })
    .boxed()
}

/// The longest frame, so that constants here and there cannot part unnoticed.
const _: () = assert!(SHORT < FRAME_BYTES);
