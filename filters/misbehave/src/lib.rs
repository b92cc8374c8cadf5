//! What a filter must not do, for the host's tests: each gives a named error and
//! an outcome, and nothing leaves in clear.
//!
//! `{"behave": "apply-profile", "name": "secret"}`: see [`Behaviour`].
//! Grants, so that it loads at all: `actions`, `profiles`.

use std::hint::black_box;

use serde::Deserialize;
use waxseal_guest::{mail::Message, prelude::*};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Misbehave {
    behave: Behaviour,
    /// Of what is asked for.
    #[serde(default)]
    name: String,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    /// Returns `proceed` and does nothing.
    Nothing,
    /// Never returns.
    Loop,
    /// Never returns from `validate-config`.
    LoopInValidate,
    /// Executes `unreachable`.
    Trap,
    /// Panics, with a word about it in the log.
    Panic,
    /// Recurses until the stack is gone.
    Recurse,
    /// Allocates until memory is gone.
    ExhaustMemory,
    /// Keeps message handles without end.
    ManyHandles,
    /// Logs without end.
    ManyLogs,
    /// Leaves notes without end.
    ManyNotes,
    /// Reads the message over and over.
    ReadForever,
    /// Returns an error.
    Error,
    /// Rejects with a reply of the wrong class.
    BadReply,
    /// Rejects with a line end in the text.
    BadReplyText,
    /// Applies the profile `name` now.
    ApplyProfile,
    /// Applies the profile `name` on delivery.
    ApplyOnDelivery,
    /// Asks the list `name`.
    AskList,
    /// Asks the dictionary `name`.
    AskDictionary,
    /// Sets everybody's message back to the original.
    UndoEncryption,
    /// Routes the original to each recipient.
    UndoByRoute,
    /// Routes to a recipient that is not one: `name`.
    RouteToStranger,
    /// Accepts, so that later filters are skipped.
    Accept,
    /// Quarantines.
    Quarantine,
    /// Discards.
    Discard,
    /// Requires encryption of everybody, then fails.
    RequireThenError,
    /// Sets a marked message, then fails.
    EditThenError,
    /// Requires encryption of everybody.
    Require,
}

impl Filter for Misbehave {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        Ok(settings)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        if self.behave == Behaviour::LoopInValidate {
            forever();
        }
        Vec::new()
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        match self.behave {
            Behaviour::Nothing | Behaviour::LoopInValidate => {}
            Behaviour::Loop => forever(),
            Behaviour::Trap => std::process::abort(),
            #[allow(clippy::panic)]
            Behaviour::Panic => panic!("this filter panics on purpose"),
            Behaviour::Recurse => drop(recurse(1)),
            Behaviour::ExhaustMemory => exhaust_memory(),
            Behaviour::ManyHandles => many_handles(tx),
            Behaviour::ManyLogs => loop {
                log::emit(log::Level::Error, "again", &[("and", "again")]);
            },
            Behaviour::ManyNotes => many_notes(tx),
            Behaviour::ReadForever => loop {
                black_box(tx.message().read()?);
            },
            Behaviour::Error => return Err("this filter fails on purpose".into()),
            Behaviour::BadReply => return Ok(Verdict::Reject(Reply::new(250, "2.0.0", "fine"))),
            Behaviour::BadReplyText => {
                return Ok(Verdict::Reject(Reply::rejected("no\r\n250 yes")));
            }
            Behaviour::ApplyProfile => drop(profiles::apply(
                tx,
                &self.name,
                Timing::Now,
                Recipients::All,
            )?),
            Behaviour::ApplyOnDelivery => {
                drop(profiles::apply(
                    tx,
                    &self.name,
                    Timing::OnDelivery,
                    Recipients::All,
                )?);
            }
            Behaviour::AskList => drop(config::in_list(&self.name, "example.org")?),
            Behaviour::AskDictionary => drop(tx.message().root().matches(&self.name)?),
            Behaviour::UndoEncryption => actions::set_message(tx, &tx.original())?,
            Behaviour::UndoByRoute => {
                let everybody = tx.recipients_where(|_| true);
                actions::route(tx, &everybody, &tx.original())?;
            }
            Behaviour::RouteToStranger => {
                actions::route(tx, std::slice::from_ref(&self.name), &tx.message())?;
            }
            Behaviour::Accept => return Ok(Verdict::Accept),
            Behaviour::Quarantine => return Ok(Verdict::Quarantine("on purpose".to_owned())),
            Behaviour::Discard => return Ok(Verdict::Discard),
            Behaviour::RequireThenError => {
                actions::require_encryption(tx, Recipients::All)?;
                return Err("this filter fails on purpose".into());
            }
            Behaviour::EditThenError => {
                let marked = tx.message().with_header_added("X-Marked", "yes")?;
                actions::set_message(tx, &marked)?;
                return Err("this filter fails on purpose".into());
            }
            Behaviour::Require => actions::require_encryption(tx, Recipients::All)?,
        }
        Ok(Verdict::Proceed)
    }
}

fn forever() {
    loop {
        black_box(());
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    frame[0] + recurse(depth + 1) + frame[15]
}

fn exhaust_memory() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

fn many_notes(tx: &Transaction) {
    let mut number = 0_u64;
    loop {
        tx.set_note(&number.to_string(), "note");
        number += 1;
    }
}

fn many_handles(tx: &Transaction) {
    let mut kept: Vec<Message> = Vec::new();
    loop {
        kept.push(tx.message());
    }
}

waxseal_guest::filter!(Misbehave);
