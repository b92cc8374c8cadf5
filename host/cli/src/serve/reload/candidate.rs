//! From a changed directory to a generation that may go into service (DESIGN §7).
//!
//! copy → read, digest, imports ⊆ grants, compile, instantiate fully, validate-config
//! (`waxseal_config::load`) → the operator's fixtures. It happens off the mail path and within
//! a time; a failure says which step, which filter and why, and leaves nothing behind.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use waxseal_config::{LoadOptions, Problem};
use waxseal_engine::{Engine, Generation};
use waxseal_policy::Runtime;
use waxseal_smime::Clock;
use waxseal_stores::SystemClock;

use crate::crypto::providers;
use crate::fixture::case::{Case, Verdict, difference, files};
use crate::report::plain;
use crate::serve::reload::copy;
use crate::serve::reload::kept::State;

/// Loads policies.
pub(crate) struct Loader {
    /// The policy directory, which may be a symbolic link.
    pub(crate) policy: PathBuf,
    pub(crate) state: Arc<State>,
    pub(crate) runtime: Arc<Runtime>,
    /// The longest that it may take.
    pub(crate) time: Duration,
    /// Held while a policy is loaded.
    pub(crate) busy: Mutex<()>,
}

/// A policy that loaded and did what its fixtures expect.
pub(crate) struct Candidate {
    pub(crate) generation: Arc<Generation>,
    /// The copy that it was loaded from; `None` where there was no room for one.
    pub(crate) draft: Option<tempfile::TempDir>,
    pub(crate) warnings: Vec<String>,
    /// Fixtures that passed.
    pub(crate) fixtures: usize,
    pub(crate) took: Duration,
}

/// Why a policy does not go into service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Rejected {
    /// The step that failed first: `read`, `configuration`, `digest`, `imports`, `compile`,
    /// `instantiate`, `settings`, `fixtures`, `time`.
    pub(crate) step: String,
    /// The filter, when it is about one.
    pub(crate) filter: Option<String>,
    /// Everything that is wrong, each with its place.
    pub(crate) problems: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// What and where.
    pub(crate) message: String,
    /// What to try.
    pub(crate) hint: Option<String>,
}

impl Loader {
    /// Loads the policy directory as it is now. Blocks.
    pub(crate) fn load(&self) -> Result<Candidate, Rejected> {
        self.load_from(&self.policy)
    }

    /// Loads a policy that was good when it was kept. Blocks.
    pub(crate) fn load_last_good(&self) -> Option<Result<Candidate, Rejected>> {
        Some(self.load_from(&self.state.last_good()?))
    }

    fn load_from(&self, directory: &Path) -> Result<Candidate, Rejected> {
        let begun = Instant::now();
        // One that took too long may still be at it: there is no way to end it.
        let Some(_busy) = self.idle() else {
            let message = "an earlier load is still under way".to_owned();
            return Err(Rejected::at("time", message));
        };
        let place = self.place(directory)?;
        let options = LoadOptions {
            now: SystemClock.now(),
        };
        let (from, original) = (place.path(directory), self.policy.as_path());
        let loaded =
            waxseal_config::load_copy(from, original, &self.runtime, providers(), &options)
                .map_err(|errors| Rejected::of(errors.problems(), &place, directory))?;
        let engine = Engine::new(loaded.generation);
        let fixtures = self_test(&from.join("tests"), &engine, begun + self.time)?;
        let warnings = loaded.warnings.iter();
        Ok(Candidate {
            generation: engine.generation(),
            warnings: warnings
                .map(|warning| place.named(warning.to_string()))
                .collect(),
            draft: place.draft,
            fixtures,
            took: begun.elapsed(),
        })
    }

    fn idle(&self) -> Option<MutexGuard<'_, ()>> {
        match self.busy.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Copies the directory. A disk that is full, or not to be written, must not keep mail
    /// waiting: the directory itself is loaded then.
    fn place(&self, directory: &Path) -> Result<Place, Rejected> {
        let copied = self.state.draft().and_then(|draft| {
            let copied = copy::copy(directory, draft.path(), self.state.root())?;
            Ok((draft, copied))
        });
        match copied {
            Ok((draft, copied)) => Ok(Place {
                draft: Some(draft),
                unreadable: copied.unreadable,
            }),
            Err(error) if is_about_the_disk(&error) => {
                tracing::error!(%error, "no room for a copy of the policy: it is loaded where it is");
                Ok(Place {
                    draft: None,
                    unreadable: Vec::new(),
                })
            }
            Err(error) => Err(Rejected::at("read", plain(&error))),
        }
    }
}

