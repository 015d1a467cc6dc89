//! `reeve certificate`: what the certificates say; revoking and renewing what was issued.

use std::fmt::Write as _;
use std::path::PathBuf;

use reeve_statement::cert::{Certificate, Chain, Reason, Serial};
use reeve_statement::key::KeyId;
use reeve_statement::time::Timestamp;
use serde_json::json;

use super::identity::{PassphraseArguments, failed, now, quoted};
use super::running::{NotDone, RunningNode, taken};
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::IssuedEntry;
use crate::house::{
    Authority, CertificateReport, CertificateView, Clerk, Entropy, Grounds, HeldList, House,
    HouseError,
};

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
    /// Issue a certificate anew with the same key and a later end
    Renew(Renew),
    /// Take renewed certificates for this folder's keys from a file
    Take(Take),
    /// List what this unit's authority issued, and where the ledger holds it
    List(List),
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
All certificates of the same key are revoked, also those before a renewal; with a serial number and
--reason superseded, that one alone. A label means a node and its writer.

Examples:
  reeve certificate revoke 016 --reason key-compromise
  reeve certificate revoke 016 --reason key-compromise --since 2026-11-03T02:00:00Z
  reeve certificate revoke 5f0c9a... --reason superseded
  reeve certificate revoke it --reason key-compromise --root-key /media/safe/root.key")]
