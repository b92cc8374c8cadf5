//! `waxseal test`: fixtures, mail and envelope → expected plan.
//!
//! A fixture is `tests/NAME.toml` with the mail in `tests/NAME.eml`; what is expected stands in
//! `tests/NAME.plan.txt`, which `--update` writes. The policy is the directory's own, or, for a
//! project that has none, the one under `tests/`. Exit 0: all as expected; 1: something
//! differs; 78: the policy does not load.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use waxseal_config::FILE;
use waxseal_engine::Engine;

use crate::clock::CommandClock;
use crate::commands::check;
use crate::fixture::case::{Case, Verdict, difference, files};
use crate::output::{self, Access};
use crate::report::{Exit, Failure, note};
use waxseal_smime::Clock;

/// What `test` takes.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// The policy directory or filter project
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Write what came out as what is expected
    #[arg(long)]
    pub(crate) update: bool,

    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a fixture went.
struct Line {
    name: String,
    result: &'static str,
    details: Vec<String>,
}

/// Runs the fixtures.
pub(crate) fn run(args: TestArgs) -> Result<ExitCode, Failure> {
    let policy = policy(&args.dir)?;
    let tests = args.dir.join("tests");
    let files = files(&tests).map_err(|error| Failure::reading(&tests, &error))?;
    if files.is_empty() {
        let message = format!("no fixtures: {}", tests.display());
        let hint = "a fixture is NAME.toml with `to` and `at`, beside NAME.eml";
        return Err(Failure::new(Exit::NoInput, message).hint(hint));
    }
    // The policy loads as of today, so that a certificate that expired is noticed here; each
    // fixture then has its own clock.
    let now = CommandClock::System.now();
    let engine = Engine::new(check::load(&policy, now)?.generation);
    let mut lines = Vec::new();
    for file in files {
        lines.push(one(&file, &engine, args.update)?);
    }
    let bad = lines
        .iter()
        .filter(|line| !matches!(line.result, "ok" | "updated"))
        .count();
    if args.json {
        output::print_json(&lines.iter().map(Line::json).collect::<Vec<_>>())?;
    } else {
        output::print(lines.iter().map(Line::text).collect::<String>())?;
        note(format_args!(
            "{} fixtures, {bad} not as expected",
            lines.len()
        ));
    }
    if lines.iter().any(|line| line.result == "new") {
        crate::report::hint("`waxseal test --update` writes the expected plans; read them first");
    }
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The policy of a directory: its own, or that of its tests.
fn policy(dir: &Path) -> Result<PathBuf, Failure> {
    let places = [dir.to_owned(), dir.join("tests"), dir.join("tests/policy")];
    places
        .into_iter()
        .find(|place| place.join(FILE).is_file())
        .ok_or_else(|| {
            Failure::new(
                Exit::NoInput,
                format_args!("no policy to test with: {}", dir.display()),
            )
            .hint(format_args!(
                "it would be {FILE} in the directory, or under tests/"
            ))
        })
}

fn one(file: &Path, engine: &Engine, update: bool) -> Result<Line, Failure> {
    let name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let case = match Case::read(file) {
        Ok(case) => case,
        Err(error) => {
            return Ok(Line {
                name,
                result: "unreadable",
                details: vec![error],
            });
        }
    };
    let verdict = case
        .run(engine)
        .map_err(|error| Failure::new(Exit::Io, error))?;
    let (result, details, got) = match verdict {
        Verdict::Passed => ("ok", Vec::new(), None),
        Verdict::New { got } => ("new", difference("", &got), Some(got)),
        Verdict::Differs { expected, got } => ("differs", difference(&expected, &got), Some(got)),
    };
    match got.filter(|_| update) {
        Some(got) => {
            output::create(case.expected(), got.as_bytes(), Access::Shared)?;
            Ok(Line {
                name: case.name,
                result: "updated",
                details,
            })
        }
        None => Ok(Line {
            name: case.name,
            result,
            details,
        }),
    }
}

impl Line {
    fn text(&self) -> String {
        let details: String = self
            .details
            .iter()
            .map(|line| format!("    {line}\n"))
            .collect();
        format!("{}: {}\n{details}", self.name, self.result)
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "result": self.result, "details": self.details })
    }
}
