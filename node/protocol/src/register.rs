//! The register of subordinates: who is expected to report, since when and until when.
//!
//! Every change is the register's next version, signed and in the ledger before it counts. An entry is
//! ended and followed by another one, never taken out. Administration changes by acts of people: units
//! are merged, split, renamed, moved to another superior, ended. A unit that moves is let go by one
//! superior and taken by the other on the word of the first, so that on each day one of them expects it.

use jiff::civil::Date;
use reeve_statement::calendar::Calendar;
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cose::Verified;
use reeve_statement::digest::Digest;
use reeve_statement::limits::SUBORDINATES;
use reeve_statement::period::Period;
use reeve_statement::register::{Day, Register, RegisterEntry};
use reeve_statement::request::Request;
use reeve_statement::statement::{Audience, Body, Onward};
use reeve_statement::unit::{UnitId, UnitPath};

use crate::bugs::Bug;
use crate::effect::AskId;
use crate::local::{Answer, EntryChange, Failure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::{Newcomer, VerifiedFor};
use crate::rows;

/// Most predecessors of a unit, as in the statement.
const PREDECESSORS: usize = 64;

/// What people do to the register. `from` is the first day of what is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterAct {
    /// Units become one: a new unit, or one that is there.
    Merge {
        /// The units.
        units: Vec<UnitId>,
        /// What they become.
        into: UnitId,
        /// Its names, where it is new or they change.
        names: Titles,
        /// From when on.
        from: Date,
    },
    /// A unit becomes several new ones.
    Split {
        /// The unit.
        unit: UnitId,
        /// What it becomes.
        into: Vec<(UnitId, Titles)>,
        /// Whether it goes on beside them.
        stays: bool,
        /// From when on.
        from: Date,
    },
    /// A unit has other names.
    Rename {
        /// The unit.
        unit: UnitId,
        /// The names; other languages keep theirs, an empty one is taken out.
        names: Vec<(String, String)>,
        /// From when on; none: it always had them.
        from: Option<Date>,
    },
    /// A unit goes to another superior.
    Move {
        /// The unit.
        unit: UnitId,
        /// The superior.
        to: UnitPath,
        /// From when on.
        from: Date,
    },
    /// A unit ends, and nobody continues it.
    End {
        /// The unit.
        unit: UnitId,
        /// The first day without it.
        from: Date,
    },
    /// The end of a unit is taken back: it was a mistake.
    Reopen {
        /// The unit.
        unit: UnitId,
    },
}

/// Why the register is not changed. Whoever asks is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterFault {
    /// The unit has ended here.
    #[error("{unit} is not in this register from {until} on; see `reeve register show`")]
    Ended {
        /// The unit.
        unit: UnitId,
        /// The first day without it.
        until: Date,
    },
    /// The unit is there already.
    #[error(
        "{0} is or was in this register: a unit id is never given to another unit; choose a new one"
    )]
    Taken(UnitId),
    /// It would end before it began.
    #[error("{unit} is in this register from {since} on; expected a later day, found {found}")]
    TooEarly {
        /// The unit.
        unit: UnitId,
        /// Its first day.
        since: Date,
        /// What was asked for.
        found: Date,
    },
    /// Nothing to do it with.
    #[error("{0}")]
    Few(&'static str),
    /// It would move to where it is, or to nowhere.
    #[error("{unit} cannot move to {to}: expected the path of another superior, such as it/05")]
    Nowhere {
        /// The unit.
        unit: UnitId,
        /// Where to.
        to: UnitPath,
    },
    /// It went to another superior.
    #[error(
        "{unit} went to {to}: let that one move it back, and take it with `reeve register receive`"
    )]
    Gone {
        /// The unit.
        unit: UnitId,
        /// Where it went.
        to: UnitPath,
    },
    /// It has not ended.
    #[error("{0} has not ended")]
    Open(UnitId),
    /// It stands below another superior, and was not taken from there.
    #[error(
        "{unit} stands below {above}, and both would expect it: have it let go there with `reeve register \
         move`, and take it here with `reeve register receive`"
    )]
    NotReceived {
        /// The unit.
        unit: UnitId,
        /// Where it stands.
        above: UnitPath,
    },
    /// The statement says nothing of the kind.
    #[error(
        "expected a register in which {unit} goes to {here}, as `reeve register move` saves it; found one of \
         {found} that does not say so"
    )]
    NotMoved {
        /// The unit.
        unit: UnitId,
        /// This unit.
        here: UnitPath,
        /// Whose register it is.
        found: UnitPath,
    },
    /// There is no room for more.
    #[error("a register has room for {SUBORDINATES} entries; put a level between")]
    Full,
    /// There is no such day.
    #[error("expected a day of the calendar with a day before it, found {0}")]
    NoDay(Date),
}

