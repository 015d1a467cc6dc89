//! `reeve status`: how the node fares.

use std::fmt::Write as _;

use super::asking::Node;
use super::layout::{left, width};
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{PeerView, SourceView, StatusView, SubordinateView, TakenOverView};

/// Days before a certificate's end from which on it is marked.
const WARN_DAYS: i64 = 30;

/// Digits of a key that the text shows; `--json` has all.
const KEY_DIGITS: usize = 16;

/// Names of a list that the text shows; `--json` has all.
const NAMES_SHOWN: usize = 8;

/// Sources that the text shows; `--json` has all.
const SOURCES_SHOWN: usize = 20;

/// Which node.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows who is connected, what is late, what the superior lacks or refused, the ledger's head, which sources
say nothing, up to which day records were removed, work that waits, and certificates that end soon.

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
    output.show(&status, || describe(&status, output.locale()))
}

fn describe(status: &StatusView, locale: &Locale) -> String {
    let mut lines = who(status, locale);
    lines.extend(work(status, locale));
    lines.extend(trouble(status, locale));
    let said = |label: Option<Text>| label.map_or("", |label| locale.say(label));
    let labels = lines.iter().map(|(label, _)| width(said(*label))).max().unwrap_or(0);
    let mut text = String::new();
    for (label, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}{value}", left(said(label), labels.saturating_add(1)));
    }
    let head = |headings: &[Text]| -> Vec<&'static str> {
        headings.iter().map(|heading| locale.say(*heading)).collect()
    };
    if !status.peers.is_empty() {
        let rows: Vec<_> = status.peers.iter().map(|it| peer(it, locale)).collect();
        let headings = head(&[
            Text::HeadPeer,
            Text::HeadStandsAs,
            Text::HeadConnected,
            Text::HeadCertificateEnds,
            Text::HeadClock,
        ]);
        let _ = write!(text, "\n{}\n", table(&headings, &[4], &rows));
    }
    if !status.subordinates.is_empty() {
        let rows: Vec<_> = status.subordinates.iter().map(|it| subordinate(it, locale)).collect();
        let headings =
            head(&[Text::HeadUnit, Text::HeadConnected, Text::HeadLastHeard, Text::HeadBehind]);
        let _ = write!(text, "\n{}\n", table(&headings, &[], &rows));
    }
    text
}

/// Lines with their labels; a line without one belongs to the one before.
type Lines = Vec<(Option<Text>, String)>;

/// Who the node is, and whether its certificates hold.
fn who(status: &StatusView, locale: &Locale) -> Lines {
    let unit = Style::Heading.of(&plain(&status.unit));
    let term = status.term.map(|term| term.to_string());
    let renew = |at| ends(at, "`reeve certificate renew`", locale);
    let mut lines = vec![
        (Some(Text::LabelUnit), format!("{unit} (reeve {})", status.version)),
        (Some(Text::LabelNode), status.key.clone()),
        (Some(Text::LabelTerm), term.unwrap_or_else(|| locale.say(Text::DoesNotReport).to_owned())),
        (Some(Text::LabelCertificate), renew(&status.certificate_ends)),
        (Some(Text::LabelWriter), renew(&status.writer_ends)),
    ];
    if let Some(end) = &status.authority_ends {
        let renew = locale.say(Text::RenewAuthority);
        lines.push((Some(Text::LabelAuthority), ends(end, renew, locale)));
    }
    if let Some(reason) = &status.not_believed {
        let code = status.not_believed_code.as_deref();
        let reason = code.map_or_else(|| plain(reason), |code| locale.of_code("refusal", code));
        lines.push((Some(Text::LabelNotBelieved), Style::Bad.of(&reason)));
    }
    if let Some(refused) = &status.refused_by {
        let reason = locale.of_code("refusal", &refused.code);
        let told = [plain(&refused.peer), reason, plain(&refused.code)];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = locale.fill(Text::RefusedByPeer, &told);
        lines.push((Some(Text::LabelRefusedBy), Style::Bad.of(&told)));
    }
    lines
}

