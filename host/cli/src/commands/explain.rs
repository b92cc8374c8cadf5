//! `waxseal explain`: what `run` would do, and why. Nothing is written but what it prints.

mod certificates;
mod trace;

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use waxseal_engine::Engine;
use waxseal_smime::Clock;

use crate::clock::CommandClock;
use crate::commands::check;
use crate::commands::run::{RunArgs, report, transaction};
use crate::fixture::plan::{self, Detail};
use crate::output;
use crate::report::Failure;

/// Prints the plan, the calls, the rules that matched and the time of each step.
pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let begun = Instant::now();
    let loaded = check::load(&args.policy, now)?;
    let loading = begun.elapsed();
    let (transaction, message) = transaction::read(&args, now)?;
    let recipients: Vec<_> = transaction
        .recipients
        .iter()
        .map(|each| each.address.clone())
        .collect();
    let found = certificates::judge(&loaded, &recipients, now);
    let engine = Engine::new(loaded.generation);
    let begun = Instant::now();
    let outcome = engine.process(transaction);
    let processing = begun.elapsed();
    let (trace, deciding) = match &outcome.decision {
        Some(decision) => {
            let deciding = decision
                .trace
                .filters
                .iter()
                .map(|filter| filter.elapsed)
                .sum();
            (Some(&decision.trace), deciding)
        }
        None => (None, std::time::Duration::ZERO),
    };
    let protecting = processing.saturating_sub(deciding);
    let plan = plan::text(&outcome, &message, Detail::Certificates);
    if args.json {
        output::print_json(&json!({
            "generation": outcome.generation,
            "plan": plan.lines().collect::<Vec<_>>(),
            "trace": trace,
            "certificates": found.iter().map(certificates::json).collect::<Vec<_>>(),
            "outcome": outcome.report(),
            "times-us": {
                "load": micros(loading),
                "filters": micros(deciding),
                "protect": micros(protecting),
            },
        }))?;
        return report::ending(&outcome);
    }
    let mut text = format!("policy generation {}\n\nfilters\n", outcome.generation);
    // Writing to a string does not fail.
    let _ = trace::write(&mut text, trace);
    let _ = writeln!(text, "\ncertificates");
    for each in &found {
        let _ = certificates::write(&mut text, each);
    }
    let _ = writeln!(text, "\nplan");
    for line in plan.lines() {
        let _ = writeln!(
            text,
            "{}",
            if line.is_empty() {
                String::new()
            } else {
                format!("  {line}")
            }
        );
    }
    let _ = writeln!(
        text,
        "\ntimes: policy loaded in {}, filters {}, copies {}",
        trace::time(loading),
        trace::time(deciding),
        trace::time(protecting)
    );
    output::print(text)?;
    report::ending(&outcome)
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
