//! Why a policy could not be loaded: step, filter, reason.

use std::fmt;

use crate::dictionary::DictionaryError;
use crate::grants::GrantError;

/// A step of loading failed; nothing of the policy is in service.
#[derive(Debug, thiserror::Error)]
pub struct LoadError {
    /// The filter, when it is about one.
    pub filter: Option<String>,
    /// The step that failed.
    pub step: LoadStep,
    /// Why.
    pub reason: LoadReason,
}

impl LoadError {
    pub(crate) fn new(step: LoadStep, reason: LoadReason) -> Self {
        Self {
            filter: None,
            step,
            reason,
        }
    }

    pub(crate) fn of(filter: &str, step: LoadStep, reason: LoadReason) -> Self {
        Self {
            filter: Some(filter.to_owned()),
            step,
            reason,
        }
    }

    /// A stable dotted token.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.filter {
            Some(filter) => write!(f, "filter {filter:?}: {}: {}", self.step, self.reason),
            None => write!(f, "{}: {}", self.step, self.reason),
        }
    }
}

/// Steps of loading, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LoadStep {
    /// The wasm engine.
    Runtime,
    /// Names, grants and `on-error` as configured.
    Configuration,
    /// The octets against the pinned digest.
    Digest,
    /// The imports in the octets against the grants.
    Imports,
    /// Compilation.
    Compile,
    /// Linking and one full instantiation.
    Instantiate,
    /// The filter's own `validate-config`.
    Settings,
}

impl fmt::Display for LoadStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoadStep::Runtime => "runtime",
            LoadStep::Configuration => "configuration",
            LoadStep::Digest => "digest",
            LoadStep::Imports => "imports",
            LoadStep::Compile => "compile",
            LoadStep::Instantiate => "instantiate",
            LoadStep::Settings => "settings",
        })
    }
}

/// A complaint of a filter about its settings.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfigProblem {
    /// Where in the settings.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadReason {
    /// wasmtime refused its own settings.
    #[error("the wasm engine cannot be set up: {0}")]
    Engine(String),
    /// Two filters of one name.
    #[error("two filters have this name")]
    DuplicateName,
    /// Not one of the grants there are, or it names nothing that exists.
    #[error("{0}")]
    Grant(#[from] GrantError),
    /// `on-error = "skip"` on a filter that protects or decides.
    #[error("on-error = \"skip\" lets mail out when this filter fails; say may-leak = true too")]
    SkipMayLeak,
    /// More memory than a pool slot has.
    #[error("{what} is above what the runtime allows: {limit}")]
    LimitTooHigh {
        /// The limit's name.
        what: &'static str,
        /// What there is.
        limit: usize,
    },
    /// Other octets than pinned.
    #[error("sha256 is {found}, the policy pins: {pinned}")]
    DigestMismatch {
        /// Of the octets.
        found: String,
        /// Of the configuration.
        pinned: String,
    },
    /// Not a WebAssembly component.
    #[error("not a webassembly component: {0}")]
    NotAComponent(String),
    /// An import that the operator did not grant.
    #[error("it imports what is not granted: {}", .0.join(", "))]
    NotGranted(Vec<String>),
    /// An import that this host does not offer at all.
    #[error("it imports what this host does not offer: {}", .0.join(", "))]
    NotOffered(Vec<String>),
    /// wasmtime refused to compile it.
    #[error("{0}")]
    Compile(String),
    /// It does not fit the contract, or its start traps.
    #[error("{0}")]
    Instantiate(String),
    /// `validate-config` found problems.
    #[error("{}", problems(.0))]
    Settings(Vec<ConfigProblem>),
    /// `validate-config` itself failed.
    #[error("validate-config failed: {code}: {message}")]
    ValidateFailed {
        /// Code of the failure, as for an evaluation.
        code: &'static str,
        /// What happened.
        message: String,
    },
    /// A dictionary does not compile.
    #[error("{0}")]
    Dictionary(#[from] DictionaryError),
}

impl LoadReason {
    /// A stable dotted token.
    pub fn code(&self) -> &'static str {
        match self {
            LoadReason::Engine(_) => "load.engine",
            LoadReason::DuplicateName => "load.duplicate-name",
            LoadReason::Grant(_) => "load.grant",
            LoadReason::SkipMayLeak => "load.skip-may-leak",
            LoadReason::LimitTooHigh { .. } => "load.limit-too-high",
            LoadReason::DigestMismatch { .. } => "load.digest-mismatch",
            LoadReason::NotAComponent(_) => "load.not-a-component",
            LoadReason::NotGranted(_) => "load.import-not-granted",
            LoadReason::NotOffered(_) => "load.import-not-offered",
            LoadReason::Compile(_) => "load.compile",
            LoadReason::Instantiate(_) => "load.instantiate",
            LoadReason::Settings(_) => "load.settings",
            LoadReason::ValidateFailed { .. } => "load.validate-failed",
            LoadReason::Dictionary(_) => "load.dictionary",
        }
    }
}

fn problems(problems: &[ConfigProblem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| match problem.path.is_empty() {
            true => problem.message.clone(),
            false => format!("{}: {}", problem.path, problem.message),
        })
        .collect();
    lines.join("; ")
}
