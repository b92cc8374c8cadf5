//! `serve.toml`: how the service listens, where mail goes on to, and how it is operated.
//!
//! Plain settings; nothing is opened, bound or looked up here. The policy stands in
//! `waxseal.toml` and is reloaded while mail flows; what stands here takes effect at a start.
//! On failure [`Errors`] has every problem with its line, as for a policy.

mod listener;
mod next_hop;
mod value;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::directory::plain;
use crate::document::{Section, Source};
use crate::problem::{Collector, Errors, Problem};

pub use listener::{BareNewline, ListenAddress, Listener, Protocol};
pub use next_hop::{HopAddress, HopProtocol, NextHop, Tls};

/// The name of the file, beside `waxseal.toml`.
pub const SERVE_FILE: &str = "serve.toml";

/// Everything that `serve.toml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// The name in greetings and Received; `None`: the system's.
    pub hostname: Option<String>,
    /// Where the service keeps what it writes: last-good policies, decisions.
    pub state: PathBuf,
    /// What is listened on. Never empty; names differ.
    pub listeners: Vec<Listener>,
    /// Where mail goes on to, by name. Every name that a listener has is there.
    pub next_hops: BTreeMap<String, NextHop>,
    /// The control socket.
    pub control: Control,
    /// Where metrics and health are served; `None`: nowhere.
    pub http: Option<ListenAddress>,
    /// How a policy is reloaded.
    pub reload: Reload,
    /// How much is done at a time.
    pub limits: ServiceLimits,
    /// The record of decisions.
    pub decisions: Decisions,
}

/// `[control]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The Unix socket.
    pub socket: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

/// `[reload]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// The directory is watched.
    pub watch: bool,
    /// Generations that stay loaded for a rollback, the active one not counted.
    pub keep: usize,
    /// The longest that a candidate may take from reading to the end of its fixtures.
    pub time: Duration,
    /// So many failures of filters…
    pub failures: u32,
    /// … among so many first messages of a new generation, and it is rolled back.
    pub within: u32,
    /// So many failures of a filter in a row open its circuit breaker…
    pub breaker_failures: u32,
    /// … for so long.
    pub breaker: Duration,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Messages worked on at a time; 0: as many as there are cores.
    pub workers: usize,
    /// How long a message waits for a worker.
    pub wait: Duration,
    /// The longest that a message may stay, from its end to the reply.
    pub stay: Duration,
    /// How long a stop waits for messages under way.
    pub stop: Duration,
    /// The largest message, in octets.
    pub message: usize,
    /// Octets of all messages that are held at a time.
    pub held: usize,
}

/// `[decisions]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decisions {
    /// Days that a decision is kept; 0: none are recorded.
    pub days: u32,
    /// MiB that all of them may take.
    pub mib: u32,
    /// What filters log is recorded too; it can hold content of mail.
    pub filter_logs: bool,
}

/// Reads the file. Relative names in it are relative to the directory that it stands in; the
/// state stands in the policy's directory unless the file says otherwise.
pub fn read(file: &Path, policy: &Path) -> Result<Serve, Errors> {
    let problems = Collector::default();
    let read = fs::read_to_string(file)
        .map_err(|error| {
            let message = format!("cannot read: {}", plain(&error));
            problems.add(Problem::with_file(file, message));
        })
        .ok()
        .and_then(|text| document(file, &text, policy, &problems));
    match read {
        Some(serve) if problems.is_empty() => Ok(serve),
        _ => Err(Errors(problems.into_problems())),
    }
}

fn document(file: &Path, text: &str, policy: &Path, problems: &Collector) -> Option<Serve> {
    let base = file.parent().unwrap_or(Path::new(""));
    let name = file.file_name().map_or(file, Path::new);
    let source = Source::new(name, text, problems);
    let table = source.parse();
    if !problems.is_empty() {
        return None; // What follows a syntax error would be about things that are there.
    }
    let root = Section::root(&source, &table);
    let state = path(&root, "state", base).unwrap_or_else(|| policy.join("state"));
    let next_hops = next_hop::read(&root, base);
    let serve = Serve {
        hostname: value::hostname(&root),
        listeners: listener::read(&root, base, &next_hops),
        next_hops,
        control: control(root.section("control"), base, &state),
        http: root.section("http").and_then(|it| http(it, base)),
        reload: reload(root.section("reload")),
        limits: limits(root.section("limits")),
        decisions: decisions(root.section("decisions")),
        state,
    };
    root.finish();
    Some(serve)
}

