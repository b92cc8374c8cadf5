//! `actions`: cells of the plan.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::{actions, types};
use crate::capabilities::{CallError, ErrorKind};
use crate::reply::{Class, Reply, checked};

use super::handles::{MessageHandle, TransactionHandle};
use super::{HostState, Refusal, addresses, in_words, ok};

impl actions::Host for HostState {
    fn set_message(
        &mut self,
        _: Resource<TransactionHandle>,
        message: Resource<MessageHandle>,
    ) -> Result<(), Refusal> {
        let recipe = self.held(&message)?.recipe();
        let answer = self.ask(|table, host| Arc::make_mut(table).set_message(&recipe, host));
        let answer = answer.map_err(Refusal::from);
        self.recorded("actions.set-message", String::new, answer, ok)
    }

    fn route(
        &mut self,
        _: Resource<TransactionHandle>,
        recipients: Vec<String>,
        message: Resource<MessageHandle>,
    ) -> Result<(), Refusal> {
        let recipe = self.held(&message)?.recipe();
        let answer = addresses(&recipients).and_then(|rows| {
            self.ask(|table, host| Arc::make_mut(table).route(&rows, &recipe, host))
        });
        let arguments = || in_words(Some(&recipients));
        self.recorded(
            "actions.route",
            arguments,
            answer.map_err(Refusal::from),
            ok,
        )
    }

    fn require_encryption(
        &mut self,
        _: Resource<TransactionHandle>,
        recipients: Option<Vec<String>>,
    ) -> Result<(), Refusal> {
        let answer = recipients.as_deref().map(addresses).transpose();
        let answer = answer
            .and_then(|rows| {
                self.deciding()?
                    .table_mut()
                    .require_encryption(rows.as_deref())
            })
            .map_err(Refusal::from);
        let arguments = || in_words(recipients.as_deref());
        self.recorded("actions.require-encryption", arguments, answer, ok)
    }

    fn refuse(
        &mut self,
        _: Resource<TransactionHandle>,
        recipients: Vec<String>,
        reply: types::Reply,
    ) -> Result<(), Refusal> {
        let words = format!("{} {}", reply.code, in_words(Some(&recipients)));
        let answer = checked_refusal(reply.into())
            .and_then(|reply| Ok((addresses(&recipients)?, reply)))
            .and_then(|(rows, reply)| self.deciding()?.table_mut().refuse(&rows, &reply))
            .map_err(Refusal::from);
        self.recorded("actions.refuse", || words, answer, ok)
    }
}

/// A recipient may be refused for good, or for now.
fn checked_refusal(reply: Reply) -> Result<Reply, CallError> {
    let class = match reply.code / 100 {
        4 => Class::Defer,
        _ => Class::Reject,
    };
    checked(reply, class)
        .map_err(|problem| CallError::new(ErrorKind::InvalidArgument, "reply.malformed", problem))
}
