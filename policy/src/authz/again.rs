//! Decisions made again: what was asked is kept as a document, and answered from it alone.
//!
//! The document holds principal, action, resource, context and entities in Cedar's JSON, as `isAuthorized` of
//! Cedar's bindings takes them, and the digest of the schema that they fit. Whoever has it, the policy set and
//! the schema can decide again, with any Cedar. It is kept of questions about figures only: a unit asks, for an
//! indicator, and nothing in it is of a record or of a person.

use cedar_policy::{Context, Entities, Request};
use reeve_statement::catalogue::{Basis, Contributors, Filter, Floors, Indicator, Measure, Titles};
use reeve_statement::digest::Digest;
use reeve_statement::period::Step;
use reeve_statement::release;
use serde_json::{Map, Value, json};

use super::ask::{Asked, uid};
use super::decide::Decision;
use super::question::{Action, Circumstances, Peer, Principal, Question, Relation, Resource};
use super::set::{PolicySet, SCHEMA_HASH};

/// The form of the document.
const FORMAT: &str = "reeve-question/1";

/// Longest document, in bytes: a path, an indicator, a purpose and a legal basis, each of bounded length, take
/// less than a tenth.
pub const MAX_QUESTION_BYTES: usize = 64 * 1024;

/// Why a kept question cannot be answered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgainFault {
    /// It is too long.
    #[error("expected a question of at most {MAX_QUESTION_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// It is not JSON.
    #[error("the question is not JSON: {0}")]
    NotJson(String),
    /// It has another form.
    #[error("expected a question of the form {FORMAT:?}, found {0}")]
    Form(String),
    /// A part is missing, or is not what it must be.
    #[error("the question's {0} is missing or of no known form")]
    Part(&'static str),
    /// It does not fit the schema.
    #[error("the question does not fit the schema: {0}")]
    Schema(String),
}

/// What was asked once, as a home keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptQuestion {
    schema: Digest,
    parts: Map<String, Value>,
}

/// What a policy set says of a kept question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Whether it permits.
    pub permitted: bool,
    /// The decision; without declarations and adoption, which are not for a policy to say.
    pub decision: release::Decision,
    /// Why it declines.
    pub reason: Option<String>,
    /// The policies that take part, in Cedar: relaxations do under a declaration only.
    pub effective: String,
}

fn entity(kind: &str, id: &str) -> Value {
    json!({ "type": kind, "id": id })
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "__entity": entity(kind, id) })
}

impl Question {
    /// The document of it; none: it is not about a figure that a unit asks for.
    #[must_use]
    pub fn kept(&self) -> Option<String> {
        let (Principal::Unit(peer), Resource::Indicator(indicator)) =
            (&self.principal, &self.resource)
        else {
            return None;
        };
        if !self.action.sends_figures() {
            return None;
        }
        let path = peer.path.to_string();
        let document = json!({
            "form": FORMAT,
            "schema": SCHEMA_HASH.to_string(),
            "principal": entity("Unit", &path),
            "action": entity("Action", self.action.name()),
            "resource": entity("Indicator", indicator.id.as_str()),
            "context": context(&self.circumstances),
            "entities": [unit(peer), indicator_entity(indicator)],
        });
        Some(document.to_string())
    }
}

fn unit(peer: &Peer) -> Value {
    let above = core::iter::successors(peer.path.parent(), |path| path.parent());
    let above: Vec<Value> = above.map(|path| entity("Unit", &path.to_string())).collect();
    json!({
        "uid": entity("Unit", &peer.path.to_string()),
        "attrs": {
            "unit": peer.path.leaf().as_str(),
            "level": peer.path.depth(),
            "relation": reference("Relation", peer.relation.name()),
            "auditor": peer.auditor,
        },
        "parents": above,
    })
}

fn indicator_entity(indicator: &Indicator) -> Value {
    let kind = indicator.kind.as_str();
    let Floors { superior, neighbour, public } = indicator.floors;
    let mut attributes = json!({
        "kind": reference("Kind", kind),
        "personal": indicator.personal,
        "floors": { "superior": superior, "neighbour": neighbour, "public": public },
    });
    if let (Some(basis), Some(all)) = (&indicator.legal_basis, attributes.as_object_mut()) {
        all.insert("legal_basis".to_owned(), json!(basis));
    }
    json!({
        "uid": entity("Indicator", indicator.id.as_str()),
        "attrs": attributes,
        "parents": [entity("Kind", kind)],
    })
}

