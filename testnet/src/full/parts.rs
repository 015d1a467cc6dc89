//! The table of parts: which commands, how long they take, what they need.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::FullError;

/// Stands in an argument for the folder of Italy's published data.
const DATA: &str = "{data}";

/// Who runs a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// This executable.
    Testnet,
    /// Cargo, in a clone of the repository.
    Cargo,
}

/// Where the figures of a step stand in what it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    /// Its last lines.
    Last(usize),
    /// Cargo's lines about tests, added up.
    Tests,
}

/// What a part cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing but this executable and `reeve` beside it.
    Nothing,
    /// A clone of the repository as the present folder, and cargo.
    Sources,
    /// Italy's published data.
    Data,
    /// The sources, a nightly toolchain and cargo-fuzz.
    Nightly,
}

/// One command: in full, and a little of it to see that it works.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Who runs it.
    pub program: Program,
    /// In full counts.
    pub full: &'static [&'static str],
    /// In few.
    pub quick: &'static [&'static str],
    /// Where its figures stand.
    pub figures: Figures,
}

/// One part.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What it needs.
    pub need: Need,
    /// About how long it takes in full on two cores in a release build, in minutes.
    pub minutes: u32,
    /// Its commands, in order.
    pub steps: &'static [Step],
}

const fn testnet(
    full: &'static [&'static str],
    quick: &'static [&'static str],
    lines: usize,
) -> Step {
    Step { program: Program::Testnet, full, quick, figures: Figures::Last(lines) }
}

const fn tests(full: &'static [&'static str], quick: &'static [&'static str]) -> Step {
    Step { program: Program::Cargo, full, quick, figures: Figures::Tests }
}

