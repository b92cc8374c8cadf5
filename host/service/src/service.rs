//! Admission: a bounded number of messages are worked on at a time, on threads of their own, and
//! a bounded number wait for that. One more is deferred at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use waxseal_engine::{Engine, Generation, LookUps, Outcome, Transaction};
use waxseal_policy::reply::Reply;

use crate::decisions::Decisions;
use crate::generations::{Counted, GenerationStatus, Generations, RollbackError, Trial};
use crate::ids::Ids;
use crate::metrics;
use crate::processed::{Processed, undecided};
use crate::room::{Room, Rooms};
use crate::shadow::{Question, Shadow, ShadowReport};

/// How much is worked on at a time, and what is kept.
#[derive(Clone)]
pub struct Settings {
    /// Messages processed at a time.
    pub workers: usize,
    /// Messages that may wait for a worker; one more is deferred at once.
    pub waiting: usize,
    /// How long a message waits for a worker before it is deferred.
    pub wait: Duration,
    /// Octets of messages that are held at a time ([`Service::room`]).
    pub octets: usize,
    /// Generations kept for rollback.
    pub keep: usize,
    /// When a new generation is taken back by itself. `None`: never.
    pub trial: Option<Trial>,
    /// Messages that may be with a candidate at a time; others are skipped.
    pub shadow_backlog: usize,
    /// Where decisions are recorded.
    pub decisions: Option<Arc<Decisions>>,
}

impl Default for Settings {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(2, Into::into);
        Self {
            workers,
            waiting: 1_000,
            wait: Duration::from_secs(20),
            octets: 1 << 30,
            keep: 3,
            trial: None,
            shadow_backlog: 2 * workers,
            decisions: None,
        }
    }
}

/// There is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no candidate is in shadow mode")]
pub struct ShadowError;

/// An engine with bounded admission.
pub struct Service {
    settings: Settings,
    generations: Arc<Generations>,
    active: watch::Sender<String>,
    shadow: Mutex<Option<Arc<Shadow>>>,
    workers: Arc<Semaphore>,
    waiting: Semaphore,
    rooms: Arc<Rooms>,
    ids: Ids,
    /// Each message that is under way holds a reference.
    under_way: Arc<()>,
}

