//! The standing report: of each jurisdiction what it withholds, tells late, tells again, or does not answer,
//! from what was kept alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use reeve_audit::Verdict;
use reeve_statement::cert::RootList;
use reeve_statement::chunk::Part;
use reeve_statement::digest::Digest;
use reeve_statement::release::Release;
use reeve_statement::statement::{Audience, Body, FigureId, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use serde::Serialize;

use super::config::WatchConfig;
use super::finding::Finding;
use super::follow::check;
use super::kept::{Folder, KeptError};

/// Most gaps, revisions and unanswered requests that are listed of one jurisdiction; all are counted.
const LISTED: usize = 100;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Hours of a day.
const DAY_HOURS: i64 = 24;

/// The standing report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// When it was made.
    pub at: String,
    /// What it came to: findings where a ledger is wrong or editions are missing.
    pub verdict: Verdict,
    /// After how many hours from the end of its period a figure is late here.
    pub late_after_hours: u64,
    /// From how many percent on a revision is listed.
    pub revision_percent: u64,
    /// Each jurisdiction, in the order of the file.
    pub jurisdictions: Vec<OfJurisdiction>,
}

/// What is to be said of one jurisdiction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OfJurisdiction {
    /// Which unit.
    pub unit: String,
    /// When it answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_at: Option<String>,
    /// Since when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_reached_since: Option<String>,
    /// Its ledgers, by term.
    pub ledgers: Vec<OfLedger>,
    /// What the last visit found.
    pub findings: Vec<Finding>,
    /// Statements that it has shown.
    pub statements: u64,
    /// Statements that are kept and do not verify any more: the folder was damaged.
    #[serde(skip_serializing_if = "is_none")]
    pub unreadable: u64,
    /// Editions that are missing between others.
    pub gaps: Listed<Gap>,
    /// How long after their periods figures were told first, by indicator.
    pub lateness: Vec<Lateness>,
    /// How often it has said that there is no figure, by the reason.
    pub notices: BTreeMap<String, u64>,
    /// Later editions that differ by more than the threshold, the largest first.
    pub revisions: Listed<Revised>,
    /// Signed requests to it that nothing it has shown answers.
    pub unanswered: Listed<Unanswered>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The first of a list, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    fn of(mut all: Vec<T>) -> Self {
        let count = all.len();
        all.truncate(LISTED);
        Self { count, first: all }
    }
}

/// One ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfLedger {
    /// In which reporting term.
    pub term: u64,
    /// Entries that were seen.
    pub size: u64,
    /// When it was seen to have grown last.
    pub grew_at: String,
    /// Up to which entry this auditor has cosigned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<u64>,
    /// How many entries were followed.
    pub followed: u64,
    /// How many of those are statements that were shown; the others are certificates, acts of adoption, and what
    /// the jurisdiction does not show.
    pub shown: u64,
    /// When it was proven that there are two of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_since: Option<String>,
}

/// Editions of a figure that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Which figure.
    pub figure: String,
    /// The edition after which some are missing.
    pub after: u64,
    /// The next one that was shown.
    pub next: u64,
}

/// How long after their periods the figures of an indicator were told first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lateness {
    /// Which indicator.
    pub indicator: String,
    /// How many periods were told.
    pub told: usize,
    /// How many of them late.
    pub late: usize,
    /// The middle one, in hours.
    pub median_hours: i64,
    /// The latest, in hours.
    pub longest_hours: i64,
    /// Which period that was.
    pub longest: String,
    /// Late ones by the weekday on which they were told, from Monday on: a pattern shows.
    pub late_by_weekday: [usize; 7],
}

/// A later edition that differs by more than the threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revised {
    /// Which figure.
    pub figure: String,
    /// Which edition.
    pub edition: u64,
    /// The total before.
    pub before: String,
    /// The total since.
    pub after: String,
    /// By how many percent of what it was at least.
    pub percent: u64,
    /// The reason that it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was signed.
    pub at: String,
}

/// A signed request that nothing answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// Who asked.
    pub by: String,
    /// The digest of the request.
    pub request: String,
    /// When it was signed.
    pub at: String,
    /// For which indicator; none: for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicator: Option<String>,
}

/// A statement that was kept.
struct Known {
    digest: Digest,
    statement: Statement,
}

