//! Bulletins: a chosen set of figures, frozen as they stood at a moment.
//!
//! A bulletin repeats no number. It names editions, each by the digest of the statement that carries it, so
//! that whoever has the bulletin and those statements can tell what was published and whether it was
//! revised since; whoever has the bulletin alone learns no figure. Its moment is the one at which the
//! statement with it was signed.

use minicbor::{Decode, Encode};

use crate::catalogue::RecipientClass;
use crate::cbor::bounded_vec;
use crate::digest::Digest;
use crate::limits::{BULLETIN_FIGURES, TEXT_BYTES};
use crate::statement::FigureId;

/// Why something is no bulletin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulletinError {
    /// The title is empty, too long, or more than one line.
    #[error("expected a title of one line of 1 to {TEXT_BYTES} bytes, found {0} bytes")]
    Title(usize),
    /// There is no figure, or there are too many.
    #[error("expected 1 to {BULLETIN_FIGURES} figures, found {0}")]
    Many(usize),
    /// A figure stands twice, or not in order.
    #[error("expected each figure once, in order of indicator and period, found {0} out of place")]
    Order(Box<FigureId>),
    /// A figure is of no period.
    #[error("expected a figure of one period, found {0}")]
    EveryPeriod(Box<FigureId>),
    /// Figures for different classes of recipients.
    #[error("expected figures for one class of recipients, found {found} beside {expected}")]
    Classes {
        /// That of the first figure.
        expected: RecipientClass,
        /// That of another one.
        found: RecipientClass,
    },
    /// Editions are counted from 1.
    #[error("expected an edition from 1 on, found edition 0 of {0}")]
    NoEdition(Box<FigureId>),
}

/// A figure as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Frozen {
    /// Which figure.
    #[n(0)]
    pub figure: FigureId,
    /// Its edition.
    #[n(1)]
    pub edition: u64,
    /// Digest of the statement with that edition.
    #[n(2)]
    pub statement: Digest,
}

/// A chosen set of figures as they stood. Only [`Bulletin::new`] and the decoder make one, by the same rules.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Bulletin {
    #[cbor(n(0), with = "crate::cbor::text")]
    title: String,
    #[n(1)]
    figures: Vec<Frozen>,
}

/// What is decoded before it is held against the rules.
#[derive(Decode)]
#[cbor(map)]
struct Read {
    #[cbor(n(0), with = "crate::cbor::text")]
    title: String,
    #[cbor(n(1), decode_with = "bounded_figures")]
    figures: Vec<Frozen>,
}

fn bounded_figures<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Frozen>, minicbor::decode::Error> {
    bounded_vec(d, ctx, BULLETIN_FIGURES)
}

impl<'b, C> Decode<'b, C> for Bulletin {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let Read { title, figures } = Read::decode(d, ctx)?;
        Self::checked(title, figures).map_err(minicbor::decode::Error::custom)
    }
}

impl Bulletin {
    /// A bulletin of these figures, in whatever order they come.
    ///
    /// # Errors
    /// [`BulletinError`] if the title or the set of figures is none of a bulletin.
    pub fn new(title: String, mut figures: Vec<Frozen>) -> Result<Self, BulletinError> {
        figures.sort_by(|one, other| one.figure.cmp(&other.figure));
        Self::checked(title, figures)
    }

