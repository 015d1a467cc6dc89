//! A whole node out of its folder: the loop, whom to admit, the lists, the enrolment port.

use std::path::PathBuf;
use std::sync::Arc;

use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, Question};
use tokio::sync::watch;

use super::enrolment::{self, Porter};
use super::{NodeHandle, Parts, Presence, RunError, Running, local_person, start};
use crate::clock::wall;
use crate::config::{Config, Engine};
use crate::enrol::Reach;
use crate::house::{Entropy, House, HouseError};
use crate::net::{NetConfig, NetLimits, NodeSeed, Tap};
use crate::store::{EngineKind, StoreConfig};

/// Settings that a folder does not hold: for test networks.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Sees every application byte on the wire.
    pub tap: Option<Tap>,
    /// Unproved connections per address; many nodes of a test network share one.
    pub unproved_per_address: Option<usize>,
}

/// A node that runs out of its folder.
#[derive(Debug)]
pub struct Hosted {
    /// The node.
    pub handle: NodeHandle,
    /// Its loop.
    pub running: Running,
    /// Its enrolment port; none: nobody can join through it.
    pub porter: Option<Porter>,
}

/// Starts the node of a folder.
///
/// # Errors
/// [`RunError`]: the folder, the store, the network or the settings are at fault.
pub async fn host(house: Arc<House>, options: HostOptions) -> Result<Hosted, RunError> {
    let mut entropy = Entropy::system();
    let settings = house.settings(&mut entropy).map_err(boxed)?;
    let [high, low, ..] = *entropy.draw().map_err(|error| boxed(error.into()))?;
    let config = house.config();
    let store = store_config(&house);
    let net = net_config(config, &house, &options, u64::from(u16::from_be_bytes([high, low])));
    let (handle, running) = start(Parts { settings, store, net }).await?;
    tokio::spawn(keep_renewed(house.folder().to_owned(), handle.presence()));
    tokio::spawn(tell_reached(Arc::clone(&house), handle.clone()));
    introduce(&house, &handle).await.map_err(boxed)?;
    // Without an address nobody can reach its port, and units join by file.
    let porter = if house.has_authority_key() {
        Some(enrolment::open(Arc::clone(&house), handle.clone(), options.tap).await?)
    } else {
        None
    };
    Ok(Hosted { handle, running, porter })
}

fn boxed(error: HouseError) -> RunError {
    RunError::House(Box::new(error))
}

/// Where the store of a folder's node is, and what keeps it.
#[must_use]
pub fn store_config(house: &House) -> StoreConfig {
    StoreConfig { folder: house.store_folder(), engine: engine(house.config().store) }
}

const fn engine(engine: Engine) -> EngineKind {
    match engine {
        Engine::Redb => EngineKind::Redb,
        Engine::Sled => EngineKind::Sled,
    }
}

fn net_config(config: &Config, house: &House, options: &HostOptions, jitter: u64) -> NetConfig {
    let defaults = NetLimits::default();
    let limits = NetLimits {
        redial_ceiling: config.net.redial_ceiling,
        pending_inbound_per_address: options
            .unproved_per_address
            .unwrap_or(defaults.pending_inbound_per_address),
        ..defaults
    };
    NetConfig {
        seed: NodeSeed::new(house.node_key().seed()),
        listen: config.net.listen.clone(),
        limits,
        allow_private_addresses: config.net.allow_private_addresses,
        jitter_seed: jitter,
        tap: options.tap.clone(),
    }
}

/// Tells the core where peers reach it, once it listens: its neighbours pass it on.
async fn tell_reached(house: Arc<House>, node: NodeHandle) {
    let found = node.listening().await;
    let reach = Reach::new(house.config(), found, Vec::new());
    node.ask(local_person("start", Role::Operator), Question::Reached(reach.node)).await;
}

/// Writes renewed chains into the folder as the core puts them in force, until the node ends. Should a
/// crash come between, whoever sent them sends them again.
async fn keep_renewed(folder: PathBuf, mut presence: watch::Receiver<Presence>) {
    let mut last = None;
    while presence.changed().await.is_ok() {
        let (renewed, ended) = {
            let presence = presence.borrow_and_update();
            (presence.renewed.clone(), presence.ended)
        };
        if renewed != last
            && let Some(chains) = renewed.clone()
        {
            last = renewed;
            let folder = folder.clone();
            let kept = tokio::task::spawn_blocking(move || {
                House::keep_renewed(&folder, &chains.node, &chains.writer)
            });
            match kept.await {
                Ok(Ok(())) => tracing::info!("renewed certificates are in force and kept"),
                Ok(Err(error)) => tracing::error!(%error, "renewed certificates are not kept"),
                Err(_) => tracing::error!("renewed certificates are not kept"),
            }
        }
        if ended {
            return;
        }
    }
}

/// Tells the core whom the folder says to admit, and which lists it keeps. An admission is forgotten
/// once the core has it durably.
async fn introduce(house: &House, handle: &NodeHandle) -> Result<(), HouseError> {
    let operator = || local_person("start", Role::Operator);
    for held in house.lists()? {
        handle.ask(operator(), Question::TakeList(held.signed())).await;
    }
    for renewal in house.renewals()? {
        match handle.ask(operator(), Question::Renew(renewal.to_cbor())).await {
            Answer::Done => house.forget_renewal(&renewal)?,
            other => tracing::warn!(at = %wall(), answer = ?other, "a renewal was not passed on"),
        }
    }
    for admission in house.admissions()? {
        match handle.ask(operator(), admission.question()).await {
            Answer::Done => house.forget_admission(&admission)?,
            other => tracing::warn!(at = %wall(), answer = ?other, "a node was not admitted"),
        }
    }
    Ok(())
}
