//! The drills of docs/operate.md, as a new administrator follows them: the commands are taken from there.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::federation::{Federation, Said, Site, command, eventually, said};
use super::files::PASSPHRASE;

const OPERATE: &str = include_str!("../../../docs/operate.md");

/// How long a node waits for one that is lost, and some more.
const LOSS: Duration = Duration::from_secs(150);

/// The commands of a section, block by block.
fn blocks(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = OPERATE.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    for part in section.split("```sh\n").skip(1) {
        let (block, _) = part.split_once("```").unwrap();
        blocks.push(block.lines().filter(|line| !line.is_empty()).collect());
    }
    blocks
}

/// Two nodes of a home on one machine, where the document has them.
struct Drill {
    federation: Federation,
    second: Site,
}

impl Drill {
    fn begin() -> Self {
        let federation = Federation::found("redb");
        let second = federation.second_node("health");
        // What the first node's configuration accepts, the second one's need not: an act is the home's.
        federation.town.reeve(&["policy", "adopt", "beds"]).ok();
        federation.write("reeve-passphrase", PASSPHRASE);
        fs::create_dir_all(federation.path("stick")).unwrap();
        fs::create_dir_all(federation.path("safe")).unwrap();
        Self { federation, second }
    }

    fn place(&self, text: &str) -> String {
        let folder = |site: &Site| site.folder.to_str().unwrap().to_owned();
        text.replace("/var/lib/reeve-2", &folder(&self.second))
            .replace("/var/lib/reeve-nation", &folder(&self.federation.nation))
            .replace("/var/lib/reeve", &folder(&self.federation.town))
            .replace("/media/stick", &self.federation.path("stick"))
            .replace("/media/safe", &self.federation.path("safe"))
    }

    /// Does what a line of the document says.
    fn follow(&self, line: &str) -> Said {
        let services = [("reeve-2", &self.second), ("reeve", &self.federation.town)];
        for (name, site) in services {
            if line == format!("systemctl stop {name}") {
                self.federation.stop(site);
            } else if line == format!("systemctl restart {name}") {
                self.federation.stop(site);
                self.federation.start(site);
            } else {
                continue;
            }
            return Said { code: 0, out: String::new(), err: String::new() };
        }
        let words: Vec<String> = line.split_whitespace().map(|word| self.place(word)).collect();
        let (program, arguments) = words.split_first().unwrap();
        let mut command = command();
        if program != "reeve" {
            command = std::process::Command::new(program);
        }
        let credentials = self.federation.path("");
        said(command.args(arguments).env("CREDENTIALS_DIRECTORY", credentials))
    }

    fn follow_all(&self, block: &[&str]) -> Vec<Said> {
        block.iter().map(|line| self.follow(line).ok()).collect()
    }

