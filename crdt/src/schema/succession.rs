//! Whether a new version of a schema may take the place of the one that records were written under.
//!
//! Every record of the log must stay valid and stay in its shard, so a schema may add and widen, but
//! not take away or narrow.

use reeve_statement::names::{FieldId, KindId};

use super::Schema;
use super::kind::{Field, FieldType, Kind};

/// Why a schema cannot follow another. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Another name.
    #[error("expected the schema `{expected}`, found `{found}`")]
    OtherSchema {
        /// The name so far.
        expected: String,
        /// The new name.
        found: String,
    },
    /// Not a later version.
    #[error("expected a version above {previous}, found {found}; raise it with every change")]
    Version {
        /// The version so far.
        previous: u64,
        /// The new version.
        found: u64,
    },
    /// A kind is gone.
    #[error("kind `{0}` is gone, but records of it may exist; keep it")]
    KindGone(KindId),
    /// A property of a kind that its records depend on has changed.
    #[error("kind `{kind}`: {what} cannot change while records exist; put it back")]
    Kind {
        /// The kind.
        kind: KindId,
        /// What has changed.
        what: &'static str,
    },
    /// A field is gone, narrower, or newly required.
    #[error("field `{kind}.{field}` {what}; records that exist would no longer be valid")]
    Field {
        /// The kind.
        kind: KindId,
        /// The field.
        field: FieldId,
        /// What has changed.
        what: &'static str,
    },
}

impl Schema {
    /// Whether this schema may take the place of `previous`; the same schema always may.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub fn can_follow(&self, previous: &Self) -> Result<(), Vec<Incompatible>> {
        if self.hash() == previous.hash() {
            return Ok(());
        }
        let mut against = Vec::new();
        if self.name != previous.name {
            let (expected, found) = (previous.name.clone(), self.name.clone());
            against.push(Incompatible::OtherSchema { expected, found });
        }
        if self.version <= previous.version {
            let (previous, found) = (previous.version, self.version);
            against.push(Incompatible::Version { previous, found });
        }
        for kind in previous.kinds() {
            match self.kind(kind.id.as_str()) {
                Some(new) => compare_kinds(kind, new, &mut against),
                None => against.push(Incompatible::KindGone(kind.id.clone())),
            }
        }
        if against.is_empty() { Ok(()) } else { Err(against) }
    }
}

fn compare_kinds(old: &Kind, new: &Kind, against: &mut Vec<Incompatible>) {
    let fixed = [
        ("the number of shards (expected_records)", old.shards == new.shards),
        ("merge", old.merge == new.merge),
        ("twin", old.twin == new.twin),
        ("subject", old.subject == new.subject),
    ];
    for (what, _) in fixed.into_iter().filter(|(_, same)| !same) {
        against.push(Incompatible::Kind { kind: old.id.clone(), what });
    }
    let mut field = |id: &FieldId, what| {
        let (kind, field) = (old.id.clone(), id.clone());
        against.push(Incompatible::Field { kind, field, what });
    };
    for (id, old_field) in &old.fields {
        match new.fields.get(id) {
            None => field(id, "is gone"),
            Some(new) if !widens(&old_field.field_type, &new.field_type) => {
                field(id, "has another or a narrower type");
            }
            Some(new) if new.required && !old_field.required => field(id, "is newly required"),
            Some(_) => {}
        }
    }
    let added = |field: &&Field| field.required && !old.fields.contains_key(&field.id);
    for new_field in new.fields.values().filter(added) {
        field(&new_field.id, "is new and required");
    }
}

/// Whether every value of the old type is one of the new.
fn widens(old: &FieldType, new: &FieldType) -> bool {
    match (old, new) {
        (FieldType::Enum { values: old }, FieldType::Enum { values: new })
        | (FieldType::Band { labels: old }, FieldType::Band { labels: new }) => {
            old.iter().all(|value| new.contains(value))
        }
        (FieldType::Text { max: old }, FieldType::Text { max: new }) => old <= new,
        (
            FieldType::Integer { min: old_min, max: old_max },
            FieldType::Integer { min: new_min, max: new_max },
        ) => new_min <= old_min && old_max <= new_max,
        (
            FieldType::Decimal { scale: old, min: old_min, max: old_max },
            FieldType::Decimal { scale: new, min: new_min, max: new_max },
        ) => old == new && new_min <= old_min && old_max <= new_max,
        (old, new) => old == new,
    }
}
