//! Newcomers join, and the wrong ones do not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Chain, Role, verify_chain};
use reeve_statement::digest::Digest;
use reeve_statement::key::file::{Cost, KeyFileError};
use reeve_statement::time::Timestamp;
use tempfile::TempDir;

use super::message::{Answer, Answered, Ask, Asked, Bytes, decode};
use super::proof::{Proof, Secret};
use super::*;
use crate::house::{
    Authority, Clerk, Entropy, House, HouseError, Passphrase, UnitSpec, begin, begin_home_node,
    found_federation,
};

const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);
const PASSPHRASE: &str = "correct horse battery";

fn spec(unit: &str) -> UnitSpec {
    let mut spec = UnitSpec::new(unit.parse().unwrap(), "nation", Passphrase::new(PASSPHRASE));
    spec.cost = Cost::NONE;
    spec
}

fn order(unit: &str) -> InviteOrder {
    InviteOrder {
        unit: unit.to_owned(),
        level: "region".to_owned(),
        names: vec![("it".to_owned(), "Lombardia".to_owned())],
        time_zone: None,
        valid_s: 3_600,
        home_node: false,
        label: None,
        passphrase: PASSPHRASE.to_owned(),
    }
}

fn reach() -> Reach {
    Reach {
        node: vec!["/ip4/192.0.2.1/tcp/7401".to_owned()],
        enrolment: vec!["/ip4/192.0.2.1/tcp/7402".to_owned()],
    }
}

/// A founded nation with a desk, and the line to it.
struct Nation {
    folder: TempDir,
    house: House,
    desk: EnrolDesk,
    entropy: Entropy,
    now: Timestamp,
    term: u64,
    /// What the desk did, in order.
    handled: Vec<Handled>,
    /// Changes what goes over the line.
    meddle: Option<fn(Vec<u8>) -> Vec<u8>>,
}

impl Nation {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut entropy = Entropy::seeded([1; 32]);
        let mut clerk = Clerk::new(NOW, &mut entropy);
        let domain = "reeve.example".parse().unwrap();
        let (house, _) =
            found_federation(&folder.path().join("it"), &domain, &spec("it"), &mut clerk).unwrap();
        let desk = EnrolDesk::new(&house).unwrap();
        let (handled, meddle) = (Vec::new(), None);
        Self { folder, house, desk, entropy, now: NOW, term: 1, handled, meddle }
    }

    fn authority(&self) -> Authority {
        self.house.authority(&Passphrase::new(PASSPHRASE)).unwrap()
    }

    fn try_invite(&mut self, order: &InviteOrder) -> Result<Invite, OrderError> {
        let authority = order.unlock(&self.house)?;
        let mut clerk = Clerk::new(self.now, &mut self.entropy);
        self.desk.invite(order, authority, self.term, &reach(), &mut clerk)
    }

    fn invite(&mut self, order: &InviteOrder) -> Invite {
        self.try_invite(order).unwrap()
    }

    fn newcomer(&self, folder: &str, unit: &str) -> House {
        let mut entropy = Entropy::seeded(*Digest::of(folder.as_bytes()).as_bytes());
        let mut clerk = Clerk::new(self.now, &mut entropy);
        begin(&self.folder.path().join(folder), &spec(unit), &mut clerk).unwrap()
    }

    fn join(&mut self, house: &mut House, invite: &Invite) -> Result<Joined, JoinError> {
        let mut entropy = Entropy::seeded([9; 32]);
        let mut clerk = Clerk::new(self.now, &mut entropy);
        join(house, invite, Some(&Passphrase::new(PASSPHRASE)), self, &mut clerk)
    }

    fn handle(&mut self, question: &[u8]) -> &Handled {
        let mut clerk = Clerk::new(self.now, &mut self.entropy);
        let handled = self.desk.handle(question, &mut clerk);
        self.handled.push(handled);
        self.handled.last().unwrap()
    }
}

impl Line for Nation {
    fn call(&mut self, address: &str, question: &[u8]) -> Result<Vec<u8>, String> {
        assert!(address.starts_with("/ip4/192.0.2.1/tcp/7402/p2p/12D3KooW"), "{address}");
        let response = self.handle(question).response.clone();
        Ok(self.meddle.map_or(response.clone(), |meddle| meddle(response)))
    }
}

