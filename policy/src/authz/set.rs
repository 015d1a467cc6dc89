//! Policy sets: parsed, validated strictly against the committed schema, named by digest.

use core::fmt;
use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Effect, Policy, PolicyId, PrincipalConstraint, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;
use reeve_statement::digest::Digest;

use super::conditions::{Conditions, SUPERSEDES};
use super::question::Action;
use super::source::{Place, Source, policies};

/// What the schema is called in errors.
const SCHEMA_FILE: &str = "reeve.cedarschema";

/// The schema every policy set is validated against.
pub const SCHEMA: &str = include_str!("reeve.cedarschema");

/// Its digest: each decision names it with what was asked.
pub(super) static SCHEMA_HASH: LazyLock<Digest> = LazyLock::new(|| Digest::of(SCHEMA.as_bytes()));

/// It, read once; or why it is broken.
static READ_SCHEMA: LazyLock<Result<Schema, String>> =
    LazyLock::new(|| Schema::from_str(SCHEMA).map_err(|error| error.to_string()));

/// The policy of a new node.
pub const DEFAULT_POLICY: &str = include_str!("default.cedar");

/// Longest policy file, in bytes. Hundreds of policies fit; what is longer is no policy file.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;

/// Longest id of a policy, in bytes: ids of determining policies travel in every release.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is no policy set. Every fault names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// It is not Cedar.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// It speaks of what the schema does not know, or wrongly.
    #[error("{place}: policy {policy:?} does not fit the schema: {reason}")]
    Schema {
        /// Where.
        place: Place,
        /// Which policy.
        policy: String,
        /// What the validator says.
        reason: String,
    },
    /// Two policies have one name.
    #[error("{place}: @id({id:?}) is already the name of the policy at {first}; choose another")]
    DuplicateId {
        /// The second.
        place: Place,
        /// The name.
        id: String,
        /// The first.
        first: Place,
    },
    /// A name is too long.
    #[error("{place}: expected an @id of at most {MAX_ID_BYTES} bytes, found {found}")]
    LongId {
        /// Where.
        place: Place,
        /// Its length in bytes.
        found: usize,
    },
    /// The file is too long.
    #[error("{file}: expected at most {MAX_POLICY_BYTES} bytes of policies, found {found}")]
    TooLong {
        /// The file.
        file: String,
        /// Its length in bytes.
        found: usize,
    },
    /// A permit supersedes what it cannot.
    #[error("{place}: policy {policy:?}: @supersedes: expected {expected}, found {found:?}")]
    Supersedes {
        /// Where.
        place: Place,
        /// Which policy.
        policy: String,
        /// What would be right.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The committed schema does not parse: a fault of this program.
    #[error("the built-in policy schema is broken, report this: {0}")]
    BuiltIn(String),
}

/// All faults of a policy text, in order of place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFaults(pub Vec<PolicyFault>);

impl fmt::Display for PolicyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for PolicyFaults {}

impl From<PolicyFault> for PolicyFaults {
    fn from(fault: PolicyFault) -> Self {
        Self(vec![fault])
    }
}

/// What is known of one policy besides what Cedar evaluates.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) place: Place,
    pub(super) permits: bool,
    pub(super) annotations: BTreeMap<String, String>,
    /// Where each annotation stands.
    pub(super) annotation_places: BTreeMap<String, Place>,
    /// Actions it can apply to.
    pub(super) actions: BTreeSet<&'static str>,
    /// Whether it can apply to a peer that asks for figures.
    pub(super) sends_figures: bool,
    /// Whether nothing narrows down whom it is about.
    pub(super) about_everybody: bool,
    /// For a relaxation: the policies in whose place it holds. Empty for every other policy.
    pub(super) supersedes: BTreeSet<String>,
    /// Whether its text asks for the response level.
    pub(super) reads_level: bool,
    /// What the validator finds odd.
    pub(super) warnings: Vec<String>,
}

impl Facts {
    pub(super) fn conditions(&self) -> Result<Conditions, Vec<super::AnnotationFault>> {
        Conditions::read(&self.annotations)
    }

    /// Whether it is a relaxation: it holds only while a declaration is in force.
    pub(super) fn relaxes(&self) -> bool {
        self.annotations.contains_key(SUPERSEDES)
    }
}