/// A file name, relative to `base`.
fn path(section: &Section<'_>, key: &'static str, base: &Path) -> Option<PathBuf> {
    section.text(key).map(|name| base.join(name))
}

fn control(section: Option<Section<'_>>, base: &Path, state: &Path) -> Control {
    let mut control = Control {
        socket: state.join("control.sock"),
        mode: 0o600,
    };
    if let Some(section) = section {
        if let Some(socket) = path(&section, "socket", base) {
            control.socket = socket;
        }
        control.mode = value::mode(&section).unwrap_or(control.mode);
        section.finish();
    }
    control
}

fn http(section: Section<'_>, base: &Path) -> Option<ListenAddress> {
    let address = section
        .required("address")
        .and_then(|value| listener::address(&value, base));
    section.finish();
    address
}

fn reload(section: Option<Section<'_>>) -> Reload {
    let mut reload = Reload {
        watch: true,
        keep: 3,
        time: Duration::from_secs(60),
        failures: 5,
        within: 20,
        breaker_failures: 10,
        breaker: Duration::from_secs(30),
    };
    let Some(section) = section else {
        return reload;
    };
    let set = |key, bounds, number: &mut u32| {
        if let Some(given) = section.number(key, bounds) {
            *number = u32::try_from(given).unwrap_or(u32::MAX);
        }
    };
    set("failures", 0..=100_000, &mut reload.failures);
    set("within", 1..=100_000, &mut reload.within);
    set(
        "breaker-failures",
        1..=100_000,
        &mut reload.breaker_failures,
    );
    reload.watch = section.flag("watch").unwrap_or(reload.watch);
    reload.keep = value::count(&section, "keep", 1..=100).unwrap_or(reload.keep);
    reload.time = value::duration(&section, "time").unwrap_or(reload.time);
    if let Some(seconds) = section.number("breaker-seconds", 1..=86_400) {
        reload.breaker = Duration::from_secs(seconds);
    }
    section.finish();
    reload
}

fn limits(section: Option<Section<'_>>) -> ServiceLimits {
    let mut limits = ServiceLimits {
        workers: 0,
        wait: Duration::from_secs(20),
        stay: Duration::from_secs(240),
        stop: Duration::from_secs(30),
        message: 64 << 20,
        held: 1 << 30,
    };
    let Some(section) = section else {
        return limits;
    };
    limits.workers = value::count(&section, "workers", 0..=1024).unwrap_or(limits.workers);
    limits.wait = value::duration(&section, "wait").unwrap_or(limits.wait);
    limits.stay = value::duration(&section, "stay").unwrap_or(limits.stay);
    limits.stop = value::duration(&section, "stop").unwrap_or(limits.stop);
    if let Some(mib) = value::count(&section, "message-mib", 1..=1024) {
        limits.message = mib << 20;
    }
    if let Some(mib) = value::count(&section, "held-mib", 1..=1 << 20) {
        limits.held = mib << 20;
    }
    section.finish();
    limits
}

fn decisions(section: Option<Section<'_>>) -> Decisions {
    let mut decisions = Decisions {
        days: 14,
        mib: 256,
        filter_logs: false,
    };
    let Some(section) = section else {
        return decisions;
    };
    let number = |key, most| {
        let given = section.number(key, 0..=most)?;
        u32::try_from(given).ok()
    };
    decisions.days = number("days", 3650).unwrap_or(decisions.days);
    decisions.mib = number("mib", 1 << 20).unwrap_or(decisions.mib);
    decisions.filter_logs = section.flag("filter-logs").unwrap_or(false);
    section.finish();
    decisions
}
