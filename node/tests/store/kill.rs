//! Real kills: a process commits and says so, and is killed at a random moment.
//!
//! What it said was committed must be there afterwards, and nothing may be there by halves.
//! (A kill keeps what the kernel holds; power loss is tried elsewhere, with a block device.)

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve::store::{Batch, EngineKind, Store, StoreConfig};

const FOLDER: &str = "REEVE_TEST_KILL_FOLDER";
const ENGINE: &str = "REEVE_TEST_KILL_ENGINE";

/// Kills per engine.
const ROUNDS: usize = 10;

fn open(folder: &Path, engine: EngineKind) -> Store {
    Store::open(&StoreConfig { folder: folder.to_owned(), engine }).unwrap().0
}

fn last(store: &Store) -> u64 {
    store.get(b"last").unwrap().map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
}

/// Not a test of its own: what the killed process runs.
#[test]
fn victim() {
    let (Ok(folder), Ok(engine)) = (std::env::var(FOLDER), std::env::var(ENGINE)) else { return };
    let engine = if engine == "sled" { EngineKind::Sled } else { EngineKind::Redb };
    let mut store = open(Path::new(&folder), engine);
    for number in last(&store) + 1.. {
        let mut batch = Batch::new();
        batch.put(format!("small/{number:06}"), vec![1; 100]);
        batch.put(format!("large/{number:06}"), vec![2; 9_000]);
        batch.delete(format!("large/{:06}", number.saturating_sub(20)));
        batch.put("last", number.to_be_bytes());
        store.commit(batch).unwrap();
        println!("committed {number}");
    }
}

fn kill_again_and_again(engine: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut known = 0;
    for _ in 0..ROUNDS {
        let wanted = random.random_range(1..60);
        let pause = Duration::from_micros(random.random_range(0..3_000));
        known = commit_and_kill(folder.path(), engine, wanted, pause).max(known);
        let mut store = open(folder.path(), engine);
        let found = last(&store);
        assert!(found >= known, "commit {known} was acknowledged, the store ends at {found}");
        invariant_every_batch_is_whole(&store, found);
        assert_eq!(store.verify().unwrap().damaged, 0);
    }
    assert!(known > 0);
}

/// Waits for `wanted` commits and a little more, kills, and returns the last one acknowledged.
fn commit_and_kill(folder: &Path, engine: EngineKind, wanted: usize, pause: Duration) -> u64 {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["kill::victim", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(ENGINE, engine.name())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: String| line.rsplit_once("committed ")?.1.trim().parse().ok();
    let mut acknowledged = lines.by_ref().filter_map(number).nth(wanted - 1).unwrap();
    std::thread::sleep(pause);
    victim.kill().unwrap();
    victim.wait().unwrap();
    // What it said before it died counts too; its last line may be cut short.
    for number in lines.filter_map(number) {
        if number == acknowledged + 1 {
            acknowledged = number;
        }
    }
    acknowledged
}

fn invariant_every_batch_is_whole(store: &Store, last: u64) {
    for number in 1..=last + 1 {
        let small = store.get(format!("small/{number:06}").as_bytes()).unwrap();
        let large = store.get(format!("large/{number:06}").as_bytes()).unwrap();
        assert_eq!(small.is_some(), number <= last, "batch {number}");
        assert_eq!(large.is_some(), number <= last && number + 20 > last, "batch {number}");
    }
}

#[test]
fn redb_keeps_its_word_when_killed() {
    kill_again_and_again(EngineKind::Redb);
}

#[test]
fn sled_keeps_its_word_when_killed() {
    kill_again_and_again(EngineKind::Sled);
}
