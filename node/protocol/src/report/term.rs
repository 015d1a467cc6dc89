//! Reporting terms: one node reports for a unit at a time, and its number counts up.
//!
//! A term comes with a node's certificate, and a ledger of its own begins with it. Whoever is appointed
//! for a later term starts from what the superior holds: the next edition of a figure is numbered after
//! the one that was accepted last, whatever this store remembers. So a unit reports on after its store
//! was lost or put back from a copy, and nothing is told twice under one term and edition. What was
//! signed in an earlier term and never accepted is not sent any more; it is signed again.

use reeve_statement::cert::name::dns_name;
use reeve_statement::ledger::checkpoint::Origin;
use reeve_statement::time::Timestamp;

use crate::bugs::Bug;
use crate::ledger::Ledger;
use crate::node::{Node, StartError};
use crate::settings::Settings;
use crate::trust::Standing;

/// The empty ledger of a unit's term; term 0 for a node that has none.
pub(crate) fn ledger_of(settings: &Settings) -> Result<Ledger, StartError> {
    let term = settings.term.unwrap_or(0);
    let name = dns_name(&settings.unit, settings.roots.domain())
        .map_err(|error| StartError::Name(error.to_string()))?;
    let origin = Origin::of(&name, term).map_err(|error| StartError::Name(error.to_string()))?;
    Ok(Ledger::new(origin, term))
}

impl Node {
    /// Somebody speaks of a term of this unit. A later one ends this node's own: it signs nothing any
    /// more.
    pub(crate) fn hear_of_term(&mut self, term: u64) {
        let ends = self.settings.term.is_some_and(|own| own < term)
            && !self.settings.bugs.has(Bug::KeepReporting);
        if ends && self.superseded.is_none_or(|known| known < term) {
            self.superseded = Some(term);
            self.context.counters.count("terms", "superseded");
            let told: Vec<_> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
            for peer in told {
                self.tell_office(peer);
            }
        }
    }

    /// A ledger of one of this unit's terms is in the store.
    pub(crate) fn restore_past_ledger(&mut self, term: u64, size: u64) {
        self.past_ledgers.insert(term, size);
        self.hear_of_term(term);
    }

    /// This node is appointed for a later term. It signs as soon as its superior, whom it greets anew,
    /// has said what it holds.
    pub(crate) fn begin_term(&mut self, term: u64) -> Result<(), StartError> {
        let could = self.may_sign();
        if let Some(ended) = self.settings.term.replace(term) {
            self.past_ledgers.insert(ended, self.ledger.frontier().size());
        }
        self.ledger = ledger_of(&self.settings)?;
        self.acts.begin_ledger();
        self.ahead = None;
        if self.lacks_office() {
            self.home.followed.clear();
            self.home.next_pull = 0;
            self.follow_until = None;
        }
        let home: Vec<_> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.begin_office(peer);
        }
        self.superseded = self.superseded.filter(|later| *later > term);
        // Another node of this home may have been appointed after this one, and be known already.
        self.hear_of_home_terms();
        let reports = &mut self.reports;
        // Times go forward within a term.
        reports.last_signed = Timestamp::default();
        reports.reconciled = false;
        reports.inventories.clear();
        reports.unsent.clear();
        reports.asks_held.clear();
        // They open again, after what another node of this home told meanwhile.
        reports.windows.clear();
        // Whatever the superior is about to answer was about the ledger of before.
        reports.shown = 0;
        reports.showing.values_mut().for_each(|(_, size)| *size = 0);
        self.fresh.clear();
        self.context.counters.count("terms", "begun");
        self.enter_found();
        if !could && self.may_sign() {
            // The top, which waits for nobody.
            self.begin_to_sign();
        }
        Ok(())
    }

    /// What an earlier term left unaccepted is cut again, to be signed in this one.
    pub(crate) fn sign_again(&mut self) {
        if self.settings.bugs.has(Bug::NeverSignAgain) {
            return;
        }
        let term = self.ledger.term();
        let left =
            |row: &&mut crate::rows::FigureRow| row.term != term && row.accepted < row.edition;
        let mut again = Vec::new();
        for row in self.reports.figures.values_mut().filter(left) {
            row.content = reeve_statement::digest::Digest::ZERO;
            again.push(row.id.clone());
        }
        for id in again {
            self.mark_due(id);
        }
    }
}
