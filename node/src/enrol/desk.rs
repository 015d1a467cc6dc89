//! The side that issues. It keeps open invites in memory, checks proofs, signs, and says whom to
//! admit. It does no I/O: the caller first keeps what was issued, then sends the answer.

use std::collections::BTreeMap;

use reeve_protocol::wire::SignedList;
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{
    Action, Certificate, CertificateRequest, Chain, CrlSet, Role, RootList, verify_chain,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::PublicKey;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::by_file::Admitted;
use super::invite::{Invite, MAX_ADDRESSES, Place};
use super::message::{
    Answer, Answered, Ask, Asked, Bytes, EnrolRefusal, PeerAt, VERSION, Welcome, decode,
    lists_that_fit,
};
use super::order::{AdmissionOrder, InviteOrder, LONGEST_S, OrderError, Reach, SHORTEST_S};
use super::proof::{InviteId, Proof, Secret};
use crate::house::{Admission, Authority, Clerk, House, HouseError};

/// Most invites that are open at once: a person makes them one by one.
const MAX_OPEN: usize = 64;
/// So many wrong proofs void an invite. A newcomer that has the invite proves it the first time.
const MAX_WRONG: u8 = 5;
/// Digits of a key that tell a further node apart when nobody named it.
const LABEL_DIGITS: usize = 8;

/// What came of one message.
#[derive(Debug)]
pub struct Handled {
    /// What to answer, after [`Handled::keep`].
    pub response: Vec<u8>,
    /// Certificates that were issued, now or when the same question came before.
    pub issued: Vec<Certificate>,
    /// A node for the core to admit.
    pub admission: Option<Admission>,
    /// The unit that is to be admitted, and where it stood before: only if its register says that it was
    /// let go there ([`EnrolDesk::turn_away`]).
    pub moved: Option<(UnitId, UnitPath)>,
    /// Why nothing was done, for metrics and the log.
    pub refused: Option<EnrolRefusal>,
}

impl Handled {
    /// Keeps durably what must not be forgotten. Only then may `response` be sent; if this fails, send
    /// nothing: the newcomer asks again.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn keep(&self, house: &House) -> Result<(), HouseError> {
        self.issued.iter().try_for_each(|certificate| house.record_issued(certificate))?;
        self.admission.iter().try_for_each(|admission| house.record_admission(admission))
    }
}

/// An open invite.
#[derive(Debug)]
struct Open {
    place: Place,
    unit: UnitPath,
    level: String,
    names: Titles,
    time_zone: Option<String>,
    label: Option<String>,
    /// Whether it audits, and reports nothing.
    auditor: bool,
    /// The reporting term of a new authority's first node.
    term: u64,
    expires: Timestamp,
    secret: Secret,
    node_addresses: Vec<String>,
    wrong: u8,
    done: Option<Done>,
}

/// What an invite was used for. The same question again is answered alike, because the answer may
/// have been lost on its way.
#[derive(Debug)]
struct Done {
    asked: Digest,
    answer: Answer,
    issued: Vec<Certificate>,
    /// The authority's key that was certified; the node's, for a further node.
    key: PublicKey,
}

/// What a step came to, before it is put into bytes.
struct Step {
    answer: Answer,
    issued: Vec<Certificate>,
    admission: Option<Admission>,
    moved: Option<(UnitId, UnitPath)>,
}

/// The desk of one node.
#[derive(Debug)]
pub struct EnrolDesk {
    roots: RootList,
    unit: UnitPath,
    node_chain: Chain,
    kinds: Vec<KindId>,
    lists: Vec<SignedList>,
    authority: Option<Authority>,
    open: BTreeMap<InviteId, Open>,
    /// The last certificate of each subordinate's authority.
    certified: BTreeMap<UnitPath, Certificate>,
    /// The last reporting term that was given to a unit at this desk.
    given: BTreeMap<UnitPath, u64>,
}

