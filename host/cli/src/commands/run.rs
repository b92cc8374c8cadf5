//! `waxseal run`: one message through the policy, copies out.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_message::Address;
use waxseal_smime::Time;

use crate::args::{ReversePath, mailbox};
use crate::clock;
use crate::report::Failure;

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
pub(crate) fn run(_args: RunArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("run"))
}
