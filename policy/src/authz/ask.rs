//! Turns a question into what Cedar evaluates: a request, and the entities it speaks of.
//!
//! Entities and request are always built against the schema, so that a question which does not fit
//! is refused here and not answered by a policy that silently fails to apply.

use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema,
};
use reeve_statement::catalogue::Indicator;
use reeve_statement::period::Period;
use reeve_statement::unit::UnitPath;

use super::question::{Action, Circumstances, Peer, Person, Principal, Question, Resource, Scope};

/// A question that does not fit the schema; a mistake of the asking code, answered by a decline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the question does not fit the policy schema: {0}")]
pub struct QuestionFault(String);

fn fault(error: impl core::fmt::Display) -> QuestionFault {
    QuestionFault(error.to_string())
}

/// A question in Cedar's terms.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

type Attributes = Vec<(String, RestrictedExpression)>;

/// Types of entities by name. Cedar reads a name with a grammar each time, and a question has a dozen.
static TYPES: LazyLock<BTreeMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let names = [
        "Unit",
        "Person",
        "Node",
        "Indicator",
        "Kind",
        "Area",
        "Relation",
        "Role",
        "Step",
        "Action",
    ];
    names
        .into_iter()
        .filter_map(|name| Some((name, EntityTypeName::from_str(name).ok()?)))
        .collect()
});

pub(super) fn uid(kind: &str, id: &str) -> Result<EntityUid, QuestionFault> {
    let kind = match TYPES.get(kind) {
        Some(known) => known.clone(),
        None => EntityTypeName::from_str(kind).map_err(fault)?,
    };
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn reference(kind: &str, id: &str) -> Result<RestrictedExpression, QuestionFault> {
    uid(kind, id).map(RestrictedExpression::new_entity_uid)
}

fn references<'a>(
    kind: &str,
    ids: impl IntoIterator<Item = &'a (impl ToString + 'a)>,
) -> Result<RestrictedExpression, QuestionFault> {
    let set = ids.into_iter().map(|id| reference(kind, &id.to_string()));
    set.collect::<Result<Vec<_>, _>>().map(RestrictedExpression::new_set)
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn entity(
    id: EntityUid,
    attributes: Attributes,
    parents: Vec<EntityUid>,
) -> Result<Entity, QuestionFault> {
    let attributes = attributes.into_iter().collect();
    Entity::new(id, attributes, parents.into_iter().collect()).map_err(fault)
}

fn named<const N: usize>(pairs: [(&str, RestrictedExpression); N]) -> Attributes {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Every path above `path`, nearest first, as entities of `kind`.
fn above(kind: &str, path: &UnitPath) -> Result<Vec<EntityUid>, QuestionFault> {
    core::iter::successors(path.parent(), UnitPath::parent)
        .map(|path| uid(kind, &path.to_string()))
        .collect()
}

fn level(path: &UnitPath) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(path.depth()).unwrap_or(i64::MAX))
}

fn peer(peer: &Peer) -> Result<Entity, QuestionFault> {
    let attributes = named([
        ("unit", text(peer.path.leaf().as_str())),
        ("level", level(&peer.path)),
        ("relation", reference("Relation", peer.relation.name())?),
        ("auditor", RestrictedExpression::new_bool(peer.auditor)),
    ]);
    entity(uid("Unit", &peer.path.to_string())?, attributes, above("Unit", &peer.path)?)
}

/// A scope as two attributes: whether it is everything, and else what is in it.
fn scope<T: Ord + ToString>(
    kind: &str,
    scope: &Scope<T>,
) -> Result<(RestrictedExpression, RestrictedExpression), QuestionFault> {
    let none = BTreeSet::new();
    let (all, only) = match scope {
        Scope::All => (true, &none),
        Scope::Only(only) => (false, only),
    };
    Ok((RestrictedExpression::new_bool(all), references(kind, only)?))
}

fn person(person: &Person) -> Result<Entity, QuestionFault> {
    let (all_kinds, kinds) = scope("Kind", &person.kinds)?;
    let (all_areas, areas) = scope("Area", &person.areas)?;
    let (all_indicators, indicators) = scope("Indicator", &person.indicators)?;
    let attributes = named([
        ("role", reference("Role", person.role.name())?),
        ("all_kinds", all_kinds),
        ("kinds", kinds),
        ("all_areas", all_areas),
        ("areas", areas),
        ("all_indicators", all_indicators),
        ("indicators", indicators),
    ]);
    entity(uid("Person", &person.name)?, attributes, Vec::new())
}