/// What it does.
fn work(status: &StatusView, locale: &Locale) -> Lines {
    let catalogue = match status.catalogue_version {
        0 => Style::Doubtful.of(locale.say(Text::NoCatalogue)),
        version => locale.fill(Text::Version, &[&version.to_string()]),
    };
    let ledger = [status.ledger_size.to_string(), status.ledger_root.clone()];
    let ledger: Vec<&str> = ledger.iter().map(String::as_str).collect();
    let mut lines = vec![
        (Some(Text::LabelListensAt), plain(&status.addresses.join(", "))),
        (Some(Text::LabelCatalogue), catalogue),
    ];
    if !status.not_adopted.is_empty() {
        let names = shortened(&status.not_adopted, locale);
        let told = locale.fill(Text::NotAdoptedTold, &[&names]);
        lines.push((Some(Text::LabelNotAdopted), Style::Doubtful.of(&told)));
    }
    for declared in status.declarations.iter().filter(|it| it.phase != "over") {
        let told = [
            locale.of_code("phase", &declared.phase.replace(' ', "_")).to_uppercase(),
            declared.level.to_string(),
            plain(&declared.area),
            plain(&declared.issuer),
            plain(&declared.from),
            plain(&declared.until),
            plain(&declared.name),
            plain(&declared.legal_basis),
        ];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = locale.fill(Text::DeclaredTold, &told);
        let bold = declared.phase == "in force";
        let told = if bold { Style::Heading.of(&told) } else { told };
        lines.push((Some(Text::LabelDeclared), told));
    }
    lines.push((Some(Text::LabelFigures), figures(status, locale)));
    lines.push((Some(Text::LabelLedger), locale.fill(Text::LedgerHead, &ledger)));
    lines.push((Some(Text::LabelWitnessed), witnessed(status, locale)));
    let bad = |text, place: String| Style::Bad.of(&locale.fill(text, &[&place]));
    if let Some(held) = status.superior_ledger {
        lines.push((None, bad(Text::StoppedOldCopy, held.to_string())));
    }
    if let Some(behind) = status.clock_behind_ms {
        let told = bad(Text::StoppedClock, (behind / 1_000).to_string());
        lines.push((Some(Text::LabelClock), told));
    }
    if let Some(term) = status.superseded_by {
        lines.push((None, bad(Text::StoppedTerm, term.to_string())));
    }
    if let Some(made_at) = &status.restored_from {
        lines.push((None, bad(Text::StoppedRestored, plain(made_at))));
    } else if status.following_home {
        lines.push((None, Style::Doubtful.of(locale.say(Text::FollowingHome))));
    }
    if status.needs_letter {
        lines.push((None, Style::Doubtful.of(locale.say(Text::NeedsLetter))));
    }
    for authority in &status.authorities {
        let key: String = authority.key.chars().take(KEY_DIGITS).collect();
        let told =
            [plain(&authority.unit), key, plain(&authority.noticed_at), plain(&authority.how)];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = if authority.replaced_at.is_some() {
            Style::Bad.of(&locale.fill(Text::AuthorityReplaced, &told))
        } else {
            locale.fill(Text::AuthorityHandedOn, &told)
        };
        lines.push((Some(Text::LabelAuthority), told));
    }
    for past in &status.past_ledgers {
        let places = [past.size.to_string(), past.term.to_string()];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        lines.push((None, locale.fill(Text::PastLedger, &places)));
    }
    lines.extend(sources(status, locale));
    for (n, sealed) in status.sealed.iter().enumerate() {
        let told = locale.fill(Text::SealedTold, &[&plain(&sealed.kind), &plain(&sealed.before)]);
        lines.push(((n == 0).then_some(Text::LabelSealed), told));
    }
    let waiting = [status.queued_writes, status.pending_persists].map(|it| it.to_string());
    let waiting: Vec<&str> = waiting.iter().map(String::as_str).collect();
    lines.push((Some(Text::LabelWaiting), locale.fill(Text::WaitingWork, &waiting)));
    let unknown = || locale.say(Text::SizeUnknown).to_owned();
    let bytes = status.storage.bytes.map_or_else(unknown, size);
    lines.push((Some(Text::LabelStorage), format!("{}, {bytes}", plain(&status.storage.engine))));
    if status.short_of_space {
        lines.push((None, Style::Bad.of(locale.say(Text::NoSpace))));
    }
    lines
}

