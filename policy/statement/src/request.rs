//! Requests: what a superior or peer asks for, for what purpose, on which legal basis.

use minicbor::{Decode, Encode};

use crate::calendar::Calendar;
use crate::catalogue::RecipientClass;
use crate::cbor::bounded_vec;
use crate::limits::INDICATORS;
use crate::names::IndicatorId;
use crate::period::Period;

/// Asks for figures, once or as they change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Request {
    /// As which class of recipient.
    #[n(0)]
    pub class: RecipientClass,
    /// The indicators; none: all of the catalogue.
    #[cbor(n(1), decode_with = "decode_ids")]
    pub indicators: Vec<IndicatorId>,
    /// First period; none: from the beginning.
    #[n(2)]
    pub from: Option<Period>,
    /// Last period; none: open.
    #[n(3)]
    pub to: Option<Period>,
    /// Whether later editions are to be sent as they are cut.
    #[n(4)]
    pub subscribe: bool,
    /// What for.
    #[cbor(n(5), with = "crate::cbor::text")]
    pub purpose: String,
    /// On which legal basis.
    #[cbor(n(6), with = "crate::cbor::text")]
    pub legal_basis: String,
    /// Response level that the asker declares to be in force; 0: none.
    #[n(7)]
    pub response_level: u8,
    /// Version of the catalogue that the asker follows.
    #[n(8)]
    pub catalogue_version: u64,
    /// When the unit that is asked works, by the asker's register.
    #[n(9)]
    pub calendar: Option<Calendar>,
}

fn decode_ids<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<IndicatorId>, minicbor::decode::Error> {
    bounded_vec(d, ctx, INDICATORS)
}
