//! Keys of the engine's ordered maps: bytes whose order is the order of what they stand for.
//!
//! Each part is either of fixed length or says its length first, so no key is the beginning of
//! another of the same map.

use reeve_statement::period::{Period, Step};

use crate::record::{day_of, days_of};

/// The day under which a figure of the present state is kept.
const NOW: i32 = 0;

/// Bytes of a day.
pub(super) const DAY_BYTES: usize = 4;

/// Bytes of a number.
pub(super) const NUMBER_BYTES: usize = 8;

/// Days since 1970-01-01 of the first day of a period; [`NOW`] for now.
pub(super) fn day_of_period(period: Period) -> i32 {
    period.first_day().map_or(NOW, days_of)
}

/// The period of a step in which a day lies; `None` beyond the calendar.
pub(super) fn period_of_day(step: Step, day: i32) -> Option<Period> {
    day_of(day).map(|date| Period::of(step, date))
}

/// First day of the period of a step in which a day lies.
pub(super) fn first_day(step: Step, day: i32) -> Option<i32> {
    match step {
        Step::Day => Some(day),
        Step::Now => Some(NOW),
        Step::Week | Step::Month => period_of_day(step, day).map(day_of_period),
    }
}

/// A day such that later days have greater bytes.
pub(super) fn day_bytes(day: i32) -> [u8; DAY_BYTES] {
    let [first, second, third, fourth] = day.to_be_bytes();
    [first ^ 0x80, second, third, fourth]
}

/// A number such that greater numbers have greater bytes.
pub(super) fn number_bytes(number: i64) -> [u8; NUMBER_BYTES] {
    let [first, rest @ ..] = number.to_be_bytes();
    let [b, c, d, e, f, g, h] = rest;
    [first ^ 0x80, b, c, d, e, f, g, h]
}

/// Appends a text with its length first; longer texts than any of ours are cut.
pub(super) fn push_text(key: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    key.extend(length.to_be_bytes());
    key.extend(bytes.iter().take(usize::from(length)));
}

/// Takes keys apart from the front.
#[derive(Clone, Copy)]
pub(super) struct Reader<'k>(pub(super) &'k [u8]);

impl<'k> Reader<'k> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(super) fn index(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(super) fn day(&mut self) -> Option<i32> {
        let [first, second, third, fourth] = self.bytes()?;
        Some(i32::from_be_bytes([first ^ 0x80, second, third, fourth]))
    }

    pub(super) fn number(&mut self) -> Option<i64> {
        let [first, b, c, d, e, f, g, h] = self.bytes()?;
        Some(i64::from_be_bytes([first ^ 0x80, b, c, d, e, f, g, h]))
    }

    pub(super) fn text(&mut self) -> Option<&'k str> {
        let length = usize::from(self.index()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_the_order_of_numbers_and_days() {
        let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
        assert!(numbers.map(number_bytes).is_sorted());
        for number in numbers {
            assert_eq!(Reader(&number_bytes(number)).number(), Some(number));
        }
        let days = [i32::MIN, -1, 0, 1, i32::MAX];
        assert!(days.map(day_bytes).is_sorted());
        for day in days {
            assert_eq!(Reader(&day_bytes(day)).day(), Some(day));
        }
    }

    #[test]
    fn a_text_is_read_back_and_short_keys_are_refused() {
        let mut key = Vec::new();
        push_text(&mut key, "hé");
        key.push(7);
        let mut reader = Reader(&key);
        assert_eq!(reader.text(), Some("hé"));
        assert_eq!(reader.bytes(), Some([7]));
        assert_eq!(reader.text(), None);
        assert_eq!(Reader(&[0, 9, 1]).text(), None);
    }

    #[test]
    fn periods_and_days_agree() {
        let period: Period = "2020-W10".parse().unwrap();
        assert_eq!(period_of_day(Step::Week, day_of_period(period)), Some(period));
        assert_eq!(day_of_period(Period::Now), NOW);
    }
}
