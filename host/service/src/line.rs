//! One line for each message: what is logged, counted and recorded when it has ended.
//!
//! It has ids, addresses, the plan in short and times; never content (DESIGN §8).

use std::time::Duration;

use serde::Serialize;
use waxseal_engine::{Disposition, Outcome, Transaction, plan_text};

use crate::ending::Ending;

/// Addresses that a line names; the others are counted.
const ADDRESSES: usize = 50;
/// Characters of the plan in short.
const PLAN: usize = 2_000;

/// What is known of a message when it comes in.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    queue_id: Option<String>,
    pub(crate) listener: Option<String>,
    sender: String,
    recipients: usize,
    to: Vec<String>,
    size: usize,
}

/// What happened to one message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Line {
    // First: who looks for a message reads the beginning of a line.
    pub(crate) id: String,
    pub(crate) queue_id: Option<String>,
    pub(crate) listener: Option<String>,
    pub(crate) generation: String,
    pub(crate) direction: Option<&'static str>,
    pub(crate) sender: String,
    pub(crate) recipients: usize,
    pub(crate) to: Vec<String>,
    pub(crate) size: usize,
    pub(crate) disposition: &'static str,
    /// Protections by copy, or the answer for all.
    pub(crate) plan: String,
    pub(crate) decided_by: Option<String>,
    pub(crate) failures: Vec<String>,
    pub(crate) ending: &'static str,
    /// What became of the message: the label of the metric.
    pub(crate) result: &'static str,
    pub(crate) replies: Vec<String>,
    pub(crate) next_hop: Vec<String>,
    pub(crate) times: Times,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Times {
    /// For a worker.
    pub(crate) wait: u64,
    pub(crate) parse: u64,
    pub(crate) filters: u64,
    pub(crate) copies: u64,
    /// Of filters and copies.
    pub(crate) crypto: u64,
    /// What the front end did with the outcome.
    pub(crate) carry_out: u64,
    /// From the message's arrival to its end.
    pub(crate) total: u64,
}

impl Facts {
    pub(crate) fn of(transaction: &Transaction) -> Self {
        let sender = transaction.sender.as_ref();
        let recipients = transaction.recipients.iter();
        Self {
            queue_id: transaction.queue_id.clone(),
            listener: transaction.session.listener.clone(),
            sender: sender.map(ToString::to_string).unwrap_or_default(),
            recipients: transaction.recipients.len(),
            to: recipients
                .take(ADDRESSES)
                .map(|each| each.address.to_string())
                .collect(),
            size: transaction.octets.len(),
        }
    }
}

impl Line {
    pub(crate) fn new(id: &str, facts: &Facts, outcome: &Outcome, ending: &Ending) -> Self {
        let decision = outcome.decision.as_ref();
        let failures = decision.into_iter().flat_map(|decision| &decision.failures);
        Self {
            id: id.to_owned(),
            queue_id: facts.queue_id.clone(),
            listener: facts.listener.clone(),
            generation: outcome.generation.clone(),
            direction: outcome.direction.map(|direction| direction.as_str()),
            sender: facts.sender.clone(),
            recipients: facts.recipients,
            to: facts.to.clone(),
            size: facts.size,
            disposition: disposition(&outcome.disposition),
            plan: plan_text::one_line(outcome).chars().take(PLAN).collect(),
            decided_by: decision.and_then(|decision| decision.decided_by.clone()),
            failures: failures
                .map(|each| format!("{}: {}", each.filter, each.code))
                .collect(),
            ending: ending.as_str(),
            result: result(&outcome.disposition, ending),
            replies: ending.replies().iter().map(ToString::to_string).collect(),
            next_hop: Vec::new(),
            times: Times {
                parse: microseconds(outcome.stages.parse),
                filters: microseconds(outcome.stages.filters),
                copies: microseconds(outcome.stages.copies),
                crypto: microseconds(outcome.stages.crypto),
                ..Times::default()
            },
        }
    }

    /// Writes it to the log.
    pub(crate) fn log(&self) {
        let times = &self.times;
        tracing::info!(
            target: "waxseal::message",
            id = self.id,
            "queue-id" = self.queue_id,
            listener = self.listener,
            generation = self.generation,
            direction = self.direction,
            sender = format_args!("<{}>", self.sender),
            recipients = self.recipients,
            to = self.to.join(" "),
            size = self.size,
            disposition = self.disposition,
            plan = self.plan,
            "decided-by" = self.decided_by,
            failures = some(self.failures.join("; ")),
            ending = self.ending,
            result = self.result,
            reply = some(self.replies.join("; ")),
            "next-hop" = some(self.next_hop.join("; ")),
            "wait-us" = times.wait,
            "parse-us" = times.parse,
            "filters-us" = times.filters,
            "copies-us" = times.copies,
            "crypto-us" = times.crypto,
            "carry-out-us" = times.carry_out,
            "total-us" = times.total,
            "message"
        );
    }
}

/// An empty field is left out.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn disposition(disposition: &Disposition) -> &'static str {
    match disposition {
        Disposition::Deliver(_) => "deliver",
        Disposition::Reject(_) => "reject",
        Disposition::Defer(_) => "defer",
        Disposition::Quarantine { .. } => "quarantine",
        Disposition::Discard => "discard",
    }
}

/// One word for what became of a message, whoever decided it.
fn result(disposition: &Disposition, ending: &Ending) -> &'static str {
    let taken = match disposition {
        Disposition::Quarantine { .. } => "quarantined",
        Disposition::Discard => "discarded",
        _ => "delivered",
    };
    match ending {
        Ending::Abandoned => "abandoned",
        Ending::Held => "quarantined",
        Ending::Edited | Ending::Unchanged | Ending::Dropped => taken,
        Ending::Replied(_) | Ending::RepliedEach(_) => {
            let replies = ending.replies();
            let some = |class: u16| replies.iter().any(|reply| reply.code / 100 == class);
            match (some(2), some(4), some(5)) {
                (true, false, false) => taken,
                (true, ..) => "partly",
                (false, false, true) => "refused",
                // Deferred, or no reply that we know: the client has the message still.
                (false, ..) => "deferred",
            }
        }
    }
}

pub(crate) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
