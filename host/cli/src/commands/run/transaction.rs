//! The arguments of `run` and `explain` → what the engine takes.

use std::fs;

use waxseal_engine::Transaction;
use waxseal_policy::transaction::Session;
use waxseal_smime::Time;

use crate::commands::run::RunArgs;
use crate::fixture::session::{SessionFacts, at_the_keyboard};
use crate::input;
use crate::report::{Exit, Failure};

/// More than any policy takes: its own limit is the engine's to apply and to name.
const MAX_OCTETS: usize = 1 << 30;

/// Reads the mail and the session facts.
pub(crate) fn read(args: &RunArgs, now: Time) -> Result<Transaction, Failure> {
    let session = session(args)?;
    let octets = input::octets(args.file.as_deref(), MAX_OCTETS)?;
    if octets.is_empty() {
        return Err(Failure::new(Exit::Data, "no mail in the input"));
    }
    let mut transaction = Transaction::new(
        args.from.0.clone(),
        args.to.iter().cloned(),
        octets,
        now.unix(),
    );
    transaction.session = session;
    Ok(transaction)
}

fn session(args: &RunArgs) -> Result<Session, Failure> {
    if args.auth_user.is_none() && args.client_ip.is_none() && args.session.is_none() {
        return Ok(at_the_keyboard());
    }
    let facts = match &args.session {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| Failure::reading(file, &error))?;
            serde_json::from_str(&text).map_err(|error| {
                Failure::new(Exit::Data, format_args!("{error}: {}", file.display())).hint(
                    "it is a JSON object with keys such as auth-user, client-ip, helo, listener",
                )
            })?
        }
        None => SessionFacts::default(),
    };
    Ok(facts.with(args.auth_user.clone(), args.client_ip).into())
}
