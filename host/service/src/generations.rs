//! The generations in service: the active one, and those that were, kept to go back to.
//!
//! A message takes the active generation when it comes in and keeps it to its end. A new
//! generation is on trial for its first messages: when too many of them meet a failing filter,
//! the one before comes back by itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use waxseal_engine::{Engine, Generation};
use waxseal_message::unix_seconds;
use waxseal_policy::{FilterHealth, FilterInfo};

use crate::metrics;

/// When a new generation is taken back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Messages with a failed filter …
    pub failures: u64,
    /// … among so many first messages.
    pub within: u64,
}

/// A generation, as `status` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GenerationStatus {
    /// Its id.
    pub id: String,
    /// What it is doing.
    pub state: GenerationState,
    /// It came into service then, in Unix seconds.
    pub since: i64,
    /// Messages that it decided about.
    pub messages: u64,
    /// Messages of which a filter failed.
    pub failures: u64,
    /// Its filters, in order.
    pub filters: Vec<FilterInfo>,
    /// How they have fared, in the same order.
    pub health: Vec<FilterHealth>,
}

/// What a generation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenerationState {
    /// It decides about mail.
    Active,
    /// It can be gone back to.
    Kept,
    /// It is a candidate, asked and not followed.
    Shadow,
}

/// Why there is nothing to go back to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// No generation is kept.
    #[error("no earlier generation is kept")]
    NothingKept,
    /// None of that id is kept.
    #[error("no generation of that id is kept: {0}")]
    NotKept(String),
}

/// A generation with what has been counted while it was in service.
pub(crate) struct Counted {
    pub(crate) generation: Arc<Generation>,
    since: i64,
    messages: AtomicU64,
    failures: AtomicU64,
}

impl Counted {
    pub(crate) fn new(generation: Arc<Generation>) -> Arc<Self> {
        Arc::new(Self {
            generation,
            since: now(),
            messages: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// The same generation in another state: its counts begin again.
    fn again(&self) -> Arc<Self> {
        Self::new(Arc::clone(&self.generation))
    }

    pub(crate) fn count(&self, failed: bool) -> (u64, u64) {
        let failures = match failed {
            true => self.failures.fetch_add(1, Ordering::AcqRel) + 1,
            false => self.failures.load(Ordering::Acquire),
        };
        (self.messages.fetch_add(1, Ordering::AcqRel) + 1, failures)
    }

    pub(crate) fn status(&self, state: GenerationState) -> GenerationStatus {
        GenerationStatus {
            id: self.generation.id().to_owned(),
            state,
            since: self.since,
            messages: self.messages.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            filters: self.generation.policy().filters().collect(),
            health: self.generation.policy().health(),
        }
    }
}

/// The active generation and those before it.
pub(crate) struct Generations {
    engine: Arc<Engine>,
    keep: usize,
    trial: Option<Trial>,
    state: Mutex<State>,
}

struct State {
    active: Arc<Counted>,
    /// What a trial that fails goes back to; `None` when nothing is on trial.
    before: Option<Arc<Generation>>,
    /// The youngest first.
    kept: VecDeque<Arc<Counted>>,
}

impl Generations {
    pub(crate) fn new(engine: Arc<Engine>, keep: usize, trial: Option<Trial>) -> Self {
        let active = Counted::new(engine.generation());
        metrics::generation(&active.generation, None);
        Self {
            engine,
            keep,
            trial,
            state: Mutex::new(State {
                active,
                before: None,
                kept: VecDeque::new(),
            }),
        }
    }

    pub(crate) fn active(&self) -> Arc<Counted> {
        Arc::clone(&self.lock().active)
    }

    pub(crate) fn status(&self) -> Vec<GenerationStatus> {
        let state = self.lock();
        let kept = state.kept.iter();
        std::iter::once(state.active.status(GenerationState::Active))
            .chain(kept.map(|each| each.status(GenerationState::Kept)))
            .collect()
    }

    /// Puts a generation into service, on trial.
    pub(crate) fn replace(&self, generation: Arc<Generation>) {
        let mut state = self.lock();
        let before = Arc::clone(&state.active.generation);
        tracing::info!(
            event = "generation-active",
            generation = generation.id(),
            before = before.id(),
            "a new generation is in service"
        );
        self.activate(&mut state, Counted::new(generation));
        // The same policy once more has nothing to prove, and nothing to go back to.
        state.before = Some(before).filter(|before| before.id() != state.active.generation.id());
    }

    /// Goes back to a kept generation: that of the id, or the youngest. Its id.
    pub(crate) fn roll_back(&self, id: Option<&str>) -> Result<String, RollbackError> {
        let mut state = self.lock();
        let place = match id {
            None if state.kept.is_empty() => return Err(RollbackError::NothingKept),
            None => 0,
            Some(id) => (state.kept.iter())
                .position(|each| each.generation.id() == id)
                .ok_or_else(|| RollbackError::NotKept(id.to_owned()))?,
        };
        let Some(chosen) = state.kept.get(place).map(|kept| kept.again()) else {
            return Err(RollbackError::NothingKept);
        };
        let id = chosen.generation.id().to_owned();
        tracing::warn!(
            event = "generation-rollback",
            by = "operator",
            generation = id,
            before = state.active.generation.id(),
            "an earlier generation is in service again"
        );
        metrics::rollback("operator");
        self.activate(&mut state, chosen);
        Ok(id)
    }

    /// Counts a message that this generation decided about, or failed on. The id of the generation that came
    /// back, when that ended a trial.
    pub(crate) fn count(&self, decided: &Arc<Counted>, failed: bool) -> Option<String> {
        let (messages, failures) = decided.count(failed);
        let trial = self.trial?;
        if !failed || messages > trial.within || failures < trial.failures {
            return None;
        }
        let mut state = self.lock();
        if !Arc::ptr_eq(&state.active, decided) {
            return None; // Another thread was faster, or it is out of service already.
        }
        let before = state.before.take()?;
        tracing::error!(
            event = "generation-rollback",
            by = "trial",
            generation = before.id(),
            before = decided.generation.id(),
            messages,
            failures,
            "filters of the new generation failed: the one before is in service again"
        );
        metrics::rollback("trial");
        let id = before.id().to_owned();
        self.activate(&mut state, Counted::new(before));
        Some(id)
    }

    /// Makes a generation the active one; what was active is kept. Nothing is on trial then.
    fn activate(&self, state: &mut State, new: Arc<Counted>) {
        let old = std::mem::replace(&mut state.active, new);
        let active = Arc::clone(&state.active);
        state.before = None;
        state
            .kept
            .retain(|each| each.generation.id() != active.generation.id());
        metrics::generation(&active.generation, Some(&old.generation));
        if old.generation.id() != active.generation.id() {
            state.kept.push_front(old);
        }
        state.kept.truncate(self.keep);
        self.engine.replace(Arc::clone(&active.generation));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn now() -> i64 {
    unix_seconds(SystemTime::now())
}
