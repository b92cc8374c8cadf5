//! What is wrong with a policy directory, and where.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use waxseal_policy::LoadStep;

use crate::FILE;

/// One thing that is wrong, or that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the policy directory where it lies in it.
    pub file: PathBuf,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The place inside the file: `filter[1].grant[2]`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// The filter that it is about, when it showed while that was loaded.
    pub filter: Option<String>,
    /// The step of loading that failed.
    pub step: Option<LoadStep>,
}

impl Problem {
    /// A problem with a file as a whole.
    pub(crate) fn with_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            path: String::new(),
            message: message.into(),
            hint: None,
            filter: None,
            step: None,
        }
    }

    /// It showed while this filter was loaded.
    pub(crate) fn loading(mut self, filter: &str, step: LoadStep) -> Self {
        self.filter = Some(filter.to_owned());
        self.step = Some(step);
        self
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(crate) fn on_line(mut self, line: impl Into<Option<usize>>) -> Self {
        self.line = line.into();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that keeps a policy directory from being loaded. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub(crate) Vec<Problem>);

impl Errors {
    /// The problems, in the order of the files that they are in.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// These and those of another file.
    #[must_use]
    pub fn and(mut self, others: Errors) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Takes problems from everywhere, so that one load reports all of them.
#[derive(Default)]
pub(crate) struct Collector(RefCell<Vec<Problem>>);

impl Collector {
    pub(crate) fn add(&self, problem: Problem) {
        let mut problems = self.0.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// In the order of files and lines, that of `waxseal.toml` first.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by(|one, other| {
            let place = |problem: &Problem| problem.file != Path::new(FILE);
            let files = (place(one), &one.file).cmp(&(place(other), &other.file));
            files.then(one.line.cmp(&other.line))
        });
        problems
    }
}
