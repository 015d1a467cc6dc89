//! The side that asks: from an invite to a node with certificates.
//!
//! Nothing is believed that does not follow from the invite: the root list must have the digest it
//! names, every answer must prove knowledge of its secret, and every chain must verify to that root.
//! An interrupted attempt can be repeated with the same invite; the same keys ask the same question.

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{
    CertificateRequest, Chain, ChainError, Claims, Crl, CrlSet, RequestError, Role, RootList,
    RootListError, VerifiedChain, verify_chain,
};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::{KeyError, PublicKey, SecretKey};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::invite::{Invite, Place};
use super::message::{Answer, Answered, Ask, Bytes, EnrolRefusal, Welcome, decode};
use crate::config::Peer;
use crate::house::{
    Admission, Authority, Clerk, HeldList, House, HouseError, Identity, Passphrase, joined,
    own_certificates,
};

/// Carries a question to an address and brings the answer back.
pub trait Line {
    /// Asks once.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    fn call(&mut self, address: &str, question: &[u8]) -> Result<Vec<u8>, String>;
}

/// What joining came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Where the unit stands.
    pub unit: UnitPath,
    /// In which federation.
    pub federation: FederationId,
    /// The nodes that will be dialled.
    pub peers: Vec<Peer>,
    /// When the node's certificate ends.
    pub not_after: Timestamp,
}

/// Joins with an invite. `passphrase` opens the unit's authority key; a further node of a home needs
/// none.
///
/// # Errors
/// [`JoinError`]; the house is as it was, and the same invite can be tried again where that helps.
pub fn join(
    house: &mut House,
    invite: &Invite,
    passphrase: Option<&Passphrase>,
    line: &mut dyn Line,
    clerk: &mut Clerk<'_>,
) -> Result<Joined, JoinError> {
    let former = former(house, &invite.unit, invite.federation)?;
    let (expected, found) = (invite.unit.leaf(), &house.config().unit);
    if expected != found {
        return Err(JoinError::OtherUnit { expected: expected.clone(), found: found.clone() });
    }
    if clerk.now >= invite.expires {
        return Err(JoinError::Expired { at: invite.expires });
    }
    let mut desk = Desk { invite, line };
    match invite.place {
        Place::Subordinate => {
            let passphrase = passphrase.ok_or(JoinError::NeedsPassphrase)?;
            let key = house.authority_key(passphrase)?;
            join_as_unit(house, key, former.as_ref(), &mut desk, clerk)
        }
        Place::HomeNode if house.has_authority_key() => Err(JoinError::OwnAuthority),
        Place::HomeNode => join_home(house, former.as_ref(), &mut desk, clerk),
    }
}

/// The certificates of where the unit stood before it moved. Who is a member joins again only elsewhere in
/// the same federation.
pub(super) fn former(
    house: &House,
    unit: &UnitPath,
    federation: FederationId,
) -> Result<Option<Identity>, HouseError> {
    match house.former(unit)? {
        Some(former) if former.roots.federation() != federation => Err(joined(former)),
        former => Ok(former.cloned()),
    }
}

/// The reporting term of a node that joins: after every one that it reported in before.
pub(super) fn term_after(former: Option<&Identity>, given: u64) -> Result<u64, HouseError> {
    let Some(former) = former else { return Ok(given) };
    Ok(given.max(former.term()?.unwrap_or(0).saturating_add(1)))
}

fn join_as_unit(
    house: &mut House,
    key: SecretKey,
    former: Option<&Identity>,
    desk: &mut Desk<'_>,
    clerk: &mut Clerk<'_>,
) -> Result<Joined, JoinError> {
    let invite = desk.invite;
    let claims = Claims::authority(invite.unit.clone(), &invite.level);
    let request = CertificateRequest::create(&key, &claims)?;
    let ask = Ask::Authority(Bytes(request.der().to_vec()));
    let Answer::Authority { chain, welcome, term } = desk.ask(&ask)? else {
        return Err(JoinError::Answer { what: "another answer than was asked for" });
    };
    let welcome = desk.check(&welcome)?;
    let chain = Chain::from_cbor(&chain.0)?;
    welcome.expect(&chain, Role::Authority, &invite.unit, &key.public(), clerk.now)?;
    let authority = Authority::new(key, chain).map_err(HouseError::Issue)?;
    let term = term_after(former, term)?;
    let identity = own_certificates(house, &welcome.roots, &authority, Some(term), clerk)?;
    let announce = Ask::Announce {
        chain: Bytes(identity.node.to_cbor()),
        time_zone: house.config().time_zone.clone(),
        came_from: former.map(|former| former.unit().cloned()).transpose()?,
    };
    if desk.ask(&announce)? != Answer::Admitted {
        return Err(JoinError::Answer { what: "another answer than was asked for" });
    }
    welcome.keep_lists(house)?;
    former.map_or(Ok(()), |former| house.leave(former))?;
    house.add_peers(&welcome.peers, &[])?;
    enter(house, identity, welcome)
}

