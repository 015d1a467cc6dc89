//! What is seen at each step, held against the invariants: frames as they leave, statements as they
//! are issued, answers as they are given.

use std::collections::BTreeSet;
use std::rc::Rc;

use reeve_protocol::effect::{Channel, NodeKey};
use reeve_protocol::rows::{self, HeadRow, MemberRow};
use reeve_protocol::wire::{ReportAnswer, Upward, decode};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::Chain;
use reeve_statement::cert::name::dns_name;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::leaf_hash;
use reeve_statement::register::{Register, RegisterEntry};
use reeve_statement::release::Release;
use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::hostile::Hostile;
use crate::invariants::{
    invariant_a_catalogue_never_goes_back, invariant_a_ledger_has_one_root,
    invariant_a_ledger_only_grows, invariant_a_revision_says_why, invariant_a_window_is_waited_for,
    invariant_an_edition_names_the_one_before, invariant_an_ended_term_signs_nothing,
    invariant_commit_then_speak, invariant_every_statement_is_in_the_ledger,
    invariant_no_acceptance_goes_back, invariant_no_edition_is_told_twice,
    invariant_no_raw_field_crosses_a_border, invariant_no_small_step_is_told,
    invariant_nothing_forged_is_accepted, invariant_nothing_is_accepted_from_out_of_area,
    invariant_nothing_is_accepted_from_the_expired, invariant_nothing_is_accepted_from_the_revoked,
    invariant_nothing_under_its_floor_is_told, invariant_what_is_accepted_verifies,
};
use crate::known::Known;
use crate::model::{PERSONAL, WINDOW_SECONDS, floor};
use crate::registry::NOON;
use crate::sim::{Owed, Sim};
use crate::sums::{
    invariant_a_figure_is_the_sum_of_its_inputs, invariant_completeness_is_earned,
    invariant_the_roots_are_of_the_inputs,
};

/// Frames of a hostile node that are kept to be sent again.
const KEPT_FRAMES: usize = 64;

/// Longest row that is read back, in bytes.
const ROW_BYTES: usize = 4 * 1024 * 1024;

/// The statement that a frame delivers.
#[derive(Debug, Clone)]
pub(crate) struct Delivers {
    pub(crate) digest: Digest,
    /// Whether the ledger beside it is signed by the sender.
    sound: bool,
    /// When the signer's certificate ends.
    ends: Timestamp,
}

impl Sim {
    /// The time as a node's own clock says.
    pub(crate) fn wall_at(&self, at: NodeKey) -> Timestamp {
        let skew = self.places.get(&at).map_or(0, |place| place.skew);
        Timestamp::from_millis(NOON + i64::try_from(self.now).unwrap() + skew)
    }

    fn lies(&self, unit: &UnitPath) -> bool {
        self.plan.hostile.contains(unit)
    }

    /// A statement as anybody could have it who got these bytes; none if its signature does not hold.
    pub(crate) fn know(&mut self, at: NodeKey, signed: Signed) -> Option<Rc<Known>> {
        let digest = signed.digest();
        if let Some(found) = self.seen.statements.get(&digest) {
            return found.clone();
        }
        let known = self.verify(at, signed, digest).map(Rc::new);
        self.seen.statements.insert(digest, known.clone());
        known
    }

    /// Whether its signer's certificate has ended is looked at elsewhere: here the signature counts.
    fn verify(&self, at: NodeKey, signed: Signed, digest: Digest) -> Option<Known> {
        let chain = self.registry.chain(&signed.unverified_leaf_digest())?;
        let founding = Timestamp::from_millis(NOON);
        let verified = signed.verify_with(chain, &self.verifier, founding).ok()?;
        let disk = &self.disks[&at];
        let find = |digest: &Digest| disk.rows.get(&rows::chunk(digest)).cloned();
        Known::of(verified.into_statement(), digest, find)
    }

