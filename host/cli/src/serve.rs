//! `waxseal serve`: front ends, policy and operation wired together.
//!
//! It begins with what can fail (settings, sockets, policy), says that it is ready when mail
//! can be taken, and ends gracefully: listeners close, messages under way are finished within a
//! time, and what is left then is dropped without an answer, so that its client tries again.

pub(crate) mod bind;
pub(crate) mod control;
mod expiry;
mod front;
mod harden;
mod http;
mod next_hops;
pub(crate) mod reload;
mod settings;
pub(crate) mod status;
mod systemd;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waxseal_config::serve::{SERVE_FILE, Serve};
use waxseal_engine::Engine;
use waxseal_policy::{BreakerRules, Runtime, RuntimeLimits};
use waxseal_service::{DecisionSettings, Decisions, GenerationState, Service, Trial};
use waxseal_smime::{Clock, Time};
use waxseal_stores::SystemClock;

use crate::commands::check;
use crate::commands::serve::ServeArgs;
use crate::report::{Exit, Failure};
use crate::serve::bind::{Bound, Inherited, SocketFile};
use crate::serve::next_hops::NextHops;
use crate::serve::reload::candidate::{Loader, Rejected};
use crate::serve::reload::kept::State;
use crate::serve::reload::watch::Watch;
use crate::serve::reload::{Changes, Reloader, Request, lock};
use crate::serve::settings::Settings;
use crate::serve::status::{GenerationStatus, ListenerStatus, ShadowStatus, Status};

/// Requests that may wait for the one that is carried out.
const REQUESTS: usize = 16;
/// Upper ends of the histograms of times, in seconds: from a filter's microseconds to the
/// longest stay of a message.
const BUCKETS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 240.0,
];
/// How often histograms are put in order when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);
/// Evaluations beside those of messages: fixtures of a candidate, and its shadow.
const SPARE_SLOTS: usize = 4;

/// Serves until a signal says stop.
pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let policy = std::path::absolute(&args.policy)
        .map_err(|error| Failure::reading(&args.policy, &error))?;
    let config = args
        .config
        .clone()
        .unwrap_or_else(|| policy.join(SERVE_FILE));
    let serve = read(&config, &policy)?;
    harden::private_files();
    let inherited = Inherited::from_environment();
    let state = state(&serve.state)?;
    let runtime = wasm(&serve)?;
    harden::no_core_dumps();
    let loader = Arc::new(Loader {
        policy: policy.clone(),
        state: Arc::new(state),
        runtime,
        time: serve.reload.time,
        busy: Mutex::default(),
    });
    let settings = Arc::new(Settings {
        file: config,
        policy,
        begun_with: serve,
    });
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Software, error))?;
    let begun = Begun {
        settings,
        loader,
        inherited,
    };
    let ended = tokio.block_on(begun.run());
    // A thread that hangs, in a filter or on a disk, must not keep us.
    tokio.shutdown_background();
    ended
}

/// Reads `serve.toml`.
fn read(config: &Path, policy: &Path) -> Result<Serve, Failure> {
    if !config.is_file() {
        let message = format!("no {SERVE_FILE}: {}", config.display());
        return Err(Failure::new(Exit::NoInput, message)
            .hint("`waxseal init` writes one to start from; --config names another file"));
    }
    waxseal_config::serve::read(config, policy)
        .map_err(|errors| check::faults("the settings", config, &errors))
}

/// The state directory, which one server has at a time.
fn state(root: &Path) -> Result<State, Failure> {
    match State::open(root) {
        Ok(Some(state)) => Ok(state),
        Ok(None) => Err(Failure::new(
            Exit::TempFail,
            format_args!(
                "another server uses this state directory: {}",
                root.display()
            ),
        )
        .hint("`waxseal status` shows it; `state` in serve.toml names another directory")),
        Err(error) => Err(Failure::creating(root, &error)),
    }
}

