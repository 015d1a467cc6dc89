//! The federation under trial: its processes, its network, its clients, and what they have seen of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use reeve::api::RecordView;
use reeve::clock::wall;
use reeve::config::Config;
use reeve::house::{Authority, CONFIG_FILE, Clerk, Entropy, House};
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};
use reeve_statement::unit::UnitPath;
use tokio::runtime::Handle;

use super::broken::{Shims, Steering};
use super::disk;
use super::faults::Kind;
use super::load::Load;
use super::network::{Network, Seat};
use super::remains;
use super::shape::Place;
use super::{ChaosSpec, Transport};
use crate::processes::eventually;
use crate::processes::{Houses, Launcher, Leash, Process, ProcessError, SERVING, Starting};
use crate::stopwatch::now;
use crate::town::{TownError, TownSpec, house_error, unit_spec};
use crate::trial::book::{Book, held_by, nothing_impossible};
use crate::trial::cases::DAYS;
use crate::trial::figures::{Counts, add, records, wait};
use crate::trial::kills::delivered;
use crate::trial::{CASES, TrialError, broken, keep_status};

/// Nodes that have a small disk of their own where there are namespaces: a region, a province, a
/// municipality, and a further node of a home.
const DISKS: [usize; 4] = [1, 4, 7, 12];

/// One node.
pub(super) struct Site {
    pub(super) place: Place,
    pub(super) house: House,
    pub(super) process: Process,
    pub(super) steering: Steering,
    /// Whether its store is on a small disk of its own.
    pub(super) small_disk: bool,
    /// Whether its process was ended and not started again.
    pub(super) down: bool,
    /// The most memory that any of its processes held, in kB.
    pub(super) peak_kb: u64,
}

/// A federation, its network and its clients.
pub(super) struct Federation {
    // Dropped in this order: clients end when the nodes are gone.
    pub(super) sites: Vec<Site>,
    pub(super) load: Load,
    pub(super) network: Network,
    pub(super) book: Book,
    /// Processes that were started again after they had stopped by themselves.
    pub(super) revived: u32,
    /// Why a delivery may be refused, by what the trial did.
    pub(super) excused: Vec<&'static str>,
    catalogue: Vec<u8>,
    /// Longest wait for right figures.
    within: Duration,
}

impl Federation {
    /// Founds it and starts its processes; all follow the epidemic pack's catalogue.
    pub(super) fn raise(
        spec: &ChaosSpec,
        places: Vec<Place>,
        runtime: &Handle,
        leash: &Leash,
    ) -> Result<Self, TrialError> {
        let network = Network::make(spec, &places, runtime, leash)?;
        let shims = Shims::build(&spec.folder)?;
        let (houses, catalogue) = found(spec, &places)?;
        let mut starting = Vec::new();
        for (node, (place, house)) in places.into_iter().zip(houses).enumerate() {
            let Some(seat) = network.seat(node) else { continue };
            let small_disk = network.has_cables() && DISKS.contains(&node);
            if small_disk {
                disk::mount(&house.store_folder())?;
            }
            let house = settle(&house, seat, network.dialled(node), spec.transport)?;
            let steering = shims.steering(house.folder(), &house.store_folder())?;
            let mut launcher = Launcher::beside(leash)?;
            launcher.within.clone_from(&seat.within);
            launcher.environment.clone_from(&steering.environment);
            let process = Starting::new(&launcher, &place.unit, &house)?;
            starting.push((place, house, process, steering, small_disk));
        }
        let mut sites = Vec::new();
        for (place, house, process, steering, small_disk) in starting {
            let process = process.serving(SERVING)?;
            sites.push(Site {
                place,
                house,
                process,
                steering,
                small_disk,
                down: false,
                peak_kb: 0,
            });
        }
        let mut chance = ChaCha8Rng::seed_from_u64(spec.seed.wrapping_add(1));
        let load = Load::start(clients(&sites)?, &mut chance);
        let book = Book::default();
        let within = spec.within;
        let federation =
            Self { sites, load, network, book, revived: 0, excused: Vec::new(), catalogue, within };
        federation.publish()?;
        Ok(federation)
    }

