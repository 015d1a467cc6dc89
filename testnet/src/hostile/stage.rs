//! The federation that is attacked: a superior and two honest subordinates, each a real process; a
//! third subordinate and a second node of a home, whose keys the attacker holds; an enrolment port.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reeve::clock::wall;
use reeve::config::Engine;
use reeve::house::{CONFIG_FILE, Clerk, Entropy, House, found_home_node};
use reeve::token::OPERATOR_TOKEN_FILE;
use reeve_crdt::schema::Schema;
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};
use reeve_statement::unit::UnitPath;

use super::HostileError;
use super::forge::Member;
use crate::processes::{Houses, Launcher, Leash, Process, Processes};
use crate::town::{TownError, TownSpec, free_port, unit_spec};

/// The superior, the honest ones, and the one whose key the attacker has.
const UNITS: [&str; 4] = ["it", "it/03", "it/15", "it/16"];

/// Which of them has no process.
const HOSTILE: &str = "it/16";

/// Whose home has a second node with a key that the attacker has.
const HOME: &str = "it/03";

/// Cases expected in one home.
const CASES: u64 = 50_000;

/// Ports of the node that is attacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// For peers, TCP.
    pub(super) peers: SocketAddr,
    /// For peers, QUIC.
    pub(super) quic: SocketAddr,
    /// For newcomers.
    pub(super) enrolment: SocketAddr,
    /// The local API.
    pub(super) http: SocketAddr,
}

/// The federation.
pub(super) struct Stage {
    processes: Processes,
    /// The superior's ports.
    pub(super) superior: Ports,
    /// The ports of the honest subordinate with the second home node.
    pub(super) home: Ports,
    /// The subordinate whose key the attacker has.
    pub(super) subordinate: Arc<Member>,
    /// The home node whose key the attacker has.
    pub(super) home_node: Arc<Member>,
    /// The secret of an operator of the superior, for attacks by somebody who may ask everything.
    pub(super) operator: String,
    /// The same at the home.
    pub(super) home_operator: String,
    /// The secret of a writer at the home, who is not the honest one.
    pub(super) writer: String,
}

impl Stage {
    /// Founds it in a folder and starts its processes.
    pub(super) fn raise(
        folder: &Path,
        engine: Engine,
        leash: &Leash,
    ) -> Result<Self, HostileError> {
        let parse = |text: &&str| text.parse::<UnitPath>().map_err(HostileError::text);
        let text = schema_expecting(CASES);
        let schema = Schema::parse("schema.toml", &text).map_err(HostileError::text)?;
        let spec = TownSpec {
            folder: folder.to_owned(),
            paths: UNITS.iter().map(parse).collect::<Result<_, _>>()?,
            schema: text,
            policy: None,
            engine,
            tap: None,
        };
        let mut houses = Houses::open(&spec)?;
        let home_house = second_node(&spec, &houses)?;
        let hostile = houses.take(&parse(&HOSTILE)?).ok_or_else(|| absent(HOSTILE))?;
        let mut ports = Vec::new();
        for (unit, house, _) in houses.list() {
            ports.push((unit.clone(), open_ports(house)?));
        }
        let processes = Processes::start(&Launcher::beside(leash)?, &houses)?;
        processes.publish(&houses.sign_catalogue(CATALOGUE)?)?;
        let find = |unit: &str| {
            let (_, ports) = ports.iter().find(|(at, _)| at.to_string() == unit)?;
            let process = processes.list().iter().find(|it| it.unit.to_string() == unit)?;
            Some(Ports { http: process.client.address(), ..*ports })
        };
        let superior = find("it").ok_or_else(|| absent("it"))?;
        let home = find(HOME).ok_or_else(|| absent(HOME))?;
        let mut stage = Self {
            superior,
            home,
            subordinate: Arc::new(Member::of(&hostile, &schema)?),
            home_node: Arc::new(Member::of(&home_house, &schema)?),
            operator: String::new(),
            home_operator: String::new(),
            writer: String::new(),
            processes,
        };
        let superior = stage.superior_process()?;
        let asker = superior.folder.join("asker.token");
        superior.make_token(&asker, "asker", "operator")?;
        stage.operator = secret(&asker)?;
        stage.home_operator = secret(&stage.home_process()?.folder.join(OPERATOR_TOKEN_FILE))?;
        let at_home = stage.home_process()?;
        let flooder = at_home.folder.join("flooder.token");
        at_home.make_token(&flooder, "flooder", "writer")?;
        stage.writer = secret(&flooder)?;
        Ok(stage)
    }

    /// The process of the superior.
    pub(super) fn superior_process(&self) -> Result<&Process, HostileError> {
        self.processes.list().first().ok_or_else(|| absent("it"))
    }

    /// The process of the honest home that has a second node.
    pub(super) fn home_process(&self) -> Result<&Process, HostileError> {
        self.processes.list().get(1).ok_or_else(|| absent(HOME))
    }

    /// Stops every process.
    pub(super) fn end(self) {
        self.processes.stop();
    }
}

fn absent(unit: &str) -> HostileError {
    HostileError::text(format!("there is no {unit} in this federation"))
}

fn secret(path: &Path) -> Result<String, HostileError> {
    let text = fs::read_to_string(path).map_err(HostileError::text)?;
    Ok(text.trim().to_owned())
}

/// Founds the further node of a home, which the home's first node admits.
fn second_node(spec: &TownSpec, houses: &Houses) -> Result<House, HostileError> {
    let first = houses.list().iter().find(|(unit, _, _)| unit.to_string() == HOME);
    let (unit, house, authority) = first.ok_or_else(|| absent(HOME))?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(wall(), &mut entropy);
    let folder: PathBuf = spec.folder.join("second");
    let unit_spec = unit_spec(spec, unit)?;
    Ok(found_home_node((house, authority), &folder, "second", &unit_spec, &mut clerk)?)
}

/// Has a node listen on QUIC and for newcomers too, which test towns do not need.
fn open_ports(house: &House) -> Result<Ports, HostileError> {
    let mut config = house.config().clone();
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let peers = config.net.listen.first().and_then(|it| it.rsplit('/').next()?.parse().ok());
    let peers: u16 = peers.ok_or_else(|| HostileError::text("a node listens nowhere"))?;
    let (quic, enrolment) = (free_port()?, free_port()?);
    config.net.listen.push(format!("/ip4/127.0.0.1/udp/{quic}/quic-v1"));
    config.net.enrolment = vec![format!("/ip4/127.0.0.1/tcp/{enrolment}")];
    let path = house.folder().join(CONFIG_FILE);
    fs::write(&path, config.to_toml()).map_err(HostileError::text)?;
    Ok(Ports { peers: at(peers), quic: at(quic), enrolment: at(enrolment), http: at(0) })
}

impl From<TownError> for HostileError {
    fn from(error: TownError) -> Self {
        Self::text(error)
    }
}