fn indicator(indicator: &Indicator) -> Result<Entity, QuestionFault> {
    let kind = indicator.kind.as_str();
    let long = |floor: u32| RestrictedExpression::new_long(i64::from(floor));
    let floors = RestrictedExpression::new_record(named([
        ("superior", long(indicator.floors.superior)),
        ("neighbour", long(indicator.floors.neighbour)),
        ("public", long(indicator.floors.public)),
    ]))
    .map_err(fault)?;
    let mut attributes = named([
        ("kind", reference("Kind", kind)?),
        ("personal", RestrictedExpression::new_bool(indicator.personal)),
        ("floors", floors),
    ]);
    let basis = indicator.legal_basis.as_deref().map(text);
    attributes.extend(basis.map(|basis| ("legal_basis".to_owned(), basis)));
    entity(uid("Indicator", indicator.id.as_str())?, attributes, vec![uid("Kind", kind)?])
}

fn resource(resource: &Resource) -> Result<Entity, QuestionFault> {
    match resource {
        Resource::Indicator(found) => indicator(found),
        Resource::Kind { id, personal } => {
            let attributes = named([("personal", RestrictedExpression::new_bool(*personal))]);
            entity(uid("Kind", id.as_str())?, attributes, Vec::new())
        }
        Resource::Node(path) => {
            let mut parents = above("Unit", path)?;
            parents.push(uid("Unit", &path.to_string())?);
            entity(uid("Node", &path.to_string())?, named([("level", level(path))]), parents)
        }
    }
}

fn span(period: Period) -> Result<RestrictedExpression, QuestionFault> {
    let mut attributes = named([
        ("text", text(&period.to_string())),
        ("step", reference("Step", &period.step().to_string())?),
    ]);
    let days = [("first_day", period.first_day()), ("last_day", period.last_day())];
    for (name, day) in days {
        let day = day.map(|day| RestrictedExpression::new_datetime(day.to_string()));
        attributes.extend(day.map(|day| (name.to_owned(), day)));
    }
    RestrictedExpression::new_record(attributes).map_err(fault)
}

fn context(action: Action, circumstances: &Circumstances) -> Result<Context, QuestionFault> {
    let response_level = i64::from(circumstances.response_level);
    let mut pairs = named([("response_level", RestrictedExpression::new_long(response_level))]);
    if action.sends_figures() {
        pairs.push(("purpose".to_owned(), text(&circumstances.purpose)));
        let basis = circumstances.legal_basis.as_deref().map(text);
        pairs.extend(basis.map(|basis| ("legal_basis".to_owned(), basis)));
    }
    if let Some(area) = circumstances.area.as_ref().filter(|_| action == Action::Query) {
        pairs.push(("area".to_owned(), reference("Area", &area.to_string())?));
        pairs.push(("own".to_owned(), RestrictedExpression::new_bool(circumstances.own)));
    }
    if action.sends_figures() || action == Action::Query {
        let period = circumstances.period.map(span).transpose()?;
        pairs.extend(period.map(|period| ("period".to_owned(), period)));
    }
    Context::from_pairs(pairs).map_err(fault)
}

/// Builds request and entities against the schema.
pub(super) fn ask(question: &Question, schema: &Schema) -> Result<Asked, QuestionFault> {
    let principal = match &question.principal {
        Principal::Unit(found) => peer(found)?,
        Principal::Person(found) => person(found)?,
    };
    let resource = resource(&question.resource)?;
    let request = Request::new(
        principal.uid(),
        uid("Action", question.action.name())?,
        resource.uid(),
        context(question.action, &question.circumstances)?,
        Some(schema),
    )
    .map_err(fault)?;
    let mut entities = vec![principal, resource];
    if let Some(area) = &question.circumstances.area {
        let parents = above("Area", area)?.into_iter().collect();
        entities.push(Entity::new_no_attrs(uid("Area", &area.to_string())?, parents));
    }
    let entities = Entities::from_entities(entities, Some(schema)).map_err(fault)?;
    Ok(Asked { request, entities })
}
