//! `session.transaction`: who sends what to whom.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::session::{self, AuthResult, EsmtpParameter, Recipient};
use crate::bindings::waxseal::filter::types::NameValue;
use crate::trace::bounded;
use crate::transaction::{Ability, Direction, Session, Transaction};

use super::handles::{MessageHandle, TransactionHandle};
use super::{Evaluation, HostState, Refusal, address, saturated};

/// Octets of all notes of a transaction together.
const NOTE_OCTETS: usize = 256 << 10;

impl session::Host for HostState {}

impl HostState {
    /// The evaluation that a transaction handle stands for.
    fn at(&mut self, handle: &Resource<TransactionHandle>) -> wasmtime::Result<&mut Evaluation> {
        self.handles.get(handle)?;
        Ok(self.deciding()?)
    }

    fn fact(
        &mut self,
        handle: &Resource<TransactionHandle>,
        fact: impl FnOnce(&Transaction) -> Option<String>,
    ) -> wasmtime::Result<Option<String>> {
        let value = fact(&self.at(handle)?.transaction);
        self.give_some(value)
    }

    fn session_fact(
        &mut self,
        handle: &Resource<TransactionHandle>,
        fact: impl FnOnce(&Session) -> &Option<String>,
    ) -> wasmtime::Result<Option<String>> {
        self.fact(handle, |transaction| fact(&transaction.session).clone())
    }
}

impl session::HostTransaction for HostState {
    fn queue_id(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.fact(&handle, |transaction| transaction.queue_id.clone())
    }

    fn direction(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.fact(&handle, |transaction| {
            let direction = transaction.direction.map(Direction::as_str);
            direction.map(str::to_owned)
        })
    }

    /// As the plan stands.
    fn sender(&mut self, handle: Resource<TransactionHandle>) -> wasmtime::Result<String> {
        let sender = self.at(&handle)?.table.plan.sender.clone();
        Ok(sender.map(|sender| sender.to_string()).unwrap_or_default())
    }

    fn sender_parameters(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Vec<EsmtpParameter>> {
        let evaluation = self.at(&handle)?;
        Ok(parameters(&evaluation.transaction.sender_parameters))
    }

    fn recipient_count(&mut self, handle: Resource<TransactionHandle>) -> wasmtime::Result<u32> {
        Ok(saturated(self.at(&handle)?.table.plan.rows.len()))
    }

    /// As the plan stands: added ones included, removed ones not.
    fn recipients(
        &mut self,
        handle: Resource<TransactionHandle>,
        start: u32,
        max: u32,
    ) -> wasmtime::Result<Vec<Recipient>> {
        let rows = &self.at(&handle)?.table.plan.rows;
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let recipients: Vec<Recipient> = rows
            .iter()
            .skip(start)
            .take(max)
            .map(|row| recipient(&row.recipient))
            .collect();
        let octets = recipients
            .iter()
            .map(|recipient| 2 * recipient.address.len());
        self.charge_or_trap(octets.sum())?;
        Ok(recipients)
    }

    fn client_ip(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.fact(&handle, |transaction| {
            transaction.session.client_ip.map(|ip| ip.to_string())
        })
    }

    fn client_name(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.client_name)
    }

    fn helo(&mut self, handle: Resource<TransactionHandle>) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.helo)
    }

    fn auth_user(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.auth_user)
    }

    fn tls_version(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.tls_version)
    }

    fn tls_cipher(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.tls_cipher)
    }

    fn tls_client_subject(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Option<String>> {
        self.session_fact(&handle, |session| &session.tls_client_subject)
    }

    fn auth_results(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Vec<AuthResult>> {
        let results = &self.at(&handle)?.transaction.session.auth_results;
        Ok(results.iter().map(auth_result).collect())
    }

    fn property(
        &mut self,
        handle: Resource<TransactionHandle>,
        name: String,
    ) -> wasmtime::Result<Option<String>> {
        self.fact(&handle, |transaction| {
            transaction.session.properties.get(&name).cloned()
        })
    }

    fn supports(
        &mut self,
        handle: Resource<TransactionHandle>,
        ability: String,
    ) -> wasmtime::Result<bool> {
        let abilities = &self.at(&handle)?.transaction.abilities;
        let named = |known: &Ability| known.as_str() == ability;
        Ok(abilities.iter().any(named))
    }

    fn message(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Resource<MessageHandle>> {
        let message = MessageHandle::of(&self.at(&handle)?.table.plan.everyone.message);
        self.lend_or_trap(message)
    }

    fn message_for(
        &mut self,
        handle: Resource<TransactionHandle>,
        recipient: String,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let recipient = address(&recipient)?;
        let evaluation = self.at(&handle)?;
        let message = MessageHandle::of(evaluation.table.message_for(&recipient)?);
        self.lend(message)
    }

    fn original(
        &mut self,
        handle: Resource<TransactionHandle>,
    ) -> wasmtime::Result<Resource<MessageHandle>> {
        let message = MessageHandle::plain(self.at(&handle)?.transaction.message.clone());
        self.lend_or_trap(message)
    }

    fn note(
        &mut self,
        handle: Resource<TransactionHandle>,
        key: String,
    ) -> wasmtime::Result<Option<String>> {
        let note = self.at(&handle)?.notes.get(&key).cloned();
        self.give_some(note)
    }

    fn set_note(
        &mut self,
        handle: Resource<TransactionHandle>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        let notes = Arc::make_mut(&mut self.at(&handle)?.notes);
        let others = notes.iter().filter(|(known, _)| **known != key);
        let octets: usize = others.map(|(key, value)| key.len() + value.len()).sum();
        if octets + key.len() + value.len() > NOTE_OCTETS {
            let message = format!("octets of all notes: limit {NOTE_OCTETS}");
            return Err(self.fail("filter.limit", message));
        }
        let (short_key, short_value) = (bounded(&key, 100), bounded(&value, 1_000));
        notes.insert(key, value);
        self.count_record(short_key.len() + short_value.len())?;
        self.trace.notes.insert(short_key, short_value);
        Ok(())
    }

    fn drop(&mut self, handle: Resource<TransactionHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

fn parameters(parameters: &[crate::transaction::EsmtpParameter]) -> Vec<EsmtpParameter> {
    let parameters = parameters.iter();
    parameters
        .map(|parameter| EsmtpParameter {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
        })
        .collect()
}

fn recipient(recipient: &crate::transaction::Recipient) -> Recipient {
    Recipient {
        address: recipient.address.to_string(),
        local: recipient.address.local().to_owned(),
        domain: recipient.address.domain().to_owned(),
        parameters: parameters(&recipient.parameters),
    }
}

fn auth_result(result: &crate::transaction::AuthResult) -> AuthResult {
    let properties = result.properties.iter();
    AuthResult {
        method: result.method.clone(),
        verdict: result.verdict.clone(),
        properties: properties
            .map(|(name, value)| NameValue {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}
