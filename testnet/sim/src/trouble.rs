//! What goes wrong: drawn each second and at each effect, by the rates of the plan; and its end.

use rand::Rng;
use reeve_policy::authz::Role;
use reeve_protocol::effect::{Input, NodeKey};
use reeve_protocol::from_backup::FromBackup;
use reeve_protocol::local::Question;
use reeve_statement::catalogue::Titles;
use reeve_statement::cert::{Chain, hand_on};
use reeve_statement::digest::Digest;
use reeve_statement::unit::UnitPath;

use crate::disk::Disk;
use crate::registry::NOON;
use crate::setup::REPORTING;
use crate::sim::{Event, PING_MS, Sim};

/// How long an old image stays in place, in milliseconds.
const OLD_IMAGE_MS: u64 = 20_000;

/// How long a disk stays full at the most, in milliseconds.
const FULL_MS: u64 = 15_000;

/// How far a clock may jump back so that its node signs nothing any more, in milliseconds: from the
/// bound that is tolerated to most of a day.
const FAR_BACK_MS: core::ops::Range<i64> = 5 * 60_000..20 * 3_600_000;

/// Chance that the planned restoration of a backup happens, of 1,000 seconds.
const RESTORING: u32 = 150;

/// Chance that the certificate that ended, or is about to, is renewed, of 1,000 seconds.
const RENEWING: u32 = 150;

/// Chance that the unit which runs on a backup is given a new term, of 1,000 seconds.
const REAPPOINTING: u32 = 150;

/// Chance that the planned unit's authority gets its other key, of 1,000 seconds.
const REKEYING: u32 = 150;

/// Most terms of a unit that is handed over to and fro.
const MOST_TERMS: u64 = 3;

/// Chance that the planned unit is handed over, of 1,000 seconds.
const HANDING_OVER: u32 = 150;

impl Sim {
    /// What a second of trouble brings.
    pub(crate) fn second(&mut self) {
        if !self.trouble {
            return;
        }
        self.push(self.now + 1_000, Event::Second);
        for _ in 0..self.plan.writes_per_second {
            self.write_something();
        }
        self.close_something();
        let disks: Vec<NodeKey> = self.disks.keys().copied().collect();
        let one = |sim: &mut Self| disks[sim.random.random_range(0..disks.len())];
        if self.plan.faults.old_images > 0 || self.plan.restored.is_some() {
            let imaged = one(self);
            self.disks.get_mut(&imaged).unwrap().take_image();
        }
        if self.chance(self.plan.faults.full_disks) {
            let until = self.now + self.random.random_range(1_000..FULL_MS);
            let full = one(self);
            self.disks.get_mut(&full).unwrap().full_until = until;
        }
        if self.chance(self.plan.faults.short_of_space) {
            let until = self.now + self.random.random_range(1_000..FULL_MS);
            let short = one(self);
            self.input(short, Input::Space { short: true });
            if let Some(life) = self.life(short) {
                let over = Box::new(Input::Space { short: false });
                self.push(until, Event::Input(short, life, over));
            }
        }
        if self.chance(self.plan.faults.partitions) {
            self.partition();
        }
        if self.chance(self.plan.faults.partitions) {
            self.network.heal();
        }
        if self.chance(self.plan.faults.clock_jumps) {
            let most = self.plan.faults.skew_ms.max(1);
            let skew = self.random.random_range(-most..=most);
            let place = one(self);
            self.places.get_mut(&place).unwrap().skew = skew;
        }
        if self.chance(self.plan.faults.far_clock_jumps) {
            let skew = -self.random.random_range(FAR_BACK_MS);
            let place = one(self);
            self.places.get_mut(&place).unwrap().skew = skew;
        }
        self.politics();
        self.restore_planned();
        self.reappoint_planned();
        self.hand_over_planned();
        self.rekey_planned();
        if self.plan.expiring.is_some() && self.chance(RENEWING) {
            self.renew_planned();
        }
    }

