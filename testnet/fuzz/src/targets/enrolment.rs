//! The enrolment desk: what anybody who reaches its port can send, and what a holder of an invite can.

use std::cell::RefCell;

use reeve::enrol::{EnrolDesk, Invite, InviteOrder, Reach};
use reeve::house::{Clerk, Entropy, House, Passphrase, UnitSpec, found_federation};
use reeve_statement::cert::claims::Claims;
use reeve_statement::cert::{CertificateRequest, CrlSet, verify_chain};
use reeve_statement::key::file::Cost;
use tempfile::TempDir;

use crate::house::{DAY_MS, NOW, key, path, seed};

const PASSPHRASE: &str = "correct horse battery";

/// Largest message of the enrolment port, in bytes: what a desk answers must fit.
const MESSAGE_BYTES: usize = 64 * 1024;

/// A founded nation with a desk.
struct Nation {
    _folder: TempDir,
    house: House,
    desk: EnrolDesk,
    entropy: Entropy,
}

fn spec() -> UnitSpec {
    let mut spec = UnitSpec::new("it".parse().unwrap(), "nation", Passphrase::new(PASSPHRASE));
    spec.cost = Cost::NONE;
    spec
}

fn order() -> InviteOrder {
    InviteOrder {
        unit: "03".to_owned(),
        level: "region".to_owned(),
        names: vec![("it".to_owned(), "Lombardia".to_owned())],
        time_zone: None,
        valid_s: 3_600,
        home_node: false,
        label: None,
        passphrase: PASSPHRASE.to_owned(),
    }
}

impl Nation {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut entropy = Entropy::seeded(seed("nation"));
        let mut clerk = Clerk::new(NOW, &mut entropy);
        let domain = "reeve.example".parse().unwrap();
        let place = folder.path().join("it");
        let (house, _) = found_federation(&place, &domain, &spec(), &mut clerk).unwrap();
        let desk = EnrolDesk::new(&house).unwrap();
        Self { _folder: folder, house, desk, entropy }
    }

    /// A fresh invite; earlier ones are gone.
    fn invite(&mut self, home_node: bool) -> Invite {
        self.desk.expire(NOW.plus_millis(400 * DAY_MS));
        let mut order = order();
        if home_node {
            order.home_node = true;
            "it".clone_into(&mut order.unit);
        }
        let authority = order.unlock(&self.house).unwrap();
        let reach = Reach {
            node: vec!["/ip4/192.0.2.1/tcp/7401".to_owned()],
            enrolment: vec!["/ip4/192.0.2.1/tcp/7402".to_owned()],
        };
        let mut clerk = Clerk::new(NOW, &mut self.entropy);
        self.desk.invite(&order, authority, 1, &reach, &mut clerk).unwrap()
    }
}

thread_local! {
    static NATION: RefCell<Nation> = RefCell::new(Nation::new());
}

/// A message to the desk: as it is, and as the question of somebody who holds an invite. Whatever is
/// issued is issued to the invited unit, by an application that its key signed.
pub fn desk(bytes: &[u8]) {
    NATION.with_borrow_mut(|nation| {
        let nation = &mut *nation;
        let invite = nation.invite(bytes.first().is_some_and(|byte| byte & 1 == 1));
        let questions = [bytes.to_vec(), invite.question(bytes.to_vec())];
        for (number, question) in questions.iter().enumerate() {
            let mut clerk = Clerk::new(NOW, &mut nation.entropy);
            let handled = nation.desk.handle(question, &mut clerk);
            assert!(handled.response.len() <= MESSAGE_BYTES, "an answer that fits no frame");
            assert!(
                number == 1 || handled.issued.is_empty(),
                "issued to somebody without an invite"
            );
            assert!(handled.refused.is_none() || handled.issued.is_empty(), "refused and issued");
            for certificate in &handled.issued {
                let found = certificate.claims().unwrap().unit.clone();
                assert_eq!(found, invite.unit, "a certificate for another unit");
            }
            if let Some(admission) = handled.admission {
                let chain = reeve_statement::cert::Chain::from_cbor(&admission.chain).unwrap();
                let roots = nation.house.identity().unwrap().roots.clone();
                let verified = verify_chain(&chain, &roots, &CrlSet::default(), NOW);
                assert!(verified.is_ok(), "admitted what does not verify");
            }
        }
    });
}

/// An application as a newcomer sends it: an enum of one field, `[0, [bytes]]`.
fn ask(variant: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.array(2).unwrap().u32(variant).unwrap();
    e.array(u64::try_from(parts.len()).unwrap()).unwrap();
    for part in parts {
        e.bytes(part).unwrap();
    }
    e.into_writer()
}

/// Seeds of [`desk`].
pub fn desk_seeds() -> Vec<Vec<u8>> {
    let applicant = key("applicant");
    let unit = path("it/03");
    let der =
        |claims: &Claims| CertificateRequest::create(&applicant, claims).unwrap().der().to_vec();
    let authority = ask(0, &[der(&Claims::authority(unit.clone(), "region"))]);
    let own = path("it");
    let node = der(&Claims::node(own.clone(), "nation", None));
    let writer = der(&Claims::writer(own, "nation", Vec::new()));
    let home = ask(1, &[node, writer]);
    let mut announce = minicbor::Encoder::new(Vec::new());
    announce.array(2).unwrap().u32(2).unwrap().array(2).unwrap();
    let chain = crate::house::house().node(&unit, "1", Some(1)).1;
    announce.bytes(&chain.to_cbor()).unwrap().str("Europe/Rome").unwrap();
    let stranger = Nation::new().invite(false).question(authority.clone());
    vec![authority, home, announce.into_writer(), stranger]
}

/// An invite's line.
pub(super) fn invite_line() -> String {
    Nation::new().invite(false).to_string()
}
