//! The commands for keys and certificates as people use them.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::Parser;
use reeve_statement::catalogue::Titles;
use reeve_statement::cert::{Chain, Crl};
use reeve_statement::key::file::Cost;
use tempfile::TempDir;

use super::running::{NotDone, RunningNode};
use super::{
    Colour, CommandError, Exit, Global, Locale, Output, certificate, identity, invite, main,
};
use crate::api::IssuedEntry;
use crate::enrol::{AdmissionOrder, EnrolDesk, InviteOrder, Reach};
use crate::house::{Clerk, Entropy, House, Passphrase, UnitSpec, found_subordinate};

const PASSPHRASE: &str = "correct horse battery";

/// A folder with a passphrase file and the house of a federation's first unit.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        std::fs::write(bench.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        std::fs::write(bench.path("wrong"), "incorrect horse battery\n").unwrap();
        assert_eq!(bench.reeve("it", &bench.founding()), Exit::Done.into());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn founding(&self) -> Vec<String> {
        let passphrase = self.text("passphrase");
        let words = ["init", "--federation", "reeve.example", "--unit", "it", "--passphrase-file"];
        words.into_iter().map(str::to_owned).chain([passphrase]).collect()
    }

    fn reeve(&self, house: &str, words: &[String]) -> std::process::ExitCode {
        let start = ["reeve", "--home", &self.text(house), "--json"].map(str::to_owned);
        main(start.into_iter().chain(words.iter().cloned()).map(Into::into))
    }

    fn house(&self) -> House {
        House::open(&self.path("it")).unwrap()
    }

    /// A subordinate unit, made as test networks make it.
    fn subordinate(&self, unit: &str) -> House {
        let first = self.house();
        let authority = first.authority(&Passphrase::new(PASSPHRASE)).unwrap();
        let mut entropy = Entropy::system();
        let mut clerk = Clerk::new(identity::now(), &mut entropy);
        let passphrase = Passphrase::new(PASSPHRASE);
        let mut spec = UnitSpec::new(unit.parse().unwrap(), "region", passphrase);
        spec.cost = Cost::NONE;
        let above = (&first, &authority);
        let folder = self.path(unit);
        found_subordinate(above, &folder, &spec, Titles::default(), &mut clerk).unwrap().0
    }

    fn certificate(&self, words: &[&str], node: &Node) -> Result<(), CommandError> {
        let arguments = parse::<certificate::Arguments>(words);
        let (global, output) = (global(&self.path("it")), output());
        certificate::run(&arguments, &global, &output, node)
    }
}

#[derive(Parser)]
struct Wrapped<T: clap::Args> {
    #[command(flatten)]
    arguments: T,
}

fn parse<T: clap::Args>(words: &[&str]) -> T {
    Wrapped::<T>::parse_from(["reeve"].iter().chain(words)).arguments
}

fn global(home: &Path) -> Global {
    Global { home: home.to_owned(), json: true, color: Colour::Never, lang: None }
}

fn output() -> Output {
    Output::new(true, Colour::Never, Locale::chosen(None, || None))
}

/// A running node, or one that does not run.
#[derive(Default)]
struct Node {
    stopped: bool,
    desk: Option<(House, RefCell<EnrolDesk>)>,
    lists: RefCell<Vec<Crl>>,
    chains: RefCell<Vec<Vec<u8>>>,
}

impl Node {
    fn check(&self) -> Result<(), NotDone> {
        let reason = "connection refused".to_owned();
        if self.stopped { Err(NotDone::NotRunning { reason }) } else { Ok(()) }
    }
}

impl RunningNode for Node {
    fn invite(&self, order: &InviteOrder) -> Result<String, NotDone> {
        self.check()?;
        let (house, desk) = self.desk.as_ref().unwrap();
        let failed = |error: String| NotDone::Failed(CommandError::Failed(error));
        let authority = order.unlock(house).map_err(|error| failed(error.to_string()))?;
        let enrolment = vec!["/ip4/192.0.2.1/tcp/7402".to_owned()];
        let reach = Reach { node: Vec::new(), enrolment };
        let mut entropy = Entropy::system();
        let mut clerk = Clerk::new(identity::now(), &mut entropy);
        let made = desk.borrow_mut().invite(order, authority, 1, &reach, &mut clerk);
        made.map(|invite| invite.to_string()).map_err(|error| failed(error.to_string()))
    }

    fn admit(&self, order: &AdmissionOrder) -> Result<String, NotDone> {
        self.check()?;
        let (house, desk) = self.desk.as_ref().unwrap();
        let failed = |error: String| NotDone::Failed(CommandError::Failed(error));
        let authority = order.order.unlock(house).map_err(|error| failed(error.to_string()))?;
        let mut entropy = Entropy::system();
        let mut clerk = Clerk::new(identity::now(), &mut entropy);
        let reach = Reach::default();
        let made = desk.borrow_mut().admit(order, &authority, 1, &reach, &mut clerk);
        made.map(|(admitted, _)| admitted.to_string()).map_err(|error| failed(error.to_string()))
    }