    fn politics(&mut self) {
        if self.chance(self.plan.faults.catalogues) {
            self.change_catalogue();
        }
        if self.chance(self.plan.faults.policies) {
            let keys: Vec<NodeKey> = self.sites.keys().copied().collect();
            if let Some(at) = keys.get(self.random.random_range(0..keys.len().max(1))) {
                self.change_policy(*at, true);
            }
        }
        self.adopt_something();
        self.declare_something();
        self.change_some_calendar();
        self.change_some_register();
        self.publish_something();
        self.audit_something();
    }

    /// One direction between two nodes is cut, or both.
    fn partition(&mut self) {
        let links = self.network.links();
        if links.is_empty() {
            return;
        }
        let (a, b) = links[self.random.random_range(0..links.len())];
        let (one, other) = if self.random.random_bool(0.5) { (a, b) } else { (b, a) };
        self.network.block(one, other);
        if self.random.random_bool(0.5) {
            self.network.block(other, one);
        }
        if let Some(link) = self.network.link(a, b) {
            self.push(self.now + PING_MS, Event::Silent(a, b, link));
        }
    }

    /// A node is gone at once; some of its commits under way may have reached the disk.
    pub(crate) fn crash(&mut self, key: NodeKey) {
        self.crashes += 1;
        let disk = &self.disks[&key];
        let pending = if disk.full_until > self.now { 0 } else { disk.pending() };
        let reached = self.random.random_range(0..=pending);
        self.stop(key, reached);
        let old = self.may_have_old_image(key) && self.chance(self.plan.faults.old_images);
        if old && self.disks.get_mut(&key).unwrap().put_image() {
            self.forget_accepted(key);
            self.push(self.now + OLD_IMAGE_MS, Event::PutBack(key));
        }
        let after = self.random.random_range(1..5_000);
        self.push(self.now + after, Event::Restart(key));
    }

    /// An old image is noticed by a superior that was shown more of the ledger than it holds; where
    /// there is none, or it lies, or runs on an old image itself, nobody can notice. Nodes that do not
    /// report keep no ledger.
    fn may_have_old_image(&self, key: NodeKey) -> bool {
        let place = &self.places[&key];
        // What a unit's nodes hold of each other's terms is older than what its superior saw.
        if self.plan.handed.as_ref() == Some(&place.unit) {
            return false;
        }
        if self.stopped.contains(&place.unit) || self.has_old_relative(&place.unit) {
            return false;
        }
        let Some(above) = place.unit.parent() else { return false };
        let honest = self.plan.is_honest(&above) && self.plan.is_honest(&place.unit);
        honest && (place.term.is_none() || self.is_image_noticed(key))
    }

    /// Whether the superior of a unit, one of its subordinates or another of its nodes runs on an old
    /// image: then there is nobody who remembers.
    fn has_old_relative(&self, unit: &UnitPath) -> bool {
        let related =
            |other: &UnitPath| other == unit || other.is_child_of(unit) || unit.is_child_of(other);
        let mut old = self.disks.iter().filter(|(_, disk)| disk.is_old());
        old.any(|(key, _)| related(&self.places[key].unit)) || self.stopped.iter().any(related)
    }

    /// The planned unit is restored from a backup, which stays: it is noticed, and reports no more.
    fn restore_planned(&mut self) {
        let Some(unit) = self.plan.restored.clone() else { return };
        let key = self.reporter(&unit);
        let possible = !self.stopped.contains(&unit)
            && !self.has_old_relative(&unit)
            && self.disks[&key].has_image()
            && self.is_image_noticed(key);
        if !possible || !self.chance(RESTORING) {
            return;
        }
        self.stop(key, 0);
        let disk = self.disks.get_mut(&key).unwrap();
        disk.put_image();
        disk.keep_image();
        if self.plan.faults.begins_anew > 0 {
            let term = self.places[&key].term.unwrap_or(0);
            let now = self.wall_at(key);
            let from = FromBackup { term, made_at: now, restored_at: now, followed: false };
            self.disks.get_mut(&key).unwrap().begin_anew(&from);
        }
        self.forget_accepted(key);
        let superior = self.reporter(&unit.parent().unwrap());
        let held = self.disks[&superior].heard_of(unit.leaf());
        self.seen.fall_back(&unit, &held);
        // What it cut by a later catalogue and told nobody is lost with the store.
        let version = |digest: &Digest| Some(self.seen.known(digest)?.release()?.catalogue_version);
        let followed = held.iter().filter_map(version).max().unwrap_or(0);
        self.followed.insert(unit.clone(), followed);
        self.model.forget(key);
        self.stopped.insert(unit);
        self.push(self.now + 1, Event::Restart(key));
    }

