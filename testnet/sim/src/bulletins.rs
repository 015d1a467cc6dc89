//! Bulletins: somebody freezes figures as they stand, at any node and any moment.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_policy::authz::Role;
use reeve_protocol::bulletin::Choice;
use reeve_protocol::consent::Adopter;
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::Question;
use reeve_protocol::rows::{self, SentRow};
use reeve_statement::bulletin::{Bulletin, Frozen};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::statement::FigureId;

use crate::invariants::{
    Edition, invariant_a_bulletin_freezes_the_last_editions, invariant_commit_then_speak,
};
use crate::known::Known;
use crate::model::{DAYS, INDICATORS};
use crate::sim::Sim;

impl Sim {
    /// Somebody publishes a bulletin of a few figures. What is drawn is drawn apart, so that nothing else
    /// that the seed draws changes by it.
    pub(crate) fn publish_something(&mut self) {
        let seed = self.plan.seed ^ 0xb011_e714 ^ self.now.rotate_left(32);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        if random.random_range(0..1_000) >= self.plan.faults.bulletins {
            return;
        }
        let keys: Vec<NodeKey> = self.places.keys().copied().collect();
        let at = keys[random.random_range(0..keys.len())];
        let class = match random.random_range(0..4) {
            0 => RecipientClass::Public,
            1 => RecipientClass::Neighbour,
            _ => RecipientClass::Superior,
        };
        // Of what the unit has told; now and then of something that it may have told nobody.
        let unit = &self.places[&at].unit;
        let told = self.seen.last.keys().filter(|(of, id)| of == unit && id.class == class);
        let mut known: Vec<FigureId> = told.map(|(_, id)| id.clone()).collect();
        if random.random_range(0..10) == 0 {
            let indicator = IndicatorId::new(INDICATORS[0].0).unwrap();
            let period = Some(DAYS[random.random_range(0..DAYS.len())].parse().unwrap());
            known.push(FigureId { indicator, period, class });
        }
        let mut figures = Vec::new();
        for _ in 0..random.random_range(1..=3).min(known.len()) {
            let figure = known.swap_remove(random.random_range(0..known.len()));
            figures.push((figure.indicator, figure.period.unwrap()));
        }
        let choice = Choice { title: format!("At {}", self.now), class, figures };
        self.send_ask(at, Role::Operator, Question::PublishBulletin(choice, Adopter::Alone));
    }

    /// Whoever published was told so.
    pub(crate) fn observe_published(&mut self, at: NodeKey, statement: &Digest) {
        let disk = &self.disks[&at].rows;
        let durable = disk.contains_key(&rows::statement(statement))
            && disk.contains_key(&rows::bulletin(statement))
            && self.disks[&at].place_of(statement).is_some();
        let found = invariant_commit_then_speak(durable, &format_args!("bulletin {statement}"));
        self.violated("commit_then_speak", found);
        self.bulletins += 1;
    }

    /// A bulletin became durable: what it names was issued, and nothing newer stood before it.
    pub(crate) fn observe_bulletin(&mut self, at: NodeKey, known: &Known, bulletin: &Bulletin) {
        let unit = &known.statement.issuer;
        let term = known.statement.term;
        let Some(place) = self.disks[&at].place_of(&known.digest) else { return };
        let prefix = rows::key(rows::SENT, &[&term.to_be_bytes()]);
        let rows = self.disks[&at].rows.range(prefix.clone()..);
        let rows = rows.take_while(|(key, _)| key.starts_with(&prefix));
        let sent: Vec<SentRow> =
            rows.map(|(_, value)| from_slice("sent", value, value.len()).unwrap()).collect();
        let earlier = |frozen: &Frozen| {
            // What an earlier term told of it may be on the disk of another node.
            let known = self.seen.known(&frozen.statement)?;
            let same = known.statement.issuer == *unit && known.statement.term < term;
            let (figure, edition) = known.statement.figure()?;
            (same && figure == frozen.figure).then_some((edition, frozen.statement))
        };
        let last: Vec<Option<Edition>> = bulletin
            .figures()
            .iter()
            .map(|frozen| {
                let figure = Some(&frozen.figure);
                let before = sent.iter().take_while(|row| row.index < place);
                let last = before.filter(|row| row.figure.as_ref() == figure).last();
                match last {
                    Some(row) => {
                        let kept = rows::statement(&row.statement);
                        let kept = self.disks[&at].rows.contains_key(&kept);
                        kept.then_some((row.edition, row.statement))
                    }
                    None => earlier(frozen),
                }
            })
            .collect();
        let found = invariant_a_bulletin_freezes_the_last_editions(bulletin, &last, unit);
        self.violated("a_bulletin_freezes_the_last_editions", found);
    }
}