impl Service {
    /// A service of this engine. From here on the service says which generation is current.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Arc<Self> {
        let (active, _) = watch::channel(engine.generation().id().to_owned());
        Arc::new(Self {
            generations: Arc::new(Generations::new(engine, settings.keep, settings.trial)),
            active,
            shadow: Mutex::default(),
            workers: Arc::new(Semaphore::new(settings.workers.max(1))),
            waiting: Semaphore::new(settings.waiting),
            rooms: Rooms::new(settings.octets),
            ids: Ids::default(),
            under_way: Arc::default(),
            settings,
        })
    }

    /// A new name for a message: front ends write it into Received before they hand it in.
    pub fn new_id(&self) -> String {
        self.ids.next(SystemTime::now())
    }

    /// Room for a message that is about to be read: the front end lets it grow with what it reads,
    /// keeps it to the message's end, and defers the message when there is no more.
    pub fn room(&self) -> Room {
        self.rooms.room()
    }

    /// Lets the policy decide, by the generation that is active now. Total: overload and faults
    /// of our own are deferrals. Dropped before it is ready, the message is
    /// [abandoned](crate::Ending::Abandoned).
    pub async fn process(&self, id: String, transaction: Transaction) -> Processed {
        let decisions = self.settings.decisions.clone();
        let under_way = Arc::clone(&self.under_way);
        let mut processed = Processed::begin(id, &transaction, decisions, under_way);
        let generation = self.generations.active();
        let waiting = Instant::now();
        let admitted = self.admit().await;
        processed.waited(waiting.elapsed());
        let outcome = match admitted {
            Ok(worker) => {
                self.work(worker, generation, processed.id.clone(), transaction)
                    .await
            }
            Err(reason) => {
                metrics::overload(reason);
                let id = generation.generation.id();
                undecided(Reply::deferral("4.3.2", "too busy; try again later"), id)
            }
        };
        processed.decided(outcome);
        processed
    }

    /// A worker, or why there is none.
    async fn admit(&self) -> Result<OwnedSemaphorePermit, &'static str> {
        let workers = Arc::clone(&self.workers);
        if let Ok(worker) = Arc::clone(&workers).try_acquire_owned() {
            return Ok(worker);
        }
        let _place = self.waiting.try_acquire().map_err(|_| "waiting")?;
        match tokio::time::timeout(self.settings.wait, workers.acquire_owned()).await {
            Ok(Ok(worker)) => Ok(worker),
            _ => Err("wait"),
        }
    }

    async fn work(
        &self,
        worker: OwnedSemaphorePermit,
        generation: Arc<Counted>,
        id: String,
        transaction: Transaction,
    ) -> Outcome {
        let fallback = generation.generation.id().to_owned();
        let shadow = self.lock_shadow().clone();
        let question = shadow.and_then(|shadow| shadow.ask(&transaction));
        let generations = Arc::clone(&self.generations);
        let active = self.active.clone();
        let (hand_out, answer) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let look_ups = LookUps::default();
            let work = || generation.generation.process(transaction, &look_ups);
            let outcome = contained("process", work);
            if let Some(back) = generations.count(&generation, failed(outcome.as_ref())) {
                active.send_replace(back);
            }
            let seen = question.map(|question| (question, outcome.as_ref().map(Seen::of)));
            drop(worker);
            // Whoever waited may have gone: its message is abandoned, and logged as that.
            let _ = hand_out.send(outcome);
            if let Some((question, Some(seen))) = seen {
                contained("shadow", || seen.compare(question, &id, &look_ups));
            }
        });
        match answer.await {
            Ok(Some(outcome)) => outcome,
            _ => undecided(Reply::internal_error(), &fallback),
        }
    }

    /// Puts a generation into service; messages under way finish on theirs. It is on trial
    /// where the settings say so.
    pub fn replace(&self, generation: impl Into<Arc<Generation>>) {
        let generation = generation.into();
        let id = generation.id().to_owned();
        self.generations.replace(generation);
        self.active.send_replace(id);
    }

    /// Goes back to a kept generation: that of the id, or the youngest. Its id.
    pub fn rollback(&self, id: Option<&str>) -> Result<String, RollbackError> {
        let id = self.generations.roll_back(id)?;
        self.active.send_replace(id.clone());
        Ok(id)
    }

    /// Messages between their arrival and their end.
    pub fn in_flight(&self) -> usize {
        Arc::strong_count(&self.under_way) - 1
    }

    /// The active generation.
    pub fn active(&self) -> Arc<Generation> {
        Arc::clone(&self.generations.active().generation)
    }

    /// The id of the active generation, whenever it changes: also when a trial ends it.
    pub fn watch_active(&self) -> watch::Receiver<String> {
        self.active.subscribe()
    }

    /// All generations that are loaded: the active one, those kept, youngest first, and the
    /// candidate.
    pub fn generations(&self) -> Vec<GenerationStatus> {
        let mut all = self.generations.status();
        all.extend(self.shadow_report().map(|report| report.candidate));
        all
    }

    /// Asks a candidate about live mail from now on; one that was asked before is let go.
    pub fn shadow_start(&self, candidate: impl Into<Arc<Generation>>) {
        let shadow = Shadow::new(candidate.into(), self.settings.shadow_backlog);
        tracing::info!(
            shadow = true,
            event = "shadow-start",
            candidate = shadow.candidate().id(),
            "a candidate is asked about live mail"
        );
        *self.lock_shadow() = Some(shadow);
    }

    /// Lets the candidate go: how it fared.
    pub fn shadow_stop(&self) -> Result<ShadowReport, ShadowError> {
        let shadow = self.lock_shadow().take().ok_or(ShadowError)?;
        tracing::info!(
            shadow = true,
            event = "shadow-stop",
            candidate = shadow.candidate().id(),
            "the candidate is let go"
        );
        Ok(shadow.report())
    }

    /// How the candidate fares; `None` when there is none.
    pub fn shadow_report(&self) -> Option<ShadowReport> {
        self.lock_shadow().as_ref().map(|shadow| shadow.report())
    }

    /// Puts the candidate into service, on trial like any other: how it fared.
    pub fn promote(&self) -> Result<ShadowReport, ShadowError> {
        let shadow = self.lock_shadow().take().ok_or(ShadowError)?;
        self.replace(Arc::clone(shadow.candidate()));
        Ok(shadow.report())
    }

    fn lock_shadow(&self) -> std::sync::MutexGuard<'_, Option<Arc<Shadow>>> {
        self.shadow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a candidate is compared with, once the outcome itself has left.
struct Seen {
    generation: String,
    decision: Option<waxseal_policy::Decision>,
}

impl Seen {
    fn of(outcome: &Outcome) -> Self {
        Self {
            generation: outcome.generation.clone(),
            decision: outcome.decision.clone(),
        }
    }

    fn compare(&self, question: Question, id: &str, look_ups: &LookUps) {
        question.compare(id, &self.generation, self.decision.as_ref(), look_ups);
    }
}

/// Did the generation fail on this message? That there was no slot free is not its fault.
fn failed(outcome: Option<&Outcome>) -> bool {
    let Some(outcome) = outcome else {
        return true; // It panicked.
    };
    let mut failures = outcome.decision.iter().flat_map(|it| &it.failures);
    failures.any(|failure| failure.code != "policy.overloaded")
}

/// A panic of ours costs one message a deferral, not the process.
fn contained<T>(place: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        metrics::panicked(place);
        tracing::error!(place, "a panic was contained: please report it");
    }
    done
}