/// Every part, in the order in which they are run.
pub const PARTS: &[Part] = &[
    Part {
        name: "attacks",
        what: "the attacks of docs/reliability.md, in full counts",
        need: Need::Sources,
        minutes: 45,
        steps: &[tests(
            &["test", "--workspace", "--no-fail-fast", "attack_"],
            &["test", "--workspace", "--test", "tidy", "attack_"],
        )],
    },
    Part {
        name: "sim",
        what: "20,000 federations under virtual time, with faults from seeds",
        need: Need::Nothing,
        minutes: 120,
        steps: &[
            testnet(&["sim", "--seeds", "5000"], &["sim", "--seeds", "2"], 1),
            testnet(
                &["sim", "--from", "5000", "--seeds", "5000"],
                &["sim", "--from", "2", "--seeds", "2"],
                1,
            ),
            testnet(
                &["sim", "--from", "10000", "--seeds", "5000"],
                &["sim", "--from", "4", "--seeds", "2"],
                1,
            ),
            testnet(
                &["sim", "--from", "15000", "--seeds", "5000"],
                &["sim", "--from", "6", "--seeds", "2"],
                1,
            ),
        ],
    },
    Part {
        name: "disclosure",
        what: "persons looked for in all that 20,000 superiors are told",
        need: Need::Nothing,
        minutes: 15,
        steps: &[testnet(
            &["attack", "disclosure", "--federations", "20000"],
            &["attack", "disclosure", "--federations", "20"],
            4,
        )],
    },
    Part {
        name: "scale",
        what: "up to 10,000 leaves, each with a change per virtual second for ten virtual minutes",
        need: Need::Nothing,
        minutes: 90,
        steps: &[
            testnet(&["sim", "--scale", "100"], &["sim", "--scale", "10", "--seconds", "5"], 7),
            testnet(&["sim", "--scale", "1000"], &["sim", "--scale", "20", "--seconds", "5"], 7),
            testnet(&["sim", "--scale", "3200"], &["sim", "--scale", "30", "--seconds", "5"], 7),
            testnet(&["sim", "--scale", "10000"], &["sim", "--scale", "40", "--seconds", "5"], 7),
        ],
    },
    Part {
        name: "kills",
        what: "node processes killed while they are written to",
        need: Need::Nothing,
        minutes: 40,
        steps: &[
            testnet(&["trial", "kills", "--count", "500"], &["trial", "kills", "--count", "4"], 10),
            testnet(
                &["trial", "kills", "--engine", "sled", "--count", "500"],
                &["trial", "kills", "--engine", "sled", "--count", "4"],
                10,
            ),
        ],
    },
    Part {
        name: "away",
        what: "a superior kept away while 500 changes happen below",
        need: Need::Nothing,
        minutes: 4,
        steps: &[testnet(
            &["trial", "away", "--rounds", "5"],
            &[
                "trial",
                "away",
                "--rounds",
                "1",
                "--seconds",
                "1",
                "--changes",
                "20",
                "--within",
                "60",
            ],
            6,
        )],
    },
    Part {
        name: "chaos",
        what: "fourteen processes under partitions, kills, a week away, clocks that jump, relays, silence",
        need: Need::Nothing,
        minutes: 150,
        steps: &[
            testnet(&["chaos", "partitions"], &["chaos", "partitions", "--cycles", "1"], 8),
            testnet(&["chaos", "kills"], &["chaos", "kills", "--count", "2"], 8),
            testnet(
                &["chaos", "--engine", "sled", "kills", "--count", "200"],
                &["chaos", "--engine", "sled", "kills", "--count", "2"],
                8,
            ),
            testnet(&["chaos", "week"], &["chaos", "week", "--days", "2", "--changes", "1"], 8),
            testnet(&["chaos", "clocks"], &["chaos", "clocks", "--jumps", "2"], 8),
            testnet(
                &["chaos", "--transport", "quic", "relay"],
                &["chaos", "--transport", "quic", "relay", "--seconds", "5"],
                8,
            ),
            testnet(&["chaos", "silence"], &["chaos", "silence", "--periods", "4"], 8),
            testnet(&["chaos", "mixed"], &["chaos", "mixed", "--seconds", "5"], 8),
        ],
    },
    Part {
        name: "stores",
        what: "each engine: kills, power losses, damage, a full disk, I/O errors",
        need: Need::Nothing,
        minutes: 120,
        steps: &[
            testnet(
                &["trial", "stores", "--engine", "redb"],
                &[
                    "trial", "stores", "--engine", "redb", "--kills", "2", "--power", "2",
                    "--flips", "4", "--full", "1", "--errors", "1",
                ],
                12,
            ),
            testnet(
                &["trial", "stores", "--engine", "sled"],
                &[
                    "trial", "stores", "--engine", "sled", "--kills", "2", "--power", "2",
                    "--flips", "4", "--full", "1", "--errors", "1",
                ],
                12,
            ),
        ],
    },
    Part {
        name: "disks",
        what: "old stores put back, nodes run twice, disks that fill up below nodes",
        need: Need::Nothing,
        minutes: 60,
        steps: &[
            testnet(
                &["trial", "copies"],
                &[
                    "trial",
                    "copies",
                    "--copies",
                    "1",
                    "--twins",
                    "1",
                    "--clones",
                    "1",
                    "--damaged",
                    "1",
                ],
                8,
            ),
            testnet(
                &["trial", "copies", "--engine", "sled"],
                &[
                    "trial",
                    "copies",
                    "--engine",
                    "sled",
                    "--copies",
                    "1",
                    "--twins",
                    "1",
                    "--clones",
                    "1",
                    "--damaged",
                    "1",
                ],
                8,
            ),
            testnet(&["trial", "full"], &["trial", "full", "--rounds", "1"], 8),
            testnet(
                &["trial", "full", "--engine", "sled"],
                &["trial", "full", "--engine", "sled", "--rounds", "1"],
                8,
            ),
        ],
    },
    Part {
        name: "hostile",
        what: "attacks of peers on a node: floods, bombs, half-open streams, forged signatures",
        need: Need::Nothing,
        minutes: 20,
        steps: &[testnet(
            &["trial", "hostile", "--each-seconds", "60"],
            &["trial", "hostile", "--each-seconds", "2", "--calm-seconds", "1"],
            16,
        )],
    },
    Part {
        name: "fuzz",
        what: "every decoder and parser, by its corpus and mutations of it",
        need: Need::Sources,
        minutes: 150,
        steps: &[testnet(
            &["fuzz", "--executions", "10000000", "--seconds", "600"],
            &["fuzz", "--executions", "50"],
            16,
        )],
    },
    Part {
        name: "italy",
        what: "Italy's published days through 129 nodes, and each day's proof bundle",
        need: Need::Data,
        minutes: 20,
        steps: &[testnet(
            &["italy", DATA, "--flips", "10000"],
            &["italy", DATA, "--to", "2020-02-26", "--flips", "10"],
            6,
        )],
    },
    Part {
        name: "bench",
        what: "speed, memory and bytes beside their targets",
        need: Need::Nothing,
        minutes: 15,
        steps: &[
            testnet(&["bench", "import"], &["bench", "import", "--quick"], 12),
            testnet(&["bench", "latency"], &["bench", "latency", "--quick"], 12),
            testnet(&["bench", "bytes"], &["bench", "bytes", "--quick"], 12),
            testnet(&["bench", "audit"], &["bench", "audit", "--quick"], 16),
        ],
    },
];

