//! Writing `reeve.toml` with a comment for every key.

use std::fmt::Display;

use reeve_crdt::indicator::Source;

use super::{Config, FORMAT, Peer};

/// A value as TOML writes it: a quoted string.
fn quoted(text: &str) -> impl Display {
    toml::Value::String(text.to_owned())
}

fn list(texts: &[String]) -> impl Display {
    toml::Value::Array(texts.iter().cloned().map(toml::Value::String).collect())
}

pub(super) fn config(config: &Config) -> String {
    let mut text = head(config);
    text.push_str(&net(config));
    text.push_str(&http(config));
    text.push_str(&rest(config));
    for (section, peers) in [("superior", &config.superior), ("home", &config.home)] {
        for entry in peers {
            text.push_str(&peer(section, entry));
        }
    }
    text
}

fn head(config: &Config) -> String {
    format!(
        r#"# The configuration of one Reeve node. Every key is shown with the value in force; unknown keys
# are refused. File names are relative to this file's folder. A change takes effect at a restart.

# The format of this file. A program that does not know it refuses the file.
format = {FORMAT}

# The id of the unit of government: stable, never reused. Where the unit stands (its path) is read
# from its certificates.
unit = {unit}

# The time zone in which the unit's days begin and end (IANA name).
time_zone = {zone}

# The languages of this house, the preferred first (BCP 47): commands speak the first one where neither
# --lang nor the surroundings (REEVE_LANG, LC_ALL, LC_MESSAGES, LANG) say another.
languages = {languages}
"#,
        unit = quoted(config.unit.as_str()),
        zone = quoted(&config.time_zone),
        languages = list(&config.languages),
    )
}

fn net(config: &Config) -> String {
    let net = &config.net;
    format!(
        r#"
[net]
# Where this node listens for peers: /ip4/ADDRESS/tcp/PORT and /ip4/ADDRESS/udp/PORT/quic-v1, or /ip6.
# Only peers that are known by key get past the first message.
listen = {listen}

# Where peers reach this node, if that differs (a public name, a forwarded port). Told to those who
# join. Empty: the addresses of `listen`.
announce = {announce}

# Where this node listens for newcomers with an invite. Empty: nobody can join through this node.
enrolment = {enrolment}

# Where newcomers reach it, if that differs. Written into invites. Empty: those of `enrolment`.
announce_enrolment = {announce_enrolment}

# Whether peers may be dialled on loopback, link-local and private addresses. Keep false unless the
# federation runs on a private network.
allow_private_addresses = {private}

# The longest wait before a peer that cannot be reached is dialled again.
redial_ceiling = "{ceiling}s"
"#,
        listen = list(&net.listen),
        announce = list(&net.announce),
        enrolment = list(&net.enrolment),
        announce_enrolment = list(&net.announce_enrolment),
        private = net.allow_private_addresses,
        ceiling = net.redial_ceiling.as_secs(),
    )
}

fn http(config: &Config) -> String {
    format!(
        r#"
[http]
# Where the local HTTP API listens. The command line talks to the node through it.
listen = "{listen}"

# Whether `listen` may be an address beyond this machine. Put a TLS proxy in front of it then.
allow_beyond_loopback = {beyond}

# Names that requests may give in `Host`, besides the address itself and localhost.
host_names = {names}

# Whether anybody may read this node's ledger without a token: checkpoints and tiles (C2SP tlog-tiles) under
# /ledger/TERM/. They show how much was signed, and nothing of what.
ledger = {ledger}
"#,
        listen = config.http.listen,
        beyond = config.http.allow_beyond_loopback,
        names = list(&config.http.host_names),
        ledger = config.http.ledger,
    )
}

fn rest(config: &Config) -> String {
    let schema = match &config.schema {
        Some(path) => format!("schema = {}", quoted(&path.to_string_lossy())),
        None => "# schema = \"schema.toml\"".to_owned(),
    };
    format!(
        r#"
[store]
# "redb", or "sled".
engine = "{engine}"

[twin]
# The schema of the unit's records. Without one this node keeps no records and only adds up the
# figures of its subordinates.
{schema}

# Whether records that are older than their kind's `retention` in the schema are removed by themselves, for
# ever and from every node of this home: "scheduled", or "by_hand" (`reeve twin expire`). Only the node that
# reports removes.
retention = "{retention}"

[policy]
# Who may have what, in Cedar. Check a change with `reeve policy check`.
file = {policy}

# A catalogue proposes indicators, and nothing of one is sent before this home adopts it: `reeve policy
# adopted` lists them, `reeve policy adopt` consents. Indicators that name one of these legal bases, word for
# word, are adopted without being asked about; "*" stands for every indicator.
accepted_legal_bases = {accepted}

# Whether it takes two persons to change the policy, adopt an indicator, remove records or publish a
# bulletin: what one token's holder asks for then waits, at most a week, until another's asks for the very same.
two_persons = {two_persons}

# The sources that are expected to report, each in a table: departments, contributors, feeds. A figure is
# complete once all of its kind's sources have closed the period. Of a kind without any, whoever ever closed
# a period of it is expected. `kinds`: those that it reports, else all; `from` and `until`: its first and last
# day. A feed closes nothing one by one: it says `reeve report alive` at least every `silent_after`.
#
# [source.laboratory]
# kinds = ["case"]
# from = "2026-01-01"
# silent_after = "2h"
{sources}
[request]
# Why this node asks its subordinates for figures; part of every signed request.
purpose = {purpose}
legal_basis = {legal_basis}

[log]
# "error", "warn", "info", "debug" or "trace".
level = "{level}"

# One JSON object per line instead of text for people.
json = {json}
"#,
        engine = config.store.name(),
        policy = quoted(&config.policy.to_string_lossy()),
        accepted = list(&config.accepted_legal_bases),
        two_persons = config.two_persons,
        retention = config.retention.name(),
        sources = config.sources.iter().map(source).collect::<String>(),
        purpose = quoted(&config.request.purpose),
        legal_basis = quoted(&config.request.legal_basis),
        level = config.log.level.name(),
        json = config.log.json,
    )
}

/// The text with every peer of a section made a comment.
pub(super) fn without(text: &str, section: &str) -> String {
    let heading = format!("[[{section}.peer]]");
    let mut within = false;
    let mut kept = String::new();
    for line in text.lines() {
        let word = line.trim_start();
        if word.starts_with('[') {
            within = word.starts_with(&heading);
        }
        let comment = if within && !word.is_empty() && !word.starts_with('#') { "# " } else { "" };
        kept.push_str(comment);
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn source(source: &Source) -> String {
    let kinds: Vec<String> = source.kinds.iter().map(ToString::to_string).collect();
    let mut text = format!("[source.{}]\nkinds = {}\n", quoted(&source.name), list(&kinds));
    for (key, day) in [("from", source.from), ("until", source.until)] {
        if let Some(day) = day {
            text.push_str(&format!("{key} = \"{day}\"\n"));
        }
    }
    if let Some(millis) = source.silent_after_ms {
        text.push_str(&format!("silent_after = \"{}s\"\n", millis.div_euclid(1_000)));
    }
    text
}

pub(super) fn peer(section: &str, peer: &Peer) -> String {
    let what = match section {
        "superior" => "A node of the superior unit, which this node dials",
        _ => "Another node of this home, which this node dials",
    };
    format!(
        "\n# {what}.\n[[{section}.peer]]\nkey = \"{key}\"\naddresses = {addresses}\n",
        key = peer.key,
        addresses = list(&peer.addresses),
    )
}
