//! What a federation has said so far, as its nodes show it: every ledger entry, and which statement
//! each edition's number was used for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use reeve::api::{IssuedEntry, SentEntry};
use reeve::client::ClientError;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{Frontier, leaf_hash};
use reeve_statement::unit::UnitPath;

use super::{TrialError, broken};
use crate::processes::Process;

/// Entries asked for at a time.
const PAGE: u64 = 500;

/// Counted events that no crash explains: something that was told or acknowledged and then forgotten,
/// or told differently. Nodes make up for some of it, so that figures alone would not show it.
const NEVER: [(&str, &[&str]); 5] = [
    (
        "refused_statements",
        &[
            "equivocation",
            "old_edition",
            "old_term",
            "ledger_regressed",
            "ledger_forked",
            "bad_signature",
            "malformed",
        ],
    ),
    ("equivocations", &[]),
    ("deliveries_refused", &[]),
    ("reconcile", &[]),
    ("damaged", &[]),
];

/// Who said it, about which figure, in which term, as which edition.
pub(crate) type Edition = (UnitPath, String, u64, u64);

/// What was said.
#[derive(Debug, Default)]
pub(crate) struct Book {
    ledgers: BTreeMap<UnitPath, Vec<Digest>>,
    editions: BTreeMap<Edition, Digest>,
}

impl Book {
    /// How many entries all ledgers have, and how many editions of figures there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.ledgers.values().map(Vec::len).sum(), self.editions.len())
    }

    /// How many figures a unit said something about, and how many editions of them.
    pub(crate) fn editions_of(&self, unit: &UnitPath) -> (usize, usize) {
        let own = || self.editions.keys().filter(|(whose, ..)| whose == unit);
        let figures: BTreeSet<&String> = own().map(|(_, figure, ..)| figure).collect();
        (figures.len(), own().count())
    }

    /// A unit's ledger as far as it was seen.
    pub(crate) fn ledger(&self, unit: &UnitPath) -> &[Digest] {
        self.ledgers.get(unit).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the whole ledger of a unit whose node has stopped.
    ///
    /// # Errors
    /// When it does not begin with what was seen.
    pub(crate) fn replace(
        &mut self,
        unit: &UnitPath,
        whole: Vec<Digest>,
    ) -> Result<(), TrialError> {
        if !whole.starts_with(self.ledger(unit)) {
            return Err(broken(unit, "its store holds another ledger than it showed"));
        }
        self.ledgers.insert(unit.clone(), whole);
        Ok(())
    }

    /// An edition and the statement that it is.
    ///
    /// # Errors
    /// When its number was used for another.
    pub(crate) fn note(&mut self, edition: Edition, statement: Digest) -> Result<(), TrialError> {
        match self.editions.entry(edition) {
            Entry::Vacant(vacant) => {
                vacant.insert(statement);
                Ok(())
            }
            Entry::Occupied(known) if *known.get() == statement => Ok(()),
            Entry::Occupied(known) => {
                let (unit, figure, term, number) = known.key();
                let both = format!("{} and {statement}", known.get());
                let what = format!("edition {number} of {figure}, term {term}, is both {both}");
                Err(broken(unit, what))
            }
        }
    }

    /// Reads what a node entered into its ledger since the last look, which must begin with all that was
    /// there. Gives the last statement about each figure that is new.
    ///
    /// # Errors
    /// When the ledger shrank or says something else, or a number was used twice.
    pub(crate) fn read(&mut self, process: &Process) -> Result<Vec<SentEntry>, TrialError> {
        let status = process.status()?;
        let (unit, size) = (&process.unit, status.ledger_size);
        let mut seen = self.ledgers.remove(unit).unwrap_or_default();
        let from = count(&seen);
        if size < from {
            return Err(broken(unit, format!("its ledger shrank to {size} from {from}")));
        }
        let (sent, issued) = (sent(process, from, size)?, issued(process, from)?);
        let sent_at = sent.iter().map(|entry| (entry.index, &entry.statement));
        let issued_at = issued.iter().map(|entry| (entry.index, &entry.entry));
        let entries: BTreeMap<u64, &String> = sent_at.chain(issued_at).collect();
        for index in from..size {
            let entry = entries.get(&index).and_then(|entry| entry.parse().ok());
            seen.push(
                entry.ok_or_else(|| broken(unit, format!("its ledger lacks entry {index}")))?,
            );
        }
        let root = root(seen.iter()).map(|root| root.to_string());
        if root.as_ref() != Some(&status.ledger_root) {
            return Err(broken(unit, "the root of its ledger is not that of its entries"));
        }
        self.ledgers.insert(unit.clone(), seen);
        let mut last = BTreeMap::new();
        for entry in sent {
            let Some(figure) = entry.figure.clone() else { continue };
            let statement = entry.statement.parse();
            let statement = statement.map_err(|_| broken(unit, "a statement without a digest"))?;
            let edition = (unit.clone(), figure.clone(), status.term.unwrap_or(0), entry.edition);
            self.note(edition, statement)?;
            last.insert(figure, entry);
        }
        Ok(last.into_values().collect())
    }
}