impl EnrolDesk {
    /// A desk without open invites.
    ///
    /// # Errors
    /// When the node has not joined itself, or its schema cannot be read.
    pub fn new(house: &House) -> Result<Self, HouseError> {
        let identity = house.identity()?;
        Ok(Self {
            roots: identity.roots.clone(),
            unit: identity.unit()?.clone(),
            node_chain: identity.node.clone(),
            kinds: house.kinds()?,
            lists: house.lists()?.iter().map(crate::house::HeldList::signed).collect(),
            authority: None,
            open: BTreeMap::new(),
            certified: certified(house)?,
            given: BTreeMap::new(),
        })
    }

    /// Shows newcomers what the folder holds now: this node's chain and the revocation lists.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn follow(&mut self, house: &House) -> Result<(), HouseError> {
        self.node_chain = house.identity()?.node.clone();
        self.lists = house.lists()?.iter().map(crate::house::HeldList::signed).collect();
        self.certified.extend(certified(house)?);
        Ok(())
    }

    /// How many invites are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether the authority key is unlocked in memory.
    pub fn is_unlocked(&self) -> bool {
        self.authority.is_some()
    }

    /// Makes an invite with an unlocked authority ([`InviteOrder::unlock`]). `term` is the reporting term
    /// for the newcomer's first node: the one after the last that was heard of its unit.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn invite(
        &mut self,
        order: &InviteOrder,
        authority: Authority,
        term: u64,
        reach: &Reach,
        clerk: &mut Clerk<'_>,
    ) -> Result<Invite, OrderError> {
        self.expire(clerk.now);
        let (place, unit) = self.place(order)?;
        if !(SHORTEST_S..=LONGEST_S).contains(&order.valid_s) {
            return Err(OrderError::Validity { found: order.valid_s });
        }
        if let Some(zone) = order.time_zone.as_ref().filter(|it| !is_time_zone(it)) {
            return Err(OrderError::TimeZone { found: zone.clone() });
        }
        if self.open.len() >= MAX_OPEN {
            return Err(OrderError::TooMany { limit: MAX_OPEN });
        }
        let addresses = self.addresses(reach)?;
        let secret = Secret::new(clerk.entropy().draw().map_err(HouseError::Entropy)?);
        let valid_ms = i64::try_from(order.valid_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let expires = clerk.now.plus_millis(valid_ms);
        let level = match place {
            Place::Subordinate => order.level.clone(),
            Place::HomeNode => {
                authority.chain().leaf().claims().map(|it| it.level.clone()).unwrap_or_default()
            }
        };
        self.open.insert(
            secret.id(),
            Open {
                place,
                unit: unit.clone(),
                level: level.clone(),
                names: order.titles(),
                time_zone: order.time_zone.clone(),
                label: order.label.clone(),
                auditor: false,
                term,
                expires,
                secret: secret.clone(),
                node_addresses: reach.node.clone(),
                wrong: 0,
                done: None,
            },
        );
        self.authority = Some(authority);
        let (federation, roots) = (self.roots.federation(), Digest::of(&self.roots.encode()));
        Ok(Invite { addresses, federation, roots, place, unit, level, expires, secret })
    }

    /// Certifies a unit that applies by file, and gives the line of the answer. The term is given as for an
    /// invite.
    ///
    /// # Errors
    /// [`OrderError`]; nothing was issued.
    pub fn admit(
        &mut self,
        order: &AdmissionOrder,
        authority: &Authority,
        term: u64,
        reach: &Reach,
        clerk: &mut Clerk<'_>,
    ) -> Result<(Admitted, Vec<Certificate>), OrderError> {
        let application = order.application()?;
        let (place, unit) = self.place(&order.order)?;
        if place != Place::Subordinate || unit != application.unit {
            return Err(EnrolRefusal::OtherPlace.into());
        }
        let held = self.certified.get(&unit).map(|held| held.actions().contains(Action::Report));
        if let Some(reports) = held.filter(|reports| *reports == order.auditor) {
            let was = if reports { "report" } else { "audit" };
            return Err(OrderError::OtherTask { unit: unit.leaf().clone(), was });
        }
        if let Some(zone) = order.order.time_zone.as_ref().filter(|it| !is_time_zone(it)) {
            return Err(OrderError::TimeZone { found: zone.clone() });
        }
        let given = self.given.get(&unit).map_or(0, |term| term.saturating_add(1));
        let term = term.max(given);
        let open = Open {
            place,
            unit: unit.clone(),
            level: order.order.level.clone(),
            names: order.order.titles(),
            time_zone: order.order.time_zone.clone(),
            label: None,
            auditor: order.auditor,
            term,
            expires: clerk.now,
            secret: Secret::new(clerk.entropy().draw().map_err(HouseError::Entropy)?),
            node_addresses: reach.node.clone(),
            wrong: 0,
            done: None,
        };
        let request = application.request()?;
        let (_, step) = self.certify_authority(&open, term, authority, &request, clerk)?;
        self.given.insert(unit.clone(), term);
        self.certified.extend(step.issued.first().map(|it| (unit.clone(), it.clone())));
        Ok((Admitted::new(unit, &step.answer, &self.node_chain), step.issued))
    }

    fn place(&self, order: &InviteOrder) -> Result<(Place, UnitPath), OrderError> {
        let (unit, own) = (order.unit_id()?, self.unit.leaf());
        if order.home_node {
            if unit != *own {
                return Err(OrderError::OtherUnit { own: own.clone(), found: unit });
            }
            return Ok((Place::HomeNode, self.unit.clone()));
        }
        if unit == *own {
            return Err(OrderError::OwnUnit { unit });
        }
        let path = self.unit.child(unit);
        let path = path.map_err(|error| OrderError::Unit { reason: error.to_string() })?;
        Ok((Place::Subordinate, path))
    }

    /// Addresses of the enrolment port, each with this node's key, so that a newcomer can tell.
    fn addresses(&self, reach: &Reach) -> Result<Vec<String>, OrderError> {
        let key = crate::net::PeerKey::new(self.node_chain.leaf().key().to_bytes());
        let end = key.address_end().ok_or(OrderError::NoPort)?;
        let addresses: Vec<_> = reach
            .enrolment
            .iter()
            .take(MAX_ADDRESSES)
            .map(|it| if it.contains("/p2p/") { it.clone() } else { format!("{it}{end}") })
            .collect();
        if addresses.is_empty() { Err(OrderError::NoPort) } else { Ok(addresses) }
    }

    /// Drops expired invites, and the authority key with the last one that may still need it.
    pub fn expire(&mut self, now: Timestamp) {
        self.open.retain(|_, open| now < open.expires);
        if self.open.values().all(|open| open.done.is_some()) {
            self.authority = None;
        }
    }

    /// Answers one message of a newcomer.
    pub fn handle(&mut self, bytes: &[u8], clerk: &mut Clerk<'_>) -> Handled {
        let (secret, step) = match self.step(bytes, clerk) {
            Ok((secret, step)) => (secret, step),
            Err(refusal) => return refuse(refusal),
        };
        let body = to_vec(&step.answer);
        let proof = secret.prove_answered(bytes, &body);
        let response = to_vec(&Answered { body: Bytes(body), proof });
        if self.open.values().all(|open| open.done.is_some()) {
            self.authority = None;
        }
        let Step { issued, admission, moved, .. } = step;
        Handled { response, issued, admission, moved, refused: None }
    }

    /// What a newcomer is answered that is not admitted, because its unit stands elsewhere.
    #[must_use]
    pub fn turn_away() -> Handled {
        refuse(EnrolRefusal::NotReceived)
    }

    fn step(
        &mut self,
        bytes: &[u8],
        clerk: &mut Clerk<'_>,
    ) -> Result<(Secret, Step), EnrolRefusal> {
        let asked: Asked = decode(bytes).map_err(|_| EnrolRefusal::Malformed)?;
        if asked.version != VERSION {
            return Err(EnrolRefusal::Malformed);
        }
        let open = self.open.get_mut(&asked.invite).ok_or(EnrolRefusal::UnknownInvite)?;
        if clerk.now >= open.expires {
            return Err(EnrolRefusal::Expired);
        }
        if open.wrong >= MAX_WRONG {
            return Err(EnrolRefusal::Void);
        }
        if !open.secret.was_asked(&asked.body.0, &asked.proof) {
            open.wrong = open.wrong.saturating_add(1);
            return Err(EnrolRefusal::WrongProof);
        }
        let secret = open.secret.clone();
        let ask: Ask = decode(&asked.body.0).map_err(|_| EnrolRefusal::Malformed)?;
        let step = match ask {
            Ask::Announce { chain, time_zone, came_from } => {
                let mut step = self.announce(&asked.invite, &chain.0, time_zone, clerk.now)?;
                let open = self.open.get(&asked.invite);
                step.moved = open.map(|open| open.unit.leaf().clone()).zip(came_from);
                Ok(step)
            }
            ask => self.certify(&asked.invite, &ask, Digest::of(&asked.body.0), clerk),
        }?;
        Ok((secret, step))
    }

    /// Issues what the invite is for, once.
    fn certify(
        &mut self,
        invite: &InviteId,
        ask: &Ask,
        asked: Digest,
        clerk: &mut Clerk<'_>,
    ) -> Result<Step, EnrolRefusal> {
        let open = self.open.get(invite).ok_or(EnrolRefusal::UnknownInvite)?;
        if let Some(done) = &open.done {
            if done.asked != asked {
                return Err(EnrolRefusal::Used);
            }
            let admission = admission_of(&done.answer);
            let (answer, issued) = (done.answer.clone(), done.issued.clone());
            return Ok(Step { answer, issued, admission, moved: None });
        }
        let authority = self.authority.as_ref().ok_or(EnrolRefusal::Failed)?;
        let (key, step) = match (open.place, ask) {
            (Place::Subordinate, Ask::Authority(request)) => {
                // Two invites of one unit never lead to one term.
                let given = self.given.get(&open.unit).map_or(0, |term| term.saturating_add(1));
                let term = open.term.max(given);
                self.certify_authority(open, term, authority, &request.0, clerk)
            }
            (Place::HomeNode, Ask::HomeNode { node, writer }) => {
                self.certify_node(open, authority, (&node.0, &writer.0), clerk)
            }
            _ => Err(EnrolRefusal::OtherPlace),
        }?;
        if let Some(open) = self.open.get_mut(invite) {
            if let Answer::Authority { term, .. } = &step.answer {
                self.given.insert(open.unit.clone(), *term);
                let issued = step.issued.first().map(|it| (open.unit.clone(), it.clone()));
                self.certified.extend(issued);
            }
            let (answer, issued) = (step.answer.clone(), step.issued.clone());
            open.done = Some(Done { asked, answer, issued, key });
        }
        Ok(step)
    }

    fn certify_authority(
        &self,
        open: &Open,
        term: u64,
        authority: &Authority,
        request: &[u8],
        clerk: &mut Clerk<'_>,
    ) -> Result<(PublicKey, Step), EnrolRefusal> {
        let request = read_request(request, Role::Authority, &open.unit)?;
        let (unit, level, key) = (open.unit.leaf(), open.level.as_str(), *request.key());
        let chain = match self.certified.get(&open.unit) {
            Some(held) => authority.subordinate_anew(held, level, key, clerk),
            None if open.auditor => authority.auditor(unit, level, key, clerk),
            None => authority.subordinate(unit, level, key, clerk),
        };
        let chain = chain.map_err(|_| EnrolRefusal::Failed)?;
        let encoded = chain.to_cbor();
        let welcome = self.welcome(open, encoded.len());
        let answer = Answer::Authority { chain: Bytes(encoded), welcome, term };
        let issued = vec![chain.leaf().clone()];
        let step = Step { answer, issued, admission: None, moved: None };
        Ok((*request.key(), step))
    }

    fn certify_node(
        &self,
        open: &Open,
        authority: &Authority,
        (node, writer): (&[u8], &[u8]),
        clerk: &mut Clerk<'_>,
    ) -> Result<(PublicKey, Step), EnrolRefusal> {
        let node = read_request(node, Role::Node, &open.unit)?;
        let writer = read_request(writer, Role::Writer, &open.unit)?;
        let made = || node.key().key_id().to_string().chars().take(LABEL_DIGITS).collect();
        let label: String = open.label.clone().unwrap_or_else(made);
        let mut kinds = writer.claims().writable_kinds.clone();
        kinds.retain(|kind| self.kinds.contains(kind));
        let failed = |_| EnrolRefusal::Failed;
        let node_chain = authority.node(&label, *node.key(), None, clerk).map_err(failed)?;
        let writer_chain =
            authority.writer(&label, *writer.key(), &kinds, clerk).map_err(failed)?;
        let issued = vec![node_chain.leaf().clone(), writer_chain.leaf().clone()];
        let [node_bytes, writer_bytes, first] =
            [&node_chain, &writer_chain, &self.node_chain].map(Chain::to_cbor);
        let used = node_bytes.len() + writer_bytes.len() + first.len();
        let answer = Answer::HomeNode {
            node: Bytes(node_bytes),
            writer: Bytes(writer_bytes),
            first: Bytes(first),
            welcome: self.welcome(open, used),
        };
        let admission = Some(Admission::to_home(&node_chain));
        Ok((*node.key(), Step { answer, issued, admission, moved: None }))
    }

    fn welcome(&self, open: &Open, used: usize) -> Welcome {
        let roots = self.roots.encode();
        let lists = lists_that_fit(&self.lists, used + roots.len());
        let key = self.node_chain.leaf().key().to_bytes();
        let peers = vec![PeerAt { key, addresses: open.node_addresses.clone() }];
        Welcome { roots: Bytes(roots), lists, peers }
    }

    /// Has the node admitted that the new authority certified. May be repeated.
    fn announce(
        &self,
        invite: &InviteId,
        chain: &[u8],
        time_zone: String,
        now: Timestamp,
    ) -> Result<Step, EnrolRefusal> {
        let open = self.open.get(invite).ok_or(EnrolRefusal::UnknownInvite)?;
        let done = open.done.as_ref().filter(|_| open.place == Place::Subordinate);
        let done = done.ok_or(EnrolRefusal::OtherPlace)?;
        let chain = Chain::from_cbor(chain).map_err(|_| EnrolRefusal::BadChain)?;
        let verified = verify_chain(&chain, &self.roots, &CrlSet::default(), now)
            .map_err(|_| EnrolRefusal::BadChain)?;
        let follows = verified.role() == Role::Node
            && *verified.unit() == open.unit
            && verified.authority_keys().last() == Some(&done.key);
        if !follows {
            return Err(EnrolRefusal::BadChain);
        }
        let time_zone = open.time_zone.clone().or(Some(time_zone).filter(|it| is_time_zone(it)));
        let admission = Admission { chain: chain.to_cbor(), names: open.names.clone(), time_zone };
        let (issued, admission) = (Vec::new(), Some(admission));
        Ok(Step { answer: Answer::Admitted, issued, admission, moved: None })
    }
}

