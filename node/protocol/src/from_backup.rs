//! A store that was restored from a backup: what its node must not do a second time.
//!
//! A backup is an older image of a store, and what the lost store did after it is not in it. So the node
//! begins anew wherever it could repeat itself: its writer is another actor, and nothing is signed in the
//! term of the backup or an earlier one, whatever the superior remembers; the first unit has nobody who
//! remembers. In a later term it signs once its superior has said what it holds
//! (`report/reconcile`), and once it has followed the other nodes of its home, which hold the records
//! that came after the backup: else a figure would go back, and forth again.

use minicbor::{Decode, Encode};
use reeve_statement::cbor::to_vec;
use reeve_statement::time::Timestamp;

use crate::effect::NodeKey;
use crate::node::Node;
use crate::rows;
use crate::trust::{Standing, standing};

/// For how long the other nodes of a home are waited for while nothing comes from them, in milliseconds:
/// one of them may be gone for good.
const PATIENCE_MS: u64 = 60 * 1_000;

/// That a store was restored from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FromBackup {
    /// The last term that the lost store may have signed in; nothing is signed in it any more.
    #[n(0)]
    pub term: u64,
    /// When the backup was made.
    #[n(1)]
    pub made_at: Timestamp,
    /// When it was restored.
    #[n(2)]
    pub restored_at: Timestamp,
    /// Whether the other nodes of the home were followed since.
    #[n(3)]
    pub followed: bool,
}

/// The key of the row that says how far a node has written its log.
#[must_use]
pub fn log_key() -> Vec<u8> {
    rows::key(rows::META, &[b"log"])
}

/// What is written into a store that was filled from a backup, before a node is started on it; `log` is
/// what it has at [`log_key`].
#[must_use]
pub fn begin_anew(log: Option<&[u8]>, from: &FromBackup) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut written = vec![(rows::key(rows::META, &[rows::FROM_BACKUP]), to_vec(from))];
    if let Some((_, end)) = log.and_then(|log| log.split_at_checked(8)) {
        // Incarnation 0 is none: the node draws one when it starts.
        let mut row = 0_u64.to_be_bytes().to_vec();
        row.extend_from_slice(end);
        written.push((log_key(), row));
    }
    written
}

impl Node {
    pub(crate) fn restore_from_backup(&mut self, value: &[u8]) -> Option<()> {
        let row = reeve_statement::cbor::from_slice("row", value, value.len()).ok()?;
        self.from_backup = Some(row);
        Some(())
    }

    /// The backup from which this store was restored, while nothing is signed because no later term has
    /// begun since.
    pub(crate) fn lacks_new_term(&self) -> Option<&FromBackup> {
        let from = self.from_backup.as_ref()?;
        self.settings.term.filter(|term| *term <= from.term).map(|_| from)
    }

    /// Whether the other nodes of this home still have to be followed before anything is signed.
    pub(crate) fn is_following(&self) -> bool {
        self.from_backup.as_ref().is_some_and(|from| !from.followed) || self.lacks_office()
    }

    /// A home peer's log was followed to its end, or a page of it came. Who was followed is asked again and
    /// again, and its answers are no reason to wait longer for another one, which may be lost.
    pub(crate) fn note_followed(&mut self, peer: NodeKey, to_its_end: bool) {
        if self.is_following() && !self.home.followed.contains(&peer) {
            self.follow_until = None;
            if to_its_end {
                self.home.followed.insert(peer);
            }
        }
    }

    /// Begins to sign once the other nodes of this home were followed, or give nothing.
    pub(crate) fn review_following(&mut self) {
        if !self.is_following() {
            return;
        }
        let now = self.context.now().monotonic;
        let until = *self.follow_until.get_or_insert(now.saturating_add(PATIENCE_MS));
        let told = self.home.office.complete || !self.lacks_office();
        let waits = self.is_any_left_to_follow() || !told;
        if waits && now < until {
            return;
        }
        let label = if waits { "home_not_followed" } else { "home_followed" };
        self.context.counters.count("restored", label);
        if self.lacks_office() {
            return self.take_over();
        }
        self.end_following();
    }

    /// The other nodes of this home were followed: this one signs from now on, if it may.
    pub(crate) fn end_following(&mut self) {
        if let Some(from) = self.from_backup.as_mut().filter(|from| !from.followed) {
            from.followed = true;
            let row = to_vec(from);
            self.context.persist(rows::key(rows::META, &[rows::FROM_BACKUP]), Some(row));
        }
        if self.may_sign() {
            self.begin_to_sign();
        }
    }

    /// Whether there are other nodes of this home whose logs were not followed to their ends yet.
    fn is_any_left_to_follow(&self) -> bool {
        if self.home.schema.is_none() {
            return false;
        }
        let own = &self.settings.unit;
        self.trust.members().any(|(key, verdict)| {
            let unit = verdict.as_ref().ok().map(|chain| chain.unit());
            let home = unit.is_some_and(|unit| standing(own, unit) == Some(Standing::Home));
            home && *key != self.key && !self.home.followed.contains(key)
        })
    }
}
