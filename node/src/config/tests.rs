//! What is written is read, and what is wrong is named with its place.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reeve_statement::key::SecretKey;

use reeve_crdt::indicator::Source;

use super::*;

fn example() -> Config {
    let key = SecretKey::from_seed(&[7; 32]).public();
    let peer = Peer { key, addresses: vec!["/dns/it.example/tcp/7401".to_owned()] };
    let mut config = Config::new("016".parse().unwrap());
    config.time_zone = "Europe/Rome".to_owned();
    config.schema = Some("schema.toml".into());
    config.sources = vec![
        Source {
            name: "hospital \"a\"".to_owned(),
            kinds: vec!["case".parse().unwrap()],
            from: None,
            until: Some("2026-06-30".parse().unwrap()),
            silent_after_ms: None,
        },
        Source {
            name: "laboratory".to_owned(),
            kinds: Vec::new(),
            from: Some("2026-01-01".parse().unwrap()),
            until: None,
            silent_after_ms: Some(7_200_000),
        },
    ];
    config.superior = vec![peer.clone()];
    config.home = vec![peer.clone(), peer];
    config
}

#[test]
fn what_is_written_is_read_back() {
    for config in [Config::new("it".parse().unwrap()), example()] {
        let text = config.to_toml();
        assert_eq!(Config::parse("reeve.toml", &text).unwrap(), config, "{text}");
    }
}

#[test]
fn peers_can_be_appended() {
    let config = example();
    let mut bare = config.clone();
    bare.superior.clear();
    bare.home.clear();
    let mut text = bare.to_toml();
    text.push_str(&Config::superior_entry(config.superior.first().unwrap()));
    for peer in &config.home {
        text.push_str(&Config::home_entry(peer));
    }
    assert_eq!(Config::parse("reeve.toml", &text).unwrap(), config);
}

#[test]
fn only_the_unit_must_be_given() {
    let config = Config::parse("reeve.toml", "unit = \"016\"").unwrap();
    assert_eq!(config, Config::new("016".parse().unwrap()));
}

#[test]
fn a_source_is_a_table_of_its_own() {
    let text = "unit = \"016\"\n[source.lab]\nkinds = [\"case\"]\nfrom = \"2026-01-01\"\n\
                silent_after = \"90m\"\n";
    let config = Config::parse("reeve.toml", text).unwrap();
    assert_eq!(config.sources.first().unwrap().silent_after_ms, Some(5_400_000));
    for (from, to, expected) in [
        ("from = \"2026-01-01\"\n", "", "the first day that its heartbeats close"),
        ("90m", "90", "from 1m to 1000h"),
        ("2026-01-01", "1.1.2026", "a day such as"),
        ("\"case\"", "\"Case\"", "names of kinds"),
        ("source.lab", "source.\"a/b\"", "without `/`"),
    ] {
        let shown = refused(&text.replace(from, to));
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

fn refused(text: &str) -> String {
    Config::parse("reeve.toml", text).unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let shown = refused("unit = \"016\"\n[net]\nlistne = []\n");
    assert!(shown.contains("reeve.toml:3:1") && shown.contains("listne"), "{shown}");
    let shown = refused("unit = \"016\"\n\n[superior]\n[[superior.peer]]\nkay = \"\"\n");
    assert!(shown.contains("reeve.toml:5:1") && shown.contains("`kay`"), "{shown}");
}

#[test]
fn wrong_values_are_named_with_their_lines() {
    for (line, expected) in [
        ("unit = \"Milano\"", "reeve.toml:1:"),
        ("unit = \"x\"\ntime_zone = \"Europe/Rom\"", "Europe/Rome"),
        ("unit = \"x\"\n[net]\nredial_ceiling = \"2 days\"", "reeve.toml:3:18"),
        ("unit = \"x\"\n[net]\nlisten = [\"127.0.0.1:7401\"]", "/ip4/"),
        ("unit = \"x\"\n[http]\nlisten = \"0.0.0.0:7400\"", "allow_beyond_loopback = true"),
        ("unit = \"x\"\n[store]\nengine = \"postgres\"", "one of redb, sled"),
        ("unit = \"x\"\n[log]\nlevel = \"loud\"", "one of error, warn"),
        ("unit = \"x\"\n[superior]\npeer = [{ key = \"00\" }]", "64 hexadecimal digits"),
        ("", "unit"),
        ("unit = ", "reeve.toml:1:"),
    ] {
        let shown = refused(line);
        assert!(shown.contains(expected), "{line}: {shown}");
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let shown = refused("unit = 16\n[log]\njson = 1\n[twine]\n");
    assert_eq!(shown.lines().count(), 3, "{shown}");
}