/// The sources of this house, those first that say nothing.
fn sources(status: &StatusView, locale: &Locale) -> Lines {
    let told = |source: &SourceView| {
        let (name, kind) = (plain(&source.source), plain(&source.kind));
        let fill = |text, last: &str| locale.fill(text, &[&name, &kind, last]);
        match (source.silent, &source.heard_at, &source.owes, &source.last_day) {
            (true, Some(at), ..) => Style::Bad.of(&fill(Text::SourceSilent, at)),
            (true, None, ..) => Style::Bad.of(&fill(Text::SourceNeverHeard, "")),
            (_, _, Some(period), _) => {
                Style::Doubtful.of(&fill(Text::SourceOwes, &locale.period(period)))
            }
            (_, Some(at), ..) => fill(Text::SourceAlive, at),
            (.., Some(day)) => fill(Text::SourceClosed, day),
            _ => fill(Text::SourceNothing, ""),
        }
    };
    let mut all: Vec<&SourceView> = status.sources.iter().collect();
    all.sort_by_key(|it| (!it.silent, it.owes.is_none(), &it.kind, &it.source));
    let mut lines: Lines = all.iter().take(SOURCES_SHOWN).map(|it| (None, told(it))).collect();
    if let Some(more) = all.len().checked_sub(SOURCES_SHOWN).filter(|more| *more > 0) {
        lines.push((None, locale.fill(Text::AndMore, &[&more.to_string()])));
    }
    if let Some((label, _)) = lines.first_mut() {
        *label = Some(Text::LabelSources);
    }
    lines
}

/// How far a witness has cosigned the ledger.
fn witnessed(status: &StatusView, locale: &Locale) -> String {
    let Some(witnessed) = &status.witnessed else {
        return locale.say(Text::NotWitnessed).to_owned();
    };
    let told = [witnessed.size.to_string(), plain(&witnessed.by), plain(&witnessed.at)];
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    locale.fill(Text::WitnessedTold, &told)
}

/// What somebody must see to.
fn trouble(status: &StatusView, locale: &Locale) -> Lines {
    let mut lines = Lines::new();
    lines.extend(status.taken_over.iter().flat_map(|it| taken_over(it, locale)));
    for proven in &status.equivocations {
        let told = [plain(&proven.unit), proven.term.to_string(), plain(&proven.found_at)];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = Style::Bad.of(&locale.fill(Text::EquivocationTold, &told));
        lines.push((Some(Text::LabelEquivocation), told));
    }
    for fork in &status.forks {
        let told = [plain(&fork.writer), fork.from.to_string(), plain(&fork.shard)];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = Style::Bad.of(&locale.fill(Text::ForkTold, &told));
        lines.push((Some(Text::LabelFork), told));
    }
    for import in &status.interrupted_imports {
        let told = [plain(&import.name), import.begun_at.clone()];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let told = Style::Doubtful.of(&locale.fill(Text::InterruptedTold, &told));
        lines.push((Some(Text::LabelInterrupted), told));
    }
    for refused in &status.refused {
        let reason = locale.of_code("refusal", &refused.code);
        let told = format!("{}: {reason}", plain(&refused.figure));
        lines.push((Some(Text::LabelRefused), Style::Bad.of(&told)));
    }
    lines
}

