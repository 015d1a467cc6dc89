//! `reeve token`: who may use the local API, and for what.
//!
//! Works on `tokens.toml` in the node's folder; a running node notices.

use std::collections::BTreeSet;

use reeve_policy::authz::Role;
use serde_json::json;

use super::identity::{now, seconds};
use super::{CommandError, Global, Output, table};
use crate::house::Entropy;
use crate::token::{Secret, TOKENS_FILE, Token, Tokens};

/// What to do with tokens.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve token create clinic --role writer --kind case --expires 8760h
  reeve token list
  reeve token revoke clinic")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a token and print its secret, once
    Create(Box<Create>),
    /// List the tokens, without their secrets
    List,
    /// Strike a token; what shows it is turned away at once
    Revoke(Revoke),
}

/// For whom.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
operator  runs the node and sees figures, never records
writer    reads, writes and imports records of its kinds
viewer    sees figures of its areas and indicators
auditor   sees what left the house and why, and the ledger

Examples:
  reeve token create clinic --role writer --kind case --expires 8760h
  reeve token create dashboard --role viewer --area it/03 --indicator beds_free
  reeve token create prometheus --role operator > /etc/prometheus/reeve.token")]
pub struct Create {
    /// Its name, as logs and decisions show it
    name: String,
    /// Its role
    #[arg(long, value_enum)]
    role: RoleName,
    /// A kind of record that it may touch; may be given several times; else every kind
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// An area that it may ask for; may be given several times; else every area
    #[arg(long = "area", value_name = "PATH")]
    areas: Vec<String>,
    /// An indicator that it may ask for; may be given several times; else every indicator
    #[arg(long = "indicator", value_name = "INDICATOR")]
    indicators: Vec<String>,
    /// After how long it ends, such as 8760h; else never
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<u64>,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RoleName {
    /// Runs the node
    Operator,
    /// Writes records
    Writer,
    /// Sees figures
    Viewer,
    /// Sees what left the house
    Auditor,
}

impl RoleName {
    const fn role(self) -> Role {
        match self {
            Self::Operator => Role::Operator,
            Self::Writer => Role::Writer,
            Self::Viewer => Role::Viewer,
            Self::Auditor => Role::Auditor,
        }
    }
}

/// Which one.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Its name
    name: String,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let path = global.home.join(TOKENS_FILE);
    let _held = match arguments.action {
        Action::List => None,
        Action::Revoke(_) | Action::Create(_) => Some(Tokens::hold(&path)?),
    };
    let mut tokens = Tokens::read(&path)?;
    match &arguments.action {
        Action::List => output.show(tokens.entries(), || list(tokens.entries())),
        Action::Revoke(Revoke { name }) => {
            tokens.revoke(name)?;
            tokens.write(&path)?;
            output.show(&json!({ "revoked": name }), || format!("Revoked {name}."))
        }
        Action::Create(create) => {
            let random = Entropy::system().draw().map_err(super::identity::failed)?;
            let secret = Secret::of(&random);
            tokens.add(create.token(&secret)?)?;
            tokens.write(&path)?;
            output.note("The secret is shown this once; the node keeps only its hash.");
            let document = json!({ "name": create.name, "secret": secret.text() });
            output.show(&document, || secret.text().to_owned())
        }
    }
}

impl Create {
    fn token(&self, secret: &Secret) -> Result<Token, CommandError> {
        let only = |texts: &[String]| -> Option<BTreeSet<String>> {
            (!texts.is_empty()).then(|| texts.iter().cloned().collect())
        };
        let made = now();
        let mut token = Token::new(&self.name, self.role.role(), secret, made);
        token.kinds = only(&self.kinds);
        token.areas = only(&self.areas);
        token.indicators = only(&self.indicators);
        if let Some(seconds) = self.expires {
            let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
            token.expires = Some(made.plus_millis(millis).to_string());
        }
        token.person()?;
        Ok(token)
    }
}

fn list(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return "No tokens. `reeve run` makes the operator's.".to_owned();
    }
    let only = |names: &Option<BTreeSet<String>>| match names {
        None => "all".to_owned(),
        Some(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.name.clone(),
                token.role.clone(),
                only(&token.kinds),
                only(&token.areas),
                only(&token.indicators),
                token.expires.clone().unwrap_or_else(|| "never".to_owned()),
            ]
        })
        .collect();
    table(&["name", "role", "kinds", "areas", "indicators", "ends"], &[], &rows)
}
