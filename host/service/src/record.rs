//! What the record of decisions keeps of one message.

use serde::Serialize;
use waxseal_engine::plan_text::{self, Detail};
use waxseal_engine::{LookUp, Outcome};
use waxseal_policy::{FilterTrace, Trace};

use crate::generations::now;
use crate::line::Line;

/// One line of the record.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Record<'m> {
    #[serde(flatten)]
    line: &'m Line,
    /// Unix seconds.
    recorded_at: i64,
    /// The plan and what came of it, line by line.
    decision: Vec<String>,
    /// What each filter did: rules, calls, times.
    filters: Vec<FilterTrace>,
    look_ups: Vec<Found>,
    harvested: usize,
    harvest_failure: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Found {
    address: String,
    usable: Vec<String>,
    rejected: Vec<String>,
    failed: Option<&'static str>,
}

impl<'m> Record<'m> {
    pub(crate) fn new(line: &'m Line, outcome: &Outcome, filter_logs: bool) -> Self {
        let text = plan_text::text(outcome, None, Detail::Stored);
        let trace = outcome.decision.as_ref().map(|decision| &decision.trace);
        Self {
            line,
            recorded_at: now(),
            decision: text.lines().map(str::to_owned).collect(),
            filters: trace
                .map(|trace| filters(trace, filter_logs))
                .unwrap_or_default(),
            look_ups: outcome.looked_up.iter().map(Found::of).collect(),
            harvested: outcome.harvested.as_ref().copied().unwrap_or(0),
            harvest_failure: outcome.harvested.as_ref().err().map(ToString::to_string),
        }
    }
}

/// What filters say in words of their own can hold content: it is kept only when the operator
/// says so. What they did stays.
fn filters(trace: &Trace, logs: bool) -> Vec<FilterTrace> {
    let mut filters = trace.filters.clone();
    if !logs {
        filters.iter_mut().for_each(forget_words);
    }
    filters
}

fn forget_words(filter: &mut FilterTrace) {
    filter.log.clear();
    filter.metrics.clear();
    filter.notes.values_mut().for_each(String::clear);
    let facts = filter.rules.iter_mut().flat_map(|rule| &mut rule.facts);
    facts.for_each(|(_, value)| value.clear());
    if let Some(failure) = &mut filter.failure {
        failure.message.clear();
    }
}

impl Found {
    fn of(look_up: &LookUp) -> Self {
        let rejected = look_up.rejected.iter();
        Self {
            address: look_up.address.clone(),
            usable: (look_up.usable.iter())
                .map(|(fingerprint, origin)| format!("{} {origin}", hex(fingerprint)))
                .collect(),
            rejected: rejected
                .map(|(fingerprint, reason)| format!("{} {reason}", hex(fingerprint)))
                .collect(),
            failed: look_up.failed,
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
