//! What is counted, and how what was seen is judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::check::Seen;
use super::child::{Finished, Looked};

/// Campaign: a process is killed.
pub const KILLS: &str = "kills";
/// Campaign: the power is lost.
pub const POWER: &str = "power losses";
/// Campaign: files are damaged at rest.
pub const FLIPS: &str = "damaged files";
/// Campaign: the disk is full.
pub const FULL: &str = "full disks";
/// Campaign: a write fails.
pub const WRITES: &str = "failed writes";
/// Campaign: a sync fails.
pub const SYNCS: &str = "failed syncs";

/// Faults of which the story is kept.
const STORIES: usize = 12;

/// One campaign's counts, in looks unless it says otherwise.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Campaign {
    /// Its name.
    pub name: &'static str,
    /// How often what was left was looked at: a fault can be followed by more than one look.
    pub looks: u64,
    /// Batches that were acknowledged in them.
    pub acknowledged: u64,
    /// The store opened, and every row was what was written.
    pub whole: u64,
    /// It did not open or a row could not be read, and it said why.
    pub refused: u64,
    /// Those refusals by what they begin with.
    pub reasons: BTreeMap<String, u64>,
    /// Of the refusals, how many were panics of the engine that were caught.
    pub caught: u64,
    /// It opened with less than was acknowledged.
    pub lost: u64,
    /// A row was read that is not what was written, or is missing, and nothing said so.
    pub silent: u64,
    /// A process died of a panic or an abort.
    pub died: u64,
    /// A process did not come to an end.
    pub hung: u64,
    /// `verify` called a store whole that was refused.
    pub unverified: u64,
    /// Faults that were met: kills, losses, damages, refused calls.
    pub met: u64,
    /// While the disk was still full, the store opened and could be read.
    pub read_while_full: u64,
    /// What was wrong, in words.
    pub stories: Vec<String>,
}

/// All campaigns on one engine.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The engine.
    pub engine: &'static str,
    /// What chance began with.
    pub seed: u64,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
}

/// What a store may do after a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// It must open, and be whole.
    Open,
    /// It may refuse, because it was damaged.
    Refuse,
}

impl Campaign {
    /// Judges what is left of a store in which batches up to `acknowledged` were. Whether all is well.
    pub fn judge(&mut self, looked: &Looked, acknowledged: u64, may: May, story: &str) -> bool {
        self.looks = self.looks.saturating_add(1);
        let before = self.faults();
        match looked {
            Looked::Hung => count(&mut self.hung),
            Looked::Died(_) => count(&mut self.died),
            Looked::Seen(seen) => self.judge_seen(seen, acknowledged),
        }
        let refused = matches!(looked, Looked::Seen(seen) if seen.why().is_some());
        let well = self.faults() == before && !(refused && may == May::Open);
        if !well {
            self.tell(format!("{story}: acknowledged {acknowledged}, {looked:?}"));
        }
        well
    }

    fn judge_seen(&mut self, seen: &Seen, acknowledged: u64) {
        if let Some(why) = seen.why() {
            count(&mut self.refused);
            count(self.reasons.entry(reason(why)).or_default());
            if why.contains("engine failed") {
                count(&mut self.caught);
            }
            if seen.verified && seen.verify.is_none() {
                count(&mut self.unverified);
            }
        } else if seen.last < acknowledged {
            count(&mut self.lost);
        } else if seen.wrong > 0 {
            count(&mut self.silent);
        } else {
            count(&mut self.whole);
        }
    }

    /// Judges how one that wrote ended.
    pub fn judge_worker(&mut self, finished: &Finished, story: &str) {
        if let Some(how) = finished.died() {
            match finished.status {
                None => count(&mut self.hung),
                Some(_) => count(&mut self.died),
            }
            self.tell(format!("{story}: the one that writes: {how}"));
        }
    }

    /// Keeps a story.
    pub fn tell(&mut self, story: String) {
        if self.stories.len() < STORIES {
            self.stories.push(story);
        }
    }

    /// What must never be.
    #[must_use]
    pub fn faults(&self) -> u64 {
        [self.lost, self.silent, self.died, self.hung, self.unverified].iter().sum()
    }

    /// Whether all held: also that nothing was refused where nothing was damaged.
    #[must_use]
    pub fn held(&self) -> bool {
        self.faults() == 0 && (self.refused == 0 || self.name == FLIPS)
    }
}

impl Report {
    /// Whether all held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.campaigns.iter().all(Campaign::held)
    }

    /// A table, and what was wrong.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!(
            "{}, seed {}\n{:16}{:>7}{:>7}{:>9}{:>9}{:>8}{:>8}{:>6}{:>6}{:>10}\n",
            self.engine,
            self.seed,
            "",
            "looks",
            "met",
            "whole",
            "refused",
            "lost",
            "silent",
            "died",
            "hung",
            "caught"
        );
        for campaign in self.campaigns.iter().filter(|campaign| campaign.looks > 0) {
            let Campaign { name, looks, met, whole, refused, lost, silent, .. } = campaign;
            let Campaign { died, hung, caught, .. } = campaign;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{name:16}{looks:>7}{met:>7}{whole:>9}{refused:>9}{lost:>8}{silent:>8}{died:>6}{hung:>6}{caught:>10}"
            );
        }
        for campaign in &self.campaigns {
            for (reason, count) in &campaign.reasons {
                let _ = writeln!(text, "  {}: refused {count}: {reason}", campaign.name);
            }
            if campaign.read_while_full > 0 {
                let _ = writeln!(text, "  read while full: {}", campaign.read_while_full);
            }
            if campaign.unverified > 0 {
                let _ =
                    writeln!(text, "  refused though verify said whole: {}", campaign.unverified);
            }
            for story in &campaign.stories {
                let _ = writeln!(text, "  {}: {story}", campaign.name);
            }
        }
        text
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// The words of a refusal without what differs from trial to trial.
fn reason(why: &str) -> String {
    let first = why.split([';', ':']).next().unwrap_or_default();
    let plain = first.split_whitespace().filter(|word| !word.contains(['/', '0'])).take(9);
    plain.collect::<Vec<_>>().join(" ")
}