    fn put_beds(&self, site: &Site, beds: u32) {
        let token = site.token("stocks", &["--role", "writer", "--kind", "stock"]);
        let fields = format!(r#"{{"site": "north", "beds": {beds}}}"#);
        site.reeve_as(&token, &["record", "put", "stock", "hall", "--fields", &fields]).ok();
        site.reeve(&["token", "revoke", "stocks"]).ok();
    }

    #[track_caller]
    fn nation_sees(&self, beds: u32) {
        let began = Instant::now();
        let sees = || {
            let question = ["query", "beds", "--period", "now", "--json"];
            let said = self.federation.nation.reeve(&question);
            said.code == 0 && said.json()["total"]["value"] == json!({ "lo": beds, "hi": beds })
        };
        while !sees() {
            assert!(began.elapsed() < LOSS, "the nation does not see {beds} beds");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn status(&self, site: &Site) -> serde_json::Value {
        site.reeve(&["status", "--json"]).json()
    }
}

#[test]
fn the_reporting_is_handed_over_and_back_and_over_again_after_a_loss() {
    let drill = Drill::begin();
    let (first, second) = (&drill.federation.town, &drill.second);
    drill.put_beds(first, 3);
    drill.nation_sees(3);
    let steps = blocks("A hand-over drill");
    let [look, hand_over, papers, back, loss] = steps.as_slice() else {
        panic!("the drill has other steps: {steps:?}");
    };
    eventually("both nodes of the home are connected", || {
        let told = drill.follow_all(look);
        told.first().is_some_and(|said| said.out.contains("home"))
            && drill.status(first)["peers"]
                .as_array()
                .unwrap()
                .iter()
                .any(|peer| peer["standing"] == "home" && peer["connected"] == true)
    });
    drill.follow_all(hand_over);
    eventually("the second node reports, and the first does not", || {
        drill.status(second)["term"] == 2
            && drill.status(second)["following_home"].is_null()
            && drill.status(first)["superseded_by"] == 2
    });
    drill.put_beds(first, 4);
    drill.nation_sees(4);
    drill.put_beds(second, 5);
    drill.nation_sees(5);
    drill.follow_all(papers);
    let invite = ["invite", "016", "--home-node", "--passphrase-file"];
    let key = drill.federation.path("passphrase");
    second.reeve(&[&invite[..], &[key.as_str()]].concat()).ok();
    drill.nation_sees(5);
    drill.follow_all(back);
    eventually("the first node reports again", || {
        drill.status(first)["term"] == 3 && drill.status(second)["superseded_by"] == 3
    });
    drill.put_beds(second, 6);
    drill.nation_sees(6);
    drill.follow_all(loss);
    drill.put_beds(second, 7);
    drill.nation_sees(7);
    assert_eq!(drill.status(second)["term"], 4);
    // The lost one turns up, and changes nothing.
    drill.federation.start(first);
    eventually("the lost one hears that its term is over", || {
        drill.status(first)["superseded_by"].is_u64()
    });
    drill.nation_sees(7);
}

#[test]
fn the_authority_gets_another_key_and_has_it_in_several_hands() {
    let drill = Drill::begin();
    let (first, second) = (&drill.federation.town, &drill.second);
    drill.put_beds(first, 3);
    drill.nation_sees(3);
    let steps = blocks("Another key for the authority");
    let [rotate, lost, split, combine] = steps.as_slice() else {
        panic!("the section has other steps: {steps:?}");
    };
    let key = || {
        let report = first.reeve(&["certificate", "show", "--json"]).json();
        report["chain"][1]["key"].as_str().unwrap().to_owned()
    };
    let before = key();
    drill.follow_all(rotate);
    let handed_on = key();
    assert_ne!(before, handed_on);
    let how = |site: &Site| drill.status(site)["authorities"][0]["how"].clone();
    eventually("the nation and the other node are shown how it followed", || {
        how(&drill.federation.nation) == "handed_on" && how(second) == "handed_on"
    });
    drill.put_beds(second, 4);
    drill.nation_sees(4);
    // The key is lost: the superior replaces it, and compares the key that it was told.
    let mut told = String::new();
    for line in lost {
        let line = line.replace("5f0c9a1277ab3d10", &told);
        let said = drill.follow(&line).ok();
        if line.contains(" rekey ") {
            let word = said.out.split("for the key ").nth(1).unwrap();
            told = word.split_whitespace().next().unwrap().chars().take(16).collect();
        }
    }
    assert_ne!(key(), handed_on);
    eventually("everybody is told that the superior did it", || {
        how(&drill.federation.nation) == "lost" && how(second) == "lost"
    });
    let shown = drill.federation.nation.reeve(&["status"]).ok().out;
    assert!(shown.contains("REPLACED by its superior (lost)"), "{shown}");
    drill.put_beds(first, 5);
    drill.nation_sees(5);
    let issued = drill.federation.nation.reeve(&["certificate", "list"]).ok().out;
    assert_eq!(issued.matches("016 authority").count(), 3, "{issued}");

    // Shares: any two of three, each with its own passphrase; and each mistake is named.
    for number in 1..=3 {
        let name = format!("stick/keeper-{number}");
        drill.federation.write(&name, format!("passphrase of keeper {number}"));
    }
    drill.follow_all(split);
    let present = first.folder.join("keys/authority.key");
    assert!(!present.exists(), "it is in the shares alone");
    let share = |number: u8| drill.federation.path(&format!("safe/share-{number}.key"));
    let keeper = |number: u8| drill.federation.path(&format!("stick/keeper-{number}"));
    let passphrase = drill.federation.path("passphrase");
    let combine_of = |shares: &[(String, String)]| {
        let mut words = vec!["authority".to_owned(), "combine".to_owned()];
        words.extend(shares.iter().map(|(share, _)| share.clone()));
        for (_, keeper) in shares {
            words.extend(["--share-passphrase-file".to_owned(), keeper.clone()]);
        }
        words.extend(["--passphrase-file".to_owned(), passphrase.clone()]);
        first.reeve(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    combine_of(&[(share(1), keeper(1))]).fails(1, &["2 shares are needed, found 1"]);
    combine_of(&[(share(1), keeper(1)), (share(1), keeper(1))]).fails(1, &["given twice"]);
    combine_of(&[(share(1), keeper(1)), (share(2), keeper(3))])
        .fails(1, &["share 2 cannot be opened"]);
    combine_of(&[(share(1), keeper(1)), (passphrase.clone(), keeper(2))])
        .fails(1, &["not a share"]);
    let text = fs::read_to_string(share(2)).unwrap();
    let foreign = drill.federation.path("foreign");
    fs::write(&foreign, text.replace("\nsplit: ", "\nsplit: ff")).unwrap();
    combine_of(&[(share(1), keeper(1)), (foreign, keeper(2))]).fails(1, &["do not fit together"]);
    let renumbered = drill.federation.path("renumbered");
    fs::write(&renumbered, text.replace("\nshare: 2", "\nshare: 3")).unwrap();
    combine_of(&[(share(1), keeper(1)), (renumbered, keeper(2))])
        .fails(1, &["one of them was changed"]);
    assert!(!present.exists());
    drill.follow_all(combine);
    first.reeve(&["certificate", "renew", "--passphrase-file", &passphrase]).ok();
    drill.put_beds(second, 6);
    drill.nation_sees(6);
}
