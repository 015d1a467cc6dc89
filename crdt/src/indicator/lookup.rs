//! What tables need to know of records that others refer to: the closed fields that dimensions
//! reach through a reference, by record id.

use std::convert::Infallible;

use minicbor::{Decoder, Encoder};
use reeve_statement::cbor::bounded_length;
use reeve_statement::limits::{DIMENSIONS, INDICATORS};
use reeve_statement::names::{FieldId, KindId};

use super::paged::{Entry, Paged};
use super::plan::Domain;
use crate::record::{Fact, Record};

/// Most columns of one lookup: one for each dimension that there can be.
const MAX_COLUMNS: usize = INDICATORS * DIMENSIONS;

/// The numbers of a record's values in their domains, column by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Values(Vec<u16>);

impl Entry for Values {
    fn is_nothing(&self) -> bool {
        self.0.iter().all(|number| *number == 0)
    }

    fn write(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<Infallible>> {
        e.encode(&self.0)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let length = bounded_length(d, MAX_COLUMNS)?;
        (0..length).map(|_| d.u16()).collect::<Result<_, _>>().map(Self)
    }
}

/// The records of one kind that others refer to.
pub(super) struct Lookup {
    kind: KindId,
    columns: Vec<(FieldId, Domain)>,
    pub(super) records: Paged<Values>,
}

/// All lookups.
#[derive(Default)]
pub(super) struct Lookups(pub(super) Vec<Lookup>);

impl Lookups {
    /// Asks for a field of a kind: which lookup, and which column of it.
    pub(super) fn column(
        &mut self,
        kind: &KindId,
        field: &FieldId,
        values: &[String],
    ) -> (usize, usize) {
        let index = self.of(kind).unwrap_or_else(|| {
            let records = Paged::default();
            self.0.push(Lookup { kind: kind.clone(), columns: Vec::new(), records });
            self.0.len().saturating_sub(1)
        });
        let Some(lookup) = self.0.get_mut(index) else { return (index, 0) };
        // Two definitions may write the domain of one field out differently.
        let same = |(known, domain): &(FieldId, Domain)| known == field && domain.has(values);
        let column = lookup.columns.iter().position(same).unwrap_or_else(|| {
            lookup.columns.push((field.clone(), Domain::of(values)));
            lookup.columns.len().saturating_sub(1)
        });
        (index, column)
    }

    /// The lookup of a kind.
    pub(super) fn of(&self, kind: &KindId) -> Option<usize> {
        self.0.iter().position(|lookup| lookup.kind == *kind)
    }

    /// The kinds looked up, each with its lookup.
    pub(super) fn kinds(&self) -> Vec<(KindId, usize)> {
        self.0.iter().enumerate().map(|(index, lookup)| (lookup.kind.clone(), index)).collect()
    }

    /// The value of a column of a record; "" if it is not set or the record does not exist.
    pub(super) fn value(&self, lookup: usize, column: usize, id: &str) -> String {
        let number = |lookup: &Lookup| lookup.records.get(id.as_bytes())?.0.get(column).copied();
        let Some(lookup) = self.0.get(lookup) else { return String::new() };
        let domain = lookup.columns.get(column).map(|(_, domain)| domain);
        domain.map_or_else(String::new, |domain| domain.value(number(lookup).unwrap_or(0)))
    }
}

impl Lookup {
    /// Takes a fact of its kind; whether a value that some table shows may have changed.
    pub(super) fn apply(&mut self, fact: &Fact) -> bool {
        let after = fact.after.as_ref().map(|record| self.values(record)).unwrap_or_default();
        let key = fact.id.as_str().as_bytes();
        let nothing = Values::default();
        let before = self.records.get(key).unwrap_or(&nothing);
        if *before == after || (before.is_nothing() && after.is_nothing()) {
            return false;
        }
        self.records.set(key, after);
        true
    }

    fn values(&self, record: &Record) -> Values {
        let number =
            |(field, domain): &(FieldId, Domain)| domain.number(record.get(field.as_str()));
        Values(self.columns.iter().map(number).collect())
    }
}