/// A register that is being changed.
struct Draft<'a> {
    register: Register,
    own: &'a UnitPath,
}

impl Draft<'_> {
    fn carry_out(&mut self, act: RegisterAct) -> Result<(), Failure> {
        match act {
            RegisterAct::Merge { units, into, names, from } => {
                self.merge(&units, &into, names, from)
            }
            RegisterAct::Split { unit, into, stays, from } => self.split(&unit, into, stays, from),
            RegisterAct::Rename { unit, names, from } => self.rename(&unit, names, from),
            RegisterAct::Move { unit, to, from } => {
                if to == *self.own || to.units().contains(&unit) {
                    return Err(RegisterFault::Nowhere { unit, to }.into());
                }
                if self.is_let_go(&unit, &to, from) {
                    return Ok(());
                }
                self.end(&unit, from)?.went_to = Some(to);
                Ok(())
            }
            RegisterAct::End { unit, from } => self.end(&unit, from).map(drop),
            RegisterAct::Reopen { unit } => self.reopen(&unit),
        }
    }

    /// Whether a unit was let go so before: whoever lost the paper asks again.
    fn is_let_go(&self, unit: &UnitId, to: &UnitPath, from: Date) -> bool {
        let last = from.yesterday().ok().map(Day);
        let entry = self.register.last_of(unit);
        entry.is_some_and(|it| it.went_to.as_ref() == Some(to) && it.valid_to == last)
    }

    /// The last entry of a unit.
    fn last(&mut self, unit: &UnitId) -> Result<&mut RegisterEntry, Failure> {
        let found = self.register.entries.iter_mut().rfind(|entry| entry.unit == *unit);
        found.ok_or_else(|| Failure::UnknownUnit(unit.clone()))
    }

    /// The last entry of a unit, which holds on the day before `from` and on `from`.
    fn open(&mut self, unit: &UnitId, from: Date) -> Result<&mut RegisterEntry, Failure> {
        let entry = self.last(unit)?;
        if let Some(Day(to)) = entry.valid_to {
            let (unit, until) = (unit.clone(), to.tomorrow().unwrap_or(to));
            return Err(RegisterFault::Ended { unit, until }.into());
        }
        if let Some(Day(since)) = entry.valid_from.filter(|since| since.0 >= from) {
            return Err(RegisterFault::TooEarly { unit: unit.clone(), since, found: from }.into());
        }
        Ok(entry)
    }

    fn end(&mut self, unit: &UnitId, from: Date) -> Result<&mut RegisterEntry, Failure> {
        let last = from.yesterday().map_err(|_| RegisterFault::NoDay(from))?;
        let entry = self.open(unit, from)?;
        entry.valid_to = Some(Day(last));
        Ok(entry)
    }

    /// Ends a unit's entry and begins another one for it, which says the same so far.
    fn begin_again(&mut self, unit: &UnitId, from: Date) -> Result<&mut RegisterEntry, Failure> {
        let next = RegisterEntry {
            valid_from: Some(Day(from)),
            valid_to: None,
            predecessors: Vec::new(),
            came_from: None,
            went_to: None,
            ..self.end(unit, from)?.clone()
        };
        self.add(next)?;
        self.last(unit)
    }

    fn add(&mut self, entry: RegisterEntry) -> Result<(), Failure> {
        if self.register.entries.len() >= SUBORDINATES {
            return Err(RegisterFault::Full.into());
        }
        self.register.entries.push(entry);
        self.register.entries.sort_by(|a, b| (&a.unit, a.valid_from).cmp(&(&b.unit, b.valid_from)));
        Ok(())
    }

    /// A unit that was never here.
    fn new_unit(
        &mut self,
        unit: &UnitId,
        names: Titles,
        predecessors: Vec<UnitId>,
        time_zone: Option<String>,
        from: Date,
    ) -> Result<(), Failure> {
        if self.register.last_of(unit).is_some() || self.own.units().contains(unit) {
            return Err(RegisterFault::Taken(unit.clone()).into());
        }
        self.add(RegisterEntry {
            names,
            valid_from: Some(Day(from)),
            predecessors,
            time_zone,
            ..RegisterEntry::new(unit.clone())
        })
    }

    fn merge(
        &mut self,
        units: &[UnitId],
        into: &UnitId,
        names: Titles,
        from: Date,
    ) -> Result<(), Failure> {
        let mut ending: Vec<UnitId> = units.iter().filter(|unit| *unit != into).cloned().collect();
        ending.sort();
        ending.dedup();
        if ending.is_empty() || ending.len() > PREDECESSORS {
            let few = "expected 1 to 64 units that end in another one";
            return Err(RegisterFault::Few(few).into());
        }
        let mut time_zone = None;
        for unit in &ending {
            time_zone = self.end(unit, from)?.time_zone.clone().or(time_zone);
        }
        if self.register.last_of(into).is_none() {
            return self.new_unit(into, names, ending, time_zone, from);
        }
        let entry = self.begin_again(into, from)?;
        entry.predecessors = ending;
        // Nobody has counted yet how many people that makes.
        entry.population = None;
        name(entry, names.0);
        Ok(())
    }

    fn split(
        &mut self,
        unit: &UnitId,
        into: Vec<(UnitId, Titles)>,
        stays: bool,
        from: Date,
    ) -> Result<(), Failure> {
        if into.is_empty() || (into.len() < 2 && !stays) {
            return Err(RegisterFault::Few("expected at least two units afterwards").into());
        }
        let entry = if stays { self.begin_again(unit, from)? } else { self.end(unit, from)? };
        let time_zone = entry.time_zone.clone();
        if stays {
            entry.population = None;
        }
        for (new, names) in into {
            self.new_unit(&new, names, vec![unit.clone()], time_zone.clone(), from)?;
        }
        Ok(())
    }

    fn rename(
        &mut self,
        unit: &UnitId,
        names: Vec<(String, String)>,
        from: Option<Date>,
    ) -> Result<(), Failure> {
        let entry = match from {
            Some(from) => self.begin_again(unit, from)?,
            None => self.last(unit)?,
        };
        name(entry, names);
        Ok(())
    }

    fn reopen(&mut self, unit: &UnitId) -> Result<(), Failure> {
        let entry = self.last(unit)?;
        if let Some(to) = entry.went_to.clone() {
            return Err(RegisterFault::Gone { unit: unit.clone(), to }.into());
        }
        if entry.valid_to.take().is_none() {
            return Err(RegisterFault::Open(unit.clone()).into());
        }
        Ok(())
    }

    /// Takes a unit on the word of the superior that let it go.
    fn receive(&mut self, unit: &UnitId, theirs: &Register, of: &UnitPath) -> Result<(), Failure> {
        let gone = theirs.last_of(unit).filter(|entry| entry.went_to.as_ref() == Some(self.own));
        let from = gone.and_then(|entry| Some((entry, entry.valid_to?.0.tomorrow().ok()?)));
        let (Some((gone, from)), false) = (from, of == self.own) else {
            let (unit, here, found) = (unit.clone(), self.own.clone(), of.clone());
            return Err(RegisterFault::NotMoved { unit, here, found }.into());
        };
        let entry = RegisterEntry {
            valid_from: Some(Day(from)),
            valid_to: None,
            predecessors: Vec::new(),
            came_from: Some(of.clone()),
            went_to: None,
            ..gone.clone()
        };
        if let Some(held) = self.register.last_of(unit) {
            if held.valid_from == entry.valid_from && held.came_from == entry.came_from {
                // It was taken before.
                return Ok(());
            }
            if held.valid_to.is_none() {
                return Err(RegisterFault::Taken(unit.clone()).into());
            }
        }
        self.add(entry)
    }
}

