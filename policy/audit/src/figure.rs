//! One figure, and the statements that it names: everything that its issuer did with them, done again.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use reeve_statement::completeness::{Counts, ManifestEntry, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::limits::PATH_UNITS;
use reeve_statement::register::Register;
use reeve_statement::release::Release;
use reeve_statement::statement::{Audience, Body, Statement};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::bundle::{proof_of, receipt_of};
use crate::check::{Check, about};
use crate::finding::{About, Code};
use crate::statements::{Known, Way};
use crate::sum::{Adding, holds, roots, sum};

/// What one entry of a manifest brings.
struct Part<'a> {
    unit: &'a UnitId,
    /// Its figure, if it is in the sum and at hand.
    added: Option<Arc<Known>>,
    /// Units below it that it excepts, in their states.
    exceptions: Vec<(Vec<UnitId>, UnitState)>,
    counts: Counts,
    /// Whether everything about it is at hand.
    known: bool,
}

type Faults = Vec<(Code, About, String)>;

/// Checks a figure against its inputs, its register, its edition before and its ledger.
pub(crate) fn check_figure(check: &mut Check<'_>, known: &Known) {
    let mut faults = Faults::new();
    let statement = known.verified.statement();
    let about = about(statement, known.verified.digest());
    let mut look = Look { check, known, statement, about, faults: &mut faults };
    look.edition();
    if let Body::Release(release) = &statement.body {
        look.release(release);
    }
    look.prove();
    for (code, about, text) in faults {
        check.find(code, about, text);
    }
}

/// Checks that a statement is in its issuer's ledger, and nothing else.
pub(crate) fn check_place(check: &mut Check<'_>, known: &Known) {
    let mut faults = Faults::new();
    let statement = known.verified.statement();
    let about = about(statement, known.verified.digest());
    Look { check, known, statement, about, faults: &mut faults }.prove();
    for (code, about, text) in faults {
        check.find(code, about, text);
    }
}

/// One figure under the lens.
struct Look<'c, 'b, 'k> {
    check: &'c mut Check<'b>,
    known: &'k Known,
    statement: &'k Statement,
    about: About,
    faults: &'c mut Faults,
}

impl<'k> Look<'_, '_, 'k> {
    fn find(&mut self, code: Code, text: String) {
        self.faults.push((code, self.about.clone(), text));
    }

    fn prove(&mut self) {
        let bundle = self.check.bundle;
        let Some(proofs) = bundle.proofs.get(&self.known.verified.digest()) else {
            let text =
                "no proof that it is in its issuer's ledger is in the bundle: ask the issuer";
            return self.find(Code::NoLedgerProof, text.to_owned());
        };
        for source in proofs {
            match proof_of(source) {
                Ok(proof) => {
                    let proven = self.check.ledgers.prove(&self.known.verified, &proof);
                    if let Err((code, reason)) = proven {
                        self.find(code, reason);
                    }
                }
                Err(reason) => self.check.unreadable(source, &reason),
            }
        }
        let receipts = bundle.receipts.get(&self.known.verified.digest());
        for source in receipts.into_iter().flatten() {
            let held = receipt_of(source)
                .and_then(|receipt| self.check.ledgers.hold(&self.known.verified, &receipt));
            if let Err(reason) = held {
                self.find(Code::BadReceipt, reason);
            }
        }
    }

    /// The edition follows the one that it names, if that is at hand.
    fn edition(&mut self) {
        let Some((figure, edition)) = self.statement.figure() else { return };
        let previous = match &self.statement.body {
            Body::Release(release) => release.previous,
            Body::Notice(notice) => notice.previous,
            _ => None,
        };
        if previous.is_some() != (edition > 1) {
            let text = format!(
                "edition {edition} {} an edition before it",
                match previous {
                    Some(_) => "names",
                    None => "does not name",
                }
            );
            self.find(Code::EditionGap, text);
        }
        let Some(before) = previous.and_then(|digest| self.check.known.get(&digest)) else {
            return;
        };
        let issuer = before.remembered.signer().unit();
        let (of, number) = before.figure.as_ref().map_or((None, 0), |(of, at)| (Some(of), *at));
        if of != Some(&figure)
            || *issuer != self.statement.issuer
            || number.checked_add(1) != Some(edition)
            || before.term > self.statement.term
        {
            let text = format!(
                "expected the edition before {edition} of the same figure, found edition {number} of \
                 {issuer}"
            );
            self.find(Code::EditionGap, text);
        }
    }

