//! Joining without a line: an application and its answer, each a file of one line.
//!
//! What the secret of an invite proves over a connection, people compare here over a channel that they
//! trust: whoever admits, the key of the application; the newcomer, the id of the federation. The
//! newcomer's keys stay where they are. Its node is admitted with its first letter
//! (`reeve_protocol::letter`): over a connection it would be announced when it joins.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{
    Action, CertificateRequest, Chain, Claims, Crl, CrlSet, Role, RootList, verify_chain,
};
use reeve_statement::digest::FederationId;
use reeve_statement::key::PublicKey;
use reeve_statement::unit::{UnitId, UnitPath};

use super::join::{JoinError, Joined, former, term_after};
use super::message::{Answer, Ask, Bytes, VERSION, decode};
use super::one_line::{LineError, from_line, to_line};
use crate::config::Peer;
use crate::house::{
    Admission, Authority, Clerk, HeldList, House, HouseError, Passphrase, own_certificates,
};

/// What every application of this version begins with.
const APPLICATION: &str = "reeve-request-1.";

/// What every answer of this version begins with.
const ADMITTED: &str = "reeve-answer-1.";

/// Longest line, in bytes: the answer of a desk is at most 64 KiB, and a chain stands beside it.
pub(super) const MAX_LINE_BYTES: usize = 160 * 1024;

/// The application of a unit's first node.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Application {
    #[n(0)]
    version: u16,
    /// The unit, where it is to stand.
    #[n(1)]
    pub unit: UnitPath,
    #[n(2)]
    ask: Bytes,
    /// Its time zone.
    #[cbor(n(3), with = "reeve_statement::cbor::text")]
    pub time_zone: String,
    /// Where it stood before, if it moves.
    #[n(4)]
    pub came_from: Option<UnitPath>,
}

/// The answer to an application.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Admitted {
    #[n(0)]
    version: u16,
    /// The unit that is admitted.
    #[n(1)]
    pub unit: UnitPath,
    #[n(2)]
    answer: Bytes,
    /// The chain of the superior's node.
    #[n(3)]
    superior: Bytes,
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_line(APPLICATION, self))
    }
}

impl FromStr for Application {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let application: Self = from_line(APPLICATION, text, MAX_LINE_BYTES)?;
        if application.version == VERSION { Ok(application) } else { Err(LineError::Damaged) }
    }
}

impl fmt::Display for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_line(ADMITTED, self))
    }
}

impl FromStr for Admitted {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let admitted: Self = from_line(ADMITTED, text, MAX_LINE_BYTES)?;
        if admitted.version == VERSION { Ok(admitted) } else { Err(LineError::Damaged) }
    }
}

impl Application {
    /// Applies for a unit directly below another one, with the key of its authority.
    ///
    /// # Errors
    /// [`JoinError`]: the node has joined, the passphrase is wrong, the path is none.
    pub fn new(
        house: &House,
        under: &UnitPath,
        passphrase: &Passphrase,
    ) -> Result<Self, JoinError> {
        let unit = under.child(house.config().unit.clone());
        let unit = unit.map_err(|error| JoinError::Path { reason: error.to_string() })?;
        let former = house.former(&unit)?;
        let came_from = former.map(|former| former.unit().cloned()).transpose()?;
        let key = house.authority_key(passphrase)?;
        // Which level it is, the superior says.
        let request = CertificateRequest::create(&key, &Claims::authority(unit.clone(), "unit"))?;
        let ask = Bytes(to_vec(&Ask::Authority(Bytes(request.der().to_vec()))));
        let time_zone = house.config().time_zone.clone();
        Ok(Self { version: VERSION, unit, ask, time_zone, came_from })
    }

    /// The key that it applies with: its holder has signed it.
    ///
    /// # Errors
    /// [`JoinError`]: it is not an application for an authority.
    pub fn key(&self) -> Result<PublicKey, JoinError> {
        Ok(*CertificateRequest::from_der(&self.request()?)?.key())
    }

    /// The application for a certificate (PKCS#10).
    pub(super) fn request(&self) -> Result<Vec<u8>, JoinError> {
        match decode(&self.ask.0) {
            Ok(Ask::Authority(Bytes(request))) => Ok(request),
            _ => Err(JoinError::Answer { what: "another application than a unit's" }),
        }
    }

