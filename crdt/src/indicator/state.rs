//! What the engine keeps per bucket: numbers that records are added to and taken from.

use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::key::{DAY_BYTES, day_bytes};
use super::paged::{Entry, Paged};
use super::plan::{Contribution, Counted, Plan};

pub(super) type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// Longest bucket that is read, in bytes: eight references and a residual fit.
const MAX_BUCKET_BYTES: usize = 2 * 1024;

/// A sum over records. 2^63 values of 64 bits fit 127 bits, so it never overflows; whether it fits a
/// cell is asked when a table is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) value: i128,
    pub(super) records: i64,
}

impl Sum {
    fn add(&mut self, value: i64, sign: i8) {
        self.value = self.value.saturating_add(i128::from(value) * i128::from(sign));
        self.records = self.records.saturating_add(i64::from(sign));
    }
}

impl Entry for Sum {
    fn is_nothing(&self) -> bool {
        self.records == 0 && self.value == 0
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) -> Written {
        match i64::try_from(self.value) {
            Ok(value) => e.i64(value)?,
            Err(_) => e.bytes(&self.value.to_be_bytes())?,
        };
        e.i64(self.records)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let value = if d.datatype()? == Type::Bytes {
            let wrong = |_| minicbor::decode::Error::message("expected 16 bytes");
            i128::from_be_bytes(d.bytes()?.try_into().map_err(wrong)?)
        } else {
            i128::from(d.i64()?)
        };
        Ok(Self { value, records: d.i64()? })
    }
}

/// How many records say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally(pub(super) i64);

impl Tally {
    pub(super) fn add(&mut self, sign: i8) {
        self.0 = self.0.saturating_add(i64::from(sign));
    }
}

impl Entry for Tally {
    fn is_nothing(&self) -> bool {
        self.0 == 0
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) -> Written {
        e.i64(self.0)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        d.i64().map(Self)
    }
}

/// When a period's records were last touched, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touched(pub(super) i64);

impl Entry for Touched {
    fn is_nothing(&self) -> bool {
        false
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) -> Written {
        e.i64(self.0)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        d.i64().map(Self)
    }
}

/// One reading of a stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) value: i64,
    pub(super) bucket: Box<[u8]>,
}

impl Entry for Reading {
    fn is_nothing(&self) -> bool {
        false
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) -> Written {
        e.i64(self.value)?.bytes(&self.bucket)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let value = d.i64()?;
        let bucket = d.bytes()?;
        if bucket.len() > MAX_BUCKET_BYTES {
            return Err(minicbor::decode::Error::message("a bucket too long"));
        }
        Ok(Self { value, bucket: bucket.into() })
    }
}

/// The numbers of one indicator.
pub(super) enum Numbers {
    /// By day of the period and bucket.
    Sums(Paged<Sum>),
    /// By day of the period, bucket and value: an ordered multiset.
    Extremes(Paged<Tally>),
    /// By stock, day, moment and record.
    Readings(Paged<Reading>),
}

/// The state of one indicator.
pub(super) struct State {
    pub(super) numbers: Numbers,
    /// By day of the period; under the empty key what holds for all.
    pub(super) touched: Paged<Touched>,
}

impl State {
    /// An empty state that suits an indicator.
    pub(super) fn of(plan: &Plan) -> Self {
        let numbers = match plan.counted {
            Counted::Records | Counted::Sum { .. } => Numbers::Sums(Paged::default()),
            Counted::Extreme { .. } => Numbers::Extremes(Paged::default()),
            Counted::Latest { .. } => Numbers::Readings(Paged::default()),
        };
        Self { numbers, touched: Paged::default() }
    }

    /// Adds a contribution, or takes it away (`sign` -1).
    pub(super) fn add(&mut self, contribution: &Contribution, sign: i8) {
        let Contribution { key, value, bucket, .. } = contribution;
        match &mut self.numbers {
            Numbers::Sums(sums) => sums.change(key, |sum| sum.add(*value, sign)),
            Numbers::Extremes(tallies) => tallies.change(key, |tally| tally.add(sign)),
            Numbers::Readings(readings) if sign < 0 => readings.remove(key),
            Numbers::Readings(readings) => {
                readings.set(key, Reading { value: *value, bucket: bucket.as_slice().into() });
            }
        }
    }

    /// Notes that a period was touched; `None` for all.
    pub(super) fn touch(&mut self, day: Option<i32>, at: i64) {
        let key = day.map(day_bytes);
        let key: &[u8] = key.as_ref().map_or(&[], <[u8; DAY_BYTES]>::as_slice);
        if self.touched.get(key).is_none_or(|touched| touched.0 < at) {
            self.touched.set(key, Touched(at));
        }
    }
}
