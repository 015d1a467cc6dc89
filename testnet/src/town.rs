//! A federation of real nodes in one process: founded in a folder, on loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use reeve::clock::wall;
use reeve::config::{Config, EVERY_BASIS, Engine};
use reeve::house::{
    Authority, Clerk, Entropy, House, HouseError, Passphrase, UnitSpec, found_federation,
    found_subordinate,
};
use reeve::runtime::{HostOptions, Hosted, NodeHandle, RunError, host, local_person, serve_api};
use reeve_crdt::catalogue;
use reeve_crdt::schema::Schema;
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, FigureView, Question, Status};
use reeve_statement::catalogue::Titles;
use reeve_statement::cert::{Domain, Reason};
use reeve_statement::key::file::Cost;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::unit::{UnitId, UnitPath};

/// The passphrase of every authority key of a test network.
pub const PASSPHRASE: &str = "testnet";

/// Unproved connections per address: every node of a town has the same.
const UNPROVED: usize = 256;

/// Longest wait for a benchmark's federation to stand, or to be at rest after an import.
pub const LONG: Duration = Duration::from_secs(120);

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a town is made of.
#[derive(Debug, Clone)]
pub struct TownSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// The units, superiors before their subordinates.
    pub paths: Vec<UnitPath>,
    /// Text of the schema that every node has.
    pub schema: String,
    /// Text of the policy; none: the default one.
    pub policy: Option<String>,
    /// The store engine.
    pub engine: Engine,
    /// Sees every application byte on the wire.
    pub tap: Option<reeve::net::Tap>,
}

impl TownSpec {
    /// The folder of a unit's node.
    #[must_use]
    pub fn folder_of(&self, path: &UnitPath) -> PathBuf {
        self.folder.join(path.to_string().replace('/', "."))
    }
}

/// Why a town cannot be raised.
#[derive(Debug, thiserror::Error)]
pub enum TownError {
    /// A node's folder.
    #[error("{unit}: {error}")]
    House {
        /// The unit.
        unit: UnitPath,
        /// What is wrong.
        error: Box<HouseError>,
    },
    /// A node.
    #[error("{unit}: {error}")]
    Run {
        /// The unit.
        unit: UnitPath,
        /// What is wrong.
        error: Box<RunError>,
    },
    /// A unit whose superior is not among those before it.
    #[error("{0} comes before its superior, or has none")]
    Order(UnitPath),
    /// No port is free.
    #[error("no port is free on loopback: {0}")]
    Port(std::io::Error),
    /// A unit that is not there.
    #[error("there is no {0} in this town")]
    NoSuchUnit(UnitPath),
    /// The catalogue or schema.
    #[error("{0}")]
    Text(String),
    /// The nodes did not do something in time.
    #[error("within {seconds} s: {what}")]
    TooSlow {
        /// How long was waited.
        seconds: u64,
        /// What for.
        what: String,
    },
    /// A node answered something else.
    #[error("{unit} answered {answer}")]
    Unexpected {
        /// The unit.
        unit: UnitPath,
        /// Its answer.
        answer: String,
    },
}

/// A node of a town.
#[derive(Debug)]
pub struct Site {
    /// Its folder.
    pub house: Arc<House>,
    authority: Authority,
    hosted: Option<Hosted>,
}

/// A federation of nodes in one process.
#[derive(Debug)]
pub struct Town {
    sites: BTreeMap<UnitPath, Site>,
    order: Vec<UnitPath>,
    schema: Schema,
    options: HostOptions,
}

impl Town {
    /// Founds the federation and starts every node.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn raise(spec: &TownSpec) -> Result<Self, TownError> {
        let schema = Schema::parse("schema.toml", &spec.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let options = HostOptions { tap: spec.tap.clone(), unproved_per_address: Some(UNPROVED) };
        let mut town = Self { sites: BTreeMap::new(), order: Vec::new(), schema, options };
        for path in &spec.paths {
            town.found(spec, path)?;
        }
        for path in &spec.paths {
            town.start(path).await?;
        }
        Ok(town)
    }

    fn found(&mut self, spec: &TownSpec, path: &UnitPath) -> Result<(), TownError> {
        let above = path.parent().map(|above| {
            let site = self.sites.get(&above).ok_or_else(|| TownError::Order(path.clone()))?;
            Ok::<_, TownError>((site.house.as_ref(), &site.authority))
        });
        let (house, authority) = found(spec, path, above.transpose()?)?;
        let site = Site { house: Arc::new(house), authority, hosted: None };
        self.sites.insert(path.clone(), site);
        self.order.push(path.clone());
        Ok(())
    }

