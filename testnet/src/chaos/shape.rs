//! The federation that trials of chaos run: four levels, twelve units, fourteen nodes.

use reeve_statement::unit::UnitPath;

use crate::trial::TrialError;

/// The units, superiors first.
const UNITS: [&str; 12] = [
    "it",
    "it/03",
    "it/05",
    "it/03/015",
    "it/03/016",
    "it/05/028",
    "it/03/015/146",
    "it/03/015/182",
    "it/03/016/024",
    "it/03/016/198",
    "it/05/028/060",
    "it/05/028/086",
];

/// The unit whose home has further nodes, and how many.
const CROWDED: (&str, u8) = ("it/03/016/024", 2);

/// A small federation, for trials of one thing.
pub(super) const SMALL: [&str; 4] = ["it", "it/03", "it/03/015", "it/03/016"];

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its unit.
    pub(super) unit: UnitPath,
    /// Which node of its home, from 1.
    pub(super) member: u8,
    /// Which place it dials: its superior's, or that of its home's first node.
    pub(super) above: Option<usize>,
}

impl Place {
    /// Whether it reports for its unit.
    pub(super) const fn reports(&self) -> bool {
        self.member == 1
    }
}

/// The nodes, each after the one that it dials: those of all units first.
pub(super) fn places(units: &[&str]) -> Result<Vec<Place>, TrialError> {
    let mut places: Vec<Place> = Vec::new();
    for text in units {
        let unit: UnitPath =
            text.parse().map_err(|error| TrialError::Trial(format!("{text}: {error}")))?;
        let above = unit.parent();
        let above = above.and_then(|it| places.iter().position(|place| place.unit == it));
        places.push(Place { unit, member: 1, above });
    }
    let (crowded, further) = CROWDED;
    let first = places.iter().position(|place| place.unit.to_string() == crowded);
    for member in (2..).take(usize::from(further)) {
        let Some(unit) = first.and_then(|at| places.get(at)).map(|place| place.unit.clone()) else {
            break;
        };
        places.push(Place { unit, member, above: first });
    }
    Ok(places)
}

/// The whole federation.
pub(super) fn all() -> Result<Vec<Place>, TrialError> {
    places(&UNITS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn twelve_units_on_four_levels_have_fourteen_nodes() {
        let places = all().unwrap();
        assert_eq!(places.len(), 14);
        assert_eq!(places.iter().map(|place| place.unit.depth()).max(), Some(4));
        for (at, place) in places.iter().enumerate().skip(1) {
            assert!(place.above.is_some_and(|above| above < at), "{} dials nobody", place.unit);
        }
    }
}
