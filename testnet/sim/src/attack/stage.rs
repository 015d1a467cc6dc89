//! What is played: a superior with four subordinates, two days, two sexes, and people who come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve_crdt::schema::Schema;
use reeve_policy::authz::{
    Action, Circumstances, Peer, Permit, PolicySet, Principal, Question, Relation, Resource,
};
use reeve_policy::disclosure::{
    DisclosedTable, DisclosureState, Edition, Input, Lapses, OwnPart, OwnTable, Released, Standing,
    Steps, Subordinate, advance, disclose, roll_up,
};
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{Catalogue, Indicator, RecipientClass};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::period::Period;
use reeve_statement::release::Sources;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::Defence;

/// Subordinates; the first [`COLLUDING`] are the attacker's.
pub(super) const LEAVES: usize = 4;
pub(super) const COLLUDING: usize = 2;

/// The days that records fall on, all of one week.
pub(super) const DAYS: [&str; 2] = ["2026-03-03", "2026-03-05"];
const WEEK: &str = "2026-W10";

/// The rows of each day.
pub(super) const SEXES: [&str; 2] = ["f", "m"];

/// Windows of a history.
const WINDOWS: usize = 14;

/// Single events of a history without windows.
const EVENTS: usize = 60;

const SCHEMA: &str = r#"
[schema]
name = "attack"
version = 1
[kind.case]
twin = "emergency"
subject = "person"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["f", "m"]
"#;

fn catalogue(steps: &[(&str, &str)], floors: [u32; 3], presence: bool) -> Option<Catalogue> {
    let schema = Schema::parse("schema.toml", SCHEMA).unwrap();
    let [superior, neighbour, public] = floors;
    let presence = if presence { "told" } else { "hidden" };
    let mut text = "[catalogue]\nversion = 1\n".to_owned();
    for (name, step) in steps {
        text += &format!(
            "[indicator.{name}]\nkind = \"case\"\nmeasure = \"count\"\nbasis = \"residence\"\n\
             period = {{ field = \"reported_on\", step = \"{step}\" }}\ngroup_by = [\"sex\"]\n\
             area_depth = 0\nlegal_basis = \"Act\"\npresence = \"{presence}\"\n\
             floor = {{ superior = {superior}, neighbour = {neighbour}, public = {public} }}\n"
        );
    }
    reeve_crdt::catalogue::parse("catalogue.toml", &text, &schema).ok()
}

/// Where a number of persons stands: subordinate, day, sex.
pub(super) type Place = (usize, usize, usize);

/// What is told of one figure at one time.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) class: RecipientClass,
    /// Whose; none: the superior's sum.
    pub(super) leaf: Option<usize>,
    /// The day; none: the week.
    pub(super) day: Option<usize>,
    pub(super) table: Table,
}

/// A history, and everything that was told of it.
pub(super) struct Scene {
    pub(super) floors: [u32; 3],
    pub(super) steps: [u32; 3],
    /// At each time, how many persons stand in each place.
    pub(super) truth: Vec<BTreeMap<Place, i64>>,
    pub(super) told: Vec<Vec<Told>>,
}

/// A federation before anything happened.
pub(super) struct Stage {
    floors: [u32; 3],
    indicators: Vec<(Indicator, Vec<Permit>)>,
    lapses: Lapses,
    single: bool,
    counts: BTreeMap<Place, i64>,
    states: BTreeMap<(usize, String), DisclosureState>,
}

const POLICY: &str = r#"
@id("superior") @min_cell("1")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"superior" };
@id("neighbour") @min_cell("1")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"neighbour" };
@id("everybody") @min_cell("1")
permit (principal is Unit, action, resource is Indicator)
when { principal.relation == Relation::"other" };
"#;

fn permits(indicator: &Indicator) -> Vec<Permit> {
    static SET: LazyLock<PolicySet> =
        LazyLock::new(|| PolicySet::parse(POLICY, "policy.cedar").unwrap());
    let asked = [
        ("it/03", Relation::Superior),
        ("it/03/other", Relation::Neighbour),
        ("anybody", Relation::Other),
    ];
    let permit = |(path, relation): (&str, Relation)| {
        let question = Question {
            principal: Principal::Unit(Peer {
                path: path.parse().unwrap(),
                relation,
                auditor: false,
            }),
            action: Action::Subscribe,
            resource: Resource::Indicator(Box::new(indicator.clone())),
            circumstances: Circumstances::default(),
        };
        SET.decide(&question).into_result().unwrap()
    };
    asked.into_iter().map(permit).collect()
}