/// Gives an entry names; an empty one is taken out.
fn name(entry: &mut RegisterEntry, names: Vec<(String, String)>) {
    for (language, name) in names {
        entry.names.0.retain(|(tag, _)| *tag != language);
        if !name.is_empty() {
            entry.names.0.push((language, name));
        }
    }
    entry.names.0.sort();
}

/// What whoever changed the register is answered.
pub(crate) fn registered(changed: Result<Digest, Failure>) -> Answer {
    match changed {
        Ok(statement) => Answer::Registered(statement),
        Err(failure) => Answer::Failed(failure),
    }
}

impl From<RegisterFault> for Failure {
    fn from(fault: RegisterFault) -> Self {
        Self::Register(fault)
    }
}

impl Node {
    /// Does what people order, and signs it; the statement.
    pub(crate) fn change_register(&mut self, act: RegisterAct) -> Result<Digest, Failure> {
        self.redraft(|draft| draft.carry_out(act))
    }

    /// Takes a unit that another superior let go, once its signature was verified.
    pub(crate) fn take_transfer(&mut self, ask: AskId, unit: UnitId, statement: Vec<u8>) {
        if let Err(refusal) = self.verify(VerifiedFor::Transfer { ask, unit }, statement) {
            self.reply_taken(ask, Err(refusal));
        }
    }