    /// What a frame delivers, if it delivers a statement.
    pub(crate) fn look_at_frame(
        &mut self,
        from: NodeKey,
        channel: Channel,
        bytes: &[u8],
    ) -> Option<Delivers> {
        if channel != Channel::Report {
            return None;
        }
        let Ok(Upward::Deliver { statement, checkpoint }) = decode::<Upward>(bytes) else {
            return None;
        };
        let signed = Signed::decode(&statement.0).ok()?;
        let digest = signed.digest();
        let chain = self.registry.chain(&signed.unverified_leaf_digest()).cloned();
        self.know(from, signed);
        let unit = self.places[&from].unit.clone();
        let sound = chain.as_ref().is_some_and(|chain| self.is_sound(&unit, chain, &checkpoint));
        let end = |chain: &Chain| chain.certificates().map(|it| it.validity().end()).min();
        let ends = chain.as_ref().and_then(end).unwrap_or_default();
        Some(Delivers { digest, sound, ends })
    }

    /// The name of a unit's ledger of a term.
    pub(crate) fn ledger_of(&self, unit: &UnitPath, term: u64) -> String {
        let name = dns_name(unit, self.registry.roots.domain()).unwrap();
        Origin::of(&name, term).unwrap().as_str().to_owned()
    }

    fn is_sound(&self, unit: &UnitPath, chain: &Chain, note: &str) -> bool {
        let name = dns_name(unit, self.registry.roots.domain()).unwrap();
        let term = chain.leaf().claims().and_then(|claims| claims.term);
        let Some(origin) = term.and_then(|term| Origin::of(&name, term).ok()) else { return false };
        Checkpoint::verify(note, &origin, chain.leaf().key()).is_ok()
    }

    /// A frame leaves an honest node for another home.
    pub(crate) fn observe_send(
        &mut self,
        from: NodeKey,
        to: NodeKey,
        bytes: &[u8],
        delivers: Option<&Delivers>,
    ) {
        let (unit, other) = (self.places[&from].unit.clone(), &self.places[&to].unit);
        if unit == *other || self.lies(&unit) {
            return;
        }
        let found = invariant_no_raw_field_crosses_a_border(bytes);
        self.violated("no_raw_field_crosses_a_border", found);
        let note = match decode::<Upward>(bytes) {
            Ok(Upward::Deliver { checkpoint, .. }) if delivers.is_some() => checkpoint,
            Ok(Upward::Head(note)) => note,
            _ => return,
        };
        if let Ok(head) = Checkpoint::parse_unverified(&note) {
            let ledger = head.origin.as_str();
            let found =
                invariant_a_ledger_has_one_root(&mut self.seen, ledger, head.size, head.root);
            self.violated("a_ledger_has_one_root", found);
        }
        let Some(Delivers { digest, sound, .. }) = delivers else { return };
        let Some(known) = self.seen.known(digest).filter(|_| *sound) else {
            let verifies = self.seen.known(digest).is_some();
            let what = format!(
                "{unit} told {digest}: its signature holds: {verifies}, that of its ledger: {sound}; {}",
                note.lines().next().unwrap_or_default()
            );
            return self.violated("what_is_told_verifies", Err(what));
        };
        self.statements += 1;
        self.observe_told(from, &known);
    }

    /// A statement is told: it is durable, has its place in the ledger, and is the only one of its name.
    fn observe_told(&mut self, from: NodeKey, known: &Rc<Known>) {
        let (unit, digest) = (known.statement.issuer.clone(), known.digest);
        let disk = &self.disks[&from];
        let durable = disk.rows.contains_key(&rows::statement(&digest));
        let found = invariant_commit_then_speak(durable, &digest);
        let place = disk.place_of(&digest);
        self.violated("commit_then_speak", found);
        if let Some(index) = place {
            let ledger = self.ledger_of(&unit, known.statement.term);
            let found = invariant_a_ledger_only_grows(&mut self.told, &ledger, index, digest);
            self.violated("a_ledger_only_grows", found);
        } else {
            let expected = leaf_hash(digest.as_bytes());
            let found = invariant_every_statement_is_in_the_ledger(None, expected, &unit);
            self.violated("every_statement_is_in_the_ledger", found);
        }
        let Some((figure, edition)) = known.statement.figure() else { return };
        let name = (unit, figure, known.statement.term, edition);
        let previous = match &known.statement.body {
            Body::Release(release) => release.previous,
            Body::Notice(notice) => notice.previous,
            _ => None,
        };
        if name.0.parent().is_none_or(|above| !self.lies(&above)) {
            // Below a liar editions go on from wherever it says that they are.
            let found = invariant_an_edition_names_the_one_before(&self.told, &name, previous);
            self.violated("an_edition_names_the_one_before", found);
        }
        let found = invariant_no_edition_is_told_twice(&mut self.told, name, digest);
        self.violated("no_edition_is_told_twice", found);
    }