    /// The authority of the unit that runs on a backup gives its node a new term: it reports on from
    /// there, as sound as any.
    fn reappoint_planned(&mut self) {
        let Some(unit) = self.plan.restored.clone() else { return };
        if !self.stopped.contains(&unit) || !self.chance(REAPPOINTING) {
            return;
        }
        self.stopped.remove(&unit);
        let key = self.reporter(&unit);
        let place = self.places.get_mut(&key).unwrap();
        let term = place.term.map(|term| term + 1);
        place.term = term;
        self.trace.note(self.now, &[&key.0], || format!("{unit} begins term {term:?}"));
        // One that is down starts with the new certificate.
        let chain = self.registry.node(&unit, REPORTING, term).to_cbor();
        self.send_ask(key, Role::Operator, Question::Renew(chain));
    }

    /// The planned unit's authority appoints the second node of its home: at the first, which tells the
    /// second, or at the second, because the first is lost for good.
    fn hand_over_planned(&mut self) {
        let Some(unit) = self.plan.handed.clone() else { return };
        let first = self.reporter(&unit);
        let held = self.places[&first].term.unwrap_or(1);
        let once = self.plan.by_force && held > 1;
        let old = self.disks[&first].is_old() || self.has_old_relative(&unit);
        if once || old || held > MOST_TERMS || !self.is_up(first) || !self.chance(HANDING_OVER) {
            return;
        }
        let label = if self.places[&first].label == REPORTING { "2" } else { REPORTING };
        let second = self.key_of(&unit, label);
        if !self.places.contains_key(&second) {
            // A plan that was made smaller has no second node.
            return;
        }
        let term = Some(held + 1);
        self.reporting.insert(unit.clone(), label.to_owned());
        self.places.get_mut(&second).unwrap().term = term;
        let chain = self.registry.node(&unit, label, term).to_cbor();
        let host = if self.plan.by_force {
            self.stop(first, 0);
            self.lost.insert(first);
            self.model.forget(first);
            if let Some(above) = unit.parent() {
                // What nobody else has heard of is lost with it.
                let held = self.disks[&self.reporter(&above)].heard_of(unit.leaf());
                self.seen.fall_back(&unit, &held);
            } else {
                // So is a catalogue that only it was given: its authority publishes the next at the second.
                self.followed.remove(&unit);
            }
            second
        } else {
            first
        };
        self.trace
            .note(self.now, &[&second.0], || format!("{unit} reports by {label} in {term:?}"));
        // One that is down starts with the new certificate, and whoever is not told now hears of it from
        // there.
        self.send_ask(host, Role::Operator, Question::Renew(chain));
    }

    /// The planned unit's authority renews its node's certificate, in time or late.
    pub(crate) fn renew_planned(&mut self) {
        let Some(unit) = self.plan.expiring.clone().filter(|_| !self.renewed) else { return };
        let ends = self.registry.ends_at().unwrap_or(NOON) - NOON;
        if i64::try_from(self.now).unwrap() < ends - 5_000 && self.trouble {
            return;
        }
        self.renewed = true;
        let key = self.reporter(&unit);
        self.registry.renew(&unit, REPORTING, self.places[&key].term);
        self.tell_of_renewal();
    }