    fn release(&mut self, release: &Release) {
        let manifest = self.known.manifest();
        let way = self.way_of(release);
        let parts: Vec<Part<'k>> =
            manifest.direct.iter().map(|entry| self.part(release, entry)).collect();
        self.roots(release);
        self.register(release);
        self.completeness(release, &parts);
        if !manifest.direct.is_empty() {
            self.sum(release, way, &parts);
        }
    }

    /// How the indicator's parts are added: by its definition, from a catalogue that somebody above, or the
    /// unit itself, signed.
    fn way_of(&mut self, release: &Release) -> Option<Way> {
        let issuer = &self.statement.issuer;
        let defined = self.check.definitions.get(&release.definition).into_iter().flatten();
        let mut fitting =
            defined.filter(|it| it.indicator == release.indicator && issuer.is_within(&it.by));
        let found = fitting.next().map(|definition| definition.way);
        if found.is_none() {
            let text = format!(
                "the definition of {} is not in the bundle's catalogues",
                release.indicator
            );
            let about = About { indicator: self.about.indicator.clone(), ..About::default() };
            self.faults.push((Code::NoCatalogue, about, text));
        }
        found
    }

    fn roots(&mut self, release: &Release) {
        let due = roots(&self.known.manifest().direct);
        if (release.inputs_root, release.manifest_root) != due {
            let text = "the roots over its inputs and its manifest are not those of what it names";
            self.find(Code::WrongRoots, text.to_owned());
        }
    }

    /// Who was expected, by the register that the release names.
    fn register(&mut self, release: &Release) {
        let named: BTreeSet<&UnitId> =
            self.known.manifest().direct.iter().map(|entry| &entry.unit).collect();
        let Some(digest) = release.register else {
            if !named.is_empty() {
                let text = "it adds subordinates and names no register of them".to_owned();
                self.find(Code::NoRegister, text);
            }
            return;
        };
        let Some(known) = self.register_of(&digest) else {
            let text =
                format!("the register {digest}, which says who was expected, is not in the bundle");
            return self.find(Code::NoRegister, text);
        };
        let Body::Register(register) = &known.verified.statement().body else { return };
        let today = utc_day(self.statement.issued_at);
        let expected: BTreeSet<&UnitId> = register
            .entries
            .iter()
            .filter(|entry| entry.is_expected(release.period, today))
            .map(|entry| &entry.unit)
            .collect();
        for unit in expected.difference(&named) {
            let text =
                format!("{unit} is expected by the register and not in the figure's manifest");
            self.find(Code::MissingUnit, text);
        }
        for unit in named.difference(&expected) {
            let text =
                format!("{unit} is in the figure's manifest and not expected by the register");
            self.find(Code::UnknownUnit, text);
        }
        self.shrinking(known.verified.statement().issued_at, register);
    }

    /// Who left the register before the period: as the register says, else as the figure does.
    fn left(&mut self, release: &Release) -> BTreeSet<UnitId> {
        let register = release.register.and_then(|digest| self.register_of(&digest));
        if let Some(known) = register
            && let Body::Register(register) = &known.verified.statement().body
        {
            let left = register.left(release.period, utc_day(self.statement.issued_at));
            return left.into_iter().map(|entry| entry.unit.clone()).collect();
        }
        let named = self.known.manifest().exceptions.iter();
        let direct = named.filter_map(|it| match it.units.as_slice() {
            [unit] if it.state == UnitState::Left => Some(unit.clone()),
            _ => None,
        });
        direct.collect()
    }

    /// A register of the figure's own issuer.
    fn register_of(&mut self, digest: &Digest) -> Option<Arc<Known>> {
        let ours = self.check.registers.get(&self.statement.issuer)?;
        ours.contains(digest).then(|| self.check.load(digest))?
    }

    /// A unit that an earlier register of the bundle names is still named: units end on a day, and are
    /// not left out.
    fn shrinking(&mut self, at: Timestamp, register: &Register) {
        let now: BTreeSet<&UnitId> = register.entries.iter().map(|entry| &entry.unit).collect();
        let ours = self.check.registers.get(&self.statement.issuer).into_iter().flatten();
        let is_earlier =
            |it: &&Digest| self.check.known.get(it).is_some_and(|fact| fact.issued_at < at);
        let earlier: Vec<Digest> = ours.filter(is_earlier).copied().collect();
        let mut gone: BTreeSet<UnitId> = BTreeSet::new();
        for known in earlier.iter().filter_map(|digest| self.check.load(digest)) {
            let Body::Register(before) = &known.verified.statement().body else { continue };
            let named = before.entries.iter().map(|entry| &entry.unit);
            gone.extend(named.filter(|unit| !now.contains(unit)).cloned());
        }
        for unit in gone {
            let text = format!(
                "an earlier register names {unit}, this one does not, and says not when it ended"
            );
            self.find(Code::RegisterShrank, text);
        }
    }

