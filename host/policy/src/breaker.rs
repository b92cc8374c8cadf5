//! Lets a filter rest that keeps failing.
//!
//! After so many failures in a row a filter is not run for a while: its `on-error` applies at
//! once, with the code `filter.suspended`, and messages do not wait for a filter that will trap
//! or loop again. When the rest is over one message tries it, and the others still go by it; the
//! filter is back when that one message passes. Each generation has breakers of its own.
//!
//! Where `on-error` is `skip`, whoever can make a filter fail can make it rest for everybody:
//! that is one more reason why `skip` wants `may-leak` for all but mere deciders.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::host::Failure;

/// When a filter rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// After so many failures in a row, at least 1.
    pub failures: u32,
    /// For so long.
    pub rest: Duration,
}

/// How a filter has fared since its generation was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FilterHealth {
    /// The filter.
    pub name: String,
    /// Whether it is run.
    pub state: FilterState,
    /// Evaluations that ended.
    pub runs: u64,
    /// Of these, those that failed.
    pub failures: u64,
    /// Failures since it last passed.
    pub failures_in_a_row: u32,
    /// Messages that went by it while it rested.
    pub suspended: u64,
    /// The last failure.
    pub last_failure: Option<LastFailure>,
}

/// Why a filter failed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastFailure {
    /// The code, as in [`crate::FilterFailure`].
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The time of the message that it failed on, in Unix seconds.
    pub at: i64,
}

/// Whether a filter is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterState {
    /// It is run.
    Running,
    /// It rests.
    Suspended,
    /// One message is trying whether it is well again.
    Probing,
}

/// One filter's breaker.
pub(crate) struct Breaker {
    name: String,
    rules: Option<BreakerRules>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    runs: u64,
    failures: u64,
    in_a_row: u32,
    suspended: u64,
    last: Option<LastFailure>,
}

#[derive(Clone, Copy, Default)]
enum Phase {
    #[default]
    Running,
    Suspended {
        until: Instant,
    },
    Probing,
}

