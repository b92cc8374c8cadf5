//! `log`, `explain` and `metrics`: what is kept with the decision. Bounded and escaped.

use crate::bindings::waxseal::filter::types::NameValue;
use crate::bindings::waxseal::filter::{explain, log, metrics};
use crate::trace::{LogLine, MetricTrace, RuleTrace, bounded};

use super::{HostState, Work};

/// Characters of a name or a label that are kept.
const NAME: usize = 100;
/// Characters of a log line or a fact that are kept.
const TEXT: usize = 1_000;
/// Pairs that one record keeps.
const PAIRS: usize = 32;

impl log::Host for HostState {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(enabled(level))
    }

    fn emit(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<NameValue>,
    ) -> wasmtime::Result<()> {
        if !enabled(level) {
            return Ok(());
        }
        let limit = self.settings.limits.log_lines;
        if self.trace.log.len() >= limit {
            return Err(self.fail("filter.limit", format!("log lines: limit {limit}")));
        }
        let line = LogLine {
            level: name(level),
            message: bounded(message, TEXT),
            fields: pairs(fields),
        };
        self.count_record_bytes(line.message.len() + octets(&line.fields))?;
        self.print(level, &line);
        self.trace.log.push(line);
        Ok(())
    }
}

/// Below `info` only when somebody listens: most filters ask first, and save the work.
fn enabled(level: log::Level) -> bool {
    match level {
        log::Level::Trace => tracing::enabled!(target: "waxseal::filter", tracing::Level::TRACE),
        log::Level::Debug => tracing::enabled!(target: "waxseal::filter", tracing::Level::DEBUG),
        log::Level::Info | log::Level::Warn | log::Level::Error => true,
    }
}

fn name(level: log::Level) -> &'static str {
    match level {
        log::Level::Trace => "trace",
        log::Level::Debug => "debug",
        log::Level::Info => "info",
        log::Level::Warn => "warn",
        log::Level::Error => "error",
    }
}

impl HostState {
    /// Tagged by its target: what filters log can hold content of the message.
    fn print(&self, level: log::Level, line: &LogLine) {
        let filter = self.settings.name.as_str();
        let LogLine {
            message, fields, ..
        } = line;
        macro_rules! print {
            ($level:ident) => {
                tracing::event!(target: "waxseal::filter", tracing::Level::$level, filter, ?fields, "{message}")
            };
        }
        match level {
            log::Level::Trace => print!(TRACE),
            log::Level::Debug => print!(DEBUG),
            log::Level::Info => print!(INFO),
            log::Level::Warn => print!(WARN),
            log::Level::Error => print!(ERROR),
        }
    }

    /// Counts a record of so many octets that is kept with the decision.
    pub(super) fn count_record(&mut self, octets: usize) -> wasmtime::Result<()> {
        self.spent.records += 1;
        let limit = self.settings.limits.records;
        match self.spent.records <= limit {
            true => self.count_record_bytes(octets),
            false => Err(self.fail("filter.limit", format!("records kept: limit {limit}"))),
        }
    }

    fn count_record_bytes(&mut self, octets: usize) -> wasmtime::Result<()> {
        self.spent.record_bytes = self.spent.record_bytes.saturating_add(octets);
        let limit = self.settings.limits.record_bytes;
        match self.spent.record_bytes <= limit {
            true => Ok(()),
            false => {
                let message = format!("octets of records kept: limit {limit}");
                Err(self.fail("filter.limit", message))
            }
        }
    }

    /// Nothing is decided while settings are checked, so there is nothing to explain.
    fn keeps_records(&self) -> bool {
        matches!(self.work, Work::Deciding(_))
    }

    fn keep_metric(
        &mut self,
        kind: &'static str,
        name: &str,
        value: f64,
        labels: Vec<NameValue>,
    ) -> wasmtime::Result<()> {
        if !self.keeps_records() {
            return Ok(());
        }
        let metric = MetricTrace {
            kind,
            name: bounded(name, NAME),
            value,
            labels: pairs(labels),
        };
        self.count_record(metric.name.len() + octets(&metric.labels))?;
        self.trace.metrics.push(metric);
        Ok(())
    }
}

impl explain::Host for HostState {
    fn rule(&mut self, id: String, matched: bool, facts: Vec<NameValue>) -> wasmtime::Result<()> {
        if !self.keeps_records() {
            return Ok(());
        }
        let rule = RuleTrace {
            id: bounded(id, NAME),
            matched,
            facts: pairs(facts),
        };
        self.count_record(rule.id.len() + octets(&rule.facts))?;
        self.trace.rules.push(rule);
        Ok(())
    }
}

impl metrics::Host for HostState {
    fn count(&mut self, name: String, delta: u32, labels: Vec<NameValue>) -> wasmtime::Result<()> {
        self.keep_metric("count", &name, f64::from(delta), labels)
    }

    fn observe(
        &mut self,
        name: String,
        value: f64,
        labels: Vec<NameValue>,
    ) -> wasmtime::Result<()> {
        self.keep_metric("observe", &name, value, labels)
    }
}

fn pairs(pairs: Vec<NameValue>) -> Vec<(String, String)> {
    let pairs = pairs.into_iter().take(PAIRS);
    pairs
        .map(|pair| (bounded(pair.name, NAME), bounded(pair.value, TEXT)))
        .collect()
}

fn octets(pairs: &[(String, String)]) -> usize {
    pairs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}
