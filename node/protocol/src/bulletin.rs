//! Bulletins: somebody of this house freezes chosen figures as they stand.
//!
//! What is frozen is the last edition that was signed of each figure, never what data has changed since:
//! nobody was told that yet. The bulletin is one statement in the ledger, behind all that it names. Beside it
//! this node keeps what each edition told in one number, so that it can be shown for ever how the figures
//! stood then and how they stand now.

use minicbor::{Decode, Encode};
use reeve_statement::bulletin::{Bulletin, BulletinError, Frozen, check_title};
use reeve_statement::catalogue::{RecipientClass, Titles};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::limits::BULLETIN_FIGURES;
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::NoticeCode;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::statement::{Audience, Body, FigureId, Onward};
use reeve_statement::time::Timestamp;

use crate::asks::AskedLoad;
use crate::bugs::Bug;
use crate::consent::Adopter;
use crate::effect::{AskId, Load};
use crate::local::{Answer, Failure};
use crate::node::Node;
use crate::rows::{self, Told};
use crate::situation::headline_scale;

/// Most bulletins of one page.
pub const BULLETINS_PAGE: usize = 50;

/// Longest name of those who published, in characters.
const NAME_CHARS: usize = 128;

/// Which figures are to be frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the bulletin is called.
    pub title: String,
    /// The class of recipients whose editions are meant.
    pub class: RecipientClass,
    /// The figures, in whatever order.
    pub figures: Vec<(IndicatorId, Period)>,
}

/// Why no bulletin was published; nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulletinFault {
    /// Another node of this home reports, or this one may not sign yet.
    #[error(
        "this node does not report for its unit, or may not sign at the moment: publish at the node that \
         reports; `reeve status` says which, and what is waited for"
    )]
    NotReporting,
    /// It is none.
    #[error("{0}")]
    Form(BulletinError),
    /// Nothing was ever told of a figure.
    #[error(
        "no edition of {0} was ever signed: nothing can be frozen; name a period that has a figure, and the \
         class of recipients that is told it"
    )]
    NeverTold(Box<FigureId>),
    /// The last word on a figure is that there is none.
    #[error("there is no figure of {figure}: its last edition says {}", .code.code())]
    Withheld {
        /// Which.
        figure: Box<FigureId>,
        /// Why there is none.
        code: NoticeCode,
    },
    /// The last edition of a figure is not at hand.
    #[error(
        "the last edition of {0} was signed by a store that this node does not have: its next edition can \
         be frozen"
    )]
    NotAtHand(Box<FigureId>),
}

/// A bulletin that this node published.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BulletinRow {
    /// Its place in the ledger.
    #[n(0)]
    pub index: u64,
    /// In which term's ledger.
    #[n(1)]
    pub term: u64,
    /// Digest of the statement.
    #[n(2)]
    pub statement: Digest,
    /// When it was signed: the moment at which the figures stood so.
    #[n(3)]
    pub issued_at: Timestamp,
    /// Who published it; this stays in the house.
    #[n(4)]
    pub by: String,
    /// What it says.
    #[n(5)]
    pub bulletin: Bulletin,
    /// What each of its editions told, in the order of its figures.
    #[n(6)]
    pub told: Vec<FrozenTold>,
}

/// What a frozen edition told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FrozenTold {
    /// Its number and what that is made of; none: not known.
    #[n(0)]
    pub told: Option<Told>,
    /// Digest of what it says; see [`crate::rows::FigureRow::content`].
    #[n(1)]
    pub content: Digest,
    /// When it was signed.
    #[n(2)]
    pub issued_at: Timestamp,
    /// Titles of the indicator then.
    #[n(3)]
    pub titles: Titles,
    /// Digits after the point.
    #[n(4)]
    pub scale: u8,
}

/// How a frozen figure stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its last edition.
    pub edition: u64,
    /// Digest of the statement with it.
    pub statement: Digest,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Whether it says something else than the frozen one.
    pub revised: bool,
    /// What it tells; none: a notice, or not known.
    pub told: Option<Told>,
    /// Why there is no figure any more.
    pub notice: Option<NoticeCode>,
    /// Why it revises the one before it.
    pub reason: Option<RevisionReason>,
}

