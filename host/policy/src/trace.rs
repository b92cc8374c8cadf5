//! What happened in an evaluation, kept for `explain` and logs.
//!
//! Everything here is bounded in number and length, and control characters are escaped.
//! Log lines can hold content of the message: who stores a trace decides whether to keep
//! them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::decision::FilterFailure;

/// What each filter that ran did, in order.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// One for each filter that ran.
    pub filters: Vec<FilterTrace>,
}

/// One evaluation.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FilterTrace {
    /// The filter's name.
    pub name: String,
    /// Its verdict in words; empty when it failed.
    pub verdict: String,
    /// What `explain.rule` was told.
    pub rules: Vec<RuleTrace>,
    /// Calls that asked for something or looked something up, in order. Plain reading of
    /// the message and the session is left out.
    pub calls: Vec<CallTrace>,
    /// Calls beyond the number that is kept.
    pub calls_left_out: usize,
    /// Lines that it logged.
    pub log: Vec<LogLine>,
    /// What it counted and observed.
    pub metrics: Vec<MetricTrace>,
    /// Notes that it set.
    pub notes: BTreeMap<String, String>,
    /// Wall-clock time, instantiation and host calls included.
    #[serde(serialize_with = "microseconds", rename = "elapsed-us")]
    pub elapsed: Duration,
    /// Of these, time that the host worked: look-ups, decoding and searching of parts.
    #[serde(serialize_with = "microseconds", rename = "waited-us")]
    pub waited: Duration,
    /// Why it failed, if it did.
    pub failure: Option<FilterFailure>,
}

impl FilterTrace {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// A rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The filter's name for it.
    pub id: String,
    /// Did it match?
    pub matched: bool,
    /// What it looked at.
    pub facts: Vec<(String, String)>,
}

/// A host call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallTrace {
    /// `interface.function`.
    pub function: &'static str,
    /// The arguments, shortened.
    pub arguments: String,
    /// The answer, shortened; for an error its code.
    pub answer: String,
    /// Was the answer an error?
    pub failed: bool,
}

/// A line that a filter logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// The text.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// A counter's step or an observation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricTrace {
    /// `count` or `observe`.
    pub kind: &'static str,
    /// The metric's name.
    pub name: String,
    /// Step or value.
    pub value: f64,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

fn microseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// At most `max` characters of `text`, control characters escaped.
pub(crate) fn bounded<'a>(text: impl Into<Cow<'a, str>>, max: usize) -> String {
    let text = text.into();
    // Nearly all of it is short, plain text.
    let plain = |octet: &u8| octet.is_ascii() && !octet.is_ascii_control();
    if text.len() <= max && text.as_bytes().iter().all(plain) {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len().min(max));
    for (count, character) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        match character.is_control() {
            true => out.extend(character.escape_default()),
            false => out.push(character),
        }
    }
    out
}
