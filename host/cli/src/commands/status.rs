//! `waxseal status`: what a running service does, and by which policy.
//!
//! Exit 0: it runs and all is well; 1: it runs, and something is degraded (standard output says
//! what); 69: no service.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::output;
use crate::report::Failure;
use crate::serve::control::Ask;
use crate::serve::control::client::Server;
use crate::serve::status::Status;

/// How long a service may take to say how it is.
const WAIT: Duration = Duration::from_secs(10);

/// How often a service that is not there yet is asked for.
const AGAIN: Duration = Duration::from_millis(100);

/// What `status` takes.
#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    server: Server,

    /// Wait so many seconds for the service to be there
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u16>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the state of a running service.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let status = ask(args)?;
    match args.json {
        true => output::print_json(&status)?,
        false => output::print(status.text())?,
    }
    Ok(match status.degraded.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The state, as soon as there is one.
fn ask(args: &StatusArgs) -> Result<Status, Failure> {
    let until = Instant::now() + Duration::from_secs(args.wait.unwrap_or(0).into());
    loop {
        match args.server.ask(&Ask::Status, WAIT) {
            Err(_) if Instant::now() < until => std::thread::sleep(AGAIN),
            answer => return answer,
        }
    }
}
