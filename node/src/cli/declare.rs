//! `reeve declare`: signing an emergency response level for an area, and ending it.

use reeve_protocol::declared::LONGEST_MS;
use reeve_statement::register::Declaration;
use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::asking::Node;
use super::catalogue::sign;
use super::identity::{PassphraseArguments, failed, now};
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, plain};
use crate::api::{DeclarationView, Published, StatusView};
use crate::client::Client;
use crate::config::Config;
use crate::house::CONFIG_FILE;

/// What is declared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Signs with the authority key of this unit, for its area or a part of it, and hands the declaration to the
running node, which enters it into the ledger and passes it down. While it is in force, policies of the
units in the area may relax (`@supersedes`); at its end the stricter rules bind again by themselves. The
same name again, signed later, replaces it; --end ends it for good. `reeve status` shows what is in
force.

Examples:
  reeve declare wave-2 --level 1 --legal-basis 'Civil Protection Act, s. 24' --until 2026-12-31
  reeve declare flood --level 2 --legal-basis 'Act, s. 7' --area it/03 --until 2026-12-08T06:00:00Z
  reeve declare flood --end")]
pub struct Arguments {
    /// Its name, unique for this unit; one that was ended is never used again
    name: String,
    /// The level; 1 is the highest
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..), required_unless_present = "end")]
    level: Option<u8>,
    /// On which legal basis
    #[arg(long, value_name = "BASIS", required_unless_present = "end")]
    legal_basis: Option<String>,
    /// For which area; else for all of this unit's
    #[arg(long, value_name = "PATH")]
    area: Option<UnitPath>,
    /// From when: a moment (RFC 3339), or a day, from its beginning in this unit's time zone; else from
    /// now
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when, as --from; at most 366 days later
    #[arg(long, value_name = "TIME", required_unless_present = "end")]
    until: Option<String>,
    /// End the declaration of this name now
    #[arg(long, conflicts_with_all = ["level", "legal_basis", "area", "from", "until"])]
    end: bool,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    let status: StatusView = client.get("/v1/status")?;
    let unit: UnitPath = status.unit.parse().map_err(failed)?;
    let declaration = if arguments.end {
        arguments.ending(&unit, &status)?
    } else {
        arguments.declaration(unit.clone(), global)?
    };
    let body = Body::Declaration(declaration.clone());
    let bytes = sign(body, &global.home, &arguments.passphrase)?;
    let _: Published = client.send_bytes("POST", "/v1/declarations", "application/cose", bytes)?;
    let view = shown(&client, &unit, &declaration)?;
    output.show(&view, || told(&declaration, output.locale()))
}

/// The declaration as the node has it now.
fn shown(
    client: &Client,
    unit: &UnitPath,
    declaration: &Declaration,
) -> Result<DeclarationView, CommandError> {
    let status: StatusView = client.get("/v1/status")?;
    let issuer = unit.to_string();
    let mut all = status.declarations.into_iter();
    all.find(|it| it.issuer == issuer && it.name == declaration.id)
        .ok_or_else(|| CommandError::Failed("the node does not show the declaration".to_owned()))
}

fn told(declaration: &Declaration, locale: &Locale) -> String {
    let Declaration { id, level, area, from, until, .. } = declaration;
    let id = format!("{:?}", plain(id));
    if declaration.ended {
        return locale.fill(Text::DeclarationEnded, &[&id]);
    }
    let places = [id, level.to_string(), area.to_string(), from.to_string(), until.to_string()];
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    locale.fill(Text::DeclaredLevel, &places)
}

impl Arguments {
    fn declaration(&self, unit: UnitPath, global: &Global) -> Result<Declaration, CommandError> {
        let now = now();
        let zone = zone(global)?;
        let moment = |text: &Option<String>| {
            text.as_deref()
                .map(|text| moment(text, &zone))
                .transpose()
                .map(Option::unwrap_or_default)
        };
        let from = if self.from.is_some() { moment(&self.from)? } else { now };
        let until = moment(&self.until)?;
        let area = self.area.clone().unwrap_or_else(|| unit.clone());
        if !area.is_within(&unit) {
            return Err(CommandError::Usage(format!(
                "--area: expected {unit} or a part of it, found {area}; its own authority, or one above \
                 it, declares for it"
            )));
        }
        let lasts = until.since(from);
        if lasts <= 0 || lasts > LONGEST_MS || until <= now {
            return Err(CommandError::Usage(format!(
                "--until: expected a moment in the future, after {from} and at most 366 days later, \
                 found {until}"
            )));
        }
        Ok(Declaration {
            id: self.name.clone(),
            level: self.level.unwrap_or(1),
            legal_basis: self.legal_basis.clone().unwrap_or_default(),
            area,
            from,
            until,
            ended: false,
        })
    }

    /// The same declaration, ended.
    fn ending(&self, unit: &UnitPath, status: &StatusView) -> Result<Declaration, CommandError> {
        let issuer = unit.to_string();
        let mut all = status.declarations.iter();
        let found = all.find(|it| it.issuer == issuer && it.name == self.name);
        let found = found.ok_or_else(|| {
            let name = plain(&self.name);
            CommandError::Failed(format!(
                "{unit} has declared nothing named {name:?}; see `reeve status`"
            ))
        })?;
        Ok(Declaration {
            id: self.name.clone(),
            level: found.level,
            legal_basis: found.legal_basis.clone(),
            area: found.area.parse().map_err(failed)?,
            from: found.from.parse().map_err(failed)?,
            until: found.until.parse().map_err(failed)?,
            ended: true,
        })
    }
}

/// The time zone of this house.
fn zone(global: &Global) -> Result<jiff::tz::TimeZone, CommandError> {
    let path = global.home.join(CONFIG_FILE);
    let text = super::files::read_text(&path)?;
    let config = Config::parse(&path.to_string_lossy(), &text)
        .map_err(|problems| CommandError::Mistakes(problems.to_string()))?;
    jiff::tz::TimeZone::get(&config.time_zone).map_err(failed)
}

/// A moment, or the beginning of a day.
fn moment(text: &str, zone: &jiff::tz::TimeZone) -> Result<Timestamp, CommandError> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let day: Option<jiff::civil::Date> = text.parse().ok();
    let begins = day.and_then(|day| day.to_zoned(zone.clone()).ok());
    let begins = begins.map(|it| Timestamp::from_millis(it.timestamp().as_millisecond()));
    begins.ok_or_else(|| {
        CommandError::Usage(format!(
            "expected a moment such as 2026-12-01T06:00:00Z, or a day, found {:?}",
            plain(text)
        ))
    })
}