fn join_home(
    house: &mut House,
    former: Option<&Identity>,
    desk: &mut Desk<'_>,
    clerk: &Clerk<'_>,
) -> Result<Joined, JoinError> {
    let (unit, level) = (&desk.invite.unit, desk.invite.level.as_str());
    let node = Claims::node(unit.clone(), level, None);
    let node = CertificateRequest::create(house.node_key(), &node)?;
    let writer = Claims::writer(unit.clone(), level, house.kinds()?);
    let writer = CertificateRequest::create(house.writer_key(), &writer)?;
    let ask =
        Ask::HomeNode { node: Bytes(node.der().to_vec()), writer: Bytes(writer.der().to_vec()) };
    let Answer::HomeNode { node, writer, first, welcome } = desk.ask(&ask)? else {
        return Err(JoinError::Answer { what: "another answer than was asked for" });
    };
    let welcome = desk.check(&welcome)?;
    let [node, writer, first] = [&node, &writer, &first].map(|it| Chain::from_cbor(&it.0));
    let (node, writer, first) = (node?, writer?, first?);
    welcome.expect(&node, Role::Node, unit, &house.node_key().public(), clerk.now)?;
    welcome.expect(&writer, Role::Writer, unit, &house.writer_key().public(), clerk.now)?;
    welcome.expect(&first, Role::Node, unit, first.leaf().key(), clerk.now)?;
    let authority = authority_above(&node)?;
    welcome.keep_lists(house)?;
    former.map_or(Ok(()), |former| house.leave(former))?;
    house.record_admission(&Admission::to_home(&first))?;
    house.add_peers(&[], &welcome.peers)?;
    let identity = Identity { roots: welcome.roots.clone(), authority, node, writer };
    enter(house, identity, welcome)
}

/// The chain of the authority that issued a leaf.
fn authority_above(chain: &Chain) -> Result<Chain, JoinError> {
    let mut above = chain.authorities().iter().cloned();
    let authority = above.next().ok_or(ChainError::Empty)?;
    Ok(Chain::new(authority, above.collect())?)
}

fn enter(house: &mut House, identity: Identity, welcome: Checked) -> Result<Joined, JoinError> {
    let joined = Joined {
        unit: identity.unit()?.clone(),
        federation: identity.roots.federation(),
        peers: welcome.peers,
        not_after: identity.node.leaf().validity().not_after,
    };
    house.enter(identity)?;
    Ok(joined)
}

/// The desk at the other end of the line.
struct Desk<'a> {
    invite: &'a Invite,
    line: &'a mut dyn Line,
}