fn context(circumstances: &Circumstances) -> Value {
    let mut all = Map::new();
    all.insert("response_level".to_owned(), json!(circumstances.response_level));
    all.insert("purpose".to_owned(), json!(circumstances.purpose));
    if let Some(basis) = &circumstances.legal_basis {
        all.insert("legal_basis".to_owned(), json!(basis));
    }
    if let Some(period) = circumstances.period {
        let mut span = Map::new();
        span.insert("text".to_owned(), json!(period.to_string()));
        span.insert("step".to_owned(), reference("Step", &period.step().to_string()));
        let days = [("first_day", period.first_day()), ("last_day", period.last_day())];
        for (name, day) in days {
            if let Some(day) = day {
                let day = json!({ "__extn": { "fn": "datetime", "arg": day.to_string() } });
                span.insert(name.to_owned(), day);
            }
        }
        all.insert("period".to_owned(), Value::Object(span));
    }
    Value::Object(all)
}

/// Type and id of an entity.
fn named(value: &Value) -> Option<(&str, &str)> {
    Some((value.get("type")?.as_str()?, value.get("id")?.as_str()?))
}

impl KeptQuestion {
    /// Reads a document.
    ///
    /// # Errors
    /// [`AgainFault`] if it is none.
    pub fn parse(text: &str) -> Result<Self, AgainFault> {
        if text.len() > MAX_QUESTION_BYTES {
            return Err(AgainFault::TooLong(text.len()));
        }
        let read = serde_json::from_str(text);
        let parts: Map<String, Value> =
            read.map_err(|error| AgainFault::NotJson(error.to_string()))?;
        let form = parts.get("form").and_then(Value::as_str);
        if form != Some(FORMAT) {
            return Err(AgainFault::Form(form.unwrap_or("none").to_owned()));
        }
        let schema = parts.get("schema").and_then(Value::as_str);
        let schema = schema.and_then(|it| it.parse().ok()).ok_or(AgainFault::Part("schema"))?;
        let kept = Self { schema, parts };
        // What is missing is said at once, not when it is decided.
        kept.question()?;
        Ok(kept)
    }

    /// Digest of the schema that it fits.
    #[must_use]
    pub const fn schema(&self) -> Digest {
        self.schema
    }

    /// The entities, in Cedar's JSON.
    #[must_use]
    pub fn entities(&self) -> &Value {
        self.parts.get("entities").unwrap_or(&Value::Null)
    }

    /// The request, as Cedar's command line takes it.
    #[must_use]
    pub fn request(&self) -> Value {
        let uid = |part| {
            let found = self.parts.get(part).and_then(named).unwrap_or_default();
            // Names have letters, digits and `-`, `_`, `/`, `.` only: nothing in them is escaped.
            json!(format!("{}::\"{}\"", found.0, found.1))
        };
        json!({
            "principal": uid("principal"),
            "action": uid("action"),
            "resource": uid("resource"),
            "context": self.parts.get("context"),
        })
    }

    fn named(&self, part: &'static str, kind: &str) -> Result<&str, AgainFault> {
        let found = self.parts.get(part).and_then(named);
        found.filter(|(of, _)| *of == kind).map(|(_, id)| id).ok_or(AgainFault::Part(part))
    }

    /// The attributes of an entity.
    fn attributes(&self, part: &'static str, kind: &str) -> Result<&Value, AgainFault> {
        let id = self.named(part, kind)?;
        let entities = self.entities().as_array().ok_or(AgainFault::Part("entities"))?;
        let is = |entity: &&Value| entity.get("uid").and_then(named) == Some((kind, id));
        let found = entities.iter().find(is).and_then(|entity| entity.get("attrs"));
        found.ok_or(AgainFault::Part(part))
    }