/// What a node said from an index of its ledger up to a size of it, in the order in which it did.
pub(crate) fn sent(process: &Process, from: u64, size: u64) -> Result<Vec<SentEntry>, TrialError> {
    let (mut all, mut before) = (Vec::new(), size);
    while before > from {
        // The newest come first.
        let path = format!("/v1/sent?before={before}&limit={PAGE}");
        let page: Vec<SentEntry> =
            process.client.get(&path).map_err(|error| process.failed(error))?;
        before = page.last().map_or(from, |oldest| oldest.index);
        all.extend(page.into_iter().filter(|entry| entry.index >= from));
    }
    all.reverse();
    Ok(all)
}

/// The certificates that a node entered from an index of its ledger on.
fn issued(process: &Process, mut from: u64) -> Result<Vec<IssuedEntry>, TrialError> {
    let mut all = Vec::new();
    loop {
        let path = format!("/v1/issued?from={from}&limit={PAGE}");
        let page: Vec<IssuedEntry> =
            process.client.get(&path).map_err(|error| process.failed(error))?;
        let Some(last) = page.last() else { return Ok(all) };
        from = last.index + 1;
        all.extend(page);
    }
}

/// Whether a superior holds a statement of a subordinate under its digest.
///
/// # Errors
/// When it does not.
pub(crate) fn held_by(superior: &Process, entry: &SentEntry) -> Result<(), TrialError> {
    let path = format!("/v1/statements/{}", entry.statement);
    let bytes = match superior.client.bytes(&path, "application/cose") {
        Ok(bytes) => bytes,
        Err(ClientError::Problem(problem)) if problem.status == 404 => {
            let figure = entry.figure.as_deref().unwrap_or_default();
            let what = format!("it lacks edition {} of {figure}", entry.edition);
            return Err(broken(&superior.unit, what));
        }
        Err(error) => return Err(superior.failed(error).into()),
    };
    let digest = Signed::decode(&bytes).ok().map(|signed| signed.digest().to_string());
    if digest.as_ref() == Some(&entry.statement) {
        return Ok(());
    }
    Err(broken(&superior.unit, format!("{} has other bytes than its name says", entry.statement)))
}

/// Whether a node counted nothing that no crash explains, nor what the trial did (`excused`: reasons).
///
/// # Errors
/// What it counted.
pub(crate) fn nothing_impossible(process: &Process, excused: &[&str]) -> Result<(), TrialError> {
    let metrics = process.client.bytes("/metrics", "text/plain");
    let metrics = metrics.map_err(|error| process.failed(error))?;
    let metrics = String::from_utf8_lossy(&metrics);
    for line in metrics.lines().filter(|line| line.starts_with("reeve_events_total{")) {
        for (event, reasons) in NEVER {
            let named = |reason: &&&str| line.contains(&format!("reason=\"{reason}\""));
            if excused.iter().any(|reason| named(&reason)) {
                continue;
            }
            let about = line.contains(&format!("event=\"{event}\""));
            if about && (reasons.is_empty() || reasons.iter().any(|reason| named(&reason))) {
                return Err(broken(&process.unit, format!("it counted {line}")));
            }
        }
    }
    Ok(())
}

/// The root of a ledger of these statements.
pub(crate) fn root<'a>(statements: impl Iterator<Item = &'a Digest>) -> Option<Digest> {
    let mut frontier = Frontier::new();
    for statement in statements {
        frontier.append(leaf_hash(statement.as_bytes())).ok()?;
    }
    Some(frontier.root())
}

fn count(seen: &[Digest]) -> u64 {
    u64::try_from(seen.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_for_one_statement() {
        let mut book = Book::default();
        let edition = |number| ("it".parse().unwrap(), "cases 2020".to_owned(), 1, number);
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        book.note(edition(1), one).unwrap();
        book.note(edition(1), one).unwrap();
        book.note(edition(2), other).unwrap();
        assert!(book.note(edition(1), other).is_err());
    }
}
