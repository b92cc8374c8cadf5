//! Changing the policy while mail flows (DESIGN §7).
//!
//! One task has all of it: what asks for a change sends it a [`Request`], and one is carried
//! out after the other. A candidate is loaded and tried off the mail path; then it takes the
//! place of the active generation at once, and messages under way finish on theirs. A failure
//! at any step keeps the running generation; it is logged, and `status` shows it.

pub(crate) mod candidate;
mod copy;
pub(crate) mod kept;
pub(crate) mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use waxseal_config::serve::SERVE_FILE;
use waxseal_engine::Generation;
use waxseal_service::Service;
use waxseal_smime::Clock;
use waxseal_stores::SystemClock;

use crate::serve::reload::candidate::{Candidate, Loader, Rejected};
use crate::serve::reload::kept::{Kept, State};
use crate::serve::settings::Settings;
use crate::serve::systemd;

/// Somebody wants the policy changed.
pub(crate) enum Request {
    /// The directory changed.
    Changed,
    /// SIGHUP.
    Hangup,
    /// `waxseal reload`: as the active generation, or as a candidate beside it.
    Reload(As, oneshot::Sender<Report>),
    /// `waxseal shadow promote`.
    Promote(oneshot::Sender<Report>),
    /// `waxseal rollback`, to a generation by its id or to the one before.
    Rollback(Option<String>, oneshot::Sender<Report>),
}

/// What a policy is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// The active generation.
    Active,
    /// A candidate that is asked about live mail, and not followed.
    Shadow,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    /// When (RFC 3339).
    pub(crate) at: String,
    /// What asked for it: `start`, `change`, `sighup`, `reload`, `rollback`, `promote`, or
    /// `trial` when a new generation failed and went by itself.
    pub(crate) trigger: String,
    /// What became of it.
    pub(crate) result: Outcome,
    /// The generation that is active now.
    pub(crate) generation: String,
    /// The one before, when there is a new one.
    pub(crate) previous: Option<String>,
    /// Why it was rejected.
    pub(crate) rejected: Option<Rejected>,
    /// What an operator should know although it does not stand in the way.
    pub(crate) warnings: Vec<String>,
    /// Fixtures that passed.
    pub(crate) fixtures: usize,
    /// How long it took, in milliseconds.
    pub(crate) took_ms: u64,
    /// The candidate that is asked from now on.
    pub(crate) candidate: Option<String>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// A new generation is active.
    Activated,
    /// The content is that of the active generation.
    Unchanged,
    /// The content is that of a generation that was rolled back; only `reload` activates it.
    RolledBackBefore,
    /// It did not load, or failed its fixtures. What ran goes on running.
    Rejected,
    /// An earlier generation is active again.
    RolledBack,
    /// There is no such generation to go back to.
    NothingToRollBackTo,
    /// It is a candidate beside the active generation now.
    Shadow,
    /// There is no candidate.
    NoCandidate,
}

/// What is known of a generation beside what the service knows.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The copy that it was loaded from, when it could be kept.
    pub(crate) kept: Option<Kept>,
    pub(crate) warnings: Vec<String>,
    /// Fixtures that passed.
    pub(crate) fixtures: usize,
    pub(crate) took: Duration,
}

/// What is known of changes, for `status`.
pub(crate) struct Changes {
    /// By the id of the generation.
    pub(crate) known: BTreeMap<String, Known>,
    /// The generation that was last said to be active.
    active: String,
    /// Ids of those that were taken out of service.
    pub(crate) rolled_back: BTreeSet<String>,
    /// The last request that was carried out.
    pub(crate) last: Report,
    /// The last-good policy is active because the directory did not load.
    pub(crate) from_last_good: Option<Rejected>,
    /// Why the directory does not load as it is now.
    pub(crate) rejected: Option<Rejected>,
}

/// Carries requests out.
pub(crate) struct Reloader {
    loader: Arc<Loader>,
    service: Arc<Service>,
    settings: Arc<Settings>,
    changes: Arc<Mutex<Changes>>,
}