    /// As a question of this program: of the indicator what a decision looks at, and nothing else.
    fn question(&self) -> Result<Question, AgainFault> {
        let action = self.named("action", "Action")?;
        let action = Action::ALL.iter().find(|it| it.name() == action && it.sends_figures());
        let context = self.parts.get("context").ok_or(AgainFault::Part("context"))?;
        let level = context.get("response_level").and_then(Value::as_u64);
        let level = level.and_then(|level| u8::try_from(level).ok());
        let circumstances = Circumstances {
            response_level: level.ok_or(AgainFault::Part("context"))?,
            ..Circumstances::default()
        };
        Ok(Question {
            principal: Principal::Unit(self.peer()?),
            action: *action.ok_or(AgainFault::Part("action"))?,
            resource: Resource::Indicator(Box::new(self.indicator()?)),
            circumstances,
        })
    }

    fn peer(&self) -> Result<Peer, AgainFault> {
        let wrong = || AgainFault::Part("principal");
        let path = self.named("principal", "Unit")?.parse().map_err(|_| wrong())?;
        let attributes = self.attributes("principal", "Unit")?;
        let relation = attributes.pointer("/relation/__entity/id").and_then(Value::as_str);
        let relation = Relation::ALL.into_iter().find(|it| Some(it.name()) == relation);
        let auditor = attributes.get("auditor").and_then(Value::as_bool);
        Ok(Peer {
            path,
            relation: relation.ok_or_else(wrong)?,
            auditor: auditor.ok_or_else(wrong)?,
        })
    }

    fn indicator(&self) -> Result<Indicator, AgainFault> {
        let wrong = || AgainFault::Part("resource");
        let id = self.named("resource", "Indicator")?.parse().map_err(|_| wrong())?;
        let attributes = self.attributes("resource", "Indicator")?;
        let floor = |class: &str| {
            let floor = attributes.get("floors").and_then(|it| it.get(class)?.as_u64());
            floor.and_then(|floor| u32::try_from(floor).ok()).ok_or_else(wrong)
        };
        let kind = attributes.pointer("/kind/__entity/id").and_then(Value::as_str);
        let kind = kind.and_then(|kind| kind.parse().ok()).ok_or_else(wrong)?;
        let basis = match attributes.get("legal_basis") {
            None => None,
            Some(basis) => Some(basis.as_str().ok_or_else(wrong)?.to_owned()),
        };
        Ok(Indicator {
            id,
            kind,
            personal: attributes.get("personal").and_then(Value::as_bool).ok_or_else(wrong)?,
            floors: Floors {
                superior: floor("superior")?,
                neighbour: floor("neighbour")?,
                public: floor("public")?,
            },
            legal_basis: basis,
            // What a decision does not look at.
            title: Titles::default(),
            filter: Filter::everything(),
            step: Step::Day,
            period_field: None,
            group_by: Vec::new(),
            measure: Measure::Count,
            scale: 0,
            area_depth: 0,
            residual: None,
            basis: Basis::Report,
            presence_told: false,
            expected_within_hours: None,
            record_range: None,
            contributors: Contributors::Records,
            cut_off: None,
            due_days: None,
        })
    }

    /// As Cedar takes it, read from the document by Cedar itself.
    pub(super) fn asked(&self, set: &PolicySet) -> Result<Asked, AgainFault> {
        let wrong = |error: &dyn core::fmt::Display| AgainFault::Schema(error.to_string());
        let entity = |part| {
            let found = self.parts.get(part).and_then(named).ok_or(AgainFault::Part(part))?;
            uid(found.0, found.1).map_err(|error| wrong(&error))
        };
        let (principal, action) = (entity("principal")?, entity("action")?);
        let context = self.parts.get("context").cloned().unwrap_or_default();
        let context = Context::from_json_value(context, Some((&set.schema, &action)))
            .map_err(|error| wrong(&error))?;
        let resource = entity("resource")?;
        let request = Request::new(principal, action, resource, context, Some(&set.schema))
            .map_err(|error| wrong(&error))?;
        let entities = Entities::from_json_value(self.entities().clone(), Some(&set.schema))
            .map_err(|error| wrong(&error))?;
        Ok(Asked { request, entities })
    }
}

