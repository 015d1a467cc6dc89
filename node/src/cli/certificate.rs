//! `reeve certificate`: what the certificates say; revoking what was issued; renewing the own.

use std::fmt::Write as _;
use std::path::PathBuf;

use reeve_statement::cert::{Certificate, Reason, Serial};
use serde_json::json;

use super::identity::{PassphraseArguments, failed, now, quoted};
use super::running::{RunningNode, taken};
use super::{CommandError, Global, Output, Style, plain};
use crate::house::{CertificateReport, CertificateView, Clerk, Entropy, House};

/// A certificate that ends within so many days is marked.
const SOON_DAYS: i64 = 30;

/// What to do with certificates.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Show the chain of this node, from itself to the root
    Show(Show),
    /// Revoke what this unit's authority issued to a subordinate unit or a node
    Revoke(Revoke),
    /// Issue a new certificate for this node with the unit's authority key
    Renew(Renew),
}

/// How to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  reeve certificate show --pem | openssl x509 -noout -text")]
pub struct Show {
    /// Print the chain as PEM, this node first, without the root
    #[arg(long)]
    pem: bool,
}

/// What to revoke, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes the authority's next revocation list, keeps it in crls/, and hands it to the running node, which
passes it on and drops the peers that it concerns. The authority of the federation's first unit was
certified by the root: with --root-key the list is the root's, and the passphrase that of its key.

Examples:
  reeve certificate revoke 016 --reason key-compromise
  reeve certificate revoke 5f0c9a... --reason superseded
  reeve certificate revoke it --reason key-compromise --root-key /media/safe/root.key")]
pub struct Revoke {
    /// Id of a subordinate unit, or the serial number of a certificate
    #[arg(value_name = "UNIT|SERIAL")]
    what: String,
    /// Why
    #[arg(long, value_enum)]
    reason: Why,
    /// Sign with the federation's root key from this file: revokes the first unit's authority
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Why a certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Why {
    /// The key was, or may have been, seen by others
    KeyCompromise,
    /// The unit changed its place or name
    AffiliationChanged,
    /// A newer certificate replaces it
    Superseded,
    /// The unit or node no longer exists
    CessationOfOperation,
    /// What it permitted was withdrawn
    PrivilegeWithdrawn,
    /// Nothing is said
    Unspecified,
}

impl Why {
    const fn reason(self) -> Reason {
        match self {
            Self::KeyCompromise => Reason::KeyCompromise,
            Self::AffiliationChanged => Reason::AffiliationChanged,
            Self::Superseded => Reason::Superseded,
            Self::CessationOfOperation => Reason::CessationOfOperation,
            Self::PrivilegeWithdrawn => Reason::PrivilegeWithdrawn,
            Self::Unspecified => Reason::Unspecified,
        }
    }
}

/// How to renew.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The keys stay. The authority's revocation list is renewed too, if there is one. A running node takes
the new certificate at once; its writer's is taken at the next start.")]
pub struct Renew {
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Does it.
///
/// # Errors
/// When the house cannot be opened, the passphrase is wrong, or the running node refuses.
pub fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let house = House::open(&global.home).map_err(failed)?;
    match &arguments.action {
        Action::Show(arguments) => show(arguments, &house, output),
        Action::Revoke(arguments) => revoke(arguments, &house, output, node),
        Action::Renew(arguments) => renew(arguments, house, output, node),
    }
}

fn show(arguments: &Show, house: &House, output: &Output) -> Result<(), CommandError> {
    if arguments.pem {
        let chain = &house.identity().map_err(failed)?.node;
        return output.bytes(chain.to_pem().as_bytes());
    }
    let report = house.certificate_report(now()).map_err(failed)?;
    output.show(&report, || describe(&report))
}

fn describe(report: &CertificateReport) -> String {
    let mut text = format!(
        "Unit        {}\nFederation  {} ({})\n",
        report.unit, report.federation, report.domain
    );
    for view in report.chain.iter().chain([&report.writer]) {
        describe_one(view, &mut text);
    }
    for list in &report.lists {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{}\n  by {}, number {}: {} revoked, the next is due {}\n",
            Style::Heading.of("revocation list"),
            plain(&list.issuer),
            list.number,
            list.revoked,
            list.next_update,
        );
    }
    let command: Vec<_> = report.openssl.iter().map(|it| quoted(it)).collect();
    let _ = write!(text, "\nVerify with openssl:\n  {}\n", command.join(" "));
    text
}

