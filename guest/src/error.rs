//! Why a call into the host failed, or why a filter cannot decide.

use std::fmt;

use crate::bindings::waxseal::filter::types;
pub use types::ErrorKind;

/// A host call's error, or a filter's own.
///
/// `?` carries it out of `evaluate`, which makes it the filter's failure; match
/// on [`code`](Error::code) to handle one instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    code: String,
    message: String,
    subject: Option<String>,
}

impl Error {
    /// A failure of the filter's own. `code` is a stable dotted token.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error {
            kind: ErrorKind::Failed,
            code: code.into(),
            message: message.into(),
            subject: None,
        }
    }

    /// What kind of failure, for deciding about a retry.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable token: `recipient.no-certificate`, `certificate.expired`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// For people and logs; never parse.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The address, part or profile it is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)?;
        match &self.subject {
            Some(subject) => write!(f, ": {subject}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        let types::Error {
            kind,
            code,
            message,
            subject,
        } = error;
        Error {
            kind,
            code,
            message,
            subject,
        }
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Error::new("filter", message)
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Error::new("filter", message)
    }
}
