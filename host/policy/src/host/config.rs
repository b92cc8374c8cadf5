//! `config` and `clock`: the filter's settings, the operator's lists, the frozen time.

use crate::bindings::waxseal::filter::{clock, config, types};
use crate::capabilities::{CallError, ErrorKind};

use super::convert::seconds;
use super::{HostState, Refusal, Work, not_granted};

impl config::Host for HostState {
    fn json(&mut self) -> wasmtime::Result<String> {
        let json = self.settings.json.clone();
        self.give(json)
    }

    fn in_list(&mut self, name: String, key: String) -> Result<bool, Refusal> {
        let answer = self.look_up(&name, &key).map_err(Refusal::from);
        let arguments = || format!("{name} {key}");
        self.recorded("config.in-list", arguments, answer, bool::to_string)
    }
}

impl HostState {
    fn look_up(&self, name: &str, key: &str) -> Result<bool, CallError> {
        if !self.settings.grants.list(name) {
            return Err(not_granted("list.not-granted", name));
        }
        self.settings.lists.contains(name, key).ok_or_else(|| {
            CallError::new(ErrorKind::NotFound, "list.unknown", "no such list").about(name)
        })
    }
}

impl clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<types::Time> {
        Ok(seconds(match &self.work {
            Work::Checking => self.settings.time,
            Work::Deciding(evaluation) => evaluation.transaction.time,
        }))
    }
}
