//! `reeve audit decision`: decides again what a statement says was decided.

use std::fs;
use std::path::{Path, PathBuf};

use reeve_policy::authz::again::told;
use reeve_policy::authz::{Again, KeptQuestion, PolicySet};
use reeve_statement::cert::{CrlSet, RootList, StaleRule};
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::release::Decision;
use reeve_statement::statement::{Body, Statement};
use serde::Serialize;

use super::asking::Node;
use super::editions::or_none;
use super::identity::failed;
use super::{CommandError, Global, Output, Style, files, plain, sent};
use crate::api::JSON;
use crate::client::Client;
use crate::house::{CONFIG_FILE, House};

/// Names of the files of a decision. What any Cedar takes is written beside them.
const STATEMENT: &str = "statement.cose";
const ROOTS: &str = "roots.cbor";
const POLICY: &str = "policy.cedar";
const SCHEMA: &str = "schema.cedarschema";
const ASKED: &str = "asked.json";
const DECISION: &str = "decision.json";

/// Which decision.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A release, and a notice that the policy declines, name the policy set that decided and what it was asked,
by digest. This fetches both from the node of the house that signed it, holds them against the statement, and
decides again. The policy of a new node lets auditors have them (read_policy, read_decisions); the statement
itself is for read_sent.

With -o everything is written as files, which need no node any more: give the folder in place of the digest.
Of these request.json, entities.json, schema.cedarschema and effective.cedar are plain Cedar, for any engine:
  cedar authorize --request-json request.json --entities entities.json --schema schema.cedarschema
    --policies effective.cedar
effective.cedar has the policies that took part: those with @supersedes do under a declaration only, and then
in place of those that they name. asked.json and policy.cedar are the bytes that the digests are of (sha256sum).

The statement is verified under the federation's roots: of --roots, else of the folder of --home, else those
beside it, which prove nothing by themselves.

Examples:
  reeve audit decision 5f0c13d2 --api 127.0.0.1:7080 --token-file auditor.token --roots roots.cbor
  reeve audit decision 5f0c13d2 -o decision/
  reeve audit decision decision/ --roots roots.cbor --json

