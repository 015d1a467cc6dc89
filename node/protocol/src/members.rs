//! Who belongs to this node: admitting peers, the catalogue in force.

use reeve_crdt::indicator::{Engine, EngineError};
use reeve_statement::catalogue::{Catalogue, Titles};
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::Chain;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::limits::STATEMENT_BYTES;
use reeve_statement::statement::Body;
use reeve_statement::unit::UnitId;

use crate::asks::AskedLoad;
use crate::effect::{Load, NodeKey};
use crate::home::Task;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::Subscription;
use crate::rows::{self, MemberRow};
use crate::trust::{Standing, standing};

impl Node {
    /// Admits a node by its chain: of a subordinate (which then is in the register) or of this home.
    pub(crate) fn admit(
        &mut self,
        chain: &[u8],
        names: Titles,
        time_zone: Option<String>,
    ) -> Result<(), Refusal> {
        let parsed = Chain::from_cbor(chain).map_err(|_| Refusal::Malformed)?;
        let now = self.context.now().wall;
        let verified = self.trust.verify_any(&parsed, now)?;
        let key = NodeKey(verified.key().to_bytes());
        let verified = self.trust.verify(&parsed, key, now)?;
        let unit = verified.unit().clone();
        self.follow_authorities(&parsed)?;
        match standing(&self.settings.unit, &unit) {
            Some(Standing::Subordinate) => self.enter(unit.leaf().clone(), names, time_zone)?,
            Some(Standing::Home | Standing::Superior) => {}
            None => return Err(Refusal::OutOfArea),
        }
        let row = MemberRow { key, chain: chain.to_vec(), admitted_at: now };
        self.context.persist(rows::key(rows::MEMBER, &[&key.0]), Some(to_vec(&row)));
        self.trust.admit(row, now);
        self.publish_allow_list();
        if unit == self.settings.unit && key != self.key {
            self.note_home_node(key, &parsed);
            self.hear_of_home_terms();
        }
        Ok(())
    }

    /// Whether every admitted node of a subordinate was revoked.
    pub(crate) fn is_revoked(&self, unit: &UnitId) -> bool {
        self.reports.revoked.contains(unit)
    }

    /// Takes the catalogue that this node's own store holds.
    pub(crate) fn restore_catalogue(&mut self, bytes: &[u8]) {
        let Ok(signed) = Signed::decode(bytes) else { return };
        let digest = signed.digest();
        let now = self.context.now().wall;
        let Ok(verified) = signed.verify(self.trust.verifier(), now) else {
            return self.context.counters.count("catalogue", "no_longer_verifies");
        };
        if let Body::Catalogue(catalogue) = &verified.statement().body {
            self.note_proposer(verified.statement().issuer.clone());
            self.install_catalogue(digest, catalogue.clone(), bytes.to_vec());
        }
    }

    /// Puts a catalogue in force.
    pub(crate) fn install_catalogue(
        &mut self,
        digest: Digest,
        catalogue: Catalogue,
        bytes: Vec<u8>,
    ) {
        debug_assert!(bytes.len() <= STATEMENT_BYTES, "a catalogue is a statement");
        self.reports.definitions =
            catalogue.indicators.iter().map(|i| (i.id.clone(), i.definition())).collect();
        self.reports.catalogue = Some((digest, catalogue));
        self.catalogue_bytes = Some(bytes);
        self.home.engine = self.new_engine();
        self.tell_engine();
    }

    /// An empty engine for the catalogue in force; indicators that this schema has no kind for are
    /// left out.
    fn new_engine(&self) -> Option<Engine> {
        let schema = self.home.schema.clone()?;
        let (_, catalogue) = self.reports.catalogue.as_ref()?;
        let mut fitting = catalogue.clone();
        loop {
            match Engine::new(&schema, &fitting, &self.settings.time_zone) {
                Ok(engine) => return Some(engine.with_sources(self.settings.sources.clone())),
                Err(EngineError::Definition { indicator, .. }) => {
                    fitting.indicators.retain(|other| other.id != indicator);
                }
                Err(EngineError::TimeZone { .. }) => return None,
            }
        }
    }

    pub(crate) fn restore_page(&mut self, key: &[u8], value: &[u8]) {
        self.home.pages.insert(key.to_vec());
        let Some(engine) = &mut self.home.engine else { return };
        if engine.load_page(key, value).is_err() {
            self.stale_pages = true;
        }
    }

    /// After a restart: pages of another catalogue or schema do not fit, so the state is built anew.
    pub(crate) fn check_engine(&mut self) {
        let whole = self.home.engine.as_mut().is_none_or(|engine| engine.finish_loading().is_ok());
        if self.stale_pages || !whole {
            self.stale_pages = false;
            self.rebuild_engine();
        }
    }

    /// Builds the state of the indicators from the records, behind whatever is queued already. That it is
    /// not built yet is durable together with what made it necessary: a node that stops on the way begins
    /// again.
    pub(crate) fn rebuild_engine(&mut self) {
        let (Some(engine), Some(schema)) = (self.new_engine(), self.home.schema.clone()) else {
            return;
        };
        if self.home.log.end == 0 {
            self.home.engine = Some(engine);
            return self.tell_engine();
        }
        let shards = self.home.all_shards(&schema);
        self.home.rebuilding = self.home.rebuilding.saturating_add(1);
        self.context.persist(rows::key(rows::META, &[rows::REBUILDING]), Some(Vec::new()));
        self.enqueue(Task::Rebuild { engine: Box::new(engine), shards, next: 0 });
    }

    /// The superior's request of before the restart.
    pub(crate) fn reload_request(&mut self, digest: Digest) {
        let load = self.context.load(Load::Get(vec![rows::statement(&digest)]));
        self.asked_loads.insert(load, AskedLoad::Request(digest));
    }

    pub(crate) fn restore_request(&mut self, digest: Digest, bytes: &[u8]) {
        let now = self.context.now().wall;
        let verified =
            Signed::decode(bytes).ok().and_then(|s| s.verify(self.trust.verifier(), now).ok());
        let Some(verified) = verified else { return };
        let statement = verified.statement();
        // A unit that moved is asked anew, by another superior.
        let above = self.settings.unit.parent();
        if let Body::Request(request) = &statement.body
            && above.as_ref() == Some(&statement.issuer)
        {
            self.reports.subscription = Some(Subscription {
                digest,
                request: request.clone(),
                from: statement.issuer.clone(),
                term: statement.term,
                issued_at: statement.issued_at,
            });
            self.mark_unfinished_due();
        }
    }
}
