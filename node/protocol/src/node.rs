//! The node: its state, and what it does with each input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_crdt::twin::{Author, HomeId, ShardId};
use reeve_policy::authz::Decider;
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::Chain;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use crate::around::{AROUND, Around};
use crate::asks::AskedLoad;
use crate::authorities::{KNOWN, KnownAuthority};
use crate::bugs::Bug;
use crate::consent::Acts;
use crate::context::Context;
use crate::declared::Declarations;
use crate::effect::{
    Channel, Effect, InboundId, Input, JobId, LoadId, Loaded, NodeKey, Now, RequestId, SendFailure,
};
use crate::from_backup::FromBackup;
use crate::home::Home;
use crate::home::before::BEFORE;
use crate::home::log::LIFE;
use crate::home::office::OFFICE_TOLD;
use crate::home::sealers::SEALER;
use crate::home::seals::UNERASED;
use crate::job::JobResult;
use crate::ledger::{Ledger, frontier_of};
use crate::letters::{HEARD_MARK, Letters, MARK};
use crate::peers::Peers;
use crate::policies::{DECIDES, Decides};
use crate::refusal::Refusal;
use crate::report::term::ledger_of;
use crate::report::{Newcomer, Reports, SWEEP_MS};
use crate::rows::{
    self, AdoptionRow, EquivocationRow, FigureRow, ForkRow, HeadRow, HeardRow, ImportRow,
    IssuedRow, MemberRow, RequestRow, WitnessedRow,
};
use crate::settings::Settings;
use crate::share::Shares;
use crate::trust::Trust;
use crate::wire::{ReportAnswer, SignedList, decode};
use crate::witness::Witnessing;

/// How far the wall clock may lie behind the last signed time before nothing is signed any more, in
/// milliseconds: five minutes, as much as peers tolerate forwards.
pub(crate) const CLOCK_BACK_MS: i64 = 5 * 60 * 1_000;

/// Largest row that is restored, in bytes.
const ROW_BYTES: usize = 4 * 1024 * 1024;

/// A jurisdiction's node.
pub struct Node {
    pub(crate) settings: Settings,
    pub(crate) key: NodeKey,
    pub(crate) federation: FederationId,
    pub(crate) own_not_after: Timestamp,
    pub(crate) policy: Decider,
    /// What decided last, as far as the store says.
    pub(crate) decided: Option<Decides>,
    pub(crate) context: Context,
    pub(crate) trust: Trust,
    pub(crate) peers: Peers,
    pub(crate) around: Around,
    /// Which key each authority around has, by unit.
    pub(crate) authorities: BTreeMap<UnitId, KnownAuthority>,
    pub(crate) shares: Shares,
    pub(crate) reports: Reports,
    pub(crate) letters: Letters,
    pub(crate) home: Home,
    pub(crate) ledger: Ledger,
    pub(crate) allowed: Option<BTreeSet<NodeKey>>,
    /// The signed catalogue in force, to be passed on.
    pub(crate) catalogue_bytes: Option<Vec<u8>>,
    /// Ledger entries of the certificates that this unit's authority issued.
    pub(crate) issued: BTreeSet<Digest>,
    /// Renewed chains of subordinates' authorities, by unit: told to them until they show them.
    pub(crate) renewed_below: BTreeMap<UnitId, Chain>,
    /// Statements just signed, to be sent without reading them back.
    pub(crate) fresh: BTreeMap<Digest, Vec<u8>>,
    pub(crate) chunk_loads: BTreeMap<LoadId, InboundId>,
    /// Statements being read for subordinates that asked.
    pub(crate) look_loads: BTreeMap<LoadId, InboundId>,
    pub(crate) asked_loads: BTreeMap<LoadId, AskedLoad>,
    pub(crate) damaged_shards: BTreeSet<ShardId>,
    pub(crate) interrupted: BTreeMap<u64, ImportRow>,
    /// Size of this node's ledger as the superior holds it, if that is more than this node does: its
    /// store was put back.
    pub(crate) ahead: Option<u64>,
    /// That this store was restored from a backup, if it was.
    pub(crate) from_backup: Option<FromBackup>,
    /// Until when the other nodes of this home are waited for, monotonic.
    pub(crate) follow_until: Option<u64>,
    /// A later term of this unit than this node's own, if one was heard of.
    pub(crate) superseded: Option<u64>,
    /// Ledgers of this unit's other terms in this store, with their sizes.
    pub(crate) past_ledgers: BTreeMap<u64, u64>,
    /// Whether the store is short of space.
    pub(crate) short: bool,
    pub(crate) stale_pages: bool,
    /// Who refused this node's hello last, until a hello of its own is welcome there.
    pub(crate) last_hello_refusal: Option<(NodeKey, Refusal)>,
    /// Which ledgers were cosigned, and which are forked.
    pub(crate) witnessing: Witnessing,
    /// What this home consented to.
    pub(crate) acts: Acts,
    /// Which emergencies are declared.
    pub(crate) declarations: Declarations,
    restored_catalogue: Option<Vec<u8>>,
    restored_request: Option<Digest>,
    next_sweep: u64,
    /// Whether the store says which format its rows have.
    format_kept: bool,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Node").field("unit", &self.settings.unit).finish_non_exhaustive()
    }
}

