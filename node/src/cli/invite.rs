//! `reeve invite`: one line that lets a unit, or a further node of this home, join.

use serde_json::json;

use super::identity::{PassphraseArguments, failed, seconds, title};
use super::running::{NotDone, RunningNode};
use super::{CommandError, Output};
use crate::enrol::{Invite, InviteOrder};

const EXAMPLES: &str = "\
The running node keeps the invite and the unlocked authority key in memory until the invite is used
or expires; if the node is restarted before, the invite is void. Whoever reads the line can join in
the newcomer's place: carry it like a password, and compare the federation id on another channel.

Examples:
  reeve invite 016 --level municipality --name it=Bergamo --name en=Bergamo --valid 2h
  reeve invite 016 --home-node --label health";

/// What is ordered.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Id of the unit: a subordinate one; with --home-node the own
    unit: String,
    /// Name of the unit's level, such as municipality
    #[arg(long, default_value = "unit", conflicts_with = "home_node")]
    level: String,
    /// Name of the unit in a language, for the register; may be given several times
    #[arg(
        long = "name",
        value_name = "LANGUAGE=NAME",
        value_parser = title,
        conflicts_with = "home_node"
    )]
    names: Vec<(String, String)>,
    /// Time zone of the unit for the register; else what its own configuration says
    #[arg(long, value_name = "ZONE", conflicts_with = "home_node")]
    time_zone: Option<String>,
    /// For how long the invite can be used: 1 minute to 7 days
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "1h")]
    valid: u64,
    /// Invite a further node of this home
    #[arg(long)]
    home_node: bool,
    /// Tells the further node apart, such as health
    #[arg(long, requires = "home_node")]
    label: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Has the running node make the invite, and prints it.
///
/// # Errors
/// When there is no passphrase, or the node does not run or refuses.
pub fn run(
    arguments: &Arguments,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let line = node.invite(&arguments.order()?).map_err(|error| match error {
        NotDone::Failed(error) => error,
        not_running @ NotDone::NotRunning { .. } => {
            CommandError::Failed(format!("{not_running}; start it with `reeve run`"))
        }
    })?;
    let invite: Invite = line.parse().map_err(failed)?;
    let document = json!({
        "invite": line,
        "unit": invite.unit.to_string(),
        "federation": invite.federation.to_string(),
        "expires": invite.expires.to_string(),
        "addresses": invite.addresses,
    });
    output.note(&format!(
        "For {}, until {}, or until this node is restarted. Federation id, to be compared: {}",
        invite.unit, invite.expires, invite.federation
    ));
    output.show(&document, || line.clone())
}

impl Arguments {
    fn order(&self) -> Result<InviteOrder, CommandError> {
        Ok(InviteOrder {
            unit: self.unit.clone(),
            level: self.level.clone(),
            names: self.names.clone(),
            time_zone: self.time_zone.clone(),
            valid_s: self.valid,
            home_node: self.home_node,
            label: self.label.clone(),
            passphrase: self.passphrase.read()?.as_str().to_owned(),
        })
    }
}
