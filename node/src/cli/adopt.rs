//! `reeve policy adopt` and `reeve policy adopted`: consent to send what a catalogue proposes, and its
//! withdrawal.

use reeve_statement::names::IndicatorId;
use serde_json::json;

use super::policy::waits;
use super::texts::{Locale, Text};
use super::{CommandError, Output, plain, table};
use crate::api::{AdoptRequest, Adoptions, Consented, PolicyChange, ProposalView};
use crate::client::Client;

/// Digits of a definition's digest that the text shows; `--json` has all.
const DIGITS: usize = 12;

/// What to adopt.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A catalogue proposes indicators. Nothing of one leaves the house before it is adopted; until then the
superior gets a notice that says so. What is adopted is a definition: when the catalogue changes it, it
is proposed anew. --legal-basis adopts every indicator that names this legal basis word for word, also
those that later catalogues propose or change. Each act is an entry of the ledger and names the token
that did it; it holds for every node of the home.

--withdraw takes a consent back, whatever it was given by: an act, a legal basis, the settings. From then on
the superior gets the notice instead of figures. What it was told of periods that had ended stands; nothing
more is said of them. It holds for every definition of the indicator until somebody adopts it again.

Examples:
  reeve policy adopted --missing
  reeve policy adopt confirmed_by_day beds_free
  reeve policy adopt --legal-basis 'Infectious Disease Act, s. 7'
  reeve policy adopt beds_free --withdraw")]
pub struct Arguments {
    /// Indicators of the catalogue in force
    #[arg(required_unless_present = "legal_basis", value_name = "INDICATOR")]
    indicators: Vec<IndicatorId>,
    /// Everything that names this legal basis, now and later
    #[arg(long, value_name = "BASIS", conflicts_with = "indicators")]
    legal_basis: Option<String>,
    /// Withdraw the consent
    #[arg(long)]
    withdraw: bool,
}

/// What to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve policy adopted
  reeve policy adopted --missing --json")]
