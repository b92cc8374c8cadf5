//! `waxseal reload` and `waxseal rollback`: change the policy of a running service.
//!
//! Exit 0: the policy that was asked for is active (or was already); 78: it was rejected, with
//! the step, the filter and every problem; 69: no service, or nothing to roll back to.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::output;
use crate::report::{Exit, Failure};
use crate::serve::control::Ask;
use crate::serve::control::client::Server;
use crate::serve::reload::{Outcome, Report};

/// Longer than a service takes to load any policy.
pub(crate) const WAIT: Duration = Duration::from_secs(24 * 3600);

/// What `reload` takes.
#[derive(Args)]
pub(crate) struct ReloadArgs {
    #[command(flatten)]
    server: Server,

    /// Load it beside the active generation: it is asked about live mail, and not followed
    #[arg(long)]
    shadow: bool,

    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// What `rollback` takes.
#[derive(Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    server: Server,

    /// The generation to go back to; the one before when not given
    #[arg(value_name = "GENERATION")]
    to: Option<String>,

    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// Loads the policy directory into a running service.
pub(crate) fn reload(args: &ReloadArgs) -> Result<ExitCode, Failure> {
    let ask = Ask::Reload {
        shadow: args.shadow,
    };
    tell(&args.server.ask(&ask, WAIT)?, args.json)
}

/// Goes back to an earlier generation.
pub(crate) fn rollback(args: RollbackArgs) -> Result<ExitCode, Failure> {
    let ask = Ask::Rollback { to: args.to };
    tell(&args.server.ask(&ask, WAIT)?, args.json)
}

/// Says what came of a request.
pub(crate) fn tell(report: &Report, json: bool) -> Result<ExitCode, Failure> {
    if json {
        output::print_json(report)?;
    }
    match report.result {
        Outcome::Rejected => Err(rejected(report, json)),
        Outcome::NothingToRollBackTo | Outcome::NoCandidate if json => Ok(Exit::Unavailable.into()),
        Outcome::NoCandidate => Err(Failure::new(Exit::Unavailable, "no candidate")
            .hint("`waxseal reload --shadow` loads one")),
        Outcome::NothingToRollBackTo => Err(Failure::new(
            Exit::Unavailable,
            "no such generation is loaded to roll back to",
        )
        .hint("`waxseal status` lists the earlier ones")),
        _ => {
            if !json {
                report.warnings.iter().for_each(crate::report::warn);
                output::print(format!("{}\n", report.words()))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn rejected(report: &Report, json: bool) -> Failure {
    let mut failure = Failure::silent(Exit::Config);
    let Some(rejected) = report.rejected.as_ref().filter(|_| !json) else {
        return failure;
    };
    for problem in &rejected.problems {
        failure = failure.and(&problem.message);
        if let Some(hint) = &problem.hint {
            failure = failure.hint(hint);
        }
    }
    let filter = rejected
        .filter
        .as_ref()
        .map(|name| format!(", filter {name}"));
    failure.and(format_args!(
        "policy rejected, step {}{}; this generation stays active: {}",
        rejected.step,
        filter.unwrap_or_default(),
        report.generation
    ))
}
