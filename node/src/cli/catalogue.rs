//! `reeve catalogue`: the indicators; checking a catalogue file, and signing and publishing it.

use std::path::{Path, PathBuf};

use reeve_crdt::schema::Schema;
use reeve_statement::catalogue::Catalogue;
use reeve_statement::cose;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use serde_json::json;

use super::asking::Node;
use super::files::read_text;
use super::identity::{PassphraseArguments, failed, now};
use super::{CommandError, Global, Output, table};
use crate::api::{CatalogueView, JSON, Published, TOML};
use crate::client::Client;
use crate::house::House;

/// What to do with the catalogue.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve catalogue show
  reeve catalogue check catalogue.toml
  reeve catalogue publish catalogue.toml --passphrase-file passphrase")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Show the catalogue in force
    Show,
    /// Check a catalogue file against the schema
    Check(Check),
    /// Sign a catalogue file with the authority key, and hand it to the running node, which passes
    /// it down
    Publish(Publish),
}

/// Which file.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The catalogue file (TOML)
    file: PathBuf,
    /// The schema file; else the running node's
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

/// Which file, and whose key.
#[derive(Debug, clap::Args)]
pub struct Publish {
    #[command(flatten)]
    check: Check,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = || arguments.node.client(global);
    match &arguments.action {
        Action::Show => {
            let bytes = client()?.bytes("/v1/catalogue", JSON)?;
            let catalogue: CatalogueView = serde_json::from_slice(&bytes).map_err(failed)?;
            output.show(&catalogue, || describe(&catalogue))
        }
        Action::Check(check) => {
            let catalogue = check.read(&client)?;
            let view = CatalogueView::from(&catalogue);
            output.show(&view, || format!("{}\n\nNo mistakes.", describe(&view)))
        }
        Action::Publish(publish) => {
            let catalogue = publish.check.read(&client)?;
            let body = Body::Catalogue(catalogue.clone());
            let bytes = sign(body, &global.home, &publish.passphrase)?;
            let _: Published =
                client()?.send_bytes("POST", "/v1/catalogue", "application/cose", bytes)?;
            let (version, count) = (catalogue.version, catalogue.indicators.len());
            output.show(&json!({ "version": version, "indicators": count }), || {
                format!("Version {version} with {count} indicators is in force and goes down.")
            })
        }
    }
}

impl Check {
    fn read(
        &self,
        client: &dyn Fn() -> Result<Client, CommandError>,
    ) -> Result<Catalogue, CommandError> {
        let (name, text) = match &self.schema {
            Some(path) => (path.to_string_lossy().into_owned(), read_text(path)?),
            None => {
                let text = client()?.bytes("/v1/schema", TOML)?;
                ("the node's schema".to_owned(), String::from_utf8_lossy(&text).into_owned())
            }
        };
        let mistakes =
            |problems: reeve_crdt::located::Problems| CommandError::Findings(problems.to_string());
        let schema = Schema::parse(&name, &text).map_err(mistakes)?;
        let text = read_text(&self.file)?;
        reeve_crdt::catalogue::parse(&self.file.to_string_lossy(), &text, &schema).map_err(mistakes)
    }
}

/// Signs for the federation as this unit's authority.
pub(super) fn sign(
    body: Body,
    home: &Path,
    passphrase: &PassphraseArguments,
) -> Result<Vec<u8>, CommandError> {
    let house = House::open(home).map_err(failed)?;
    let identity = house.identity().map_err(failed)?;
    let authority = house.authority(&passphrase.read()?).map_err(failed)?;
    let statement = Statement {
        version: VERSION,
        federation: identity.roots.federation(),
        issuer: authority.unit().map_err(failed)?.clone(),
        term: identity.term().map_err(failed)?.unwrap_or_default(),
        audience: Audience::Federation,
        onward: Onward::Anyone,
        issued_at: now(),
        valid_until: None,
        witnessed: None,
        body,
    };
    let signed = cose::sign(&statement, authority.key(), authority.chain()).map_err(failed)?;
    Ok(signed.to_bytes())
}

fn describe(catalogue: &CatalogueView) -> String {
    let rows: Vec<Vec<String>> = catalogue
        .indicators
        .iter()
        .map(|indicator| {
            let title = indicator.titles.get("en").or_else(|| indicator.titles.values().next());
            let floor = |class: &str| {
                indicator.floors.get(class).map_or("-".to_owned(), |floor| match *floor {
                    None => "never".to_owned(),
                    Some(1) => "exact".to_owned(),
                    Some(floor) => floor.to_string(),
                })
            };
            vec![
                indicator.indicator.clone(),
                indicator.measure.clone(),
                match indicator.cut_off {
                    Some(hour) => format!("{} to {hour}:00", indicator.step),
                    None => indicator.step.clone(),
                },
                indicator.dimensions.join(", "),
                format!("{}, {}, {}", floor("superior"), floor("neighbour"), floor("public")),
                title.cloned().unwrap_or_default(),
            ]
        })
        .collect();
    let headings = ["indicator", "measure", "step", "by", "floors (up, beside, public)", "title"];
    format!("Version {}\n\n{}", catalogue.version, table(&headings, &[], &rows))
}
