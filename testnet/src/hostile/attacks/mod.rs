//! The attacks, each bounded in time and, where it is told, in number.

mod frames;
mod home;
mod http;
mod sockets;
mod statements;
mod streams;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::forge::{Member, is_welcome};
use super::stage::{Ports, Stage};
use super::wire::{Manners, Peer, host, keypair};
use crate::stopwatch::now;

/// Pause before an attacker tries again what was refused: a refusal in no time must not turn the
/// attack into a load of the attacker's own machine.
const AGAIN: Duration = Duration::from_millis(5);

/// Whom an attack is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The superior of all.
    Superior,
    /// The honest subordinate, whose home has a second node.
    Home,
}

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Whom it is aimed at.
    pub victim: Victim,
    run: fn(Arc<Scene>) -> BoxFuture<'static, ()>,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Attack {
    pub(super) async fn run(self, scene: Arc<Scene>) {
        (self.run)(scene).await;
    }

    /// The attack of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        all().into_iter().find(|attack| attack.name == name)
    }
}

/// Every attack, from the lowest layer up.
#[must_use]
pub fn all() -> Vec<Attack> {
    [sockets::ATTACKS, streams::ATTACKS, frames::ATTACKS, statements::ATTACKS]
        .into_iter()
        .chain([home::ATTACKS, http::ATTACKS])
        .flatten()
        .copied()
        .collect()
}

/// What became of what was tried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    attempts: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    /// Attempts, accepted, refused.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.attempts), read(&self.accepted), read(&self.refused))
    }
}

/// Where an attack plays, and until when.
pub(super) struct Scene {
    superior: Ports,
    home: Ports,
    subordinate: Arc<Member>,
    home_node: Arc<Member>,
    operator: String,
    home_operator: String,
    writer: String,
    until: Instant,
    tally: Tally,
}

impl Scene {
    pub(super) fn new(stage: &Stage, length: Duration) -> Self {
        Self {
            superior: stage.superior,
            home: stage.home,
            subordinate: Arc::clone(&stage.subordinate),
            home_node: Arc::clone(&stage.home_node),
            operator: stage.operator.clone(),
            home_operator: stage.home_operator.clone(),
            writer: stage.writer.clone(),
            until: now() + length,
            tally: Tally::default(),
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether the time is over.
    fn over(&self) -> bool {
        now() >= self.until
    }

    /// Takes one of so many attempts; false: there are no more, or the time is over.
    fn attempt_of(&self, most: u64) -> bool {
        !self.over() && self.tally.attempts.fetch_add(1, Ordering::Relaxed) < most
    }

    fn attempts(&self, count: u64) {
        self.tally.attempts.fetch_add(count, Ordering::Relaxed);
    }

    fn accepted(&self, count: u64) {
        self.tally.accepted.fetch_add(count, Ordering::Relaxed);
    }

    fn refused(&self, count: u64) {
        self.tally.refused.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts how one attempt ended.
    fn ended(&self, accepted: bool) {
        if accepted { self.accepted(1) } else { self.refused(1) }
    }

    /// Does something until the time is over; false if the time ended it.
    async fn within(&self, work: impl Future<Output = ()>) -> bool {
        let left = self.until.saturating_duration_since(now());
        tokio::time::timeout(left, work).await.is_ok()
    }

    /// Waits a little before the next try.
    async fn again(&self) {
        tokio::time::sleep(AGAIN).await;
    }

    /// A connection as the hostile subordinate, that said hello and was welcomed.
    async fn as_subordinate(&self, number: usize, manners: Manners) -> io::Result<Peer> {
        greeted(&self.subordinate, number, self.superior.peers, manners).await
    }

    /// A connection as the hostile node of the home.
    async fn as_home_node(&self, number: usize, manners: Manners) -> io::Result<Peer> {
        greeted(&self.home_node, number, self.home.peers, manners).await
    }
}

async fn greeted(
    member: &Member,
    number: usize,
    to: SocketAddr,
    manners: Manners,
) -> io::Result<Peer> {
    let peer = Peer::dial(&keypair(&member.seed())?, host(number), to, manners).await?;
    let answer = peer.ask("/reeve/hello/1", &member.hello()).await?;
    if is_welcome(&answer) { Ok(peer) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Has so many attackers work at once, until all have ended; each is told its number.
async fn crowd<F, W>(scene: Arc<Scene>, size: usize, work: W)
where
    F: Future<Output = ()> + Send + 'static,
    W: Fn(Arc<Scene>, usize) -> F,
{
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..size {
        tasks.spawn(work(Arc::clone(&scene), number));
    }
    while tasks.join_next().await.is_some() {}
}

/// Bytes without meaning, the same for the same seed.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// A number as a seed.
fn seed(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
