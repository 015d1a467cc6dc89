//! After a hello: the superior says what it holds of a subordinate, and the subordinate makes up the
//! difference, whichever of the two has forgotten something.
//!
//! A superior that lost figures gets them again. A subordinate that lost them (its store was put back)
//! never uses an edition a second time: after a start it cuts nothing before it has heard what the
//! superior holds, and while its ledger is shorter than the one the superior saw, it signs no figure,
//! because what it signed would fork the ledger. The way out is a new term (`term`).

use std::collections::BTreeSet;

use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::unit::UnitId;

use crate::bugs::Bug;
use crate::effect::{Channel, InboundId, NodeKey};
use crate::letters::Heard;
use crate::node::{CLOCK_BACK_MS, Node};
use crate::refusal::Refusal;
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Downward, HAVE_ENTRIES, HAVE_PAGES, Have, HavePage, ReportAnswer};

/// What a superior has listed so far of what it holds.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pages: BTreeSet<u32>,
    held: BTreeSet<FigureId>,
}

impl Node {
    /// Whether this node signs statements: it has a term, and knows that its ledger is the one that
    /// its superior saw. The top has nobody who could tell it. A store that was restored from a backup
    /// signs in a later term only (`from_backup`).
    pub(crate) fn may_sign(&self) -> bool {
        let known = self.reports.reconciled
            || self.settings.unit.depth() == 1
            || self.settings.bugs.has(Bug::SignUnasked);
        let newest = self.ahead.is_none() && self.superseded.is_none();
        let anew = self.lacks_new_term().is_none() && !self.is_following();
        self.settings.term.is_some() && known && newest && anew
    }

    pub(super) fn tell_what_is_held(&mut self, peer: NodeKey) {
        let unit = self.peers.greeted(&peer).map(|greeted| greeted.unit.leaf().clone());
        for page in unit.iter().flat_map(|unit| self.held_pages(unit)).collect::<Vec<_>>() {
            self.tell(peer, Channel::Report, to_vec(&Downward::Have(page)));
        }
    }

    /// What this node holds of a subordinate, in pages.
    pub(crate) fn held_pages(&mut self, unit: &UnitId) -> Vec<HavePage> {
        if self.settings.term.is_none() || self.superseded.is_some() || self.lacks_office() {
            // Subordinates report to the node of this home that reports, and it knows what it holds.
            return Vec::new();
        }
        let of_unit = || {
            let heard = self.reports.heard.values().filter_map(|units| units.get(unit));
            heard.map(|heard| &heard.row)
        };
        let followed = of_unit().filter_map(|row| match &row.said.body {
            Body::Release(release) => Some(release.catalogue_version),
            _ => None,
        });
        let catalogue = followed.max().unwrap_or(0);
        let held: Vec<Have> = of_unit()
            .map(|row| Have {
                id: row.id.clone(),
                term: row.term,
                edition: row.edition,
                statement: row.statement,
            })
            .collect();
        let head = self.reports.heads.get(unit);
        let (ledger_size, term) = head.map_or((0, 0), |head| (head.size, head.term));
        let pages = u32::try_from(held.len().div_ceil(HAVE_ENTRIES).max(1)).unwrap_or(u32::MAX);
        if pages > HAVE_PAGES {
            self.context.counters.count("reconcile", "too_many_figures");
            return Vec::new();
        }
        let mut figures = held.chunks(HAVE_ENTRIES).map(<[Have]>::to_vec);
        let mut page_of = |page| {
            let figures = figures.next().unwrap_or_default();
            HavePage { figures, page, pages, ledger_size, term, catalogue }
        };
        (0..pages).map(&mut page_of).collect()
    }