/// A bulletin, and how its figures stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulletinView {
    /// The bulletin.
    pub row: BulletinRow,
    /// Each of its figures as it stands; none: this node does not know it any more.
    pub now: Vec<Option<Present>>,
}

impl Node {
    /// Somebody of this house publishes; answered when it is durable.
    pub(crate) fn publish_bulletin(
        &mut self,
        ask: AskId,
        by: &str,
        choice: &Choice,
        publisher: Adopter,
    ) {
        let answer = match self.freeze(choice) {
            Ok(_) if publisher == Adopter::FirstOfTwo => Answer::Done,
            Ok((bulletin, told)) => {
                let by = match publisher {
                    Adopter::SecondAfter(first) => format!("{first}, {by}"),
                    Adopter::Alone | Adopter::FirstOfTwo => by.to_owned(),
                };
                self.issue_bulletin(&by, bulletin, told)
            }
            Err(failure) => Answer::Failed(failure),
        };
        self.context.reply(ask, answer);
    }

    /// The figures as they stand, or why one cannot be frozen.
    fn freeze(&self, choice: &Choice) -> Result<(Bulletin, Vec<FrozenTold>), Failure> {
        if self.short {
            return Err(Failure::NoSpace);
        }
        let fault = |fault| Failure::Bulletin(Box::new(fault));
        let form = |error| fault(BulletinFault::Form(error));
        if !self.may_sign() || self.is_clock_behind() {
            return Err(fault(BulletinFault::NotReporting));
        }
        check_title(&choice.title).map_err(form)?;
        if choice.figures.len() > BULLETIN_FIGURES {
            return Err(form(BulletinError::Many(choice.figures.len())));
        }
        let mut frozen = Vec::with_capacity(choice.figures.len());
        for (indicator, period) in &choice.figures {
            let id = FigureId {
                indicator: indicator.clone(),
                period: Some(*period),
                class: choice.class,
            };
            frozen.push(self.frozen(id)?);
        }
        frozen.sort_by(|(one, _), (other, _)| one.figure.cmp(&other.figure));
        let (figures, told) = frozen.into_iter().unzip();
        Ok((Bulletin::new(choice.title.clone(), figures).map_err(form)?, told))
    }

    /// One figure as it stands.
    fn frozen(&self, id: FigureId) -> Result<(Frozen, FrozenTold), Failure> {
        let fault = |fault| Failure::Bulletin(Box::new(fault));
        let indicator = self.reports.catalogue.as_ref().and_then(|(_, it)| it.find(&id.indicator));
        let Some(row) = self.reports.figures.get(&id) else {
            return Err(match indicator {
                None => Failure::UnknownIndicator(id.indicator),
                Some(_) => fault(BulletinFault::NeverTold(Box::new(id))),
            });
        };
        let release = match &row.body {
            Some(Body::Release(release)) => release,
            Some(Body::Notice(notice)) => {
                let (figure, code) = (Box::new(id), notice.code);
                return Err(fault(BulletinFault::Withheld { figure, code }));
            }
            _ => return Err(fault(BulletinFault::NotAtHand(Box::new(id)))),
        };
        let older = release.previous.filter(|_| self.settings.bugs.has(Bug::FreezeOlder));
        let (edition, statement) = match older {
            Some(older) => (row.edition.saturating_sub(1), older),
            None => (row.edition, row.statement),
        };
        let told = FrozenTold {
            told: row.told.clone(),
            content: row.content,
            issued_at: row.issued_at,
            titles: indicator.map(|it| it.title.clone()).unwrap_or_default(),
            scale: indicator.map_or(0, headline_scale),
        };
        Ok((Frozen { figure: id, edition, statement }, told))
    }

