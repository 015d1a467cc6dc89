//! Documents about bulletins: figures frozen as they stood at a moment.

use std::collections::BTreeMap;

use reeve_protocol::bulletin::{BulletinRow, BulletinView as View, FrozenTold, Present};
use reeve_protocol::rows::Told;
use reeve_statement::bulletin::Frozen;
use reeve_statement::completeness::Counts;
use serde::{Deserialize, Serialize};

use super::figure::{BoundsView, titles};
use super::situation::UnitsView;

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulletinOrder {
    /// What it is called: one line.
    pub title: String,
    /// The class of recipients whose editions are meant: superior, neighbour or public.
    pub class: String,
    /// The figures, each once, in any order.
    pub figures: Vec<BulletinChoice>,
}

/// One figure that is to be frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulletinChoice {
    /// The indicator.
    pub indicator: String,
    /// The period.
    pub period: String,
}

/// What came of publishing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinPublished {
    /// The bulletin; none: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulletin: Option<BulletinView>,
    /// It waits until then for a second person to publish the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
}

/// One bulletin of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinEntry {
    /// What it is.
    #[serde(flatten)]
    pub head: BulletinHead,
    /// How many figures it has.
    pub figures: usize,
}

/// A bulletin, beside its figures as they stand now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinView {
    /// What it is.
    #[serde(flatten)]
    pub head: BulletinHead,
    /// Its figures, by indicator and period.
    pub figures: Vec<FrozenView>,
    /// How many of them say something else by now.
    pub revised: usize,
}

/// What a bulletin is, without its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinHead {
    /// Digest of the statement.
    pub statement: String,
    /// The reporting term whose ledger it is in.
    pub term: u64,
    /// Its place there.
    pub index: u64,
    /// What it is called.
    pub title: String,
    /// The class of recipients that it is for.
    pub class: String,
    /// When it was signed: the moment at which its figures stood so.
    pub issued_at: String,
    /// Who published it; this stays in the house.
    pub by: String,
}

/// A figure as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenView {
    /// The indicator.
    pub indicator: String,
    /// Its titles by language, as they were then.
    pub titles: BTreeMap<String, String>,
    /// The period.
    pub period: String,
    /// The edition.
    pub edition: u64,
    /// Digest of the statement with it.
    pub statement: String,
    /// When that was signed.
    pub issued_at: String,
    /// Digits after the point.
    pub scale: u8,
    /// The figure in one number, times ten to the scale; none: it has no such number.
    pub value: Option<BoundsView>,
    /// How many units it included; none: not known.
    pub units: Option<UnitsView>,
    /// Whether the figure says something else by now.
    pub revised: bool,
    /// How it stands now; none: this node does not know it any more.
    pub now: Option<PresentView>,
}

/// How a figure stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresentView {
    /// The last edition.
    pub edition: u64,
    /// Digest of the statement with it.
    pub statement: String,
    /// When it was signed.
    pub issued_at: String,
    /// The figure in one number, times ten to the scale; none: it has no such number, or there is none.
    pub value: Option<BoundsView>,
    /// How many units it includes; none: not known.
    pub units: Option<UnitsView>,
    /// Why there is no figure any more.
    pub notice: Option<String>,
    /// Why it revises the edition before.
    pub reason: Option<String>,
}

impl From<&BulletinRow> for BulletinEntry {
    fn from(row: &BulletinRow) -> Self {
        Self { head: head(row), figures: row.bulletin.figures().len() }
    }
}

impl From<&View> for BulletinView {
    fn from(view: &View) -> Self {
        let row = &view.row;
        let frozen = row.bulletin.figures().iter().zip(&row.told).zip(&view.now);
        let figures: Vec<FrozenView> =
            frozen.map(|((frozen, told), now)| figure(frozen, told, now.as_ref())).collect();
        let revised = figures.iter().filter(|figure| figure.revised).count();
        Self { head: head(row), figures, revised }
    }
}

fn head(row: &BulletinRow) -> BulletinHead {
    BulletinHead {
        statement: row.statement.to_string(),
        term: row.term,
        index: row.index,
        title: row.bulletin.title().to_owned(),
        class: row.bulletin.class().to_string(),
        issued_at: row.issued_at.to_string(),
        by: row.by.clone(),
    }
}

fn figure(frozen: &Frozen, told: &FrozenTold, now: Option<&Present>) -> FrozenView {
    FrozenView {
        indicator: frozen.figure.indicator.to_string(),
        titles: titles(&told.titles),
        period: frozen.figure.period.map(|period| period.to_string()).unwrap_or_default(),
        edition: frozen.edition,
        statement: frozen.statement.to_string(),
        issued_at: told.issued_at.to_string(),
        scale: told.scale,
        value: value(told.told.as_ref()),
        units: told.told.as_ref().map(|told| units(&told.counts)),
        revised: now.is_some_and(|now| now.revised),
        now: now.map(|now| PresentView {
            edition: now.edition,
            statement: now.statement.to_string(),
            issued_at: now.issued_at.to_string(),
            value: value(now.told.as_ref()),
            units: now.told.as_ref().map(|told| units(&told.counts)),
            notice: now.notice.map(|code| code.code().to_owned()),
            reason: now.reason.map(|reason| reason.code().to_owned()),
        }),
    }
}

fn value(told: Option<&Told>) -> Option<BoundsView> {
    Some(told?.value?.into())
}

fn units(counts: &Counts) -> UnitsView {
    UnitsView {
        expected: counts.total(),
        included: counts.included(),
        states: counts.iter().map(|(state, units)| (state.code().to_owned(), units)).collect(),
    }
}
