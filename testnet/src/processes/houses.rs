//! The folders of a federation's nodes: founded once and used again.

use reeve::clock::wall;
use reeve::house::{Authority, CONFIG_FILE, House, Passphrase};
use reeve_crdt::schema::Schema;
use reeve_statement::unit::UnitPath;

use crate::town::{PASSPHRASE, TownError, TownSpec, found, house_error};

/// The houses of a federation, founded or found.
#[derive(Debug)]
pub struct Houses {
    list: Vec<(UnitPath, House, Authority)>,
    schema: Schema,
}

impl Houses {
    /// Opens the folders that are there, and founds the others.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn open(spec: &TownSpec) -> Result<Self, TownError> {
        let schema = Schema::parse("schema.toml", &spec.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let mut houses = Self { list: Vec::new(), schema };
        for path in &spec.paths {
            let (house, authority) = houses.open_or_found(spec, path)?;
            houses.list.push((path.clone(), house, authority));
        }
        Ok(houses)
    }

    /// The houses with their units, superiors first.
    #[must_use]
    pub fn list(&self) -> &[(UnitPath, House, Authority)] {
        &self.list
    }

    /// Takes a house away, so that no process is started for it.
    pub fn take(&mut self, unit: &UnitPath) -> Option<House> {
        let at = self.list.iter().position(|(other, _, _)| other == unit)?;
        Some(self.list.remove(at).1)
    }

    fn open_or_found(
        &self,
        spec: &TownSpec,
        path: &UnitPath,
    ) -> Result<(House, Authority), TownError> {
        let folder = spec.folder_of(path);
        if folder.join(CONFIG_FILE).exists() {
            let house = House::open(&folder).map_err(|error| house_error(path, error))?;
            let authority = house.authority(&Passphrase::new(PASSPHRASE));
            return Ok((house, authority.map_err(|error| house_error(path, error))?));
        }
        let Some(above) = path.parent() else { return found(spec, path, None) };
        let superior = self.list.iter().find(|(unit, _, _)| *unit == above);
        let (_, house, authority) = superior.ok_or_else(|| TownError::Order(path.clone()))?;
        found(spec, path, Some((house, authority)))
    }

    /// The pack's catalogue, signed by the first unit's authority.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn sign_catalogue(&self, text: &str) -> Result<Vec<u8>, TownError> {
        let catalogue = reeve_crdt::catalogue::parse("catalogue.toml", text, &self.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let first = self.list.first();
        let (path, house, authority) =
            first.ok_or_else(|| TownError::Text("there are no units".to_owned()))?;
        let failed = |error| house_error(path, error);
        let federation = house.identity().map_err(failed)?.roots.federation();
        authority.sign_catalogue(federation, catalogue, wall()).map_err(failed)
    }
}
