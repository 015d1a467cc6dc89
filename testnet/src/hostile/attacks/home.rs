//! Attacks inside a home: by its second node's key, and by a writer's token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reeve_protocol::wire::{Blob, CHANGES, CHANGES_BYTES, HomeAnswer, HomeMessage, decode};
use reeve_statement::cbor::to_vec;
use serde_json::json;

use super::http::{Body, request};
use super::{Attack, Scene, Victim, crowd, garbage};
use crate::hostile::wire::{Manners, frame};

/// The protocol between nodes of a home.
const HOME: &str = "/reeve/home/1";

/// Requests under way at once: more than a node serves of one peer.
const UNDER_WAY: usize = 24;

/// Writes in all.
const WRITES: u64 = 1_000_000;

/// Records of one request: the most that a node takes.
const BATCH: u64 = 1_000;

/// Requests of the writer at once.
const WRITERS: usize = 8;

/// Different records of the flood; each is written again and again.
const RECORDS: u64 = 20_000;

/// Records that the hostile home node has signed changes of.
const SIGNED: usize = 20_000;

/// Longest garbage in place of a change, in bytes.
const GARBAGE: usize = 60_000;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "pulls",
        what: "the whole log asked for, again and again",
        victim: Victim::Home,
        run: pulls,
    },
    Attack {
        name: "changes",
        what: "right changes of 20,000 records, handed over without end",
        victim: Victim::Home,
        run: changes,
    },
    Attack {
        name: "garbage-changes",
        what: "pages of garbage in place of changes, without end",
        victim: Victim::Home,
        run: garbage_changes,
    },
    Attack {
        name: "writes",
        what: "1,000,000 writes by one token, 1,000 a request, as fast as it goes",
        victim: Victim::Home,
        run: writes,
    },
];

fn pulls(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    async move {
        while !scene.over() {
            let Ok(peer) = scene.as_home_node(0, noting()).await else {
                scene.refused(1);
                scene.again().await;
                continue;
            };
            let peer = Arc::new(peer);
            crowd(Arc::clone(&scene), UNDER_WAY, |scene, _| {
                let peer = Arc::clone(&peer);
                async move {
                    let pull = to_vec(&HomeMessage::Pull { life: 0, after: 0, seals: None });
                    while !scene.over() && peer.is_open() {
                        scene.attempts(1);
                        let answer = peer.ask(HOME, &pull).await.ok();
                        let answer = answer.and_then(|it| decode::<HomeAnswer>(&it).ok());
                        scene.ended(matches!(answer, Some(HomeAnswer::Changes { .. })));
                    }
                }
            })
            .await;
        }
    }
    .boxed()
}

/// Takes note of everything, and has no changes.
fn noting() -> Manners {
    handing(Arc::new(Vec::new()))
}

/// Answers pulls with pages, one after the other and from the beginning again, each time as the pages
/// of another log.
fn handing(pages: Arc<Vec<Vec<Blob>>>) -> Manners {
    let next = AtomicU64::new(0);
    Arc::new(move |_, request| {
        let Ok(HomeMessage::Pull { .. }) = decode::<HomeMessage>(request) else {
            return Some(frame(&to_vec(&HomeAnswer::Noted)));
        };
        let number = next.fetch_add(1, Ordering::Relaxed);
        let count = u64::try_from(pages.len()).unwrap_or(1).max(1);
        let page = usize::try_from(number % count).unwrap_or(0);
        let changes = pages.get(page).cloned().unwrap_or_default();
        let more = !changes.is_empty();
        let changes = (1..).map(|at| number * 1_000 + at).zip(changes).collect();
        Some(frame(&to_vec(&HomeAnswer::Changes { life: 1 + number / count, changes, more })))
    })
}

/// Pages as long as an answer may be.
fn pages(changes: Vec<Vec<u8>>) -> Vec<Vec<Blob>> {
    let mut pages: Vec<Vec<Blob>> = Vec::new();
    let mut room = 0;
    for change in changes {
        let full = pages.last().is_none_or(|page| page.len() >= CHANGES);
        if full || room < change.len() {
            pages.push(Vec::new());
            room = CHANGES_BYTES;
        }
        room = room.saturating_sub(change.len());
        if let Some(page) = pages.last_mut() {
            page.push(Blob(change));
        }
    }
    pages
}

/// Hands pages over for as long as the node pulls them.
async fn hand_over(scene: Arc<Scene>, pages: Vec<Vec<Blob>>) {
    let pages = Arc::new(pages);
    while !scene.over() {
        scene.attempts(1);
        let manners = handing(Arc::clone(&pages));
        let counted = Arc::clone(&scene);
        let counting: Manners = Arc::new(move |protocol, request| {
            counted.attempts(1);
            counted.accepted(1);
            manners(protocol, request)
        });
        match scene.as_home_node(0, counting).await {
            Ok(peer) => {
                // A nudge, and the node begins.
                let nudged = peer.ask(HOME, &to_vec(&HomeMessage::Nudge)).await.is_ok();
                scene.ended(nudged);
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

fn changes(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    async move {
        let member = Arc::clone(&scene.home_node);
        let made = tokio::task::spawn_blocking(move || member.changes(SIGNED)).await;
        if let Ok(Ok(made)) = made {
            hand_over(scene, pages(made)).await;
        }
    }
    .boxed()
}

fn garbage_changes(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    let lengths = [1, 100, 1_000, GARBAGE];
    let made = lengths.into_iter().cycle().take(100).zip(0..);
    let made = made.map(|(length, number)| garbage(number, length)).collect();
    hand_over(scene, pages(made)).boxed()
}

fn writes(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    let next = Arc::new(AtomicU64::new(0));
    crowd(scene, WRITERS, move |scene, _| {
        let next = Arc::clone(&next);
        async move {
            while !scene.over() {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= WRITES {
                    return;
                }
                let operations: Vec<_> = (first..first + BATCH).map(put).collect();
                let body = json!({ "operations": operations }).to_string();
                scene.attempts(BATCH);
                let body = Body { media: "application/json", bytes: body.into_bytes() };
                let path = "/v1/records/case";
                let status =
                    request(scene.home.http, &scene.writer, ("POST", path), Some(&body)).await;
                let taken = matches!(status, Ok(200..=299));
                let counter = if taken { Scene::accepted } else { Scene::refused };
                counter(&scene, BATCH);
            }
        }
    })
    .boxed()
}

/// The write of one record, which says something else each time.
fn put(number: u64) -> serde_json::Value {
    json!({
        "op": "put",
        "id": format!("flood-{}", number % RECORDS),
        "record": {
            "status": "suspected", "reported_on": "2020-01-01",
            "age": (number / RECORDS) % 100, "sex": "male",
        },
    })
}
