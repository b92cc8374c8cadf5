//! One loaded filter: a fresh store and instance for every call into it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Resource;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::bindings::exports::waxseal::filter::handler::{
    ConfigProblem as Problem, Verdict as Word,
};
use crate::bindings::{Opener, OpenerPre};
use crate::breaker::Breaker;
use crate::config::OnError;
use crate::dictionary::Dictionaries;
use crate::error::ConfigProblem;
use crate::grants::Grants;
use crate::host::handles::TransactionHandle;
use crate::host::{Evaluation, Failure, HostState, Work};
use crate::limits::FilterLimits;
use crate::lists::Lists;
use crate::plan::Verdict;
use crate::policy::FilterInfo;
use crate::reply::{Class, checked};
use crate::runtime::{Runtime, TICK};
use crate::trace::{FilterTrace, bounded};

/// Characters of a filter's own words that are kept.
const TEXT: usize = 1_000;

/// What a filter was configured with.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) json: String,
    pub(crate) grants: Grants,
    pub(crate) limits: FilterLimits,
    pub(crate) lists: Lists,
    pub(crate) dictionaries: Dictionaries,
    pub(crate) profiles: Vec<String>,
    pub(crate) time: i64,
}

/// A filter, ready to run.
pub(crate) struct Filter {
    pub(crate) settings: Arc<Settings>,
    pub(crate) on_error: OnError,
    pub(crate) always: bool,
    pub(crate) info: FilterInfo,
    pub(crate) breaker: Breaker,
    pub(crate) component: OpenerPre<HostState>,
}

/// What a filter answered, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Proceed,
    Accept,
    End(Verdict),
}

/// One evaluation of one filter.
pub(crate) struct Evaluated {
    pub(crate) evaluation: Evaluation,
    pub(crate) trace: FilterTrace,
    pub(crate) answer: Result<Answer, Failure>,
}

impl Filter {
    /// A store with its limits; the caller holds a slot.
    fn store(&self, runtime: &Runtime, work: Work) -> Store<HostState> {
        let limits = &self.settings.limits;
        let mut store = Store::new(runtime.engine(), HostState::new(&self.settings, work));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.bytes_per_call);
        store.set_epoch_deadline(ticks(limits.time));
        store.epoch_deadline_callback(|mut store| Ok(deadline(store.data_mut())));
        store
    }

    /// Instantiates fully, which also checks the types of the exports.
    pub(crate) fn try_instantiate(&self, runtime: &Runtime) -> Result<(), Failure> {
        let mut store = self.store(runtime, Work::Checking);
        match self.instance(&mut store) {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(&store.into_data(), &error)),
        }
    }

    /// A fresh instance. A start that traps or asks for too much is the guest's doing;
    /// anything else is the host's, and says so.
    fn instance(&self, store: &mut Store<HostState>) -> wasmtime::Result<Opener> {
        let error = match self.component.instantiate(&mut *store) {
            Ok(instance) => return Ok(instance),
            Err(error) => error,
        };
        if error.is::<Trap>() || store.data().limiter.refused().is_some() {
            return Err(error);
        }
        let message = bounded(format!("{error:#}"), TEXT);
        Err(store.data_mut().fail("filter.instantiate", message))
    }

    /// The filter's own look at its settings.
    pub(crate) fn validate_config(
        &self,
        runtime: &Runtime,
    ) -> Result<Result<(), Vec<ConfigProblem>>, Failure> {
        let mut store = self.store(runtime, Work::Checking);
        let answer = self.instance(&mut store).and_then(|guest| {
            guest
                .waxseal_filter_handler()
                .call_validate_config(&mut store, &self.settings.json)
        });
        match answer {
            Ok(found) => Ok(found.map_err(problems)),
            Err(error) => Err(failure(&store.into_data(), &error)),
        }
    }

    /// Runs the filter over one transaction.
    pub(crate) fn evaluate(&self, runtime: &Runtime, evaluation: Evaluation) -> Evaluated {
        let started = std::time::Instant::now();
        let mut store = self.store(runtime, Work::Deciding(evaluation));
        let answer = self
            .instance(&mut store)
            .and_then(|guest| self.call(&mut store, &guest));
        let state = store.into_data();
        let answer = match answer {
            Ok(Ok(word)) => self.checked(word),
            Ok(Err(words)) => Err(Failure {
                code: "filter.error",
                message: bounded(&words, TEXT),
            }),
            Err(error) => Err(failure(&state, &error)),
        };
        let HostState {
            work,
            mut trace,
            spent,
            ..
        } = state;
        let evaluation = work
            .into_evaluation()
            .expect("the store was made with this evaluation");
        trace.waited = spent.waited;
        trace.elapsed = started.elapsed();
        if let Ok(answer) = &answer {
            trace.verdict = in_words(answer);
        }
        Evaluated {
            evaluation,
            trace,
            answer,
        }
    }

    fn call(
        &self,
        store: &mut Store<HostState>,
        guest: &Opener,
    ) -> wasmtime::Result<Result<Word, String>> {
        let transaction: Resource<TransactionHandle> =
            store.data_mut().handles.push(TransactionHandle)?;
        guest
            .waxseal_filter_handler()
            .call_evaluate(store, transaction)
    }

    /// Some verdicts are granted by name; replies say what they are for.
    fn checked(&self, word: Word) -> Result<Answer, Failure> {
        let granted = |verdict: &str, answer: Answer| match self.settings.grants.verdict(verdict) {
            true => Ok(answer),
            false => Err(Failure {
                code: "filter.verdict-not-granted",
                message: format!("verdict not granted: {verdict}"),
            }),
        };
        let bad_reply = |message| Failure {
            code: "filter.bad-reply",
            message,
        };
        match word {
            Word::Proceed => Ok(Answer::Proceed),
            Word::Accept => granted("accept", Answer::Accept),
            Word::Reject(reply) => checked(reply.into(), Class::Reject)
                .map(|reply| Answer::End(Verdict::Reject(reply)))
                .map_err(bad_reply),
            Word::Defer(reply) => checked(reply.into(), Class::Defer)
                .map(|reply| Answer::End(Verdict::Defer(reply)))
                .map_err(bad_reply),
            Word::Quarantine(reason) => {
                let reason = bounded(&reason, TEXT);
                granted("quarantine", Answer::End(Verdict::Quarantine(reason)))
            }
            Word::Discard => granted("discard", Answer::End(Verdict::Discard)),
        }
    }
}

