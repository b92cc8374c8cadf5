//! `envelope`: recipients and the reverse-path.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::envelope;
use crate::capabilities::{CallError, ErrorKind};

use super::handles::TransactionHandle;
use super::{HostState, Refusal, address, ok};

impl envelope::Host for HostState {
    fn add_recipient(
        &mut self,
        _: Resource<TransactionHandle>,
        recipient: String,
    ) -> Result<(), Refusal> {
        let limit = self.settings.limits.recipients;
        let answer = address(&recipient).and_then(|address| {
            self.ask(|table, host| match table.plan.rows.len() < limit {
                true => Arc::make_mut(table).add_recipient(&address, host),
                false => Err(CallError::new(
                    ErrorKind::LimitExceeded,
                    "limit.recipients",
                    format!("recipients: limit {limit}"),
                )),
            })
        });
        let answer = answer.map_err(Refusal::from);
        self.recorded("envelope.add-recipient", || recipient, answer, ok)
    }

    fn remove_recipient(
        &mut self,
        _: Resource<TransactionHandle>,
        recipient: String,
    ) -> Result<(), Refusal> {
        let answer = address(&recipient)
            .and_then(|address| self.deciding()?.table_mut().remove_recipient(&address))
            .map_err(Refusal::from);
        self.recorded("envelope.remove-recipient", || recipient, answer, ok)
    }

    /// Empty: the null reverse-path.
    fn set_sender(
        &mut self,
        _: Resource<TransactionHandle>,
        sender: String,
    ) -> Result<(), Refusal> {
        let parsed = match sender.is_empty() {
            true => Ok(None),
            false => address(&sender).map(Some),
        };
        let answer = parsed
            .and_then(|parsed| {
                self.deciding()?.table_mut().plan.sender = parsed;
                Ok(())
            })
            .map_err(Refusal::from);
        self.recorded("envelope.set-sender", || sender, answer, ok)
    }
}
