//! Documents about what a house sends, whom it knows, and how it decides.

use std::collections::BTreeMap;

use reeve_audit::{EQUIVOCATION_FORMAT, EquivocationFile};
use reeve_protocol::consent::{Act, Consent, Proposal};
use reeve_protocol::rows::{CosignedRow, EquivocationRow, IssuedRow, SentRow};
use reeve_statement::adoption::Adopted;
use reeve_statement::calendar::DueDays;
use reeve_statement::catalogue::{Catalogue, CutOff, Floors, Indicator, RecipientClass};
use reeve_statement::cert::Chain;
use serde::{Deserialize, Serialize};

use super::figure::{measure, titles};

/// Periods that an indicator has figures for, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Periods {
    /// The periods.
    pub periods: Vec<String>,
}

/// One statement that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentEntry {
    /// Its place in the ledger.
    pub index: u64,
    /// The reporting term whose ledger it is.
    pub term: u64,
    /// Digest of the statement.
    pub statement: String,
    /// release, notice, request, catalogue, register, declaration, bulletin.
    pub kind: String,
    /// Which figure, if it is about one.
    pub figure: Option<String>,
    /// Its edition; 0 if it is about no figure.
    pub edition: u64,
    /// For whom.
    pub audience: String,
    /// When it was signed.
    pub issued_at: String,
    /// Bytes of the signed statement.
    pub bytes: u64,
    /// Digest of the policy set that decided it.
    pub policy_set: Option<String>,
    /// Ids of the policies that determined it.
    pub determining: Vec<String>,
    /// Digest of what the policy set was asked.
    #[serde(default)]
    pub asked: Option<String>,
}

impl From<&SentRow> for SentEntry {
    fn from(row: &SentRow) -> Self {
        Self {
            index: row.index,
            term: row.term,
            statement: row.statement.to_string(),
            kind: row.kind.clone(),
            figure: row.figure.as_ref().map(ToString::to_string),
            edition: row.edition,
            audience: row.audience.clone(),
            issued_at: row.issued_at.to_string(),
            bytes: row.bytes,
            policy_set: row.policy_set.map(|digest| digest.to_string()),
            determining: row.determining.clone(),
            asked: row.asked.map(|digest| digest.to_string()),
        }
    }
}

/// One certificate that the unit's authority issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedEntry {
    /// Its place in the ledger.
    pub index: u64,
    /// The reporting term whose ledger it is.
    pub term: u64,
    /// What stands there: the digest of a prefix and the certificate.
    pub entry: String,
    /// Its serial number.
    pub serial: String,
    /// Its subject.
    pub subject: String,
    /// authority, node or writer.
    pub role: String,
    /// The unit that it is for.
    pub unit: String,
    /// Its last second of validity.
    pub not_after: String,
    /// When it was entered.
    pub entered_at: String,
    /// How it came about.
    pub by: String,
    /// The certificate, DER, as hexadecimal digits.
    pub certificate: String,
}

impl From<&IssuedRow> for IssuedEntry {
    fn from(row: &IssuedRow) -> Self {
        Self {
            index: row.index,
            term: row.term,
            entry: row.entry.to_string(),
            serial: row.serial.clone(),
            subject: row.subject.clone(),
            role: row.role.clone(),
            unit: row.unit.clone(),
            not_after: row.not_after.to_string(),
            entered_at: row.entered_at.to_string(),
            by: row.by.clone(),
            certificate: hex::encode(&row.certificate),
        }
    }
}

/// What an auditor needs besides statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Digest of the statement with the catalogue in force.
    pub catalogue: Option<String>,
    /// The revocation lists at hand, in PEM.
    pub lists: Vec<String>,
}

/// A proof that a statement is in the ledger (RFC 6962 section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Place of the statement.
    pub index: u64,
    /// Size of the ledger that it is proved for.
    pub size: u64,
    /// The hashes, from the leaf up.
    pub hashes: Vec<String>,
    /// The same as a COSE receipt (RFC 9942), in hexadecimal; none: the ledger is of an earlier term, or was
    /// shown to nobody at this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// A checkpoint that a witness has cosigned (C2SP tlog-cosignature).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosigned {
    /// The reporting term of the ledger.
    pub term: u64,
    /// How many entries it holds.
    pub size: u64,
    /// The signed note, with the witness's signature.
    pub checkpoint: String,
    /// Which unit's node cosigned it.
    pub witness: String,
    /// When, by the witness's clock.
    pub at: String,
    /// The witness's chain of certificates, leaf first, in PEM.
    pub chain: String,
    /// Size of the checkpoint that was cosigned before it; 0: none.
    pub before: u64,
    /// Others who cosigned it: their signatures follow in the note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<CosignerView>,
}

/// One more witness of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CosignerView {
    /// Which unit's node cosigned it.
    pub witness: String,
    /// When, by its own clock.
    pub at: String,
    /// Its chain of certificates, leaf first, in PEM.
    pub chain: String,
}