    /// A page of what the superior holds. After the last one, what it did not list is sent again.
    pub(super) fn on_have(&mut self, inbound: InboundId, peer: NodeKey, page: HavePage) {
        if page.pages > HAVE_PAGES || page.page >= page.pages {
            return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::Malformed));
        }
        if self.heard_by(inbound) == Heard::Now && self.reporting_superior() != Some(peer) {
            // Another node of the superior reports by now: what counts is what that one holds.
            return self.answer_report(inbound, &ReportAnswer::Accepted);
        }
        let Some(term) = self.settings.term.filter(|own| *own >= page.term) else {
            // Another node of this home reports; what the superior holds is of that one's ledger.
            self.hear_of_term(page.term);
            return self.answer_report(inbound, &ReportAnswer::Accepted);
        };
        // A store that was put back may know an older catalogue than this unit has followed.
        self.reports.followed = self.reports.followed.max(page.catalogue);
        let could = self.may_sign();
        let own = self.ledger.frontier().size();
        // The superior may not have heard yet of a ledger of this term.
        let seen = if page.term == term { page.ledger_size } else { 0 };
        let heard = self.heard_by(inbound);
        let ahead = Some(seen).filter(|size| *size > own);
        // That it held less once says nothing about now.
        self.ahead = if heard == Heard::Once { self.ahead.max(ahead) } else { ahead };
        if self.ahead.is_some() {
            self.context.counters.count("reconcile", "ledger_behind_superior");
        }
        let listing = (peer, heard != Heard::Now);
        let inventory = self.reports.inventories.entry(listing).or_default();
        if !inventory.pages.insert(page.page) {
            // Said before: a page is counted once.
            return self.answer_report(inbound, &ReportAnswer::Accepted);
        }
        let complete = u32::try_from(inventory.pages.len()).is_ok_and(|n| n >= page.pages);
        // There is no edition after the last number.
        let right = |have: &Have| have.term <= term && have.edition < u64::MAX;
        for have in page.figures.into_iter().filter(right) {
            if let Some(inventory) = self.reports.inventories.get_mut(&listing) {
                inventory.held.insert(have.id.clone());
            }
            // A letter may have been overtaken by what was signed since, a page by what was accepted.
            let row = self.reports.figures.get(&have.id);
            let letter = heard != Heard::Now && row.is_some_and(|row| have.edition < row.edition);
            let since = row.is_some_and(|row| have.edition < row.accepted)
                && self.has_accepted(peer, &have.id);
            if !letter && !since {
                self.reconcile(have);
            }
        }
        let shown = seen.min(own);
        let before = if heard == Heard::Now { 0 } else { self.reports.shown };
        self.reports.shown = shown.max(before);
        if complete && let Some(inventory) = self.reports.inventories.remove(&listing) {
            self.note_reconciled(heard);
            self.send_what_was_lost(peer, &inventory.held);
            self.sign_again();
            self.show_ledger();
            if !could && self.may_sign() {
                self.begin_to_sign();
            }
        }
        self.answer_report(inbound, &ReportAnswer::Accepted);
    }

    /// What waited for the superior's word: figures, and requests to subordinates.
    pub(crate) fn begin_to_sign(&mut self) {
        self.enter_found();
        self.enter_newcomers();
        self.mark_everything_due();
        self.expect_periods();
        let below: Vec<NodeKey> =
            self.peers.of(Standing::Subordinate).map(|(key, _)| *key).collect();
        for peer in below {
            self.ask_subordinate(peer);
        }
    }

    /// Whether a peer accepted a figure since it said hello: durably, so it has not lost it since.
    fn has_accepted(&self, peer: NodeKey, id: &FigureId) -> bool {
        let by = self.reports.accepted_by.as_ref().filter(|(by, _)| *by == peer);
        by.is_some_and(|(_, figures)| figures.contains(id))
    }

    fn send_what_was_lost(&mut self, peer: NodeKey, held: &BTreeSet<FigureId>) {
        let rows = self.reports.figures.values();
        let missing = rows.filter(|row| row.accepted > 0 && !held.contains(&row.id));
        let missing: Vec<FigureId> = missing.map(|row| row.id.clone()).collect();
        for id in missing {
            if self.has_accepted(peer, &id) {
                continue;
            }
            let Some(row) = self.reports.figures.get_mut(&id) else { continue };
            row.accepted = 0;
            // What it refused it never held.
            let label = if row.refused.is_some() { "refused_before" } else { "lost_by_superior" };
            self.context.counters.count("reconcile", label);
        }
        self.send_what_is_missing();
    }

    fn reconcile(&mut self, have: Have) {
        let Some(row) = self.reports.figures.get_mut(&have.id) else {
            self.context.counters.count("reconcile", "unknown_figure");
            self.adopt_edition(have);
            return;
        };
        let same = have.edition == row.edition && have.statement == row.statement;
        if row.term != self.ledger.term() && !same {
            // What an earlier term signed after that was never accepted: this one goes on from here.
            self.context.counters.count("reconcile", "earlier_term");
            self.adopt_edition(have);
        } else if have.edition > row.edition {
            self.context.counters.count("reconcile", "edition_behind_superior");
            self.adopt_edition(have);
        } else {
            // Where it holds what an earlier term said under that number, this term's word is sent again: it takes it.
            if have.edition == row.edition && !same && have.term == row.term {
                self.context.counters.count("reconcile", "edition_differs");
                self.adopt_edition(have);
                return;
            }
            let before = row.edition.saturating_sub(1);
            row.accepted = if same { have.edition } else { have.edition.min(before) };
            if same {
                let changed = row.dirty;
                self.reports.unsent.remove(&have.id);
                if changed {
                    self.mark_due(have.id);
                }
            } else {
                self.reports.unsent.insert(have.id);
            }
        }
    }

    /// Continues after the edition that the superior holds: the next one is numbered after it.
    fn adopt_edition(&mut self, have: Have) {
        let now = self.context.now().wall;
        // What another node of this home signed before may carry a later time: windows go on from it.
        let before = self.reports.figures.get(&have.id).map(|row| row.issued_at);
        let before = before.filter(|at| at.since(now) <= CLOCK_BACK_MS);
        let issued_at = before.map_or(now, |at| at.max(now));
        let row = rows::FigureRow {
            id: have.id.clone(),
            edition: have.edition,
            statement: have.statement,
            content: Digest::ZERO,
            accepted: have.edition,
            refused: None,
            issued_at,
            dirty: true,
            body: None,
            term: have.term,
            told: None,
            previous: None,
            eve: None,
            stated: None,
        };
        self.context.persist(rows::figure(&have.id), Some(to_vec(&row)));
        self.reports.figures.insert(have.id.clone(), row);
        self.reports.unsent.remove(&have.id);
        self.mark_due(have.id);
    }
}