/// Makes the report from what is kept.
///
/// # Errors
/// [`KeptError`] if the folder cannot be read.
pub fn standing(
    config: &WatchConfig,
    roots: &RootList,
    folder: &Folder,
    now: Timestamp,
) -> Result<Standing, KeptError> {
    let mut known: BTreeMap<&UnitPath, Vec<Known>> = BTreeMap::new();
    let mut jurisdictions = Vec::new();
    for jurisdiction in &config.jurisdictions {
        let unit = &jurisdiction.unit;
        let kept = folder.kept(unit)?;
        let mut of_unit = OfJurisdiction {
            unit: unit.to_string(),
            reached_at: kept.reached_at.clone(),
            not_reached_since: kept.not_reached_since.clone(),
            findings: kept.findings.clone(),
            ..OfJurisdiction::default()
        };
        of_unit.ledgers = kept
            .ledgers
            .iter()
            .map(|ledger| {
                let entries = ledger.entries.clone().unwrap_or_default();
                OfLedger {
                    term: ledger.term,
                    size: ledger.size,
                    grew_at: ledger.grew_at.clone(),
                    cosigned: ledger.cosigned.as_ref().filter(|it| it.taken).map(|it| it.size),
                    followed: entries.size,
                    shown: entries.shown,
                    two_since: ledger.two_since.clone(),
                }
            })
            .collect();
        let mut statements = Vec::new();
        for (digest, bytes) in folder.statements(unit)? {
            match check(&bytes, &digest, unit, roots) {
                Ok(verified) => {
                    statements.push(Known { digest, statement: verified.into_statement() });
                }
                Err(_) => of_unit.unreadable = of_unit.unreadable.saturating_add(1),
            }
        }
        statements.sort_by_key(|known| known.statement.issued_at);
        of_unit.statements = u64::try_from(statements.len()).unwrap_or(u64::MAX);
        tell(&mut of_unit, &statements, config);
        known.insert(unit, statements);
        jurisdictions.push(of_unit);
    }
    let patience = i64::try_from(config.late_after_hours).unwrap_or(i64::MAX);
    let due = now.plus_millis(patience.saturating_mul(HOUR_MS).saturating_neg());
    for (jurisdiction, of_unit) in config.jurisdictions.iter().zip(&mut jurisdictions) {
        of_unit.unanswered = Listed::of(unanswered(&jurisdiction.unit, &known, due));
    }
    let wrong = |of_unit: &OfJurisdiction| {
        let found = of_unit.findings.iter().map(|it| it.code.verdict()).max();
        let two = of_unit.ledgers.iter().any(|ledger| ledger.two_since.is_some());
        let worst = if two || of_unit.gaps.count > 0 { Verdict::Findings } else { Verdict::Pass };
        found.map_or(worst, |found| found.max(worst))
    };
    Ok(Standing {
        at: now.to_string(),
        verdict: jurisdictions.iter().map(wrong).max().unwrap_or(Verdict::Pass),
        late_after_hours: config.late_after_hours,
        revision_percent: config.revision_percent,
        jurisdictions,
    })
}

