//! The stores that stopped nodes left behind, held against what the nodes said while they ran.

use std::collections::BTreeMap;

use reeve::config::Engine;
use reeve::house::House;
use reeve::store::{EngineKind, ScanLimit, Store, StoreConfig, StoreError};
use reeve_protocol::rows::{self, AdoptionRow, HeadRow, IssuedRow, SentRow};
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::CrlSet;
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::book::{Book, root};
use super::{TrialError, broken};

/// Rows read at a time.
const PAGE: usize = 1_000;

/// Checks one store: every row is sound; what it issued begins with the ledger that was seen; every statement
/// in it, own or received, is the only one of its number; and the ledger heads that it remembers of its
/// subordinates, whose stores come first, are beginnings of their ledgers. How many statements it
/// verified.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(
    book: &mut Book,
    unit: &UnitPath,
    house: &House,
    subordinates: &[UnitPath],
    now: Timestamp,
) -> Result<usize, TrialError> {
    let failed = |error| TrialError::Store { unit: unit.clone(), error };
    let engine = match house.config().store {
        Engine::Redb => EngineKind::Redb,
        Engine::Sled => EngineKind::Sled,
    };
    let config = StoreConfig { folder: house.store_folder(), engine };
    let (mut store, _) = Store::open(&config).map_err(failed)?;
    store.verify().map_err(failed)?;
    take_ledger(book, unit, &store)?;
    let verifier = Verifier::new(house.identity()?.roots.clone(), CrlSet::default());
    let statements = scan(&store, rows::STATEMENT).map_err(failed)?;
    for statement in &statements {
        check_statement(book, unit, statement, &verifier, now)?;
    }
    for head in scan(&store, rows::HEAD).map_err(failed)? {
        check_head(book, unit, subordinates, &head)?;
    }
    store.close().map_err(failed)?;
    Ok(statements.len())
}

fn scan(store: &Store, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let (mut values, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let page = store.scan(prefix, after.as_deref(), ScanLimit::rows(PAGE))?;
        values.extend(page.rows.into_iter().map(|(_, value)| value));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(values),
        }
    }
}

/// The ledger of a store, by what it says it entered.
fn take_ledger(book: &mut Book, unit: &UnitPath, store: &Store) -> Result<(), TrialError> {
    let failed = |error| TrialError::Store { unit: unit.clone(), error };
    let no_form = |_| broken(unit, "an entry of its ledger does not decode");
    let mut entries = BTreeMap::new();
    for row in scan(store, rows::SENT).map_err(failed)? {
        let row: SentRow = from_slice("row", &row, row.len()).map_err(no_form)?;
        entries.insert(row.index, row.statement);
    }
    for row in scan(store, rows::ISSUED).map_err(failed)? {
        let row: IssuedRow = from_slice("row", &row, row.len()).map_err(no_form)?;
        entries.insert(row.index, row.entry);
    }
    for row in scan(store, rows::ADOPTED).map_err(failed)? {
        let row: AdoptionRow = from_slice("row", &row, row.len()).map_err(no_form)?;
        entries.insert(row.index, row.entry);
    }
    if entries.keys().copied().ne((0..).take(entries.len())) {
        return Err(broken(unit, "the ledger in its store has a gap"));
    }
    book.replace(unit, entries.into_values().collect())
}

fn check_statement(
    book: &mut Book,
    unit: &UnitPath,
    bytes: &[u8],
    verifier: &Verifier,
    now: Timestamp,
) -> Result<(), TrialError> {
    let signed = Signed::decode(bytes).map_err(|error| {
        broken(unit, format!("its store holds a statement of no form: {error}"))
    })?;
    let verified = signed
        .verify(verifier, now)
        .map_err(|error| broken(unit, format!("its store holds a statement: {error}")))?;
    let statement = verified.statement();
    let Some((figure, edition)) = statement.figure() else { return Ok(()) };
    let edition = (statement.issuer.clone(), figure.to_string(), statement.term, edition);
    book.note(edition, verified.digest())
}

fn check_head(
    book: &Book,
    unit: &UnitPath,
    subordinates: &[UnitPath],
    row: &[u8],
) -> Result<(), TrialError> {
    let head: HeadRow = from_slice("row", row, row.len())
        .map_err(|_| broken(unit, "a subordinate's ledger head does not decode"))?;
    let whose = subordinates.iter().find(|subordinate| *subordinate.leaf() == head.unit);
    let whose = whose.ok_or_else(|| broken(unit, format!("it knows a {}", head.unit)))?;
    let ledger = book.ledger(whose);
    let beginning = usize::try_from(head.size).ok().and_then(|size| ledger.get(..size));
    if beginning.and_then(|beginning| root(beginning.iter())) == Some(head.root) {
        return Ok(());
    }
    let what = format!("it was shown a ledger of {whose} that is no beginning of the one there is");
    Err(broken(unit, what))
}