/// One wasm engine, with a slot for each message that is worked on.
fn wasm(serve: &Serve) -> Result<Arc<Runtime>, Failure> {
    let slots = workers(serve) * 2 + SPARE_SLOTS;
    let limits = RuntimeLimits {
        slots: u32::try_from(slots).unwrap_or(u32::MAX),
        breaker: Some(BreakerRules {
            failures: serve.reload.breaker_failures,
            rest: serve.reload.breaker,
        }),
        ..RuntimeLimits::default()
    };
    Runtime::new(&limits).map_err(|error| Failure::new(Exit::Software, error))
}

fn workers(serve: &Serve) -> usize {
    match serve.limits.workers {
        0 => available_parallelism().map_or(2, usize::from),
        workers => workers,
    }
}

/// What there is before anything listens.
struct Begun {
    settings: Arc<Settings>,
    loader: Arc<Loader>,
    inherited: Inherited,
}

impl Begun {
    async fn run(mut self) -> Result<ExitCode, Failure> {
        // Before anything else: neither a signal nor a change that comes while we start is lost.
        let mut signals = Signals::new()?;
        let serve = &self.settings.begun_with;
        let watch = || Watch::new(&self.loader.policy, self.loader.state.root());
        let watch = serve.reload.watch.then(watch);
        let metrics = recorder()?;
        let hostname = serve.hostname.clone().unwrap_or_else(harden::hostname);
        let next_hops = Arc::new(NextHops::new(front::relays(serve, &hostname)?));
        let mut sockets = Sockets::bind(serve, &mut self.inherited)?;
        let beginning = begin(&self.loader).await?;
        let engine = Arc::new(Engine::new(Arc::clone(&beginning.generation)));
        let decisions = decisions(serve);
        let service = Service::new(engine, service_settings(serve, decisions.clone()));
        let loader = Arc::clone(&self.loader);
        let reloader = Reloader::new(loader, Arc::clone(&service), &self.settings, beginning);
        let (requests, asked) = mpsc::channel(REQUESTS);
        let running = Arc::new(Running {
            since: SystemClock.now(),
            settings: Arc::clone(&self.settings),
            stopping: CancellationToken::new(),
            service,
            changes: reloader.changes(),
            decisions: decisions.clone(),
            next_hops,
            requests: requests.clone(),
            listeners: std::mem::take(&mut sockets.listeners),
        });
        lock(&running.changes).last.log();
        let mut tasks = Tasks::new(&running);
        tasks.mail(&hostname, std::mem::take(&mut sockets.mail))?;
        tasks.operation(sockets.control, sockets.http, metrics);
        tasks.change(reloader, asked, watch);
        running.say_ready();
        signals.until_stop(&requests).await;
        tasks.stop(&mut signals).await;
        drop(sockets.files);
        close(decisions).await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes what was decided about the last messages.
async fn close(decisions: Option<Arc<Decisions>>) {
    let close = move || decisions.iter().for_each(|decisions| decisions.close());
    if let Err(error) = tokio::task::spawn_blocking(close).await {
        tracing::error!(%error, "the record of decisions is not whole");
    }
}

/// The first policy. Without any there is nothing to serve by.
async fn begin(loader: &Arc<Loader>) -> Result<reload::Beginning, Failure> {
    let begin = Arc::clone(loader);
    let begun = tokio::task::spawn_blocking(move || reload::begin(&begin)).await;
    begun
        .map_err(|error| Failure::new(Exit::Software, error))?
        .map_err(|rejected| refused(&loader.policy, &rejected))
}

fn refused(policy: &Path, rejected: &Rejected) -> Failure {
    let mut failure = Failure::silent(Exit::Config);
    for problem in &rejected.problems {
        failure = failure.and(&problem.message);
        if let Some(hint) = &problem.hint {
            failure = failure.hint(hint);
        }
    }
    let step = &rejected.step;
    failure.and(format_args!(
        "the policy does not load, step {step}: {}",
        policy.display()
    ))
}

fn service_settings(serve: &Serve, decisions: Option<Arc<Decisions>>) -> waxseal_service::Settings {
    let workers = workers(serve);
    let trial = Trial {
        failures: serve.reload.failures.into(),
        within: serve.reload.within.into(),
    };
    waxseal_service::Settings {
        workers,
        wait: serve.limits.wait,
        octets: serve.limits.held,
        keep: serve.reload.keep,
        trial: (trial.failures > 0).then_some(trial),
        shadow_backlog: 2 * workers,
        decisions,
        ..waxseal_service::Settings::default()
    }
}

/// The record of decisions, unless the operator wants none. Mail flows without it, too.
fn decisions(serve: &Serve) -> Option<Arc<Decisions>> {
    if serve.decisions.days == 0 {
        return None;
    }
    let directory = serve.state.join("decisions");
    let settings = DecisionSettings {
        directory,
        days: serve.decisions.days,
        mib: serve.decisions.mib.into(),
        filter_logs: serve.decisions.filter_logs,
    };
    Decisions::open(settings)
        .map_err(|error| tracing::error!(%error, "decisions are not recorded"))
        .ok()
}

fn recorder() -> Result<PrometheusHandle, Failure> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::new(Exit::Software, error))?;
    waxseal_service::describe_metrics();
    Ok(handle)
}

