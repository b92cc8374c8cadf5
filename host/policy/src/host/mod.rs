//! The host's side of the guest contract: one file for each interface.
//!
//! A call that can answer with an error does; one that cannot traps when it has nothing
//! honest to say, and the reason is kept ([`HostState::fail`]). While settings are checked
//! ([`Work::Checking`]) everything but `config`, `log`, `clock` and the names of profiles
//! answers `denied`.

pub(crate) mod handles;

mod actions;
mod certificates;
mod config;
mod content;
mod convert;
mod envelope;
mod inspect;
mod mail;
mod part;
mod profiles;
mod protect;
mod records;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use waxseal_message::Address;

use crate::capabilities::{CallError, Capabilities, ErrorKind};
use crate::clock::GuestTime;
use crate::filter::Settings;
use crate::limits::{Limiter, Spent};
use crate::table::Table;
use crate::trace::{CallTrace, FilterTrace, bounded};
use crate::transaction::Transaction;

use content::ContentCache;

/// Host calls that a trace keeps.
const CALLS_KEPT: usize = 500;
/// Characters of an argument or an answer that a trace keeps.
const CALL_TEXT: usize = 200;

/// What a store holds: everything that one evaluation of one filter may touch.
pub(crate) struct HostState {
    pub(crate) settings: Arc<Settings>,
    pub(crate) work: Work,
    pub(crate) handles: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) spent: Spent,
    pub(crate) time: GuestTime,
    pub(crate) trace: FilterTrace,
    /// Why the host stopped the guest.
    pub(crate) failure: Option<Failure>,
    contents: ContentCache,
}

/// What the guest is asked to do.
#[allow(clippy::large_enum_variant)] // one in each store, and mostly the larger
pub(crate) enum Work {
    /// `validate-config`: there is no message.
    Checking,
    /// `evaluate`.
    Deciding(Evaluation),
}

impl Work {
    pub(crate) fn into_evaluation(self) -> Option<Evaluation> {
        match self {
            Work::Checking => None,
            Work::Deciding(evaluation) => Some(evaluation),
        }
    }
}

/// One transaction on its way through the chain. Each filter works on a clone, which costs
/// nothing before it changes something.
#[derive(Clone)]
pub(crate) struct Evaluation {
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) capabilities: Arc<dyn Capabilities>,
    pub(crate) table: Arc<Table>,
    pub(crate) notes: Arc<BTreeMap<String, String>>,
}

impl Evaluation {
    /// The table, to change it.
    pub(crate) fn table_mut(&mut self) -> &mut Table {
        Arc::make_mut(&mut self.table)
    }
}

/// A failure with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// How a host call does not answer: with an error that the guest sees, or not at all.
#[derive(Debug)]
#[allow(unreachable_pub)] // the generated bindings re-export it
pub enum Refusal {
    /// `types.error`.
    Error(CallError),
    /// The guest ends here.
    Trap(wasmtime::Error),
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Refusal::Error(error)
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(error: wasmtime::Error) -> Self {
        Refusal::Trap(error)
    }
}

impl HostState {
    pub(crate) fn new(settings: &Arc<Settings>, work: Work) -> Self {
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(settings.limits.handles);
        Self {
            settings: settings.clone(),
            work,
            handles,
            limiter: Limiter::new(&settings.limits),
            spent: Spent::default(),
            time: GuestTime::start(settings.limits.time),
            trace: FilterTrace::named(&settings.name),
            failure: None,
            contents: ContentCache::default(),
        }
    }

    /// Keeps why the guest is stopped, and makes the trap.
    pub(crate) fn fail(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
    ) -> wasmtime::Error {
        let message = message.into();
        let trap = wasmtime::Error::msg(format!("{code}: {message}"));
        self.failure.get_or_insert(Failure { code, message });
        trap
    }

    /// The evaluation; `denied` while settings are checked.
    fn deciding(&mut self) -> Result<&mut Evaluation, CallError> {
        match &mut self.work {
            Work::Deciding(evaluation) => Ok(evaluation),
            Work::Checking => Err(CallError::new(
                ErrorKind::Denied,
                "validate-config.denied",
                "not while settings are checked",
            )),
        }
    }

    /// Asks the host's capabilities, on their own budget of time.
    fn ask<T>(
        &mut self,
        call: impl FnOnce(&mut Arc<Table>, &dyn Capabilities) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.at_the_hosts_expense(|state| {
            let evaluation = state.deciding()?;
            let capabilities = evaluation.capabilities.clone();
            call(&mut evaluation.table, capabilities.as_ref())
        })?
    }

