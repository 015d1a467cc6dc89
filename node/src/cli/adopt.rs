//! `reeve policy adopt` and `reeve policy adopted`: consent to send what a catalogue proposes.

use reeve_statement::names::IndicatorId;
use serde_json::json;

use super::policy::waits;
use super::{CommandError, Output, plain, table};
use crate::api::{AdoptRequest, Adoptions, Consented, ProposalView};
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

Examples:
  reeve policy adopted --missing
  reeve policy adopt confirmed_by_day beds_free
  reeve policy adopt --legal-basis 'Infectious Disease Act, s. 7'")]
pub struct Arguments {
    /// Indicators of the catalogue in force
    #[arg(required_unless_present = "legal_basis", value_name = "INDICATOR")]
    indicators: Vec<IndicatorId>,
    /// Everything that names this legal basis, now and later
    #[arg(long, value_name = "BASIS", conflicts_with = "indicators")]
    legal_basis: Option<String>,
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
    if let Some(basis) = &arguments.legal_basis {
        let request = AdoptRequest::LegalBasis { legal_basis: basis.clone() };
        let waits_until = adopt(client, &request)?.waits_until;
        let document = json!({ "legal_basis": basis, "waits_until": waits_until });
        return output.show(&document, || {
            if let Some(until) = &waits_until {
                return waits(
                    until,
                    &format!("reeve policy adopt --legal-basis {:?}", plain(basis)),
                );
            }
            format!("Adopted: every indicator whose legal basis is {:?}.", plain(basis))
        });
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
        let answer = adopt(client, &AdoptRequest::Indicator { indicator, definition })?;
        let names = if answer.done { &mut adopted } else { &mut waiting };
        names.push(proposal.indicator.as_str());
        waits_until = answer.waits_until.or(waits_until);
    }
    let document = json!({ "indicators": adopted, "waiting": waiting, "waits_until": waits_until });
    output.show(&document, || {
        let mut lines = Vec::new();
        if !adopted.is_empty() {
            lines.push(format!("Adopted: {}.", adopted.join(", ")));
        }
        if let Some(until) = &waits_until {
            lines.push(waits(until, &format!("reeve policy adopt {}", waiting.join(" "))));
        }
        lines.join("\n")
    })
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
    output.show(&known, || describe(&known, list.missing))
}

fn describe(known: &Adoptions, missing: bool) -> String {
    if known.proposals.is_empty() {
        let none = if missing {
            "Everything that the catalogue proposes is adopted."
        } else {
            "No catalogue proposes anything."
        };
        return none.to_owned();
    }
    let rows: Vec<Vec<String>> = known.proposals.iter().map(row).collect();
    let headings = ["indicator", "adopted", "floor up", "definition", "legal basis", "title"];
    let mut text = table(&headings, &[], &rows);
    for act in known.acts.iter().filter(|act| act.legal_basis.is_some()) {
        let basis = act.legal_basis.as_deref().map(plain).unwrap_or_default();
        text.push_str(&format!(
            "\nEverything under {basis:?} is adopted: by {} on {}",
            plain(&act.who),
            act.at
        ));
    }
    text
}

fn row(proposal: &ProposalView) -> Vec<String> {
    let adopted = match (&proposal.by, &proposal.who, &proposal.at) {
        (None, _, _) => "NOT ADOPTED".to_owned(),
        (Some(by), Some(who), Some(at)) if by == "act" => format!("by {who} on {at}"),
        (Some(by), Some(who), _) => format!("{by}, by {who}"),
        (Some(by), _, _) => by.clone(),
    };
    let floor = match proposal.floor {
        None => "never".to_owned(),
        Some(1) => "exact".to_owned(),
        Some(floor) => floor.to_string(),
    };
    let title = proposal.titles.get("en").or_else(|| proposal.titles.values().next());
    vec![
        proposal.indicator.clone(),
        adopted,
        floor,
        proposal.definition.chars().take(DIGITS).collect(),
        proposal.legal_basis.clone().unwrap_or_else(|| "-".to_owned()),
        title.cloned().unwrap_or_default(),
    ]
}