    /// Hands the catalogue to the nation's node, and waits until all follow it.
    fn publish(&self) -> Result<(), TrialError> {
        let nation = &self.nation()?.process;
        let media = "application/cose";
        let done: Result<reeve::api::Published, _> =
            nation.client.send_bytes("POST", "/v1/catalogue", media, self.catalogue.clone());
        done.map_err(|error| nation.failed(error))?;
        eventually(SERVING, "every node follows the catalogue", || {
            for site in self.sites.iter().filter(|site| site.place.reports()) {
                if site.process.status()?.catalogue_version == 0 {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })?;
        Ok(())
    }

    pub(super) fn nation(&self) -> Result<&Site, TrialError> {
        self.sites.first().ok_or_else(|| TrialError::Trial("there is no nation".to_owned()))
    }

    /// Kills a node's process.
    pub(super) fn kill(&mut self, node: usize) {
        if let Some(site) = self.sites.get_mut(node) {
            site.note_memory();
            site.process.kill();
            site.down = true;
        }
    }

    /// Starts a node's process again.
    pub(super) fn launch(&mut self, node: usize) -> Result<(), TrialError> {
        if let Some(site) = self.sites.get_mut(node)
            && std::mem::take(&mut site.down)
        {
            site.process.launch()?;
        }
        Ok(())
    }

    /// Sends a node's process a signal.
    pub(super) fn signal(&self, node: usize, name: &str) {
        if let Some(site) = self.sites.get(node) {
            site.process.signal(name);
        }
    }

    /// Starts a node's process again if it has stopped by itself.
    pub(super) fn revive(&mut self, node: usize) -> Result<(), TrialError> {
        if let Some(site) = self.sites.get_mut(node)
            && let Err(ProcessError::Ended { status, .. }) = site.process.check()
        {
            if status.success() {
                return Err(broken(&site.place.unit, "it stopped for a reason, and says success"));
            }
            self.revived += 1;
            site.process.launch()?;
        }
        Ok(())
    }

    /// The nodes to which a fault of this kind can be done.
    pub(super) fn suited_to(&self, kind: Kind) -> Vec<usize> {
        if kind.needs_relay() { self.network.relayed() } else { (0..self.sites.len()).collect() }
    }

    /// No process has ended by itself, but at these nodes.
    pub(super) fn look(&mut self, but: &BTreeSet<usize>) -> Result<(), TrialError> {
        for (node, site) in self.sites.iter_mut().enumerate() {
            if !site.down && !but.contains(&node) {
                site.process.check()?;
            }
        }
        Ok(())
    }

    /// Has the clients rest, and waits until every node has all records that were acknowledged, the
    /// nation's figures equal them, and every superior has what was said; how long since `since` it took
    /// until the figures did. Then the clients go on.
    pub(super) fn check(&mut self, since: Instant) -> Result<Duration, TrialError> {
        let right = self.check_at_rest(since)?;
        self.load.go();
        Ok(right)
    }

    /// The same, and the clients stay at rest.
    pub(super) fn check_at_rest(&mut self, since: Instant) -> Result<Duration, TrialError> {
        self.load.rest()?;
        for site in &mut self.sites {
            site.process.serving(SERVING)?;
            site.note_memory();
        }
        let expected = self.hold_records()?;
        let right = wait(&self.nation()?.process, &DAYS, &expected, since, self.within)?;
        self.hold_statements()?;
        Ok(right)
    }

    /// Every node has the records that were acknowledged; what they come to at the nation.
    fn hold_records(&self) -> Result<Counts, TrialError> {
        let mut expected = Counts::new();
        let nation = self.nation()?.place.unit.clone();
        for site in self.sites.iter().filter(|site| site.place.reports()) {
            let held = self.agreed(&site.place.unit)?;
            for (node, other) in self.sites.iter().enumerate() {
                if other.place.unit == site.place.unit
                    && let Some(mut known) = self.load.known(node)
                {
                    known.hold(&held).map_err(|what| broken(&other.place.unit, what))?;
                }
            }
            add(&mut expected, &nation, &site.place.unit, &held);
        }
        Ok(expected)
    }

    /// The records of a home, once all of its nodes have the same.
    pub(super) fn agreed(&self, unit: &UnitPath) -> Result<Vec<RecordView>, TrialError> {
        let began = now();
        loop {
            let mut held: Vec<Vec<RecordView>> = Vec::new();
            for site in self.sites.iter().filter(|site| site.place.unit == *unit) {
                let mut records = records(unit, &site.process.writer()?)?;
                records.sort_by(|one, other| one.id.cmp(&other.id));
                held.push(records);
            }
            let first = held.first().cloned().unwrap_or_default();
            if held.iter().all(|records| *records == first) {
                return Ok(first);
            }
            if began.elapsed() > self.within {
                return Err(broken(unit, "the nodes of this home do not agree"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every ledger goes on where it was, and the superiors hold what was said last.
    pub(super) fn hold_statements(&mut self) -> Result<(), TrialError> {
        for site in self.sites.iter().filter(|site| site.place.reports()) {
            delivered(&site.process)?;
            let news = self.book.read(&site.process)?;
            let superior = site.place.above.and_then(|above| self.sites.get(above));
            if let Some(superior) = superior {
                for entry in &news {
                    held_by(&superior.process, entry)?;
                }
            }
            nothing_impossible(&site.process, &self.excused)?;
        }
        Ok(())
    }

    /// Writes down how each node fares, for whoever looks into a trial that failed.
    pub(super) fn keep_status(&self) {
        keep_status(self.sites.iter().map(|site| &site.process));
    }

    /// Looks at how much memory each process has held.
    pub(super) fn note_memory(&mut self) {
        self.sites.iter_mut().filter(|site| !site.down).for_each(Site::note_memory);
    }

    /// The most memory that any process held, in kB.
    pub(super) fn peak_kb(&self) -> u64 {
        self.sites.iter().map(|site| site.peak_kb).max().unwrap_or_default()
    }

    /// Stops the nodes and looks into what they left: how many statements it verified.
    pub(super) fn end(self, shifted: i64) -> Result<usize, TrialError> {
        let Self { sites, load, mut book, .. } = self;
        for site in &sites {
            site.process.signal("TERM");
        }
        for site in &sites {
            site.process.stop();
        }
        drop(load);
        remains::check(&sites, &mut book, wall().plus_millis(shifted.saturating_mul(1_000)))
    }
}

impl Site {
    fn note_memory(&mut self) {
        let peak = crate::bench::machine::peak_memory_kb_of(self.process.pid());
        self.peak_kb = self.peak_kb.max(peak.unwrap_or_default());
    }
}

/// The houses of the places, and the catalogue.
fn found(spec: &ChaosSpec, places: &[Place]) -> Result<(Vec<House>, Vec<u8>), TrialError> {
    let town = TownSpec {
        folder: spec.folder.clone(),
        paths: places.iter().filter(|it| it.reports()).map(|it| it.unit.clone()).collect(),
        schema: schema_expecting(CASES),
        policy: None,
        engine: spec.engine,
        tap: None,
    };
    let founded = Houses::open(&town)?;
    let catalogue = founded.sign_catalogue(CATALOGUE)?;
    let mut houses = Vec::new();
    for place in places {
        let of_unit = founded.list().iter().find(|(unit, ..)| *unit == place.unit);
        let Some((unit, first, authority)) = of_unit else { continue };
        houses.push(if place.reports() {
            House::open(first.folder())?
        } else {
            found_further(&town, (unit, first, authority), place.member)?
        });
    }
    Ok((houses, catalogue))
}

fn found_further(
    town: &TownSpec,
    (unit, first, authority): (&UnitPath, &House, &Authority),
    member: u8,
) -> Result<House, TownError> {
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(wall(), &mut entropy);
    let folder = town.folder_of(unit).with_extension(format!("node-{member}"));
    let spec = unit_spec(town, unit)?;
    reeve::house::found_home_node(
        (first, authority),
        &folder,
        &member.to_string(),
        &spec,
        &mut clerk,
    )
    .map_err(|error| house_error(unit, error))
}

/// Writes into a house's configuration where its node is, and where it dials the one above it.
fn settle(
    house: &House,
    seat: &Seat,
    dialled: Option<SocketAddr>,
    transport: Transport,
) -> Result<House, TrialError> {
    let multiaddress = |at: SocketAddr| match transport {
        Transport::Tcp => format!("/ip4/{}/tcp/{}", at.ip(), at.port()),
        Transport::Quic => format!("/ip4/{}/udp/{}/quic-v1", at.ip(), at.port()),
    };
    let mut config: Config = house.config().clone();
    config.net.listen = vec![multiaddress(seat.peers)];
    config.http.listen = seat.api;
    config.http.allow_beyond_loopback = !seat.api.ip().is_loopback();
    for peer in config.superior.iter_mut().chain(&mut config.home) {
        peer.addresses = dialled.map(multiaddress).into_iter().collect();
    }
    let path = house.folder().join(CONFIG_FILE);
    std::fs::write(&path, config.to_toml())
        .map_err(|reason| ProcessError::System { path, reason })?;
    Ok(House::open(house.folder())?)
}

/// A client for each node below which there is none, and for each node of a home.
fn clients(sites: &[Site]) -> Result<Vec<(usize, reeve::client::Client, String)>, TrialError> {
    let mut clients = Vec::new();
    for (node, site) in sites.iter().enumerate() {
        let unit = &site.place.unit;
        let has_below = sites.iter().any(|other| other.place.unit.parent().as_ref() == Some(unit));
        if has_below {
            continue;
        }
        let several = sites.iter().filter(|other| other.place.unit == *unit).count() > 1;
        let prefix = if several { format!("n{}-", site.place.member) } else { String::new() };
        clients.push((node, site.process.writer()?, prefix));
    }
    Ok(clients)
}