    fn checked(title: String, figures: Vec<Frozen>) -> Result<Self, BulletinError> {
        check_title(&title)?;
        let Some(first) = figures.first().filter(|_| figures.len() <= BULLETIN_FIGURES) else {
            return Err(BulletinError::Many(figures.len()));
        };
        let expected = first.figure.class;
        let mut before: Option<&FigureId> = None;
        for Frozen { figure, edition, .. } in &figures {
            if figure.period.is_none() {
                return Err(BulletinError::EveryPeriod(Box::new(figure.clone())));
            }
            if figure.class != expected {
                return Err(BulletinError::Classes { expected, found: figure.class });
            }
            if *edition == 0 {
                return Err(BulletinError::NoEdition(Box::new(figure.clone())));
            }
            if before.is_some_and(|before| before >= figure) {
                return Err(BulletinError::Order(Box::new(figure.clone())));
            }
            before = Some(figure);
        }
        Ok(Self { title, figures })
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The figures, by indicator and period; at least one.
    #[must_use]
    pub fn figures(&self) -> &[Frozen] {
        &self.figures
    }

    /// For which class of recipients its figures are protected.
    #[must_use]
    pub fn class(&self) -> RecipientClass {
        self.figures.first().map_or(RecipientClass::Superior, |first| first.figure.class)
    }
}

/// Holds a title against the rules.
///
/// # Errors
/// [`BulletinError::Title`].
pub fn check_title(title: &str) -> Result<(), BulletinError> {
    let lines = title.chars().any(char::is_control);
    if title.trim().is_empty() || title.len() > TEXT_BYTES || lines {
        return Err(BulletinError::Title(title.len()));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbor::{from_slice, to_vec};
    use crate::names::IndicatorId;

    const LIMIT: usize = 1 << 20;

    fn frozen(indicator: &str, period: &str, edition: u64) -> Frozen {
        let figure = FigureId {
            indicator: IndicatorId::new(indicator).unwrap(),
            period: Some(period.parse().unwrap()),
            class: RecipientClass::Public,
        };
        let statement = Digest::of(figure.to_string().as_bytes());
        Frozen { figure, edition, statement }
    }

    fn read(bytes: &[u8]) -> Result<Bulletin, crate::cbor::CborError> {
        from_slice("bulletin", bytes, LIMIT)
    }

    /// The bytes of what [`Bulletin::new`] would not make.
    fn bytes_of(title: &str, figures: Vec<Frozen>) -> Vec<u8> {
        to_vec(&Bulletin { title: title.to_owned(), figures })
    }

    #[test]
    fn what_is_made_is_read_again() {
        let figures = vec![
            frozen("deaths", "2020-03-01", 3),
            frozen("cases", "2020-03-02", 1),
            frozen("cases", "2020-03-01", 2),
        ];
        let made = Bulletin::new("Noon".to_owned(), figures).unwrap();
        assert_eq!(read(&to_vec(&made)).unwrap(), made);
        let order: Vec<String> = made.figures().iter().map(|it| it.figure.to_string()).collect();
        assert_eq!(
            order,
            [
                "cases 2020-03-01 for public",
                "cases 2020-03-02 for public",
                "deaths 2020-03-01 for public"
            ]
        );
        assert_eq!((made.title(), made.class()), ("Noon", RecipientClass::Public));
    }

    #[test]
    fn each_rule_holds_for_who_makes_and_for_who_reads() {
        let one = || frozen("cases", "2020-03-01", 1);
        let mut for_ever = one();
        for_ever.figure.period = None;
        let mut other = frozen("deaths", "2020-03-01", 1);
        other.figure.class = RecipientClass::Neighbour;
        let day = |n: usize| frozen(&format!("i{n:05}"), "2020-03-01", 1);
        let cases: Vec<(&str, Vec<Frozen>, &str)> = vec![
            ("", vec![one()], "found 0 bytes"),
            (" ", vec![one()], "found 1 bytes"),
            ("two\nlines", vec![one()], "one line"),
            ("Noon", Vec::new(), "found 0"),
            ("Noon", (0..=BULLETIN_FIGURES).map(day).collect(), "found 257"),
            ("Noon", vec![one(), one()], "out of place"),
            ("Noon", vec![for_ever], "every period"),
            ("Noon", vec![one(), other], "neighbour beside public"),
            ("Noon", vec![frozen("cases", "2020-03-01", 0)], "edition 0"),
        ];
        for (title, figures, why) in cases {
            let error = Bulletin::new(title.to_owned(), figures.clone()).unwrap_err();
            assert!(error.to_string().contains(why), "{why}: {error}");
            assert!(read(&bytes_of(title, figures)).is_err(), "{why}");
        }
        let long = "x".repeat(TEXT_BYTES + 1);
        assert_eq!(Bulletin::new(long.clone(), vec![one()]), Err(BulletinError::Title(513)));
        assert!(read(&bytes_of(&long, vec![one()])).is_err());
        // Only the reader minds the order: the maker sorts.
        let turned = vec![frozen("deaths", "2020-03-01", 1), one()];
        assert!(Bulletin::new("Noon".to_owned(), turned.clone()).is_ok());
        assert!(read(&bytes_of("Noon", turned)).is_err());
    }

    proptest! {
        /// However figures are chosen: one bulletin comes of one set, and what is read was made.
        #[test]
        fn one_set_is_one_bulletin(
            chosen in prop::collection::btree_set((0_u8..4, 1_u8..29), 1..20),
            turn in 0_usize..20,
        ) {
            let figure = |(indicator, day): &(u8, u8)| {
                frozen(&format!("i{indicator}"), &format!("2020-02-{day:02}"), 1)
            };
            let figures: Vec<Frozen> = chosen.iter().map(figure).collect();
            let mut turned = figures.clone();
            turned.rotate_left(turn % figures.len());
            let one = Bulletin::new("Noon".to_owned(), figures).unwrap();
            prop_assert_eq!(&Bulletin::new("Noon".to_owned(), turned.clone()).unwrap(), &one);
            prop_assert_eq!(&read(&to_vec(&one)).unwrap(), &one);
            let read = read(&bytes_of("Noon", turned.clone()));
            prop_assert_eq!(read.is_ok(), turned == one.figures());
        }
    }
}
