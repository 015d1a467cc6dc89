//! Failing commits, and the store thread.

use std::time::Duration;

use reeve::store::{Disk, Faults, Patience, ScanLimit, StoreError, start, start_with};

use super::place::{Place, put};

// Failing commits.

#[test]
fn a_failed_commit_stops_the_store_and_leaves_all_or_nothing() {
    for applied in [false, true] {
        let disk = Disk::new();
        let place = Place::Disk(disk.clone());
        let mut store = place.open();
        store.commit(put("k", b"old")).unwrap();
        let next = std::iter::once(disk.commits() + 1).collect();
        disk.set_faults(if applied {
            Faults { after: next, ..Faults::default() }
        } else {
            Faults { before: next, ..Faults::default() }
        });
        let mut batch = put("k", b"new");
        batch.put("l", "new");
        assert!(matches!(store.commit(batch), Err(StoreError::Io { .. })));
        assert!(matches!(store.get(b"k"), Err(StoreError::Halted)));
        assert!(matches!(store.commit(put("m", b"v")), Err(StoreError::Halted)));
        let mut store = place.open();
        let expected: &[u8] = if applied { b"new" } else { b"old" };
        assert_eq!(store.get(b"k").unwrap().unwrap(), expected);
        assert_eq!(store.get(b"l").unwrap().is_some(), applied);
        assert_eq!(store.verify().unwrap().damaged, 0);
    }
}

// The store thread.

#[tokio::test]
async fn the_thread_answers_in_order_and_reads_see_earlier_commits() {
    let place = Place::redb();
    let (handle, thread) = start(place.open()).unwrap();
    let mut waiting = Vec::new();
    for ticket in 0..200_u64 {
        let batch = put(&format!("k/{ticket:03}"), &ticket.to_be_bytes());
        waiting.push(handle.commit(ticket, batch).await.unwrap());
    }
    let seen = handle.get("k/199").await.unwrap().unwrap();
    assert_eq!(seen, 199_u64.to_be_bytes());
    let mut last = 0;
    for (ticket, committing) in waiting.into_iter().enumerate() {
        let committed = committing.done().await;
        assert_eq!(committed.ticket, ticket as u64);
        let sequence = committed.result.unwrap();
        assert!(sequence >= last);
        last = sequence;
    }
    assert!(last < 150, "200 waiting commits became {last} durable ones");
    let page = handle.scan("k/", None, ScanLimit::rows(1_000)).await.unwrap();
    assert_eq!(page.rows.len(), 200);
    drop(handle);
    tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    assert!(place.try_open().unwrap().1.clean);
}

#[tokio::test]
async fn a_refused_batch_does_not_harm_its_group() {
    let (handle, _thread) = start(Place::memory().open()).unwrap();
    let mut bad = put("c", b"v");
    bad.put("", "empty key");
    let first = handle.try_commit(1, put("a", b"v")).unwrap();
    let second = handle.try_commit(2, bad).unwrap();
    let third = handle.try_commit(3, put("b", b"v")).unwrap();
    assert!(first.done().await.result.is_ok());
    assert!(second.done().await.result.unwrap_err().is_refusal());
    assert!(third.done().await.result.is_ok());
    assert_eq!(handle.get("c").await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_group_fails_every_commit_in_it() {
    let disk = Disk::new();
    let (handle, _thread) = start(Place::Disk(disk.clone()).open()).unwrap();
    disk.set_faults(Faults { before: (0..100).collect(), ..Faults::default() });
    let one = handle.try_commit(1, put("a", b"v")).unwrap();
    let two = handle.try_commit(2, put("b", b"v")).unwrap();
    assert!(one.done().await.result.is_err());
    assert!(two.done().await.result.is_err());
    assert!(handle.get("a").await.is_err());
}

#[tokio::test]
async fn a_full_queue_gives_the_batch_back() {
    let (handle, _thread) = start(Place::memory().open()).unwrap();
    let (release, wait) = std::sync::mpsc::sync_channel::<()>(1);
    let blocker = handle.clone();
    let blocked = tokio::spawn(async move {
        blocker
            .call(move |_| {
                wait.recv().ok();
                Ok(())
            })
            .await
    });
    let mut waiting = Vec::new();
    let refused = loop {
        tokio::task::yield_now().await;
        match handle.try_commit(waiting.len() as u64, put("k", b"v")) {
            Ok(committing) => waiting.push(committing),
            Err(batch) => break batch,
        }
        assert!(waiting.len() < 10_000, "the queue is bounded");
    };
    assert_eq!(refused.len(), 1);
    release.send(()).unwrap();
    blocked.await.unwrap().unwrap();
    for committing in waiting {
        committing.done().await.result.unwrap();
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_store_that_does_nothing() {
    let patience = Patience { look: Duration::from_millis(20), idle_looks: 3 };
    let (handle, thread) = start_with(Place::memory().open(), patience).unwrap();
    let first = handle.commit(1, put("a", b"v")).await.unwrap();
    first.done().await.result.unwrap();
    let (_release, held) = std::sync::mpsc::sync_channel::<()>(1);
    let holding = handle.call(move |_| Ok(held.recv().is_ok()));
    let committing = async { handle.commit(2, put("b", b"v")).await.unwrap().done().await };
    let (held, committed) = tokio::join!(holding, committing);
    assert!(matches!(held, Err(StoreError::Stalled { .. })), "{held:?}");
    assert!(matches!(committed.result, Err(StoreError::Stalled { .. })));
    // Nor does whoever closes it.
    assert!(thread.join().is_err());
}

#[tokio::test]
async fn a_store_that_is_slow_but_gets_on_is_waited_for() {
    let patience = Patience { look: Duration::from_millis(50), idle_looks: 4 };
    let (handle, _thread) = start_with(Place::memory().open(), patience).unwrap();
    let slow = || {
        handle.call(|_| {
            std::thread::sleep(Duration::from_millis(60));
            Ok(())
        })
    };
    let all = futures::future::join_all((0..8).map(|_| slow())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}
