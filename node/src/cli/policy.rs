//! `reeve policy`: checking a policy file, asking what it decides, and putting it in force. Consent is in
//! `adopt`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use reeve_policy::authz::{
    Action as Asked, Circumstances, Peer, Person, PolicySet, Principal, Question, Relation,
    Resource, Role, Scope, Weight,
};
use reeve_statement::catalogue::Catalogue;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::unit::UnitPath;
use serde_json::json;

use super::asking::Node;
use super::files::read_text;
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, plain};
use crate::api::{PolicyState, StatusView};
use crate::client::Client;

/// What to do with policies.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve policy check policy.cedar
  reeve policy explain --unit it --action pull --indicator confirmed_by_day
  reeve policy explain --role writer --action write_record --kind case
  reeve policy explain --role viewer --action query --indicator confirmed_by_day --own
  reeve policy preview policy.cedar
  reeve policy set policy.cedar
  reeve policy adopted --missing
  reeve policy adopt confirmed_by_day")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Check a policy file; needs no node
    Check(File),
    /// Say what the policy in force, or a file, decides, and why
    Explain(Box<Explain>),
    /// Say whose figures and rights a policy file would change, compared with the one in force
    Preview(File),
    /// Put a policy file in force, now and after restarts
    Set(File),
    /// Consent to send indicators that the catalogue proposes
    Adopt(super::adopt::Arguments),
    /// List what the catalogue proposes, and what this home adopted, when and by whom
    Adopted(super::adopt::List),
}

/// Which file.
#[derive(Debug, clap::Args)]
pub struct File {
    /// The policy file (Cedar)
    file: PathBuf,
}

/// What to ask.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// Ask for a unit, such as it/03
    #[arg(long, conflicts_with = "role", required_unless_present = "role")]
    unit: Option<UnitPath>,
    /// Ask for a person of this role
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// What is to be done, such as pull, query, read_record
    #[arg(long, value_parser = action)]
    action: Asked,
    /// With which indicator
    #[arg(long, conflicts_with = "kind")]
    indicator: Option<IndicatorId>,
    /// With which kind of records
    #[arg(long)]
    kind: Option<KindId>,
    /// What for
    #[arg(long, default_value = "situation reporting")]
    purpose: String,
    /// On which legal basis
    #[arg(long)]
    legal_basis: Option<String>,
    /// For which period
    #[arg(long)]
    period: Option<reeve_statement::period::Period>,
    /// In which area a person asks; else in all of the unit's
    #[arg(long, value_name = "PATH", conflicts_with = "unit")]
    area: Option<UnitPath>,
    /// A person asks for the unit's own table as it is
    #[arg(long, conflicts_with_all = ["unit", "area"])]
    own: bool,
    /// At which declared emergency response level
    #[arg(long, default_value_t = 0)]
    response_level: u8,
    /// A policy file; else the policy in force
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// What is said of something that takes a second person.
pub(super) fn waits(until: &str, command: &str, locale: &Locale) -> String {
    locale.fill(Text::SecondPerson, &[&plain(until), command])
}

fn role(text: &str) -> Result<Role, String> {
    Role::of_name(text).ok_or_else(|| "expected operator, writer, viewer or auditor".to_owned())
}

fn action(text: &str) -> Result<Asked, String> {
    let all = || Asked::ALL.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ");
    let found = Asked::ALL.iter().find(|action| action.name() == text);
    found.copied().ok_or_else(|| format!("expected one of {}", all()))
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = || arguments.node.client(global);
    match &arguments.action {
        Action::Check(File { file }) => check(file, output),
        Action::Explain(explain) => explain.run(&client()?, output),
        Action::Preview(File { file }) => preview(file, &client()?, output),
        Action::Adopt(what) => super::adopt::run(what, &client()?, output),
        Action::Adopted(list) => super::adopt::list(list, &client()?, output),
        Action::Set(File { file }) => {
            parse(file)?;
            let text = read_text(file)?.into_bytes();
            let state: PolicyState =
                client()?.send_bytes("PUT", "/v1/policy", "text/plain", text)?;
            output.show(&state, || {
                if let Some(until) = &state.waits_until {
                    let command = format!("reeve policy set {}", file.display());
                    return waits(until, &command, output.locale());
                }
                let count = state.policies.len();
                let mut text =
                    format!("{count} policies are in force: {}", state.policies.join(", "));
                for finding in &state.findings {
                    text.push_str(&format!("\n{}", plain(finding)));
                }
                text
            })
        }
    }
}