    /// Starts a node that does not run.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn start(&mut self, path: &UnitPath) -> Result<(), TownError> {
        let options = self.options.clone();
        let site = self.sites.get_mut(path).ok_or_else(|| TownError::NoSuchUnit(path.clone()))?;
        let hosted = host(Arc::clone(&site.house), options)
            .await
            .map_err(|error| TownError::Run { unit: path.clone(), error: Box::new(error) })?;
        site.hosted = Some(hosted);
        Ok(())
    }

    /// Serves the local API of every running node, as `reeve run` does.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn serve(&self) -> Result<(), TownError> {
        for (path, site) in &self.sites {
            let Some(hosted) = &site.hosted else { continue };
            serve_api(Arc::clone(&site.house), hosted)
                .await
                .map_err(|error| TownError::Run { unit: path.clone(), error: Box::new(error) })?;
        }
        Ok(())
    }

    /// Stops a node in good order.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn halt(&mut self, path: &UnitPath) -> Result<(), TownError> {
        let site = self.sites.get_mut(path).ok_or_else(|| TownError::NoSuchUnit(path.clone()))?;
        let Some(Hosted { handle, running, porter }) = site.hosted.take() else { return Ok(()) };
        handle.stop();
        drop((handle, porter));
        running
            .stopped()
            .await
            .map_err(|error| TownError::Run { unit: path.clone(), error: Box::new(error) })
    }

    /// Stops every node, subordinates first.
    ///
    /// # Errors
    /// The first error of a node; all are stopped.
    pub async fn stop(mut self) -> Result<(), TownError> {
        let mut first = Ok(());
        for path in self.order.clone().into_iter().rev() {
            let stopped = self.halt(&path).await;
            first = first.and(stopped);
        }
        first
    }

    /// The handle of a running node.
    ///
    /// # Errors
    /// [`TownError::NoSuchUnit`] if there is none.
    pub fn node(&self, path: &UnitPath) -> Result<&NodeHandle, TownError> {
        let hosted = self.sites.get(path).and_then(|site| site.hosted.as_ref());
        hosted.map(|hosted| &hosted.handle).ok_or_else(|| TownError::NoSuchUnit(path.clone()))
    }

    /// The folder of a node.
    ///
    /// # Errors
    /// [`TownError::NoSuchUnit`] if there is none.
    pub fn folder(&self, path: &UnitPath) -> Result<&Path, TownError> {
        let site = self.sites.get(path).ok_or_else(|| TownError::NoSuchUnit(path.clone()))?;
        Ok(site.house.folder())
    }

    /// The house of a node.
    ///
    /// # Errors
    /// [`TownError::NoSuchUnit`] if there is none.
    pub fn house(&self, path: &UnitPath) -> Result<&Arc<House>, TownError> {
        let site = self.sites.get(path).ok_or_else(|| TownError::NoSuchUnit(path.clone()))?;
        Ok(&site.house)
    }

    /// The units, superiors first.
    #[must_use]
    pub fn units(&self) -> &[UnitPath] {
        &self.order
    }

    /// The top unit.
    ///
    /// # Errors
    /// [`TownError`] if the town is empty.
    pub fn top(&self) -> Result<&UnitPath, TownError> {
        self.order.first().ok_or_else(|| TownError::Text("the town is empty".to_owned()))
    }

    /// The schema of every node.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Signs a catalogue with the top unit's authority key, hands it to its node, and waits until
    /// every node follows it and every superior has asked for figures.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn publish(&self, text: &str, within: Duration) -> Result<(), TownError> {
        let catalogue = catalogue::parse("catalogue.toml", text, &self.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let version = catalogue.version;
        let top = self.top()?;
        let site = self.sites.get(top).ok_or_else(|| TownError::NoSuchUnit(top.clone()))?;
        let roots = &site.house.identity().map_err(|error| house_error(top, error))?.roots;
        let bytes = site
            .authority
            .sign_catalogue(roots.federation(), catalogue, wall())
            .map_err(|error| house_error(top, error))?;
        let answer = self.ask(top, Role::Operator, Question::Publish(bytes)).await?;
        if !matches!(answer, Answer::Done) {
            return Err(unexpected(top, &answer));
        }
        self.eventually(within, "every node follows the catalogue", async || {
            for path in &self.order {
                let status = self.status(path).await?;
                let asked = path.depth() == 1 || status.asked;
                if status.catalogue_version != version || !asked {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    /// Asks a node something in the name of a local person.
    ///
    /// # Errors
    /// [`TownError::NoSuchUnit`].
    pub async fn ask(
        &self,
        path: &UnitPath,
        role: Role,
        what: Question,
    ) -> Result<Answer, TownError> {
        Ok(self.node(path)?.ask(local_person("testnet", role), what).await)
    }

    /// Has a superior revoke everything that it issued to a subordinate's authority, and hands the
    /// list to its running node.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn revoke(&self, superior: &UnitPath, unit: &UnitId) -> Result<(), TownError> {
        let site = self.sites.get(superior);
        let site = site.ok_or_else(|| TownError::NoSuchUnit(superior.clone()))?;
        let wrong = |error| house_error(superior, error);
        let issuer = site.authority.key().public().key_id();
        let found = site.house.issued_to(&issuer, unit.as_str()).map_err(wrong)?;
        let serials: Vec<_> = found.iter().map(|it| it.serial().clone()).collect();
        let mut entropy = Entropy::system();
        let clerk = Clerk::new(wall(), &mut entropy);
        let held = site.house.revoke(&site.authority, &serials, Reason::KeyCompromise, &clerk);
        let list = Question::TakeList(held.map_err(wrong)?.signed());
        match self.ask(superior, Role::Operator, list).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(superior, &other)),
        }
    }

    /// How a node fares.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn status(&self, path: &UnitPath) -> Result<Status, TownError> {
        match self.ask(path, Role::Operator, Question::Status).await? {
            Answer::Status(status) => Ok(*status),
            other => Err(unexpected(path, &other)),
        }
    }

    /// A figure as a node knows it.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn figure(
        &self,
        path: &UnitPath,
        indicator: &IndicatorId,
        period: Period,
    ) -> Result<Option<FigureView>, TownError> {
        let question = Question::Figure { indicator: indicator.clone(), period, area: None };
        match self.ask(path, Role::Operator, question).await? {
            Answer::Figure(view) => Ok(view.map(|view| *view)),
            other => Err(unexpected(path, &other)),
        }
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// [`TownError::TooSlow`] if it does not in time.
    pub async fn eventually(
        &self,
        within: Duration,
        what: &str,
        mut holds: impl AsyncFnMut() -> Result<bool, TownError>,
    ) -> Result<(), TownError> {
        let waiting = async {
            while !holds().await? {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        tokio::time::timeout(within, waiting).await.unwrap_or_else(|_| {
            Err(TownError::TooSlow { seconds: within.as_secs(), what: what.to_owned() })
        })
    }
}

/// Founds the house of one unit in its own folder: the federation's first, or one below `above`.
///
/// # Errors
/// [`TownError`].
pub fn found(
    spec: &TownSpec,
    path: &UnitPath,
    above: Option<(&House, &Authority)>,
) -> Result<(House, Authority), TownError> {
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(wall(), &mut entropy);
    let unit = unit_spec(spec, path)?;
    let folder = spec.folder_of(path);
    let made = match above {
        None => {
            let domain =
                Domain::new("reeve.test").map_err(|error| TownError::Text(error.to_string()))?;
            found_federation(&folder, &domain, &unit, &mut clerk)
        }
        Some(superior) => {
            found_subordinate(superior, &folder, &unit, Titles::default(), &mut clerk)
        }
    };
    made.map_err(|error| house_error(path, error))
}

pub(crate) fn unit_spec(spec: &TownSpec, path: &UnitPath) -> Result<UnitSpec, TownError> {
    let level = format!("level-{}", path.depth());
    let mut unit = UnitSpec::new(path.leaf().clone(), &level, Passphrase::new(PASSPHRASE));
    unit.cost = Cost::NONE;
    unit.schema = Some(spec.schema.clone());
    unit.policy.clone_from(&spec.policy);
    let config: &mut Config = &mut unit.config;
    config.net.listen = vec![format!("/ip4/127.0.0.1/tcp/{}", free_port()?)];
    config.net.enrolment = Vec::new();
    config.net.allow_private_addresses = true;
    // The system chooses, and the node writes down what it chose.
    config.http.listen.set_port(0);
    // Nobody sits at these nodes to be asked.
    config.accepted_legal_bases = vec![EVERY_BASIS.to_owned()];
    config.store = spec.engine;
    config.schema = Some(PathBuf::from("schema.toml"));
    Ok(unit)
}

/// The error of a house, with whose it is.
pub(crate) fn house_error(path: &UnitPath, error: HouseError) -> TownError {
    TownError::House { unit: path.clone(), error: Box::new(error) }
}

/// An answer that was not expected, by its kind: answers may hold records.
#[must_use]
pub fn unexpected(path: &UnitPath, answer: &Answer) -> TownError {
    let answer = match answer {
        Answer::Failed(failure) => failure.to_string(),
        Answer::Declined(refusal) => format!("declined: {}", refusal.reason()),
        _ => "something else than was asked".to_owned(),
    };
    TownError::Unexpected { unit: path.clone(), answer }
}

/// First port tried: below the range from which systems take ports for outgoing connections, so that
/// none of those takes a port between its choice and its use.
const FIRST_PORT: u16 = 20_000;

/// Ports tried from there on.
const PORTS: u16 = 12_000;

/// How far apart programs that were started one after the other begin: a port of a node that is down
/// for a moment looks free to all others. It shares no factor with the number of ports.
const STRIDE: u32 = 97;

/// A port that nobody listens on now, and that this process has not handed out before.
///
/// # Errors
/// [`TownError::Port`].
pub fn free_port() -> Result<u16, TownError> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start =
        u16::try_from(std::process::id().wrapping_mul(STRIDE) % u32::from(PORTS)).unwrap_or(0);
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for _ in 0..PORTS {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST_PORT + start.wrapping_add(offset) % PORTS;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(TownError::Port(last))
}
