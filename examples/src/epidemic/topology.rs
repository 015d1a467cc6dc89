//! Which municipalities there are, how many people live in each, and which ones border on which.

use reeve_statement::unit::{UnitError, UnitId, UnitPath};

/// A municipality of the synthetic federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Municipality {
    /// Where it stands; its last unit is its home.
    pub path: UnitPath,
    /// Residents.
    pub population: u32,
    /// Positions of its neighbours in [`Topology::municipalities`].
    pub neighbours: Vec<usize>,
}

/// Why municipalities make no topology. Whoever listed them is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// There are none, or too few people in one.
    #[error("expected at least one municipality of {least} or more residents each")]
    Empty {
        /// Fewest residents.
        least: u32,
    },
    /// A neighbour does not exist.
    #[error("municipality {of} borders on number {neighbour}, but there are only {count}")]
    Neighbour {
        /// Whose neighbour.
        of: UnitPath,
        /// Its position.
        neighbour: usize,
        /// How many municipalities there are.
        count: usize,
    },
    /// A name is no unit id.
    #[error(transparent)]
    Unit(#[from] UnitError),
}

/// Fewest residents of a municipality: below, there is no hospital and no outbreak to speak of.
const LEAST_POPULATION: u32 = 1_000;

/// Residents of a generated municipality: the least and what the others have more, in turn.
const GENERATED_POPULATION: u32 = 18_000;
const GENERATED_STEP: u32 = 7_000;
const GENERATED_SIZES: u32 = 4;

/// The municipalities of a synthetic federation, and their borders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    municipalities: Vec<Municipality>,
}

impl Topology {
    /// Takes municipalities; the outbreak begins in the first.
    ///
    /// # Errors
    /// [`TopologyError`] if there are none, one is tiny, or borders on nothing.
    pub fn new(municipalities: Vec<Municipality>) -> Result<Self, TopologyError> {
        let count = municipalities.len();
        let tiny = municipalities.iter().any(|m| m.population < LEAST_POPULATION);
        if tiny || count == 0 {
            return Err(TopologyError::Empty { least: LEAST_POPULATION });
        }
        for municipality in &municipalities {
            let missing = municipality.neighbours.iter().find(|at| **at >= count);
            if let Some(&neighbour) = missing {
                let of = municipality.path.clone();
                return Err(TopologyError::Neighbour { of, neighbour, count });
            }
        }
        Ok(Self { municipalities })
    }

    /// Municipalities at these paths. Each borders on those that have the same superior, and on the
    /// one before and the one after it.
    ///
    /// # Errors
    /// [`TopologyError`] if there are none.
    pub fn at(paths: impl IntoIterator<Item = UnitPath>) -> Result<Self, TopologyError> {
        let paths: Vec<UnitPath> = paths.into_iter().collect();
        let above: Vec<Option<UnitPath>> = paths.iter().map(UnitPath::parent).collect();
        let sizes = (0..GENERATED_SIZES).cycle();
        let municipalities = paths.into_iter().enumerate().zip(sizes).map(|((at, path), size)| {
            let superior = path.parent();
            let borders =
                |other: &usize| above.get(*other) == Some(&superior) || other.abs_diff(at) == 1;
            let neighbours = (0..above.len()).filter(|other| *other != at).filter(borders);
            let population = GENERATED_POPULATION + size * GENERATED_STEP;
            Municipality { population, neighbours: neighbours.collect(), path }
        });
        Self::new(municipalities.collect())
    }

    /// A nation of regions of municipalities: `nation/r1/r1-m1`, `nation/r1/r1-m2` and so on.
    ///
    /// # Errors
    /// [`TopologyError`] if `nation` is no unit id or there are no municipalities.
    pub fn nation(nation: &str, regions: u32, per_region: u32) -> Result<Self, TopologyError> {
        let root = UnitPath::root(UnitId::new(nation)?);
        let mut paths = Vec::new();
        for region in 1..=regions {
            let above = root.child(UnitId::new(&format!("r{region}"))?)?;
            for municipality in 1..=per_region {
                paths.push(above.child(UnitId::new(&format!("r{region}-m{municipality}"))?)?);
            }
        }
        Self::at(paths)
    }

    /// The municipalities, in the order of everything that speaks of them by position.
    #[must_use]
    pub fn municipalities(&self) -> &[Municipality] {
        &self.municipalities
    }
}
