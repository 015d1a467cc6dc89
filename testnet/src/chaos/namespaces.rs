//! One network namespace per node, all on one bridge: cables that can be pulled.
//!
//! Each node has two cables. `wan` leads to the bridge, as to the internet: it is taken down, slowed, or
//! moved to a second bridge that leads nowhere else, and then packets vanish without a word, as on a
//! network that fails. `ctl` leads to this program alone, for the local API: nothing is done to it. A
//! namespace lives as long as the process that holds it, and that ends when this program does.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::processes::Leash;
use crate::processes::child::Guard;
use crate::stopwatch::now;
use crate::trial::TrialError;

/// Port on which nodes listen for peers.
const PEERS: u16 = 7401;

/// Port of their local API.
const API: u16 = 7400;

/// This program's own address on the bridge: relays listen there.
const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// Its hardware address. Left alone, a bridge takes one of its ports', and changes it when that port goes
/// to the other bridge: relays then cannot be reached until the nodes notice, most of a minute later.
const HUB_MAC: &str = "02:77:00:00:00:fe";

/// Longest wait for a namespace.
const HOLDING: Duration = Duration::from_secs(10);

/// Bytes that may leave a slowed cable at once (tc-tbf(8)).
const BURST: &str = "16kb";

/// How long packets wait at a slowed cable before they are lost.
const QUEUE: &str = "200ms";

/// The namespaces of the nodes.
#[derive(Debug)]
pub(super) struct Namespaces {
    holders: Vec<Guard>,
}

impl Namespaces {
    /// Makes so many, and connects them.
    pub(super) fn make(count: u8, leash: &Leash) -> Result<Self, TrialError> {
        ip(&[
            "link set lo up".to_owned(),
            format!("link add br0 address {HUB_MAC} type bridge"),
            "link add br1 type bridge".to_owned(),
            format!("addr add {HUB}/24 dev br0"),
            "link set br0 up".to_owned(),
            "link set br1 up".to_owned(),
        ])?;
        let mut holders = Vec::new();
        for _ in 0..count {
            let mut command = Command::new("unshare");
            command.args(["--net", "cat"]).stdout(Stdio::null());
            holders.push(leash.start(&mut command).map_err(|error| failed("unshare", &error))?);
        }
        let made = Self { holders };
        for at in 0..count {
            made.connect(at)?;
        }
        Ok(made)
    }

    fn connect(&self, at: u8) -> Result<(), TrialError> {
        let holder = self.holders.get(usize::from(at));
        let pid = holder.map(Guard::pid).unwrap_or_default();
        let began = now();
        while own_network(pid) == own_network(std::process::id()) {
            if began.elapsed() > HOLDING {
                return Err(failed("unshare", &"it holds no namespace"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ip(&[
            format!("link add wan{at} type veth peer name wan netns {pid}"),
            format!("link set wan{at} master br0 up"),
            format!("link add ctl{at} type veth peer name ctl netns {pid}"),
            format!("addr add 10.78.{at}.1/30 dev ctl{at}"),
            format!("link set ctl{at} up"),
        ])?;
        let inside = [
            "link set lo up".to_owned(),
            format!("addr add {}/24 dev wan", address(at)),
            "link set wan up".to_owned(),
            format!("addr add 10.78.{at}.2/30 dev ctl"),
            "link set ctl up".to_owned(),
        ];
        let mut command = Command::new("nsenter");
        command.args([&format!("--net=/proc/{pid}/ns/net"), "ip"]);
        batch(command, &inside)
    }

    /// How a command is run in a node's namespace.
    pub(super) fn within(&self, at: u8) -> Vec<String> {
        let pid = self.holders.get(usize::from(at)).map(Guard::pid).unwrap_or_default();
        vec!["nsenter".to_owned(), format!("--net=/proc/{pid}/ns/net")]
    }

    /// Where a node listens for peers.
    pub(super) fn peers(at: u8) -> SocketAddr {
        SocketAddr::from((address(at), PEERS))
    }

    /// Where its local API is.
    pub(super) fn api(at: u8) -> SocketAddr {
        SocketAddr::from(([10, 78, at, 2], API))
    }

    /// Where a relay may listen.
    pub(super) fn hub() -> SocketAddr {
        SocketAddr::from((HUB, 0))
    }

    /// Puts these nodes on the second bridge: the others and they do not see each other.
    pub(super) fn part(nodes: impl Iterator<Item = u8>) -> Result<(), TrialError> {
        ip(&nodes.map(|at| format!("link set wan{at} master br1")).collect::<Vec<_>>())
    }

    /// Puts them back.
    pub(super) fn join(nodes: impl Iterator<Item = u8>) -> Result<(), TrialError> {
        ip(&nodes.map(|at| format!("link set wan{at} master br0")).collect::<Vec<_>>())
    }

    /// Takes a node's cable down or up.
    pub(super) fn cable(at: u8, up: bool) -> Result<(), TrialError> {
        ip(&[format!("link set wan{at} {}", if up { "up" } else { "down" })])
    }

    /// Slows what comes to a node over its cable to so many kilobits per second; what waits too long is
    /// lost. None: as fast as it goes.
    pub(super) fn slow(at: u8, kilobits: Option<u32>) -> Result<(), TrialError> {
        let device = format!("wan{at}");
        let mut command = Command::new("tc");
        match kilobits {
            Some(rate) => command
                .args(["qdisc", "replace", "dev", &device, "root", "tbf", "rate"])
                .args([&format!("{rate}kbit"), "burst", BURST, "latency", QUEUE]),
            None => command.args(["qdisc", "del", "dev", &device, "root"]),
        };
        finish("tc", command.output())
    }
}

fn address(at: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, at.saturating_add(1))
}

fn own_network(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Runs lines of `ip`.
fn ip(lines: &[String]) -> Result<(), TrialError> {
    batch(Command::new("ip"), lines)
}

fn batch(mut command: Command, lines: &[String]) -> Result<(), TrialError> {
    let failed = |error| failed("ip", &error);
    command.args(["-batch", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        for line in lines {
            writeln!(input, "{line}").map_err(failed)?;
        }
    }
    finish("ip", child.wait_with_output())
}

fn finish(what: &str, output: std::io::Result<std::process::Output>) -> Result<(), TrialError> {
    let output = output.map_err(|error| failed(what, &error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(what, &String::from_utf8_lossy(&output.stderr).trim()))
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> TrialError {
    TrialError::Trial(format!("{what}: {error}"))
}