/// Everything that is listened on, bound before the policy is loaded: what comes meanwhile
/// waits in the kernel.
struct Sockets {
    mail: Vec<Bound>,
    control: Bound,
    http: Option<Bound>,
    listeners: Vec<ListenerStatus>,
    files: Vec<SocketFile>,
}

impl Sockets {
    fn bind(serve: &Serve, inherited: &mut Inherited) -> Result<Self, Failure> {
        let mut mail = Vec::new();
        let mut listeners = Vec::new();
        for listener in &serve.listeners {
            let bound = inherited.bind(&listener.address, listener.mode)?;
            listeners.push(ListenerStatus {
                name: listener.name.clone(),
                protocol: listener.protocol.as_str().to_owned(),
                address: bound.address.clone(),
                next_hop: listener.next_hop.clone(),
            });
            mail.push(bound);
        }
        let http = serve.http.as_ref();
        let mut http = http.map(|it| inherited.bind(it, 0o660)).transpose()?;
        let address = waxseal_config::serve::ListenAddress::Unix(serve.control.socket.clone());
        let mut control = inherited.bind(&address, serve.control.mode)?;
        let bound = mail.iter_mut().chain([&mut control]).chain(&mut http);
        let files = bound.filter_map(|bound| bound.file.take()).collect();
        Ok(Self {
            mail,
            control,
            http,
            listeners,
            files,
        })
    }
}

/// Puts histograms in order: without that they would grow while nobody asks for them.
async fn upkeep(metrics: PrometheusHandle) {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        interval.tick().await;
        metrics.run_upkeep();
    }
}

/// Sends a request whenever the directory has changed.
async fn watch_policy(mut watch: Watch, requests: mpsc::Sender<Request>) {
    loop {
        watch.changed().await;
        if requests.send(Request::Changed).await.is_err() {
            return;
        }
    }
}

/// Tasks of the service: those that carry mail are waited for at the end, the helpers are not.
struct Tasks {
    running: Arc<Running>,
    mail: JoinSet<()>,
    helpers: JoinSet<()>,
}

impl Tasks {
    fn new(running: &Arc<Running>) -> Self {
        Self {
            running: Arc::clone(running),
            mail: JoinSet::new(),
            helpers: JoinSet::new(),
        }
    }

    fn mail(&mut self, hostname: &str, sockets: Vec<Bound>) -> Result<(), Failure> {
        let serve = &self.running.settings.begun_with;
        let relays = &self.running.next_hops.relays;
        for (listener, bound) in serve.listeners.iter().zip(sockets) {
            let front = front::Front {
                listener,
                serve,
                hostname,
            };
            let (service, stop) = (&self.running.service, self.running.stopping.clone());
            self.mail
                .spawn(front.serve(service, relays, bound.socket, stop)?);
        }
        Ok(())
    }

    /// What changes the policy.
    fn change(&mut self, reloader: Reloader, asked: mpsc::Receiver<Request>, watch: Option<Watch>) {
        if let Some(watch) = watch {
            let requests = self.running.requests.clone();
            self.helpers.spawn(watch_policy(watch, requests));
        }
        self.helpers.spawn(reloader.run(asked));
        self.helpers.spawn(systemd::watchdog());
    }

