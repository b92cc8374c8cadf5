//! `waxseal shadow`: what the candidate of `waxseal reload --shadow` would have decided, and what
//! becomes of it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::commands::reload;
use crate::output;
use crate::report::Failure;
use crate::serve::control::Ask;
use crate::serve::control::client::Server;
use crate::serve::reload::Report;
use crate::serve::status::ShadowStatus;

/// How long a service may take to answer.
const WAIT: Duration = Duration::from_secs(10);

/// What is done with the candidate.
#[derive(Subcommand)]
pub(crate) enum ShadowCommand {
    /// Print what it would have decided otherwise
    Report(ShadowArgs),
    /// Make it the active generation
    Promote(ShadowArgs),
    /// Let it go, and print how it fared
    Stop(ShadowArgs),
}

/// What each of them takes.
#[derive(Args)]
pub(crate) struct ShadowArgs {
    #[command(flatten)]
    server: Server,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) fn run(command: &ShadowCommand) -> Result<ExitCode, Failure> {
    let (args, ask) = match command {
        ShadowCommand::Report(args) => (args, Ask::ShadowReport),
        ShadowCommand::Stop(args) => (args, Ask::ShadowStop),
        ShadowCommand::Promote(args) => {
            let report: Report = args.server.ask(&Ask::ShadowPromote, reload::WAIT)?;
            return reload::tell(&report, args.json);
        }
    };
    let status: ShadowStatus = args.server.ask(&ask, WAIT)?;
    match args.json {
        true => output::print_json(&status)?,
        false => output::print(status.text())?,
    }
    Ok(ExitCode::SUCCESS)
}
