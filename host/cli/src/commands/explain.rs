//! `waxseal explain`: what `run` would do with a mail, or what a service decided about a message,
//! and why. Nothing is written but what it prints.

pub(crate) mod args;
mod certificates;
mod decision;
mod trace;

use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waxseal_engine::plan_text::{self, Detail};
use waxseal_engine::{Engine, Outcome};
use waxseal_message::{Limits, Message};
use waxseal_policy::Trace;
use waxseal_smime::Clock;

use crate::clock::CommandClock;
use crate::commands::check;
use crate::commands::explain::args::ExplainArgs;
use crate::commands::explain::certificates::Judged;
use crate::commands::run::{RunArgs, report, transaction};
use crate::output;
use crate::report::Failure;

/// What `explain` tells.
struct Explained {
    outcome: Outcome,
    plan: String,
    certificates: Vec<Judged>,
    loading: Duration,
}

/// Prints the plan, the calls, the rules that matched and the time of each step.
pub(crate) fn run(args: ExplainArgs) -> Result<ExitCode, Failure> {
    match args {
        ExplainArgs::Mail(args) => mail(&args),
        ExplainArgs::Decision(args) => decision::run(args),
    }
}

fn mail(args: &RunArgs) -> Result<ExitCode, Failure> {
    let explained = explain(args)?;
    if args.json {
        output::print_json(&explained.json())?;
    } else {
        output::print(explained.text())?;
    }
    report::ending(&explained.outcome)
}

fn explain(args: &RunArgs) -> Result<Explained, Failure> {
    let now = CommandClock::from(args.at).now();
    let begun = Instant::now();
    let loaded = check::load(&args.policy, now)?;
    let loading = begun.elapsed();
    let transaction = transaction::read(args, now)?;
    // What is over a limit reaches no filter, and has no plan.
    let message = Message::parse(transaction.octets.clone(), &Limits::default()).ok();
    let recipients: Vec<_> = transaction
        .recipients
        .iter()
        .map(|each| each.address.clone())
        .collect();
    let certificates = certificates::judge(&loaded, &recipients, now);
    let engine = Engine::new(loaded.generation);
    let outcome = engine.rehearse(transaction);
    Ok(Explained {
        plan: plan_text::text(&outcome, message.as_ref(), Detail::Certificates),
        outcome,
        certificates,
        loading,
    })
}

impl Explained {
    fn trace(&self) -> Option<&Trace> {
        self.outcome
            .decision
            .as_ref()
            .map(|decision| &decision.trace)
    }

    fn text(&self) -> String {
        let mut text = format!("policy generation {}\n\nfilters\n", self.outcome.generation);
        // Writing to a string does not fail.
        let _ = trace::write(&mut text, self.trace());
        text += "\ncertificates\n";
        for each in &self.certificates {
            let _ = certificates::write(&mut text, each);
        }
        text += "\nplan\n";
        for line in self.plan.lines() {
            text += format!("  {line}").trim_end();
            text += "\n";
        }
        let stages = &self.outcome.stages;
        let times = [self.loading, stages.filters, stages.copies, stages.crypto];
        let [loading, filters, copies, crypto] = times.map(trace::time);
        let _ = writeln!(
            text,
            "\ntimes: policy loaded in {loading}, filters {filters}, copies {copies}; of these, cryptography {crypto}"
        );
        text
    }

    fn json(&self) -> Value {
        json!({
            "generation": self.outcome.generation,
            "plan": self.plan.lines().collect::<Vec<_>>(),
            "trace": self.trace(),
            "certificates": self.certificates.iter().map(certificates::json).collect::<Vec<_>>(),
            "outcome": self.outcome.report(),
            "times-us": {
                "load": micros(self.loading),
                "parse": micros(self.outcome.stages.parse),
                "filters": micros(self.outcome.stages.filters),
                "copies": micros(self.outcome.stages.copies),
                "crypto": micros(self.outcome.stages.crypto),
            },
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
