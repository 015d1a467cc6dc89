//! From a row to a valid record, by the rules of a mapping. Every bad cell of a row is reported, not
//! only the first.

use std::collections::BTreeMap;

use reeve_crdt::record::{FieldError, Record, RecordId, Valid, Value};
use reeve_crdt::schema::FieldType;
use reeve_statement::names::FieldId;
use reeve_statement::period::Period;
use reeve_statement::unit::UnitId;

use super::dates::plain_period;
use super::fault::RowFault;
use super::mapping::{CellRule, ClosesRule, FieldRule, Mapping, Origin, Other};
use super::reader::Row;

/// One bad cell, or a bad row as a whole. Holds a value of the file, so it has no `Debug`.
pub(super) struct Reject {
    pub(super) line: u64,
    pub(super) column: Option<String>,
    pub(super) field: Option<FieldId>,
    pub(super) value: String,
    pub(super) fault: RowFault,
}

/// What a row says.
pub(super) struct Converted {
    pub(super) unit: Option<UnitId>,
    pub(super) id: RecordId,
    pub(super) record: Valid,
    /// The period that the row closes, if a column tells.
    pub(super) closes: Option<Period>,
}

/// Turns rows into records. Remembers the last unit and period, which most rows repeat.
pub(super) struct Converter<'m> {
    mapping: &'m Mapping,
    id: String,
    last_unit: Option<(String, UnitId)>,
    last_period: Option<(String, Period)>,
}

impl<'m> Converter<'m> {
    pub(super) fn new(mapping: &'m Mapping) -> Self {
        Self { mapping, id: String::new(), last_unit: None, last_period: None }
    }

    /// The record of a row; `Ok(None)` if the mapping leaves the row out.
    ///
    /// # Errors
    /// Every bad cell; never empty.
    pub(super) fn convert(&mut self, row: &Row) -> Result<Option<Converted>, Vec<Reject>> {
        if let Some((column, fault)) = &row.fault {
            return Err(vec![self.reject(row, *column, None, fault.clone())]);
        }
        if !self.is_wanted(row) {
            return Ok(None);
        }
        let mut rejects = Vec::new();
        let id = self.id(row).map_err(|reject| rejects.push(reject));
        let unit = self.unit(row).map_err(|reject| rejects.push(reject));
        let closes = self.closes(row).map_err(|reject| rejects.push(reject));
        let record = self.record(row, &mut rejects);
        match (id, unit, closes, record) {
            (Ok(id), Ok(unit), Ok(closes), Some(record)) => {
                Ok(Some(Converted { unit, id, record, closes }))
            }
            _ => Err(rejects),
        }
    }

    fn is_wanted(&self, row: &Row) -> bool {
        self.mapping.only.iter().all(|filter| {
            let cell = row.cell(filter.column).unwrap_or_default();
            filter.texts.iter().any(|text| text == cell) == filter.wanted
        })
    }

    fn id(&mut self, row: &Row) -> Result<RecordId, Reject> {
        self.id.clear();
        let separator = &self.mapping.id_separator;
        let last = self.mapping.id_columns.len().saturating_sub(1);
        for (index, column) in self.mapping.id_columns.iter().enumerate() {
            let cell = row.cell(*column).unwrap_or_default();
            if cell.is_empty() {
                return Err(self.reject(row, Some(*column), None, RowFault::IdEmpty));
            }
            if index < last && cell.contains(separator.as_str()) {
                let fault = RowFault::IdSeparator { separator: separator.clone() };
                return Err(self.reject(row, Some(*column), None, fault));
            }
            if index > 0 {
                self.id.push_str(separator);
            }
            self.id.push_str(cell);
        }
        RecordId::new(&self.id).map_err(|error| {
            let column = self.mapping.id_columns.first().copied();
            self.reject(row, column, None, RowFault::Id(error))
        })
    }

    fn unit(&mut self, row: &Row) -> Result<Option<UnitId>, Reject> {
        let Some(rule) = &self.mapping.unit else { return Ok(None) };
        let cell = row.cell(rule.column).unwrap_or_default();
        if let Some((text, unit)) = &self.last_unit
            && text == cell
        {
            return Ok(Some(unit.clone()));
        }
        let unit = match rule.values.get(cell) {
            Some(unit) => unit.clone(),
            None => UnitId::new(cell)
                .map_err(|_| self.reject(row, Some(rule.column), None, RowFault::Unit))?,
        };
        self.last_unit = Some((cell.to_owned(), unit.clone()));
        Ok(Some(unit))
    }