pub struct List {
    /// Only what is not adopted
    #[arg(long)]
    missing: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    client: &Client,
    output: &Output,
) -> Result<(), CommandError> {
    let withdraw = arguments.withdraw;
    if let Some(basis) = &arguments.legal_basis {
        return by_basis(basis, withdraw, client, output);
    }
    let known: Adoptions = client.get("/v1/adoptions")?;
    // All are looked up before the first is adopted.
    let wanted: Vec<&ProposalView> = arguments
        .indicators
        .iter()
        .map(|id| {
            let found = known.proposals.iter().find(|it| it.indicator == id.as_str());
            found.ok_or_else(|| {
                CommandError::Failed(format!(
                    "no indicator {id} in the catalogue; see `reeve policy adopted`"
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    let mut waits_until = None;
    let (mut adopted, mut waiting) = (Vec::new(), Vec::new());
    for proposal in &wanted {
        let (indicator, definition) = (proposal.indicator.clone(), proposal.definition.clone());
        let request = match withdraw {
            true => AdoptRequest::Withdraw { withdraw: indicator },
            false => AdoptRequest::Indicator { indicator, definition },
        };
        let answer = adopt(client, &request)?;
        let names = if answer.done { &mut adopted } else { &mut waiting };
        names.push(proposal.indicator.as_str());
        waits_until = answer.waits_until.or(waits_until);
    }
    let document = json!({
        "indicators": adopted, "withdrawn": withdraw, "waiting": waiting, "waits_until": waits_until
    });
    let locale = output.locale();
    output.show(&document, || {
        let mut lines = Vec::new();
        if !adopted.is_empty() {
            let done = if withdraw { Text::WithdrawnTold } else { Text::AdoptedTold };
            lines.push(locale.fill(done, &[&adopted.join(", ")]));
        }
        if let Some(until) = &waits_until {
            let command = format!("reeve policy adopt {}{}", waiting.join(" "), option(withdraw));
            lines.push(waits(until, &command, locale));
        }
        lines.join("\n")
    })
}

/// Adopts all that names a legal basis, or withdraws it.
fn by_basis(
    basis: &str,
    withdraw: bool,
    client: &Client,
    output: &Output,
) -> Result<(), CommandError> {
    let request = match withdraw {
        true => AdoptRequest::WithdrawLegalBasis { withdraw_legal_basis: basis.to_owned() },
        false => AdoptRequest::LegalBasis { legal_basis: basis.to_owned() },
    };
    let waits_until = adopt(client, &request)?.waits_until;
    let document =
        json!({ "legal_basis": basis, "withdrawn": withdraw, "waits_until": waits_until });
    let locale = output.locale();
    output.show(&document, || {
        let basis = format!("{:?}", plain(basis));
        match &waits_until {
            Some(until) => {
                let command = format!("reeve policy adopt --legal-basis {basis}");
                waits(until, &(command + option(withdraw)), locale)
            }
            None if withdraw => locale.fill(Text::WithdrawnBasis, &[&basis]),
            None => locale.fill(Text::AdoptedBasis, &[&basis]),
        }
    })
}

const fn option(withdraw: bool) -> &'static str {
    if withdraw { " --withdraw" } else { "" }
}

fn adopt(client: &Client, what: &AdoptRequest) -> Result<Consented, CommandError> {
    Ok(client.send("POST", "/v1/adoptions", what)?)
}

pub(super) fn list(list: &List, client: &Client, output: &Output) -> Result<(), CommandError> {
    let mut known: Adoptions = client.get("/v1/adoptions")?;
    if list.missing {
        known.proposals.retain(|proposal| !proposal.adopted);
        known.acts.clear();
    }
    output.show(&known, || describe(&known, list.missing, output.locale()))
}

fn describe(known: &Adoptions, missing: bool, locale: &Locale) -> String {
    let mut text = proposals(known, missing, locale);
    for act in &known.acts {
        let (who, at) = (plain(&act.who), &act.at);
        let told = match (&act.legal_basis, &act.policy) {
            (Some(basis), _) => {
                let what = if act.withdraws { Text::BasisWithdrawn } else { Text::BasisAdopted };
                locale.fill(what, &[&format!("{:?}", plain(basis)), &who, at])
            }
            (None, Some(PolicyChange { before, after })) if who.is_empty() => {
                locale.fill(Text::PolicyFound, &[&short(after), &short(before), at])
            }
            (None, Some(PolicyChange { before, after })) => {
                locale.fill(Text::PolicyChanged, &[&short(after), &short(before), &who, at])
            }
            (None, None) => continue,
        };
        text.push_str(&format!("\n{told}"));
    }
    text
}

/// How a digest begins.
fn short(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

fn proposals(known: &Adoptions, missing: bool, locale: &Locale) -> String {
    if known.proposals.is_empty() {
        let none = if missing { Text::EverythingAdopted } else { Text::NothingProposed };
        return locale.say(none).to_owned();
    }
    let rows: Vec<Vec<String>> = known.proposals.iter().map(|it| row(it, locale)).collect();
    let headings = [
        Text::HeadIndicator,
        Text::HeadAdopted,
        Text::HeadFloor,
        Text::HeadDefinition,
        Text::HeadLegalBasis,
        Text::HeadTitle,
    ];
    table(&headings.map(|heading| locale.say(heading)), &[], &rows)
}

fn row(proposal: &ProposalView, locale: &Locale) -> Vec<String> {
    let by = |by: &str| locale.of_code("adopt", &format!("by_{}", by.replace(' ', "_")));
    let adopted = match (&proposal.by, &proposal.who, &proposal.at) {
        (None, Some(who), Some(at)) => locale.fill(Text::WithdrawnBy, &[&plain(who), at]),
        (None, _, _) => locale.say(Text::NotAdoptedCell).to_owned(),
        (Some(by), Some(who), Some(at)) if by == "act" => {
            locale.fill(Text::AdoptedBy, &[&plain(who), at])
        }
        (Some(through), Some(who), _) => {
            locale.fill(Text::AdoptedThrough, &[&by(through), &plain(who)])
        }
        (Some(through), _, _) => by(through),
    };
    let floor = match proposal.floor {
        None => locale.say(Text::FloorNever).to_owned(),
        Some(1) => locale.say(Text::FloorExact).to_owned(),
        Some(floor) => floor.to_string(),
    };
    vec![
        proposal.indicator.clone(),
        adopted,
        floor,
        short(&proposal.definition),
        proposal.legal_basis.clone().unwrap_or_else(|| "-".to_owned()),
        locale.pick(&proposal.titles).unwrap_or_default().to_owned(),
    ]
}
