//! The demo: a synthetic outbreak moves through a federation while the nation's table is shown.
//!
//! One day of the outbreak passes every few seconds. What is shown is asked of the nation's node like
//! any viewer would; the time from a leaf to the nation is measured with the last change of each day.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use reeve::config::Engine;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::closure;
use reeve_crdt::twin::RecordOp;
use reeve_examples::epidemic::{
    CATALOGUE, Change, Event, Outbreak, SCHEMA, Topology, TopologyError,
};
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, EntryChange, FigureView, Question};
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::{Period, Step};
use reeve_statement::register::Population;
use reeve_statement::unit::UnitPath;

use crate::stopwatch::now;
use crate::town::{Town, TownError, TownSpec, unexpected};

/// Day of the outbreak on which the demo begins: there are cases in some municipalities by then.
const FIRST_DAY: u32 = 15;

/// Most operations of one ask.
const OPS: usize = 1_000;

/// Longest wait for the federation to stand.
const STAND: Duration = Duration::from_secs(60);

/// Longest wait for a change to reach the nation.
const REACH: Duration = Duration::from_secs(10);

/// What to show.
#[derive(Debug, Clone)]
pub struct DemoSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Regions of the nation.
    pub regions: u32,
    /// Municipalities of each region.
    pub municipalities: u32,
    /// Seed of the outbreak.
    pub seed: u64,
    /// How many days are shown.
    pub days: u32,
    /// The civil day that the last of them stands for: no unit takes a report of a day that has not begun.
    pub today: Date,
}

/// Why the demo ends early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The federation.
    #[error(transparent)]
    Town(#[from] TownError),
    /// Its shape.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The generator and the schema disagree.
    #[error("{0}")]
    Event(String),
}

/// One indicator's line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What people call it.
    pub title: String,
    /// The period.
    pub period: Period,
    /// The nation's figure; none yet.
    pub view: Option<FigureView>,
}

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    town: Town,
    outbreak: Outbreak,
    municipalities: Vec<UnitPath>,
    nation: UnitPath,
    indicators: Vec<reeve_statement::catalogue::Indicator>,
    next: u32,
}

