//! Italy's published figures through a federation: 1 nation, 21 regions, 107 provinces.
//!
//! Each day's provincial rows are imported where they belong; residual rows (cases being assigned, or
//! from other regions) belong to their region. After each day the nation's figure is compared with
//! the one that was published that day. Nothing is adjusted: a difference is printed as one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use reeve::import::{ImportOptions, Input, Mapping, check};
use reeve_crdt::twin::RecordOp;
use reeve_examples::italy::{
    CATALOGUE, CATALOGUE_FLOOR5, CATALOGUE_REGIONS, Exception, MAPPING, MAPPING_REGIONS, Place,
    Published, ReadError, SCHEMA, data_folder,
};
use reeve_policy::authz::{DEFAULT_POLICY, Role};
use reeve_protocol::local::{Answer, EntryChange, FigureView, ImportMode, Question};
use reeve_statement::bounds::Bounds;
use reeve_statement::digest::Digest;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::table::Area;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::evidence::{Evidence, EvidenceError};
use crate::stopwatch::now;
use crate::town::{Town, TownError, TownSpec, unexpected};

/// Longest wait for a day's figures to be at the top.
const DAY: Duration = Duration::from_secs(60);

/// Longest wait for the federation to stand.
const STAND: Duration = Duration::from_secs(120);

/// What to run.
#[derive(Debug, Clone)]
pub struct ItalySpec {
    /// Folder with the published files; none: found beside the repository.
    pub data: Option<PathBuf>,
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// First and last day.
    pub window: (Date, Date),
    /// Whether the floor is 5 instead of 1.
    pub floor5: bool,
    /// The store engine.
    pub engine: reeve::config::Engine,
}

/// Who is in the federation, and what they report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Nation, regions and provinces: total cases.
    Provinces,
    /// Nation and regions: the evening table.
    Regions,
}

/// One day's outcome.
#[derive(Debug, Clone)]
pub struct DayReport {
    /// The day.
    pub date: Date,
    /// The nation's figure through the network.
    pub nation: Bounds,
    /// What was published.
    pub published: Option<i64>,
    /// Regions whose figure is not the published one: figure and published.
    pub regions: BTreeMap<UnitId, (Bounds, i64)>,
    /// Units included, and all of them.
    pub included: (u64, u64),
    /// From the import's end to the figure at the top.
    pub took: Duration,
}

impl DayReport {
    /// Whether the nation's figure is (or, with a floor, may be) what was published.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.published.is_some_and(|published| self.nation.contains(published))
    }

    /// Whether every difference of the day is a listed exception of the files, and every listed one
    /// that the bounds can tell is there; the nation then differs by their sum and by nothing else.
    #[must_use]
    pub fn is_as_listed(&self, exceptions: &[Exception]) -> bool {
        let of_day = || exceptions.iter().filter(|exception| exception.date == self.date);
        let told = self.regions.iter().all(|(region, (figure, published))| {
            of_day().any(|listed| {
                listed.region == *region
                    && figure.contains(listed.sum)
                    && *published == listed.published
            })
        });
        let exact = self.nation.is_exact();
        let all = !exact || of_day().all(|listed| self.regions.contains_key(&listed.region));
        let off: i64 = of_day().map(|listed| listed.sum - listed.published).sum();
        told && all && self.published.is_some_and(|published| self.nation.contains(published + off))
    }
}

/// Why a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum ItalyError {
    /// No data.
    #[error(
        "the folder of published files was not found; give it as an argument or in REEVE_ITALY_DATA"
    )]
    NoData,
    /// The files.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The federation.
    #[error(transparent)]
    Town(#[from] TownError),
    /// A proof bundle.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The mapping, an import.
    #[error("{0}")]
    Text(String),
}