/// What a jurisdiction's own statements say of it; they come in the order in which they were signed.
fn tell(of_unit: &mut OfJurisdiction, statements: &[Known], config: &WatchConfig) {
    let mut editions: BTreeMap<FigureId, BTreeMap<u64, &Statement>> = BTreeMap::new();
    for known in statements {
        if let Some((figure, edition)) = known.statement.figure() {
            editions.entry(figure).or_default().insert(edition, &known.statement);
        }
        if let Body::Notice(notice) = &known.statement.body {
            let count = of_unit.notices.entry(notice.code.code().to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
    let (mut gaps, mut revisions) = (Vec::new(), Vec::new());
    for (figure, editions) in &editions {
        for ((before, earlier), (next, later)) in editions.iter().zip(editions.iter().skip(1)) {
            if *next > before.saturating_add(1) {
                gaps.push(Gap { figure: figure.to_string(), after: *before, next: *next });
                continue;
            }
            let revised = revised(figure, *next, earlier, later);
            revisions.extend(revised.filter(|it| it.percent >= config.revision_percent));
        }
    }
    revisions.sort_by_key(|revised: &Revised| core::cmp::Reverse(revised.percent));
    of_unit.gaps = Listed::of(gaps);
    of_unit.revisions = Listed::of(revisions);
    of_unit.lateness = lateness(&editions, config.late_after_hours);
}

/// By how much an edition differs from the one before, at least: intervals that overlap may be the same.
fn revised(
    figure: &FigureId,
    edition: u64,
    earlier: &Statement,
    later: &Statement,
) -> Option<Revised> {
    let (Body::Release(one), Body::Release(other)) = (&earlier.body, &later.body) else {
        return None;
    };
    let (before, after) = (total(one)?, total(other)?);
    let up = after.lo().saturating_sub(before.hi());
    let down = before.lo().saturating_sub(after.hi());
    let change = up.max(down).max(0).unsigned_abs();
    let base = before.hi().unsigned_abs().max(1);
    Some(Revised {
        figure: figure.to_string(),
        edition,
        before: before.to_string(),
        after: after.to_string(),
        percent: change.saturating_mul(100).checked_div(base).unwrap_or(0),
        reason: other.reason.map(|reason| reason.code().to_owned()),
        at: later.issued_at.to_string(),
    })
}

/// The total of a table that is inside its statement; a larger one is not added up here.
fn total(release: &Release) -> Option<reeve_statement::bounds::Bounds> {
    match &release.table {
        Part::Inline(table) => table.total().ok().map(|cell| cell.value),
        Part::Chunked(_) => None,
    }
}

/// How long after the end of its period, in universal time, the first edition of each figure was signed.
fn lateness(
    editions: &BTreeMap<FigureId, BTreeMap<u64, &Statement>>,
    late_after_hours: u64,
) -> Vec<Lateness> {
    let mut of_indicator: BTreeMap<String, BTreeMap<String, (i64, Option<usize>)>> =
        BTreeMap::new();
    for (figure, editions) in editions {
        // Only where the first edition was shown is it known when the figure was told first. Until then a
        // notice may have said why there was none.
        let told = editions.values().find(|it| matches!(it.body, Body::Release(_)));
        let first = told.filter(|_| editions.contains_key(&1));
        let Some((first, period)) = first.zip(figure.period) else { continue };
        let Some(end) = period.last_day().and_then(end_of) else { continue };
        let hours = first.issued_at.since(end).div_euclid(HOUR_MS);
        let day =
            first.issued_at.to_jiff().map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).weekday());
        let day = day.and_then(|day| usize::try_from(day.to_monday_zero_offset()).ok());
        let periods = of_indicator.entry(figure.indicator.to_string()).or_default();
        // Of several classes the one that was told first.
        let told = periods.entry(period.to_string()).or_insert((hours, day));
        if hours < told.0 {
            *told = (hours, day);
        }
    }
    let limit = i64::try_from(late_after_hours).unwrap_or(i64::MAX);
    let of = |(indicator, periods): (String, BTreeMap<String, (i64, Option<usize>)>)| {
        let mut hours: Vec<i64> = periods.values().map(|told| told.0).collect();
        hours.sort_unstable();
        let median_hours = hours.get(hours.len() / 2).copied().unwrap_or(0);
        let longest = periods.iter().max_by_key(|(_, told)| told.0);
        let (longest, longest_hours) = longest.map(|(period, told)| (period.clone(), told.0))?;
        let late: Vec<_> = periods.values().filter(|told| told.0 > limit).collect();
        let mut late_by_weekday = [0_usize; 7];
        for day in late.iter().filter_map(|told| told.1) {
            if let Some(count) = late_by_weekday.get_mut(day) {
                *count = count.saturating_add(1);
            }
        }
        let (told, late) = (periods.len(), late.len());
        Some(Lateness {
            indicator,
            told,
            late,
            median_hours,
            longest_hours,
            longest,
            late_by_weekday,
        })
    };
    of_indicator.into_iter().filter_map(of).collect()
}

/// The end of a day in universal time: the unit's own midnight is at most half a day from it.
fn end_of(day: Date) -> Option<Timestamp> {
    let begins = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Timestamp::from_millis(begins).plus_millis(DAY_HOURS.saturating_mul(HOUR_MS)))
}

