//! Shadow mode: a candidate is asked about live mail, and nobody follows it (DESIGN §7).
//!
//! It is asked on the worker of the message, after the active generation's answer was handed
//! out, so that no message waits for it; where too many messages are with it already, one is
//! skipped and counted. It carries nothing out and keeps nothing; what it opens is compared by
//! digest and forgotten. Reports name recipients, profiles and certificates, never content.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use waxseal_engine::{Generation, LookUps, Transaction, plan_text};
use waxseal_policy::Decision;
use waxseal_policy::plan::{Plan, Row};

use crate::generations::{Counted, GenerationState, GenerationStatus, now};
use crate::metrics;

/// Differences that a report keeps, the last ones.
const KEPT: usize = 100;
/// Lines of one difference.
const LINES: usize = 50;

/// How a candidate has fared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShadowReport {
    /// The candidate.
    pub candidate: GenerationStatus,
    /// Messages that it was asked about.
    pub compared: u64,
    /// Of these, those that it decides otherwise.
    pub different: u64,
    /// Messages that it was not asked about: too many were with it already.
    pub skipped: u64,
    /// The last differences, oldest first.
    pub differences: Vec<Difference>,
}

/// One message that the candidate decides otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The message.
    pub id: String,
    /// When, in Unix seconds.
    pub at: i64,
    /// The generation whose decision was carried out.
    pub active: String,
    /// What differs: `- ` as the active generation has it, `+ ` as the candidate has.
    pub lines: Vec<String>,
}

/// A candidate beside the active generation.
pub(crate) struct Shadow {
    candidate: Arc<Counted>,
    backlog: usize,
    pending: AtomicUsize,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    compared: u64,
    different: u64,
    skipped: u64,
    differences: VecDeque<Difference>,
}

/// A message that the candidate will be asked about.
pub(crate) struct Question {
    shadow: Arc<Shadow>,
    transaction: Transaction,
}

impl Shadow {
    pub(crate) fn new(candidate: Arc<Generation>, backlog: usize) -> Arc<Self> {
        Arc::new(Self {
            candidate: Counted::new(candidate),
            backlog,
            pending: AtomicUsize::new(0),
            tally: Mutex::default(),
        })
    }

    pub(crate) fn candidate(&self) -> &Arc<Generation> {
        &self.candidate.generation
    }

    /// Takes a message in, if there is room. The octets are shared, not copied.
    pub(crate) fn ask(self: &Arc<Self>, transaction: &Transaction) -> Option<Question> {
        if self.pending.fetch_add(1, Ordering::AcqRel) >= self.backlog {
            self.pending.fetch_sub(1, Ordering::AcqRel);
            self.lock().skipped += 1;
            metrics::shadow("skipped");
            return None;
        }
        Some(Question {
            shadow: Arc::clone(self),
            transaction: transaction.clone(),
        })
    }

    pub(crate) fn report(&self) -> ShadowReport {
        let tally = self.lock();
        ShadowReport {
            candidate: self.candidate.status(GenerationState::Shadow),
            compared: tally.compared,
            different: tally.different,
            skipped: tally.skipped,
            differences: tally.differences.iter().cloned().collect(),
        }
    }

    fn note(&self, id: &str, active: &str, lines: Vec<String>) {
        let different = !lines.is_empty();
        metrics::shadow(if different { "different" } else { "same" });
        let mut tally = self.lock();
        tally.compared += 1;
        if !different {
            return;
        }
        tally.different += 1;
        tracing::warn!(
            shadow = true,
            event = "shadow-difference",
            id,
            generation = active,
            candidate = self.candidate().id(),
            difference = lines.join("; "),
            "the candidate decides otherwise"
        );
        if tally.differences.len() >= KEPT {
            tally.differences.pop_front();
        }
        tally.differences.push_back(Difference {
            id: id.to_owned(),
            at: now(),
            active: active.to_owned(),
            lines,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// Asks the candidate, and notes what it decides otherwise than `active` did.
    pub(crate) fn compare(
        self,
        id: &str,
        generation: &str,
        active: Option<&Decision>,
        look_ups: &LookUps,
    ) {
        let shadow = &self.shadow;
        let span = tracing::info_span!(
            "shadow",
            shadow = true,
            id,
            candidate = shadow.candidate().id()
        );
        let transaction = self.transaction.clone();
        let considered = span.in_scope(|| shadow.candidate().consider(transaction, look_ups));
        let failed = considered
            .as_ref()
            .is_some_and(|decision| !decision.failures.is_empty());
        shadow.candidate.count(failed);
        shadow.note(id, generation, differences(active, considered.as_ref()));
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.shadow.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What of two decisions differs, compared by value. Empty: nothing.
fn differences(active: Option<&Decision>, candidate: Option<&Decision>) -> Vec<String> {
    let (active, candidate) = match (active, candidate) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec!["+ no filter would see the message".to_owned()],
        (None, Some(_)) => return vec!["- no filter saw the message".to_owned()],
        (Some(active), Some(candidate)) => (active, candidate),
    };
    let mut lines = Vec::new();
    if active.verdict != candidate.verdict {
        lines.push(format!(
            "- verdict: {}",
            plan_text::verdict(&active.verdict)
        ));
        lines.push(format!(
            "+ verdict: {}",
            plan_text::verdict(&candidate.verdict)
        ));
    }
    plans(&active.plan, &candidate.plan, &mut lines);
    let left = lines.len().saturating_sub(LINES);
    if left > 0 {
        lines.truncate(LINES);
        lines.push(format!("{left} more lines"));
    }
    lines
}

fn plans(active: &Plan, candidate: &Plan, lines: &mut Vec<String>) {
    if active.sender != candidate.sender {
        for (sign, plan) in [('-', active), ('+', candidate)] {
            let sender = plan.sender.as_ref().map(ToString::to_string);
            lines.push(format!("{sign} sender: <{}>", sender.unwrap_or_default()));
        }
    }
    if active.harvests != candidate.harvests {
        let (before, after) = (active.harvests.len(), candidate.harvests.len());
        lines.push(format!("- harvests: {before}"));
        lines.push(format!("+ harvests: {after}"));
    }
    for row in &active.rows {
        let address = &row.recipient.address;
        match of(candidate, row) {
            None => lines.push(format!("- {address}")),
            Some(other) if other != row => rows(row, other, lines),
            Some(_) => {}
        }
    }
    let added = candidate
        .rows
        .iter()
        .filter(|row| of(active, row).is_none());
    lines.extend(added.map(|row| format!("+ {}", row.recipient.address)));
}

/// The row of the same recipient.
fn of<'p>(plan: &'p Plan, row: &Row) -> Option<&'p Row> {
    let mut rows = plan.rows.iter();
    rows.find(|other| other.recipient.address == row.recipient.address)
}

fn rows(active: &Row, candidate: &Row, lines: &mut Vec<String>) {
    let address = &active.recipient.address;
    let (before, after) = (plan_text::row(active), plan_text::row(candidate));
    let from = lines.len();
    for (sign, these, others) in [('-', &before, &after), ('+', &after, &before)] {
        let these = these.lines().map(str::trim);
        let only = these.filter(|line| !others.lines().any(|other| other.trim() == *line));
        lines.extend(only.map(|line| format!("{sign} {address}: {line}")));
    }
    if active.message.digest() != candidate.message.digest() {
        lines.push(format!("+ {address}: other octets to begin with"));
    }
    if lines.len() == from {
        // A value that the text does not show.
        lines.push(format!("+ {address}: other values"));
    }
}