impl PolicySet {
    /// Answers a kept question. The answer is none to act on: only [`PolicySet::decide`] makes a permit.
    ///
    /// # Errors
    /// [`AgainFault`] if Cedar cannot read the document under this set's schema.
    pub fn decide_again(&self, kept: &KeptQuestion) -> Result<Again, AgainFault> {
        let (question, asked) = (kept.question()?, kept.asked(self)?);
        let level = question.circumstances.response_level;
        let (set, verdict) = self.evaluate(&asked, level);
        let mut policies: Vec<_> = set.policies().collect();
        policies.sort_by_key(|policy| policy.id().clone());
        let effective = policies.iter().map(|policy| format!("{policy}\n")).collect();
        let decided = self.settle(&question, Ok(verdict));
        let (decision, reason) = match &decided {
            Decision::Permit(permit) => (permit.decision(), None),
            Decision::Decline(refusal) => (refusal.decision(), Some(refusal.reason().to_string())),
        };
        Ok(Again { permitted: decided.permit().is_some(), decision, reason, effective })
    }
}

/// A decision as a document for people and other programs.
#[must_use]
pub fn told(permitted: bool, decision: &release::Decision) -> Value {
    let release::Conditions { floor, min_step, rounding, retention_days, window_seconds } =
        decision.conditions;
    json!({
        "permitted": permitted,
        "policy_set": decision.policy_set.to_string(),
        "asked": decision.asked.map(|digest| digest.to_string()),
        "determining": decision.determining,
        "conditions": {
            "floor": floor,
            "min_step": min_step,
            "rounding": rounding,
            "retention_days": retention_days,
            "window_seconds": window_seconds,
        },
    })
}

impl Again {
    /// What any Cedar takes to decide the same, by the names of the files: request and entities as its command line
    /// reads them, and the policies that take part.
    #[must_use]
    pub fn plain(&self, kept: &KeptQuestion) -> [(&'static str, String); 3] {
        [
            ("request.json", format!("{:#}\n", kept.request())),
            ("entities.json", format!("{:#}\n", kept.entities())),
            ("effective.cedar", self.effective.clone()),
        ]
    }

    /// What a decision that was told says otherwise. Its conditions may be stricter than the policy demands,
    /// never less strict: a sum keeps what was demanded of its parts.
    #[must_use]
    pub fn differences(&self, permitted: bool, told: &release::Decision) -> Vec<String> {
        let mut found = Vec::new();
        let word = |permitted| if permitted { "permitted" } else { "declined" };
        if self.permitted != permitted {
            let why = self.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let (told, again) = (word(permitted), word(self.permitted));
            found.push(format!("told as {told}; decided again it is {again}{why}"));
        }
        if self.decision.determining != told.determining {
            let (told, again) = (told.determining.join(", "), self.decision.determining.join(", "));
            found.push(format!("told as decided by [{told}]; again it is decided by [{again}]"));
        }
        if permitted && self.permitted {
            found.extend(self.looser(&told.conditions));
        }
        found
    }

    /// Conditions that were told less strictly than they are demanded.
    fn looser(&self, told: &release::Conditions) -> Vec<String> {
        let demanded = &self.decision.conditions;
        let least = [
            ("floor", demanded.floor, told.floor),
            ("least step", demanded.min_step, told.min_step),
            ("rounding", demanded.rounding, told.rounding),
        ];
        let mut found: Vec<String> = least
            .into_iter()
            .filter(|(_, demanded, told)| told < demanded)
            .map(|(name, demanded, told)| format!("{name} {told} was told, {demanded} is demanded"))
            .collect();
        if told.window_seconds != demanded.window_seconds {
            let (told, demanded) = (told.window_seconds, demanded.window_seconds);
            found.push(format!("a window of {told} s was told, {demanded} s is demanded"));
        }
        if told.retention_days != demanded.retention_days {
            let days =
                |days: Option<u32>| days.map_or_else(|| "none".to_owned(), |n| n.to_string());
            let (told, demanded) = (days(told.retention_days), days(demanded.retention_days));
            found.push(format!("retention in days {told} was told, {demanded} is demanded"));
        }
        found
    }
}
