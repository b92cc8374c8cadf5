//! What each filter did, as text.

use std::fmt::{self, Write};
use std::time::Duration;

use waxseal_policy::{FilterTrace, Trace};

/// One paragraph for each filter that ran.
pub(crate) fn write(out: &mut String, trace: Option<&Trace>) -> fmt::Result {
    let filters = trace
        .map(|trace| trace.filters.as_slice())
        .unwrap_or_default();
    if filters.is_empty() {
        return writeln!(out, "  none ran");
    }
    filters
        .iter()
        .enumerate()
        .try_for_each(|(index, filter)| one(out, index + 1, filter))
}

fn one(out: &mut String, number: usize, filter: &FilterTrace) -> fmt::Result {
    let verdict = match &filter.failure {
        Some(failure) => format!("failed: {}: {}", failure.code, failure.message),
        None => filter.verdict.clone(),
    };
    writeln!(
        out,
        "  {number} {}: {verdict} ({})",
        filter.name,
        time(filter.elapsed)
    )?;
    for rule in &filter.rules {
        let matched = if rule.matched {
            "matched"
        } else {
            "did not match"
        };
        writeln!(
            out,
            "      rule {:?} {matched}{}",
            rule.id,
            facts(&rule.facts)
        )?;
    }
    for call in &filter.calls {
        let arrow = if call.failed { "failed:" } else { "→" };
        writeln!(
            out,
            "      {}({}) {arrow} {}",
            call.function, call.arguments, call.answer
        )?;
    }
    if filter.calls_left_out > 0 {
        writeln!(out, "      and {} calls more", filter.calls_left_out)?;
    }
    for (key, value) in &filter.notes {
        writeln!(out, "      note {key}: {value}")?;
    }
    for line in &filter.log {
        writeln!(
            out,
            "      log {}: {}{}",
            line.level,
            line.message,
            facts(&line.fields)
        )?;
    }
    Ok(())
}

/// ` (name=value, …)`, or nothing.
fn facts(facts: &[(String, String)]) -> String {
    let facts: Vec<String> = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if facts.is_empty() {
        String::new()
    } else {
        format!(" ({})", facts.join(", "))
    }
}

/// A time in the unit that suits it.
pub(crate) fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
    }
}
