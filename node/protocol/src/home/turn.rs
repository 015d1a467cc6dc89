//! Whose turn it is in the queue of work on records: in order, but somebody who writes a few records
//! does not wait behind everybody who writes a thousand.

use crate::home::{Home, Task};

/// Most operations of a write that may overtake: what a person does at a time, not a program.
const SHORT: usize = 16;

/// Most writes in a row that overtake the same long one, so that it has its turn too.
const OVERTAKINGS: u32 = 4;

/// What a task is in the eyes of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// A write of a few operations, which somebody waits for.
    Short,
    /// Another write.
    Long,
    /// Something whose place in the order matters.
    Other,
}

impl Length {
    fn of(task: &Task) -> Self {
        match task {
            Task::Write { import: None, ops, .. } if ops.len() <= SHORT => Self::Short,
            Task::Write { .. } => Self::Long,
            _ => Self::Other,
        }
    }
}

/// The place of the next task: the first, or a short write behind long ones.
fn next(queue: impl Iterator<Item = Length>, overtakings: u32) -> usize {
    if overtakings >= OVERTAKINGS {
        return 0;
    }
    let mut writes = queue.take_while(|length| *length != Length::Other);
    writes.position(|length| length == Length::Short).unwrap_or(0)
}

impl Home {
    /// Takes the next task out of the queue.
    pub(super) fn next_task(&mut self) -> Option<Task> {
        let place = next(self.queue.iter().map(Length::of), self.overtakings);
        self.overtakings = if place > 0 { self.overtakings.saturating_add(1) } else { 0 };
        self.queue.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use super::Length::{Long, Other, Short};
    use super::*;

    #[test]
    fn a_short_write_overtakes_long_ones_and_nothing_else() {
        let place = |queue: &[Length]| next(queue.iter().copied(), 0);
        assert_eq!(place(&[]), 0);
        assert_eq!(place(&[Long, Long, Short, Short]), 2);
        assert_eq!(place(&[Short, Long]), 0);
        assert_eq!(place(&[Long, Other, Short]), 0);
        assert_eq!(place(&[Other, Short]), 0);
    }

    #[test]
    fn a_long_write_has_its_turn() {
        assert_eq!(next([Long, Short].into_iter(), OVERTAKINGS), 0);
    }
}