#[cfg(feature = "bugs")]
fn lapses(without: Option<Defence>) -> Lapses {
    use reeve_policy::disclosure::Lapse;
    match without {
        Some(Defence::Floor) => Lapses::with(Lapse::Floor),
        Some(Defence::Step) => Lapses::with(Lapse::Step),
        Some(Defence::History) => Lapses::with(Lapse::History),
        Some(Defence::Classes) => Lapses::with(Lapse::Classes),
        Some(Defence::Presence) => Lapses::with(Lapse::Presence),
        Some(Defence::Window | Defence::Overlap) | None => Lapses::none(),
    }
}

#[cfg(not(feature = "bugs"))]
fn lapses(without: Option<Defence>) -> Lapses {
    assert!(without.is_none_or(Defence::can_be_left_out), "built without the feature `bugs`");
    Lapses::none()
}

impl Stage {
    pub(super) fn new(random: &mut ChaCha8Rng, without: Option<Defence>) -> Self {
        let finest = random.random_range(2..8);
        let superior = if random.random_bool(0.3) { 1 } else { finest };
        let neighbour = finest + random.random_range(0..4);
        let floors = [superior, neighbour, neighbour + random.random_range(0..6)];
        let presence = random.random_bool(0.3);
        let cuts = [("by_day", "day"), ("by_week", "week")];
        let of = |cuts: &[(&str, &str)]| catalogue(cuts, floors, presence);
        let mut indicators = of(&cuts[..1]).unwrap().indicators;
        let both = of(&cuts).map(|both| both.indicators);
        if without == Some(Defence::Overlap) {
            // As if nobody had looked at both together.
            indicators.extend(of(&cuts[1..]).unwrap().indicators);
        } else if superior == 1 {
            // The check refuses both where a class is protected.
            assert!(both.is_none(), "two cuts for a protected class");
        } else if let Some(both) = both {
            indicators = both;
        }
        let with_permits = |indicator: Indicator| {
            let permits = permits(&indicator);
            (indicator, permits)
        };
        Self {
            floors,
            indicators: indicators.into_iter().map(with_permits).collect(),
            lapses: lapses(without),
            single: without == Some(Defence::Window),
            counts: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }

    /// Plays a history.
    pub(super) fn play(mut self, random: &mut ChaCha8Rng) -> Scene {
        let steps = self.floors;
        let mut scene = Scene { floors: self.floors, steps, truth: Vec::new(), told: Vec::new() };
        for _ in 0..if self.single { EVENTS } else { WINDOWS } {
            self.happen(random);
            let told = self.close();
            scene.truth.push(self.every_place());
            scene.told.push(told);
        }
        scene
    }

    fn every_place(&self) -> BTreeMap<Place, i64> {
        let places = (0..LEAVES).flat_map(|leaf| {
            (0..DAYS.len()).flat_map(move |day| (0..SEXES.len()).map(move |sex| (leaf, day, sex)))
        });
        places.map(|place| (place, self.counts.get(&place).copied().unwrap_or(0))).collect()
    }

    /// People come and go: one where figures are told one by one, else a few in a place or many.
    fn happen(&mut self, random: &mut ChaCha8Rng) {
        if self.single {
            let place = (
                random.random_range(0..LEAVES),
                random.random_range(0..DAYS.len()),
                random.random_range(0..SEXES.len()),
            );
            let count = self.counts.entry(place).or_default();
            *count = if random.random_bool(0.8) { *count + 1 } else { (*count - 1).max(0) };
            return;
        }
        for (place, before) in self.every_place() {
            let by = match random.random_range(0..10) {
                0..3 => 0,
                3..8 => random.random_range(-2..4),
                _ => random.random_range(-9..14),
            };
            self.counts.insert(place, (before + by).max(0));
        }
    }

    /// A window closes at every unit; what everybody is told now.
    fn close(&mut self) -> Vec<Told> {
        let mut all = Vec::new();
        for (indicator, permits) in self.indicators.clone() {
            let day = indicator.id.as_str() == "by_day";
            let periods: Vec<Option<usize>> =
                if day { (0..DAYS.len()).map(Some).collect() } else { vec![None] };
            for of in periods {
                let period: Period = of.map_or(WEEK, |day| DAYS[day]).parse().unwrap();
                let mut parts = Vec::new();
                for leaf in 0..LEAVES {
                    let told = self.leaf(&indicator, &permits, period, leaf, of);
                    for (permit, own) in permits.iter().zip(&told) {
                        let table = own.table().clone();
                        let class = permit.class().unwrap();
                        all.push(Told { class, leaf: Some(leaf), day: of, table });
                    }
                    parts.push(told);
                }
                for (number, permit) in permits.iter().enumerate() {
                    let of_class = parts.iter().map(|told| &told[number]);
                    let table = sum(permit, &indicator, period, of_class);
                    let class = permit.class().unwrap();
                    all.push(Told { class, leaf: None, day: of, table });
                }
            }
        }
        all
    }

    /// What each class is told of a subordinate.
    fn leaf(
        &mut self,
        indicator: &Indicator,
        permits: &[Permit],
        period: Period,
        leaf: usize,
        of: Option<usize>,
    ) -> Vec<DisclosedTable> {
        let mut raw = Table::default();
        for (sex, name) in SEXES.iter().enumerate() {
            let days = (0..DAYS.len()).filter(|day| of.is_none_or(|of| of == *day));
            let count: i64 =
                days.map(|day| self.counts.get(&(leaf, day, sex)).copied().unwrap_or(0)).sum();
            if count > 0 {
                let key = RowKey { area: Area::own(), dims: vec![(*name).to_owned()] };
                raw.rows.insert(key, Cell::exact(count, count));
            }
        }
        let areas = BTreeSet::from([Area::own()]);
        let own = OwnTable { table: &raw, areas: &areas, combinations: None };
        let name = (leaf, period.to_string());
        let fresh = || DisclosureState::new(indicator.id.clone(), period);
        let state = self.states.entry(name).or_insert_with(fresh);
        let all: Vec<&Permit> = permits.iter().collect();
        let steps = advance(&all, indicator, &own, state, self.lapses).unwrap();
        state.take_steps(steps.clone());
        let told = |permit: &Permit| of_class(&steps, permit, indicator, period, &own, state);
        permits.iter().map(told).collect()
    }
}

/// A class's part of the steps; exact where nothing protects it.
fn of_class(
    steps: &Steps,
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
    own: &OwnTable<'_>,
    state: &DisclosureState,
) -> DisclosedTable {
    steps
        .disclosed(permit, indicator, period, state)
        .unwrap_or_else(|_| disclose(permit, indicator, period, own, state).unwrap())
}

/// The superior's own release: the sum of those of its subordinates.
fn sum<'a>(
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
    parts: impl Iterator<Item = &'a DisclosedTable>,
) -> Table {
    let state = DisclosureState::new(indicator.id.clone(), period);
    let superior: UnitPath = "it/03".parse().unwrap();
    let inputs: Vec<(UnitId, Input)> = parts
        .enumerate()
        .map(|(number, own)| {
            let unit: UnitId = format!("u{number}").parse().unwrap();
            let issuer = superior.child(unit.clone()).unwrap();
            let sources = Sources { reported: 1, expected: 1 };
            let own = OwnPart::Table { table: own, sources, touched: None };
            let figure = roll_up(permit, indicator, period, &issuer, own, &[], &state).unwrap();
            let edition = Edition { edition: 1, ..Edition::default() };
            let (body, _) = Released::new(permit, figure, edition).unwrap().into_body();
            (unit, received(issuer, permit, body))
        })
        .collect();
    let subordinates: Vec<_> = inputs
        .iter()
        .map(|(unit, input)| Subordinate {
            unit,
            standing: Standing::Figure(input),
            possible: None,
            stands_for: 1,
        })
        .collect();
    let none = OwnPart::None;
    let sum = roll_up(permit, indicator, period, &superior, none, &subordinates, &state).unwrap();
    sum.table().clone()
}

fn received(issuer: UnitPath, permit: &Permit, body: Body) -> Input {
    let statement = Statement {
        version: VERSION,
        federation: FederationId(Digest::ZERO),
        issuer,
        term: 1,
        audience: Audience::Class(permit.class().unwrap()),
        onward: Onward::Aggregate,
        issued_at: Timestamp::default(),
        valid_until: None,
        witnessed: None,
        body,
    };
    Input::of_kept(&statement, Digest::ZERO).unwrap()
}