/// Why a node cannot start. The configuration or the store is at fault.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node's own certificate chain does not verify.
    #[error("this node's own certificate chain is refused: {0}")]
    OwnChain(Refusal),
    /// The node's certificate is for another key or unit.
    #[error("this node's certificate is for {found}, the configuration says {expected}")]
    OtherUnit {
        /// Unit in the configuration.
        expected: String,
        /// Unit in the certificate.
        found: String,
    },
    /// The unit's name is no valid origin for a ledger.
    #[error("the unit's name cannot be written as a DNS name: {0}")]
    Name(String),
    /// A row of the store does not decode.
    #[error("the store's row {key:?} is damaged: {reason}; run `reeve verify`")]
    Row {
        /// Start of its key.
        key: String,
        /// The decoder's reason.
        reason: String,
    },
    /// A newer program wrote the rows.
    #[error(
        "the store's rows have format {found}, this program reads up to format {supported}: nothing was \
         changed; run the newer program, or restore a backup of the time before it ran"
    )]
    NewerRows {
        /// Of the rows.
        found: u32,
        /// Newest that is read.
        supported: u32,
    },
    /// The time zone is not known.
    #[error("indicators cannot be computed: {0}")]
    Indicators(String),
}

impl Node {
    /// A node that knows its settings and nothing else yet.
    ///
    /// # Errors
    /// [`StartError`] if its own certificate is not for its key and unit.
    pub fn new(settings: Settings, now: Now) -> Result<Self, StartError> {
        let trust = Trust::new(settings.roots.clone());
        let key = NodeKey(settings.key.public().to_bytes());
        let own = trust.verify(&settings.chain, key, now.wall).map_err(StartError::OwnChain)?;
        if *own.unit() != settings.unit {
            return Err(StartError::OtherUnit {
                expected: settings.unit.to_string(),
                found: own.unit().to_string(),
            });
        }
        let ledger = ledger_of(&settings)?;
        let federation = settings.roots.federation();
        let mut context = Context::new(settings.bugs);
        context.set_now(now);
        Ok(Self {
            key,
            federation,
            own_not_after: own.not_after(),
            policy: settings.policy.clone().into(),
            decided: None,
            context,
            trust,
            peers: Peers::default(),
            around: Around::default(),
            authorities: BTreeMap::new(),
            shares: Shares::default(),
            reports: Reports::default(),
            letters: Letters::default(),
            home: Home::new(HomeId::of(&federation, settings.unit.leaf()), settings.schema.clone()),
            ledger,
            allowed: None,
            catalogue_bytes: None,
            issued: BTreeSet::new(),
            renewed_below: BTreeMap::new(),
            fresh: BTreeMap::new(),
            chunk_loads: BTreeMap::new(),
            look_loads: BTreeMap::new(),
            asked_loads: BTreeMap::new(),
            damaged_shards: BTreeSet::new(),
            interrupted: BTreeMap::new(),
            ahead: None,
            from_backup: None,
            follow_until: None,
            format_kept: false,
            superseded: None,
            past_ledgers: BTreeMap::new(),
            stale_pages: false,
            last_hello_refusal: None,
            witnessing: Witnessing::default(),
            acts: Acts::default(),
            declarations: Declarations::default(),
            restored_catalogue: None,
            restored_request: None,
            next_sweep: 0,
            short: false,
            settings,
        })
    }