    fn issue_bulletin(&mut self, by: &str, bulletin: Bulletin, told: Vec<FrozenTold>) -> Answer {
        let class = bulletin.class();
        let (audience, onward) = match class {
            RecipientClass::Superior => (Audience::Unit(self.recipient()), Onward::Superiors),
            RecipientClass::Neighbour => (Audience::Class(class), Onward::Aggregate),
            RecipientClass::Public => (Audience::Class(class), Onward::Anyone),
        };
        let index = self.ledger.frontier().size();
        let body = Body::Bulletin(bulletin.clone());
        let Some((statement, _)) = self.issue(audience, onward, body, None) else {
            return Answer::Failed(Failure::Bulletin(Box::new(BulletinFault::NotReporting)));
        };
        let row = BulletinRow {
            index,
            term: self.ledger.term(),
            statement,
            issued_at: self.reports.last_signed,
            by: by.chars().take(NAME_CHARS).collect(),
            bulletin,
            told,
        };
        self.context.persist(rows::bulletin(&statement), Some(to_vec(&row)));
        let place = rows::bulletin_place(row.term, index);
        self.context.persist(place, Some(statement.as_bytes().to_vec()));
        Answer::Bulletin(Some(Box::new(self.with_present(row))))
    }

    /// A bulletin beside its figures as they stand now.
    fn with_present(&self, row: BulletinRow) -> BulletinView {
        let frozen = row.bulletin.figures().iter().zip(&row.told);
        let now = frozen.map(|(frozen, told)| {
            let now = self.reports.figures.get(&frozen.figure)?;
            let notice = match &now.body {
                Some(Body::Notice(notice)) => Some(notice.code),
                _ => None,
            };
            Some(Present {
                edition: now.edition,
                statement: now.statement,
                issued_at: now.issued_at,
                revised: now.statement != frozen.statement && now.content != told.content,
                told: now.told.clone(),
                notice,
                reason: now.release().and_then(|release| release.reason),
            })
        });
        let now = now.collect();
        BulletinView { row, now }
    }

    /// Loads the bulletins before a place, or all, the newest first.
    pub(crate) fn load_bulletins(&mut self, ask: AskId, before: Option<(u64, u64)>, limit: usize) {
        let after = before.map(|(term, index)| rows::bulletin_place(term, index));
        let limit = limit.min(BULLETINS_PAGE);
        let what = Load::Scan { prefix: rows::BULLETIN_PLACE.to_vec(), after, limit };
        let load = self.context.load(what);
        self.asked_loads.insert(load, AskedLoad::BulletinPlaces(ask));
    }

    /// The places were loaded: now what stands there.
    pub(crate) fn on_bulletin_places(&mut self, ask: AskId, places: &[(Vec<u8>, Vec<u8>)]) {
        let digest = |value: &Vec<u8>| value.as_slice().try_into().ok().map(Digest::from_bytes);
        let digests: Option<Vec<Digest>> = places.iter().map(|(_, it)| digest(it)).collect();
        let Some(digests) = digests else {
            let damaged = Failure::Damaged("list of bulletins");
            return self.context.reply(ask, Answer::Failed(damaged));
        };
        if digests.is_empty() {
            return self.context.reply(ask, Answer::Bulletins(Vec::new()));
        }
        let load = Load::Get(digests.iter().map(rows::bulletin).collect());
        let load = self.context.load(load);
        self.asked_loads.insert(load, AskedLoad::Bulletins(ask));
    }

    pub(crate) fn load_bulletin(&mut self, ask: AskId, statement: &Digest) {
        let load = self.context.load(Load::Get(vec![rows::bulletin(statement)]));
        self.asked_loads.insert(load, AskedLoad::Bulletin(ask));
    }

    /// The bulletin as it was published, beside what stands now.
    pub(crate) fn bulletin_of(&self, value: Option<&Vec<u8>>) -> Answer {
        match value.map(|value| read(value)) {
            None => Answer::Bulletin(None),
            Some(Some(row)) => Answer::Bulletin(Some(Box::new(self.with_present(row)))),
            Some(None) => Answer::Failed(Failure::Damaged("bulletin")),
        }
    }
}

/// The bulletins of a page.
pub(crate) fn page(values: &[Option<Vec<u8>>]) -> Answer {
    let rows: Option<Vec<BulletinRow>> = values.iter().map(|value| read(value.as_ref()?)).collect();
    rows.map_or(Answer::Failed(Failure::Damaged("bulletin")), Answer::Bulletins)
}

fn read(value: &[u8]) -> Option<BulletinRow> {
    from_slice("bulletin", value, value.len()).ok()
}