    fn operation(&mut self, control: Bound, http: Option<Bound>, metrics: PrometheusHandle) {
        let running = Arc::clone(&self.running);
        self.helpers.spawn(control::serve(control.socket, running));
        self.helpers.spawn(upkeep(metrics.clone()));
        let next_hops = Arc::clone(&self.running.next_hops);
        self.helpers.spawn(async move { next_hops.ask().await });
        if let Some(http) = http {
            let running = Arc::clone(&self.running);
            let serving = http::serve(http.socket, running, metrics);
            self.helpers.spawn(serving);
        }
    }

    /// Closes the listeners, waits for messages under way, and lets go of the rest.
    async fn stop(mut self, signals: &mut Signals) {
        let limit = self.running.settings.begun_with.limits.stop;
        self.running.stopping.cancel();
        systemd::stopping(limit);
        tracing::info!(wait_ms = limit.as_millis() as u64, "stopping");
        let ended = tokio::select! {
            ended = timeout(limit, all_of(&mut self.mail)) => ended.is_ok(),
            () = signals.stop() => false,
        };
        match ended {
            true => tracing::info!("stopped"),
            false => tracing::warn!(
                "stopped; messages under way were not answered, and their clients will try again"
            ),
        }
    }
}

/// Waits for every task.
async fn all_of(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a listener ended before its time");
        }
    }
}

/// SIGTERM and SIGINT stop, SIGHUP reloads.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Software, error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that says stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn until_stop(&mut self, requests: &mpsc::Sender<Request>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    // A full queue holds a reload already.
                    let _ = requests.try_send(Request::Hangup);
                }
            }
        }
    }
}

/// A running service, as control socket and HTTP see it.
pub(crate) struct Running {
    since: Time,
    settings: Arc<Settings>,
    stopping: CancellationToken,
    service: Arc<Service>,
    changes: Arc<Mutex<Changes>>,
    decisions: Option<Arc<Decisions>>,
    next_hops: Arc<NextHops>,
    requests: mpsc::Sender<Request>,
    listeners: Vec<ListenerStatus>,
}

impl Running {
    fn say_ready(&self) {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            config = %self.settings.file.display(),
            listeners = self.listeners.len(),
            "ready"
        );
        systemd::ready(&format!("policy generation {}", self.service.active().id()));
    }

    /// What `status` shows.
    pub(crate) fn status(&self) -> Status {
        let shadow = self.shadow();
        let loaded = self.service.generations();
        let changes = lock(&self.changes);
        let all = |state| GenerationStatus::all(&loaded, state, &changes);
        let active = all(GenerationState::Active).remove(0);
        let state = match self.stopping.is_cancelled() {
            true => "stopping",
            false => "running",
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            state: state.to_owned(),
            since: self.since.to_string(),
            policy: self.settings.policy.display().to_string(),
            pending: self.settings.pending(),
            in_flight: self.service.in_flight(),
            degraded: status::degraded(&changes, &active),
            active,
            earlier: all(GenerationState::Kept),
            shadow,
            rolled_back: changes.rolled_back.iter().cloned().collect(),
            last_change: changes.last.clone(),
            listeners: self.listeners.clone(),
            next_hops: self.next_hops.status(),
        }
    }

    /// How the candidate fares, if there is one.
    pub(crate) fn shadow(&self) -> Option<ShadowStatus> {
        let report = self.service.shadow_report()?;
        Some(ShadowStatus::new(&report, &lock(&self.changes)))
    }

    /// Lets the candidate go: how it fared.
    pub(crate) fn stop_shadow(&self) -> Option<ShadowStatus> {
        let report = self.service.shadow_stop().ok()?;
        Some(ShadowStatus::new(&report, &lock(&self.changes)))
    }

    /// Sets the gauges that nothing else keeps up to date.
    pub(crate) fn measure(&self) {
        expiry::measure(&self.service.active(), SystemClock.now());
        let degraded = self.status().degraded;
        metrics::gauge!("waxseal_degraded").set(if degraded.is_empty() { 0.0 } else { 1.0 });
    }
}
