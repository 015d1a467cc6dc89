//! Failures as RFC 9457 problem documents.

use serde::{Deserialize, Serialize};

/// Why a request failed, and what to do next. Never holds a value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:reeve:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of failure, in a few words; the same for each code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: String,
    /// What happened here.
    pub detail: String,
    /// A stable word for why: of a policy that declines, or of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// Which fields are wrong, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Ids of the policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub determining: Vec<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// Which operation of the request, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
    /// The field; empty if the whole record is meant.
    pub field: String,
    /// The rule that the value breaks; never the value.
    pub rule: String,
}
