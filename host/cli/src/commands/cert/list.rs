//! `waxseal cert list`: the certificates of a directory, a policy or a store as a table.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use waxseal_message::Address;
use waxseal_smime::{Certificate, Clock, Time};

use super::describe;
use super::known::{Known, StoreArgs, of_directory};
use crate::args::mailbox;
use crate::clock::{self, CommandClock};
use crate::report::Failure;
use crate::{output, table};

/// What `cert list` takes.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// A directory with certificates
    #[arg(
        value_name = "DIR",
        required_unless_present_any = ["policy", "store"],
        conflicts_with_all = ["policy", "store"]
    )]
    dir: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,

    /// Only those that are found for this address
    #[arg(long, value_name = "ADDR", value_parser = mailbox)]
    address: Option<Address>,

    /// Only those that came to be there in this way; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<OriginName>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OriginName {
    Identity,
    Pinned,
    Imported,
    Directory,
    Harvested,
}

impl OriginName {
    fn is(self, name: &str) -> bool {
        let own = self.to_possible_value();
        own.is_some_and(|own| own.get_name() == name)
    }
}

/// Prints the table; files that cannot be read are warnings.
pub(crate) fn run(args: ListArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let mut all = match &args.dir {
        Some(directory) => of_directory(directory)?,
        None => args.store.all(now)?,
    };
    if let Some(address) = &args.address {
        all.retain(|known| known.names(address));
    }
    if !args.origin.is_empty() {
        all.retain(|known| args.origin.iter().any(|wanted| wanted.is(known.origin)));
    }
    if args.json {
        let values: Vec<_> = all.iter().map(Known::as_json).collect();
        output::print_json(&values)?;
    } else {
        output::print(as_table(&all, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_table(all: &[Known], now: Time) -> String {
    let head = [
        "ADDRESS", "STATE", "KEY", "USAGE", "ORIGIN", "SHA-256", "FILE",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for known in all {
        let certificate = &known.certificate;
        rows.push(vec![
            holder(certificate),
            describe::state(certificate, now),
            certificate.key_algorithm().to_string(),
            describe::usage(certificate),
            known.origin.to_owned(),
            describe::short_fingerprint(certificate),
            known.place.clone(),
        ]);
    }
    table::aligned(&rows)
}

/// The addresses, else the domains, else the subject.
fn holder(certificate: &Certificate) -> String {
    let addresses: Vec<String> = certificate
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let text = if !addresses.is_empty() {
        addresses.join(" ")
    } else if !certificate.domains().is_empty() {
        certificate.domains().join(" ")
    } else {
        certificate.subject()
    };
    describe::printable(&text)
}