/// What the service begins with.
pub(crate) struct Beginning {
    pub(crate) generation: Arc<Generation>,
    known: Known,
    pub(crate) from_last_good: Option<Rejected>,
}

/// Loads the first policy: the directory's, or the last-good one when that does not load or
/// was rolled back.
pub(crate) fn begin(loader: &Loader) -> Result<Beginning, Rejected> {
    let rejected = match loader.load() {
        Ok(candidate) => {
            let id = candidate.generation.id();
            if !loader.state.rolled_back().contains(id) {
                return Ok(Beginning::new(loader, candidate, None));
            }
            let message =
                format!("generation {id} was rolled back; `waxseal reload` takes it all the same");
            Rejected::at("rolled-back", message)
        }
        Err(rejected) => rejected,
    };
    match loader.load_last_good() {
        Some(Ok(candidate)) => Ok(Beginning::new(loader, candidate, Some(rejected))),
        Some(Err(other)) => {
            tracing::error!(reason = %other, "the last-good policy does not load either");
            Err(rejected)
        }
        None => Err(rejected),
    }
}

impl Beginning {
    fn new(loader: &Loader, candidate: Candidate, from_last_good: Option<Rejected>) -> Self {
        let generation = Arc::clone(&candidate.generation);
        let known = keep(&loader.state, candidate);
        remember(is_good(&loader.state, &known));
        Self {
            generation,
            known,
            from_last_good,
        }
    }
}

/// Keeps the copy of a candidate. When the disk is full, the policy is good all the same.
fn keep(state: &State, candidate: Candidate) -> Known {
    let id = candidate.generation.id();
    let kept = candidate.draft.map(|draft| state.keep(draft, id));
    Known {
        kept: kept.transpose().unwrap_or_else(|error| {
            tracing::error!(%error, generation = id, "the policy is not kept for the next start");
            None
        }),
        warnings: candidate.warnings,
        fixtures: candidate.fixtures,
        took: candidate.took,
    }
}

/// The next start begins with this one, should the directory not load.
fn is_good(state: &State, known: &Known) -> std::io::Result<()> {
    known.kept.iter().try_for_each(|kept| state.is_good(kept))
}

/// What runs goes on whether it can be written down or not.
fn remember(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the state directory cannot be written");
    }
}

impl Reloader {
    /// The service works by the beginning's generation already.
    pub(crate) fn new(
        loader: Arc<Loader>,
        service: Arc<Service>,
        settings: &Arc<Settings>,
        beginning: Beginning,
    ) -> Self {
        let id = beginning.generation.id().to_owned();
        let last = Report {
            rejected: beginning.from_last_good.clone(),
            ..Report::new("start", Outcome::Activated, &id).about(&beginning.known)
        };
        let changes = Changes {
            known: BTreeMap::from([(id.clone(), beginning.known)]),
            active: id,
            rolled_back: loader.state.rolled_back(),
            last,
            from_last_good: beginning.from_last_good,
            rejected: None,
        };
        let reloader = Self {
            loader,
            service,
            settings: Arc::clone(settings),
            changes: Arc::new(Mutex::new(changes)),
        };
        reloader.tidy(&mut lock(&reloader.changes));
        reloader
    }

    /// What `status` shows.
    pub(crate) fn changes(&self) -> Arc<Mutex<Changes>> {
        Arc::clone(&self.changes)
    }

