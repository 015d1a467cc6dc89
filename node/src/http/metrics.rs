//! `/metrics`: counted events and gauges, in the text format of Prometheus (version 0.0.4).
//!
//! Whoever may read metrics sees counts by fixed words, never data. Gauges that come from the status
//! are there for whoever may read that too; with the policy of a new node that is anybody with a
//! token, while metrics are for the operator.
//!
//! | metric | meaning |
//! |---|---|
//! | `reeve_events_total{event,reason}` | what the node counted: statements verified and refused, deliveries, signatures, by reason |
//! | `reeve_peers{state}` | peers that are connected or not |
//! | `reeve_subordinates{state}` | units one level down that are connected or not |
//! | `reeve_figures`, `reeve_figures_unsent`, `reeve_figures_refused` | figures kept; not yet with the superior; refused by it |
//! | `reeve_ledger_statements` | statements in the ledger |
//! | `reeve_writes_queued`, `reeve_persists_pending`, `reeve_imports_interrupted` | work that waits |
//! | `reeve_clock_behind_seconds` | not 0: the clock is so far behind what was signed last that nothing is signed |
//! | `reeve_certificate_expiry_seconds` | when this node's certificate ends, in seconds since 1970 |
//! | `reeve_build_info{version}` | always 1 |

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use reeve_protocol::counters::Counters;
use reeve_protocol::local::{Answer, Question, Status};

use super::body::Who;
use super::fault::Fault;
use super::service::Service;
use crate::api::METRICS;

pub(super) async fn metrics(
    State(service): State<Arc<Service>>,
    Who(who): Who,
) -> Result<impl IntoResponse, Fault> {
    let Answer::Metrics(counters) = service.ask(&who, Question::Metrics).await? else {
        return Err(Fault::OtherAnswer);
    };
    let mut text = String::new();
    let version = env!("CARGO_PKG_VERSION");
    one(
        &mut text,
        "build_info",
        "gauge",
        "The version of the program.",
        &[(format!("{{version=\"{version}\"}}"), 1)],
    );
    events(&mut text, &counters);
    if let Ok(Answer::Status(status)) = service.ask(&who, Question::Status).await {
        gauges(&mut text, &status);
    }
    Ok(([(header::CONTENT_TYPE, METRICS)], text))
}

fn one(text: &mut String, name: &str, kind: &str, help: &str, samples: &[(String, i64)]) {
    // Writing to a string cannot fail.
    let _ = write!(text, "# HELP reeve_{name} {help}\n# TYPE reeve_{name} {kind}\n");
    for (labels, value) in samples {
        let _ = writeln!(text, "reeve_{name}{labels} {value}");
    }
}

fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn events(text: &mut String, counters: &Counters) {
    let sample = |(event, reason, count): (&str, &str, u64)| {
        (format!("{{event=\"{event}\",reason=\"{reason}\"}}"), whole(count))
    };
    let samples: Vec<_> = counters.iter().map(sample).collect();
    one(text, "events_total", "counter", "Counted events by reason.", &samples);
}

fn gauges(text: &mut String, status: &Status) {
    let mut gauge = |name, help, value| one(text, name, "gauge", help, &[(String::new(), value)]);
    gauge("figures", "Figures kept.", whole(status.figures));
    gauge("figures_unsent", "Figures whose last edition the superior lacks.", whole(status.unsent));
    gauge("figures_refused", "Figures that the superior refused.", whole(status.refused.len()));
    gauge("ledger_statements", "Statements in the ledger.", whole(status.ledger_size));
    gauge("writes_queued", "Requests with records that wait.", whole(status.queued_writes));
    gauge("persists_pending", "Writes not durable yet.", whole(status.pending_persists));
    let interrupted = whole(status.interrupted_imports.len());
    gauge("imports_interrupted", "Imports that began and did not end.", interrupted);
    let behind = status.clock_behind.unwrap_or(0) / 1_000;
    gauge(
        "clock_behind_seconds",
        "How far the clock is behind the last signature; 0: it signs.",
        behind,
    );
    let ends = status.not_after.as_seconds();
    gauge("certificate_expiry_seconds", "When the certificate ends, since 1970.", ends);
    let peers = status.peers.iter().filter(|peer| peer.connected).count();
    connected(text, "peers", "Peers by connection.", peers, status.peers.len());
    let units = status.subordinates.iter().filter(|unit| unit.connected).count();
    connected(text, "subordinates", "Units below by connection.", units, status.subordinates.len());
}

fn connected(text: &mut String, name: &str, help: &str, connected: usize, all: usize) {
    let samples = [
        ("{state=\"connected\"}".to_owned(), whole(connected)),
        ("{state=\"away\"}".to_owned(), whole(all.saturating_sub(connected))),
    ];
    one(text, name, "gauge", help, &samples);
}
