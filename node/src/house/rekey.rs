//! Another key for the unit's authority: handed on by the old one, or given by the superior because the
//! old one is lost or was seen. The application goes to whoever certified the authority, and its answer
//! comes back; both are files. With the new key everything is certified again that the old one had
//! certified: nodes, writers, subordinates.

use reeve_statement::cert::{
    Certificate, CertificateRequest, Chain, Claims, Loss, Role, Step, Succession, Way, hand_on,
    verify_chain,
};
use reeve_statement::key::file::{self, Cost};
use reeve_statement::key::{PublicKey, SecretKey};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use zeroize::Zeroizing;

use super::authority::{Authority, Root};
use super::clerk::Clerk;
use super::error::HouseError;
use super::identity::Identity;
use super::passphrase::Passphrase;
use super::renewal::chains_of;
use super::{House, files, read_encrypted};

/// First line of an application.
const TITLE: &str = "An application of an authority of Reeve for another key.";

/// An application for another key, read and checked.
#[derive(Debug)]
pub struct KeyApplication {
    /// The unit.
    pub unit: UnitPath,
    /// The key of before.
    pub previous: PublicKey,
    handed_on: Option<Step>,
    request: CertificateRequest,
}

/// Everything that was certified with the new key, the node's own chains first.
#[derive(Debug)]
pub struct Rekeyed {
    /// The new key.
    pub key: PublicKey,
    /// The chains, for the running node.
    pub chains: Vec<Chain>,
}

impl KeyApplication {
    /// Reads an application, and checks that the applicant holds the new key, and what the old one
    /// signed.
    ///
    /// # Errors
    /// [`HouseError::NotAnApplication`].
    pub fn read(text: &str) -> Result<Self, HouseError> {
        let wrong = |reason: String| HouseError::NotAnApplication { reason };
        if !text.starts_with(TITLE) {
            return Err(wrong("its first line is another".to_owned()));
        }
        let value = |name: &'static str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim());
            found.ok_or_else(|| wrong(format!("it says nothing of: {name}")))
        };
        let bytes = |name| hex::decode(value(name)?).map_err(|error| wrong(error.to_string()));
        let block = text.find("-----BEGIN").and_then(|at| text.get(at..)).unwrap_or_default();
        let request =
            CertificateRequest::from_pem(block).map_err(|error| wrong(error.to_string()))?;
        let previous =
            PublicKey::from_bytes(&bytes("previous")?).map_err(|error| wrong(error.to_string()))?;
        let unit = request.claims().unit.clone();
        let handed_on = match value("signature")? {
            "none" => None,
            _ => {
                let signature = <[u8; 64]>::try_from(bytes("signature")?)
                    .map_err(|_| wrong("its signature has another length".to_owned()))?;
                let way = Way::HandedOn(signature);
                Some(Step { previous: previous.to_bytes(), way })
            }
        };
        if let Some(step) = &handed_on {
            let checked = step.check(unit.leaf(), request.key());
            checked.map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Self { unit, previous, handed_on, request })
    }

    /// The new key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        self.request.key()
    }

    /// Whether the old key signed it.
    #[must_use]
    pub fn is_handed_on(&self) -> bool {
        self.handed_on.is_some()
    }

    /// The changes of key that led to the new one.
    fn succession(
        &self,
        held: &Certificate,
        loss: Option<Loss>,
        clerk: &Clerk<'_>,
    ) -> Result<Succession, HouseError> {
        if *held.key() != self.previous {
            let (expected, found) = (held.key().to_string(), self.previous.to_string());
            return Err(HouseError::OtherPreviousKey { expected, found });
        }
        let replaced = |loss| Step {
            previous: self.previous.to_bytes(),
            way: Way::Replaced { loss, at: clerk.second() },
        };
        let step = match (loss, self.handed_on) {
            (Some(loss), _) => replaced(loss),
            (None, Some(step)) => step,
            (None, None) => return Err(HouseError::NotHandedOn),
        };
        let before = held.claims().and_then(|claims| claims.succession.as_ref());
        Ok(Succession::after(step, before))
    }
}