impl Demo {
    /// Founds the federation, starts its nodes, and lives through the days before the first shown.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn raise(spec: &DemoSpec) -> Result<Self, DemoError> {
        let topology = Topology::nation("atlantis", spec.regions, spec.municipalities)?;
        let municipalities: Vec<UnitPath> =
            topology.municipalities().iter().map(|it| it.path.clone()).collect();
        let town = Town::raise(&TownSpec {
            folder: spec.folder.clone(),
            paths: with_superiors(&municipalities),
            schema: SCHEMA.to_owned(),
            policy: None,
            engine: Engine::Redb,
            tap: None,
        })
        .await?;
        let catalogue = reeve_crdt::catalogue::parse("catalogue.toml", CATALOGUE, town.schema())
            .map_err(|error| DemoError::Event(error.to_string()))?;
        town.serve().await?;
        town.publish(CATALOGUE, STAND).await?;
        enter(&town, &topology, spec.today.year()).await?;
        let before = i64::from(FIRST_DAY).saturating_add(i64::from(spec.days));
        let start = spec.today.saturating_sub(jiff::Span::new().days(before));
        let outbreak = Outbreak::new(spec.seed, &topology, start);
        let nation = town.top()?.clone();
        let indicators = catalogue.indicators;
        let mut demo = Self { town, outbreak, municipalities, nation, indicators, next: 0 };
        while demo.next <= FIRST_DAY {
            demo.live().await?;
        }
        Ok(demo)
    }

    /// Lives through the next day; the time from its last change to the nation's signed figure.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn day(&mut self) -> Result<Option<Duration>, DemoError> {
        self.live().await?;
        self.reach().await
    }

    /// The civil day last lived through.
    #[must_use]
    pub fn date(&self) -> Date {
        self.outbreak.date(self.next.saturating_sub(1))
    }

    async fn live(&mut self) -> Result<(), DemoError> {
        let day = self.next;
        let date = self.outbreak.date(day);
        let events: Vec<Vec<Event>> = self.outbreak.day(day).to_vec();
        self.next += 1;
        for (path, events) in self.municipalities.iter().zip(&events) {
            self.write(path, events).await?;
            self.close(path, date).await?;
        }
        Ok(())
    }

    /// Writes a day's events of a municipality, in their order.
    async fn write(&self, path: &UnitPath, events: &[Event]) -> Result<(), DemoError> {
        for same in events.chunk_by(|one, other| one.kind == other.kind) {
            let Some(kind) = same.first().map(|event| event.kind) else { continue };
            for some in same.chunks(OPS) {
                let ops =
                    some.iter().map(|event| self.operation(event)).collect::<Result<_, _>>()?;
                self.put(path, kind, ops).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, path: &UnitPath, kind: &str, ops: Vec<RecordOp>) -> Result<(), DemoError> {
        let kind = KindId::new(kind).map_err(|error| DemoError::Event(error.to_string()))?;
        let question = Question::Write { kind, ops, import: None };
        match self.town.ask(path, Role::Writer, question).await? {
            Answer::Written(_) => Ok(()),
            other => Err(unexpected(path, &other).into()),
        }
    }

    fn operation(&self, event: &Event) -> Result<RecordOp, DemoError> {
        let wrong =
            |error: String| DemoError::Event(format!("{} {}: {error}", event.kind, event.id));
        let id = RecordId::new(&event.id).map_err(|error| wrong(error.to_string()))?;
        if event.change == Change::Delete {
            return Ok(RecordOp::Delete { id });
        }
        let kind = self.town.schema().kind(event.kind);
        let kind = kind.ok_or_else(|| wrong("no such kind".to_owned()))?;
        let fields = event.to_json().unwrap_or_default();
        let record = Record::from_json(kind, &fields)
            .and_then(|record| kind.validate(record))
            .map_err(|errors| wrong(format!("{errors:?}")))?;
        Ok(RecordOp::Put { id, record })
    }

    /// Says that the municipality has reported the day, for every kind.
    async fn close(&self, path: &UnitPath, date: Date) -> Result<(), DemoError> {
        let kinds = self.town.schema().kinds().filter(|kind| kind.id != closure::kind_id());
        for kind in kinds {
            let question = Question::Close {
                kind: kind.id.clone(),
                source: "registry".to_owned(),
                periods: vec![Period::Day(date)],
                reason: None,
            };
            match self.town.ask(path, Role::Writer, question).await? {
                Answer::Written(_) => {}
                other => return Err(unexpected(path, &other).into()),
            }
        }
        Ok(())
    }

    /// Writes one more case in the last municipality and waits for the nation's next edition.
    async fn reach(&self) -> Result<Option<Duration>, DemoError> {
        let Some(path) = self.municipalities.last() else { return Ok(None) };
        let indicator = IndicatorId::new("confirmed_by_day")
            .map_err(|error| DemoError::Event(error.to_string()))?;
        let period = Period::Day(self.date());
        let edition = async || -> Result<u64, TownError> {
            let view = self.town.figure(&self.nation, &indicator, period).await?;
            Ok(view.map_or(0, |view| view.edition))
        };
        // What the day brought is at the top first.
        let mut before = edition().await?;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = edition().await?;
            if now == before {
                break;
            }
            before = now;
        }
        let id = format!("probe-{}", self.date());
        let began = now();
        self.put(path, "case", vec![self.probe(&id)?]).await?;
        let mut reached = None;
        let arrived = self
            .town
            .eventually(REACH, "a change reaches the nation", async || {
                let here = edition().await? > before;
                if here {
                    reached = Some(began.elapsed());
                }
                Ok(here)
            })
            .await;
        match arrived {
            Ok(()) | Err(TownError::TooSlow { .. }) => Ok(reached),
            Err(error) => Err(error.into()),
        }
    }

    /// A confirmed case of today.
    fn probe(&self, id: &str) -> Result<RecordOp, DemoError> {
        let kind = self.town.schema().kind("case");
        let kind = kind.ok_or_else(|| DemoError::Event("no kind case".to_owned()))?;
        let mut fields = serde_json::Map::new();
        for (name, value) in [
            ("status", serde_json::json!("confirmed")),
            ("reported_on", serde_json::json!(self.date().to_string())),
            ("age", serde_json::json!(44)),
            ("sex", serde_json::json!("female")),
        ] {
            fields.insert(name.to_owned(), value);
        }
        let record = Record::from_json(kind, &fields)
            .and_then(|record| kind.validate(record))
            .map_err(|errors| DemoError::Event(format!("{errors:?}")))?;
        let id = RecordId::new(id).map_err(|error| DemoError::Event(error.to_string()))?;
        Ok(RecordOp::Put { id, record })
    }

    /// The nation's table: one line per indicator.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn table(&self) -> Result<Vec<Line>, DemoError> {
        let mut lines = Vec::new();
        for indicator in &self.indicators {
            let period = match indicator.step {
                Step::Now => Period::Now,
                step => Period::of(step, self.date()),
            };
            let view = self.town.figure(&self.nation, &indicator.id, period).await?;
            let title = indicator.title.text("en").unwrap_or(indicator.id.as_str()).to_owned();
            lines.push(Line { title, period, view });
        }
        Ok(lines)
    }

    /// Statements that the nation and the regions have verified.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn verified(&self) -> Result<u64, DemoError> {
        let mut verified = 0;
        for path in self.town.units() {
            if let Answer::Metrics(counters) =
                self.town.ask(path, Role::Operator, Question::Metrics).await?
            {
                verified += counters.of("statements", "verified");
            }
        }
        Ok(verified)
    }

    /// The federation.
    #[must_use]
    pub const fn town(&self) -> &Town {
        &self.town
    }

    /// Stops every node.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn stop(self) -> Result<(), DemoError> {
        Ok(self.town.stop().await?)
    }
}