/// The last certificate of each authority that was issued in a house.
fn certified(house: &House) -> Result<BTreeMap<UnitPath, Certificate>, HouseError> {
    let mut issued = house.issued()?;
    issued.sort_by_key(|it| it.validity().not_before);
    let authorities = issued.into_iter().filter_map(|it| {
        let claims = it.claims().filter(|claims| claims.role == Role::Authority)?;
        Some((claims.unit.clone(), it))
    });
    Ok(authorities.collect())
}

fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

/// The admission that belongs to an answer given before.
fn admission_of(answer: &Answer) -> Option<Admission> {
    match answer {
        Answer::HomeNode { node, .. } => {
            Chain::from_cbor(&node.0).ok().map(|chain| Admission::to_home(&chain))
        }
        _ => None,
    }
}

fn read_request(
    bytes: &[u8],
    role: Role,
    unit: &UnitPath,
) -> Result<CertificateRequest, EnrolRefusal> {
    let request = CertificateRequest::from_der(bytes).map_err(|_| EnrolRefusal::BadRequest)?;
    if request.claims().role == role && request.claims().unit == *unit {
        Ok(request)
    } else {
        Err(EnrolRefusal::OtherPlace)
    }
}

fn refuse(refusal: EnrolRefusal) -> Handled {
    let body = Bytes(to_vec(&Answer::Refused(refusal)));
    let response = to_vec(&Answered { body, proof: Proof::NONE });
    let issued = Vec::new();
    Handled { response, issued, admission: None, moved: None, refused: Some(refusal) }
}