fn parse(file: &Path) -> Result<PolicySet, CommandError> {
    PolicySet::parse(&read_text(file)?, &file.to_string_lossy())
        .map_err(|faults| CommandError::Findings(faults.to_string()))
}

fn in_force(client: &Client) -> Result<PolicySet, CommandError> {
    let text = client.bytes("/v1/policy", "text/plain")?;
    PolicySet::parse(&String::from_utf8_lossy(&text), "the policy in force")
        .map_err(|faults| CommandError::Mistakes(faults.to_string()))
}

fn check(file: &Path, output: &Output) -> Result<(), CommandError> {
    let set = parse(file)?;
    let findings = set.check();
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let grave = findings.iter().any(|finding| finding.weight == Weight::Grave);
    if grave {
        return Err(CommandError::Findings(texts.join("\n")));
    }
    let document = json!({ "policies": set.ids().collect::<Vec<_>>(), "findings": texts });
    output.show(&document, || {
        let mut text = format!("{} policies, no mistakes", set.ids().count());
        for finding in &texts {
            text.push_str(&format!("\n{}", plain(finding)));
        }
        text
    })
}

impl Explain {
    fn run(&self, client: &Client, output: &Output) -> Result<(), CommandError> {
        let set = match &self.policy {
            Some(file) => parse(file)?,
            None => in_force(client)?,
        };
        let own = own_unit(client)?;
        let area = self.area.clone().unwrap_or_else(|| own.clone());
        let question = Question {
            principal: self.principal(&own),
            action: self.action,
            resource: self.resource(client, own)?,
            circumstances: Circumstances {
                purpose: self.purpose.clone(),
                legal_basis: self.legal_basis.clone(),
                period: self.period,
                area: (self.action == Asked::Query).then_some(area),
                own: self.own,
                response_level: self.response_level,
                ..Circumstances::default()
            },
        };
        let explanation = set.explain(&question);
        let document = json!({
            "question": explanation.question,
            "permitted": explanation.decision.permit().is_some(),
            "effect": explanation.effect(),
            "decided_by": explanation.fired.iter().map(|it| &it.policy).collect::<Vec<_>>(),
            "floor": explanation.floor.as_ref().map(ToString::to_string),
        });
        output.show(&document, || explanation.to_string())
    }

    fn principal(&self, own: &UnitPath) -> Principal {
        match (&self.unit, self.role) {
            (Some(unit), _) => peer(own, unit),
            (None, role) => person(role.unwrap_or(Role::Viewer)),
        }
    }

    fn resource(&self, client: &Client, own: UnitPath) -> Result<Resource, CommandError> {
        if let Some(id) = &self.indicator {
            let catalogue = client.catalogue()?;
            let found = catalogue.find(id).cloned();
            let missing = || CommandError::Failed(format!("no indicator {id} in the catalogue"));
            return Ok(Resource::Indicator(Box::new(found.ok_or_else(missing)?)));
        }
        let Some(id) = &self.kind else { return Ok(Resource::Node(own)) };
        let text = client.bytes("/v1/schema", crate::api::TOML)?;
        let schema = reeve_crdt::schema::Schema::parse("schema", &String::from_utf8_lossy(&text));
        let schema = schema.map_err(|problems| CommandError::Mistakes(problems.to_string()))?;
        let kind = schema.kind(id.as_str());
        let missing = || CommandError::Failed(format!("no kind {id} in the schema"));
        let personal = kind.ok_or_else(missing)?.is_personal();
        Ok(Resource::Kind { id: id.clone(), personal })
    }
}

