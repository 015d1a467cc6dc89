//! A federation on paper: units whose statements are signed one after the other, without any node.
//!
//! For the bundles that are published as test vectors, and for measuring an auditor's work. The same
//! calls give the same bytes, whatever the cores come to do. It adds up by itself, and what it is told
//! to say wrongly it signs all the same.

use std::collections::BTreeMap;

use reeve_audit::{
    CHECKPOINTS, CHUNKS, FIGURE, LISTS, LedgerProof, PROOFS, RECEIPTS, ROOTS, STATEMENTS,
    WITNESSES, roots as manifest_roots,
};
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{
    Basis, Catalogue, Contributors, Dimension, Filter, Floors, Indicator, Measure, RecipientClass,
    Titles,
};
use reeve_statement::cert::{Chain, dns_name};
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Counts, Exception, Manifest, ManifestEntry, UnitState};
use reeve_statement::cose::{Signed, sign};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::cosignature::{WitnessName, cosign};
use reeve_statement::ledger::receipt::{Receipt, SignedRoot};
use reeve_statement::ledger::{Frontier, NodeAddress, inclusion_proof, leaf_hash};
use reeve_statement::names::{FieldId, IndicatorId, KindId};
use reeve_statement::notice::{Notice, NoticeCode};
use reeve_statement::period::{Period, Step};
use reeve_statement::register::{Register, RegisterEntry};
use reeve_statement::release::{Conditions, Decision, Release, RevisionReason, Sources};
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::registry::{NOON, Registry, node_key, seed};
use crate::setup::REPORTING;

/// The files of a bundle: places with `/` between the parts, and bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The floor below which a cell is not told exactly.
const FLOOR: i64 = 5;

/// Between one statement and the next, in milliseconds.
const TICK: i64 = 1_000;

/// A file's place in a bundle.
#[must_use]
pub fn place((folder, ending): (&str, &str), name: impl core::fmt::Display) -> String {
    format!("{folder}/{name}.{ending}")
}

/// What a unit said last of a period.
#[derive(Debug, Clone)]
struct Told {
    digest: Digest,
    edition: u64,
    state: UnitState,
    counts: Counts,
    table: Option<Table>,
    exceptions: Vec<Exception>,
}

/// With what a statement is signed.
#[derive(Debug, Clone)]
pub struct Pen {
    /// The key.
    pub key: SecretKey,
    /// Its certificate, and those above it.
    pub chain: Chain,
}

/// A federation on paper.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// Its keys and certificates.
    pub registry: Registry,
    units: Vec<UnitPath>,
    below: BTreeMap<UnitPath, Vec<UnitPath>>,
    indicator: Indicator,
    registers: BTreeMap<UnitPath, Digest>,
    pens: BTreeMap<UnitPath, Pen>,
    told: BTreeMap<(UnitPath, Period), Told>,
    ledgers: BTreeMap<UnitPath, Vec<Digest>>,
    files: Files,
    clock: i64,
}

impl Specimen {
    /// A federation of these units, superiors first, with one indicator over these values of one
    /// dimension, and a register of every superior.
    #[must_use]
    pub fn new(units: &[UnitPath], values: &[String]) -> Self {
        let mut below: BTreeMap<UnitPath, Vec<UnitPath>> = BTreeMap::new();
        for unit in units {
            below.entry(unit.clone()).or_default();
            if let Some(above) = unit.parent() {
                below.get_mut(&above).expect("superiors come first").push(unit.clone());
            }
        }
        below.values_mut().for_each(|units| units.sort_by(|a, b| a.leaf().cmp(b.leaf())));
        let mut paper = Self {
            registry: Registry::new(),
            units: units.to_vec(),
            below,
            indicator: indicator(values),
            registers: BTreeMap::new(),
            pens: BTreeMap::new(),
            told: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            files: Files::new(),
            clock: NOON,
        };
        paper.begin();
        paper
    }

    fn begin(&mut self) {
        for unit in self.units.clone() {
            let chain = self.registry.node(&unit, REPORTING, Some(1));
            self.pens.insert(unit.clone(), Pen { key: node_key(&unit, REPORTING), chain });
            let named: Vec<UnitId> = self.below[&unit].iter().map(|it| it.leaf().clone()).collect();
            if !named.is_empty() {
                self.register(&unit, 1, &named);
            }
        }
        let catalogue = Catalogue {
            version: 1,
            schema: Digest::of(b"schema"),
            indicators: vec![self.indicator.clone()],
        };
        let top = self.units[0].clone();
        let at = self.tick();
        let signed = self.registry.signed(&top, Body::Catalogue(catalogue), at.as_millis());
        self.keep(&Signed::decode(&signed).unwrap());
    }

