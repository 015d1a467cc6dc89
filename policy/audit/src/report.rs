//! What a check says: as data, on a terminal, and (`html`) as a page.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::statement::Body;
use serde::Serialize;

use crate::equivocation::EquivocationFile;
use crate::finding::{Code, Finding, Verdict};
use crate::statements::Known;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In a word.
    pub verdict: Verdict,
    /// The federation whose roots were used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation: Option<String>,
    /// How much was checked.
    pub counted: Counted,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// The figures that the bundle is about, with what they are made of.
    pub figures: Vec<Tree>,
    /// The bulletins that the bundle is about, with what they name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bulletins: Vec<Published>,
    /// Proofs that units keep two ledgers, for whoever has not got the bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub equivocations: Vec<EquivocationFile>,
    /// A note of every checkpoint that was verified, to be held against later ones and those of others.
    #[serde(skip)]
    pub checkpoints: Vec<String>,
}

/// How much was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Statements in the bundle.
    pub statements: usize,
    /// Of them, those whose signature, chain and rights hold.
    pub verified: usize,
    /// Figures that were added again or are themselves summands.
    pub sums: usize,
    /// Statements that are shown to be in their issuers' ledgers.
    pub in_ledger: usize,
    /// Of them, those that another unit has witnessed.
    pub witnessed: usize,
}

/// A figure or notice, and those that it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tree {
    /// Who said it.
    pub unit: String,
    /// Digest of the statement.
    pub statement: String,
    /// The indicator.
    pub indicator: String,
    /// The period; none: every period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The reporting term.
    pub term: u64,
    /// The edition.
    pub edition: u64,
    /// When it was signed, by the issuer's clock.
    pub issued_at: String,
    /// The total, as an interval where parts are not told; none for a notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Completeness in words, or why there is no figure.
    pub state: String,
    /// Which units cosigned a ledger with it in it, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnessed: Vec<Witnessed>,
    /// What it is made of, as far as it is at hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Tree>,
}

/// A bulletin: figures frozen as they stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Who published it.
    pub unit: String,
    /// Digest of the statement.
    pub statement: String,
    /// What it is called.
    pub title: String,
    /// The class of recipients that it is for.
    pub class: String,
    /// The reporting term.
    pub term: u64,
    /// When it was signed, by the issuer's clock.
    pub issued_at: String,
    /// Which units cosigned a ledger with it in it, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnessed: Vec<Witnessed>,
    /// What it names.
    pub figures: Vec<FrozenFigure>,
}

/// A figure that a bulletin names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrozenFigure {
    /// The indicator.
    pub indicator: String,
    /// The period.
    pub period: String,
    /// The edition.
    pub edition: u64,
    /// Digest of the statement with it.
    pub statement: String,
    /// The total as it was told; none: the statement is not at hand, or not what the bulletin says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Completeness in words; none: as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The last edition that the bundle holds, if that is a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revised: Option<u64>,
}

impl FrozenFigure {
    /// In a line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { indicator, period, edition, total, state, revised, .. } = self;
        let total = total.as_deref().unwrap_or("not shown");
        let state = state.as_ref().map(|state| format!("{state}; ")).unwrap_or_default();
        let revised = revised.map(|later| format!("; revised since by edition {later}"));
        let revised = revised.unwrap_or_default();
        format!("{indicator} {period}  {total}  ({state}edition {edition}{revised})")
    }
}

/// That another unit has seen a ledger with a statement in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Witnessed {
    /// When, by the witness's clock.
    pub at: String,
    /// Which unit's node cosigned.
    pub by: String,
}

impl Tree {
    /// Its statement, and those of all its parts.
    pub(crate) fn gather(&self, statements: &mut BTreeSet<String>) {
        statements.insert(self.statement.clone());
        self.parts.iter().for_each(|part| part.gather(statements));
    }

    pub(crate) fn of(known: &Known) -> Self {
        let statement = known.verified.statement();
        let (figure, edition) = match statement.figure() {
            Some((figure, edition)) => (Some(figure), edition),
            None => (None, 0),
        };
        let (total, state) = match &statement.body {
            Body::Release(release) => {
                let total = known.table().total();
                let total = total.map_or_else(|_| "overflow".to_owned(), |it| it.value.to_string());
                (Some(total), release.counts.to_string())
            }
            Body::Notice(notice) => (None, notice.code.code().replace('_', " ")),
            _ => (None, String::new()),
        };
        Self {
            unit: statement.issuer.to_string(),
            statement: known.verified.digest().to_string(),
            indicator: figure.as_ref().map(|id| id.indicator.to_string()).unwrap_or_default(),
            period: figure.and_then(|id| id.period).map(|period| period.to_string()),
            term: statement.term,
            edition,
            issued_at: statement.issued_at.to_string(),
            total,
            state,
            witnessed: Vec::new(),
            parts: Vec::new(),
        }
    }
}