impl House {
    /// Draws another authority key, keeps it beside the present one, and applies for its certificate;
    /// `old` hands it on. Returns the text of the application.
    ///
    /// # Errors
    /// When the node has not joined, an application is under way, or a file cannot be written.
    pub fn apply_for_key(
        &self,
        old: Option<&SecretKey>,
        passphrase: &Passphrase,
        cost: Cost,
        clerk: &mut Clerk<'_>,
    ) -> Result<(KeyApplication, String), HouseError> {
        let held = self.identity()?.authority.leaf();
        let unit = self.identity()?.unit()?.clone();
        let level = held.claims().map(|claims| claims.level.clone()).unwrap_or_default();
        let path = self.folder().join(files::NEXT_KEY);
        if path.exists() {
            return Err(HouseError::KeyUnderWay { path });
        }
        let next = clerk.entropy().secret_key()?;
        let nonce = clerk.entropy().file_nonce()?;
        let text = file::to_encrypted_pem_at(&next, passphrase.as_bytes(), &nonce, cost)?;
        let request = CertificateRequest::create(&next, &Claims::authority(unit.clone(), &level));
        let request =
            request.map_err(|error| HouseError::NotAnApplication { reason: error.to_string() })?;
        let signature = match old.map(|old| hand_on(unit.leaf(), old, &next.public()).way) {
            Some(Way::HandedOn(signature)) => hex::encode(signature),
            _ => "none".to_owned(),
        };
        let application = format!(
            "{TITLE}\nunit: {unit}\nkey: {}\nprevious: {}\nsignature: {signature}\n{}",
            next.public(),
            hex::encode(held.key().to_bytes()),
            request.to_pem(),
        );
        let read = KeyApplication::read(&application)?;
        files::make_folder(&self.folder().join(files::KEYS))?;
        files::write_new(&path, text.as_bytes())?;
        Ok((read, application))
    }

    /// Certifies a subordinate's authority with the key that it applies for: handed on by the old key, or
    /// in place of one that is lost. Records what it issues, here and for the core to enter.
    ///
    /// # Errors
    /// When the unit's authority was not certified here, or the key of before is not the one that was
    /// certified last, or the old key did not sign and no loss is named.
    pub fn certify_key(
        &self,
        authority: &Authority,
        application: &KeyApplication,
        loss: Option<Loss>,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        if !application.unit.is_child_of(authority.unit()?) {
            let what = application.unit.to_string();
            let folder = self.folder().join(files::ISSUED);
            return Err(HouseError::NeverIssued { what, folder });
        }
        let held = self.last_authority_of(&application.unit)?;
        let succession = application.succession(&held, loss, clerk)?;
        let chain = authority.rekey(&held, *application.key(), succession, clerk)?;
        self.record_issued(chain.leaf())?;
        self.record_renewal(&chain)?;
        Ok(chain)
    }

    /// The same for the first unit, whose authority a root certifies.
    ///
    /// # Errors
    /// As [`House::certify_key`].
    pub fn certify_first_key(
        &self,
        root: &Root,
        application: &KeyApplication,
        loss: Option<Loss>,
        clerk: &mut Clerk<'_>,
    ) -> Result<Chain, HouseError> {
        let held = self.identity()?.authority.leaf().clone();
        let own = held.claims().is_some_and(|claims| claims.unit == application.unit);
        if !own || application.unit.depth() != 1 {
            let what = application.unit.to_string();
            let folder = self.folder().join(files::ISSUED);
            return Err(HouseError::NeverIssued { what, folder });
        }
        let succession = application.succession(&held, loss, clerk)?;
        let chain = root.rekey(&held, *application.key(), succession, clerk)?;
        self.record_issued(chain.leaf())?;
        Ok(chain)
    }