Exit codes: 0 decided again it is the same; 5 it is not, or what is shown is not what decided; 6 something that
is needed is not there; 1 it cannot be read.")]
pub struct Arguments {
    /// The digest of a statement (`reeve sent`), or how it begins; or a folder that this command has written
    #[arg(value_name = "STATEMENT")]
    decision: String,
    /// Write what decided as files into a new folder
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// The federation's roots (roots.cbor), which you have from elsewhere
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    #[command(flatten)]
    node: Node,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Agrees,
    Differs,
    /// What is shown is not what decided.
    NotWhatDecided,
    CannotTell,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Judged {
    statement: String,
    issuer: String,
    figure: String,
    issued_at: String,
    /// Whose roots the statement was verified under: named, of the home, or beside it.
    roots: &'static str,
    permitted: bool,
    policy_set: String,
    determining: Vec<String>,
    verdict: Verdict,
    findings: Vec<String>,
}

/// What there is, and nothing of it believed.
#[derive(Debug, Default)]
struct Shown {
    statement: Vec<u8>,
    roots: Option<Vec<u8>>,
    policy: Option<Vec<u8>>,
    schema: Option<Vec<u8>>,
    asked: Option<Vec<u8>>,
}

/// A decision as it was signed.
#[derive(Debug)]
struct Signatory {
    statement: Statement,
    digest: Digest,
    permitted: bool,
    decision: Decision,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let folder = Path::new(&arguments.decision);
    let (roots, mut shown) = if folder.is_dir() {
        let shown = Shown::read(folder)?;
        (trusted(arguments, global, shown.roots.as_deref())?, shown)
    } else {
        let client = arguments.node.client(global)?;
        let statement = fetch(&client, &arguments.decision)?;
        let shown = Shown { statement, ..Shown::default() };
        (trusted(arguments, global, None)?, shown)
    };
    let signed = Signatory::verify(&shown.statement, &roots.1)?;
    if !folder.is_dir() {
        shown.fetch(&arguments.node.client(global)?, &signed.decision)?;
    }
    let (verdict, findings, again) = judge(&signed, &shown);
    if let Some(folder) = &arguments.output {
        shown.write(folder, &signed, &roots.1, again.as_ref())?;
    }
    let figure = signed.statement.figure();
    let judged = Judged {
        statement: signed.digest.to_string(),
        issuer: signed.statement.issuer.to_string(),
        figure: figure.map(|(id, edition)| format!("{id} edition {edition}")).unwrap_or_default(),
        issued_at: signed.statement.issued_at.to_string(),
        roots: roots.0,
        permitted: signed.permitted,
        policy_set: signed.decision.policy_set.to_string(),
        determining: signed.decision.determining.clone(),
        verdict,
        findings,
    };
    output.show(&judged, || describe(&judged))?;
    match verdict {
        Verdict::Agrees => Ok(()),
        Verdict::Differs | Verdict::NotWhatDecided => {
            Err(CommandError::Findings("the decision does not hold: see above".to_owned()))
        }
        Verdict::CannotTell => {
            Err(CommandError::CannotTell("something that is needed is not there".to_owned()))
        }
    }
}

/// The roots to verify by, and where they are from.
fn trusted(
    arguments: &Arguments,
    global: &Global,
    beside: Option<&[u8]>,
) -> Result<(&'static str, RootList), CommandError> {
    let decode = |bytes: &[u8], name: &str| {
        let roots = RootList::decode(bytes);
        roots.map_err(|error| CommandError::Mistakes(format!("{name}: {error}")))
    };
    if let Some(path) = &arguments.roots {
        let bytes = files::read_bytes(path)?;
        return Ok(("named", decode(&bytes, &path.to_string_lossy())?));
    }
    if global.home.join(CONFIG_FILE).exists() {
        let house = House::open(&global.home).map_err(failed)?;
        return Ok(("home", house.identity().map_err(failed)?.roots.clone()));
    }
    let Some(bytes) = beside else {
        let text =
            "name the federation's roots with --roots, or a folder that has them with --home";
        return Err(CommandError::Usage(text.to_owned()));
    };
    Ok(("beside", decode(bytes, ROOTS)?))
}

/// The bytes of a statement that the node keeps.
fn fetch(client: &Client, digest: &str) -> Result<Vec<u8>, CommandError> {
    let digest = sent::whole(client, None, digest)?;
    let path = format!("/v1/statements/{}", crate::client::escaped(&digest));
    let found = or_none(client.bytes(&path, "application/cose"))?;
    let bytes = found.ok_or_else(|| {
        CommandError::Failed(format!("the node has no statement {digest}; see `reeve sent`"))
    })?;
    let same = Signed::decode(&bytes).is_ok_and(|it| it.digest().to_string() == digest);
    if same {
        return Ok(bytes);
    }
    Err(CommandError::Findings(format!("what the node shows as statement {digest} is another one")))
}

impl Shown {
    fn read(folder: &Path) -> Result<Self, CommandError> {
        let part = |name: &str| {
            let path = folder.join(name);
            path.exists().then(|| files::read_bytes(&path)).transpose()
        };
        Ok(Self {
            statement: files::read_bytes(&folder.join(STATEMENT))?,
            roots: part(ROOTS)?,
            policy: part(POLICY)?,
            schema: part(SCHEMA)?,
            asked: part(ASKED)?,
        })
    }

    /// Fetches what the decision names. What it is is judged later.
    fn fetch(&mut self, client: &Client, decision: &Decision) -> Result<(), CommandError> {
        let policy = |digest: &Digest| {
            or_none(client.bytes(&format!("/v1/policies/{digest}"), "text/plain"))
        };
        self.policy = policy(&decision.policy_set)?;
        let Some(asked) = decision.asked else { return Ok(()) };
        self.asked = or_none(client.bytes(&format!("/v1/asked/{asked}"), JSON))?;
        let kept = self.asked.as_deref().and_then(|it| core::str::from_utf8(it).ok());
        if let Some(kept) = kept.and_then(|it| KeptQuestion::parse(it).ok()) {
            self.schema = policy(&kept.schema())?;
        }
        Ok(())
    }