/// A federation of Italy, ready for days.
#[derive(Debug)]
pub struct Italy {
    town: Town,
    published: Published,
    mapping: Mapping,
    /// In the order of their ids; never empty.
    indicators: Vec<IndicatorId>,
    nation: UnitPath,
    /// The units with a register: the nation and its regions.
    superiors: Vec<UnitPath>,
}

/// A file of one day, to be imported.
#[derive(Clone, Copy)]
struct File {
    date: Date,
    digest: Digest,
    reason: Option<RevisionReason>,
}

/// The policy of a new node, with windows of a second: a day takes no minute.
fn quick_windows() -> String {
    let named = "@id(\"superior-figures\")";
    DEFAULT_POLICY.replace(named, &format!("{named}\n@window(\"1s\")"))
}

impl Italy {
    /// Reads the files, founds the federation, starts its 129 nodes.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn raise(spec: &ItalySpec) -> Result<Self, ItalyError> {
        let data = spec.data.clone().or_else(data_folder).ok_or(ItalyError::NoData)?;
        Self::raise_tree(spec, Published::read(&data)?, Tree::Provinces).await
    }

    /// As [`Italy::raise`], of files that were read before.
    pub(crate) async fn raise_tree(
        spec: &ItalySpec,
        published: Published,
        tree: Tree,
    ) -> Result<Self, ItalyError> {
        let mut paths = published.paths().map_err(text)?;
        if tree == Tree::Regions {
            paths.retain(|path| path.depth() <= 2);
        }
        let (catalogue, mapping) = match tree {
            Tree::Provinces if spec.floor5 => (CATALOGUE_FLOOR5, MAPPING),
            Tree::Provinces => (CATALOGUE, MAPPING),
            Tree::Regions => (CATALOGUE_REGIONS, MAPPING_REGIONS),
        };
        let town = Town::raise(&TownSpec {
            folder: spec.folder.clone(),
            paths: paths.clone(),
            schema: SCHEMA.to_owned(),
            policy: spec.floor5.then(quick_windows),
            engine: spec.engine,
            tap: None,
        })
        .await?;
        town.publish(catalogue, STAND).await?;
        let parsed = reeve_crdt::catalogue::parse("catalogue.toml", catalogue, town.schema());
        let parsed = parsed.map_err(text)?;
        let indicators = parsed.indicators.iter().map(|indicator| indicator.id.clone()).collect();
        let mapping = Mapping::parse("mapping.toml", mapping, town.schema()).map_err(text)?;
        let nation = town.top()?.clone();
        let superior = |path: &UnitPath| paths.iter().any(|other| other.is_child_of(path));
        let superiors = paths.iter().filter(|path| superior(path)).cloned().collect();
        let italy = Self { town, published, mapping, indicators, nation, superiors };
        italy.enter_names(&paths).await?;
        Ok(italy)
    }

    /// Each superior's register says what its subordinates are called.
    async fn enter_names(&self, paths: &[UnitPath]) -> Result<(), ItalyError> {
        let provinces = self.published.sources.values().filter(|it| it.place == Place::Province);
        let provinces = provinces.map(|source| (&source.unit, &source.name));
        let names: BTreeMap<&UnitId, &String> =
            self.published.regions.iter().chain(provinces).collect();
        for path in paths {
            let (Some(superior), Some(name)) = (path.parent(), names.get(path.leaf())) else {
                continue;
            };
            let change = EntryChange {
                unit: path.leaf().clone(),
                names: vec![("it".to_owned(), (*name).clone())],
                population: None,
                time_zone: None,
            };
            match self.town.ask(&superior, Role::Operator, Question::ChangeEntry(change)).await? {
                Answer::Done => {}
                other => return Err(unexpected(&superior, &other).into()),
            }
        }
        Ok(())
    }

    /// Where each unit stands on a day, as the registers say: whose record a row of that day is.
    async fn places(&self, date: Date) -> Result<BTreeMap<UnitId, UnitPath>, ItalyError> {
        let mut places = BTreeMap::from([(self.nation.leaf().clone(), self.nation.clone())]);
        for superior in &self.superiors {
            let entries = match self.town.ask(superior, Role::Operator, Question::Register).await? {
                Answer::Register(entries) => entries,
                other => return Err(unexpected(superior, &other).into()),
            };
            let expected = entries.iter().filter(|it| it.is_expected(Period::Day(date), date));
            for entry in expected {
                let path = superior.child(entry.unit.clone()).map_err(text)?;
                if let Some(other) = places.insert(entry.unit.clone(), path) {
                    return Err(text(format!("{} stands in {other}, too, on {date}", entry.unit)));
                }
            }
        }
        Ok(places)
    }

    /// The days for which there are rows, within a window.
    pub fn days(&self, window: (Date, Date)) -> impl Iterator<Item = Date> + '_ {
        self.published.days.range(window.0..=window.1).map(|(date, _)| *date)
    }

    /// What was published.
    #[must_use]
    pub const fn published(&self) -> &Published {
        &self.published
    }

    /// The indicators of the catalogue.
    pub(crate) fn indicators(&self) -> &[IndicatorId] {
        &self.indicators
    }

    /// The federation.
    #[must_use]
    pub const fn town(&self) -> &Town {
        &self.town
    }

    /// Imports a day everywhere, waits until the nation's figure holds every unit, and compares.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn day(&self, date: Date) -> Result<DayReport, ItalyError> {
        self.import(date, &self.published.day_csv(date, None), None).await?;
        let began = now();
        let indicator = self.indicators.first().ok_or_else(|| text("the catalogue is empty"))?;
        let what = format!("every unit's figure of {date} is at the top");
        let view = self
            .top_figure(indicator, date, &what, |view| {
                view.edition > 0 && view.counts.is_complete()
            })
            .await?;
        let took = began.elapsed();
        self.report(date, &view, took)
    }

    /// The nation's figure of a day, as soon as something holds of it.
    ///
    /// # Errors
    /// [`ItalyError`], also when it does not hold within a minute.
    pub(crate) async fn top_figure(
        &self,
        indicator: &IndicatorId,
        date: Date,
        what: &str,
        holds: impl Fn(&FigureView) -> bool,
    ) -> Result<FigureView, ItalyError> {
        let mut view: Option<FigureView> = None;
        self.town
            .eventually(DAY, what, async || {
                view = self.town.figure(&self.nation, indicator, Period::Day(date)).await?;
                Ok(view.as_ref().is_some_and(&holds))
            })
            .await?;
        view.ok_or_else(|| text("no figure"))
    }

    /// The top unit.
    #[must_use]
    pub const fn nation(&self) -> &UnitPath {
        &self.nation
    }

    /// Serves the local APIs, which evidence is asked for over.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn serve(&self) -> Result<(), ItalyError> {
        Ok(self.town.serve().await?)
    }

    /// The proof bundle of the nation's figure of a day, from every node that is in it. The local APIs
    /// must be served.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn evidence(&self, date: Date) -> Result<Evidence, ItalyError> {
        let indicator = self.indicators.first().ok_or_else(|| text("the catalogue is empty"))?;
        let view = self.town.figure(&self.nation, indicator, Period::Day(date)).await?;
        let told = view.and_then(|view| view.statement);
        let told = told.ok_or_else(|| text(format!("the nation has signed nothing of {date}")))?;
        Ok(Evidence::of(&self.town, &self.nation, told).await?)
    }

    /// Imports the rows of a day into every node that has some.
    pub(crate) async fn import(
        &self,
        date: Date,
        csv: &str,
        reason: Option<RevisionReason>,
    ) -> Result<(), ItalyError> {
        let input = Input::Memory { name: format!("{date}.csv"), bytes: Arc::from(csv.as_bytes()) };
        let checked = check(&input, &self.mapping, &ImportOptions::default()).map_err(text)?;
        let mut rows: BTreeMap<UnitId, Vec<RecordOp>> = BTreeMap::new();
        for batch in checked.batches().map_err(text)? {
            let batch = batch.map_err(text)?;
            let unit = batch.unit.ok_or_else(|| text("a row names no unit"))?;
            rows.entry(unit).or_default().extend(batch.puts.into_iter().map(RecordOp::from));
        }
        let kind = self.mapping.kind().id.clone();
        let places = self.places(date).await?;
        let mut imports = Vec::new();
        for (unit, share) in checked.shares() {
            let Some(unit) = unit else { continue };
            let path = places.get(unit);
            let path = path.ok_or_else(|| text(format!("no register has {unit} on {date}")))?;
            let ops = rows.remove(unit).unwrap_or_default();
            let closes = share.closes.iter().copied().collect();
            let file = File { date, digest: checked.digest(), reason };
            imports.push(self.import_at(path, &kind, file, ops, closes));
        }
        // Every unit imports on its own, as it would on its own machine.
        futures::future::try_join_all(imports).await?;
        Ok(())
    }

    async fn import_at(
        &self,
        path: &UnitPath,
        kind: &KindId,
        file: File,
        ops: Vec<RecordOp>,
        closes: Vec<Period>,
    ) -> Result<(), ItalyError> {
        let ask = async |what| self.town.ask(path, Role::Operator, what).await;
        let File { date, digest, reason } = file;
        let (kind, name) = (kind.clone(), format!("{date}.csv"));
        let mode = ImportMode::Replace;
        let begin = Question::BeginImport { kind: kind.clone(), file: digest, name, mode };
        let import = match ask(begin).await? {
            Answer::Begun(import) => import,
            other => return Err(unexpected(path, &other).into()),
        };
        let write = Question::Write { kind, ops, import: Some(import) };
        match ask(write).await? {
            Answer::Written(_) => {}
            other => return Err(unexpected(path, &other).into()),
        }
        let source = self.mapping.source().to_owned();
        match ask(Question::EndImport { import, source, closes, reason, sweep: None }).await? {
            Answer::Ended(_) => Ok(()),
            other => Err(unexpected(path, &other).into()),
        }
    }

    fn report(
        &self,
        date: Date,
        view: &FigureView,
        took: Duration,
    ) -> Result<DayReport, ItalyError> {
        let total = view.total.ok_or_else(|| text("the nation's figure does not add up"))?;
        let day = self.published.days.get(&date).ok_or_else(|| text("no such day"))?;
        let mut regions = BTreeMap::new();
        for (region, published) in &day.regions {
            let figure = sum_below(view, region)?;
            if !figure.contains(*published) {
                regions.insert(region.clone(), (figure, *published));
            }
        }
        Ok(DayReport {
            date,
            nation: total.value,
            published: day.nation,
            regions,
            included: (view.counts.included(), view.counts.total()),
            took,
        })
    }

    /// Stops every node.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn stop(self) -> Result<(), ItalyError> {
        Ok(self.town.stop().await?)
    }
}

/// The sum of a figure's rows of one region, from the nation's table.
fn sum_below(view: &FigureView, region: &UnitId) -> Result<Bounds, ItalyError> {
    let within = |area: &Area| area.units.first() == Some(region);
    let overflow = |_| text("a region's sum is beyond 64 bits");
    let mut sum = Bounds::ZERO;
    for (key, cell) in view.table.rows.iter().filter(|(key, _)| within(&key.area)) {
        let _ = key;
        sum = sum.checked_add(cell.value).map_err(overflow)?;
    }
    for (_, unlisted) in view.unlisted.iter().filter(|(area, _)| within(area)) {
        let hidden = unlisted.each.value.checked_times(unlisted.rows).map_err(overflow)?;
        sum = sum.checked_add(hidden).map_err(overflow)?;
    }
    Ok(sum)
}

fn text(error: impl std::fmt::Display) -> ItalyError {
    ItalyError::Text(error.to_string())
}