    fn take_list(&self, chain: &[u8], list: &[u8]) -> Result<(), NotDone> {
        self.check()?;
        assert!(!chain.is_empty());
        self.lists.borrow_mut().push(Crl::from_der(list).unwrap());
        Ok(())
    }

    fn home_term(&self) -> Option<u64> {
        None
    }

    fn issued(&self, _: Option<u64>, _: u64) -> Result<Vec<IssuedEntry>, NotDone> {
        self.check().map(|()| Vec::new())
    }

    fn renew(&self, chain: &[u8]) -> Result<(), NotDone> {
        self.check()?;
        self.chains.borrow_mut().push(chain.to_vec());
        Ok(())
    }
}

#[test]
fn init_founds_a_federation_and_never_overwrites() {
    let bench = Bench::new();
    let house = bench.house();
    assert!(house.has_joined() && house.has_authority_key());
    assert!(bench.path("it/keys/root.key").exists());
    assert_eq!(bench.reeve("it", &bench.founding()), Exit::Failed.into());
    let short = ["init", "--unit", "016", "--time-zone", "Europe/Rom", "--home-node"];
    assert_eq!(bench.reeve("016", &short.map(str::to_owned)), Exit::Usage.into());
    let good = ["init", "--unit", "016", "--time-zone", "Europe/Rome", "--home-node"];
    assert_eq!(bench.reeve("016", &good.map(str::to_owned)), Exit::Done.into());
    assert!(!House::open(&bench.path("016")).unwrap().has_authority_key());
}

#[test]
fn the_printed_openssl_command_works() {
    if Process::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED the_printed_openssl_command_works: no `openssl` on this machine");
        return;
    }
    let bench = Bench::new();
    bench.certificate(&["show"], &Node::default()).unwrap();
    for house in [bench.house(), bench.subordinate("03")] {
        let report = house.certificate_report(identity::now()).unwrap();
        let command: Vec<_> = report.openssl.iter().map(|it| identity::quoted(it)).collect();
        let shell = |command: &str| {
            Process::new("sh").args(["-c", command]).output().unwrap().status.success()
        };
        assert!(shell(&command.join(" ")), "{command:?}");
        // Another federation's root proves nothing.
        let other = Bench::new().house();
        let roots = other.roots_file().to_str().unwrap().to_owned();
        let forged = command.join(" ").replace(house.roots_file().to_str().unwrap(), &roots);
        assert!(!shell(&forged));
    }
}

#[test]
fn a_unit_is_revoked_and_the_running_node_is_told() {
    let bench = Bench::new();
    let house = bench.subordinate("03");
    let file = bench.text("passphrase");
    let revoke = |what: &str, file: &str, node: &Node| {
        let words = ["revoke", what, "--reason", "key-compromise", "--passphrase-file", file];
        bench.certificate(&words, node)
    };
    let error = revoke("03", &bench.text("wrong"), &Node::default()).unwrap_err();
    assert!(error.to_string().contains("passphrase is wrong"), "{error}");
    let error = revoke("04", &file, &Node::default()).unwrap_err();
    assert!(error.to_string().contains("issued nothing"), "{error}");
    assert!(bench.house().lists().unwrap().is_empty(), "nothing was done so far");

    let node = Node::default();
    revoke("03", &file, &node).unwrap();
    assert_eq!(node.lists.borrow().first().unwrap().revoked().len(), 1);
    let lists = bench.house().checked_lists(identity::now()).unwrap();
    house.identity().unwrap().verify(&lists, identity::now()).unwrap_err();

    // By serial, with the node stopped: the list is kept for its start.
    let own = bench.house().identity().unwrap().node.leaf().serial().to_string();
    revoke(&own, &file, &Node { stopped: true, ..Node::default() }).unwrap();
    let held = bench.house().lists().unwrap();
    let list = &held.first().unwrap().list;
    assert_eq!((list.number(), list.revoked().len()), (2, 2));
}

#[test]
fn since_when_others_had_a_key_is_told() {
    let bench = Bench::new();
    bench.subordinate("03");
    let file = bench.text("passphrase");
    let revoke = |reason: &str, since: &str| {
        let words = ["revoke", "03", "--reason", reason, "--since", since];
        bench.certificate(&[&words[..], &["--passphrase-file", &file]].concat(), &Node::default())
    };
    let error = revoke("superseded", "2026-01-01").unwrap_err();
    assert!(error.to_string().contains("--reason key-compromise"), "{error}");
    let error = revoke("key-compromise", "2999-01-01").unwrap_err();
    assert!(error.to_string().contains("a moment that has been"), "{error}");
    assert!(bench.house().lists().unwrap().is_empty(), "nothing was done so far");
    revoke("key-compromise", "2026-01-01T02:00:00.9Z").unwrap();
    let held = bench.house().lists().unwrap();
    let told = held.first().unwrap().list.revoked().values().next().unwrap();
    assert_eq!(told.since.unwrap().to_string(), "2026-01-01T02:00:00.000Z");
}

