//! What handlers may do: they persist, speak, load, compute and ask to be woken, and see the time.
//!
//! The context keeps the first rule of the core: commit, then speak. Whatever is spoken in or after a
//! call that persisted waits until that persist is durable.

use std::collections::VecDeque;

use reeve_statement::time::Timestamp;

use crate::bugs::{Bug, Bugs};
use crate::counters::Counters;
use crate::effect::{
    AskId, Channel, Effect, InboundId, JobId, Load, LoadId, NodeKey, Now, RequestId, Row, Ticket,
};
use crate::home::office::is_office;
use crate::job::Job;
use crate::local::Answer;

/// The side of the core's surroundings that handlers see.
#[derive(Debug)]
pub(crate) struct Context {
    now: Now,
    rows: Vec<Row>,
    /// What this call does without telling anybody: it goes out behind this call's persist, so that
    /// a load sees what was persisted before it.
    quiet: Vec<Effect>,
    spoken: Vec<Effect>,
    waiting: VecDeque<(Ticket, Vec<Effect>)>,
    outbox: Vec<Effect>,
    wake: Option<u64>,
    next: u64,
    bugs: Bugs,
    /// Keys of the rows of the office that were written, while somebody is told of them.
    watched: Option<Vec<Vec<u8>>>,
    /// Counted events, for metrics.
    pub(crate) counters: Counters,
}

impl Context {
    pub(crate) fn new(bugs: Bugs) -> Self {
        Self {
            now: Now { monotonic: 0, wall: Timestamp::default() },
            rows: Vec::new(),
            quiet: Vec::new(),
            spoken: Vec::new(),
            waiting: VecDeque::new(),
            outbox: Vec::new(),
            wake: None,
            next: 1,
            bugs,
            watched: None,
            counters: Counters::default(),
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    pub(crate) const fn now(&self) -> Now {
        self.now
    }

    pub(crate) const fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// Writes or deletes a row, with all others of this call.
    pub(crate) fn persist(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        if let Some(watched) = &mut self.watched
            && is_office(&key)
        {
            watched.push(key.clone());
        }
        self.rows.push((key, value));
    }

    /// Whether keys of the office's rows are collected from now on.
    pub(crate) fn watch_rows(&mut self, watch: bool) {
        self.watched = watch.then(|| self.watched.take().unwrap_or_default());
    }

    /// The keys that were collected since the last time.
    pub(crate) fn take_watched(&mut self) -> Vec<Vec<u8>> {
        self.watched.as_mut().map(core::mem::take).unwrap_or_default()
    }

    pub(crate) fn load(&mut self, what: Load) -> LoadId {
        let load = LoadId(self.number());
        self.quiet.push(Effect::Load { load, what });
        load
    }

    pub(crate) fn compute(&mut self, what: Job) -> JobId {
        let job = JobId(self.number());
        self.quiet.push(Effect::Compute { job, what: Box::new(what) });
        job
    }

    /// Sends a request once everything persisted so far is durable.
    pub(crate) fn send(&mut self, peer: NodeKey, channel: Channel, bytes: Vec<u8>) -> RequestId {
        let request = RequestId(self.number());
        self.spoken.push(Effect::Send { request, peer, channel, bytes });
        request
    }

    /// Answers a peer once everything persisted so far is durable.
    pub(crate) fn respond(&mut self, inbound: InboundId, bytes: Vec<u8>) {
        self.spoken.push(Effect::Respond { inbound, bytes });
    }

    /// Answers a local ask once everything persisted so far is durable.
    pub(crate) fn reply(&mut self, ask: AskId, answer: Answer) {
        self.spoken.push(Effect::Reply { ask, answer: Box::new(answer) });
    }

    /// Does something that tells nobody anything.
    pub(crate) fn act(&mut self, effect: Effect) {
        self.quiet.push(effect);
    }

    /// Asks to be woken at this monotonic time or earlier.
    pub(crate) fn wake_at(&mut self, at: u64) {
        if self.wake.is_none_or(|earlier| at < earlier) {
            self.wake = Some(at);
        }
    }

    /// Whether the wished time has come; forgets the wish if so.
    pub(crate) fn woken(&mut self) -> bool {
        let due = self.wake.is_some_and(|at| at <= self.now.monotonic);
        if due {
            self.wake = None;
        }
        due
    }

    /// How many persists are not durable yet.
    pub(crate) fn pending_persists(&self) -> usize {
        self.waiting.len()
    }

    /// Ends a call: turns what was persisted into one effect and holds back what was spoken.
    pub(crate) fn seal(&mut self) {
        let mut spoken = core::mem::take(&mut self.spoken);
        let quiet = core::mem::take(&mut self.quiet);
        if self.rows.is_empty() {
            self.outbox.extend(quiet);
        } else {
            if self.bugs.has(Bug::SpeakEarly) {
                self.outbox.append(&mut spoken);
            }
            let ticket = Ticket(self.number());
            let rows = core::mem::take(&mut self.rows);
            self.outbox.push(Effect::Persist { ticket, rows });
            self.outbox.extend(quiet);
            self.waiting.push_back((ticket, spoken));
            return;
        }
        if let Some((_, last)) = self.waiting.back_mut() {
            last.extend(spoken);
        } else {
            self.outbox.extend(spoken);
        }
    }

    /// A persist is durable: what waited for it, and for all before it, may be spoken.
    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        while self.waiting.front().is_some_and(|(first, _)| *first <= ticket) {
            if let Some((_, spoken)) = self.waiting.pop_front() {
                self.outbox.extend(spoken);
            }
        }
    }

    /// Everything that the driver is to do now, in order.
    pub(crate) fn drain(&mut self) -> Vec<Effect> {
        let mut effects = core::mem::take(&mut self.outbox);
        if let Some(at) = self.wake {
            effects.push(Effect::WakeAt(at));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond(context: &mut Context) {
        context.respond(InboundId(7), Vec::new());
    }

    fn speaks(effects: &[Effect]) -> bool {
        effects.iter().any(|effect| matches!(effect, Effect::Respond { .. }))
    }

    #[test]
    fn nothing_is_spoken_before_it_is_durable() {
        let mut context = Context::new(Bugs::default());
        context.persist(vec![1], Some(vec![2]));
        respond(&mut context);
        context.seal();
        assert!(!speaks(&context.drain()));
        // A later call that persists nothing still waits for the earlier one.
        respond(&mut context);
        context.seal();
        assert!(!speaks(&context.drain()));
        context.persisted(Ticket(1));
        assert_eq!(context.drain().len(), 2);
    }

    #[test]
    fn a_load_sees_what_its_own_call_persisted() {
        let mut context = Context::new(Bugs::default());
        context.load(Load::Get(vec![vec![1]]));
        context.persist(vec![1], Some(vec![2]));
        context.seal();
        let effects = context.drain();
        assert!(matches!(effects.as_slice(), [Effect::Persist { .. }, Effect::Load { .. }]));
    }
}