    /// The last certificate of a unit's authority that was issued here.
    ///
    /// # Errors
    /// When there is none, or a file cannot be read.
    pub fn last_authority_of(&self, unit: &UnitPath) -> Result<Certificate, HouseError> {
        let issued = self.issued()?.into_iter().filter(|it| {
            it.claims().is_some_and(|claims| claims.role == Role::Authority && claims.unit == *unit)
        });
        let begins = |it: &Certificate| (it.validity().not_before, it.validity().not_after);
        issued.max_by_key(begins).ok_or_else(|| HouseError::NeverIssued {
            what: unit.to_string(),
            folder: self.folder().join(files::ISSUED),
        })
    }

    /// Takes the answer: the new key takes the place of the old one, and everything that the old one had
    /// certified and that still counts is certified again.
    ///
    /// # Errors
    /// When the answer is for another key, does not verify, or does not say how the key followed; nothing
    /// is changed then. When a file cannot be written; taking it again goes on.
    pub fn take_key(
        &mut self,
        answer: &str,
        passphrase: &Passphrase,
        clerk: &mut Clerk<'_>,
    ) -> Result<Rekeyed, HouseError> {
        let path = self.folder().join(files::NEXT_KEY);
        if !path.exists() {
            return Err(HouseError::NoKeyUnderWay { path });
        }
        let next = read_encrypted(&path, passphrase)?;
        let identity = self.identity()?.clone();
        let chain = chains_of(answer)?.into_iter().next();
        let chain = chain.filter(|it| *it.leaf().key() == next.public());
        let chain = chain.ok_or(HouseError::OtherAnswer)?;
        let lists = self.checked_lists(clerk.now)?;
        verify_chain(&chain, &identity.roots, &lists, clerk.now)?;
        let held = identity.authority.leaf();
        let same_unit =
            held.claims().map(|it| &it.unit) == chain.leaf().claims().map(|it| &it.unit);
        if !same_unit {
            return Err(HouseError::OtherAnswer);
        }
        let followed = chain.leaf().follows(held.key());
        followed.map_err(|error| HouseError::NotFollowed { reason: error.to_string() })?;
        let authority = Authority::new(next.clone(), chain.clone())?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let mut entered = Identity { authority: chain, ..identity.clone() };
        for certificate in self.still_counting(&identity, clerk.now)? {
            let again = authority.again(&certificate, clerk)?;
            self.record_issued(again.leaf())?;
            let key = *again.leaf().key();
            if key == self.node_key().public() {
                entered.node = again.clone();
                own.insert(0, again);
            } else if key == self.writer_key().public() {
                entered.writer = again.clone();
                own.push(again);
            } else {
                self.record_renewal(&again)?;
                others.push(again);
            }
        }
        let text: Zeroizing<String> = files::read_secret(&path)?;
        files::replace(&self.folder().join(files::AUTHORITY_KEY), text.as_bytes())?;
        self.enter(entered)?;
        files::remove(&path)?;
        own.append(&mut others);
        Ok(Rekeyed { key: next.public(), chains: own })
    }

    /// Of each key that this unit's authority certified, the certificate that ends last, unless it was
    /// revoked or has ended.
    fn still_counting(
        &self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, HouseError> {
        let issuer = identity.authority.leaf().key().key_id();
        let revoked = self.list_of(&issuer)?.map(|held| held.list.revoked().clone());
        let mut last: Vec<Certificate> = Vec::new();
        let own = [identity.node.leaf().clone(), identity.writer.leaf().clone()];
        for certificate in self.issued()?.into_iter().chain(own) {
            let of_issuer = certificate.authority_key_id() == issuer;
            let is_revoked =
                revoked.as_ref().is_some_and(|list| list.contains_key(certificate.serial()));
            if !of_issuer || is_revoked || certificate.validity().end() <= now {
                continue;
            }
            let rank = |it: &Certificate| {
                (it.claims().and_then(|claims| claims.term), it.validity().not_after)
            };
            match last.iter_mut().find(|it| it.key() == certificate.key()) {
                Some(held) if rank(held) >= rank(&certificate) => {}
                Some(held) => *held = certificate,
                None => last.push(certificate),
            }
        }
        Ok(last)
    }
}
