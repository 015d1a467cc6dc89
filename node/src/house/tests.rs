//! Houses are made, opened, and guarded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use reeve_statement::catalogue::Titles;
use reeve_statement::cert::{Action, Chain, ChainError, Reason, Role, verify_chain};
use reeve_statement::key::file::{Cost, KeyFileError};
use reeve_statement::time::Timestamp;
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);
const SCHEMA: &str = r#"
[schema]
name = "test"
version = 1

[kind.facility]
twin = "city"
title = { en = "Facility" }

[kind.facility.field.beds]
title = { en = "Beds" }
type = "integer"
min = 0
max = 10000
"#;

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery")
}

fn spec(unit: &str) -> UnitSpec {
    let mut spec = UnitSpec::new(unit.parse().unwrap(), "level", passphrase());
    spec.cost = Cost::NONE;
    spec
}

/// A federation of `it`, `it/03` and `it/03/016` in one folder.
struct Line {
    folder: TempDir,
    houses: Vec<(House, Authority)>,
}

fn line() -> Line {
    let mut entropy = Entropy::seeded([1; 32]);
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let folder = tempfile::tempdir().unwrap();
    let domain = "reeve.example".parse().unwrap();
    let mut houses = vec![
        found_federation(&folder.path().join("it"), &domain, &spec("it"), &mut clerk).unwrap(),
    ];
    for unit in ["03", "016"] {
        let (house, authority) = houses.last().unwrap();
        let mut spec = spec(unit);
        spec.schema = Some(SCHEMA.to_owned());
        let folder = folder.path().join(unit);
        let names = Titles(vec![("en".to_owned(), unit.to_owned())]);
        houses.push(
            found_subordinate((house, authority), &folder, &spec, names, &mut clerk).unwrap(),
        );
    }
    Line { folder, houses }
}

#[test]
fn a_federation_of_three_levels_verifies() {
    let line = line();
    let house = House::open(&line.folder.path().join("016")).unwrap();
    let identity = house.identity().unwrap();
    let verified = identity.verify(&house.checked_lists(NOW).unwrap(), NOW).unwrap();
    assert_eq!(verified.unit().to_string(), "it/03/016");
    assert_eq!(verified.term(), Some(1));
    assert!(verified.actions().contains(Action::Report));
    let writer = verify_chain(&identity.writer, &identity.roots, &Default::default(), NOW).unwrap();
    assert_eq!(writer.writable_kinds(), house.kinds().unwrap());
    assert_eq!(writer.writable_kinds().len(), 2, "the kind of the schema, and closures");
    let above = &line.houses.get(1).unwrap().0;
    assert_eq!(house.config().superior, [above.as_peer()]);
    let admissions = above.admissions().unwrap();
    assert_eq!(admissions.len(), 1);
    assert_eq!(admissions.first().unwrap().chain, identity.node.to_cbor());
    house.policy().unwrap();
}

#[test]
fn files_are_for_their_user_only() {
    let line = line();
    let mut folders = vec![line.folder.path().join("it")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                seen += 1;
                let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
            }
        }
    }
    assert!(seen >= 10);
}