impl Cosigned {
    /// The document for a row.
    #[must_use]
    pub fn of(row: &CosignedRow) -> Self {
        // Kept as it was shown; what cannot be read proves nothing, and says so by being empty.
        let pem = |chain: &[u8]| Chain::from_cbor(chain).map(|it| it.to_pem()).unwrap_or_default();
        let also = row.also.iter().flatten().map(|cosigner| CosignerView {
            witness: cosigner.unit.to_string(),
            at: cosigner.at.to_string(),
            chain: pem(&cosigner.chain),
        });
        Self {
            term: row.term,
            size: row.size,
            checkpoint: row.note.clone(),
            witness: row.witness.to_string(),
            at: row.at.to_string(),
            chain: pem(&row.chain),
            before: row.before,
            also: also.collect(),
        }
    }
}

/// By whose key a ledger is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSigner {
    /// The node's chain of certificates, leaf first, in PEM.
    pub chain: String,
    /// The revocation lists that it holds, in PEM.
    #[serde(default)]
    pub lists: Vec<String>,
}

/// An auditor's cosignature of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosignatureGiven {
    /// The checkpoint, as the node signed it.
    pub checkpoint: String,
    /// The auditor's signature line, with its line ending (C2SP tlog-cosignature).
    pub cosignature: String,
    /// The auditor's chain of certificates, leaf first, in PEM.
    pub chain: String,
}

/// The file for the proof that a unit keeps two ledgers.
#[must_use]
pub fn equivocation_file(row: &EquivocationRow) -> EquivocationFile {
    let chain = Chain::from_cbor(&row.chain);
    EquivocationFile {
        format: EQUIVOCATION_FORMAT.to_owned(),
        unit: row.unit.to_string(),
        term: row.term,
        one: row.one.clone(),
        other: row.other.clone(),
        chain: chain.map(|chain| chain.to_pem()).unwrap_or_default(),
        found_at: Some(row.found_at.to_string()),
    }
}

/// A node to be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// Its chain of certificates in CBOR, as hexadecimal digits.
    pub chain: String,
    /// The unit's names by language, if it is to enter the register.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// The unit's time zone.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// What was sent is taken: verified, durable and in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Always true.
    pub done: bool,
}

/// What came of adopting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consented {
    /// Whether it is adopted.
    pub done: bool,
    /// It waits until then for a second person to adopt the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
}

/// One indicator of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndicatorView {
    /// Its name.
    pub indicator: String,
    /// Its titles by language.
    pub titles: BTreeMap<String, String>,
    /// The kind of its records.
    pub kind: String,
    /// Whether they stand for persons.
    pub personal: bool,
    /// day, week, month or now.
    pub step: String,
    /// What is computed.
    pub measure: String,
    /// Names of its dimensions.
    pub dimensions: Vec<String>,
    /// Digits after the point.
    pub scale: u8,
    /// Levels below the unit that rows tell apart.
    pub area_depth: u8,
    /// The hour at which its days end; none: midnight, or it puts no moments into days.
    pub cut_off: Option<u8>,
    /// Fewest contributors of a told cell, by class of recipients; none: the class is told nothing.
    pub floors: BTreeMap<String, Option<u32>>,
    /// The law it rests on.
    pub legal_basis: Option<String>,
    /// Hours after a period's end when it is expected.
    pub expected_within_hours: Option<u32>,
    /// On which days it is due: `every`, `working`, or days of the week.
    pub due: Vec<String>,
    /// Digest of its definition.
    pub definition: String,
}

/// The catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueView {
    /// Counts up.
    pub version: u64,
    /// Digest of the schema it was checked against.
    pub schema: String,
    /// Its indicators.
    pub indicators: Vec<IndicatorView>,
}

impl From<&Catalogue> for CatalogueView {
    fn from(catalogue: &Catalogue) -> Self {
        Self {
            version: catalogue.version,
            schema: catalogue.schema.to_string(),
            indicators: catalogue.indicators.iter().map(IndicatorView::from).collect(),
        }
    }
}

impl From<&Indicator> for IndicatorView {
    fn from(indicator: &Indicator) -> Self {
        let floor = |class: RecipientClass| {
            let floor = indicator.floors.of(class);
            (class.to_string(), Some(floor).filter(|floor| *floor != Floors::NEVER))
        };
        Self {
            indicator: indicator.id.to_string(),
            titles: titles(&indicator.title),
            kind: indicator.kind.to_string(),
            personal: indicator.personal,
            step: indicator.step.to_string(),
            measure: measure(&indicator.measure).to_owned(),
            dimensions: indicator.group_by.iter().map(|by| by.field().to_string()).collect(),
            scale: indicator.scale,
            area_depth: indicator.area_depth,
            cut_off: indicator.cut_off.map(CutOff::hour),
            floors: RecipientClass::ALL.into_iter().map(floor).collect(),
            legal_basis: indicator.legal_basis.clone(),
            expected_within_hours: indicator.expected_within_hours,
            due: match indicator.due_days {
                None => vec!["every".to_owned()],
                Some(DueDays::Working) => vec!["working".to_owned()],
                Some(DueDays::On(days)) => days.names().map(str::to_owned).collect(),
            },
            definition: indicator.definition().to_string(),
        }
    }
}

