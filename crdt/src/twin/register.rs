//! What stands at one key: the puts that no later operation replaced. Usually one; several after
//! concurrent writes, of which the greatest (counter, actor) is shown, as in automerge.

use super::history::{Clock, History};

/// One put.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// Its Lamport counter.
    pub(super) counter: u32,
    /// Its actor's number in the shard.
    pub(super) actor: u32,
    /// The sequence number of its change.
    pub(super) seq: u32,
    /// The value.
    pub(super) value: Box<[u8]>,
}

impl Version {
    /// Whether the put lies in that past.
    fn is_in(&self, past: &Clock) -> bool {
        past.of(self.actor) >= self.seq
    }
}

/// The puts at one key that nothing replaced; never empty.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Register {
    /// The usual case, without an allocation of its own.
    One(Version),
    /// Concurrent puts.
    Several(Vec<Version>),
}

impl Register {
    /// A register of these puts; `None` if there are none.
    pub(super) fn of(mut versions: Vec<Version>) -> Option<Self> {
        if versions.len() > 1 {
            Some(Self::Several(versions))
        } else {
            versions.pop().map(Self::One)
        }
    }

    pub(super) fn versions(&self) -> &[Version] {
        match self {
            Self::One(version) => std::slice::from_ref(version),
            Self::Several(versions) => versions,
        }
    }

    /// The value that is shown.
    pub(super) fn value(&self, history: &History) -> &[u8] {
        match self {
            Self::One(version) => &version.value,
            Self::Several(versions) => versions
                .iter()
                .max_by_key(|version| (version.counter, history.actor(version.actor)))
                .map_or(&[], |version| &version.value),
        }
    }

    /// What remains when an operation replaces all puts of its past and leaves its own put, if it is
    /// one. The result does not depend on the order in which concurrent operations arrive.
    pub(super) fn replaced(self, past: &Clock, put: Option<Version>) -> Option<Self> {
        let mut remaining = match self {
            Self::One(version) if version.is_in(past) => return put.map(Self::One),
            Self::One(version) => vec![version],
            Self::Several(mut versions) => {
                versions.retain(|version| !version.is_in(past));
                versions
            }
        };
        remaining.extend(put);
        Self::of(remaining)
    }
}
