//! `--lang`: people are spoken to in their language, programs in codes.

use serde_json::Value;

use super::federation::{Said, Site, eventually, said};
use super::situation::{cases, federation};

const LANGUAGES: [&str; 4] = ["en", "zh", "it", "de"];

/// What a command says in one language.
fn in_language(site: &Site, language: &str, arguments: &[&str]) -> String {
    site.reeve(&[arguments, &["--lang", language]].concat()).ok().out
}

/// The command says each of these in the language beside it, and its document is the same in all.
fn says(site: &Site, arguments: &[&str], expected: [&[&str]; 4]) {
    let document = |language: &str| -> Value {
        let mut document =
            site.reeve(&[arguments, &["--json", "--lang", language]].concat()).json();
        // What moves by itself.
        for moving in ["at", "ledger_size", "ledger_root", "storage", "peers", "subordinates"] {
            document.as_object_mut().unwrap().remove(moving);
        }
        document
    };
    for (language, parts) in LANGUAGES.iter().zip(expected) {
        let text = in_language(site, language, arguments);
        for part in parts {
            assert!(text.contains(part), "{language}: {part} in {text}");
        }
        // Other tests report meanwhile: what changed between two looks is looked at again.
        eventually(&format!("{language} says the same"), || document(language) == document("en"));
    }
}

#[test]
fn the_situation_is_told_in_every_language() {
    let nation = &federation().nation;
    cases("2022-04-01", "lang", 1);
    let names = ["--name", "zh=小城", "--name", "it=Cittadina", "--name", "de=Städtchen"];
    nation.reeve(&[&["register", "set", "016"], &names[..]].concat()).ok();
    let look = ["situation", "--day", "2022-04-01", "--threshold", "cases=9"];
    let expected: [&[&str]; 4] = [
        &[
            "ABOVE 9",
            "9 to 17",
            "NOT KNOWN",
            "policy declines",
            "016 Town",
            "Cases by day and sex",
            "FIGURE",
        ],
        &[
            "警报：高于 9",
            "9 至 17",
            "未知",
            "政策拒绝提供",
            "  现在",
            "016 小城",
            "按日期和性别的病例",
            "数据",
        ],
        &[
            "SOPRA 9",
            "da 9 a 17",
            "NON NOTO",
            "la policy rifiuta",
            "  ora",
            "016 Cittadina",
            "Casi per giorno",
            "DATO",
        ],
        // The catalogue has no German title: it is told in English.
        &[
            "ÜBER 9",
            "9 bis 17",
            "UNBEKANNT",
            "die Richtlinie lehnt",
            "  jetzt",
            "016 Städtchen",
            "Cases by day",
            "ZAHL",
        ],
    ];
    says(nation, &look, expected);
    // Columns stand below each other though characters are wide.
    for language in LANGUAGES {
        let text = in_language(nation, language, &look);
        let wide = |line: &str| unicode_width::UnicodeWidthStr::width(line);
        assert!(text.lines().all(|line| wide(line) <= 80), "{text}");
        let heads = text.lines().nth(3).unwrap();
        let numbers = text.lines().nth(5).unwrap();
        let figure = wide(heads) - wide(heads.trim_start().split_once("  ").unwrap().1);
        let value = wide(numbers) - wide(numbers.trim_start().split_once("  ").unwrap().1);
        assert_eq!(figure, value, "{text}");
    }
}

#[test]
fn a_figure_is_told_in_every_language() {
    let federation = federation();
    cases("2022-04-02", "lanq", 1);
    let query = ["query", "cases", "--period", "2022-04-02"];
    let expected: [&[&str]; 4] = [
        &["Total", "9 to 17", "Completeness", "1 of 1", "protected for superior", "CONTRIBUTORS"],
        &["合计", "9 至 17", "完整性", "1 之 1", "为上级保护", "贡献数"],
        &["Totale", "da 9 a 17", "Completezza", "1 di 1", "protetta per superiore", "CONTRIBUTI"],
        &["Summe", "9 bis 17", "Vollständigkeit", "1 von 1", "geschützt für", "BEITRÄGE"],
    ];
    says(&federation.nation, &query, expected);
    let own = ["query", "cases", "--own", "--period", "2022-04-02"];
    let expected: [&[&str]; 4] = [
        &["Own sources", "reported", "stays in this house"],
        &["自有来源", "已上报", "不出本单位"],
        &["Fonti proprie", "comunicato", "resta in questa sede"],
        &["Eigene Quellen", "gemeldet", "sie bleibt im Haus"],
    ];
    says(&federation.town, &own, expected);
}

#[test]
fn the_status_is_told_in_every_language() {
    let expected: [&[&str]; 4] = [
        &["Certificate", "until 2", "version 1", "STANDS AS", "superior", "yes"],
        &["证书", "至 2", "第 1 版", "关系", "上级", "是"],
        &["Certificato", "fino al 2", "versione 1", "RUOLO", "superiore", "sì"],
        &["Zertifikat", "bis 2", "Version 1", "STEHT ALS", "übergeordnet", "ja"],
    ];
    says(&federation().town, &["status"], expected);
}