    /// Takes a unit that another superior let go, by that one's verified register.
    pub(crate) fn receive_unit(
        &mut self,
        unit: &UnitId,
        verified: &Verified,
    ) -> Result<Digest, Failure> {
        let statement = verified.statement();
        let Body::Register(theirs) = &statement.body else {
            return Err(Failure::Refused(Refusal::OutOfPlace));
        };
        if theirs.check().is_err() {
            return Err(Failure::Refused(Refusal::Malformed));
        }
        self.redraft(|draft| draft.receive(unit, theirs, &statement.issuer))
    }

    /// Changes what the register says of a subordinate now.
    pub(crate) fn change_entry(&mut self, change: EntryChange) -> Result<(), Failure> {
        let EntryChange { unit, names, population, time_zone } = change;
        let changed = self.redraft(|draft| {
            let entry = draft.last(&unit)?;
            name(entry, names);
            if let Some(population) = population {
                entry.population = population;
            }
            if let Some(time_zone) = time_zone {
                entry.time_zone = Some(time_zone);
            }
            Ok(())
        });
        changed.map(drop)
    }

    /// Says when a subordinate, or all of them, work.
    pub(crate) fn set_calendar(
        &mut self,
        unit: Option<UnitId>,
        calendar: Option<Calendar>,
    ) -> Result<(), Failure> {
        let changed = self.redraft(|draft| {
            match unit {
                None => draft.register.calendar = calendar,
                Some(unit) => draft.last(&unit)?.calendar = calendar,
            }
            Ok(())
        });
        changed.map(drop)
    }

    /// The register, with the calendar that holds for each subordinate.
    pub(crate) fn view_register(&self) -> Vec<RegisterEntry> {
        let Some((_, register)) = &self.reports.register else { return Vec::new() };
        let joined = |entry: &RegisterEntry| RegisterEntry {
            calendar: register.calendar_of(&entry.unit),
            ..entry.clone()
        };
        register.entries.iter().map(joined).collect()
    }

