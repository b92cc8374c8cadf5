//! The binary `waxseal`: configuration, files, standard input and output, and the clock meet
//! the libraries here and nowhere else.
//!
//! What it does not do: any S/MIME, any policy. Each command reads its input, asks a library,
//! and prints. On failure it prints `error:` and, where there is one, `hint:` on standard error
//! and exits with a code of sysexits.h; it leaves no output file behind.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod args;
mod build;
mod clock;
mod commands;
mod component;
mod crypto;
mod fixture;
mod hex;
mod input;
mod logs;
mod opening;
mod output;
mod passphrase;
mod progress;
mod report;
mod serve;
mod table;
mod trust_args;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error),
    };
    logs::start(cli.verbose, &cli.command);
    if let Err(failure) = crypto::start() {
        return failure.report();
    }
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