    /// A register of a unit that names these; figures stand on it from now on.
    pub fn register(&mut self, unit: &UnitPath, version: u64, named: &[UnitId]) {
        let previous = self.registers.get(unit).copied();
        let entries = named.iter().cloned().map(RegisterEntry::new).collect();
        let register = Register { version, previous, entries, calendar: None };
        let at = self.tick();
        let signed = self.registry.signed(unit, Body::Register(register), at.as_millis());
        let digest = self.keep(&Signed::decode(&signed).unwrap());
        self.registers.insert(unit.clone(), digest);
    }

    /// A unit signs with something else from now on.
    pub fn take_pen(&mut self, unit: &UnitPath, pen: Pen) {
        self.pens.insert(unit.clone(), pen);
    }

    /// With what a unit signs.
    #[must_use]
    pub fn pen(&self, unit: &UnitPath) -> &Pen {
        &self.pens[unit]
    }

    fn tick(&mut self) -> Timestamp {
        self.clock += TICK;
        Timestamp::from_millis(self.clock)
    }

    fn keep(&mut self, signed: &Signed) -> Digest {
        let digest = signed.digest();
        self.files.insert(place(STATEMENTS, digest), signed.to_bytes());
        digest
    }

    /// Every unit tells its figure of a period, subordinates first; the top's statement.
    pub fn tell_all(&mut self, period: Period) -> Digest {
        let mut last = Digest::ZERO;
        for unit in self.units.clone().into_iter().rev() {
            last = self.tell(&unit, period, |_| {});
        }
        last
    }

    /// A unit tells its figure of a period: a leaf what it counted, a superior the sum of what those
    /// below it told last. `change` has the last word before it is signed.
    pub fn tell(
        &mut self,
        unit: &UnitPath,
        period: Period,
        change: impl FnOnce(&mut Statement),
    ) -> Digest {
        let before = self.told.get(&(unit.clone(), period)).cloned();
        let body = Body::Release(Box::new(self.release(unit, period, before.as_ref())));
        self.say(unit, period, body, change)
    }

    /// A unit declines to tell its figure of a period.
    pub fn decline(&mut self, unit: &UnitPath, period: Period) -> Digest {
        let notice = Notice {
            class: RecipientClass::Superior,
            indicator: self.indicator.id.clone(),
            definition: Some(self.indicator.definition()),
            period: Some(period),
            edition: 1,
            previous: None,
            code: NoticeCode::Declined,
            request: None,
            decision: None,
        };
        self.say(unit, period, Body::Notice(notice), |_| {})
    }

    fn say(
        &mut self,
        unit: &UnitPath,
        period: Period,
        body: Body,
        change: impl FnOnce(&mut Statement),
    ) -> Digest {
        let mut statement = Statement {
            version: VERSION,
            federation: self.registry.roots.federation(),
            issuer: unit.clone(),
            term: 1,
            audience: unit.parent().map_or(Audience::Federation, Audience::Unit),
            onward: Onward::Superiors,
            issued_at: self.tick(),
            valid_until: None,
            witnessed: None,
            body,
        };
        change(&mut statement);
        let Pen { key, chain } = &self.pens[unit];
        let signed = sign(&statement, key, chain).unwrap();
        let digest = self.keep(&signed);
        self.ledgers.entry(unit.clone()).or_default().push(digest);
        let told = self.heard(digest, statement.body);
        self.told.insert((unit.clone(), period), told);
        digest
    }

    /// What a superior takes from it.
    fn heard(&self, digest: Digest, body: Body) -> Told {
        match body {
            Body::Release(release) => {
                let chunk = |digest: &Digest| self.files.get(&place(CHUNKS, digest)).cloned();
                let full = release.counts.is_complete();
                Told {
                    digest,
                    edition: release.edition,
                    state: if full { UnitState::Reported } else { UnitState::Partial },
                    table: Some(release.table.join("table", chunk).unwrap()),
                    exceptions: release.manifest.join("manifest", chunk).unwrap().exceptions,
                    counts: release.counts,
                }
            }
            _ => Told {
                digest,
                edition: 1,
                state: UnitState::Declined,
                counts: Counts::one(UnitState::Declined),
                table: None,
                exceptions: Vec::new(),
            },
        }
    }