    /// The renewed chain is given to its node, and to those who admitted it.
    pub(crate) fn tell_of_renewal(&mut self) {
        let Some(unit) = self.plan.expiring.clone().filter(|_| self.renewed) else { return };
        let key = self.reporter(&unit);
        let chain = self.registry.node(&unit, REPORTING, self.places[&key].term).to_cbor();
        self.send_ask(key, Role::Operator, Question::Renew(chain.clone()));
        let hosts: Vec<NodeKey> = self
            .places
            .iter()
            .filter(|(host, other)| {
                **host != key && (unit.is_child_of(&other.unit) || unit == other.unit)
            })
            .map(|(host, _)| *host)
            .collect();
        for host in hosts {
            let chain = chain.clone();
            let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
            self.send_ask(host, Role::Operator, admit);
        }
    }

    /// Trouble stops: every direction is open, every node is up on its newest disk, clocks are right,
    /// certificates are renewed.
    pub(crate) fn calm_down(&mut self) {
        self.network.heal();
        let keys: Vec<NodeKey> = self.places.keys().copied().collect();
        self.renew_planned();
        for key in keys {
            self.places.get_mut(&key).unwrap().skew = 0;
            self.disks.get_mut(&key).unwrap().full_until = 0;
            self.input(key, Input::Space { short: false });
            if self.disks.get(&key).is_some_and(Disk::is_old) {
                self.happen(Event::PutBack(key));
            }
            self.start(key);
            if self.plan.faults.policies > 0 {
                self.change_policy(key, false);
            }
        }
        self.tell_of_renewal();
        self.tell_of_hand_over();
        self.tell_of_rekeying();
    }

    /// The planned unit's authority gets another key, which the old one signs.
    fn rekey_planned(&mut self) {
        let Some(unit) = self.plan.rekeyed.clone() else { return };
        if self.rekeyed || !self.chance(REKEYING) {
            return;
        }
        self.rekeyed = true;
        let leaf = unit.leaf().clone();
        self.registry.rekey(&unit, |old, new| Some(hand_on(&leaf, old, new)));
        self.trace.note(self.now, &[b"another authority key"], || {
            format!("{unit} has another authority key")
        });
        self.tell_of_rekeying();
    }

    /// What the authority certified again is in its node's folder, and passed on at every start.
    fn tell_of_rekeying(&mut self) {
        let Some(unit) = self.plan.rekeyed.clone().filter(|_| self.rekeyed) else { return };
        let reporter = self.reporter(&unit);
        let home = self.places.iter().filter(|(_, place)| place.unit == unit);
        let home: Vec<_> =
            home.map(|(key, place)| (*key, place.label.clone(), place.term)).collect();
        for (key, label, term) in home {
            let node = self.registry.node(&unit, &label, term).to_cbor();
            let writer = self.registry.writer(&unit, &label, Vec::new()).to_cbor();
            for chain in [node, writer] {
                self.send_ask(key, Role::Operator, Question::Renew(chain.clone()));
                if key != reporter {
                    self.send_ask(reporter, Role::Operator, Question::Renew(chain));
                }
            }
        }
        for below in self.plan.units.clone().iter().filter(|below| below.is_child_of(&unit)) {
            let (authority, above) = self.registry.authority(below);
            let chain = Chain::new(authority, above).unwrap().to_cbor();
            self.send_ask(reporter, Role::Operator, Question::Renew(chain));
        }
    }

    /// What the authority issued is in its folder, and passed on at every start.
    fn tell_of_hand_over(&mut self) {
        let Some(unit) = self.plan.handed.clone() else { return };
        let Some(label) = self.reporting.get(&unit).cloned() else { return };
        let term = self.places[&self.reporter(&unit)].term;
        let chain = self.registry.node(&unit, &label, term).to_cbor();
        let home = self.places.iter().filter(|(_, place)| place.unit == unit);
        for key in home.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.send_ask(key, Role::Operator, Question::Renew(chain.clone()));
        }
    }
}