    /// Statements whose issue became durable on a disk.
    pub(crate) fn observe_disk(&mut self, at: NodeKey) {
        let issued = self.disks.get_mut(&at).unwrap().take_issued();
        self.issued += u64::try_from(issued.len()).unwrap();
        if !self.watched || issued.is_empty() {
            return;
        }
        for digest in issued {
            let row = self.disks[&at].rows.get(&rows::statement(&digest)).cloned();
            let signed = row.and_then(|bytes| Signed::decode(&bytes).ok());
            // What an authority signed is published here and verified by whoever takes it.
            let Some(known) = signed.and_then(|signed| self.know(at, signed)) else { continue };
            self.seen.note_issued(&known);
            self.trace.explain(self.now, || {
                let (what, term) = (known.statement.body.kind(), known.statement.term);
                let figure = known.statement.figure();
                let figure = figure.map(|(id, edition)| format!("{id} edition {edition}"));
                format!("{} {what:?} {figure:?} term {term} {digest}", self.places[&at].unit)
            });
            if let Body::Register(register) = &known.statement.body {
                self.observe_register(&known, register);
            }
            self.observe_issued(at, &known);
        }
    }

    fn observe_issued(&mut self, at: NodeKey, known: &Known) {
        let (unit, expected) = (&known.statement.issuer, leaf_hash(known.digest.as_bytes()));
        let disk = &self.disks[&at];
        let leaf = disk.place_of(&known.digest).and_then(|index| {
            let (term, level) = (known.statement.term.to_be_bytes(), [0]);
            let key = rows::key(rows::LEDGER, &[&term, &level, &index.to_be_bytes()]);
            let node = disk.rows.get(&key)?;
            Some(Digest::from_bytes(node.as_slice().try_into().ok()?))
        });
        let found = invariant_every_statement_is_in_the_ledger(leaf, expected, unit);
        self.violated("every_statement_is_in_the_ledger", found);
        let later = self.later_term_known_at(at, known);
        let found = invariant_an_ended_term_signs_nothing(known.statement.term, later, unit);
        self.violated("an_ended_term_signs_nothing", found);
        if let Body::Bulletin(bulletin) = &known.statement.body {
            self.observe_bulletin(at, known, bulletin);
        }
        let Some(release) = known.release() else { return };
        let found = {
            // What reached another node of the home may have been told here.
            let home = self.places.iter().filter(|(_, place)| place.unit == *unit);
            let home: Vec<NodeKey> = home.map(|(key, _)| *key).chain([at]).collect();
            let received =
                |digest: &Digest| home.iter().find_map(|at| self.seen.received_by(*at, digest));
            let lies = |below: &UnitId| {
                unit.child(below.clone()).is_ok_and(|below| self.is_above_a_liar(&below))
            };
            let register = release.register.and_then(|it| self.seen.registers.get(&it));
            let expected = register.map(|it| named_by(it, release)).unwrap_or_default();
            [
                (
                    "completeness_is_earned",
                    invariant_completeness_is_earned(known, &expected, &lies, &received),
                ),
                (
                    "a_figure_is_the_sum_of_its_inputs",
                    invariant_a_figure_is_the_sum_of_its_inputs(known, &lies, &received),
                ),
                ("the_roots_are_of_the_inputs", invariant_the_roots_are_of_the_inputs(known)),
            ]
        };
        for (invariant, found) in found {
            self.violated(invariant, found);
        }
        // A liar's node goes on after editions that were forged in its name, and a node below a liar after
        // those that its superior says it holds: they know only their number.
        let below_a_liar = unit.parent().is_some_and(|superior| self.lies(&superior));
        if !self.lies(unit) && !below_a_liar {
            let before = release.previous.and_then(|digest| self.seen.known(&digest));
            let input = |digest: &Digest| self.seen.known(digest)?.release()?.reason;
            let found = invariant_a_revision_says_why(known, before.as_deref(), input);
            self.violated("a_revision_says_why", found);
        }
        let found = invariant_a_catalogue_never_goes_back(&mut self.followed, unit, release);
        self.violated("a_catalogue_never_goes_back", found);
        self.observe_consent(at, known, release);
        if release.indicator.as_str() == PERSONAL && !self.is_above_a_liar(unit) {
            let least = floor(release.catalogue_version, release.class);
            let found = invariant_nothing_under_its_floor_is_told(&known.table, least);
            self.violated("nothing_under_its_floor_is_told", found);
            self.observe_steps(known, release);
        }
    }