    /// The id of the unit.
    #[must_use]
    pub fn unit_id(&self) -> &UnitId {
        self.unit.leaf()
    }
}

impl Admitted {
    pub(super) fn new(unit: UnitPath, answer: &Answer, superior: &Chain) -> Self {
        let (answer, superior) = (Bytes(to_vec(answer)), Bytes(superior.to_cbor()));
        Self { version: VERSION, unit, answer, superior }
    }

    /// The federation, as the answer says.
    ///
    /// # Errors
    /// [`JoinError`]: the answer cannot be read.
    pub fn federation(&self) -> Result<FederationId, JoinError> {
        match decode(&self.answer.0) {
            Ok(Answer::Authority { welcome, .. }) => {
                Ok(RootList::decode(&welcome.roots.0)?.federation())
            }
            _ => Err(JoinError::Answer { what: "an answer that cannot be read" }),
        }
    }

    /// Joins with this answer. The id of the federation is the one that was told over another channel;
    /// without a line, the superior is not entered among the nodes to dial.
    ///
    /// # Errors
    /// [`JoinError`]; the house is as it was.
    pub fn join(
        &self,
        house: &mut House,
        federation: FederationId,
        passphrase: &Passphrase,
        line: bool,
        clerk: &mut Clerk<'_>,
    ) -> Result<Joined, JoinError> {
        let former = former(house, &self.unit, federation)?;
        let (expected, found) = (self.unit.leaf(), &house.config().unit);
        if expected != found {
            return Err(JoinError::OtherUnit { expected: expected.clone(), found: found.clone() });
        }
        let other = |_| JoinError::Answer { what: "an answer that cannot be read" };
        let answer: Answer = decode(&self.answer.0).map_err(other)?;
        let Answer::Authority { chain, welcome, term } = answer else {
            return Err(JoinError::Answer { what: "another answer than was asked for" });
        };
        let roots = RootList::decode(&welcome.roots.0)?;
        if roots.federation() != federation {
            let (expected, found) = (federation.0, roots.federation().0);
            return Err(JoinError::OtherRoots { expected, found });
        }
        let key = house.authority_key(passphrase)?;
        let chain = Chain::from_cbor(&chain.0)?;
        let superior = Chain::from_cbor(&self.superior.0)?;
        let believed = |chain: &Chain, role, unit: Option<&UnitPath>, key: Option<PublicKey>| {
            let verified = verify_chain(chain, &roots, &CrlSet::default(), clerk.now)?;
            let right = verified.role() == role
                && unit.is_some_and(|unit| unit == verified.unit())
                && key.is_none_or(|key| key == *verified.key());
            let what = "a certificate for somebody else";
            if right { Ok(()) } else { Err(JoinError::Answer { what }) }
        };
        believed(&chain, Role::Authority, Some(&self.unit), Some(key.public()))?;
        believed(&superior, Role::Node, self.unit.parent().as_ref(), None)?;
        let authority = Authority::new(key, chain).map_err(HouseError::Issue)?;
        // Who may not report has no reporting term.
        let reports = authority.chain().leaf().actions().contains(Action::Report);
        let term = term_after(former.as_ref(), term)?;
        let term = Some(term).filter(|_| reports);
        let identity = own_certificates(house, &roots, &authority, term, clerk)?;
        for signed in &welcome.lists {
            let list = Crl::from_der(&signed.list).ok().zip(signed.issuer_chain().ok());
            if let Some((list, chain)) = list {
                house.keep_list(&HeldList { chain, list })?;
            }
        }
        former.as_ref().map_or(Ok(()), |former| house.leave(former))?;
        house.record_admission(&Admission::to_home(&superior))?;
        let mut peers = Vec::new();
        for peer in welcome.peers.iter().filter(|_| line) {
            let key = PublicKey::from_bytes(&peer.key)?;
            peers.push(Peer { key, addresses: peer.addresses.clone() });
        }
        house.add_peers(&peers, &[])?;
        let joined = Joined {
            unit: self.unit.clone(),
            federation,
            peers,
            not_after: identity.node.leaf().validity().not_after,
        };
        house.enter(identity)?;
        Ok(joined)
    }
}