    /// Carries requests out until nobody can send one.
    pub(crate) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut active = self.service.watch_active();
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.carry_out(request).await,
                    None => return,
                },
                Ok(()) = active.changed() => {
                    let id = active.borrow_and_update().clone();
                    self.taken_back(&id);
                }
            }
        }
    }

    async fn carry_out(&self, request: Request) {
        systemd::reloading();
        let (mut report, reply) = match request {
            Request::Changed => (self.reload("change", As::Active).await, None),
            Request::Hangup => (self.reload("sighup", As::Active).await, None),
            Request::Reload(what, reply) => (self.reload("reload", what).await, Some(reply)),
            Request::Promote(reply) => (self.promote(), Some(reply)),
            Request::Rollback(to, reply) => (self.rollback(to.as_deref()), Some(reply)),
        };
        let pending = self.settings.pending();
        let pending = pending.map(|pending| format!("{SERVE_FILE}: {pending}"));
        report.warnings.extend(pending);
        self.conclude(&report);
        if let Some(reply) = reply {
            // Who asked may have gone.
            let _ = reply.send(report);
        }
    }

    fn conclude(&self, report: &Report) {
        report.log();
        systemd::ready(&format!("policy generation {}", report.generation));
        lock(&self.changes).last = report.clone();
    }

    async fn reload(&self, trigger: &str, what: As) -> Report {
        let candidate = match self.candidate().await {
            Ok(candidate) => candidate,
            Err(rejected) => {
                lock(&self.changes).rejected = Some(rejected.clone());
                return Report {
                    rejected: Some(rejected),
                    ..Report::new(trigger, Outcome::Rejected, &self.active())
                };
            }
        };
        let (id, active) = (candidate.generation.id().to_owned(), self.active());
        lock(&self.changes).rejected = None;
        if id == active {
            lock(&self.changes).from_last_good = None;
            return Report::new(trigger, Outcome::Unchanged, &active).of(&candidate);
        }
        if trigger != "reload" && lock(&self.changes).rolled_back.contains(&id) {
            return Report::new(trigger, Outcome::RolledBackBefore, &active).of(&candidate);
        }
        let generation = Arc::clone(&candidate.generation);
        let known = keep(&self.loader.state, candidate);
        lock(&self.changes).known.insert(id.clone(), known.clone());
        if what == As::Shadow {
            self.service.shadow_start(generation);
            let report = Report::new(trigger, Outcome::Shadow, &active).about(&known);
            return Report {
                candidate: Some(id),
                ..report
            };
        }
        self.service.replace(generation);
        self.is_active(&id);
        Report {
            previous: Some(active),
            ..Report::new(trigger, Outcome::Activated, &id).about(&known)
        }
    }

    fn promote(&self) -> Report {
        let active = self.active();
        let Ok(report) = self.service.promote() else {
            return Report::new("promote", Outcome::NoCandidate, &active);
        };
        let id = report.candidate.id;
        self.is_active(&id);
        let promoted = Report::new("promote", Outcome::Activated, &id);
        Report {
            previous: Some(active),
            ..promoted
        }
    }

    fn rollback(&self, to: Option<&str>) -> Report {
        let active = self.active();
        match self.service.rollback(to) {
            Ok(id) => self.rolled_back("rollback", &id, active),
            Err(_) => Report::new("rollback", Outcome::NothingToRollBackTo, &active),
        }
    }

    /// The active generation changed. When it was not us, a trial ended badly.
    fn taken_back(&self, id: &str) {
        let before = lock(&self.changes).active.clone();
        if before != id {
            let report = self.rolled_back("trial", id, before);
            self.conclude(&report);
        }
    }

    /// What was active is out of service until somebody asks for it.
    fn rolled_back(&self, trigger: &str, id: &str, before: String) -> Report {
        lock(&self.changes).rolled_back.insert(before.clone());
        self.is_active(id);
        Report {
            previous: Some(before),
            ..Report::new(trigger, Outcome::RolledBack, id)
        }
    }

    fn active(&self) -> String {
        self.service.active().id().to_owned()
    }

    /// Writes down which generation is active.
    fn is_active(&self, id: &str) {
        let mut changes = lock(&self.changes);
        changes.active = id.to_owned();
        let shadow = self.service.shadow_report();
        if shadow.is_some_and(|shadow| shadow.candidate.id == id) {
            // It cannot differ from itself. That it went meanwhile is as good.
            let _ = self.service.shadow_stop();
        }
        changes.rolled_back.remove(id);
        changes.from_last_good = None;
        if let Some(known) = changes.known.get(id) {
            remember(is_good(&self.loader.state, known));
        }
        self.tidy(&mut changes);
    }

    /// Forgets generations that are not loaded any more, with their copies, and writes down
    /// what was rolled back.
    fn tidy(&self, changes: &mut Changes) {
        let loaded = self.service.generations();
        changes
            .known
            .retain(|id, _| loaded.iter().any(|each| each.id == *id));
        let kept = changes
            .known
            .values()
            .filter_map(|known| known.kept.as_ref());
        remember(self.loader.state.remove_others(&kept.collect::<Vec<_>>()));
        remember(self.loader.state.set_rolled_back(&changes.rolled_back));
    }

    /// A policy that loaded, in time.
    async fn candidate(&self) -> Result<Candidate, Rejected> {
        let loader = Arc::clone(&self.loader);
        let work = tokio::task::spawn_blocking(move || loader.load());
        let limit = self.loader.time;
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Rejected::at(
                "load",
                "internal error while loading".to_owned(),
            )),
            Err(_) => {
                let message = format!("loading took longer than {} ms", limit.as_millis());
                Err(Rejected::at("time", message))
            }
        }
    }
}