pub struct Revoke {
    /// Id of a subordinate unit, label of a node of this home, or a serial number
    #[arg(value_name = "UNIT|LABEL|SERIAL")]
    what: String,
    /// Why
    #[arg(long, value_enum)]
    reason: Why,
    /// Since when others may have had the key (a day, or a moment such as 2026-11-03T02:00:00Z); may be moved
    /// back later by revoking again
    #[arg(long, value_name = "TIME", value_parser = super::sent::moment)]
    since: Option<Timestamp>,
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

/// What to renew, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The keys stay. Without WHAT: this node and its writer, and the authority's revocation list if there is
one. The running node enters what is issued into the ledger, shows its own new certificates from then
on without a restart, and passes the others to whom they are for, at once or when they connect. Who
cannot connect any more, because the old certificate has expired, gets them by file: --save here,
`reeve certificate take` there.

With --new-term a node is appointed for the next reporting term. It goes on from what the superior holds,
in a new ledger; what was signed before that and not accepted is no longer sent by anybody.
- With a LABEL, the node of this home with that label reports from now on, and the one that did signs
  nothing any more. The new one begins once it has taken over what the other kept, which takes seconds.
- Without, this node: after its store was lost or put back from a copy (never do it while the newest store
  still exists: put that one back instead), or in the place of another node of this home that is lost, once
  the authority key is here (`reeve authority`).

Examples:
  reeve certificate renew
  reeve certificate renew --new-term          after the store, or the node that reported, was lost
  reeve certificate renew health --new-term   hand the reporting over to another node of this home
  reeve certificate renew health              the node and writer of this home with that label
  reeve certificate renew 016 --save 016.pem  a subordinate's authority
  reeve certificate renew --root-key /media/safe/root.key")]
pub struct Renew {
    /// Id of a subordinate unit, label of a node of this home, or a serial number; else this node
    #[arg(value_name = "UNIT|LABEL|SERIAL")]
    what: Option<String>,
    /// Renew the first unit's authority with the federation's root key from this file
    #[arg(long, value_name = "FILE", conflicts_with = "what")]
    root_key: Option<PathBuf>,
    /// Write the new chains to a file as well, to be carried to whom they are for
    #[arg(long, value_name = "FILE", requires = "what")]
    save: Option<PathBuf>,
    /// Begin the next reporting term at this node, or at the node of this home with that label
    #[arg(long, conflicts_with = "root_key")]
    new_term: bool,
    /// The last reporting term of this unit, where nothing here tells it
    #[arg(long, value_name = "TERM", requires = "new_term")]
    last_term: Option<u64>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// What to take.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For this node, its writer or this unit's authority, as `reeve certificate renew WHAT --save FILE` wrote
them at the issuer. The running node shows them from then on.

Example:
  reeve certificate take 016.pem")]
pub struct Take {
    /// The file: PEM, each chain leaf first
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With the node running: what the ledger holds, by place, with when and how it was entered. Otherwise: the
files in issued/, which are entered at the next start.

Example:
  reeve certificate list --json | jq '.[] | .serial'")]
pub struct List {
    /// Entries from this place in the ledger on
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// In the ledger of this earlier reporting term; `reeve status` lists them
    #[arg(long, value_name = "TERM")]
    term: Option<u64>,
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
        Action::Take(arguments) => take(arguments, house, output, node),
        Action::List(arguments) => list(arguments, &house, output, node),
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

/// Lists tell whole seconds; the second in which it began is in other hands too.
const fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.as_seconds())
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
    let grounds = Grounds { reason, since: arguments.since.map(whole_second) };
    if let Some(since) = arguments.since {
        if reason != Reason::KeyCompromise {
            let text = "--since says since when others may have had the key: expected --reason key-compromise";
            return Err(CommandError::Usage(text.to_owned()));
        }
        if since > now() {
            let text = format!("expected a moment that has been, found --since {since}");
            return Err(CommandError::Usage(text));
        }
    }
    // One that a newer certificate of the same key replaces is revoked alone.
    let alone = Serial::from_hex(what).filter(|_| reason == Reason::Superseded);
    let chosen = |mut found: Vec<Certificate>| {
        found.retain(|it| alone.as_ref().is_none_or(|serial| serial == it.serial()));
        found
    };
    let serials = |found: &[Certificate]| -> Vec<Serial> {
        found.iter().map(|it| it.serial().clone()).collect()
    };
    let (certificates, held) = match &arguments.root_key {
        Some(path) => {
            let root = house.root(path, &passphrase).map_err(failed)?;
            let issuer = root.certificate().key().key_id();
            let found = chosen(house.issued_to(&issuer, what).map_err(failed)?);
            let held = house.revoke_by_root(&root, &serials(&found), grounds, &clerk);
            (found, held.map_err(failed)?)
        }
        None => {
            let authority = house.authority(&passphrase).map_err(failed)?;
            let issuer = authority.key().public().key_id();
            let found = chosen(house.issued_to(&issuer, what).map_err(failed)?);
            let held = house.revoke(&authority, &serials(&found), grounds, &clerk);
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
    let passphrase = arguments.passphrase.read()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    if let Some(path) = &arguments.root_key {
        let root = house.root(path, &passphrase).map_err(failed)?;
        let chain = house.renew_first(&root, &mut clerk).map_err(failed)?;
        let told = taken(node.renew(&chain.to_cbor()))?;
        let issuer = root.certificate().key().key_id();
        let list = renew_list(&house, &issuer, node, || {
            house.revoke_by_root(&root, &[], Reason::Unspecified, &clerk)
        })?;
        return tell_renewed(output, &[chain], told, list);
    }
    let authority = house.authority(&passphrase).map_err(failed)?;
    if arguments.new_term {
        return appoint(arguments, &authority, &mut house, (&mut clerk, node), output);
    }
    if let Some(what) = &arguments.what {
        let chains = house.renew_issued(&authority, what, &mut clerk).map_err(failed)?;
        let mut told = true;
        for chain in &chains {
            if taken(node.renew(&chain.to_cbor()))? {
                house.forget_renewal(chain).map_err(failed)?;
            } else {
                told = false;
            }
        }
        save(arguments, &chains)?;
        return tell_renewed(output, &chains, told, false);
    }
    let identity = house.renew(&authority, &mut clerk).map_err(failed)?;
    let chains = [identity.node.clone(), identity.writer.clone()];
    let mut told = true;
    for chain in &chains {
        told &= taken(node.renew(&chain.to_cbor()))?;
    }
    let issuer = authority.key().public().key_id();
    let list = renew_list(&house, &issuer, node, || {
        house.revoke(&authority, &[], Reason::Unspecified, &clerk)
    })?;
    tell_renewed(output, &chains, told, list)
}

fn save(arguments: &Renew, chains: &[Chain]) -> Result<(), CommandError> {
    let Some(path) = &arguments.save else { return Ok(()) };
    let text: String = chains.iter().map(Chain::to_pem).collect();
    std::fs::write(path, text).map_err(|reason| CommandError::File {
        doing: "cannot write",
        path: path.clone(),
        reason,
    })
}

/// Appoints this node, or another one of this home, for the next term.
fn appoint(
    arguments: &Renew,
    authority: &Authority,
    house: &mut House,
    (clerk, node): (&mut Clerk<'_>, &dyn RunningNode),
    output: &Output,
) -> Result<(), CommandError> {
    let known = house.last_term().map_err(failed)?;
    let known = known.max(node.home_term()).max(arguments.last_term);
    let known = known.ok_or_else(|| {
        CommandError::Failed(
            "nothing here tells the last reporting term of this unit; say it with --last-term (`reeve \
             status` at the superior shows it, or the certificate of the node that reported)"
                .to_owned(),
        )
    })?;
    let term = known.saturating_add(1);
    let Some(label) = &arguments.what else {
        let chain = house.appoint(authority, term, clerk).map_err(failed)?.node.clone();
        let told = taken(node.renew(&chain.to_cbor()))?;
        return tell_renewed(output, &[chain], told, false);
    };
    let chain = house.appoint_other(authority, label, term, clerk).map_err(failed)?;
    let told = taken(node.renew(&chain.to_cbor()))?;
    if told {
        house.forget_renewal(&chain).map_err(failed)?;
    }
    save(arguments, std::slice::from_ref(&chain))?;
    tell_renewed(output, &[chain], told, false)
}

/// Makes an issuer's next list, if it has made one before; whether it has.
fn renew_list(
    house: &House,
    issuer: &KeyId,
    node: &dyn RunningNode,
    make: impl FnOnce() -> Result<HeldList, HouseError>,
) -> Result<bool, CommandError> {
    if house.list_of(issuer).map_err(failed)?.is_none() {
        return Ok(false);
    }
    let signed = make().map_err(failed)?.signed();
    taken(node.take_list(&signed.chain, &signed.list))?;
    Ok(true)
}

fn tell_renewed(
    output: &Output,
    chains: &[Chain],
    told: bool,
    list: bool,
) -> Result<(), CommandError> {
    let end = |chain: &Chain| chain.leaf().validity().not_after.to_string();
    let renewed: Vec<_> = chains
        .iter()
        .map(|chain| {
            let leaf = chain.leaf();
            let serial = leaf.serial().to_string();
            json!({ "subject": leaf.subject(), "serial": serial, "not_after": end(chain) })
        })
        .collect();
    let document = json!({ "renewed": renewed, "list_renewed": list, "node_told": told });
    output.show(&document, || {
        let mut text = String::new();
        for chain in chains {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} ends at {}", plain(chain.leaf().subject()), end(chain));
        }
        text.push_str(if told {
            "The running node has it; no restart is needed."
        } else {
            "The node is not running; it enters it into the ledger and passes it on when it starts."
        });
        text
    })
}

fn take(
    arguments: &Take,
    mut house: House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let text = std::fs::read_to_string(&arguments.file).map_err(|reason| CommandError::File {
        doing: "cannot read",
        path: arguments.file.clone(),
        reason,
    })?;
    let chains = house.take_renewed(&text, now()).map_err(failed)?;
    let mut told = true;
    for chain in &chains {
        told &= taken(node.renew(&chain.to_cbor()))?;
    }
    tell_renewed(output, &chains, told, false)
}

fn list(
    arguments: &List,
    house: &House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    match node.issued(arguments.term, arguments.from) {
        Ok(entries) => output.show(&entries, || {
            let rows: Vec<_> = entries.iter().map(entered).collect();
            table(&["place", "certificate", "serial", "ends", "entered", "how"], &[0], &rows)
        }),
        Err(NotDone::NotRunning { .. }) => {
            let issued = house.issued().map_err(failed)?;
            let documents: Vec<_> = issued
                .iter()
                .map(|it| {
                    let end = it.validity().not_after.to_string();
                    let serial = it.serial().to_string();
                    json!({ "subject": it.subject(), "serial": serial, "not_after": end })
                })
                .collect();
            output.note("The node is not running: the files in issued/, without their places.");
            output.show(&documents, || {
                let rows: Vec<_> = issued.iter().map(filed).collect();
                table(&["certificate", "serial", "ends"], &[], &rows)
            })
        }
        Err(NotDone::Failed(error)) => Err(error),
    }
}

fn entered(entry: &IssuedEntry) -> Vec<String> {
    vec![
        entry.index.to_string(),
        plain(&entry.subject),
        entry.serial.clone(),
        entry.not_after.clone(),
        entry.entered_at.clone(),
        plain(&entry.by),
    ]
}

fn filed(certificate: &Certificate) -> Vec<String> {
    let end = certificate.validity().not_after.to_string();
    vec![plain(certificate.subject()), certificate.serial().to_string(), end]
}