impl Part {
    /// The parts of these names, in the table's order; none: all.
    ///
    /// # Errors
    /// [`FullError::UnknownPart`].
    pub fn chosen(names: &[String]) -> Result<Vec<&'static Self>, FullError> {
        let known = |name: &String| PARTS.iter().any(|part| part.name == name);
        if let Some(found) = names.iter().find(|name| !known(name)) {
            let all: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            return Err(FullError::UnknownPart { found: found.clone(), known: all.join(", ") });
        }
        let chosen = |part: &&Self| names.is_empty() || names.iter().any(|it| it == part.name);
        Ok(PARTS.iter().filter(chosen).collect())
    }

    /// Why it has to be left out here, if it has.
    #[must_use]
    pub fn left_out(&self, data: Option<&Path>) -> Option<&'static str> {
        let sources = Path::new("testnet/Cargo.toml").is_file();
        match self.need {
            Need::Nothing => None,
            Need::Data => data.is_none().then_some("no data; give --data"),
            Need::Sources => (!sources).then_some("not in a clone of the repository"),
            Need::Nightly if !sources => Some("not in a clone of the repository"),
            Need::Nightly => (!has_cargo_fuzz()).then_some("no nightly toolchain with cargo-fuzz"),
        }
    }
}

fn has_cargo_fuzz() -> bool {
    let asked =
        std::process::Command::new("cargo").args(["+nightly", "fuzz", "--version"]).output();
    asked.is_ok_and(|output| output.status.success())
}

impl Step {
    /// Its arguments.
    #[must_use]
    pub fn arguments(&self, quick: bool, data: Option<&Path>) -> Vec<OsString> {
        let chosen = if quick { self.quick } else { self.full };
        let data = data.map(Path::as_os_str).unwrap_or_default();
        let put = |word: &&str| if *word == DATA { data.to_owned() } else { OsString::from(word) };
        chosen.iter().map(put).collect()
    }

    /// As a person would write it.
    #[must_use]
    pub fn shown(&self, quick: bool) -> String {
        let program = match self.program {
            Program::Testnet => "testnet",
            Program::Cargo if quick => "cargo",
            Program::Cargo => "REEVE_FULL=1 cargo",
        };
        let chosen = if quick { self.quick } else { self.full };
        let words = chosen.iter().map(|word| if *word == DATA { "DATA" } else { word });
        core::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// The executable.
    ///
    /// # Errors
    /// When this program's own path is not known.
    pub fn executable(&self) -> Result<PathBuf, FullError> {
        match self.program {
            Program::Testnet => std::env::current_exe().map_err(FullError::of("this executable")),
            Program::Cargo => Ok(std::env::var_os("CARGO").map_or("cargo".into(), PathBuf::from)),
        }
    }
}