#[test]
fn a_unit_that_joins_again_begins_a_later_term() {
    let mut nation = Nation::new();
    nation.term = 4;
    let invites = [nation.invite(&order("03")), nation.invite(&order("03"))];
    let terms = ["first", "second"].into_iter().zip(&invites).map(|(folder, invite)| {
        let mut house = nation.newcomer(folder, "03");
        nation.join(&mut house, invite).unwrap();
        house.identity().unwrap().term().unwrap()
    });
    assert_eq!(terms.collect::<Vec<_>>(), [Some(4), Some(5)], "two invites, two terms");
}

#[test]
fn a_unit_joins_and_its_superior_admits_it() {
    let mut nation = Nation::new();
    let invite: Invite = nation.invite(&order("03")).to_string().parse().unwrap();
    assert!(nation.desk.is_unlocked());
    let mut house = nation.newcomer("03", "03");
    let joined = nation.join(&mut house, &invite).unwrap();
    assert_eq!(joined.unit.to_string(), "it/03");
    assert!(!nation.desk.is_unlocked(), "the key is dropped once the invite is used");

    let house = House::open(house.folder()).unwrap();
    let identity = house.identity().unwrap();
    let verified = identity.verify(&house.checked_lists(NOW).unwrap(), NOW).unwrap();
    assert_eq!((verified.level(), verified.term()), ("region", Some(1)));
    let superior = house.config().superior.first().unwrap();
    assert_eq!(superior.key, nation.house.node_key().public());
    assert_eq!(superior.addresses, reach().node);

    let [certified, announced] = nation.handled.as_slice() else { panic!("two calls") };
    assert_eq!(certified.issued, [identity.authority.leaf().clone()]);
    assert!(certified.admission.is_none());
    let admission = announced.admission.clone().unwrap();
    assert_eq!(admission.chain, identity.node.to_cbor());
    assert_eq!(admission.names.text("it"), Some("Lombardia"));
    assert_eq!(admission.time_zone.as_deref(), Some("UTC"));
    certified.keep(&nation.house).unwrap();
    announced.keep(&nation.house).unwrap();
    let issuer = nation.house.identity().unwrap().authority.leaf().key().key_id();
    assert_eq!(nation.house.issued_to(&issuer, "03").unwrap(), certified.issued);
    assert_eq!(nation.house.admissions().unwrap(), std::slice::from_ref(&admission));
    nation.house.forget_admission(&admission).unwrap();
    assert!(nation.house.admissions().unwrap().is_empty());

    let mut house = house;
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::House(HouseError::Joined { .. })), "{error}");
}

#[test]
fn a_further_node_of_the_home_joins() {
    let mut nation = Nation::new();
    let mut order = order("it");
    order.home_node = true;
    let invite = nation.invite(&order);
    let mut house = nation.newcomer("it-of-its-own", "it");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::OwnAuthority), "{error}");
    let mut entropy = Entropy::seeded([5; 32]);
    let folder = nation.folder.path().join("it-2");
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let mut house = begin_home_node(&folder, &spec("it"), &mut clerk).unwrap();
    nation.join(&mut house, &invite).unwrap();
    let identity = house.identity().unwrap();
    assert_eq!(identity.term().unwrap(), None);
    assert_eq!(house.config().home.first().unwrap().key, nation.house.node_key().public());
    let admitted = house.admissions().unwrap();
    assert_eq!(admitted.first().unwrap().chain, nation.house.identity().unwrap().node.to_cbor());
    let handled = nation.handled.first().unwrap();
    assert_eq!(handled.issued.len(), 2);
    assert_eq!(handled.admission.as_ref().unwrap().chain, identity.node.to_cbor());
}

#[test]
fn an_interrupted_join_can_be_repeated_but_not_by_another() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let mut house = nation.newcomer("03", "03");
    nation.meddle = Some(|_| Vec::new());
    nation.join(&mut house, &invite).unwrap_err();
    nation.meddle = None;
    let mut other = nation.newcomer("03-other", "03");
    let error = nation.join(&mut other, &invite).unwrap_err();
    assert!(matches!(error, JoinError::Refused(EnrolRefusal::Used)), "{error}");
    nation.join(&mut house, &invite).unwrap();
    let serials: Vec<_> = nation.handled.iter().flat_map(|it| &it.issued).collect();
    assert!(serials.iter().all(|it| it.serial() == serials.first().unwrap().serial()));
}