    fn closes(&mut self, row: &Row) -> Result<Option<Period>, Reject> {
        let Some(ClosesRule::Column { column, format, step }) = &self.mapping.closes else {
            return Ok(None);
        };
        let cell = row.cell(*column).unwrap_or_default();
        if let Some((text, period)) = &self.last_period
            && text == cell
        {
            return Ok(Some(*period));
        }
        let period = match format {
            Some(format) => format.period(*step, cell),
            None => plain_period(*step, cell),
        };
        let fault = || self.reject(row, Some(*column), None, RowFault::Period { step: *step });
        let period = period.ok_or_else(fault)?;
        self.last_period = Some((cell.to_owned(), period));
        Ok(Some(period))
    }

    fn record(&self, row: &Row, rejects: &mut Vec<Reject>) -> Option<Valid> {
        let mut record = Record::new();
        let bad = rejects.len();
        for rule in &self.mapping.fields {
            match value(rule, row) {
                Ok(Some(value)) => drop(record.set(rule.field.clone(), value)),
                Ok(None) => {}
                Err(fault) => rejects.push(self.reject(row, column_of(rule), Some(rule), fault)),
            }
        }
        if rejects.len() > bad {
            return None;
        }
        match self.mapping.kind.validate(record) {
            Ok(valid) => Some(valid),
            Err(errors) => {
                rejects.extend(errors.into_iter().map(|error| self.invalid(row, error)));
                None
            }
        }
    }

    fn invalid(&self, row: &Row, error: FieldError) -> Reject {
        let rule = self.mapping.fields.iter().find(|rule| rule.field.as_str() == error.field);
        self.reject(row, rule.and_then(column_of), rule, RowFault::Value(error.fault))
    }

    fn reject(
        &self,
        row: &Row,
        column: Option<usize>,
        rule: Option<&FieldRule>,
        fault: RowFault,
    ) -> Reject {
        Reject {
            line: row.line,
            column: column.and_then(|column| self.mapping.columns.get(column).cloned()),
            field: rule.map(|rule| rule.field.clone()),
            value: column.and_then(|column| row.cell(column)).unwrap_or_default().to_owned(),
            fault,
        }
    }
}

fn column_of(rule: &FieldRule) -> Option<usize> {
    match &rule.origin {
        Origin::Column(cell) => Some(cell.column),
        Origin::Constant(_) => None,
    }
}

/// The value of one field; `None` if it is not set.
fn value(rule: &FieldRule, row: &Row) -> Result<Option<Value>, RowFault> {
    let value = match &rule.origin {
        Origin::Constant(value) => Some(value.clone()),
        Origin::Column(cell) => {
            read_cell(cell, &rule.field_type, row.cell(cell.column).unwrap_or_default())?
        }
    };
    if value.is_none() && rule.required { Err(RowFault::Required) } else { Ok(value) }
}

fn read_cell(
    rule: &CellRule,
    field_type: &FieldType,
    text: &str,
) -> Result<Option<Value>, RowFault> {
    if let Some(value) = listed(&rule.values, text) {
        return Ok(value.clone());
    }
    if text.is_empty() {
        return Ok(rule.empty.clone());
    }
    match rule.other {
        Other::Keep => {}
        Other::Unset => return Ok(None),
        Other::Reject => return Err(RowFault::NotListed),
    }
    if let Some(format) = &rule.format {
        let value = match field_type {
            FieldType::Timestamp => format.moment(text).map(Value::Timestamp),
            _ => format.date(text).map(Value::Date),
        };
        let fault = || RowFault::Date { format: format.to_string() };
        return value.map(Some).ok_or_else(fault);
    }
    if rule.decimal_comma && text.contains(',') {
        let text = if text.contains('.') { text.to_owned() } else { text.replacen(',', ".", 1) };
        return Ok(Some(Value::parse(field_type, &text)?));
    }
    Ok(Some(Value::parse(field_type, text)?))
}

fn listed<'v>(
    values: &'v BTreeMap<String, Option<Value>>,
    text: &str,
) -> Option<&'v Option<Value>> {
    if values.is_empty() { None } else { values.get(text) }
}
