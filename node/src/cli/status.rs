//! `reeve status`: how the node fares.

use std::fmt::Write as _;

use super::asking::Node;
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{PeerView, StatusView, SubordinateView};

/// Days before a certificate's end from which on it is marked.
const WARN_DAYS: i64 = 30;

/// Names of a list that the text shows; `--json` has all.
const NAMES_SHOWN: usize = 8;

/// Which node.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows who is connected, what is late, what the superior lacks or refused, the ledger's head, work that
waits, and certificates that end soon.

Examples:
  reeve status
  reeve status --json | jq .unsent")]
pub struct Arguments {
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let status: StatusView = arguments.node.client(global)?.get("/v1/status")?;
    output.show(&status, || describe(&status))
}

fn describe(status: &StatusView) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:13}{value}");
    };
    line("Unit", format!("{} (reeve {})", Style::Heading.of(&plain(&status.unit)), status.version));
    line("Node", status.key.clone());
    line("Term", status.term.map_or("does not report".to_owned(), |term| term.to_string()));
    line("Certificate", ends(&status.certificate_ends, "reeve certificate renew"));
    line("Writer", ends(&status.writer_ends, "reeve certificate renew"));
    if let Some(end) = &status.authority_ends {
        line(
            "Authority",
            ends(
                end,
                "reeve certificate renew UNIT` at the superior (for the first unit with `--root-key",
            ),
        );
    }
    if let Some(reason) = &status.not_believed {
        line("NOT BELIEVED", Style::Bad.of(&plain(reason)));
    }
    if let Some(refused) = &status.refused_by {
        let told = format!("by {}: {} ({})", refused.peer, refused.reason, refused.code);
        line("REFUSED", Style::Bad.of(&plain(&told)));
    }
    line("Listens at", plain(&status.addresses.join(", ")));
    line(
        "Catalogue",
        match status.catalogue_version {
            0 => Style::Doubtful.of("none"),
            version => format!("version {version}"),
        },
    );
    if !status.not_adopted.is_empty() {
        let told = format!(
            "{}; nothing of them is sent. `reeve policy adopted` shows them, `reeve policy adopt` consents",
            plain(&shortened(&status.not_adopted))
        );
        line("Not adopted", Style::Doubtful.of(&told));
    }
    for declared in status.declarations.iter().filter(|it| it.phase != "over") {
        let told = format!(
            "level {} for {}, by {} from {} until {}: {} ({})",
            declared.level,
            declared.area,
            declared.issuer,
            declared.from,
            declared.until,
            declared.name,
            declared.legal_basis
        );
        let told = format!("{}: {}", declared.phase.to_uppercase(), plain(&told));
        let bold = declared.phase == "in force";
        line("Declared", if bold { Style::Heading.of(&told) } else { told });
    }
    line("Figures", figures(status));
    line("Ledger", format!("{} entries, root {}", status.ledger_size, status.ledger_root));
    if let Some(held) = status.superior_ledger {
        let told = format!(
            "STOPPED: the superior holds {held} entries of this ledger. This store is an older copy: \
             put back the newest one, or, if there is none, begin a new term with `reeve certificate \
             renew --new-term`; until then no figure is signed"
        );
        line("", Style::Bad.of(&told));
    }
    if let Some(made_at) = &status.restored_from {
        let told = format!(
            "STOPPED: this store was restored from the backup of {made_at}, and what was said after it is \
             not in it. Begin a new term with `reeve certificate renew --new-term`; until then no figure \
             is signed"
        );
        line("", Style::Bad.of(&told));
    } else if status.following_home {
        let told = "this store was restored from a backup: the records of the home's other nodes are \
                    fetched before a figure is signed; one that does not answer is waited for a minute";
        line("", Style::Doubtful.of(told));
    }
    if let Some(behind) = status.clock_behind_ms {
        let told = format!(
            "STOPPED: this machine's clock is {} s behind what was signed last. Set it; until it is \
             right no figure is signed",
            behind / 1_000
        );
        line("Clock", Style::Bad.of(&told));
    }
    if let Some(term) = status.superseded_by {
        let told = format!(
            "STOPPED: the unit reports under term {term} by now, from another node or store"
        );
        line("", Style::Bad.of(&told));
    }
    for past in &status.past_ledgers {
        line(
            "",
            format!(
                "{} entries of term {} (`reeve sent --term {}`)",
                past.size, past.term, past.term
            ),
        );
    }
    line(
        "Waiting",
        format!(
            "{} requests to write, {} writes not durable yet",
            status.queued_writes, status.pending_persists
        ),
    );
    let bytes = status.storage.bytes.map_or("size not known".to_owned(), size);
    line("Storage", format!("{}, {bytes}", plain(&status.storage.engine)));
    if status.short_of_space {
        let told = "NO SPACE: its disk is full, or nearly. Records and reports are refused, what is there \
                    can be read; free space, and it goes on by itself";
        line("", Style::Bad.of(told));
    }
    for fork in &status.forks {
        let told = format!(
            "writer {} signed two changes {} of {} and is cut off there; revoke it",
            fork.writer, fork.from, fork.shard
        );
        line("Fork", Style::Bad.of(&plain(&told)));
    }
    for import in &status.interrupted_imports {
        let told = format!("{} of {}", plain(&import.name), import.begun_at);
        line("Interrupted", Style::Doubtful.of(&format!("import {told}; import the file again")));
    }
    for refused in &status.refused {
        let told = format!("{}: {}", plain(&refused.figure), plain(&refused.reason));
        line("Refused", Style::Bad.of(&told));
    }
    if !status.peers.is_empty() {
        let rows: Vec<_> = status.peers.iter().map(peer).collect();
        let headings = ["peer", "stands as", "connected", "certificate ends", "clock"];
        let _ = write!(text, "\n{}\n", table(&headings, &[4], &rows));
    }
    if !status.subordinates.is_empty() {
        let rows: Vec<_> = status.subordinates.iter().map(subordinate).collect();
        let headings = ["unit", "connected", "last heard", "behind with"];
        let _ = write!(text, "\n{}\n", table(&headings, &[], &rows));
    }
    text
}

