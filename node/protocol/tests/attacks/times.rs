//! Attack 6: statements dated before or after they were made.

use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::ReportAnswer;
use reeve_statement::time::Timestamp;

use crate::counts::count;
use crate::world::hostile::Hostile;
use crate::world::{CATALOGUE, World};
use crate::{day, greet, held};

/// How far into the future a statement may be dated.
const FUTURE_MS: i64 = 5 * 60 * 1_000;
/// The peers' certificates are valid from a day before the world begins.
const CERTIFIED_MS: i64 = 86_400_000;
const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

#[test]
fn attack_06_dates_out_of_the_window_are_refused_and_the_time_of_arrival_is_kept() {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let mut peer = Hostile::admit(&mut world, nation, "it/05", 1);
    greet(&mut world, &peer, nation);
    let elapsed = i64::try_from(world.now).unwrap();
    let edges = [FUTURE_MS, -CERTIFIED_MS - elapsed];
    let around =
        edges.into_iter().flat_map(|edge| [-2_000, -1_000, 0, 1_000, 2_000].map(|by| edge + by));
    let spread = i64::try_from(count(60, 390)).unwrap();
    let even = (0..spread).map(|n| -TEN_YEARS_MS + n * (2 * TEN_YEARS_MS / spread));
    let (mut refused, mut taken) = (0, 0);
    for (number, offset) in around.chain(even).enumerate() {
        let arrives = world.time().wall;
        let issued_at = Timestamp::from_seconds(arrives.plus_millis(offset).as_seconds());
        let statement = peer.signed(&world, &day(number), 1, |it| it.issued_at = issued_at);
        let answer = peer.deliver(&mut world, nation, &statement);
        let expected = match issued_at.since(arrives) {
            late if late > FUTURE_MS => ReportAnswer::Refused(Refusal::ClockSkew),
            early if early < -CERTIFIED_MS - elapsed => ReportAnswer::Refused(Refusal::NotYetValid),
            _ => ReportAnswer::Accepted,
        };
        assert_eq!(answer, expected, "{offset} ms");
        match answer {
            ReportAnswer::Accepted => taken += 1,
            _ => refused += 1,
        }
        let rows = held(&world, nation);
        assert_eq!(rows.len(), taken);
        // Whatever it says of itself, it came when it came.
        assert!(rows.iter().all(|row| row.received_at.since(arrives).abs() < 10_000));
    }
    assert!(refused > taken && taken > 4, "{refused} refused, {taken} taken");
}