#[test]
fn what_was_declined_or_is_not_there_is_said_in_the_language_too() {
    let town = &federation().town;
    let query = ["query", "cases", "--period", "1999-01-01", "--lang"];
    for (language, title) in LANGUAGES.iter().zip(["Not here", "此处没有", "Non c'è", "Nicht hier"])
    {
        town.reeve(&[&query[..], &[language]].concat()).fails(1, &[title]);
    }
    let writer = town.token("lang-writer", &["--role", "writer"]);
    let declined = town.reeve_as(&writer, &["situation", "--lang", "de"]);
    declined.fails(3, &["Von der Richtlinie abgelehnt", "keine Richtlinie erlaubt es"]);
    let document = town.reeve_as(&writer, &["situation", "--lang", "de", "--json"]);
    let document: Value = serde_json::from_str(&document.err).unwrap();
    assert_eq!(
        (&document["code"], &document["reason"]),
        (&"declined".into(), &"not_permitted".into())
    );
}

#[test]
fn the_language_comes_from_the_option_the_variable_or_the_locale() {
    let town = &federation().town;
    let with = |variables: &[(&str, &str)], arguments: &[&str]| -> Said {
        let mut command = town.command(&[&["status"], arguments].concat());
        command.envs(variables.iter().copied());
        said(&mut command)
    };
    let first = |said: Said| said.ok().out.split_whitespace().next().unwrap().to_owned();
    assert_eq!(first(with(&[], &[])), "Unit");
    assert_eq!(first(with(&[("LANG", "de_DE.UTF-8")], &[])), "Einheit");
    assert_eq!(first(with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "zh_CN.UTF-8")], &[])), "单位");
    assert_eq!(first(with(&[("LC_ALL", "zh_CN.UTF-8"), ("REEVE_LANG", "it")], &[])), "Unità");
    assert_eq!(first(with(&[("REEVE_LANG", "it")], &["--lang", "en-GB"])), "Unit");
    assert_eq!(first(with(&[("LANG", "C.UTF-8")], &[])), "Unit");
    assert_eq!(first(with(&[("LANG", "fr_FR.UTF-8")], &[])), "Unit");
    with(&[], &["--lang", "!"]).fails(2, &["--lang", "zh-Hant"]);
    let help = with(&[("LANG", "de_DE.UTF-8")], &["--help"]).ok().out;
    assert!(help.contains("Shows who is connected"), "help is in English: {help}");
}

#[test]
fn what_officials_do_is_told_in_every_language() {
    let (nation, town) = (&federation().nation, &federation().town);
    let each = |site: &Site, arguments: &[&str], expected: [&str; 4]| {
        for (language, part) in LANGUAGES.iter().zip(expected) {
            let text = in_language(site, language, arguments);
            assert!(text.contains(part), "{language}: {part} in {text}");
        }
    };
    let heads = ["POPULATION", "人口", "POPOLAZIONE", "BEVÖLKERUNG"];
    each(nation, &["register", "show"], heads);
    let adopted = ["LEGAL BASIS", "法律依据", "BASE GIURIDICA", "RECHTSGRUNDLAGE"];
    each(town, &["policy", "adopted"], adopted);
    let told = ["Adopted: cases.", "已采用：cases。", "Adottati: cases.", "Übernommen: cases."];
    each(town, &["policy", "adopt", "cases"], told);
    let nil = ["report", "nil", "case", "2022-05-01", "--source", "health-office"];
    let told = ["has nothing of case", "没有 case", "non ha nulla di case", "hat von case"];
    each(town, &nil, told);
    let day = ["twin", "expire", "--kind", "case", "--before", "2000-01-01", "--dry-run"];
    let told = ["would be removed", "将清除", "sarebbero rimossi", "würden entfernt"];
    each(town, &day, told);
    let ahead = ["twin", "expire", "--lang", "it"];
    town.reeve(&ahead).fails(1, &["lo schema non dice per quanto"]);
    let twice = ["register", "reopen", "016", "--lang", "zh"];
    nation.reeve(&twice).fails(1, &["名册未作"]);
}

#[test]
fn the_house_has_a_language_of_its_own() {
    let mut alone = super::federation::Alone::found("redb");
    alone.stop();
    let config = alone.site.folder.join("reeve.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("languages = [\"en\"]"), "{text}");
    let text = text.replace("languages = [\"en\"]", "languages = [\"de\", \"it\"]");
    std::fs::write(&config, text).unwrap();
    let verified = alone.site.reeve(&["verify"]).ok().out;
    assert!(verified.contains("Der Speicher ist ganz."), "{verified}");
    let document = alone.site.reeve(&["verify", "--json"]).json();
    assert_eq!(document["sound"], true);
    let verified = alone.site.reeve(&["verify", "--lang", "zh"]).ok().out;
    assert!(verified.contains("存储完整"), "{verified}");
    let mut command = alone.site.command(&["verify"]);
    let verified = said(command.env("LANG", "it_IT.UTF-8")).ok().out;
    assert!(verified.contains("L'archivio è integro."), "{verified}");
}