/// The first few of a list, and how many more there are.
fn shortened(items: &[String]) -> String {
    let shown = items.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn figures(status: &StatusView) -> String {
    let kept = format!("{} kept", status.figures);
    match status.unsent {
        0 => kept,
        unsent => format!("{kept}, {}", Style::Doubtful.of(&format!("{unsent} not yet sent"))),
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut told = format!("{bytes} bytes");
    let mut divisor = 1_u64;
    for unit in UNITS {
        divisor = divisor.saturating_mul(1024);
        if bytes < divisor {
            break;
        }
        let tenths = bytes.saturating_mul(10).checked_div(divisor).unwrap_or(bytes);
        told = format!("{}.{} {unit}", tenths / 10, tenths % 10);
    }
    told
}

/// When a certificate ends, marked if that is soon.
fn ends(at: &str, renew: &str) -> String {
    let end: Option<jiff::Timestamp> = at.parse().ok();
    let now = super::identity::now().as_seconds();
    let left = end.map(|end| end.as_second().saturating_sub(now) / 86_400);
    match left {
        Some(..0) => Style::Bad.of(&format!("expired {at}; run `{renew}`")),
        Some(left @ 0..WARN_DAYS) => {
            Style::Doubtful.of(&format!("ends in {left} days; run `{renew}`"))
        }
        _ => format!("until {at}"),
    }
}

fn yes(connected: bool) -> String {
    if connected { "yes" } else { "no" }.to_owned()
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}

fn peer(peer: &PeerView) -> Vec<String> {
    let key: String = peer.key.chars().take(12).collect();
    vec![
        peer.unit.clone().unwrap_or(key),
        or_dash(peer.standing.as_ref()),
        yes(peer.connected),
        or_dash(peer.certificate_ends.as_ref()),
        peer.clock_offset_ms.map_or("-".to_owned(), |offset| format!("{offset:+} ms")),
    ]
}

fn subordinate(unit: &SubordinateView) -> Vec<String> {
    let mut behind: Vec<String> = unit
        .behind
        .iter()
        .take(3)
        .map(|behind| format!("{} {}: {}", behind.indicator, behind.period, behind.state))
        .collect();
    if let Some(more) = unit.behind.len().checked_sub(3).filter(|more| *more > 0) {
        behind.push(format!("and {more} more"));
    }
    let behind = if behind.is_empty() { "-".to_owned() } else { behind.join("; ") };
    vec![unit.unit.clone(), yes(unit.connected), or_dash(unit.last_heard.as_ref()), behind]
}