    /// What is told of a unit's own persons: no small step, and nothing before a window has closed.
    fn observe_steps(&mut self, known: &Known, release: &Release) {
        let unit = &known.statement.issuer;
        // Whoever goes on from a backup has forgotten what was told since.
        if self.plan.restored.as_ref() == Some(unit) {
            return;
        }
        // After a loss nobody knows what was told in the last moments before it.
        if self.plan.by_force && self.plan.handed.as_ref() == Some(unit) {
            return;
        }
        let leaf = known.manifest.direct.is_empty();
        let Some(own) = known.own.as_ref().or(Some(&known.table).filter(|_| leaf)) else { return };
        let floor = floor(release.catalogue_version, RecipientClass::Superior);
        let period = release.period.to_string();
        let found = invariant_no_small_step_is_told(&mut self.told, (unit, period), own, floor);
        self.violated("no_small_step_is_told", found);
        let faults = &self.plan.faults;
        if faults.clock_jumps > 0 || faults.far_clock_jumps > 0 {
            return;
        }
        let Some((figure, _)) = known.statement.figure() else { return };
        let length = i64::from(WINDOW_SECONDS) * 1_000;
        let [first, second, third, ..] = *Digest::of(unit.to_string().as_bytes()).as_bytes();
        let phase = i64::from(u32::from_be_bytes([0, first, second, third]));
        let window = (known.statement.issued_at.as_millis() - phase).div_euclid(length);
        let name = (unit.clone(), figure);
        let found = invariant_a_window_is_waited_for(&mut self.told, name, window, own);
        self.violated("a_window_is_waited_for", found);
    }

    /// The latest term of its own unit that a node's disk tells of: by the certificate of another node of
    /// its home. A statement may have been on its way to the disk when that came.
    fn later_term_known_at(&mut self, at: NodeKey, known: &Known) -> Option<u64> {
        let unit = &known.statement.issuer;
        if self.plan.handed.as_ref() != Some(unit) {
            return None;
        }
        let rows = self.disks[&at].rows.range(rows::MEMBER.to_vec()..);
        let members = rows.take_while(|(key, _)| key.starts_with(rows::MEMBER));
        let terms = members.filter_map(|(_, row)| {
            let row: MemberRow = from_slice("member", row, ROW_BYTES).ok()?;
            let chain = Chain::from_cbor(&row.chain).ok()?;
            let claims = chain.leaf().claims()?;
            claims.term.filter(|_| claims.unit == *unit)
        });
        let latest = terms.max();
        // What was told of before it was issued, not by the same commit.
        let before = self.terms_known.insert(at, latest.unwrap_or(0));
        before.filter(|term| *term > 0)
    }

    /// Whether a unit or one below it lies: what a liar says of persons may stand for nobody, and is
    /// added as it is.
    fn is_above_a_liar(&self, unit: &UnitPath) -> bool {
        self.plan.hostile.iter().any(|liar| liar.is_within(unit))
    }

    /// The frames that a node really sends: an honest one what its program says.
    pub(crate) fn as_sent(
        &mut self,
        from: NodeKey,
        channel: Channel,
        bytes: Vec<u8>,
    ) -> Vec<Vec<u8>> {
        let place = self.places[&from].clone();
        if !self.trouble || !self.lies(&place.unit) {
            return vec![bytes];
        }
        if channel == Channel::Ledger {
            let key = crate::registry::node_key(&place.unit, &place.label);
            return crate::witnesses::fork(bytes, &key, &mut self.random);
        }
        if channel != Channel::Report {
            return vec![bytes];
        }
        let chain = self.registry.node(&place.unit, &place.label, place.term);
        let key = crate::registry::node_key(&place.unit, &place.label);
        let at = self.wall_at(from);
        self.sent.push(crate::hostile::with_chain(&bytes, &chain));
        if self.sent.len() > KEPT_FRAMES {
            self.sent.remove(0);
        }
        let mut hostile = Hostile {
            key: &key,
            chain: &chain,
            verifier: &self.verifier,
            at,
            sent: &self.sent,
            random: &mut self.random,
        };
        hostile.twist(bytes)
    }

