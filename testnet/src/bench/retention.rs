//! Removing half of a long line list: how long it takes, and for how long the store answers nothing while
//! its files are rewritten.

use std::path::Path;
use std::time::Duration;

use reeve::config::Engine;
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitPath;

use super::feed::{feed, mapping_text};
use super::import::{FIRST_DAY, parse, write_files};
use super::measure::{Measure, count};
use super::{BenchError, Extent};
use crate::stopwatch::now;
use crate::town::{LONG, Town, TownSpec, unexpected};

/// Cases of a full and of a quick run.
const CASES: (u32, u32) = (100_000, 3_000);

/// The day before which records are removed: about half of them are older.
const BEFORE_DAYS: i32 = 200;

/// How often the store is asked for something meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// Target on two cores, release build: nobody waits longer for an answer than a request may take.
const BLOCKED_SECONDS: f64 = 5.0;

/// Measures it.
///
/// # Errors
/// [`BenchError`].
pub async fn run(
    folder: &Path,
    extent: Extent,
    engine: Engine,
) -> Result<Vec<Measure>, BenchError> {
    let cases = extent.choose(CASES.0, CASES.1);
    let unit: UnitPath = parse("city")?;
    let (facilities, list) = write_files(folder, cases)?;
    let town = Town::raise(&TownSpec {
        folder: folder.join("nodes"),
        paths: vec![unit.clone()],
        schema: schema_expecting(u64::from(cases)),
        policy: None,
        engine,
        tap: None,
    })
    .await?;
    town.publish(CATALOGUE, LONG).await?;
    feed(&town, &unit, mapping_text("facility")?, &facilities).await?;
    feed(&town, &unit, mapping_text("case")?, &list).await?;
    let measures = expire(&town, &unit).await;
    town.stop().await?;
    measures
}

/// Removes the older half, and asks the store for something all the while.
async fn expire(town: &Town, unit: &UnitPath) -> Result<Vec<Measure>, BenchError> {
    let kind = KindId::new("case").map_err(|error| BenchError::Name(error.to_string()))?;
    let days = jiff::Span::new().days(BEFORE_DAYS);
    let before = FIRST_DAY.checked_add(days).ok();
    let what = Question::Expire { kind: Some(kind), before, dry: false };
    let began = now();
    let mut removing = std::pin::pin!(town.ask(unit, Role::Operator, what));
    let (mut longest, mut looks) = (Duration::ZERO, 0_u64);
    let answer = loop {
        let look = async {
            tokio::time::sleep(LOOK).await;
            let began = now();
            let what = Question::Sent { term: None, before: None, limit: 10 };
            town.ask(unit, Role::Operator, what).await.map(|_| began.elapsed())
        };
        tokio::select! {
            answer = &mut removing => break answer?,
            waited = look => {
                longest = longest.max(waited?);
                looks = looks.saturating_add(1);
            }
        }
    };
    let took = began.elapsed();
    let Answer::Expired(found) = answer else { return Err(unexpected(unit, &answer).into()) };
    let sum = |of: fn(&reeve_protocol::local::Expired) -> u64| {
        count(found.iter().map(of).fold(0_u64, u64::saturating_add))
    };
    let blocked = longest.as_secs_f64();
    Ok(vec![
        Measure::plain("retention: records removed", sum(|it| it.records), "records"),
        Measure::plain("retention: records kept", sum(|it| it.kept), "records"),
        Measure::plain("retention: from the order to the answer", took.as_secs_f64(), "s"),
        Measure::plain("retention: looks at the store meanwhile", count(looks), "looks"),
        Measure::at_most("retention: longest look", blocked, "s", BLOCKED_SECONDS),
    ])
}
