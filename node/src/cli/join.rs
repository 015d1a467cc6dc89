//! `reeve join`: from an invite to a node with certificates.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use reeve_statement::cert::Action;
use reeve_statement::digest::{Digest, FederationId};
use serde_json::json;

use super::identity::{PassphraseArguments, failed, now};
use super::{CommandError, Global, Output, files};
use crate::enrol::{Admitted, Invite, Joined, NetLine, Place, join};
use crate::house::{Clerk, Entropy, House};

/// Most bytes that are read from standard input.
const MAX_INVITE_BYTES: u64 = 16 * 1024;

const EXAMPLES: &str = "\
The invite is the line that `reeve invite` printed at the superior unit, or at the first node of this
home. It works once, until it expires.

Without a line to the superior: `reeve request` makes an application, the superior's people answer it with
a file, and --answer takes that. The id of the federation comes over another channel.

Examples:
  reeve join - < invite.txt
  reeve join --answer 016.answer --federation 3f5c... --without-line
  reeve join reeve-invite-1.pAGC...";

/// What is joined with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The invite; `-` reads it from standard input, so that it is not seen in a list of processes
    #[arg(value_name = "INVITE", required_unless_present = "answer")]
    invite: Option<String>,
    /// Join with the file that `reeve admit` wrote at the superior
    #[arg(long, value_name = "FILE", requires = "federation", conflicts_with = "invite")]
    answer: Option<PathBuf>,
    /// The id of the federation, as it was told over another channel
    #[arg(long, value_name = "ID", requires = "answer")]
    federation: Option<String>,
    /// Never dial the superior: reports and their answers travel by file
    #[arg(long, requires = "answer")]
    without_line: bool,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Joins.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    if let (Some(file), Some(federation)) = (&arguments.answer, &arguments.federation) {
        let federation: Digest = federation
            .parse()
            .map_err(|error| CommandError::Usage(format!("--federation: {error}")))?;
        return join_by_answer(arguments, file, FederationId(federation), global, output);
    }
    let invite: Invite = arguments.line()?.parse().map_err(failed)?;
    let mut house = House::open(&global.home).map_err(failed)?;
    let passphrase = match invite.place {
        Place::Subordinate => Some(arguments.passphrase.read()?),
        Place::HomeNode => None,
    };
    let mut line =
        NetLine::new(&house, house.config().net.allow_private_addresses).map_err(failed)?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let joined = join(&mut house, &invite, passphrase.as_ref(), &mut line, &mut clerk);
    tell(&joined.map_err(failed)?, &house, output)
}

fn join_by_answer(
    arguments: &Arguments,
    file: &Path,
    federation: FederationId,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let admitted: Admitted = files::read_text(file)?.parse().map_err(failed)?;
    let mut house = House::open(&global.home).map_err(failed)?;
    let passphrase = arguments.passphrase.read()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let line = !arguments.without_line;
    let joined = admitted.join(&mut house, federation, &passphrase, line, &mut clerk);
    tell(&joined.map_err(failed)?, &house, output)
}

impl Arguments {
    fn line(&self) -> Result<String, CommandError> {
        let invite = self.invite.as_deref().unwrap_or_default();
        if invite != "-" {
            return Ok(invite.to_owned());
        }
        let mut text = String::new();
        std::io::stdin().take(MAX_INVITE_BYTES).read_to_string(&mut text).map_err(failed)?;
        Ok(text)
    }
}

fn tell(joined: &Joined, house: &House, output: &Output) -> Result<(), CommandError> {
    let peers: Vec<_> = joined
        .peers
        .iter()
        .map(|peer| json!({ "key": peer.key.to_string(), "addresses": peer.addresses }))
        .collect();
    let document = json!({
        "unit": joined.unit.to_string(),
        "federation": joined.federation.to_string(),
        "not_after": joined.not_after.to_string(),
        "peers": peers,
    });
    let actions = house.identity().map_err(failed)?.authority.leaf().actions();
    if !actions.contains(Action::Report) {
        return output.show(&document, || {
            format!(
                "This folder is an auditor's: {unit} in federation {federation}.\n\
                 Its certificate ends at {until}; renew it before with `reeve certificate renew`.\n\n\
                 Next: name jurisdictions in watch.toml, and start `reeve audit watch`.",
                unit = joined.unit,
                federation = joined.federation,
                until = joined.not_after,
            )
        });
    }
    output.show(&document, || {
        let peers: String =
            joined.peers.iter().map(|it| format!("\n  {}", it.addresses.join(" "))).collect();
        let dial = if joined.peers.is_empty() {
            "It dials nobody: its reports travel by file, with `reeve report`.".to_owned()
        } else {
            format!("It will dial:{peers}")
        };
        format!(
            "This node is a member: {unit} in federation {federation}.\n\
             Its certificate ends at {until}; renew it before with `reeve certificate renew`.\n\
             {dial}\n\n\
             Next: start it with `reeve run`.",
            unit = joined.unit,
            federation = joined.federation,
            until = joined.not_after,
        )
    })
}