/// Enters names and populations into the registers of the superiors.
async fn enter(town: &Town, topology: &Topology, year: i16) -> Result<(), DemoError> {
    let mut people: BTreeMap<UnitPath, u64> = BTreeMap::new();
    for municipality in topology.municipalities() {
        for path in core::iter::successors(Some(municipality.path.clone()), UnitPath::parent) {
            *people.entry(path).or_default() += u64::from(municipality.population);
        }
    }
    for (path, persons) in people {
        let Some(superior) = path.parent() else { continue };
        let number = path.leaf().as_str().replace(|c: char| !c.is_ascii_digit() && c != '-', "");
        let kinds = if path.depth() == 2 {
            [("de", "Region"), ("en", "Region"), ("it", "Regione"), ("zh", "地区")]
        } else {
            [("de", "Gemeinde"), ("en", "Town"), ("it", "Comune"), ("zh", "市")]
        };
        let names = kinds.map(|(language, kind)| (language.to_owned(), format!("{kind} {number}")));
        let (year, source) = (year.unsigned_abs(), "generated".to_owned());
        let change = EntryChange {
            unit: path.leaf().clone(),
            names: names.to_vec(),
            population: Some(Some(Population { persons, year, source })),
            time_zone: None,
        };
        match town.ask(&superior, Role::Operator, Question::ChangeEntry(change)).await? {
            Answer::Done => {}
            other => return Err(unexpected(&superior, &other).into()),
        }
    }
    Ok(())
}

/// The units with all their superiors, superiors first.
fn with_superiors(leaves: &[UnitPath]) -> Vec<UnitPath> {
    let mut all: Vec<UnitPath> = leaves
        .iter()
        .flat_map(|leaf| core::iter::successors(Some(leaf.clone()), UnitPath::parent))
        .collect();
    all.sort_by(|one, other| (one.depth(), one).cmp(&(other.depth(), other)));
    all.dedup();
    all
}
