//! The arguments of `run` and `explain` → what the engine takes.

use std::fs;

use waxseal_engine::Transaction;
use waxseal_message::{Limits, Message};
use waxseal_policy::transaction::Session;
use waxseal_smime::Time;

use crate::commands::run::RunArgs;
use crate::fixture::session::{SessionFacts, at_the_keyboard};
use crate::input;
use crate::report::{Exit, Failure};

/// Reads the mail and the session facts.
pub(crate) fn read(args: &RunArgs, now: Time) -> Result<(Transaction, Message), Failure> {
    let session = session(args)?;
    // The policy's own limits are the engine's to apply: it names the limit that was reached.
    let octets = input::octets(args.file.as_deref(), Limits::default().octets)?;
    if octets.is_empty() {
        return Err(Failure::new(Exit::Data, "no mail in the input"));
    }
    let message = Message::parse(octets, &Limits::UNLIMITED)
        .map_err(|error| Failure::new(Exit::Data, error))?;
    let mut transaction = Transaction::new(
        args.from.0.clone(),
        args.to.iter().cloned(),
        message.to_bytes(),
        now.unix(),
    );
    transaction.session = session;
    Ok((transaction, message))
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