    fn release(&mut self, unit: &UnitPath, period: Period, before: Option<&Told>) -> Release {
        let leaf = self.below[unit].is_empty();
        let (table, manifest, counts) = if leaf {
            (self.counted(unit, period), Manifest::default(), Counts::one(UnitState::Reported))
        } else {
            self.added(unit, period)
        };
        let (inputs_root, manifest_root) = manifest_roots(&manifest.direct);
        let (table, of_table) = Part::of(table).unwrap();
        let (manifest, of_manifest) = Part::of(manifest).unwrap();
        self.keep_chunks([of_table, of_manifest].concat());
        Release {
            class: RecipientClass::Superior,
            indicator: self.indicator.id.clone(),
            definition: self.indicator.definition(),
            period,
            edition: before.map_or(1, |before| before.edition + 1),
            previous: before.map(|before| before.digest),
            reason: before.map(|_| RevisionReason::InputsChanged),
            request: None,
            table,
            own: None,
            counts,
            manifest,
            inputs_root,
            manifest_root,
            sources: Sources { reported: u32::from(leaf), expected: u32::from(leaf) },
            data_touched: None,
            decision: Decision {
                policy_set: Digest::of(b"policies"),
                determining: vec!["superior-figures".to_owned()],
                conditions: Conditions { floor: 5, ..Conditions::default() },
                declarations: Vec::new(),
                adoption: None,
                asked: None,
            },
            commitment: None,
            register: self.registers.get(unit).copied(),
            catalogue_version: 1,
        }
    }

    fn keep_chunks(&mut self, chunks: Vec<Vec<u8>>) {
        for chunk in chunks {
            self.files.insert(place(CHUNKS, Digest::of(&chunk)), chunk);
        }
    }

    /// What a leaf counted: numbers that its name and the period stand for.
    fn counted(&self, unit: &UnitPath, period: Period) -> Table {
        let Some(Dimension::Field { values, .. }) = self.indicator.group_by.first() else {
            return Table::default();
        };
        let row = |value: &String| {
            let count = i64::from(seed(&format!("{unit} {period} {value}"))[0] % 40);
            let hidden = Bounds::between(0, FLOOR - 1).unwrap();
            let cell = match count {
                0 => Cell::ZERO,
                few if few < FLOOR => Cell { value: hidden, contributors: hidden },
                many => Cell::exact(many, many),
            };
            (RowKey { area: Area::own(), dims: vec![value.clone()] }, cell)
        };
        Table { rows: values.iter().map(row).collect(), unlisted: BTreeMap::new() }
    }

    /// The sum of what those below told last, who is in it, and how many.
    fn added(&self, unit: &UnitPath, period: Period) -> (Table, Manifest, Counts) {
        let (mut table, mut manifest) = (Table::default(), Manifest::default());
        let mut counts = Counts::default();
        for below in &self.below[unit] {
            let id = below.leaf();
            let told = self.told.get(&(below.clone(), period));
            let entry = ManifestEntry {
                unit: id.clone(),
                state: told.map_or(UnitState::Awaited, |told| told.state),
                statement: told.map(|told| told.digest),
                term: told.map_or(0, |_| 1),
                edition: told.map_or(0, |told| told.edition),
                counts: told
                    .map_or_else(|| Counts::one(UnitState::Awaited), |told| told.counts.clone()),
            };
            counts.merge(&entry.counts);
            if !entry.state.is_included() {
                let exception =
                    Exception { units: vec![id.clone()], state: entry.state, sources: None };
                manifest.exceptions.push(exception);
            }
            for exception in told.iter().flat_map(|told| &told.exceptions) {
                let units = core::iter::once(id).chain(&exception.units).cloned().collect();
                manifest.exceptions.push(Exception { units, ..exception.clone() });
            }
            manifest.direct.push(entry);
            let depth = usize::from(self.indicator.area_depth);
            for (key, cell) in
                told.iter().filter_map(|it| it.table.as_ref()).flat_map(|it| &it.rows)
            {
                let key = RowKey { area: key.area.below(id, depth), dims: key.dims.clone() };
                let sum = table.rows.entry(key).or_insert(Cell::ZERO);
                *sum = sum.checked_add(*cell).unwrap();
            }
        }
        (table, manifest, counts)
    }

    /// The digests of a unit's ledger, for whoever wants to keep another one.
    #[must_use]
    pub fn ledger(&self, unit: &UnitPath) -> &[Digest] {
        self.ledgers.get(unit).map_or(&[], Vec::as_slice)
    }

    /// That an entry is in a ledger of these entries, as the unit's node signs it.
    #[must_use]
    pub fn proof(&self, unit: &UnitPath, entries: &[Digest], index: u64) -> LedgerProof {
        let mut proofs = self.proofs(unit, entries);
        proofs.swap_remove(usize::try_from(index).unwrap())
    }