/// Requests to a unit that are older than `due` and that nothing which it has shown answers. Only the newest
/// request of each asker and class counts, as each takes the place of the one before; and nothing is said of
/// a unit that has shown no statement at all.
fn unanswered(
    unit: &UnitPath,
    known: &BTreeMap<&UnitPath, Vec<Known>>,
    due: Timestamp,
) -> Vec<Unanswered> {
    let Some(said) = known.get(unit).filter(|said| !said.is_empty()) else { return Vec::new() };
    let mut found = Vec::new();
    for (asker, asked) in known {
        let mut newest = BTreeMap::new();
        for it in asked {
            let to_unit = matches!(&it.statement.audience, Audience::Unit(to) if to == unit);
            if let Body::Request(request) = &it.statement.body
                && to_unit
            {
                newest.insert(request.class, (it, request));
            }
        }
        for (it, request) in newest.into_values() {
            let at = it.statement.issued_at;
            if at > due {
                continue;
            }
            let answers = said.iter().filter(|known| match &known.statement.body {
                Body::Release(release) => {
                    release.request == Some(it.digest) || known.statement.issued_at >= at
                }
                Body::Notice(notice) => {
                    notice.request == Some(it.digest) || known.statement.issued_at >= at
                }
                _ => false,
            });
            let answered: BTreeSet<String> = answers
                .filter_map(|known| Some(known.statement.figure()?.0.indicator.to_string()))
                .collect();
            let open = |indicator: Option<String>| Unanswered {
                by: asker.to_string(),
                request: it.digest.to_string(),
                at: at.to_string(),
                indicator,
            };
            if request.indicators.is_empty() {
                found.extend(answered.is_empty().then(|| open(None)));
            }
            let named = request.indicators.iter().map(ToString::to_string);
            found
                .extend(named.filter(|name| !answered.contains(name)).map(|name| open(Some(name))));
        }
    }
    found
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
mod tests {
    use std::path::Path;

    use reeve_statement::bounds::{Bounds, Cell};
    use reeve_statement::catalogue::RecipientClass;
    use reeve_statement::completeness::{Counts, Manifest};
    use reeve_statement::digest::FederationId;
    use reeve_statement::notice::{Notice, NoticeCode};
    use reeve_statement::release::{Conditions, Decision, RevisionReason, Sources};
    use reeve_statement::request::Request;
    use reeve_statement::statement::{Onward, VERSION};
    use reeve_statement::table::{Area, RowKey, Table};

    use super::*;

    const NOON: i64 = 1_772_366_400_000; // 2026-03-01T12:00:00Z

    fn statement(issuer: &str, to: &str, hours: i64, body: Body) -> Known {
        let at = Timestamp::from_millis(NOON + hours * HOUR_MS);
        let statement = Statement {
            version: VERSION,
            federation: FederationId(Digest::ZERO),
            issuer: issuer.parse().unwrap(),
            term: 1,
            audience: Audience::Unit(to.parse().unwrap()),
            onward: Onward::Superiors,
            issued_at: at,
            valid_until: None,
            body,
            witnessed: None,
        };
        Known { digest: Digest::of(format!("{issuer} {hours}").as_bytes()), statement }
    }

    fn release(period: &str, edition: u64, value: (i64, i64)) -> Body {
        let cell = Cell { value: Bounds::spanning(value.0, value.1), ..Cell::ZERO };
        let row = RowKey { area: Area::own(), dims: Vec::new() };
        let table = Table { rows: BTreeMap::from([(row, cell)]), ..Table::default() };
        Body::Release(Box::new(Release {
            class: RecipientClass::Superior,
            indicator: "cases".parse().unwrap(),
            definition: Digest::ZERO,
            period: period.parse().unwrap(),
            edition,
            previous: None,
            reason: (edition > 1).then_some(RevisionReason::LateReports),
            request: None,
            table: Part::Inline(table),
            own: None,
            counts: Counts::default(),
            manifest: Part::Inline(Manifest::default()),
            inputs_root: Digest::ZERO,
            manifest_root: Digest::ZERO,
            sources: Sources::default(),
            data_touched: None,
            decision: Decision {
                policy_set: Digest::ZERO,
                determining: Vec::new(),
                conditions: Conditions::default(),
                declarations: Vec::new(),
                adoption: None,
                asked: None,
            },
            commitment: None,
            register: None,
            catalogue_version: 1,
        }))
    }

    fn notice(indicator: &str, edition: u64, code: NoticeCode) -> Body {
        Body::Notice(Notice {
            class: RecipientClass::Superior,
            indicator: indicator.parse().unwrap(),
            definition: None,
            period: None,
            edition,
            previous: None,
            code,
            request: None,
            decision: None,
        })
    }

    fn request(indicators: &[&str]) -> Body {
        Body::Request(Request {
            class: RecipientClass::Superior,
            indicators: indicators.iter().map(|name| name.parse().unwrap()).collect(),
            from: None,
            to: None,
            subscribe: true,
            purpose: "test".to_owned(),
            legal_basis: "Test Act".to_owned(),
            response_level: 0,
            catalogue_version: 1,
            calendar: None,
        })
    }

    fn config() -> WatchConfig {
        let text = "[[jurisdiction]]\nunit = \"it/03\"\nledger = \"http://localhost\"\n";
        WatchConfig::parse(text, Path::new("")).unwrap()
    }

    fn told(statements: &[Known]) -> OfJurisdiction {
        let mut of_unit = OfJurisdiction::default();
        tell(&mut of_unit, statements, &config());
        of_unit
    }

    #[test]
    fn missing_editions_large_revisions_and_notices_are_named() {
        let body = |hours, body| statement("it/03", "it", hours, body);
        let of_unit = told(&[
            body(20, release("2026-03-01", 1, (100, 104))),
            body(21, release("2026-03-01", 2, (110, 125))),
            // It may be the same: the intervals overlap.
            body(22, release("2026-03-01", 3, (120, 200))),
            body(23, release("2026-03-01", 4, (20, 60))),
            body(24, release("2026-03-01", 7, (1_000, 1_000))),
            body(25, notice("beds", 1, NoticeCode::Declined)),
            body(26, notice("masks", 1, NoticeCode::Declined)),
            body(27, notice("masks", 2, NoticeCode::NoReport)),
        ]);
        assert_eq!(of_unit.gaps.count, 1);
        let gap = &of_unit.gaps.first[0];
        assert_eq!(
            (gap.figure.as_str(), gap.after, gap.next),
            ("cases 2026-03-01 for superior", 4, 7)
        );
        let revised = &of_unit.revisions;
        assert_eq!((revised.count, revised.first[0].edition, revised.first[0].percent), (1, 4, 30));
        assert_eq!(revised.first[0].reason.as_deref(), Some("late_reports"));
        let notices = [("declined".to_owned(), 2), ("no_report".to_owned(), 1)];
        assert_eq!(of_unit.notices, BTreeMap::from(notices));
    }

    #[test]
    fn lateness_counts_from_the_end_of_the_period_to_the_first_figure() {
        let body = |hours, body| statement("it/03", "it", hours, body);
        let of_unit = told(&[
            // Twelve hours after noon the first of March ends.
            body(15, release("2026-03-01", 1, (1, 1))),
            body(12 + 24 + 60, release("2026-03-02", 1, (1, 1))),
            // Nobody knows when this one was told first.
            body(500, release("2026-03-03", 2, (1, 1))),
        ]);
        let [late] = of_unit.lateness.as_slice() else { unreachable!("one indicator") };
        assert_eq!((late.told, late.late, late.longest_hours), (2, 1, 60));
        assert_eq!((late.longest.as_str(), late.median_hours), ("2026-03-02", 60));
        // Told on Thursday the fifth, at noon.
        assert_eq!(late.late_by_weekday, [0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn a_request_stands_until_something_shown_answers_it() {
        let (nation, region): (UnitPath, UnitPath) =
            ("it".parse().unwrap(), "it/03".parse().unwrap());
        let asked = |to: &str, hours, of: &[&str]| statement("it", to, hours, request(of));
        let said = |hours, body| statement("it/03", "it", hours, body);
        let due = Timestamp::from_millis(NOON + 100 * HOUR_MS);
        let open = |asked: Vec<Known>, said: Vec<Known>| -> Vec<Option<String>> {
            let known = BTreeMap::from([(&nation, asked), (&region, said)]);
            let found = unanswered(&region, &known, due);
            assert!(found.iter().all(|it| it.by == "it"));
            found.into_iter().map(|it| it.indicator).collect()
        };
        let two = || vec![asked("it/03", 0, &["cases", "beds"])];
        let beds = || said(5, notice("beds", 1, NoticeCode::Declined));
        assert_eq!(open(two(), vec![beds()]), [Some("cases".to_owned())]);
        assert_eq!(open(two(), Vec::new()), Vec::new(), "nothing of it was shown at all");
        let both = vec![beds(), said(6, release("2026-03-01", 1, (1, 1)))];
        assert_eq!(open(two(), both), Vec::new());
        // Only the newest counts, and only what is older than the patience.
        let again = vec![asked("it/03", 0, &["cases", "beds"]), asked("it/03", 50, &["cases"])];
        assert_eq!(open(again, vec![beds()]), [Some("cases".to_owned())]);
        assert_eq!(open(vec![asked("it/03", 101, &["cases"])], vec![beds()]), Vec::new());
        assert_eq!(open(vec![asked("it/05", 0, &["cases"])], vec![beds()]), Vec::new());
        assert_eq!(open(vec![asked("it/03", 6, &[])], vec![beds()]), [None]);
        assert_eq!(open(vec![asked("it/03", 4, &[])], vec![beds()]), Vec::new());
    }
}
