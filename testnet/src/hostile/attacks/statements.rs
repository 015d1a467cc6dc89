//! Attacks of an admitted subordinate by statements, signed and not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use reeve_protocol::wire::{ReportAnswer, decode};
use reeve_statement::period::Period;

use super::frames::with_peers;
use super::{Attack, Scene, Victim};
use crate::hostile::forge::NAMES;

/// Deliveries under way at once: more than a node serves of one peer.
const UNDER_WAY: usize = 24;

/// The protocol that statements come by.
const REPORT: &str = "/reeve/report/1";

/// Where signatures stand: at the end of a statement.
const SIGNATURE: usize = 8;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "bad-signatures",
        what: "statements whose signature is wrong by a bit, as fast as it goes",
        victim: Victim::Superior,
        run: bad_signatures,
    },
    Attack {
        name: "replays",
        what: "one right statement, again and again",
        victim: Victim::Superior,
        run: |scene| deliver(scene, Series::Same, 0).boxed(),
    },
    Attack {
        name: "editions",
        what: "new editions of one figure, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| deliver(scene, Series::Editions, 0).boxed(),
    },
    Attack {
        name: "figures",
        what: "figures of ever new days, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| deliver(scene, Series::Figures, 0).boxed(),
    },
    Attack {
        name: "storage",
        what: "figures of ever new days, 32 KiB each, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| deliver(scene, Series::Figures, NAMES).boxed(),
    },
];

/// What follows a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    /// The same.
    Same,
    /// A new edition of the same figure.
    Editions,
    /// The first edition of another figure.
    Figures,
}

/// A day by number, from long ago on.
fn day(number: u64) -> Period {
    let first: Date = date(1, 1, 1);
    let days = i64::try_from(number).unwrap_or(0);
    Period::Day(first.checked_add(days.days()).unwrap_or(first))
}

async fn deliver(scene: Arc<Scene>, series: Series, names: usize) {
    let last = Arc::new(AtomicU64::new(0));
    let Ok(first) = scene.subordinate.notice(day(1), 1, names) else { return };
    with_peers(scene, UNDER_WAY, |scene, peer, _| {
        let (last, first) = (Arc::clone(&last), first.clone());
        async move {
            while !scene.over() && peer.is_open() {
                let number = match series {
                    Series::Same => 1,
                    Series::Editions | Series::Figures => {
                        last.fetch_add(1, Ordering::Relaxed).saturating_add(1)
                    }
                };
                let of =
                    if series == Series::Figures { (day(number), 1) } else { (day(1), number) };
                let statement = match series {
                    Series::Same => Ok(first.clone()),
                    _ => scene.subordinate.notice(of.0, of.1, names),
                };
                let Ok(statement) = statement else { return };
                scene.attempts(1);
                let answer = peer.ask(REPORT, &scene.subordinate.delivery(statement, number)).await;
                let answer = answer.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
                scene.ended(matches!(answer, Some(ReportAnswer::Accepted)));
            }
        }
    })
    .await;
}

fn bad_signatures(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    with_peers(scene, UNDER_WAY, |scene, peer, _| async move {
        let Ok(mut statement) = scene.subordinate.notice(day(1), 1, 0) else { return };
        let end = statement.len().saturating_sub(SIGNATURE);
        if let Some(byte) = statement.get_mut(end) {
            *byte ^= 1;
        }
        let delivery = scene.subordinate.delivery(statement, 1);
        while !scene.over() && peer.is_open() {
            scene.attempts(1);
            let answer = peer.ask(REPORT, &delivery).await;
            let answer = answer.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
            scene.ended(matches!(answer, Some(ReportAnswer::Accepted)));
        }
    })
    .boxed()
}