fn describe_one(view: &CertificateView, text: &mut String) {
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:11} {value}");
    };
    line("", "");
    line(&Style::Heading.of(&view.role), &plain(&view.subject));
    if let Some(unit) = &view.unit {
        line("unit", unit);
    }
    if let (Some(area), Some(levels)) = (&view.area, view.levels_below) {
        line("area", &format!("{area} and below, {levels} levels"));
    }
    if !view.actions.is_empty() {
        line("actions", &view.actions.join(", "));
    }
    if !view.writable_kinds.is_empty() {
        line("kinds", &view.writable_kinds.join(", "));
    }
    if let Some(term) = view.term {
        line("term", &term.to_string());
    }
    line("valid", &format!("{} to {}{}", view.not_before, view.not_after, days(view.days_left)));
    line("serial", &view.serial);
    line("SHA-256", &view.fingerprint);
}

fn days(left: i64) -> String {
    match left {
        ..0 => Style::Bad.of(" (expired)"),
        0..SOON_DAYS => Style::Doubtful.of(&format!(" ({left} days left: renew it)")),
        _ => format!(" ({left} days left)"),
    }
}

fn revoke(
    arguments: &Revoke,
    house: &House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let mut entropy = Entropy::system();
    let clerk = Clerk::new(now(), &mut entropy);
    let passphrase = arguments.passphrase.read()?;
    let (reason, what) = (arguments.reason.reason(), &arguments.what);
    let serials = |found: &[Certificate]| -> Vec<Serial> {
        found.iter().map(|it| it.serial().clone()).collect()
    };
    let (certificates, held) = match &arguments.root_key {
        Some(path) => {
            let root = house.root(path, &passphrase).map_err(failed)?;
            let issuer = root.certificate().key().key_id();
            let found = house.issued_to(&issuer, what).map_err(failed)?;
            let held = house.revoke_by_root(&root, &serials(&found), reason, &clerk);
            (found, held.map_err(failed)?)
        }
        None => {
            let authority = house.authority(&passphrase).map_err(failed)?;
            let issuer = authority.key().public().key_id();
            let found = house.issued_to(&issuer, what).map_err(failed)?;
            let held = house.revoke(&authority, &serials(&found), reason, &clerk);
            (found, held.map_err(failed)?)
        }
    };
    let serials = serials(&certificates);
    let signed = held.signed();
    let handed = taken(node.take_list(&signed.chain, &signed.list))?;
    let subjects: Vec<_> = certificates.iter().map(|it| it.subject().to_owned()).collect();
    let document = json!({
        "revoked": serials.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "subjects": subjects,
        "list": held.list.number(),
        "next_update": held.list.next_update().to_string(),
        "node_told": handed,
    });
    output.show(&document, || {
        let told = if handed {
            "The running node has it and passes it on."
        } else {
            "The node is not running; it takes the list and passes it on when it starts."
        };
        format!(
            "Revoked: {}\nRevocation list number {}; the next is due {}.\n{told}",
            plain(&subjects.join("; ")),
            held.list.number(),
            held.list.next_update(),
        )
    })
}

fn renew(
    arguments: &Renew,
    mut house: House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let authority = house.authority(&arguments.passphrase.read()?).map_err(failed)?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let identity = house.renew(&authority, &mut clerk).map_err(failed)?;
    let until = identity.node.leaf().validity().not_after;
    let chain = identity.node.to_cbor();
    let told = taken(node.renew(&chain))?;
    let own = authority.key().public().key_id();
    let has_list = house.list_of(&own).map_err(failed)?.is_some();
    if has_list {
        let held = house.revoke(&authority, &[], Reason::Unspecified, &clerk).map_err(failed)?;
        let signed = held.signed();
        taken(node.take_list(&signed.chain, &signed.list))?;
    }
    let document = json!({
        "not_after": until.to_string(),
        "list_renewed": has_list,
        "node_told": told,
    });
    output.show(&document, || {
        let told = if told { "The running node has it." } else { "The node is not running." };
        format!("The node's new certificate ends at {until}. {told}")
    })
}