impl Desk<'_> {
    fn ask(&mut self, ask: &Ask) -> Result<Answer, JoinError> {
        let secret = &self.invite.secret;
        let question = self.invite.question(to_vec(ask));
        let bytes = self.carry(&question)?;
        let unreadable = |_| JoinError::Answer { what: "an answer that cannot be read" };
        let answered: Answered = decode(&bytes).map_err(unreadable)?;
        let answer: Answer = decode(&answered.body.0).map_err(unreadable)?;
        if let Answer::Refused(refusal) = answer {
            return Err(JoinError::Refused(refusal));
        }
        if secret.was_answered(&question, &answered.body.0, &answered.proof) {
            Ok(answer)
        } else {
            Err(JoinError::NotTheInviter)
        }
    }

    /// Tries one address after the other.
    fn carry(&mut self, question: &[u8]) -> Result<Vec<u8>, JoinError> {
        let mut reasons = Vec::new();
        for address in &self.invite.addresses {
            match self.line.call(address, question) {
                Ok(answer) => return Ok(answer),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(JoinError::Unreached { reasons: reasons.join("; ") })
    }

    /// Holds the root list against the invite, and reads the rest.
    fn check(&self, welcome: &Welcome) -> Result<Checked, JoinError> {
        let found = Digest::of(&welcome.roots.0);
        if found != self.invite.roots {
            return Err(JoinError::OtherRoots { expected: self.invite.roots, found });
        }
        let roots = RootList::decode(&welcome.roots.0)?;
        if roots.federation() != self.invite.federation {
            let (expected, found) = (self.invite.federation.0, roots.federation().0);
            return Err(JoinError::OtherRoots { expected, found });
        }
        let peers = welcome.peers.iter().map(|peer| {
            Ok(Peer { key: PublicKey::from_bytes(&peer.key)?, addresses: peer.addresses.clone() })
        });
        let peers = peers.collect::<Result<_, KeyError>>()?;
        let lists = welcome.lists.iter().filter_map(|signed| {
            let chain = signed.issuer_chain().ok()?;
            Some(HeldList { chain, list: Crl::from_der(&signed.list).ok()? })
        });
        Ok(Checked { roots, peers, lists: lists.collect() })
    }
}

/// A welcome that follows from the invite.
struct Checked {
    roots: RootList,
    peers: Vec<Peer>,
    lists: Vec<HeldList>,
}

impl Checked {
    fn expect(
        &self,
        chain: &Chain,
        role: Role,
        unit: &UnitPath,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<VerifiedChain, JoinError> {
        let verified = verify_chain(chain, &self.roots, &CrlSet::default(), now)?;
        if verified.role() == role && verified.unit() == unit && verified.key() == key {
            Ok(verified)
        } else {
            Err(JoinError::Answer { what: "a certificate for somebody else" })
        }
    }

    fn keep_lists(&self, house: &House) -> Result<(), HouseError> {
        self.lists.iter().try_for_each(|list| house.keep_list(list))
    }
}

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The invite is for another unit.
    #[error(
        "the invite is for unit {expected}, but this node's reeve.toml says {found}; use the right \
         invite, or make a folder with `reeve init --unit {expected}`"
    )]
    OtherUnit {
        /// The unit that is invited.
        expected: UnitId,
        /// The unit of this house.
        found: UnitId,
    },
    /// The invite is too old.
    #[error("the invite expired at {at}; ask for a new one (or set this machine's clock right)")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// A folder for a unit of its own cannot be a further node of another home.
    #[error(
        "the invite is for a further node of a home, but this folder has an authority key of its \
         own; make another folder with `reeve init --home-node`"
    )]
    OwnAuthority,
    /// There is no such unit.
    #[error("{reason}")]
    Path {
        /// Why.
        reason: String,
    },
    /// The authority key is needed and locked.
    #[error("joining as a unit needs the passphrase of its authority key")]
    NeedsPassphrase,
    /// No address answered.
    #[error("the inviting node cannot be reached: {reasons}")]
    Unreached {
        /// Why, for each address.
        reasons: String,
    },
    /// The desk said no.
    #[error("the inviting node refused: {0}")]
    Refused(EnrolRefusal),
    /// Whoever answered does not know the secret.
    #[error(
        "whoever answered does not know the invite's secret, so it is not the node that made the \
         invite; nothing was believed"
    )]
    NotTheInviter,
    /// The roots are others than the invite names.
    #[error("expected the roots {expected} that the invite names, was given {found}; do not join")]
    OtherRoots {
        /// Digest in the invite.
        expected: Digest,
        /// Digest of what was given.
        found: Digest,
    },
    /// The desk answered something else.
    #[error("the inviting node gave {what}; both sides need the same version of this program")]
    Answer {
        /// What.
        what: &'static str,
    },
    /// A certificate that was given does not verify.
    #[error("a certificate that the inviting node gave does not hold: {0}")]
    Chain(#[from] ChainError),
    /// The root list cannot be read.
    #[error(transparent)]
    Roots(#[from] RootListError),
    /// The application could not be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A peer's key is not acceptable.
    #[error("the inviting node named a peer with an unacceptable key: {0}")]
    Key(#[from] KeyError),
    /// Something is wrong with the own house.
    #[error(transparent)]
    House(#[from] HouseError),
}