    fn part(&mut self, release: &Release, entry: &'k ManifestEntry) -> Part<'k> {
        let alone = |known| Part {
            unit: &entry.unit,
            added: None,
            exceptions: vec![(vec![entry.unit.clone()], entry.state)],
            counts: entry.counts.clone(),
            known,
        };
        let only =
            |state| entry.counts.iter().all(|(of, _)| of == state) && entry.counts.total() > 0;
        let Some(digest) = entry.statement else {
            if entry.state.is_included() || !only(entry.state) {
                let text = format!("{} is {} without a statement", entry.unit, entry.state);
                self.find(Code::WrongCompleteness, text);
            }
            return alone(true);
        };
        let Some(input) = self.check.load(&digest) else {
            if !self.check.present.has(&digest) {
                let text = format!("the statement {digest} of {} is not in the bundle", entry.unit);
                self.find(Code::NoInput, text);
            }
            return alone(false);
        };
        self.is_named_rightly(release, entry, &input);
        let said = input.verified.statement();
        match &said.body {
            Body::Release(figure) if entry.state.is_included() => {
                self.included(release, entry, figure);
                Part {
                    unit: &entry.unit,
                    exceptions: below(entry, &input),
                    counts: figure.counts.clone(),
                    known: true,
                    added: Some(Arc::clone(&input)),
                }
            }
            Body::Release(_) => {
                let code = match entry.state {
                    UnitState::Implausible | UnitState::OtherDefinition => Code::SetAside,
                    _ => Code::WrongCompleteness,
                };
                let text = format!("the figure of {} is not added: {}", entry.unit, entry.state);
                self.find(code, text);
                alone(true)
            }
            Body::Notice(notice) => {
                if notice.code.state().is_some_and(|state| state != entry.state) {
                    let text = format!(
                        "{} said {}, the figure counts it as {}",
                        entry.unit,
                        notice.code.code(),
                        entry.state
                    );
                    self.find(Code::WrongCompleteness, text);
                }
                alone(true)
            }
            _ => alone(true),
        }
    }

    /// The statement is the subordinate's, for this recipient, of this figure, in this term and edition.
    fn is_named_rightly(&mut self, release: &Release, entry: &ManifestEntry, input: &Known) {
        let said = input.verified.statement();
        let figure = said.figure();
        let right = figure.as_ref().is_some_and(|(id, edition)| {
            id.indicator == release.indicator
                && id.period.is_none_or(|period| period == release.period)
                && *edition == entry.edition
        });
        let from =
            said.issuer.is_child_of(&self.statement.issuer) && *said.issuer.leaf() == entry.unit;
        if !right || !from || said.term != entry.term {
            let what = figure.map_or_else(
                || "no figure".to_owned(),
                |(id, edition)| format!("{id}, edition {edition}"),
            );
            let text = format!(
                "named as {}, term {}, edition {}; it is {what}, of {}, term {}",
                entry.unit, entry.term, entry.edition, said.issuer, said.term
            );
            self.find(Code::OtherInput, text);
        }
        let for_us = |unit: &UnitPath| *unit == self.statement.issuer;
        if matches!(&said.audience, Audience::Unit(unit) if !for_us(unit)) {
            let text = format!("the statement of {} was made for another recipient", entry.unit);
            self.find(Code::WrongAudience, text);
        }
    }

    fn included(&mut self, release: &Release, entry: &ManifestEntry, figure: &Release) {
        if figure.definition != release.definition {
            let text = format!("the figure of {} is added under another definition", entry.unit);
            self.find(Code::OtherInput, text);
        }
        let full = figure.counts.is_complete();
        let state = if full { UnitState::Reported } else { UnitState::Partial };
        if entry.state != state || entry.counts != figure.counts {
            let text = format!(
                "{} said {} ({state}), the figure counts {} ({})",
                entry.unit, figure.counts, entry.counts, entry.state
            );
            self.find(Code::WrongCompleteness, text);
        }
    }

    /// Whether it is of a superior without records of its own that all its subordinates have left: its
    /// register says that it had some, and it tells nothing.
    fn only_adds(&mut self, release: &Release) -> bool {
        let table = self.known.table();
        let empty = table.rows.is_empty() && table.unlisted.is_empty();
        let tells = release.sources.expected > 0 || !empty;
        let named = release.register.filter(|_| !tells);
        let Some(known) = named.and_then(|digest| self.register_of(&digest)) else { return false };
        let today = utc_day(self.statement.issued_at);
        match &known.verified.statement().body {
            Body::Register(register) => register.has_begun(release.period, today),
            _ => false,
        }
    }

    fn completeness(&mut self, release: &Release, parts: &[Part<'_>]) {
        let mut counts = Counts::default();
        let mut exceptions: BTreeSet<(Vec<UnitId>, UnitState)> = BTreeSet::new();
        if self.known.own().is_some() || (parts.is_empty() && !self.only_adds(release)) {
            let closed = release.sources.reported >= release.sources.expected.max(1);
            let own = if closed { UnitState::Reported } else { UnitState::Partial };
            counts.add(own, 1);
            if !closed {
                exceptions.insert((Vec::new(), own));
            }
        }
        for part in parts {
            counts.merge(&part.counts);
            exceptions.extend(part.exceptions.iter().cloned());
        }
        for unit in self.left(release) {
            counts.add(UnitState::Left, 1);
            exceptions.insert((vec![unit], UnitState::Left));
        }
        if counts != release.counts {
            let text = format!("it counts {}, its parts come to {counts}", release.counts);
            self.find(Code::WrongCompleteness, text);
        }
        let manifest = self.known.manifest();
        let told: BTreeSet<_> =
            manifest.exceptions.iter().map(|it| (it.units.clone(), it.state)).collect();
        let all_known = parts.iter().all(|part| part.known) && manifest.unnamed == 0;
        if all_known && told != exceptions {
            let (told, due) = (told.len(), exceptions.len());
            let text =
                format!("it names {told} units that did not report in full, its parts {due}");
            self.find(Code::WrongCompleteness, text);
        }
    }

    fn sum(&mut self, release: &Release, way: Option<Way>, parts: &[Part<'_>]) {
        let missing = self
            .known
            .manifest()
            .direct
            .iter()
            .zip(parts)
            .any(|(entry, part)| entry.state.is_included() && part.added.is_none());
        if missing {
            // Said already: an input is not at hand, or is refused.
            return;
        }
        let own = self.known.own().map(|own| (None, own)).into_iter();
        let below =
            parts.iter().filter_map(|part| Some((Some(part.unit), part.added.as_ref()?.table())));
        let tables: Vec<_> = own.chain(below).collect();
        let conditions = &release.decision.conditions;
        let wider = conditions.rounding > 1 || conditions.min_step > 1;
        let fits = |depth: usize, adding: Adding| {
            sum(&tables, depth, adding).is_some_and(|sum| holds(self.known.table(), &sum, wider))
        };
        let right = match way {
            Some(Way { depth, adding }) => fits(depth, adding),
            // Without the definition: no way of adding that there is leads to it.
            None => (0..=PATH_UNITS).any(|depth| {
                [Adding::Sum, Adding::Least, Adding::Greatest]
                    .into_iter()
                    .any(|way| fits(depth, way))
            }),
        };
        if !right {
            let depth = way.map_or(PATH_UNITS, |way| way.depth);
            let text = difference(self.known.table(), sum(&tables, depth, Adding::Sum).as_ref());
            self.find(Code::WrongSum, text);
        }
    }
}

/// The day of a moment in UTC: it decides only about figures of "now".
fn utc_day(at: Timestamp) -> Date {
    at.to_jiff().map_or(Date::ZERO, |at| at.to_zoned(TimeZone::UTC).date())
}

/// Units below an included subordinate that did not report in full, as its superior names them.
fn below(entry: &ManifestEntry, input: &Known) -> Vec<(Vec<UnitId>, UnitState)> {
    let name = |below: &reeve_statement::completeness::Exception| {
        let units = core::iter::once(&entry.unit).chain(&below.units);
        (units.cloned().collect(), below.state)
    };
    input.manifest().exceptions.iter().map(name).collect()
}

/// The first difference of two tables, and their totals, in words.
fn difference(told: &Table, sum: Option<&Table>) -> String {
    let Some(sum) = sum else { return "its inputs add up to more than 64 bits hold".to_owned() };
    let keys: BTreeSet<_> = told.rows.keys().chain(sum.rows.keys()).collect();
    let differs = keys.into_iter().find(|key| told.rows.get(key) != sum.rows.get(key));
    let row = differs.map_or_else(
        || "rows that are not listed differ".to_owned(),
        |key| {
            let cell = |table: &Table| {
                table
                    .rows
                    .get(key)
                    .map_or_else(|| "nothing".to_owned(), |cell| cell.value.to_string())
            };
            format!(
                "row {} {:?}: told {}, its inputs {}",
                key.area,
                key.dims,
                cell(told),
                cell(sum)
            )
        },
    );
    let total = |table: &Table| {
        table.total().map_or_else(|_| "more than 64 bits".to_owned(), |it| it.value.to_string())
    };
    format!("{row}; in all told {}, its inputs {}", total(told), total(sum))
}