#[test]
fn an_expired_invite_is_refused_on_both_sides() {
    let mut nation = Nation::new();
    let mut invite = nation.invite(&order("03"));
    nation.now = NOW.plus_millis(3_600_000);
    let mut house = nation.newcomer("03", "03");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::Expired { .. }), "{error}");
    invite.expires = nation.now.plus_millis(1_000);
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::Refused(EnrolRefusal::Expired)), "{error}");
    nation.desk.expire(nation.now);
    assert!(nation.desk.open() == 0 && !nation.desk.is_unlocked());
}

#[test]
fn a_forged_invite_is_unknown_and_a_wrong_proof_voids() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let mut forged = invite.clone();
    forged.secret = Secret::new([0; 32].into());
    let mut house = nation.newcomer("03", "03");
    let error = nation.join(&mut house, &forged).unwrap_err();
    assert!(matches!(error, JoinError::Refused(EnrolRefusal::UnknownInvite)), "{error}");

    let body = to_vec(&Ask::Authority(Bytes(Vec::new())));
    let asked =
        Asked { version: 1, invite: invite.secret.id(), body: Bytes(body), proof: Proof::NONE };
    for expected in [EnrolRefusal::WrongProof; 5].into_iter().chain([EnrolRefusal::Void]) {
        assert_eq!(nation.handle(&to_vec(&asked)).refused, Some(expected));
    }
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::Refused(EnrolRefusal::Void)), "{error}");
}

#[test]
fn every_flipped_bit_of_a_question_is_refused() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let body = to_vec(&Ask::Authority(Bytes(vec![1, 2, 3])));
    let proof = invite.secret.prove_asked(&body);
    let asked = to_vec(&Asked { version: 1, invite: invite.secret.id(), body: Bytes(body), proof });
    for bit in 0..asked.len() * 8 {
        let mut altered = asked.clone();
        if let Some(byte) = altered.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        assert!(nation.handle(&altered).refused.is_some(), "bit {bit}");
    }
}

#[test]
fn other_roots_than_the_invite_names_are_not_believed() {
    let mut nation = Nation::new();
    let mut invite = nation.invite(&order("03"));
    invite.roots = Digest::of(b"other roots");
    let mut house = nation.newcomer("03", "03");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::OtherRoots { .. }), "{error}");
    assert!(!house.has_joined());
}

#[test]
fn an_answer_without_knowledge_of_the_secret_is_not_believed() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    nation.meddle = Some(|bytes| {
        let mut answered: Answered = decode(&bytes).unwrap();
        answered.body = Bytes(to_vec(&Answer::Admitted));
        to_vec(&answered)
    });
    let mut house = nation.newcomer("03", "03");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::NotTheInviter), "{error}");
}

#[test]
fn a_chain_of_somebody_else_is_not_admitted() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let mut house = nation.newcomer("03", "03");
    nation.join(&mut house, &invite).unwrap();
    // The invited unit announces the nation's own node.
    let chain = Bytes(nation.house.identity().unwrap().node.to_cbor());
    let body = to_vec(&Ask::Announce { chain, time_zone: "UTC".to_owned(), came_from: None });
    let proof = invite.secret.prove_asked(&body);
    let asked = Asked { version: 1, invite: invite.secret.id(), body: Bytes(body), proof };
    assert_eq!(nation.handle(&to_vec(&asked)).refused, Some(EnrolRefusal::BadChain));
}

#[test]
fn an_invite_for_another_unit_is_refused_before_anything_is_sent() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let mut house = nation.newcomer("04", "04");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(matches!(error, JoinError::OtherUnit { .. }), "{error}");
    assert!(nation.handled.is_empty());
}

#[test]
fn a_restart_voids_invites() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    nation.desk = EnrolDesk::new(&nation.house).unwrap();
    let mut house = nation.newcomer("03", "03");
    let error = nation.join(&mut house, &invite).unwrap_err();
    assert!(error.to_string().contains("restarted"), "{error}");
}