/// A validated set of policies.
#[derive(Debug, Clone)]
pub struct PolicySet {
    /// Every policy.
    pub(super) cedar: cedar_policy::PolicySet,
    /// Those that hold without a declaration.
    pub(super) strict: cedar_policy::PolicySet,
    /// Those that hold only under one.
    pub(super) relaxing: cedar_policy::PolicySet,
    pub(super) schema: Schema,
    pub(super) facts: BTreeMap<String, Facts>,
    hash: Digest,
    text: Arc<str>,
}

impl PolicySet {
    /// Parses and strictly validates the text of a policy file; `file` names it in errors.
    ///
    /// # Errors
    /// Every fault with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyFaults> {
        let schema = READ_SCHEMA.clone().map_err(PolicyFault::BuiltIn)?;
        Self::parse_with(text, file, schema)
    }

    /// The same, under the schema that decided once: another version of this program may have had another.
    ///
    /// # Errors
    /// Every fault with its place.
    pub fn parse_under(text: &str, file: &str, schema: &str) -> Result<Self, PolicyFaults> {
        if schema == SCHEMA {
            return Self::parse(text, file);
        }
        let read = Schema::from_str(schema).map_err(|error| PolicyFault::Syntax {
            place: Place { file: SCHEMA_FILE.to_owned(), line: 1 },
            reason: error.to_string(),
        })?;
        Self::parse_with(text, file, read)
    }

    fn parse_with(text: &str, file: &str, schema: Schema) -> Result<Self, PolicyFaults> {
        if text.len() > MAX_POLICY_BYTES {
            let file = file.to_owned();
            return Err(PolicyFault::TooLong { file, found: text.len() }.into());
        }
        let source = Source { file, text };
        let mut reading = Reading::default();
        for range in policies(text) {
            reading.policy(&source, range, &schema);
        }
        reading.validate(&source, &schema);
        reading.superseded();
        let (strict, relaxing) = reading.parted();
        let mut faults = reading.faults;
        if faults.is_empty() {
            let facts = reading.found.into_iter().map(|(id, (_, facts))| (id, facts)).collect();
            let hash = Digest::of(text.as_bytes());
            let (cedar, text) = (reading.cedar, Arc::from(text));
            return Ok(Self { cedar, strict, relaxing, schema, facts, hash, text });
        }
        faults.sort_by_key(|fault| fault.place().map_or(0, |place| place.line));
        Err(PolicyFaults(faults))
    }

    /// The policy of a new node.
    ///
    /// # Errors
    /// None that a test of this crate has not excluded.
    pub fn of_new_node() -> Result<Self, PolicyFaults> {
        Self::parse(DEFAULT_POLICY, "default.cedar")
    }

    /// SHA-256 of the policy file, as `sha256sum` prints it. Part of every decision.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The text that it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The ids of all policies, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    /// Where a policy stands.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<&Place> {
        self.facts.get(id).map(|facts| &facts.place)
    }
}

impl PolicyFault {
    /// Where the fault is, if it is at one place.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::Schema { place, .. }
            | Self::DuplicateId { place, .. }
            | Self::LongId { place, .. }
            | Self::Supersedes { place, .. } => Some(place),
            Self::TooLong { .. } | Self::BuiltIn(_) => None,
        }
    }
}

type Range = core::ops::Range<usize>;

/// A policy file half read.
#[derive(Default)]
struct Reading {
    cedar: cedar_policy::PolicySet,
    found: BTreeMap<String, (Range, Facts)>,
    faults: Vec<PolicyFault>,
}

impl Reading {
    fn policy(&mut self, source: &Source<'_>, range: Range, schema: &Schema) {
        let text = source.text.get(range.clone()).unwrap_or_default();
        let place = source.place(range.start);
        let policy = match Policy::parse(None, text) {
            Ok(policy) => policy,
            Err(error) => {
                let place = source.place(range.start.saturating_add(offset(&error)));
                return self.faults.push(PolicyFault::Syntax { place, reason: told(&error) });
            }
        };
        let named = policy.annotation("id").filter(|id| !id.is_empty()).map(str::to_owned);
        let id = named.unwrap_or_else(|| format!("line-{}", place.line));
        if id.len() > MAX_ID_BYTES {
            return self.faults.push(PolicyFault::LongId { place, found: id.len() });
        }
        if let Some((_, first)) = self.found.get(&id) {
            let first = first.place.clone();
            return self.faults.push(PolicyFault::DuplicateId { place, id, first });
        }
        let policy = policy.new_id(PolicyId::new(&id));
        let facts = facts(&policy, source, &range, schema);
        if let Err(error) = self.cedar.add(policy) {
            return self.faults.push(PolicyFault::Syntax { place, reason: error.to_string() });
        }
        self.found.insert(id, (range, facts));
    }

