//! `reeve admit`: certifying a unit that applies by file.

use std::path::PathBuf;

use serde_json::json;

use super::identity::{PassphraseArguments, failed, title};
use super::request::write;
use super::running::{NotDone, RunningNode};
use super::{CommandError, Output, files, plain};
use crate::enrol::{AdmissionOrder, Admitted, Application, InviteOrder};

/// Whom to admit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The running node certifies the unit that applies, enters the certificate into the ledger and the unit into
the register, and the answer is written to ANSWER. Compare the application's key with what the newcomer's
people told you over another channel: --key takes it, or how it begins (16 digits at least). Tell them the
id of the federation, which is printed.

An auditor applies in the same way, for a unit id of its own. What it is certified for is to audit: it
stands in no register, and `reeve audit watch` with its folder cosigns ledgers.

Examples:
  reeve admit 016.request 016.answer --key 5f0c9a1277ab3d10 --level municipality --name it=Bergamo
  reeve admit court.request court.answer --key 5f0c9a1277ab3d10 --auditor --level court")]
pub struct Arguments {
    /// The application, as `reeve request` wrote it
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// The file to write
    #[arg(value_name = "ANSWER")]
    answer: PathBuf,
    /// The key that was told, or how it begins
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Admit an auditor: it may read ledgers and cosign them, is not expected to report, and cannot
    #[arg(long)]
    auditor: bool,
    /// Name of the unit's level, such as municipality
    #[arg(long, default_value = "unit")]
    level: String,
    /// Name of the unit in a language, for the register; may be given several times
    #[arg(long = "name", value_name = "LANGUAGE=NAME", value_parser = title)]
    names: Vec<(String, String)>,
    /// Time zone of the unit for the register; else what its own configuration says
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Has the running node admit whoever applies, and writes its answer.
///
/// # Errors
/// When the application cannot be read or is another's, or the node does not run or refuses.
pub fn run(
    arguments: &Arguments,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    if arguments.answer.exists() {
        return Err(CommandError::Failed(format!(
            "{} is there already; name another file for the answer",
            arguments.answer.display()
        )));
    }
    let text = files::read_text(&arguments.request)?;
    let application: Application = text.parse().map_err(failed)?;
    let order = AdmissionOrder {
        order: InviteOrder {
            unit: application.unit_id().to_string(),
            level: arguments.level.clone(),
            names: arguments.names.clone(),
            time_zone: arguments.time_zone.clone(),
            valid_s: 0,
            home_node: false,
            label: None,
            passphrase: arguments.passphrase.read()?.as_str().to_owned(),
        },
        application: text,
        key: arguments.key.clone(),
        auditor: arguments.auditor,
    };
    let line = node.admit(&order).map_err(|error| match error {
        NotDone::Failed(error) => error,
        not_running @ NotDone::NotRunning { .. } => {
            CommandError::Failed(format!("{not_running}; start it with `reeve run`"))
        }
    })?;
    let admitted: Admitted = line.parse().map_err(failed)?;
    let federation = admitted.federation().map_err(failed)?.to_string();
    write(&arguments.answer, &line)?;
    let document = json!({ "unit": admitted.unit.to_string(), "federation": federation });
    let next = if arguments.auditor {
        "It cosigns ledgers with `reeve audit watch`."
    } else {
        "Its node reports by `reeve report export` and `reeve report import`."
    };
    output.show(&document, || {
        format!(
            "{} is admitted; the answer is in {}.\n\
             Federation id, to be told over another channel: {}\n\
             {next}",
            admitted.unit,
            arguments.answer.display(),
            plain(&federation)
        )
    })
}
