//! Why an edition revises the one before, and how many of the own sources are behind it.
//!
//! A source may say why it says something again; else the reason is read from what changed: a period
//! that was closed and has more has late reports, one that has less was corrected. A sum has the
//! reason of the inputs that changed.

use reeve_crdt::indicator::{Feed, OwnFigure};
use reeve_policy::disclosure::Figure;
use reeve_statement::completeness::ManifestEntry;
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::period::{Period, Step};
use reeve_statement::release::{Release, RevisionReason, Sources};
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use crate::bugs::Bug;
use crate::node::Node;
use crate::rows::FigureRow;

/// Reasons, those first that say most: of several the first is told.
const STRENGTH: [RevisionReason; 8] = [
    RevisionReason::DefinitionChanged,
    RevisionReason::Withdrawn,
    RevisionReason::Correction,
    RevisionReason::DuplicateRemoved,
    RevisionReason::Reclassified,
    RevisionReason::LateReports,
    RevisionReason::InputsChanged,
    RevisionReason::Update,
];

/// What a source said with a reason, and when.
pub(super) type Stated = (Timestamp, RevisionReason);

/// The own part of a figure, as it is.
pub(super) struct OwnPart {
    pub(super) table: Table,
    /// The last thing that a source said of it with a reason.
    pub(super) stated: Option<Stated>,
    /// When the first of its feeds falls silent that is alive.
    pub(super) silent_at: Option<Timestamp>,
}

impl OwnPart {
    pub(super) fn of(own: &OwnFigure, now: Timestamp) -> Self {
        let alive = own.feeds.iter().filter(|feed| feed.is_alive(now));
        Self {
            table: own.table.clone(),
            stated: own.stated,
            silent_at: alive.filter_map(Feed::silent_at).min(),
        }
    }
}

/// Whether the own sources have closed the period: an absent row is zero then.
pub(super) fn is_closed(own: &OwnFigure, now: Timestamp) -> bool {
    own.closed || own.feeds.iter().any(|feed| feed.is_alive(now))
}

/// Whether the own sources took back what they had said, and nobody says anything else.
pub(super) fn is_withdrawn(own: &OwnFigure, now: Timestamp) -> bool {
    let last = own.stated.map(|(_, reason)| reason);
    last == Some(RevisionReason::Withdrawn) && !is_closed(own, now)
}

impl Node {
    /// How many of the own sources have reported a period, of those that are expected to.
    pub(crate) fn own_sources(&self, own: &OwnFigure, period: Period) -> Sources {
        let now = self.context.now().wall;
        let expected = own.sources_expected.unwrap_or(own.sources_known).max(1);
        let alive = own.feeds.iter().filter(|feed| feed.is_alive(now)).count();
        let alive = u32::try_from(alive).unwrap_or(u32::MAX);
        let reported = match (own.sources_expected, period.step()) {
            // The present state has no end that could be closed.
            (None, Step::Now) => expected,
            (None, _) => own.sources_reported,
            (Some(_), _) => own.sources_reported.saturating_add(alive),
        };
        if reported > 0 && self.settings.bugs.has(Bug::OneSourceIsEnough) {
            return Sources { reported: expected, expected };
        }
        Sources { reported, expected }
    }

    /// Why the next edition of a figure revises the last one.
    pub(super) fn revision_reason(
        &self,
        id: &FigureId,
        last: &FigureRow,
        figure: &Figure,
        stated: Option<Stated>,
    ) -> RevisionReason {
        if self.settings.bugs.has(Bug::EveryRevisionIsAnUpdate) {
            return RevisionReason::Update;
        }
        let stated = stated.filter(|(at, _)| last.stated.is_none_or(|before| before < *at));
        let stated = stated.map(|(_, reason)| reason);
        let before = last.release();
        let reason = match before {
            Some(before) if self.is_redefined(id, before) => RevisionReason::DefinitionChanged,
            _ if figure.manifest().direct.is_empty() => {
                stated.unwrap_or_else(|| read_from(before, figure))
            }
            _ => strongest(self.reasons_below(id, before, figure).into_iter().chain(stated)),
        };
        // What the superior has not heard yet is not forgotten because more has happened since.
        let unheard = self.settings.unit.depth() > 1 && last.accepted < last.edition;
        let earlier = before.and_then(|before| before.reason).filter(|_| unheard);
        strongest(earlier.into_iter().filter(|it| it.is_telling()).chain([reason]))
    }