/// What somebody adopts: an indicator in the definition that was looked at, or a legal basis; or what is
/// adopted no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum AdoptRequest {
    /// One definition of one indicator.
    Indicator {
        /// The indicator.
        indicator: String,
        /// Digest of its definition.
        definition: String,
    },
    /// Everything that names this legal basis, now and later.
    LegalBasis {
        /// The legal basis, word for word.
        legal_basis: String,
    },
    /// No definition of an indicator any more.
    Withdraw {
        /// The indicator.
        withdraw: String,
    },
    /// Nothing any more that names a legal basis.
    WithdrawLegalBasis {
        /// The legal basis, word for word.
        withdraw_legal_basis: String,
    },
}

/// How an indicator that a catalogue proposes stands at this home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalView {
    /// The indicator.
    pub indicator: String,
    /// Its titles by language.
    pub titles: BTreeMap<String, String>,
    /// The legal basis that it names.
    pub legal_basis: Option<String>,
    /// Least contributors behind a cell for the superior; 1 is exact, none: it is never told.
    pub floor: Option<u32>,
    /// Digest of its definition.
    pub definition: String,
    /// Whether it is adopted.
    pub adopted: bool,
    /// By what: act, legal basis, own catalogue, settings; none: it is not adopted.
    pub by: Option<String>,
    /// Whose act it was, also if it withdrew the consent.
    pub who: Option<String>,
    /// When.
    pub at: Option<String>,
    /// Whether the consent was withdrawn.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub withdrawn: bool,
}

/// An act of adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActView {
    /// The indicator, if it was one.
    pub indicator: Option<String>,
    /// Digest of its definition.
    pub definition: Option<String>,
    /// The legal basis, if it was one.
    pub legal_basis: Option<String>,
    /// Whether it withdraws the consent to it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub withdraws: bool,
    /// The policy set that it put in force, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyChange>,
    /// The token by which it was done, or two; empty: a policy set was found in place of the one before.
    pub who: String,
    /// When.
    pub at: String,
    /// What stands for it in the ledger, and in decisions.
    pub entry: String,
    /// Where in the present term's ledger; none: this node keeps none.
    pub index: Option<u64>,
}

/// That another policy set is in force: digests of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// Of the one before.
    pub before: String,
    /// Of the one that holds from then on.
    pub after: String,
}

/// What a catalogue proposes, and what this home consented to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoptions {
    /// Indicators of the catalogue in force.
    pub proposals: Vec<ProposalView>,
    /// Every act, the oldest first.
    pub acts: Vec<ActView>,
}

impl From<&Proposal> for ProposalView {
    fn from(proposal: &Proposal) -> Self {
        let Proposal { indicator, definition, consent } = proposal;
        let floor = indicator.floors.superior;
        let act = match consent {
            Consent::Act(act) | Consent::Withdrawn(act) => Some(act),
            _ => None,
        };
        let by = match consent {
            Consent::NotAdopted | Consent::Withdrawn(_) => None,
            Consent::OwnCatalogue => Some("own catalogue"),
            Consent::Settings => Some("settings"),
            Consent::Act(act) => Some(match act.what {
                Adopted::LegalBasis(_) => "legal basis",
                _ => "act",
            }),
        };
        Self {
            indicator: indicator.id.to_string(),
            titles: titles(&indicator.title),
            legal_basis: indicator.legal_basis.clone(),
            floor: Some(floor).filter(|floor| *floor != Floors::NEVER),
            definition: definition.to_string(),
            adopted: by.is_some(),
            by: by.map(str::to_owned),
            who: act.map(|act| act.by.clone()),
            at: act.map(|act| act.at.to_string()),
            withdrawn: matches!(consent, Consent::Withdrawn(_)),
        }
    }
}

impl From<&Act> for ActView {
    fn from(act: &Act) -> Self {
        let (indicator, definition, legal_basis) = match &act.adoption.what {
            Adopted::Definition { indicator, definition } => {
                (Some(indicator.to_string()), Some(definition.to_string()), None)
            }
            Adopted::Withdrawn(indicator) => (Some(indicator.to_string()), None, None),
            Adopted::LegalBasis(basis) | Adopted::WithdrawnBasis(basis) => {
                (None, None, Some(basis.clone()))
            }
            Adopted::Policy { .. } => (None, None, None),
        };
        let policy = match &act.adoption.what {
            Adopted::Policy { before, after } => {
                Some(PolicyChange { before: before.to_string(), after: after.to_string() })
            }
            _ => None,
        };
        Self {
            indicator,
            definition,
            legal_basis,
            policy,
            withdraws: matches!(
                act.adoption.what,
                Adopted::Withdrawn(_) | Adopted::WithdrawnBasis(_)
            ),
            who: act.adoption.by.clone(),
            at: act.adoption.at.to_string(),
            entry: act.entry.to_string(),
            index: act.index,
        }
    }
}

/// A policy set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyState {
    /// Ids of its policies.
    pub policies: Vec<String>,
    /// What is questionable about it.
    pub findings: Vec<String>,
    /// It is not in force: it waits until then for a second person to set the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
}