/// Ticks that cover `time`: at least one, and never so many that a deadline overflows.
fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX).clamp(1, 1 << 32)
}

/// At an epoch's end: goes on while the guest itself has time left.
fn deadline(state: &mut HostState) -> UpdateDeadline {
    match state.time.left() {
        Some(left) => UpdateDeadline::Continue(ticks(left)),
        None => {
            let limit = state.settings.limits.time.as_millis();
            drop(state.fail(
                "filter.deadline",
                format!("time in the filter: limit {limit} ms"),
            ));
            UpdateDeadline::Interrupt
        }
    }
}

/// Why a call into the guest did not return.
fn failure(state: &HostState, error: &wasmtime::Error) -> Failure {
    if let Some(failure) = &state.failure {
        return failure.clone();
    }
    if let Some(refused) = state.limiter.refused() {
        return Failure {
            code: "filter.memory",
            message: refused.to_owned(),
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Failure {
            code: "filter.trap",
            message: trap.to_string(),
        };
    }
    let words = format!("{error:#}");
    let code = match words.contains(CALL_TOO_LARGE) {
        true => "filter.limit",
        // Values that are not what the contract says they are.
        false => "filter.nonsense",
    };
    Failure {
        code,
        message: bounded(&words, TEXT),
    }
}

/// How wasmtime says that a call passes more than `bytes_per_call`; the error has no type
/// of its own, and a test holds the words.
const CALL_TOO_LARGE: &str = "allocated for hostcalls";

fn problems(problems: Vec<Problem>) -> Vec<ConfigProblem> {
    let problems = problems.into_iter();
    problems
        .map(|problem| ConfigProblem {
            path: bounded(&problem.path, TEXT),
            message: bounded(&problem.message, TEXT),
        })
        .collect()
}

/// An answer as a trace has it.
fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Proceed => "proceed".to_owned(),
        Answer::Accept | Answer::End(Verdict::Deliver) => "accept".to_owned(),
        Answer::End(Verdict::Reject(reply)) => format!("reject {reply}"),
        Answer::End(Verdict::Defer(reply)) => format!("defer {reply}"),
        Answer::End(Verdict::Quarantine(reason)) => format!("quarantine {reason}"),
        Answer::End(Verdict::Discard) => "discard".to_owned(),
    }
}
