//! Whether the ledgers of a store are whole.

use std::collections::BTreeSet;

use reeve_protocol::rows;
use reeve_protocol::stored::{LedgerCheck, LedgerFault, Needed};
use reeve_statement::cert::RootList;
use reeve_statement::digest::Digest;

use crate::store::{ScanLimit, Store, StoreError};

/// Entries of the ledger that are read at once.
const ENTRIES: usize = 1_000;

/// Why the ledger cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// It cannot be read.
    #[error(transparent)]
    Store(StoreError),
    /// It is not whole.
    #[error(transparent)]
    Ledger(LedgerFault),
}

impl From<StoreError> for Unsound {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LedgerFault> for Unsound {
    fn from(fault: LedgerFault) -> Self {
        Self::Ledger(fault)
    }
}

/// Term, size and root of each ledger, the newest last.
///
/// # Errors
/// [`Unsound`].
pub fn ledgers(store: &Store, roots: &RootList) -> Result<Vec<(u64, u64, Digest)>, Unsound> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    each(store, &LedgerCheck::edges(), |key, edge| {
        let mut check = LedgerCheck::new(key, edge, roots)?;
        each(store, &check.issued_rows(), |_, entry| Ok(check.issued(entry)?))?;
        each(store, &check.adopted_rows(), |_, entry| Ok(check.adopted(entry)?))?;
        each(store, &check.sent_rows(), |_, entry| hold(store, check.sent(entry)?))?;
        hold(store, check.certificates()?)?;
        let term = check.term();
        known.insert(term);
        let (size, root) = check.end()?;
        found.push((term, size, root));
        Ok(())
    })?;
    for entries in [rows::ISSUED, rows::ADOPTED, rows::SENT] {
        let mut after = None;
        // One entry of each term is enough.
        while let Some((key, _)) =
            store.scan(entries, after.as_deref(), ScanLimit::rows(1))?.rows.into_iter().next()
        {
            let term = LedgerCheck::term_of_entry(&key).unwrap_or(0);
            if !known.contains(&term) {
                return Err(LedgerFault::Headless { term }.into());
            }
            after = Some(rows::placed(entries, term, u64::MAX));
        }
    }
    Ok(found)
}

/// Shows every row whose key begins so, in order.
fn each(
    store: &Store,
    prefix: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Unsound>,
) -> Result<(), Unsound> {
    let mut after = None;
    loop {
        let page = store.scan(prefix, after.as_deref(), ScanLimit::rows(ENTRIES))?;
        page.rows.iter().try_for_each(|(key, value)| visit(key, value))?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn hold(store: &Store, needed: Vec<Needed>) -> Result<(), Unsound> {
    for needed in needed {
        let value = store.get(&needed.key)?;
        needed.check(value.as_deref())?;
    }
    Ok(())
}