    fn redraft(
        &mut self,
        change: impl FnOnce(&mut Draft<'_>) -> Result<(), Failure>,
    ) -> Result<Digest, Failure> {
        if self.settings.term.is_none() {
            return Err(Failure::NotReporting);
        }
        let (previous, before) = self.register_so_far();
        let mut draft = Draft { register: before.clone(), own: &self.settings.unit };
        change(&mut draft)?;
        let mut register = draft.register;
        if (&register.entries, &register.calendar) == (&before.entries, &before.calendar)
            && let Some(digest) = previous
            && (self.signed_register(digest) || !self.may_sign())
        {
            return Ok(digest);
        }
        if !self.may_sign() {
            return Err(Failure::Refused(Refusal::Unreconciled));
        }
        if self.settings.bugs.has(Bug::ForgetUnits) {
            register.entries.retain(|entry| entry.valid_to.is_none());
        }
        register.previous = previous;
        self.sign_register(register).map_err(Failure::Refused)
    }

    fn register_so_far(&self) -> (Option<Digest>, Register) {
        match &self.reports.register {
            Some((digest, register)) => (Some(*digest), register.clone()),
            None => {
                (None, Register { version: 0, previous: None, entries: Vec::new(), calendar: None })
            }
        }
    }

    /// Enters a subordinate into the register, signs and logs the new version.
    pub(crate) fn enter(
        &mut self,
        unit: UnitId,
        names: Titles,
        time_zone: Option<String>,
    ) -> Result<(), Refusal> {
        let (previous, mut register) = self.register_so_far();
        // Only the reporting node keeps the register.
        if self.settings.term.is_none() || register.last_of(&unit).is_some() {
            return Ok(());
        }
        if !self.may_sign() {
            let newcomer = Newcomer { unit, names, time_zone };
            self.context.persist(newcomer.key(), Some(to_vec(&newcomer)));
            self.reports.newcomers.insert(newcomer.unit.clone(), newcomer);
            return Ok(());
        }
        if register.entries.len() >= SUBORDINATES {
            return Err(Refusal::OverLimit);
        }
        register.previous = previous;
        register.entries.push(RegisterEntry { names, time_zone, ..RegisterEntry::new(unit) });
        register.entries.sort_by(|a, b| (&a.unit, a.valid_from).cmp(&(&b.unit, b.valid_from)));
        self.sign_register(register).map(drop)
    }

    /// Signs and logs the next version; from then on it says who is expected.
    fn sign_register(&mut self, mut register: Register) -> Result<Digest, Refusal> {
        register.version = register.version.saturating_add(1);
        let body = Body::Register(register.clone());
        let issued = self.issue(Audience::Federation, Onward::Anyone, body, None);
        let (digest, _) = issued.ok_or(Refusal::ClockSkew)?;
        let row = to_vec(&(digest, &register));
        self.context.persist(rows::key(rows::META, &[rows::REGISTER]), Some(row));
        self.reports.register = Some((digest, register));
        let signer = (digest, self.settings.chain.leaf_digest());
        self.context
            .persist(rows::key(rows::META, &[rows::REGISTER_SIGNER]), Some(to_vec(&signer)));
        self.reports.register_signer = Some(signer);
        self.mark_everything_due();
        self.expect_periods();
        // Who is expected for other periods now, or works on other days, is asked so.
        self.ask_subordinates_anew();
        Ok(digest)
    }

    /// Enters those that were admitted before this node could sign.
    pub(crate) fn enter_newcomers(&mut self) {
        for (_, newcomer) in core::mem::take(&mut self.reports.newcomers) {
            self.context.persist(newcomer.key(), None);
            let Newcomer { unit, names, time_zone } = newcomer;
            if let Err(refusal) = self.enter(unit, names, time_zone) {
                self.context.counters.count("not_entered", refusal.label());
            }
        }
    }

    /// Whether this node signed a register under the certificate that it has now. One that was signed under
    /// another is of no use to whoever is handed it once that one has ended: it is signed anew when it is
    /// asked for.
    fn signed_register(&self, digest: Digest) -> bool {
        self.reports.register_signer == Some((digest, self.settings.chain.leaf_digest()))
    }

    pub(crate) fn restore_register_signer(&mut self, value: &[u8]) -> Option<()> {
        self.reports.register_signer = Some(from_slice("register", value, value.len()).ok()?);
        Some(())
    }

    pub(crate) fn restore_register(&mut self, value: &[u8]) -> Option<()> {
        let row: (Digest, Register) = from_slice("register", value, value.len()).ok()?;
        self.reports.register = Some(row);
        Some(())
    }

    /// Subordinates that the register expects for the period.
    pub(crate) fn expected(&self, period: Period) -> Vec<&RegisterEntry> {
        let Some((_, register)) = &self.reports.register else { return Vec::new() };
        if self.settings.bugs.has(Bug::ExpectForEver) {
            return register.expected(Period::Day(Date::MIN), self.today());
        }
        register.expected(period, self.today())
    }

    /// Subordinates that left the register before the period.
    pub(crate) fn left(&self, period: Period) -> Vec<&RegisterEntry> {
        let register = self.reports.register.as_ref();
        let register = register.filter(|_| !self.settings.bugs.has(Bug::ExpectForEver));
        register.map(|(_, it)| it.left(period, self.today())).unwrap_or_default()
    }

    /// Whether this unit had subordinates by the end of a period, expected for it still or not.
    pub(crate) fn was_superior(&self, period: Period) -> bool {
        let register = self.reports.register.as_ref();
        register.is_some_and(|(_, it)| it.has_begun(period, self.today()))
    }

    /// Whether a unit that stood elsewhere in this federation may join here: it is taken on the word of the
    /// superior that let it go, or it would be expected by both.
    pub(crate) fn may_join(&self, unit: &UnitId, from: &UnitPath) -> Result<(), RegisterFault> {
        let Some(above) = from.parent() else { return Ok(()) };
        // If it stood here before, this unit moved, and what stands below it with it. Only the reporting
        // node keeps the register.
        if above.leaf() == self.settings.unit.leaf() || self.settings.term.is_none() {
            return Ok(());
        }
        let came = |entry: &&RegisterEntry| {
            let came_from = entry.came_from.as_ref();
            entry.valid_to.is_none() && came_from.is_some_and(|it| it.leaf() == above.leaf())
        };
        let register = self.reports.register.as_ref();
        match register.and_then(|(_, it)| it.last_of(unit)).filter(came) {
            Some(_) => Ok(()),
            None => Err(RegisterFault::NotReceived { unit: unit.clone(), above }),
        }
    }

    /// A subordinate is asked for the periods that it is expected for here, and for no others.
    pub(crate) fn narrowed(&self, request: Request, unit: &UnitId) -> Request {
        let Some((_, register)) = &self.reports.register else { return request };
        let entries = || register.entries.iter().filter(|entry| entry.unit == *unit);
        let since = entries().map(|entry| entry.valid_from).min().flatten();
        let open = entries().any(|entry| entry.valid_to.is_none());
        let until = entries().filter_map(|entry| entry.valid_to).max().filter(|_| !open);
        let day = |day: Day| Period::Day(day.0);
        Request { from: since.map(day), to: until.map(day), ..request }
    }

    /// Whether the superior asked for a period; the top is asked by its people.
    pub(crate) fn is_asked_for(&self, period: Period) -> bool {
        let Some(asked) = &self.reports.subscription else { return true };
        let today = self.today();
        let (first, last) =
            (period.first_day().unwrap_or(today), period.last_day().unwrap_or(today));
        let from = asked.request.from.and_then(Period::first_day);
        let to = asked.request.to.and_then(Period::last_day);
        from.is_none_or(|from| from <= last) && to.is_none_or(|to| first <= to)
    }
}