    fn write(
        &self,
        folder: &Path,
        signed: &Signatory,
        roots: &RootList,
        again: Option<&(KeptQuestion, Again)>,
    ) -> Result<(), CommandError> {
        if folder.exists() {
            return Err(CommandError::Usage(format!(
                "{} is there already: name a folder that is not, so that decisions do not mix",
                folder.display()
            )));
        }
        fs::create_dir_all(folder).map_err(unwritable(folder))?;
        let mut all: Vec<(&str, Vec<u8>)> =
            vec![(STATEMENT, self.statement.clone()), (ROOTS, roots.encode())];
        let parts = [(POLICY, &self.policy), (SCHEMA, &self.schema), (ASKED, &self.asked)];
        all.extend(parts.into_iter().filter_map(|(name, bytes)| Some((name, bytes.clone()?))));
        let decision = format!("{:#}\n", told(signed.permitted, &signed.decision));
        all.push((DECISION, decision.into_bytes()));
        if let Some((kept, again)) = again {
            all.extend(again.plain(kept).map(|(name, text)| (name, text.into_bytes())));
        }
        for (name, bytes) in all {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(unwritable(&path))?;
        }
        Ok(())
    }
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> CommandError {
    |reason| CommandError::File { doing: "cannot write", path: path.to_owned(), reason }
}

impl Signatory {
    /// Verifies as of when it was signed; what was revoked later is a question for `reeve audit verify`.
    fn verify(bytes: &[u8], roots: &RootList) -> Result<Self, CommandError> {
        let unsound = |reason: String| {
            CommandError::Findings(format!("the statement does not verify: {reason}"))
        };
        let signed = Signed::decode(bytes).map_err(|error| unsound(error.to_string()))?;
        let verifier = Verifier::new(roots.clone(), CrlSet::new(StaleRule::default()));
        let at = signed.unverified_issued_at();
        let verified = signed.verify(&verifier, at).map_err(|error| unsound(error.to_string()))?;
        let digest = verified.digest();
        let statement = verified.into_statement();
        let decided = match &statement.body {
            Body::Release(release) => Some((true, release.decision.clone())),
            Body::Notice(notice) if notice.code == NoticeCode::Declined => {
                notice.decision.clone().map(|decision| (false, decision))
            }
            _ => None,
        };
        let (permitted, decision) = decided.ok_or_else(|| {
            CommandError::CannotTell(format!(
                "statement {digest} is no decision of a policy: releases are, and notices that it declines"
            ))
        })?;
        Ok(Self { statement, digest, permitted, decision })
    }
}

type Found = (Verdict, Vec<String>, Option<(KeptQuestion, Again)>);

/// Holds what is shown against the digests that were signed, and decides again.
fn judge(signed: &Signatory, shown: &Shown) -> Found {
    let Signatory { decision, permitted, .. } = signed;
    let Some(asked) = decision.asked else {
        let text =
            "the statement does not say what was asked: a node of an older version signed it";
        return (Verdict::CannotTell, vec![text.to_owned()], None);
    };
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    let mut part = |what: &str, bytes: &Option<Vec<u8>>, digest: Digest| -> Option<String> {
        let Some(bytes) = bytes else {
            missing.push(format!("the {what} of digest {digest} is not there"));
            return None;
        };
        let found = Digest::of(bytes);
        if found != digest {
            others.push(format!(
                "the {what} does not match: the digest is {found}, {digest} was signed"
            ));
            return None;
        }
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let policy = part("policy set", &shown.policy, decision.policy_set);
    let question = part("question", &shown.asked, asked);
    let kept = question.as_deref().map(KeptQuestion::parse);
    let schema = match &kept {
        Some(Ok(kept)) => part("schema", &shown.schema, kept.schema()),
        _ => None,
    };
    let (policy, kept, schema) = match (policy, kept, schema) {
        _ if !others.is_empty() => return (Verdict::NotWhatDecided, others, None),
        (Some(policy), Some(Ok(kept)), Some(schema)) => (policy, kept, schema),
        (_, Some(Err(fault)), _) => return (Verdict::CannotTell, vec![fault.to_string()], None),
        _ => return (Verdict::CannotTell, missing, None),
    };
    let again = PolicySet::parse_under(&policy, POLICY, &schema)
        .map_err(|faults| faults.to_string())
        .and_then(|set| set.decide_again(&kept).map_err(|fault| fault.to_string()));
    match again {
        Err(reason) => (Verdict::CannotTell, vec![reason], None),
        Ok(again) => {
            let differences = again.differences(*permitted, decision);
            let verdict = if differences.is_empty() { Verdict::Agrees } else { Verdict::Differs };
            (verdict, differences, Some((kept, again)))
        }
    }
}

fn describe(judged: &Judged) -> String {
    let Judged { issuer, figure, issued_at, determining, policy_set, .. } = judged;
    let told = if judged.permitted { "permitted" } else { "declined" };
    let by = match determining.as_slice() {
        [] => "no policy applied".to_owned(),
        some => format!("by {}", some.join(", ")),
    };
    let mut text = format!(
        "{} {}, {}\n{told}, {}; policy set {policy_set}\n",
        plain(issuer),
        plain(figure),
        plain(issued_at),
        plain(&by)
    );
    if judged.roots == "beside" {
        text.push_str(
            "verified under the roots beside it, which prove nothing by themselves: name yours with --roots\n",
        );
    }
    for finding in &judged.findings {
        text.push_str(&format!("  {}\n", plain(finding)));
    }
    text.push_str(&match judged.verdict {
        Verdict::Agrees => Style::Good.of("agrees: decided again it is the same"),
        Verdict::Differs => Style::Bad.of("DIFFERS: decided again it is not the same"),
        Verdict::NotWhatDecided => Style::Bad.of("WRONG: what is shown is not what decided"),
        Verdict::CannotTell => Style::Doubtful.of("OPEN: it cannot be decided again"),
    });
    text
}
