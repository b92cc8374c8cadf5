//! `profiles`: the operator's named ways to protect a message.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::profiles;
use crate::capabilities::{CallError, Capabilities};
use crate::table::{Outcome, Table, Timing};

use super::handles::TransactionHandle;
use super::{HostState, Refusal, Work, addresses, in_words, not_granted};

impl profiles::Host for HostState {
    /// Those granted. Answered while settings are checked too, so that a filter can say
    /// that a profile in its settings does not exist.
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        let all = match &self.work {
            Work::Checking => self.settings.profiles.clone(),
            Work::Deciding(evaluation) => evaluation.capabilities.profile_names(),
        };
        let granted = all.into_iter();
        Ok(granted
            .filter(|name| self.settings.grants.profile(name))
            .collect())
    }

    fn mode_of(&mut self, profile: String) -> Result<String, Refusal> {
        let answer = self
            .granted_profile(&profile)
            .and_then(|()| self.ask(|_, host| host.profile_mode(&profile)))
            .map_err(Refusal::from);
        self.recorded("profiles.mode-of", || profile, answer, String::clone)
    }

    fn preview(
        &mut self,
        _: Resource<TransactionHandle>,
        profile: String,
        recipients: Option<Vec<String>>,
    ) -> Result<Vec<profiles::Outcome>, Refusal> {
        let answer = self.profile_call(&profile, recipients.as_deref(), |table, rows, host| {
            table.preview(&profile, rows, host)
        });
        let arguments = || format!("{profile} {}", in_words(recipients.as_deref()));
        self.recorded("profiles.preview", arguments, answer, |found| {
            outcomes(found)
        })
        .map(answered)
    }

    fn apply(
        &mut self,
        _: Resource<TransactionHandle>,
        profile: String,
        timing: profiles::Timing,
        recipients: Option<Vec<String>>,
    ) -> Result<Vec<profiles::Outcome>, Refusal> {
        let (timing, word) = match timing {
            profiles::Timing::Now => (Timing::Now, "now"),
            profiles::Timing::OnDelivery => (Timing::OnDelivery, "on-delivery"),
        };
        let answer = self.profile_call(&profile, recipients.as_deref(), |table, rows, host| {
            Arc::make_mut(table).apply(&profile, timing, rows, host)
        });
        let arguments = || format!("{profile} {word} {}", in_words(recipients.as_deref()));
        self.recorded("profiles.apply", arguments, answer, |found| outcomes(found))
            .map(answered)
    }
}

type Rows<'a> = Option<&'a [waxseal_message::Address]>;

impl HostState {
    pub(super) fn granted_profile(&self, profile: &str) -> Result<(), CallError> {
        match self.settings.grants.profile(profile) {
            true => Ok(()),
            false => Err(not_granted("profile.not-granted", profile)),
        }
    }

    fn profile_call(
        &mut self,
        profile: &str,
        recipients: Option<&[String]>,
        call: impl FnOnce(
            &mut Arc<Table>,
            Rows<'_>,
            &dyn Capabilities,
        ) -> Result<Vec<Outcome>, CallError>,
    ) -> Result<Vec<Outcome>, Refusal> {
        self.granted_profile(profile)?;
        let rows = recipients.map(addresses).transpose()?;
        Ok(self.ask(|table, host| call(table, rows.as_deref(), host))?)
    }
}

fn outcomes(outcomes: &[Outcome]) -> String {
    let words = outcomes.iter().map(|outcome| {
        let encrypted = match outcome.encrypted {
            true => " encrypted",
            false => "",
        };
        format!("{} {}{encrypted}", outcome.recipient, outcome.action)
    });
    words.collect::<Vec<_>>().join(", ")
}

fn answered(outcomes: Vec<Outcome>) -> Vec<profiles::Outcome> {
    outcomes
        .into_iter()
        .map(|outcome| profiles::Outcome {
            address: outcome.recipient.to_string(),
            action: outcome.action.to_owned(),
            encrypted: outcome.encrypted,
            problem: outcome.problem.map(Into::into),
        })
        .collect()
}