    /// Takes one row of the store; see [`rows::RESTORED`] for which, and in which order.
    ///
    /// # Errors
    /// [`StartError::Row`] if it does not decode.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<(), StartError> {
        let damaged = |reason: String| StartError::Row {
            key: String::from_utf8_lossy(key).chars().take(80).collect(),
            reason,
        };
        macro_rules! row {
            ($type:ty) => {
                from_slice::<$type>("row", value, ROW_BYTES).map_err(|e| damaged(e.to_string()))?
            };
        }
        if key == rows::format_key() {
            self.format_kept = true;
            Self::check_format(Some(value))?;
        } else if let Some(rest) = key.strip_prefix(rows::META) {
            self.restore_meta(rest, value).ok_or_else(|| damaged("unexpected form".to_owned()))?;
        } else if key.starts_with(rows::CRL) {
            let list = row!(SignedList);
            // A list whose issuer's own certificate has ended no longer matters.
            let _ = self.trust.take_list(&list, self.context.now().wall);
        } else if key.starts_with(rows::MEMBER) {
            let now = self.context.now().wall;
            self.trust.admit(row!(MemberRow), now);
        } else if key.starts_with(rows::FORK) {
            self.restore_fork(row!(ForkRow)).ok_or_else(|| damaged("no proof".to_owned()))?;
        } else if key.starts_with(rows::ISSUED) {
            self.issued.insert(row!(IssuedRow).entry);
        } else if key.starts_with(rows::ADOPTED) {
            self.restore_entered(&row!(AdoptionRow));
        } else if key.starts_with(rows::SEAL) {
            self.restore_seal(value).ok_or_else(|| damaged("no seal".to_owned()))?;
        } else if key.starts_with(rows::SEALED) {
            self.restore_sealed(key, value).ok_or_else(|| damaged("no table".to_owned()))?;
        } else if key.starts_with(rows::LEFT) {
            self.restore_left(value).ok_or_else(|| damaged("unexpected form".to_owned()))?;
        } else if key.starts_with(rows::LATE) {
            self.restore_late(value).ok_or_else(|| damaged("unexpected form".to_owned()))?;
        } else if key.starts_with(rows::IMPORT) {
            self.restore_import(key, row!(ImportRow))
                .ok_or_else(|| damaged("unexpected form".to_owned()))?;
        } else if let Some(peer) = key.strip_prefix(rows::CURSOR) {
            let (Ok(peer), Some(pair)) = (<[u8; 32]>::try_from(peer), pair_of(value)) else {
                return Err(damaged("unexpected form".to_owned()));
            };
            self.home.cursors.insert(NodeKey(peer), pair);
        } else if key.starts_with(rows::HEAD) {
            let head = row!(HeadRow);
            self.reports.heads.insert(head.unit.clone(), head);
        } else if key.starts_with(rows::WITNESSED) {
            self.witnessing.restore_witnessed(row!(WitnessedRow));
        } else if key.starts_with(rows::EQUIVOCATION) {
            self.witnessing.restore_equivocation(row!(EquivocationRow));
        } else if key.starts_with(rows::DISCLOSURE) {
            self.restore_disclosure(value).map_err(damaged)?;
        } else if key.starts_with(rows::FIGURE) {
            let figure = row!(FigureRow);
            self.remember_signing(figure.term, figure.issued_at);
            self.reports.figures.insert(figure.id.clone(), figure);
        } else if key.starts_with(rows::REQUEST) {
            let request = row!(RequestRow);
            self.reports.requests.insert(request.unit.clone(), request);
        } else if key.starts_with(rows::HEARD) {
            self.hear(row!(HeardRow), value.len());
        } else if let Some(page) = key.strip_prefix(rows::PAGE) {
            self.restore_page(page, value);
        }
        Ok(())
    }

    /// Holds the format of a store's rows against what this program reads, before anything else of it is
    /// looked at; `value` is what it has at [`rows::format_key`].
    ///
    /// # Errors
    /// [`StartError::NewerRows`], and [`StartError::Row`] where it cannot be read.
    pub fn check_format(value: Option<&[u8]>) -> Result<(), StartError> {
        let Some(value) = value else { return Ok(()) };
        let found = value.try_into().map(u32::from_be_bytes).map_err(|_| StartError::Row {
            key: String::from_utf8_lossy(&rows::format_key()).into_owned(),
            reason: "unexpected form".to_owned(),
        })?;
        if found > rows::FORMAT {
            return Err(StartError::NewerRows { found, supported: rows::FORMAT });
        }
        Ok(())
    }

    fn restore_meta(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            _ if key.starts_with(rows::EDGE) => {
                let term = key.strip_prefix(rows::EDGE).and_then(|term| term.try_into().ok())?;
                let (term, frontier) = (u64::from_be_bytes(term), frontier_of(value)?);
                if term != self.ledger.term() {
                    self.restore_past_ledger(term, frontier.size());
                } else if !self.settings.bugs.has(Bug::ForgetLedger) {
                    self.ledger.restore(frontier);
                }
            }
            MARK => self.restore_mark(value)?,
            _ if key.starts_with(HEARD_MARK) => {
                self.restore_heard_mark(key.strip_prefix(HEARD_MARK)?, value)?;
            }
            rows::NEWEST_COSIGNED => {
                let row = from_slice("cosigned checkpoint", value, ROW_BYTES).ok()?;
                self.witnessing.restore_cosigned(row);
            }
            _ if key.starts_with(rows::AUDITED) => {
                let row = from_slice("cosigned checkpoint", value, ROW_BYTES).ok()?;
                self.witnessing.restore_audited(row);
            }
            rows::FROM_BACKUP => self.restore_from_backup(value)?,
            _ if key.starts_with(KNOWN) => self.restore_authority(value)?,
            _ if key.starts_with(AROUND) => self.restore_around(value)?,
            OFFICE_TOLD => self.restore_office_told(value)?,
            b"log" => (self.home.incarnation, self.home.log.end) = pair_of(value)?,
            _ if key.starts_with(LIFE) => {
                self.home.log.restore_life(key.strip_prefix(LIFE)?, value)?;
            }
            b"signed" => {
                let (term, millis) = pair_of(value)?;
                let at = Timestamp::from_millis(millis.cast_signed());
                self.remember_signing(term, at);
            }
            b"catalogue_bytes" => {
                self.restored_catalogue = Some(value.to_vec());
                self.restore_catalogue(value);
            }
            b"request" => self.restored_request = Some(Digest::from_bytes(value.try_into().ok()?)),
            rows::REGISTER => self.restore_register(value)?,
            rows::REGISTER_SIGNER => self.restore_register_signer(value)?,
            _ if key.starts_with(rows::IN_FORCE) => {
                self.restore_in_force(key.strip_prefix(rows::IN_FORCE)?, value)?;
            }
            _ if key.starts_with(rows::ADOPTION) => self.restore_act(value)?,
            _ if key.starts_with(rows::DECLARATION) => self.restore_declaration(value),
            b"struck" => self.restore_striking(value),
            _ if key == rows::REBUILDING => self.stale_pages = true,
            UNERASED => self.restore_unerased(),
            BEFORE => self.restore_before(value)?,
            DECIDES => self.restore_decides(value)?,
            _ if key.starts_with(SEALER) => self.restore_sealer(value)?,
            _ if key.starts_with(b"authority/") => {
                let chain = Chain::from_cbor(value).ok()?;
                let unit = chain.leaf().claims()?.unit.leaf().clone();
                self.renewed_below.insert(unit, chain);
            }
            _ if key.starts_with(rows::NEWCOMER) => {
                let newcomer: Newcomer = from_slice("newcomer", value, ROW_BYTES).ok()?;
                self.reports.newcomers.insert(newcomer.unit.clone(), newcomer);
            }
            _ if key.starts_with(b"writer/") => {
                let chain = Chain::from_cbor(value).ok()?;
                // A writer whose certificate was revoked or has ended is not admitted again.
                let _ = self.restore_writer(&chain);
            }
            _ => {}
        }
        Some(())
    }

    fn restore_import(&mut self, key: &[u8], row: ImportRow) -> Option<()> {
        let number = key.strip_prefix(rows::IMPORT).and_then(|n| n.try_into().ok())?;
        let number = u64::from_be_bytes(number);
        self.home.next_import = self.home.next_import.max(number.saturating_add(1));
        if row.ended_at.is_none() {
            self.interrupted.insert(number, row);
        }
        Some(())
    }

    /// Takes an input at a time. Call [`Node::drain`] afterwards.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.context.set_now(now);
        match input {
            Input::Started => self.on_started(),
            Input::Wake => {}
            Input::Space { short } => self.short = short,
            Input::Connected { peer, dialled } => self.on_connected(peer, dialled),
            Input::Disconnected { peer } => self.on_disconnected(peer),
            Input::Frame { inbound, peer, channel, bytes } => {
                self.on_frame(inbound, peer, channel, &bytes);
            }
            Input::Response { request, result } => self.on_response(request, result),
            Input::Ask { ask, what } => self.on_ask(ask, *what),
            Input::Persisted(ticket) => self.context.persisted(ticket),
            Input::Loaded(load, loaded) => self.on_loaded(load, loaded),
            Input::Computed(job, result) => self.on_computed(job, *result),
            Input::Rewritten => self.on_rewritten(),
        }
        self.on_time();
        self.note_office();
        self.context.seal();
    }

    /// What the driver is to do now, in order.
    pub fn drain(&mut self) -> Vec<Effect> {
        self.context.drain()
    }

    fn on_started(&mut self) {
        let entropy = Digest::of_parts(&[b"reeve-incarnation/1\0", &self.settings.entropy]);
        if self.home.incarnation == 0 {
            let (first, _) = entropy.as_bytes().split_at(8);
            self.home.incarnation = u64::from_be_bytes(first.try_into().unwrap_or([1; 8])) | 1;
            self.log_changes(Vec::new());
        }
        if !self.format_kept {
            let format = rows::FORMAT.to_be_bytes().to_vec();
            self.context.persist(rows::format_key(), Some(format));
        }
        self.follow_own_authorities();
        self.hear_of_home_terms();
        self.resume_by_letter();
        self.note_policy();
        self.enter_found();
        self.begin_writing();
        self.begin_sealed();
        self.resume_striking();
        if self.restored_catalogue.take().is_some() {
            self.check_engine();
        }
        if let Some(digest) = self.restored_request.take() {
            self.reload_request(digest);
        }
        self.publish_allow_list();
        for peer in self.settings.dial.clone() {
            let crate::settings::DialledPeer { key, addresses } = peer;
            self.context.act(Effect::Dial { peer: key, addresses });
        }
        self.mark_unfinished_due();
    }

    /// Enters this node's own writer, as far as its certificate goes.
    pub(crate) fn begin_writing(&mut self) {
        if self.home.schema.is_none() {
            return;
        }
        self.fill_directory();
        let writer = self.settings.writer.chain.clone();
        let verified = self.trust.verify_any(&writer, self.context.now().wall);
        if verified.is_ok() {
            let key = self.settings.writer.key.clone();
            let node = self.settings.key.public().key_id();
            self.home.author = Some(Arc::new(Author::new(key, node, self.home.incarnation)));
        } else {
            self.context.counters.count("writer", "certificate_refused");
        }
    }

    pub(crate) fn on_frame(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        channel: Channel,
        bytes: &[u8],
    ) {
        if channel != Channel::Hello && self.keep_early(inbound, peer, channel, bytes) {
            return;
        }
        match channel {
            Channel::Hello => self.on_hello(inbound, peer, bytes),
            Channel::Report => self.on_report(inbound, peer, bytes),
            Channel::Home => self.on_home(inbound, peer, bytes),
            Channel::Ledger => self.on_ledger(inbound, peer, bytes),
        }
    }

    fn on_response(&mut self, request: RequestId, result: Result<Vec<u8>, SendFailure>) {
        if self.on_office_told(request, &result) {
            return;
        }
        if self.on_witnessed(request, &result) {
            return;
        }
        if self.peers.greeting.contains_key(&request) {
            self.on_hello_answer(request, result);
        } else if self.reports.deliveries.contains_key(&request) {
            self.on_delivered(request, result);
        } else if self.reports.fetching.contains_key(&request) {
            self.on_fetched(request, result);
        } else if self.home.pulling.contains_key(&request) {
            self.on_pulled(request, result);
        } else if let Some(peer) = self.reports.asked.remove(&request) {
            let answer = result.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
            self.on_asked(peer, answer);
        } else if let Some(look) = self.reports.looks.remove(&request) {
            self.on_looked(look, result);
        } else if let Some(shown) = self.reports.showing.remove(&request) {
            self.on_shown(shown, result);
        } else if let Some(peer) = self.peers.telling.remove(&request) {
            self.on_told(peer, result);
        }
    }

    fn on_loaded(&mut self, load: LoadId, loaded: Loaded) {
        let rest = Some(loaded)
            .and_then(|loaded| self.on_shard_loaded(load, loaded))
            .and_then(|loaded| self.on_statement_reloaded(load, loaded))
            .and_then(|loaded| self.on_log_loaded(load, loaded))
            .and_then(|loaded| self.on_epoch_loaded(load, loaded))
            .and_then(|loaded| self.on_served(load, loaded))
            .and_then(|loaded| self.on_chunk_loaded(load, loaded))
            .and_then(|loaded| self.on_look_loaded(load, loaded))
            .and_then(|loaded| self.on_letter_loaded(load, loaded))
            .and_then(|loaded| self.on_office_loaded(load, loaded))
            .and_then(|loaded| self.on_tree_loaded(load, loaded))
            .and_then(|loaded| self.on_asked_loaded(load, loaded));
        if rest.is_some() {
            self.context.counters.count("driver", "unknown_load");
        }
    }

    fn on_computed(&mut self, job: JobId, result: JobResult) {
        match result {
            JobResult::Verified(result) => {
                if let Some(verifying) = self.reports.verifying.remove(&job) {
                    self.on_verified(verifying, result);
                }
            }
            JobResult::Folded(folded) => self.on_folded(job, *folded),
            JobResult::Merged(merged) => self.on_merged(job, *merged),
            JobResult::Recut(recut) => self.on_recut(job, *recut),
        }
    }

    /// Everything that is due: figures to cut, deadlines, certificates.
    fn on_time(&mut self) {
        self.context.woken();
        let now = self.context.now().monotonic;
        if now >= self.next_sweep {
            self.next_sweep = now.saturating_add(SWEEP_MS);
            self.review_shares();
            self.review_peers();
            self.publish_allow_list();
            self.review_deadlines();
            self.review_refused();
            self.review_pulls();
            self.review_following();
            self.review_imports();
            self.review_day();
            self.review_retention();
            self.review_declarations();
            self.review_witness();
            self.reports.due.forget_quiet(now);
        }
        self.end_parting();
        self.cut_due();
        self.deliver();
        self.context.wake_at(self.next_sweep);
    }

    /// How far the wall clock is behind the last signed time, in milliseconds, if that is too far to be
    /// believed: then nothing is signed.
    #[must_use]
    pub fn clock_behind(&self) -> Option<i64> {
        let behind = self.reports.last_signed.since(self.context.now().wall);
        (behind > CLOCK_BACK_MS).then_some(behind)
    }

    pub(crate) fn is_clock_behind(&self) -> bool {
        self.clock_behind().is_some()
    }

    /// Something was signed in a term, then. Times only go forward within one: a new term is the way out
    /// for a node whose clock was far ahead.
    fn remember_signing(&mut self, term: u64, at: Timestamp) {
        if term == self.ledger.term() {
            self.reports.last_signed = self.reports.last_signed.max(at);
        }
    }

    /// The time to sign with: never below the last signed one of this term, and none if the clock went
    /// back too far to be believed.
    pub(crate) fn signing_time(&mut self) -> Option<Timestamp> {
        let now = self.context.now().wall;
        let last = self.reports.last_signed;
        if self.is_clock_behind() {
            self.context.counters.count("signing", "clock_went_back");
            return None;
        }
        let at = now.max(last);
        self.reports.last_signed = at;
        let mut row = self.ledger.term().to_be_bytes().to_vec();
        row.extend_from_slice(&at.as_millis().to_be_bytes());
        self.context.persist(rows::key(rows::META, &[b"signed"]), Some(row));
        Some(at)
    }

    pub(crate) fn catalogue_version(&self) -> u64 {
        self.reports.catalogue.as_ref().map_or(0, |(_, catalogue)| catalogue.version)
    }

    /// This node's key on the network.
    #[must_use]
    pub const fn key(&self) -> NodeKey {
        self.key
    }
}

fn pair_of(value: &[u8]) -> Option<(u64, u64)> {
    let (first, second) = value.split_at_checked(8)?;
    Some((u64::from_be_bytes(first.try_into().ok()?), u64::from_be_bytes(second.try_into().ok()?)))
}