/// Leave to run the filter once. Says how that went, or, dropped without a word, that it went
/// wrong.
pub(crate) struct Pass<'b> {
    breaker: &'b Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    /// Without rules a filter never rests.
    pub(crate) fn new(name: &str, rules: Option<BreakerRules>) -> Self {
        Self {
            name: name.to_owned(),
            rules,
            state: Mutex::default(),
        }
    }

    /// Leave to run it, or why it is not run.
    pub(crate) fn admit(&self, now: Instant) -> Result<Pass<'_>, Failure> {
        let mut state = self.lock();
        let probe = match state.phase {
            Phase::Running => false,
            Phase::Suspended { until } if now >= until => true,
            Phase::Suspended { .. } | Phase::Probing => {
                state.suspended += 1;
                return Err(suspended(&state));
            }
        };
        if probe {
            state.phase = Phase::Probing;
        }
        Ok(Pass {
            breaker: self,
            probe,
            told: false,
        })
    }

    pub(crate) fn health(&self) -> FilterHealth {
        let state = self.lock();
        FilterHealth {
            name: self.name.clone(),
            state: match state.phase {
                Phase::Running => FilterState::Running,
                Phase::Suspended { .. } => FilterState::Suspended,
                Phase::Probing => FilterState::Probing,
            },
            runs: state.runs,
            failures: state.failures,
            failures_in_a_row: state.in_a_row,
            suspended: state.suspended,
            last_failure: state.last.clone(),
        }
    }

    fn passed(&self, probe: bool) {
        let mut state = self.lock();
        state.runs += 1;
        // One that began before the rest says nothing about the filter now.
        if probe || matches!(state.phase, Phase::Running) {
            state.in_a_row = 0;
        }
        if probe {
            state.phase = Phase::Running;
            tracing::info!(filter = self.name, "a filter is well again");
        }
    }

    fn failed(&self, probe: bool, failure: LastFailure, now: Instant) {
        let mut state = self.lock();
        state.runs += 1;
        state.failures += 1;
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.last = Some(failure);
        self.rest(&mut state, probe, now);
    }

    /// Lets it rest, if it is time: after a probe that failed, or enough failures.
    fn rest(&self, state: &mut State, probe: bool, now: Instant) {
        let Some(rules) = self.rules else { return };
        let tired = matches!(state.phase, Phase::Running) && state.in_a_row >= rules.failures;
        if !probe && !tired {
            return;
        }
        state.phase = Phase::Suspended {
            until: now + rules.rest,
        };
        tracing::error!(
            filter = self.name,
            failures = state.in_a_row,
            seconds = rules.rest.as_secs(),
            "a filter keeps failing and is not run for a while"
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    pub(crate) fn passed(mut self) {
        self.told = true;
        self.breaker.passed(self.probe);
    }

    /// `at` is the message's time.
    pub(crate) fn failed(mut self, failure: &Failure, at: i64, now: Instant) {
        self.told = true;
        let last = LastFailure {
            code: failure.code,
            message: failure.message.clone(),
            at,
        };
        self.breaker.failed(self.probe, last, now);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // A panic of ours: the probe is over, and the next message is the next one.
        if self.probe && !self.told {
            let mut state = self.breaker.lock();
            self.breaker.rest(&mut state, true, Instant::now());
        }
    }
}

fn suspended(state: &State) -> Failure {
    let last = match &state.last {
        Some(last) => format!(", the last: {}: {}", last.code, last.message),
        None => String::new(),
    };
    Failure {
        code: "filter.suspended",
        message: format!("not run after {} failures in a row{last}", state.in_a_row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    fn breaker() -> Breaker {
        let rules = BreakerRules {
            failures: 3,
            rest: REST,
        };
        Breaker::new("guard", Some(rules))
    }

    fn fail(breaker: &Breaker, now: Instant) {
        let failure = Failure {
            code: "filter.trap",
            message: "unreachable".to_owned(),
        };
        let pass = breaker.admit(now).ok().unwrap();
        pass.failed(&failure, 0, now);
    }

    fn refusal(breaker: &Breaker, now: Instant) -> Option<Failure> {
        breaker.admit(now).err()
    }

    #[test]
    fn enough_failures_in_a_row_suspend_a_filter() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, now);
        fail(&breaker, now);
        breaker.admit(now).ok().unwrap().passed();
        fail(&breaker, now);
        fail(&breaker, now);
        assert_eq!(breaker.health().state, FilterState::Running);
        fail(&breaker, now);
        let why = refusal(&breaker, now + REST - Duration::from_millis(1)).unwrap();
        assert_eq!(why.code, "filter.suspended");
        assert_eq!(
            why.message,
            "not run after 3 failures in a row, the last: filter.trap: unreachable"
        );
        let health = breaker.health();
        assert_eq!(health.state, FilterState::Suspended);
        assert_eq!((health.runs, health.failures, health.suspended), (6, 5, 1));
    }

    #[test]
    fn one_message_probes_and_the_others_pass_by() {
        let (breaker, now) = (breaker(), Instant::now());
        (0..3).for_each(|_| fail(&breaker, now));
        let probe = breaker.admit(now + REST).ok().unwrap();
        assert_eq!(breaker.health().state, FilterState::Probing);
        assert!(refusal(&breaker, now + REST).is_some());
        probe.passed();
        assert_eq!(breaker.health().state, FilterState::Running);
        assert_eq!(breaker.health().failures_in_a_row, 0);
    }

    #[test]
    fn a_probe_that_fails_or_is_lost_lets_it_rest_again() {
        let (breaker, now) = (breaker(), Instant::now());
        (0..3).for_each(|_| fail(&breaker, now));
        fail(&breaker, now + REST);
        assert!(refusal(&breaker, now + REST).is_some());
        drop(breaker.admit(now + REST + REST).ok().unwrap());
        assert_eq!(breaker.health().state, FilterState::Suspended);
    }

    #[test]
    fn one_that_began_before_does_not_end_the_rest() {
        let (breaker, now) = (breaker(), Instant::now());
        let early = breaker.admit(now).ok().unwrap();
        (0..3).for_each(|_| fail(&breaker, now));
        early.passed();
        assert!(refusal(&breaker, now).is_some());
    }

    #[test]
    fn without_rules_it_never_rests() {
        let (breaker, now) = (Breaker::new("guard", None), Instant::now());
        (0..100).for_each(|_| fail(&breaker, now));
        assert!(refusal(&breaker, now).is_none());
    }
}