impl Report {
    fn new(trigger: &str, result: Outcome, generation: &str) -> Self {
        Self {
            at: SystemClock.now().to_string(),
            trigger: trigger.to_owned(),
            result,
            generation: generation.to_owned(),
            previous: None,
            rejected: None,
            warnings: Vec::new(),
            fixtures: 0,
            took_ms: 0,
            candidate: None,
        }
    }

    fn about(self, known: &Known) -> Self {
        Self {
            warnings: known.warnings.clone(),
            fixtures: known.fixtures,
            took_ms: millis(known.took),
            ..self
        }
    }

    fn of(self, candidate: &Candidate) -> Self {
        Self {
            warnings: candidate.warnings.clone(),
            fixtures: candidate.fixtures,
            took_ms: millis(candidate.took),
            ..self
        }
    }

    /// A line for what came of it, and one for each problem.
    pub(crate) fn log(&self) {
        let (trigger, generation) = (self.trigger.as_str(), self.generation.as_str());
        metrics::counter!("waxseal_reloads_total", "result" => self.result.as_str()).increment(1);
        let is_new = matches!(self.result, Outcome::Activated | Outcome::Shadow);
        for warning in self.warnings.iter().filter(|_| is_new) {
            tracing::warn!(generation, warning, "policy");
        }
        if let Some(rejected) = &self.rejected {
            rejected.log();
        }
        match self.result {
            Outcome::Rejected => {
                tracing::error!(trigger, generation, "the running generation stays active");
            }
            Outcome::Activated if self.rejected.is_some() => {
                tracing::error!(trigger, generation, "the last-good policy is active");
            }
            Outcome::Activated | Outcome::RolledBack => {
                let previous = self.previous.as_deref();
                let took_ms = self.took_ms;
                tracing::info!(
                    trigger,
                    generation,
                    previous,
                    took_ms,
                    fixtures = self.fixtures,
                    result = self.result.as_str(),
                    "policy active"
                );
            }
            Outcome::RolledBackBefore => {
                tracing::warn!(
                    trigger,
                    generation,
                    "this policy was rolled back before: `waxseal reload` activates it all the same"
                );
            }
            _ => tracing::info!(trigger, generation, result = self.result.as_str(), "policy"),
        }
    }
}

impl Rejected {
    fn log(&self) {
        let (step, filter) = (self.step.as_str(), self.filter.as_deref());
        for problem in &self.problems {
            let (problem, hint) = (&problem.message, problem.hint.as_deref());
            tracing::error!(step, filter, problem, hint, "policy rejected");
        }
    }
}

impl Outcome {
    /// The name in reports, logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Activated => "activated",
            Outcome::Unchanged => "unchanged",
            Outcome::RolledBackBefore => "rolled-back-before",
            Outcome::Rejected => "rejected",
            Outcome::RolledBack => "rolled-back",
            Outcome::NothingToRollBackTo => "nothing-to-roll-back-to",
            Outcome::Shadow => "shadow",
            Outcome::NoCandidate => "no-candidate",
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
