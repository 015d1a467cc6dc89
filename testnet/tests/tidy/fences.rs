//! Who may name which library and which of our modules. A fence is an absence: the rule says
//! where a name may stand, and everywhere else it must not.

use crate::text::{has_word, none, read, sources};

/// A library, and the only places whose code may name it.
struct Fence {
    library: &'static str,
    homes: &'static [&'static str],
}

const LIBRARIES: [Fence; 11] = [
    Fence {
        library: "getrandom",
        homes: &["node/src/house/entropy.rs", "node/src/store/checked.rs"],
    },
    Fence { library: "blahaj", homes: &["node/src/house/custody.rs"] },
    Fence { library: "automerge", homes: &["crdt/src/twin/"] },
    Fence { library: "cedar_policy", homes: &["policy/src/authz/"] },
    Fence {
        library: "ed25519_dalek",
        homes: &["policy/statement/src/key.rs", "policy/statement/src/key/"],
    },
    // Peers that mean ill speak as our own network never would.
    Fence { library: "libp2p", homes: &["node/src/net/", "testnet/src/hostile/"] },
    Fence { library: "redb", homes: &["node/src/store/redb.rs"] },
    Fence { library: "sled", homes: &["node/src/store/sled.rs"] },
    Fence { library: "axum", homes: &["node/src/http/"] },
    Fence { library: "hyper", homes: &["node/src/http/"] },
    Fence {
        library: "clap",
        homes: &[
            "node/src/cli/",
            "testnet/",
            "policy/audit/src/program.rs",
            "policy/audit/src/main.rs",
        ],
    },
];

#[test]
fn every_library_has_one_home() {
    let mut faults = Vec::new();
    for source in sources() {
        for fence in &LIBRARIES {
            let own_module = source.text.contains(&format!("\nmod {};", fence.library));
            if own_module || fence.homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (number, line) in source.code() {
                if names_library(line, fence.library) {
                    let (path, library) = (&source.path, fence.library);
                    faults.push(format!(
                        "{path}:{number} names {library}: only {:?} may",
                        fence.homes
                    ));
                }
            }
        }
    }
    none("libraries outside of their homes", &faults);
}

/// Whether a line reaches into the library: `use x::`, `x::y`, not `super::x` or `store::x`.
fn names_library(line: &str, library: &str) -> bool {
    let path = format!("{library}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        !before.ends_with("::")
            && !before.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Each crate's folder, and the crates of ours that it may depend on.
const CRATES: [(&str, &[&str]); 9] = [
    ("policy/statement", &[]),
    ("policy/audit", &["reeve-statement"]),
    ("crdt", &["reeve-statement"]),
    ("policy", &["reeve-statement"]),
    ("node/protocol", &["reeve-statement", "reeve-crdt", "reeve-policy"]),
    ("node", &["reeve-audit", "reeve-statement", "reeve-crdt", "reeve-policy", "reeve-protocol"]),
    ("examples", &["reeve-statement", "reeve-crdt", "reeve-policy"]),
    ("testnet/fuzz", &["reeve", "reeve-statement", "reeve-crdt", "reeve-policy", "reeve-protocol"]),
    (
        "testnet",
        &[
            "reeve",
            "reeve-audit",
            "reeve-fuzz",
            "reeve-statement",
            "reeve-crdt",
            "reeve-policy",
            "reeve-protocol",
            "reeve-examples",
        ],
    ),
];

const OURS: [&str; 9] = [
    "reeve-audit",
    "reeve-fuzz",
    "reeve-statement",
    "reeve-crdt",
    "reeve-policy",
    "reeve-protocol",
    "reeve-examples",
    "reeve-testnet",
    "reeve",
];

#[test]
fn crates_depend_in_one_direction() {
    let mut faults = Vec::new();
    for (folder, allowed) in CRATES {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let shipped = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in shipped.lines() {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if OURS.contains(&name) && !allowed.contains(&name) && !line.starts_with("name") {
                faults.push(format!("{folder}/Cargo.toml depends on {name}"));
            }
        }
    }
    none("dependencies against the direction of the house", &faults);
}

#[test]
fn the_core_has_no_async_no_clock_and_no_socket() {
    let core = ["policy/", "crdt/", "node/protocol/"];
    let words =
        ["async fn", "async move", ".await", "tokio::", "std::net::", "std::fs::", "std::thread"];
    let mut faults = Vec::new();
    // An auditor's bundle is a folder: only its reader and the program read files.
    let files =
        ["policy/audit/src/folder.rs", "policy/audit/src/program.rs", "policy/audit/src/source.rs"];
    let of_core = |path: &str| core.iter().any(|at| path.starts_with(at)) && !files.contains(&path);
    for source in sources().iter().filter(|source| of_core(&source.path)) {
        for (number, line) in source.shipped() {
            // A method may begin with the word.
            let line = line.replace(".await_", "");
            for word in words.iter().filter(|word| line.contains(*word)) {
                faults.push(format!("{}:{number} has {word}", source.path));
            }
        }
    }
    none("the core takes time, randomness and inputs, and returns effects", &faults);
}

/// Modules of the shell, and the other modules of the shell that each may name. Network, store,
/// HTTP, import and telemetry name none; what joins them is the runtime.
const SHELL: [(&str, &[&str]); 16] = [
    ("net", &[]),
    ("store", &[]),
    ("telemetry", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("token", &[]),
    ("import", &[]),
    ("api", &["token"]),
    ("http", &["api", "token"]),
    ("client", &["api", "token"]),
    ("house", &["config", "clock"]),
    ("enrol", &["net", "house", "config", "clock"]),
    ("backup", &["config", "house", "store"]),
    ("watch", &["api", "client", "house", "token"]),
    (
        "cli",
        &[
            "api",
            "backup",
            "token",
            "client",
            "clock",
            "config",
            "enrol",
            "house",
            "import",
            "runtime",
            "store",
            "telemetry",
            "watch",
        ],
    ),
    (
        "runtime",
        &[
            "api",
            "clock",
            "config",
            "enrol",
            "house",
            "http",
            "import",
            "net",
            "store",
            "telemetry",
            "token",
        ],
    ),
];

#[test]
fn rooms_of_the_shell_meet_in_the_runtime() {
    let mut faults = Vec::new();
    for source in sources() {
        let Some(inside) = source.path.strip_prefix("node/src/") else { continue };
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let Some((_, allowed)) = SHELL.iter().find(|(name, _)| *name == room) else {
            faults.push(format!("{}: a room that the fences do not know", source.path));
            continue;
        };
        for (number, line) in source.shipped() {
            for (other, _) in SHELL.iter().filter(|(other, _)| *other != room) {
                let named = line.contains(&format!("crate::{other}::"))
                    || has_word(line, &format!("crate::{other}"));
                if named && !allowed.contains(other) {
                    faults.push(format!("{}:{number} names crate::{other}", source.path));
                }
            }
        }
    }
    none("rooms of the shell that know each other", &faults);
}

/// Files whose shipped code may make a release's body: the disclosure module's output, and the
/// core when it puts chunks that came apart back into a body that was verified.
const MAKES_RELEASES: [&str; 2] =
    ["policy/src/disclosure/released.rs", "node/protocol/src/report/accept.rs"];

#[test]
fn only_disclosure_makes_releases() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !MAKES_RELEASES.contains(&source.path.as_str()))
    {
        for (number, line) in source.shipped().filter(|(_, line)| line.contains("Body::Release(")) {
            let pattern = line.contains("let ") || line.contains("=>") || line.contains("matches!");
            if !pattern {
                faults.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none("a release is made by policy/src/disclosure and nowhere else", &faults);
}
