//! `waxseal check`: load a policy directory as the service would, say what is wrong and where;
//! `serve.toml` too, when it stands there.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::Args;
use serde_json::{Value, json};
use waxseal_config::serve::{self, Listener, SERVE_FILE, Serve};
use waxseal_config::{Errors, FILE, LoadOptions, Loaded, Problem};
use waxseal_policy::{Compile, Runtime, RuntimeLimits};
use waxseal_smime::{Clock, Time};

use crate::clock::{self, CommandClock};
use crate::crypto::providers;
use crate::output;
use crate::report::{Exit, Failure, hint, note, warn};
use crate::serve::bind::shown;

/// What `check` takes.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The policy directory
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Print the problems as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The time at which certificates are looked at (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub(crate) at: Option<Time>,
}

/// Loads everything and prints every problem.
pub(crate) fn run(args: CheckArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let result = read(&args.dir, now)?;
    let config = args.dir.join(SERVE_FILE);
    let serve = match config.exists() {
        true => serve::read(&config, &args.dir).map(Some),
        false => Ok(None),
    };
    if args.json {
        output::print_json(&report(&result, &serve))?;
        return Ok(match (result, serve) {
            (Ok(_), Ok(_)) => ExitCode::SUCCESS,
            _ => Exit::Config.into(),
        });
    }
    match (result, serve) {
        (Ok(loaded), Ok(serve)) => {
            warn_about(&loaded);
            output::print(summary(&loaded) + &listeners(serve.as_ref()))?;
            Ok(ExitCode::SUCCESS)
        }
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(failure(&args.dir, &errors)),
        (Err(errors), Err(more)) => Err(failure(&args.dir, &errors.and(more))),
    }
}

/// What `serve.toml` says, for people.
fn listeners(serve: Option<&Serve>) -> String {
    let listeners = serve.into_iter().flat_map(|serve| &serve.listeners);
    let line = |listener: &Listener| {
        let Listener { name, protocol, .. } = listener;
        let hop = listener.next_hop.as_ref();
        let hop = hop
            .map(|hop| format!(", next hop {hop}"))
            .unwrap_or_default();
        let address = shown(&listener.address);
        format!(
            "  listener {name}: {} on {address}{hop}\n",
            protocol.as_str()
        )
    };
    listeners.map(line).collect()
}

/// Loads a policy for another command: warnings are printed, problems end it.
pub(crate) fn load(dir: &Path, now: Time) -> Result<Loaded, Failure> {
    let loaded = read(dir, now)?.map_err(|errors| failure(dir, &errors))?;
    warn_about(&loaded);
    Ok(loaded)
}

/// Loads a policy and leaves the warnings to the caller.
pub(crate) fn load_quietly(dir: &Path, now: Time) -> Result<Loaded, Failure> {
    read(dir, now)?.map_err(|errors| failure(dir, &errors))
}

fn read(dir: &Path, now: Time) -> Result<Result<Loaded, Errors>, Failure> {
    if !dir.join(FILE).is_file() {
        let message = format!(
            "not a policy directory, it has no {FILE}: {}",
            dir.display()
        );
        let hint = format!("`waxseal init {}` makes one to start from", dir.display());
        return Err(Failure::new(Exit::NoInput, message).hint(hint));
    }
    let runtime = runtime()?;
    Ok(waxseal_config::load(
        dir,
        &runtime,
        providers(),
        &LoadOptions { now },
    ))
}

/// One wasm engine for the process.
fn runtime() -> Result<Arc<Runtime>, Failure> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(Arc::clone(runtime));
    }
    let limits = RuntimeLimits {
        slots: 4,
        compile: Compile::ForOne,
        ..RuntimeLimits::default()
    };
    let runtime = Runtime::new(&limits).map_err(|error| Failure::new(Exit::Software, error))?;
    Ok(Arc::clone(RUNTIME.get_or_init(|| runtime)))
}

pub(crate) fn failure(dir: &Path, errors: &Errors) -> Failure {
    faults("the policy", dir, errors)
}

/// Every problem with its hint, and how many there are in what.
pub(crate) fn faults(what: &str, path: &Path, errors: &Errors) -> Failure {
    let mut failure = Failure::silent(Exit::Config);
    for problem in errors.problems() {
        failure = failure.and(problem);
        if let Some(hint) = &problem.hint {
            failure = failure.hint(hint);
        }
    }
    let count = errors.problems().len();
    let plural = if count == 1 { "" } else { "s" };
    failure.and(format_args!(
        "{count} problem{plural} in {what}: {}",
        path.display()
    ))
}

fn warn_about(loaded: &Loaded) {
    for problem in &loaded.warnings {
        warn(problem);
        if let Some(text) = &problem.hint {
            hint(text);
        }
    }
    if loaded.generation.policy().filters().next().is_none() {
        note("warning: no filters: every message goes out as it is");
    }
}

/// What was loaded, for people.
fn summary(loaded: &Loaded) -> String {
    let generation = &loaded.generation;
    let mut text = format!("policy {}: sound\n", generation.id());
    for filter in generation.policy().filters() {
        let digits = filter.sha256.get(..12).unwrap_or(&filter.sha256);
        text += &format!(
            "  filter {}: sha256 {digits}…, may: {}\n",
            filter.name,
            may(&filter.grants)
        );
    }
    for profile in generation.profiles() {
        text += &format!("  profile {}: {}\n", profile.name, profile.mode.as_str());
    }
    for identity in generation.identities() {
        let certificate = &identity.identity.certificate;
        let addresses: Vec<String> = certificate
            .addresses()
            .iter()
            .chain(&identity.addresses)
            .map(ToString::to_string)
            .collect();
        text += &format!(
            "  identity {}: {}, {}, until {}\n",
            identity.identity.name,
            addresses.join(" "),
            certificate.key_algorithm(),
            certificate.not_after()
        );
    }
    text
}

fn may(grants: &[String]) -> String {
    if grants.is_empty() {
        "read and decide".to_owned()
    } else {
        grants.join(", ")
    }
}

fn report(result: &Result<Loaded, Errors>, serve: &Result<Option<Serve>, Errors>) -> Value {
    let list = |problems: &[Problem]| problems.iter().map(problem).collect::<Vec<_>>();
    let mut report = match result {
        Ok(loaded) => json!({
            "sound": true,
            "generation": loaded.generation.id(),
            "filters": loaded.generation.policy().filters().collect::<Vec<_>>(),
            "profiles": loaded.generation.profiles().map(|profile| &profile.name).collect::<Vec<_>>(),
            "errors": [],
            "warnings": list(&loaded.warnings),
        }),
        Err(errors) => json!({ "sound": false, "errors": list(errors.problems()), "warnings": [] }),
    };
    if let (Err(errors), Some(Value::Array(all))) = (serve, report.get_mut("errors")) {
        all.extend(list(errors.problems()));
        report["sound"] = json!(false);
    }
    report
}

fn problem(problem: &Problem) -> Value {
    json!({
        "file": problem.file.display().to_string(),
        "line": problem.line,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    })
}