#[test]
fn wrong_orders_are_refused() {
    let mut nation = Nation::new();
    let wrong = |change: fn(&mut InviteOrder)| {
        let mut order = order("03");
        change(&mut order);
        order
    };
    let refused = [
        wrong(|it| it.unit = "Milano".to_owned()),
        wrong(|it| it.unit = "it".to_owned()),
        wrong(|it| it.home_node = true),
        wrong(|it| it.valid_s = 1),
        wrong(|it| it.valid_s = u64::MAX),
        wrong(|it| it.time_zone = Some("Europe/Rom".to_owned())),
    ];
    for order in refused {
        nation.try_invite(&order).unwrap_err();
    }
    let error = nation.try_invite(&wrong(|it| it.passphrase = "guess".to_owned())).unwrap_err();
    let OrderError::House(HouseError::Key { error, .. }) = error else { panic!("{error}") };
    assert_eq!(error, KeyFileError::WrongPassphrase);
    let mut clerk = Clerk::new(NOW, &mut nation.entropy);
    let authority = nation.house.authority(&Passphrase::new(PASSPHRASE)).unwrap();
    let nowhere = Reach::default();
    let error = nation.desk.invite(&order("03"), authority, 1, &nowhere, &mut clerk).unwrap_err();
    assert!(matches!(error, OrderError::NoPort), "{error}");
    assert!(nation.desk.open() == 0 && !nation.desk.is_unlocked());
}

#[test]
fn an_invite_survives_a_mail_and_shows_damage() {
    let mut nation = Nation::new();
    let invite = nation.invite(&order("03"));
    let line = invite.to_string();
    assert!(line.len() < 600, "{}", line.len());
    let (start, end) = line.split_at(70);
    assert_eq!(format!("  {start}\r\n {end}\n").parse::<Invite>().unwrap(), invite);
    let damaged = line.replacen('A', "B", 1);
    assert_eq!(damaged.parse::<Invite>(), Err(InviteError::Damaged));
    assert_eq!(start.parse::<Invite>(), Err(InviteError::Damaged));
    assert_eq!("hello".parse::<Invite>(), Err(InviteError::NotAnInvite));
    let mut open = invite.clone();
    open.addresses = vec!["/ip4/192.0.2.1/tcp/7402".to_owned()];
    assert_eq!(open.to_string().parse::<Invite>(), Err(InviteError::NoPeer));
    assert!(!format!("{invite:?} {:?}", order("03")).contains("horse"));
}

#[test]
fn loopback_is_announced_only_where_there_is_nothing_else() {
    let config = crate::config::Config::new("it".parse().unwrap());
    let both = ["/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1"].map(str::to_owned).to_vec();
    let found = Reach::new(&config, both.clone(), both.split_at(1).0.to_vec());
    assert_eq!(found.node, ["/ip4/192.0.2.1/tcp/1"]);
    assert_eq!(found.enrolment, ["/ip4/127.0.0.1/tcp/1"]);
}

/// The whole way over a real enrolment port on loopback.
#[test]
fn a_unit_joins_over_the_network() {
    use crate::net::NodeSeed;
    use crate::net::enrol::{EnrolCommand, EnrolConfig, EnrolEvent, EnrolPort};

    let mut nation = Nation::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = EnrolConfig {
        seed: NodeSeed::new(nation.house.node_key().seed()),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        tap: None,
    };
    let (port, mut events) = runtime.block_on(async { EnrolPort::spawn(&config) }).unwrap();
    let Some(EnrolEvent::Listening { address }) = runtime.block_on(events.recv()) else {
        panic!("the port listens")
    };
    let reach = Reach { node: reach().node, enrolment: vec![address] };
    let (order, authority) = (order("03"), nation.authority());
    let mut clerk = Clerk::new(NOW, &mut nation.entropy);
    let invite = nation.desk.invite(&order, authority, 1, &reach, &mut clerk).unwrap();
    let mut house = nation.newcomer("03", "03");
    let mut desk = nation.desk;
    runtime.spawn(async move {
        let mut entropy = Entropy::seeded([2; 32]);
        while let Some(event) = events.recv().await {
            if let EnrolEvent::Request { inbound, bytes, .. } = event {
                let bytes = desk.handle(&bytes, &mut Clerk::new(NOW, &mut entropy)).response;
                port.commands.send(EnrolCommand::Respond { inbound, bytes }).await.unwrap();
            }
        }
    });
    let mut line = NetLine::new(&house, true).unwrap();
    let mut entropy = Entropy::seeded([3; 32]);
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let passphrase = Passphrase::new(PASSPHRASE);
    join(&mut house, &invite, Some(&passphrase), &mut line, &mut clerk).unwrap();
    let identity = house.identity().unwrap();
    let node: &Chain = &identity.node;
    let verified = verify_chain(node, &identity.roots, &Default::default(), NOW).unwrap();
    assert_eq!((verified.role(), verified.unit().depth()), (Role::Node, 2));
}