#[test]
fn nothing_is_overwritten() {
    let line = line();
    let folder = line.folder.path().join("016");
    let before = std::fs::read(folder.join("keys/node.key")).unwrap();
    let mut entropy = Entropy::seeded([2; 32]);
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let error = begin(&folder, &spec("016"), &mut clerk).unwrap_err();
    assert!(matches!(error, HouseError::Exists { .. }), "{error}");
    // Nor what an interrupted attempt left.
    std::fs::remove_file(folder.join(CONFIG_FILE)).unwrap();
    let error = begin(&folder, &spec("016"), &mut clerk).unwrap_err();
    assert!(matches!(error, HouseError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(folder.join("keys/node.key")).unwrap(), before);
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let line = line();
    let house = &line.houses.first().unwrap().0;
    let error = house.authority(&Passphrase::new("incorrect horse")).unwrap_err();
    let wrong = KeyFileError::WrongPassphrase;
    assert!(matches!(&error, HouseError::Key { error, .. } if *error == wrong), "{error}");
    house.authority(&passphrase()).unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let line = line();
    let folder = line.folder.path().join("03");
    let path = folder.join("keys/node.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = House::open(&folder).unwrap_err();
    assert!(error.to_string().contains("mode 640"), "{error}");
}

#[test]
fn certificates_of_another_house_are_refused() {
    let line = line();
    let (a, b) = (line.folder.path().join("016"), line.folder.path().join("03"));
    std::fs::copy(a.join("certificates/node.pem"), b.join("certificates/node.pem")).unwrap();
    let error = House::open(&b).unwrap_err();
    assert!(matches!(error, HouseError::Foreign { .. }), "{error}");
}

#[test]
fn before_joining_there_is_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let house = begin(&folder.path().join("a"), &spec("016"), &mut clerk).unwrap();
    let error = house.identity().unwrap_err();
    assert!(error.to_string().contains("reeve invite 016"), "{error}");
    let error = House::open(folder.path()).unwrap_err();
    assert!(matches!(error, HouseError::NotAHouse { .. }), "{error}");
}

#[test]
fn a_further_node_of_a_home_has_no_authority_key_and_no_term() {
    let line = line();
    let (first, authority) = line.houses.last().unwrap();
    let mut entropy = Entropy::seeded([3; 32]);
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let folder = line.folder.path().join("016-2");
    let spec = spec("016");
    let house = found_home_node((first, authority), &folder, "2", &spec, &mut clerk).unwrap();
    assert_eq!(house.identity().unwrap().term().unwrap(), None);
    assert!(!house.has_authority_key());
    let error = house.authority(&passphrase()).unwrap_err();
    assert!(matches!(error, HouseError::NoAuthorityKey { .. }), "{error}");
    assert_eq!(house.config().home, [first.as_peer()]);
    assert_eq!(first.admissions().unwrap().len(), 1);
    house.identity().unwrap().verify(&Default::default(), NOW).unwrap();
}

#[test]
fn a_revoked_unit_is_refused_and_openssl_agrees() {
    let line = line();
    let (region, authority) = line.houses.get(1).unwrap();
    let mut entropy = Entropy::seeded([4; 32]);
    let clerk = Clerk::new(NOW, &mut entropy);
    let issuer = authority.key().public().key_id();
    let found = region.issued_to(&issuer, "016").unwrap();
    let serials: Vec<_> = found.iter().map(|it| it.serial().clone()).collect();
    let held = region.revoke(authority, &serials, Reason::KeyCompromise, &clerk).unwrap();
    assert_eq!((held.list.number(), held.list.revoked().len()), (1, 1));
    let leaf = &line.houses.last().unwrap().0;
    let lists = region.checked_lists(NOW).unwrap();
    let error = leaf.identity().unwrap().verify(&lists, NOW).unwrap_err();
    assert!(matches!(error, HouseError::Chain(ChainError::Revoked { .. })), "{error}");
    // That others had the key before is told by the next list, that they had it later is not.
    let hour = |n: i64| Grounds {
        reason: Reason::KeyCompromise,
        since: Some(NOW.plus_millis(n * -3_600_000)),
    };
    for (since, told) in [(hour(2), hour(2)), (hour(1), hour(2)), (hour(3), hour(3))] {
        let next = region.revoke(authority, &serials, since, &clerk).unwrap();
        let revocation = next.list.revoked().values().next().unwrap();
        assert_eq!((revocation.at, revocation.since), (NOW, told.since));
    }
    // The next list keeps what those before it said.
    let next = region.revoke(authority, &[], Reason::Unspecified, &clerk).unwrap();
    assert_eq!((next.list.number(), next.list.revoked().len()), (5, 1));
    assert!(matches!(
        region.issued_to(&issuer, "017").unwrap_err(),
        HouseError::NeverIssued { .. }
    ));
}

#[test]
fn the_root_revokes_the_first_authority_and_openssl_agrees() {
    let line = line();
    let nation = &line.houses.first().unwrap().0;
    let key = nation.folder().join("keys/root.key");
    let error = nation.root(&nation.folder().join("keys/authority.key"), &passphrase());
    assert!(matches!(error.unwrap_err(), HouseError::NotARoot { .. }));
    let root = nation.root(&key, &passphrase()).unwrap();
    let issuer = root.certificate().key().key_id();
    let found = nation.issued_to(&issuer, "it").unwrap();
    let [certified] = found.as_slice() else { panic!("{found:?}") };
    let mut entropy = Entropy::seeded([5; 32]);
    let clerk = Clerk::new(NOW, &mut entropy);
    let serials = [certified.serial().clone()];
    let held = nation.revoke_by_root(&root, &serials, Reason::AuthorityCompromise, &clerk).unwrap();
    assert_eq!((&held.chain, held.list.number()), (&None, 1));
    assert_eq!(nation.lists().unwrap(), std::slice::from_ref(&held), "it is read back");
    for (house, _) in &line.houses {
        house.keep_list(&held).unwrap();
        let lists = house.checked_lists(NOW).unwrap();
        let error = house.identity().unwrap().verify(&lists, NOW).unwrap_err();
        assert!(matches!(error, HouseError::Chain(ChainError::Revoked { .. })), "{error}");
    }
    let list = nation.folder().join(format!("crls/{issuer}.crl.pem"));
    let verify = |extra: &[&std::ffi::OsStr]| {
        let mut command = Command::new("openssl");
        command.args(["verify", "-x509_strict", "-attime", &NOW.as_seconds().to_string()]);
        command.arg("-CAfile").arg(nation.roots_file()).args(extra);
        command.arg(nation.authority_certificate_file()).output()
    };
    let Ok(good) = verify(&[]) else {
        return eprintln!("SKIPPED the half with openssl: none on this machine");
    };
    assert!(good.status.success());
    let revoked = verify(&["-crl_check".as_ref(), "-CRLfile".as_ref(), list.as_os_str()]).unwrap();
    assert!(!revoked.status.success());
    let said = String::from_utf8_lossy(&revoked.stderr).into_owned();
    assert!(said.contains("revoked"), "{said}");
}

#[test]
fn what_was_issued_is_renewed_with_its_key_and_taken_by_file() {
    let line = line();
    let (region, authority) = line.houses.get(1).unwrap();
    let leaf_folder = line.folder.path().join("016");
    let mut entropy = Entropy::seeded([6; 32]);
    let mut clerk = Clerk::new(NOW, &mut entropy);
    clerk.lifetimes.authority_days = 900;
    let shorter = region.renew_issued(authority, "016", &mut clerk).unwrap();
    let mut leaf = House::open(&leaf_folder).unwrap();
    let text = |chains: &[Chain]| chains.iter().map(Chain::to_pem).collect::<String>();
    let error = leaf.take_renewed(&text(&shorter), NOW).unwrap_err();
    assert!(matches!(error, HouseError::NotRenewed { .. }), "it ends earlier: {error}");

    // From the top down: nothing outlives the certificate above it.
    let mut nation = House::open(&line.folder.path().join("it")).unwrap();
    let root = nation.root(&nation.folder().join("keys/root.key"), &passphrase()).unwrap();
    clerk.lifetimes.authority_days = 6 * 365;
    let first = nation.renew_first(&root, &mut clerk).unwrap();
    let nation_authority = nation.authority(&passphrase()).unwrap();
    assert_eq!(nation_authority.chain(), &first);
    nation.identity().unwrap().verify(&Default::default(), NOW).unwrap();
    let renewed = nation.renew_issued(&nation_authority, "03", &mut clerk).unwrap();
    assert_eq!(nation.renewals().unwrap(), renewed);
    nation.forget_renewal(renewed.first().unwrap()).unwrap();
    assert!(nation.renewals().unwrap().is_empty());
    let mut region = House::open(region.folder()).unwrap();
    assert_eq!(region.take_renewed(&text(&renewed), NOW).unwrap(), renewed);
    let authority = region.authority(&passphrase()).unwrap();
    assert_eq!(authority.chain(), renewed.first().unwrap());
    region.identity().unwrap().verify(&Default::default(), NOW).unwrap();

    // A further node and its writer, by their label; in one file, or as the core puts them in force.
    let second = line.folder.path().join("03-2");
    let spec = spec("03");
    found_home_node((&region, &authority), &second, "health", &spec, &mut clerk).unwrap();
    clerk.lifetimes.node_days = 500;
    let pair = region.renew_issued(&authority, "health", &mut clerk).unwrap();
    let [one, other] = pair.as_slice() else { panic!("{pair:?}") };
    let role = |chain: &Chain| chain.leaf().claims().unwrap().role;
    let (node, writer) = if role(one) == Role::Node { (one, other) } else { (other, one) };
    let mut house = House::open(&second).unwrap();
    assert_eq!(house.take_renewed(&text(&pair), NOW).unwrap(), pair);
    assert_eq!(house.identity().unwrap().node, *node);
    assert_eq!(house.identity().unwrap().writer, *writer);
    let error = house.take_renewed(&text(&renewed), NOW).unwrap_err();
    assert!(matches!(error, HouseError::NotRenewed { .. }), "it has that one: {error}");

    // A revoked key is certified no more; all its certificates are meant, and the writer's.
    let issuer = authority.key().public().key_id();
    let by_serial = region.issued_to(&issuer, &node.leaf().serial().to_string()).unwrap();
    assert_eq!(by_serial.len(), 2, "before and after the renewal");
    assert!(by_serial.iter().all(|it| it.key() == node.leaf().key()));
    assert_eq!(region.issued_to(&issuer, "health").unwrap().len(), 4);
    let serials = [node.leaf().serial().clone()];
    region.revoke(&authority, &serials, Reason::KeyCompromise, &clerk).unwrap();
    let error = region.renew_issued(&authority, "health", &mut clerk).unwrap_err();
    assert!(matches!(error, HouseError::WasRevoked { .. }), "{error}");
}

#[test]
fn openssl_verifies_the_files() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED openssl_verifies_the_files: no `openssl` on this machine");
        return;
    }
    let line = line();
    let house = &line.houses.last().unwrap().0;
    let run = |chain: &Path, leaf: &Path| {
        let output = Command::new("openssl")
            .args(["verify", "-x509_strict", "-attime", &NOW.as_seconds().to_string(), "-CAfile"])
            .arg(house.roots_file())
            .arg("-untrusted")
            .arg(chain)
            .arg(leaf)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let good = run(&house.authority_certificate_file(), &house.node_certificate_file());
    assert!(good.0, "{}", good.1);
    let above = &line.houses.get(1).unwrap().0;
    let bad = run(&above.authority_certificate_file(), &house.node_certificate_file());
    assert!(!bad.0);
    let key = house.folder().join("keys/authority.key");
    let output = Command::new("openssl")
        .args(["pkey", "-noout", "-passin", "pass:correct horse battery", "-in"])
        .arg(key)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