/// In what it differs from the node in whose place it reports.
fn taken_over(differs: &TakenOverView, locale: &Locale) -> Lines {
    let term = differs.term.to_string();
    let short = |digest: &String| digest.chars().take(KEY_DIGITS).collect::<String>();
    let mut told = Vec::new();
    if let (Some(before), Some(here)) = (&differs.policy_before, &differs.policy) {
        told.push(locale.fill(Text::OtherPolicy, &[&term, &short(before), &short(here)]));
    }
    if !differs.not_adopted.is_empty() {
        let names = shortened(&differs.not_adopted, locale);
        told.push(locale.fill(Text::OtherAdoption, &[&term, &names]));
    }
    for it in &differs.sources {
        let (before, here) = (it.before.to_string(), it.here.to_string());
        let places = [plain(&it.indicator), term.clone(), before, here];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        told.push(locale.fill(Text::OtherSources, &places));
    }
    let line = |(n, told): (usize, String)| {
        ((n == 0).then_some(Text::LabelTakenOver), Style::Bad.of(&told))
    };
    told.into_iter().enumerate().map(line).collect()
}

/// The first few of many names.
fn shortened(names: &[String], locale: &Locale) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(|it| plain(it)).collect();
    if let Some(more) = names.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        shown.push(locale.fill(Text::AndMore, &[&more.to_string()]));
    }
    shown.join(", ")
}

fn figures(status: &StatusView, locale: &Locale) -> String {
    let kept = locale.fill(Text::FiguresKept, &[&status.figures.to_string()]);
    match status.unsent {
        0 => kept,
        unsent => {
            let unsent = locale.fill(Text::FiguresUnsent, &[&unsent.to_string()]);
            format!("{kept}, {}", Style::Doubtful.of(&unsent))
        }
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
fn ends(at: &str, renew: &str, locale: &Locale) -> String {
    let end: Option<jiff::Timestamp> = at.parse().ok();
    let now = super::identity::now().as_seconds();
    let left = end.map(|end| end.as_second().saturating_sub(now) / 86_400);
    match left {
        Some(..0) => Style::Bad.of(&locale.fill(Text::Expired, &[at, renew])),
        Some(left @ 0..WARN_DAYS) => {
            Style::Doubtful.of(&locale.fill(Text::EndsSoon, &[&left.to_string(), renew]))
        }
        _ => locale.fill(Text::Until, &[at]),
    }
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}

fn peer(peer: &PeerView, locale: &Locale) -> Vec<String> {
    let key: String = peer.key.chars().take(12).collect();
    let standing = peer.standing.as_ref().map(|standing| locale.of_code("peer", standing));
    vec![
        peer.unit.clone().unwrap_or(key),
        or_dash(standing.as_ref()),
        locale.yes(peer.connected).to_owned(),
        or_dash(peer.certificate_ends.as_ref()),
        peer.clock_offset_ms.map_or("-".to_owned(), |offset| format!("{offset:+} ms")),
    ]
}

fn subordinate(unit: &SubordinateView, locale: &Locale) -> Vec<String> {
    let mut behind: Vec<String> = unit
        .behind
        .iter()
        .take(3)
        .map(|behind| {
            let state = locale.of_code("state", &behind.state);
            format!("{} {}: {state}", behind.indicator, locale.period(&behind.period))
        })
        .collect();
    if let Some(more) = unit.behind.len().checked_sub(3).filter(|more| *more > 0) {
        behind.push(locale.fill(Text::AndMore, &[&more.to_string()]));
    }
    let behind = if behind.is_empty() { "-".to_owned() } else { behind.join("; ") };
    let connected = locale.yes(unit.connected).to_owned();
    let name = locale.pick(&unit.names).map(|name| format!(" {name}")).unwrap_or_default();
    let last_heard = or_dash(unit.last_heard.as_ref());
    vec![format!("{}{name}", unit.unit), connected, last_heard, behind]
}