    /// A note as the unit above cosigns it now; as it is, if there is none.
    fn cosigned(&self, unit: &UnitPath, note: String) -> String {
        let Some(Pen { key, chain }) = unit.parent().map(|above| &self.pens[&above]) else {
            return note;
        };
        let name = WitnessName::of(chain.leaf().dns_name()).unwrap();
        let line = cosign(&note, &name, key, Timestamp::from_millis(self.clock)).unwrap();
        note + &line
    }

    /// The unit above cosigns a unit's ledger as it is now, which goes into the bundle beside the proofs.
    pub fn witness(&mut self, unit: &UnitPath) {
        let entries = self.ledger(unit).to_vec();
        self.tick();
        let last = self.proofs(unit, &entries).pop().expect("a ledger with an entry");
        let name = Digest::of(last.checkpoint.as_bytes());
        self.files.insert(place(CHECKPOINTS, name), last.checkpoint.into_bytes());
    }

    /// The same as a COSE receipt.
    #[must_use]
    pub fn receipt(&self, unit: &UnitPath, proof: &LedgerProof) -> Receipt {
        let Checkpoint { origin, size, root } =
            Checkpoint::parse_unverified(&proof.checkpoint).unwrap();
        let root = SignedRoot::sign(&origin, size, &root, &self.pens[unit].key);
        root.receipt(proof.index, proof.path.clone())
    }

    fn proofs(&self, unit: &UnitPath, entries: &[Digest]) -> Vec<LedgerProof> {
        let (mut tree, mut nodes) = (Frontier::new(), BTreeMap::<NodeAddress, Digest>::new());
        for entry in entries {
            nodes.extend(tree.append(leaf_hash(entry.as_bytes())).unwrap());
        }
        let name = dns_name(unit, self.registry.roots.domain()).unwrap();
        let origin = Origin::of(&name, 1).unwrap();
        let head = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let checkpoint = self.cosigned(unit, head.sign(&self.pens[unit].key));
        let proof = |index| LedgerProof {
            index,
            path: inclusion_proof(&nodes, index, tree.size()).unwrap(),
            checkpoint: checkpoint.clone(),
        };
        (0..tree.size()).map(proof).collect()
    }

    /// The bundle about these statements: everything that was said, with its proofs.
    #[must_use]
    pub fn bundle(&self, about: &[Digest]) -> Files {
        let mut files = self.files.clone();
        let about: String = about.iter().map(|digest| format!("{digest}\n")).collect();
        files.insert(FIGURE.to_owned(), about.into_bytes());
        files.insert(ROOTS.to_owned(), self.registry.roots.encode());
        files.insert("roots.pem".to_owned(), self.registry.roots.to_pem().into_bytes());
        for (number, list) in self.registry.empty_lists().into_iter().enumerate() {
            files.insert(place(LISTS, number), list.into_bytes());
        }
        for (unit, entries) in &self.ledgers {
            if let Some(Pen { chain, .. }) = unit.parent().map(|above| &self.pens[&above]) {
                let chain_of_witness = place(WITNESSES, chain.leaf_digest());
                files.insert(chain_of_witness, chain.to_pem().into_bytes());
            }
            for (digest, proof) in entries.iter().zip(self.proofs(unit, entries)) {
                let receipt = self.receipt(unit, &proof).encode();
                files.insert(place(PROOFS, digest), proof.to_string().into_bytes());
                files.insert(place(RECEIPTS, digest), receipt);
            }
        }
        files
    }
}

/// Cases per day, by one field.
fn indicator(values: &[String]) -> Indicator {
    let field = |name: &str| FieldId::new(name).unwrap();
    Indicator {
        id: IndicatorId::new("confirmed_by_day").unwrap(),
        title: Titles(vec![("en".to_owned(), "Confirmed cases by report date".to_owned())]),
        kind: KindId::new("case").unwrap(),
        personal: true,
        filter: Filter::everything(),
        step: Step::Day,
        period_field: Some(field("reported_on")),
        group_by: vec![Dimension::Field { field: field("sex"), values: values.to_vec() }],
        measure: Measure::Count,
        scale: 0,
        area_depth: 1,
        residual: None,
        basis: Basis::Residence,
        floors: Floors { superior: 5, neighbour: 5, public: 11 },
        legal_basis: Some("Infectious Disease Act, s. 7".to_owned()),
        presence_told: false,
        expected_within_hours: None,
        record_range: Some((1, 1)),
        contributors: Contributors::Records,
        cut_off: None,
        due_days: None,
    }
}