/// Most findings of one kind that the terminal shows.
const SHOWN_OF_A_CODE: usize = 10;

/// Most parts of one figure that the terminal shows.
const SHOWN_PARTS: usize = 24;

impl Report {
    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for figure in &self.figures {
            write_tree(&mut text, figure, 0);
        }
        for bulletin in &self.bulletins {
            write_bulletin(&mut text, bulletin);
        }
        if !self.figures.is_empty() || !self.bulletins.is_empty() {
            text.push('\n');
        }
        let mut shown: BTreeMap<Code, usize> = BTreeMap::new();
        for found in &self.findings {
            let of_code = shown.entry(found.code).or_default();
            *of_code += 1;
            if *of_code > SHOWN_OF_A_CODE {
                continue;
            }
            let mark = match found.code.verdict() {
                Verdict::Findings => "WRONG",
                Verdict::CannotTell => "OPEN ",
                Verdict::Pass => "NOTE ",
            };
            let _ = writeln!(text, "{mark} {}: {}\n      {}", found.code, found.about, found.text);
        }
        for (code, count) in shown.iter().filter(|(_, count)| **count > SHOWN_OF_A_CODE) {
            let more = count - SHOWN_OF_A_CODE;
            let _ = writeln!(text, "      and {more} more of {code}; --json and --html have all");
        }
        if !self.findings.is_empty() {
            text.push('\n');
        }
        let Counted { statements, verified, sums, in_ledger, witnessed } = self.counted;
        if let Some(federation) = &self.federation {
            let _ = writeln!(text, "Federation {federation}");
        }
        let _ = writeln!(
            text,
            "{verified} of {statements} statements are genuine, {sums} figures were checked, \
             {in_ledger} are shown to be in their issuers' ledgers, {witnessed} of them in what witnesses \
             cosigned."
        );
        let _ = writeln!(text, "{}: {}", self.verdict, self.meaning());
        text
    }

    /// The verdict in words.
    #[must_use]
    pub fn meaning(&self) -> String {
        let count =
            |verdict| self.findings.iter().filter(|found| found.code.verdict() == verdict).count();
        match self.verdict {
            Verdict::Pass if self.figures.is_empty() && !self.bulletins.is_empty() => {
                "every bulletin names what stood last in its issuer's ledger when it was published, as \
                 far as the bundle shows it"
                    .to_owned()
            }
            Verdict::Pass => "every figure is the sum of what was signed below it, as far down as \
                              the units that report"
                .to_owned(),
            Verdict::CannotTell => {
                let missing = match count(Verdict::CannotTell) {
                    1 => "1 thing that is needed is not here".to_owned(),
                    many => format!("{many} things that are needed are not here"),
                };
                format!("nothing is wrong with what is here, and {missing}")
            }
            Verdict::Findings => match count(Verdict::Findings) {
                1 => "1 thing is wrong".to_owned(),
                many => format!("{many} things are wrong"),
            },
        }
    }
}

fn write_bulletin(text: &mut String, bulletin: &Published) {
    let Published { unit, title, class, issued_at, term, witnessed, figures, .. } = bulletin;
    let later = if *term > 1 { format!(", term {term}") } else { String::new() };
    let seen = witnessed.first().map(|it| format!("; witnessed by {} at {}", it.by, it.at));
    let seen = seen.unwrap_or_default();
    let _ = writeln!(text, "{unit}  bulletin {title:?}, {issued_at}  (for {class}{later}{seen})");
    for figure in figures {
        let _ = writeln!(text, "  {}", figure.line());
    }
}

fn write_tree(text: &mut String, tree: &Tree, depth: usize) {
    let Tree { unit, indicator, period, edition, term, total, state, witnessed, .. } = tree;
    let indent = "  ".repeat(depth);
    let period = period.as_deref().unwrap_or("every period");
    let told = total.as_deref().unwrap_or("no figure");
    let what = if depth == 0 { format!("{indicator} {period}  ") } else { String::new() };
    let later = if *term > 1 { format!(", term {term}") } else { String::new() };
    let seen = witnessed.first().map(|it| format!("; witnessed by {} at {}", it.by, it.at));
    let seen = seen.unwrap_or_default();
    let _ =
        writeln!(text, "{indent}{unit}  {what}{told}  ({state}; edition {edition}{later}{seen})");
    for part in tree.parts.iter().take(SHOWN_PARTS) {
        write_tree(text, part, depth + 1);
    }
    let more = tree.parts.len().saturating_sub(SHOWN_PARTS);
    if more > 0 {
        let _ = writeln!(text, "{indent}  and {more} more");
    }
}
