//! Bulletins: that what one names was signed, is what it says, and stood last when it was published.

use reeve_statement::bulletin::{Bulletin, Frozen};
use reeve_statement::digest::Digest;
use reeve_statement::statement::{Body, Statement};

use crate::check::{Check, about};
use crate::figure::check_place;
use crate::finding::{About, Code};
use crate::report::{FrozenFigure, Published, Tree};
use crate::statements::{Fact, Known};

impl Check<'_> {
    /// The bulletins among what the bundle is about.
    pub(crate) fn bulletins(&mut self) -> Vec<Published> {
        let about: Vec<Digest> = self.bundle.figures.iter().copied().collect();
        about.iter().filter_map(|digest| self.bulletin(digest)).collect()
    }

    /// Whether a statement that was verified is a bulletin.
    pub(crate) fn is_bulletin(&mut self, digest: &Digest) -> bool {
        let known = self.load(digest);
        known.is_some_and(|it| matches!(it.verified.statement().body, Body::Bulletin(_)))
    }

    fn bulletin(&mut self, digest: &Digest) -> Option<Published> {
        let known = self.load(digest)?;
        let statement = known.verified.statement();
        let Body::Bulletin(bulletin) = &statement.body else { return None };
        self.place(&known);
        let figures = bulletin.figures().iter();
        let figures = figures.map(|frozen| self.frozen(statement, *digest, frozen)).collect();
        Some(published(statement, *digest, bulletin, figures))
    }

    /// That a statement is in its issuer's ledger, unless that was looked at.
    fn place(&mut self, known: &Known) {
        let digest = known.verified.digest();
        if !self.seen.contains(&digest) && self.published.insert(digest) {
            check_place(self, known);
        }
    }

    /// One figure of a bulletin.
    fn frozen(&mut self, by: &Statement, bulletin: Digest, frozen: &Frozen) -> FrozenFigure {
        let of = About {
            unit: Some(by.issuer.to_string()),
            indicator: Some(frozen.figure.indicator.to_string()),
            period: frozen.figure.period.map(|period| period.to_string()),
            edition: Some(frozen.edition),
            statement: Some(frozen.statement),
        };
        let mut figure = FrozenFigure {
            indicator: frozen.figure.indicator.to_string(),
            period: frozen.figure.period.map(|period| period.to_string()).unwrap_or_default(),
            edition: frozen.edition,
            statement: frozen.statement.to_string(),
            total: None,
            state: None,
            revised: None,
        };
        let Some(known) = self.load(&frozen.statement) else {
            // One that is there and does not verify is found for itself.
            if !self.present.has(&frozen.statement) {
                let text = format!(
                    "bulletin {bulletin} names this statement, and it is not in the bundle: ask {}",
                    by.issuer
                );
                self.find(Code::NoFrozen, of, text);
            }
            return figure;
        };
        self.place(&known);
        let statement = known.verified.statement();
        let named = Some((frozen.figure.clone(), frozen.edition));
        let release = matches!(statement.body, Body::Release(_));
        if !release || statement.issuer != by.issuer || statement.figure() != named {
            let found = about(statement, frozen.statement);
            let text = format!(
                "bulletin {bulletin} names it as edition {} of {}, by {}: it is {found}",
                frozen.edition, frozen.figure, by.issuer
            );
            self.find(Code::BadBulletin, of, text);
            return figure;
        }
        let tree = Tree::of(&known);
        (figure.total, figure.state) = (tree.total, Some(tree.state));
        let term = statement.term;
        if self.is_before(&bulletin, &frozen.statement) == Some(true) || term > by.term {
            let text = format!(
                "bulletin {bulletin} names a statement that its issuer's ledger holds after it"
            );
            self.find(Code::BadBulletin, of.clone(), text);
        }
        self.place_later(by, frozen, term);
        if let Some((digest, edition)) = self.newer(by, &bulletin, frozen, term) {
            let text = format!(
                "when bulletin {bulletin} was signed, its issuer had signed edition {edition} of this \
                 figure already: {digest}"
            );
            self.find(Code::BadBulletin, of, text);
        }
        figure.revised = self.last(by, frozen, term);
        figure
    }

    /// Where later editions stand in the ledger, as far as the bundle shows it.
    fn place_later(&mut self, by: &Statement, frozen: &Frozen, term: u64) {
        let later: Vec<Digest> = self.later(by, frozen, term).map(|(digest, ..)| *digest).collect();
        for digest in later.into_iter().filter(|it| self.bundle.proofs.contains_key(it)) {
            if let Some(known) = self.load(&digest) {
                self.place(&known);
            }
        }
    }

    /// Whether one statement stands before another in one ledger; none: that is not shown.
    fn is_before(&self, one: &Digest, other: &Digest) -> Option<bool> {
        let [one, other] = [one, other].map(|it| Some((self.known.get(it)?.term, it)));
        let (one, other) = (one?, other?);
        let places = (self.ledgers.place_of(one.1)?, self.ledgers.place_of(other.1)?);
        (one.0 == other.0).then_some(places.0 < places.1)
    }

    /// Later editions of a frozen figure that the bundle holds, by term and number.
    fn later<'c>(
        &'c self,
        by: &'c Statement,
        frozen: &'c Frozen,
        term: u64,
    ) -> impl Iterator<Item = (&'c Digest, &'c Fact, u64)> {
        self.known.iter().filter_map(move |(digest, fact)| {
            let (figure, edition) = fact.figure.as_ref()?;
            let same = *fact.remembered.signer().unit() == by.issuer && *figure == frozen.figure;
            let later = (fact.term, *edition) > (term, frozen.edition);
            (same && later).then_some((digest, fact, *edition))
        })
    }

    /// A later edition that was signed before the bulletin all the same.
    fn newer(
        &self,
        by: &Statement,
        bulletin: &Digest,
        frozen: &Frozen,
        term: u64,
    ) -> Option<(Digest, u64)> {
        let before = |digest: &Digest, fact: &Fact| match self.is_before(digest, bulletin) {
            Some(before) => before,
            // The dates of one issuer only grow.
            None => fact.term <= by.term && fact.issued_at < by.issued_at,
        };
        let mut later = self.later(by, frozen, term);
        later.find(|(digest, fact, _)| before(digest, fact)).map(|(digest, _, at)| (*digest, at))
    }

    /// The last edition that the bundle holds, if it is a later one.
    fn last(&self, by: &Statement, frozen: &Frozen, term: u64) -> Option<u64> {
        let last = self.later(by, frozen, term).max_by_key(|(_, fact, at)| (fact.term, *at));
        last.map(|(_, _, edition)| edition)
    }
}

fn published(
    statement: &Statement,
    digest: Digest,
    bulletin: &Bulletin,
    figures: Vec<FrozenFigure>,
) -> Published {
    Published {
        unit: statement.issuer.to_string(),
        statement: digest.to_string(),
        title: bulletin.title().to_owned(),
        class: bulletin.class().to_string(),
        term: statement.term,
        issued_at: statement.issued_at.to_string(),
        witnessed: Vec::new(),
        figures,
    }
}