#[test]
fn a_certificate_is_renewed_with_its_key_and_term() {
    let bench = Bench::new();
    let before = bench.house().identity().unwrap().clone();
    let node = Node::default();
    let file = bench.text("passphrase");
    bench.certificate(&["renew", "--passphrase-file", &file], &node).unwrap();
    let house = bench.house();
    let after = house.identity().unwrap();
    assert_ne!(after.node.leaf().serial(), before.node.leaf().serial());
    assert_eq!(after.node.leaf().key(), before.node.leaf().key());
    assert_eq!(after.term().unwrap(), before.term().unwrap());
    assert_eq!(*node.chains.borrow(), [after.node.to_cbor(), after.writer.to_cbor()]);
}

#[test]
fn others_are_renewed_and_take_their_certificate_by_file() {
    let bench = Bench::new();
    let region = bench.subordinate("03");
    let (file, saved, root) = (bench.text("passphrase"), bench.text("03.pem"), "it/keys/root.key");
    let node = Node::default();
    let words = ["renew", "03", "--save", &saved, "--passphrase-file", &file];
    bench.certificate(&words, &Node { stopped: true, ..Node::default() }).unwrap();
    assert_eq!(bench.house().renewals().unwrap().len(), 1, "kept for the start of the node");
    bench.certificate(&words, &node).unwrap();
    assert!(bench.house().renewals().unwrap().is_empty(), "the running node has it");
    let [told] = node.chains.borrow().clone().try_into().unwrap();
    let told = Chain::from_cbor(&told).unwrap();
    assert_eq!(told.to_pem(), std::fs::read_to_string(&saved).unwrap());
    assert_eq!(told.leaf().key(), region.identity().unwrap().authority.leaf().key());
    assert!(bench.house().issued().unwrap().contains(told.leaf()));

    // The first unit's own authority, by the root; its node shows it from then on.
    let root = bench.text(root);
    let words = ["renew", "--root-key", &root, "--passphrase-file", &file];
    let before = bench.house().identity().unwrap().authority.leaf().validity().not_after;
    // Certificates count in seconds: one that is renewed in its first second ends no later.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    bench.certificate(&words, &node).unwrap();
    let authority = bench.house().identity().unwrap().authority.clone();
    assert!(authority.leaf().validity().not_after > before);
    assert_eq!(node.chains.borrow().last().unwrap(), &authority.to_cbor());

    // Below: the region takes what is for it, and nothing else.
    bench
        .certificate(&["renew", "03", "--save", &saved, "--passphrase-file", &file], &node)
        .unwrap();
    let take = |house: &str, saved: &str| {
        let arguments = parse::<certificate::Arguments>(&["take", saved]);
        certificate::run(&arguments, &global(&bench.path(house)), &output(), &node)
    };
    take("03", &saved).unwrap();
    let region = House::open(&bench.path("03")).unwrap();
    assert_eq!(region.identity().unwrap().authority.authorities(), [authority.leaf().clone()]);
    let error = take("it", &saved).unwrap_err();
    assert!(error.to_string().contains("not for this folder's keys"), "{error}");
    for stopped in [false, true] {
        bench.certificate(&["list"], &Node { stopped, ..Node::default() }).unwrap();
    }
}

#[test]
fn an_invite_needs_the_running_node() {
    let bench = Bench::new();
    let file = bench.text("passphrase");
    let arguments = parse::<invite::Arguments>(&[
        "016",
        "--level",
        "region",
        "--name",
        "it=Bergamo",
        "--valid",
        "2h",
        "--passphrase-file",
        &file,
    ]);
    let desk = RefCell::new(EnrolDesk::new(&bench.house()).unwrap());
    let node = Node { desk: Some((bench.house(), desk)), ..Node::default() };
    invite::run(&arguments, &output(), &node).unwrap();
    assert_eq!(node.desk.as_ref().unwrap().1.borrow().open(), 1);
    let stopped = Node { stopped: true, ..Node::default() };
    let error = invite::run(&arguments, &output(), &stopped).unwrap_err();
    assert!(error.to_string().contains("`reeve run`"), "{error}");
    let own = parse::<invite::Arguments>(&["it", "--passphrase-file", &file]);
    let error = invite::run(&own, &output(), &node).unwrap_err();
    assert!(error.to_string().contains("--home-node"), "{error}");
}
