//! Which way faults reach the network: whole namespaces where the machine allows them, else relays on
//! loopback alone. It is found out by trying.
//!
//! The program does not make namespaces in the machine's own network. It runs *itself* anew in network
//! and mount namespaces without a name (`unshare`, from util-linux; with a user namespace if it is not
//! root), and everything it makes in there is gone when it ends, however it ends.

use std::io::Error;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Set for the program when it runs within namespaces.
pub const WITHIN: &str = "REEVE_CHAOS_WITHIN";

/// What must work in there: a bridge, and a pair of ends of which one moves to another namespace.
const TRIAL: &str = "ip link set lo up && ip link add br0 type bridge \
    && ip link add near0 type veth peer name far0 && ip link set near0 master br0 \
    && mount -t tmpfs -o size=64k chaos /tmp && nsenter --version && unshare --net true";

/// How the nodes' network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Each node has a network of its own, and packets are lost by taking links down and apart.
    Namespaces,
    /// All nodes are on loopback, and each connection goes through a relay.
    Loopback,
}

impl Way {
    /// What people read.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Namespaces => "network namespaces",
            Self::Loopback => "loopback with relays",
        }
    }
}

/// Whether this program runs within namespaces of its own already.
#[must_use]
pub fn is_within() -> bool {
    std::env::var_os(WITHIN).is_some()
}

/// The arguments of `unshare` with which this machine gives namespaces; none: it does not.
#[must_use]
pub fn unsharing() -> Option<&'static [&'static str]> {
    const ROOT: &[&str] = &["--net", "--mount"];
    const USER: &[&str] = &["--user", "--map-root-user", "--net", "--mount"];
    [ROOT, USER].into_iter().find(|arguments| {
        let mut command = Command::new("unshare");
        command.args(*arguments).args(["sh", "-c", TRIAL]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// Goes on as the same program with the same arguments, within namespaces. Does not come back unless it
/// fails.
#[must_use]
pub fn enter(unsharing: &[&str]) -> Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    Command::new("unshare")
        .args(unsharing)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(WITHIN, "1")
        .exec()
}
