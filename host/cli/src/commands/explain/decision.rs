//! What a service decided about a message, from its record.

use std::fmt::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::commands::explain::args::DecisionArgs;
use crate::commands::explain::trace::time;
use crate::output;
use crate::report::Failure;
use crate::serve::control::Ask;

/// How long a service may look for it.
const WAIT: Duration = Duration::from_secs(60);

/// Prints the record of a message.
pub(crate) fn run(args: DecisionArgs) -> Result<ExitCode, Failure> {
    let ask = Ask::Decision { id: args.id };
    let record: Value = args.server.ask(&ask, WAIT)?;
    match args.json {
        true => output::print_json(&record)?,
        false => output::print(text(&record))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn text(record: &Value) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, record);
    crate::report::harmless(&text)
}

fn write(out: &mut String, record: &Value) -> fmt::Result {
    writeln!(
        out,
        "message {}, policy generation {}",
        word(&record["id"]),
        word(&record["generation"])
    )?;
    for key in [
        "queue-id",
        "listener",
        "direction",
        "sender",
        "to",
        "size",
        "ending",
        "result",
        "replies",
        "next-hop",
    ] {
        let shown = word(&record[key]);
        if !shown.is_empty() {
            writeln!(out, "  {key}: {shown}")?;
        }
    }
    writeln!(out, "\nfilters")?;
    for (number, filter) in list(&record["filters"]).enumerate() {
        write_filter(out, number + 1, filter)?;
    }
    if list(&record["look-ups"]).next().is_some() {
        writeln!(out, "\ncertificates")?;
    }
    for look_up in list(&record["look-ups"]) {
        writeln!(out, "  {}", word(&look_up["address"]))?;
        for key in ["usable", "rejected", "failed"] {
            let shown = word(&look_up[key]);
            if !shown.is_empty() {
                writeln!(out, "      {key}: {shown}")?;
            }
        }
    }
    writeln!(out, "\nplan")?;
    for line in list(&record["decision"]) {
        writeln!(out, "{}", format!("  {}", word(line)).trim_end())?;
    }
    write_times(out, &record["times"])
}

fn write_filter(out: &mut String, number: usize, filter: &Value) -> fmt::Result {
    let failure = &filter["failure"];
    let verdict = match failure.is_null() {
        true => word(&filter["verdict"]),
        false => format!(
            "failed: {}: {}",
            word(&failure["code"]),
            word(&failure["message"])
        ),
    };
    let elapsed = micros(&filter["elapsed-us"]);
    writeln!(
        out,
        "  {number} {}: {verdict} ({elapsed})",
        word(&filter["name"])
    )?;
    for rule in list(&filter["rules"]) {
        let matched = match rule["matched"].as_bool() {
            Some(true) => "matched",
            _ => "did not match",
        };
        let facts =
            list(&rule["facts"]).map(|fact| format!("{}={}", word(&fact[0]), word(&fact[1])));
        let facts: Vec<String> = facts.filter(|fact| !fact.ends_with('=')).collect();
        let facts = match facts.is_empty() {
            true => String::new(),
            false => format!(" ({})", facts.join(", ")),
        };
        writeln!(out, "      rule {:?} {matched}{facts}", word(&rule["id"]))?;
    }
    for call in list(&filter["calls"]) {
        let arrow = match call["failed"].as_bool() {
            Some(true) => "failed:",
            _ => "→",
        };
        let [function, arguments, answer] =
            ["function", "arguments", "answer"].map(|key| word(&call[key]));
        writeln!(out, "      {function}({arguments}) {arrow} {answer}")?;
    }
    for line in list(&filter["log"]) {
        writeln!(
            out,
            "      log {}: {}",
            word(&line["level"]),
            word(&line["message"])
        )?;
    }
    Ok(())
}

fn write_times(out: &mut String, times: &Value) -> fmt::Result {
    let stages = [
        "wait",
        "parse",
        "filters",
        "copies",
        "crypto",
        "carry-out",
        "total",
    ];
    let times = stages.map(|stage| format!("{stage} {}", micros(&times[stage])));
    writeln!(out, "\ntimes: {}", times.join(", "))
}

fn micros(value: &Value) -> String {
    time(Duration::from_micros(value.as_u64().unwrap_or(0)))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A value in a line.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