fn is_about_the_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Where a policy is loaded from.
struct Place {
    draft: Option<tempfile::TempDir>,
    unreadable: Vec<PathBuf>,
}

impl Place {
    fn path<'p>(&'p self, directory: &'p Path) -> &'p Path {
        self.draft.as_ref().map_or(directory, |draft| draft.path())
    }

    /// A message without the name of the copy, which says nothing to an operator.
    fn named(&self, message: String) -> String {
        match &self.draft {
            Some(draft) => message.replace(&format!("{}/", draft.path().display()), ""),
            None => message,
        }
    }
}

/// Runs the operator's fixtures, each on its own clock; a directory without any passes.
fn self_test(tests: &Path, engine: &Engine, until: Instant) -> Result<usize, Rejected> {
    if !tests.is_dir() {
        return Ok(0);
    }
    let failed = |message: String| Rejected::at("fixtures", message);
    let files = files(tests).map_err(|error| failed(format!("cannot read: {error}: tests/")))?;
    let mut faults = Vec::new();
    for file in &files {
        if Instant::now() >= until {
            let message = format!("time is up before this fixture: {}", name(file));
            return Err(Rejected::at("time", message));
        }
        faults.extend(fixture(file, engine));
    }
    match faults.is_empty() {
        true => Ok(files.len()),
        false => Err(Rejected {
            step: "fixtures".to_owned(),
            filter: None,
            problems: faults,
        }),
    }
}

fn fixture(file: &Path, engine: &Engine) -> Option<Fault> {
    let name = name(file);
    let verdict = match Case::read(file).and_then(|case| case.run(engine)) {
        Ok(verdict) => verdict,
        Err(error) => {
            let message = format!("{name}: {error}");
            return Some(Fault {
                message,
                hint: None,
            });
        }
    };
    let (message, hint) = match verdict {
        Verdict::Passed => return None,
        Verdict::New { .. } => (
            format!("{name}: nothing is expected yet"),
            "`waxseal test --update` writes the expected plan; read it first",
        ),
        Verdict::Differs { expected, got } => {
            let lines = difference(&expected, &got);
            let changed = lines.iter().filter(|line| !line.starts_with(' '));
            let changed: Vec<&str> = changed.map(String::as_str).take(12).collect();
            (
                format!("{name}: other than expected: {}", changed.join(" | ")),
                "`waxseal test` shows the whole difference",
            )
        }
    };
    Some(Fault {
        message,
        hint: Some(hint.to_owned()),
    })
}

/// `tests/NAME.toml`, as the operator knows it.
fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    format!("tests/{}", name.to_string_lossy())
}

impl Rejected {
    /// One thing is wrong.
    pub(crate) fn at(step: &str, message: String) -> Self {
        Self {
            step: step.to_owned(),
            filter: None,
            problems: vec![Fault {
                message,
                hint: None,
            }],
        }
    }

    /// What the loader found. The first problem that a filter has names the step.
    fn of(problems: &[Problem], place: &Place, directory: &Path) -> Self {
        let about_a_filter = problems.iter().find(|problem| problem.step.is_some());
        let step = about_a_filter.and_then(|problem| problem.step);
        let faults = problems.iter().map(|problem| Fault {
            message: place.named(problem.to_string()),
            hint: problem.hint.clone(),
        });
        let closed = place.unreadable.iter().map(|path| Fault {
            message: format!(
                "not readable for the service: {}",
                directory.join(path).display()
            ),
            hint: None,
        });
        Self {
            step: step.map_or_else(|| "configuration".to_owned(), |step| step.to_string()),
            filter: about_a_filter.and_then(|problem| problem.filter.clone()),
            problems: faults.chain(closed).collect(),
        }
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.step)?;
        if let Some(filter) = &self.filter {
            write!(f, " (filter {filter})")?;
        }
        if let Some(problem) = self.problems.first() {
            write!(f, ": {}", problem.message)?;
        }
        match self.problems.len() {
            0 | 1 => Ok(()),
            count => write!(f, " (and {} more)", count - 1),
        }
    }
}