fn own_unit(client: &Client) -> Result<UnitPath, CommandError> {
    let status: StatusView = client.get("/v1/status")?;
    UnitPath::from_str(&status.unit).map_err(super::identity::failed)
}

fn peer(own: &UnitPath, unit: &UnitPath) -> Principal {
    let relation = Relation::between(own, unit);
    Principal::Unit(Peer { path: unit.clone(), relation, auditor: false })
}

fn person(role: Role) -> Principal {
    Principal::Person(Person {
        name: format!("any-{}", role.name()),
        role,
        kinds: Scope::All,
        areas: Scope::All,
        indicators: Scope::All,
    })
}

/// Units that stand for each way to stand to this one.
fn units_around(own: &UnitPath) -> Vec<UnitPath> {
    let below = |unit: &UnitPath| {
        let id = reeve_statement::unit::UnitId::new("some-unit").ok()?;
        unit.child(id).ok()
    };
    let parent = own.parent();
    let mut units: Vec<UnitPath> =
        core::iter::successors(parent.clone(), UnitPath::parent).collect();
    units.extend(parent.as_ref().and_then(below));
    units.extend(below(own));
    units
}

fn questions(own: &UnitPath, catalogue: Option<&Catalogue>) -> Vec<Question> {
    let circumstances = Circumstances {
        purpose: "situation reporting".to_owned(),
        area: Some(own.clone()),
        ..Circumstances::default()
    };
    let question = |principal: Principal, action: Asked, resource: Resource| Question {
        principal,
        action,
        resource,
        circumstances: circumstances.clone(),
    };
    let roles = [Role::Operator, Role::Writer, Role::Viewer, Role::Auditor];
    let mut questions = Vec::new();
    for indicator in catalogue.iter().flat_map(|catalogue| &catalogue.indicators) {
        let resource = || Resource::Indicator(Box::new(indicator.clone()));
        for unit in units_around(own) {
            for action in [Asked::Pull, Asked::Subscribe] {
                let asked = question(peer(own, &unit), action, resource());
                let mut declared = asked.clone();
                declared.circumstances.response_level = 1;
                questions.extend([asked, declared]);
            }
        }
        for role in roles {
            let look = question(person(role), Asked::Query, resource());
            let mut own_look = look.clone();
            own_look.circumstances.own = true;
            questions.extend([look, own_look]);
        }
    }
    let not_of_node = [
        Asked::Pull,
        Asked::Subscribe,
        Asked::Query,
        Asked::AdoptIndicator,
        Asked::ReadRecord,
        Asked::WriteRecord,
        Asked::Import,
        Asked::ClosePeriod,
    ];
    for action in Asked::ALL.iter().filter(|action| !not_of_node.contains(action)) {
        for role in roles {
            questions.push(question(person(role), *action, Resource::Node(own.clone())));
        }
    }
    questions
}

fn preview(file: &Path, client: &Client, output: &Output) -> Result<(), CommandError> {
    let (now, then) = (in_force(client)?, parse(file)?);
    let own = own_unit(client)?;
    let catalogue = match client.catalogue() {
        Ok(catalogue) => Some(catalogue),
        Err(crate::client::ClientError::Problem(problem)) if problem.status == 404 => None,
        Err(error) => return Err(error.into()),
    };
    let questions = questions(&own, catalogue.as_ref());
    let differences = now.preview(&then, &questions);
    let document: Vec<_> = differences
        .iter()
        .map(|difference| {
            json!({
                "question": difference.before.question,
                "now": difference.before.effect(),
                "then": difference.after.effect(),
            })
        })
        .collect();
    output.show(&document, || {
        let mut text: String = differences.iter().map(|it| format!("{it}\n")).collect();
        text.push_str(&format!(
            "{} of {} answers would change",
            differences.len(),
            questions.len()
        ));
        text
    })
}