    /// Holds what each relaxation supersedes against the other policies.
    fn superseded(&mut self) {
        let mut faults = Vec::new();
        for (id, (_, facts)) in self.found.iter().filter(|(_, (_, facts))| facts.relaxes()) {
            let text = facts.annotations.get(SUPERSEDES).map_or("", String::as_str);
            let mut fault = |expected, found: &str| {
                let place = facts.annotation_places.get(SUPERSEDES).unwrap_or(&facts.place).clone();
                let (policy, found) = (id.clone(), found.to_owned());
                faults.push(PolicyFault::Supersedes { place, policy, expected, found });
            };
            if !facts.permits {
                fault("a permit: a forbid relaxes nothing", text);
            }
            for other in &facts.supersedes {
                match self.found.get(other) {
                    None => fault("ids of policies of this file, separated by commas", other),
                    Some((_, other_facts)) if other_facts.relaxes() => {
                        fault("policies that hold without a declaration", other);
                    }
                    Some(_) => {}
                }
            }
        }
        self.faults.extend(faults);
    }

    /// The policies that hold without a declaration, and those that do not.
    fn parted(&mut self) -> (cedar_policy::PolicySet, cedar_policy::PolicySet) {
        let mut parts = (cedar_policy::PolicySet::new(), cedar_policy::PolicySet::new());
        for policy in self.cedar.policies() {
            let id: &str = policy.id().as_ref();
            let relaxes = self.found.get(id).is_some_and(|(_, facts)| facts.relaxes());
            let part = if relaxes { &mut parts.1 } else { &mut parts.0 };
            if let Err(error) = part.add(policy.clone()) {
                self.faults.push(PolicyFault::BuiltIn(error.to_string()));
            }
        }
        parts
    }

    fn validate(&mut self, source: &Source<'_>, schema: &Schema) {
        let validator = Validator::new(schema.clone());
        let result = validator.validate(&self.cedar, ValidationMode::Strict);
        for error in result.validation_errors() {
            let policy: &str = error.policy_id().as_ref();
            let start = self.found.get(policy).map_or(0, |(range, _)| range.start);
            let place = source.place(start.saturating_add(offset(error)));
            let (policy, reason) = (policy.to_owned(), told(error));
            self.faults.push(PolicyFault::Schema { place, policy, reason });
        }
        for warning in result.validation_warnings() {
            let policy: &str = warning.policy_id().as_ref();
            if let Some((_, facts)) = self.found.get_mut(policy) {
                facts.warnings.push(warning.to_string());
            }
        }
    }
}

/// Where in its policy a diagnostic points, in bytes.
fn offset(diagnostic: &dyn Diagnostic) -> usize {
    diagnostic.labels().and_then(|labels| labels.map(|label| label.offset()).min()).unwrap_or(0)
}

/// A diagnostic's words with the advice it carries.
fn told(diagnostic: &dyn Diagnostic) -> String {
    match diagnostic.help() {
        Some(help) => format!("{diagnostic} ({help})"),
        None => diagnostic.to_string(),
    }
}

fn facts(policy: &Policy, source: &Source<'_>, range: &Range, schema: &Schema) -> Facts {
    let annotations: BTreeMap<_, _> =
        policy.annotations().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let envs: Vec<_> = policy.get_valid_request_envs(schema).collect();
    let applies =
        |action: Action| envs.iter().any(|env| env.action().id().unescaped() == action.name());
    let actions: Vec<_> = Action::ALL.iter().filter(|action| applies(**action)).collect();
    let unnarrowed = matches!(policy.principal_constraint(), PrincipalConstraint::Any)
        || matches!(policy.principal_constraint(), PrincipalConstraint::Is(_));
    let supersedes = annotations.get(SUPERSEDES).map_or_else(BTreeSet::new, |text| {
        text.split(',').map(|id| id.trim().to_owned()).collect()
    });
    let places = annotations.keys().map(|key| (key.clone(), source.annotation(range, key)));
    Facts {
        place: source.place(range.start),
        permits: policy.effect() == Effect::Permit,
        annotation_places: places.collect(),
        sends_figures: actions.iter().any(|action| action.sends_figures()),
        actions: actions.into_iter().map(|action| action.name()).collect(),
        supersedes,
        reads_level: policy.to_string().contains("response_level"),
        about_everybody: unnarrowed && !policy.has_non_scope_constraint(),
        warnings: Vec::new(),
        annotations,
    }
}
