//! `waxseal run`: one message through the policy, copies out.
//!
//! It exits 0 only when there are copies: one goes to standard output or, with `--out-dir`,
//! into the directory with `outcome.json`; several need the directory. Refused is 69,
//! deferred 75, quarantined 79, and nothing for anybody (discarded, dropped) 80, so that a pipe
//! never takes an empty output for a mail.

pub(crate) mod copies;
pub(crate) mod report;
pub(crate) mod transaction;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_engine::Engine;
use waxseal_message::Address;
use waxseal_smime::{Clock, Time};

use crate::args::{ReversePath, mailbox};
use crate::clock::{self, CommandClock};
use crate::commands::check;
use crate::output;
use crate::report::{Exit, Failure};

/// What `run` and `explain` take.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// The policy directory
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: PathBuf,

    /// The envelope sender; `<>` is the null reverse-path
    #[arg(long, value_name = "ADDR")]
    pub(crate) from: ReversePath,

    /// An envelope recipient; may be repeated
    #[arg(long, value_name = "ADDR", required = true, value_parser = mailbox)]
    pub(crate) to: Vec<Address>,

    /// The user who authenticated
    #[arg(long, value_name = "USER")]
    pub(crate) auth_user: Option<String>,

    /// The client's IP address
    #[arg(long, value_name = "IP")]
    pub(crate) client_ip: Option<IpAddr>,

    /// Facts about the session, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) session: Option<PathBuf>,

    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the copies and outcome.json into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,

    /// The time that it is for the filters and the signatures (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub(crate) at: Option<Time>,

    /// The mail; standard input when there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Takes the message through the policy and writes the copies.
pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let loaded = check::load(&args.policy, now)?;
    let transaction = transaction::read(&args, now)?;
    let outcome = Engine::new(loaded.generation).process(transaction);
    let copies = copies::of(&outcome);
    if let Some(out_dir) = &args.out_dir {
        copies::write(&outcome, out_dir)?;
    } else if let ([_, _, ..], false) = (copies, args.json) {
        let message = format!("{} different copies, and one standard output", copies.len());
        return Err(Failure::new(Exit::Usage, message)
            .hint("give --out-dir DIR: it gets every copy and outcome.json"));
    }
    report::about(&outcome);
    if args.json {
        output::print_json(&copies::report(&outcome, args.out_dir.as_deref()))?;
    } else if let ([copy], None) = (copies, &args.out_dir) {
        output::print(copy.message.to_bytes())?;
    }
    report::ending(&outcome)
}