    fn is_redefined(&self, id: &FigureId, before: &Release) -> bool {
        let definition = self.reports.definitions.get(&id.indicator);
        definition.is_some_and(|definition| *definition != before.definition)
    }

    /// Why a subordinate says something else than what this unit's own last edition is made of: with what it
    /// says now comes what it said since then, and what nobody above has heard.
    pub(super) fn reason_heard(
        &self,
        id: &FigureId,
        unit: &UnitId,
        said: &Body,
    ) -> Option<RevisionReason> {
        let now = match said {
            Body::Release(release) => release.reason.filter(|reason| reason.is_telling()),
            Body::Notice(notice) if notice.code == NoticeCode::Withdrawn => {
                Some(RevisionReason::Withdrawn)
            }
            _ => None,
        };
        let held = self.reports.heard.get(id).and_then(|units| units.get(unit));
        let own = self.reports.figures.get(id).and_then(FigureRow::release);
        let made_of = own.and_then(|own| own.manifest.inline());
        let is_told = |statement: Digest| {
            let direct = made_of.map(|manifest| manifest.direct.as_slice()).unwrap_or_default();
            direct.iter().any(|entry| entry.unit == *unit && entry.statement == Some(statement))
        };
        let before = held.filter(|held| !is_told(held.row.statement));
        let both = now.into_iter().chain(before.and_then(|held| held.row.reason));
        both.min_by_key(rank)
    }

    /// The reasons of the inputs that are others than in the last edition.
    fn reasons_below(
        &self,
        id: &FigureId,
        before: Option<&Release>,
        figure: &Figure,
    ) -> Vec<RevisionReason> {
        let held = before.and_then(|before| before.manifest.inline());
        let held = held.map(|manifest| manifest.direct.as_slice()).unwrap_or_default();
        let is_held = |entry: &&ManifestEntry| {
            let same = held.iter().find(|other| other.unit == entry.unit);
            same.is_some_and(|other| other.statement == entry.statement)
        };
        let changed = figure.manifest().direct.iter().filter(|entry| !is_held(entry));
        let heard = self.reports.heard.get(id);
        let reason = |entry: &ManifestEntry| heard?.get(&entry.unit)?.row.reason;
        changed.map(|entry| reason(entry).unwrap_or(RevisionReason::InputsChanged)).collect()
    }
}

/// The reason that says most; an update if there is none.
fn strongest(reasons: impl IntoIterator<Item = RevisionReason>) -> RevisionReason {
    reasons.into_iter().min_by_key(rank).unwrap_or(RevisionReason::Update)
}

fn rank(reason: &RevisionReason) -> Option<usize> {
    STRENGTH.iter().position(|other| other == reason)
}

/// The reason that a leaf's figures tell by themselves.
fn read_from(before: Option<&Release>, figure: &Figure) -> RevisionReason {
    let Some(before) = before else { return RevisionReason::Update };
    if before.sources.reported < before.sources.expected {
        return RevisionReason::Update;
    }
    let Some(table) = before.table.inline() else { return RevisionReason::LateReports };
    let (Ok(was), Ok(is)) = (table.total(), figure.table().total()) else {
        return RevisionReason::LateReports;
    };
    match (was.value, is.value) {
        (was, is) if is.hi() < was.lo() => RevisionReason::Correction,
        (was, is) if was == is && table != figure.table() => RevisionReason::Reclassified,
        (was, is) if was == is => RevisionReason::Update,
        _ => RevisionReason::LateReports,
    }
}
