//! What a filter answers.

use crate::bindings::{exports::waxseal::filter::handler, waxseal::filter::types};

/// The answer of one filter for the whole transaction.
///
/// `Accept`, `Quarantine` and `Discard` are authority: the operator grants them
/// by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// On to the next filter.
    Proceed,
    /// Deliver now, by the plan; the remaining filters are skipped.
    Accept,
    /// Refuse the message for good.
    Reject(Reply),
    /// Ask the sender to try again.
    Defer(Reply),
    /// Keep the message for a person to look at; the text says why.
    Quarantine(String),
    /// Deliver to nobody and say nothing.
    Discard,
}

/// The SMTP reply to a refusal.
///
/// A code of another class than the verdict asks for (4 to defer, 5 to reject)
/// or a control character in the text is the filter's failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// `550`, `451`.
    pub code: u16,
    /// The enhanced status code of RFC 3463: `5.7.1`.
    pub enhanced: Option<String>,
    /// One line for the sender.
    pub text: String,
}

impl Reply {
    /// A lasting refusal by policy: 550 5.7.1 (RFC 3463 §3.8).
    pub fn rejected(text: impl Into<String>) -> Self {
        Reply::new(550, "5.7.1", text)
    }

    /// A passing refusal by policy: 451 4.7.1.
    pub fn deferred(text: impl Into<String>) -> Self {
        Reply::new(451, "4.7.1", text)
    }

    /// A reply in full.
    pub fn new(code: u16, enhanced: impl Into<String>, text: impl Into<String>) -> Self {
        Reply {
            code,
            enhanced: Some(enhanced.into()),
            text: text.into(),
        }
    }
}

impl From<Reply> for types::Reply {
    fn from(reply: Reply) -> Self {
        let Reply {
            code,
            enhanced,
            text,
        } = reply;
        types::Reply {
            code,
            enhanced,
            text,
        }
    }
}

impl From<Verdict> for handler::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Proceed => Self::Proceed,
            Verdict::Accept => Self::Accept,
            Verdict::Reject(reply) => Self::Reject(reply.into()),
            Verdict::Defer(reply) => Self::Defer(reply.into()),
            Verdict::Quarantine(reason) => Self::Quarantine(reason),
            Verdict::Discard => Self::Discard,
        }
    }
}