    /// Work of the host that the guest is not to be stopped for: look-ups that may wait,
    /// decoding and searching of large parts. It has a budget of its own.
    fn at_the_hosts_expense<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, CallError> {
        if self.spent.waited > self.settings.limits.host_time {
            return Err(CallError::new(
                ErrorKind::LimitExceeded,
                "limit.host-time",
                "the time that the host works for one evaluation is used up",
            ));
        }
        let pause = self.time.pause();
        let started = Instant::now();
        let done = work(self);
        self.spent.waited += started.elapsed();
        self.time.resume(pause);
        Ok(done)
    }

    /// Hands a value to the guest.
    fn lend<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>, Refusal> {
        self.handles.push(value).map_err(|error| match error {
            ResourceTableError::Full => Refusal::Error(CallError::new(
                ErrorKind::LimitExceeded,
                "limit.handles",
                format!(
                    "handles alive at once: limit {}",
                    self.settings.limits.handles
                ),
            )),
            other => Refusal::Trap(other.into()),
        })
    }

    /// The same for calls that cannot answer with an error.
    fn lend_or_trap<T: Send + 'static>(&mut self, value: T) -> wasmtime::Result<Resource<T>> {
        match self.lend(value) {
            Ok(handle) => Ok(handle),
            Err(Refusal::Trap(trap)) => Err(trap),
            Err(Refusal::Error(error)) => Err(self.fail("filter.limit", error.message)),
        }
    }

    /// What a handle stands for.
    fn held<T: Clone + 'static>(&self, handle: &Resource<T>) -> wasmtime::Result<T> {
        Ok(self.handles.get(handle)?.clone())
    }

    /// Counts octets on their way into the guest; `None` when there are too many.
    fn count_read(&mut self, octets: usize) -> Option<()> {
        let total = self.spent.read.saturating_add(octets);
        if total > self.settings.limits.bytes_read {
            return None;
        }
        self.spent.read = total;
        Some(())
    }

    /// Counts for calls that can answer `limit-exceeded`.
    fn charge(&mut self, octets: usize) -> Result<(), CallError> {
        self.count_read(octets).ok_or_else(|| {
            CallError::new(
                ErrorKind::LimitExceeded,
                "limit.bytes-read",
                format!("octets read: limit {}", self.settings.limits.bytes_read),
            )
        })
    }

    /// Counts for calls that cannot.
    fn charge_or_trap(&mut self, octets: usize) -> wasmtime::Result<()> {
        match self.charge(octets) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail("filter.limit", error.message)),
        }
    }

    fn give(&mut self, text: String) -> wasmtime::Result<String> {
        self.charge_or_trap(text.len())?;
        Ok(text)
    }

    fn give_some(&mut self, text: Option<String>) -> wasmtime::Result<Option<String>> {
        self.charge_or_trap(text.as_ref().map_or(0, String::len))?;
        Ok(text)
    }

    /// Keeps a call and its answer for `explain`.
    fn recorded<T>(
        &mut self,
        function: &'static str,
        arguments: impl FnOnce() -> String,
        answer: Result<T, Refusal>,
        in_words: impl FnOnce(&T) -> String,
    ) -> Result<T, Refusal> {
        if self.trace.calls.len() >= CALLS_KEPT {
            self.trace.calls_left_out += 1;
            return answer;
        }
        let words = match &answer {
            Ok(value) => in_words(value),
            Err(Refusal::Error(error)) => match &error.subject {
                Some(subject) => format!("{}: {subject}", error.code),
                None => error.code.clone(),
            },
            Err(Refusal::Trap(_)) => "trap".to_owned(),
        };
        self.trace.calls.push(CallTrace {
            function,
            arguments: bounded(arguments(), CALL_TEXT),
            answer: bounded(&words, CALL_TEXT),
            failed: answer.is_err(),
        });
        answer
    }
}

/// An address that a filter gave.
fn address(text: &str) -> Result<Address, CallError> {
    Address::parse(text).map_err(|_| {
        CallError::new(
            ErrorKind::InvalidArgument,
            "address.invalid",
            "not an address",
        )
        .about(bounded(text, CALL_TEXT))
    })
}

fn addresses(texts: &[String]) -> Result<Vec<Address>, CallError> {
    texts.iter().map(|text| address(text)).collect()
}

/// A name that the operator did not grant.
fn not_granted(code: &str, name: &str) -> CallError {
    CallError::new(ErrorKind::Denied, code, "not granted to this filter")
        .about(bounded(name, CALL_TEXT))
}

/// "ok", for calls that answer nothing else.
fn ok<T>(_: &T) -> String {
    "ok".to_owned()
}

/// Recipients of a call, in words.
fn in_words(recipients: Option<&[String]>) -> String {
    match recipients {
        None => "everyone".to_owned(),
        Some(recipients) => recipients.join(" "),
    }
}

fn saturated(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