    /// A node answers a peer.
    pub(crate) fn observe_answer(&mut self, at: NodeKey, owed: &Owed, bytes: &[u8]) {
        self.observe_witness(at, owed, bytes);
        if owed.channel != Channel::Report || self.lies(&self.places[&at].unit) {
            return;
        }
        let Some(delivers) = &owed.delivers else { return };
        let digest = delivers.digest;
        let answer = decode::<ReportAnswer>(bytes);
        self.trace.explain(self.now, || format!("{} {} {answer:?}", self.places[&at].unit, digest));
        if answer != Ok(ReportAnswer::Accepted) {
            return;
        }
        let sender = self.places[&owed.to].unit.clone();
        let known = self.seen.known(&digest);
        let found = invariant_what_is_accepted_verifies(known.is_some(), delivers.sound, digest);
        self.violated("what_is_accepted_verifies", found);
        let Some(known) = known else { return };
        let found =
            invariant_nothing_is_accepted_from_out_of_area(&sender, &known.statement.issuer);
        self.violated("nothing_is_accepted_from_out_of_area", found);
        if !self.lies(&sender) {
            let found = invariant_nothing_forged_is_accepted(&self.told, digest);
            self.violated("nothing_forged_is_accepted", found);
        }
        let host = self.places[&at].unit.clone();
        let heard_late = self.revoked_at.contains_key(&owed.to) && sender.is_child_of(&host);
        let found = invariant_nothing_is_accepted_from_the_revoked(heard_late, &sender);
        self.violated("nothing_is_accepted_from_the_revoked", found);
        let ended = delivers.ends <= owed.arrived && delivers.ends <= self.wall_at(at);
        let found = invariant_nothing_is_accepted_from_the_expired(ended, &sender);
        self.violated("nothing_is_accepted_from_the_expired", found);
        if let Some((figure, edition)) = known.statement.figure() {
            if !self.lies(&sender) {
                // Its issuer's store may have been put back while it was on its way.
                self.seen.note_issued(&known);
            }
            let taken = (known.statement.term, edition, digest);
            let name = (at, sender, figure);
            let found = invariant_no_acceptance_goes_back(&mut self.seen, name, taken);
            self.violated("no_acceptance_goes_back", found);
        }
        let durable = self.disks[&at].rows.contains_key(&rows::statement(&digest));
        let found = invariant_commit_then_speak(durable, &format_args!("acceptance of {digest}"));
        self.violated("commit_then_speak", found);
    }

    /// A node has other rows than before: what it accepted and cosigned is no longer known.
    pub(crate) fn forget_accepted(&mut self, at: NodeKey) {
        self.seen.forget_accepted(at);
        self.cosigned.retain(|(witness, _), _| *witness != at);
    }

    /// Whether a node's superior was shown more of its ledger than its image holds.
    pub(crate) fn is_image_noticed(&self, key: NodeKey) -> bool {
        let unit = &self.places[&key].unit;
        let Some(above) = unit.parent() else { return false };
        let superior = &self.disks[&self.reporter(&above)];
        let head = rows::key(rows::HEAD, &[unit.leaf().as_str().as_bytes()]);
        let seen = superior.rows.get(&head);
        let seen = seen.and_then(|row| from_slice::<HeadRow>("head", row, ROW_BYTES).ok());
        let term = self.places[&key].term;
        let image = term.and_then(|term| self.disks[&key].ledger_of_image(term));
        // Of a term that the superior has not heard of yet, it cannot tell what is missing.
        seen.zip(image).is_some_and(|(seen, image)| Some(seen.term) == term && seen.size > image)
    }
}

/// Whom a register expects for a release's period, and who left before it.
fn named_by(register: &Register, release: &Release) -> (BTreeSet<UnitId>, BTreeSet<UnitId>) {
    // Only the present depends on the day, and no figure here is of the present.
    let today = release.period.last_day().unwrap_or_default();
    let units = |entries: Vec<&RegisterEntry>| entries.iter().map(|it| it.unit.clone()).collect();
    (units(register.expected(release.period, today)), units(register.left(release.period, today)))
}
