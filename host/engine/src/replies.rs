//! The one place that maps an error to an SMTP reply (RFC 5321 §4.2, RFC 3463).
//!
//! What the sender or the recipient must change is refused with 5xx; what the operator or
//! time may mend is deferred with 4xx, so that the message waits instead of being lost.

use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::reply::Reply;

use crate::outcome::{Disposition, Refused};

/// Whether a retry can help.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Refuse,
    Defer,
}

/// Every class of error that the engine meets, with its enhanced status code. Matched by
/// the longest prefix of the stable code; what stands in no line is deferred.
const CLASSES: &[(&str, Class, &str)] = &[
    // The recipient cannot be written to under this policy.
    ("recipient.", Class::Refuse, "7.5"),
    ("certificate.", Class::Refuse, "7.5"),
    // The sender has nothing to sign with, or may not.
    ("identity.missing", Class::Refuse, "7.5"),
    ("sign.", Class::Refuse, "7.1"),
    // Our own identity: the operator renews it.
    ("identity.", Class::Defer, "7.5"),
    // The message.
    ("message.limit", Class::Refuse, "3.4"),
    ("message.", Class::Refuse, "6.0"),
    // The policy and the host.
    ("filter.", Class::Defer, "3.0"),
    ("plan.", Class::Defer, "7.1"),
    ("quarantine.", Class::Defer, "7.1"),
];

fn class_of(cause: &CallError) -> (Class, &'static str) {
    let (class, enhanced) = CLASSES
        .iter()
        .filter(|(prefix, ..)| cause.code.starts_with(prefix))
        .max_by_key(|(prefix, ..)| prefix.len())
        .map_or((Class::Defer, "3.0"), |(_, class, enhanced)| {
            (*class, *enhanced)
        });
    match cause.kind {
        ErrorKind::Unavailable => (Class::Defer, enhanced),
        _ => (class, enhanced),
    }
}

/// Will every retry meet the same error?
pub(crate) fn is_lasting(cause: &CallError) -> bool {
    class_of(cause).0 == Class::Refuse
}

/// The disposition that an error of the whole message leads to.
pub(crate) fn disposition(cause: CallError) -> Disposition {
    match class_of(&cause).0 {
        Class::Refuse => Disposition::Reject(refused(vec![cause])),
        Class::Defer => {
            let reply = deferral(std::slice::from_ref(&cause));
            Disposition::Defer(Refused {
                reply,
                causes: vec![cause],
            })
        }
    }
}

/// A refusal for lasting causes, at least one.
pub(crate) fn refused(causes: Vec<CallError>) -> Refused {
    Refused {
        reply: reply(550, '5', &causes),
        causes,
    }
}

/// The reply that refuses one recipient.
pub(crate) fn refusal(cause: &CallError) -> Reply {
    reply(550, '5', std::slice::from_ref(cause))
}

/// The reply that asks the client to try again.
pub(crate) fn deferral(causes: &[CallError]) -> Reply {
    reply(451, '4', causes)
}

fn reply(code: u16, class: char, causes: &[CallError]) -> Reply {
    let detail = causes.first().map_or("0.0", |cause| class_of(cause).1);
    Reply::new(code, &format!("{class}.{detail}"), &text(causes))
}

/// The first cause's words, and whom all of them are about.
fn text(causes: &[CallError]) -> String {
    let Some(first) = causes.first() else {
        return "policy".to_owned();
    };
    let subjects: Vec<&str> = causes
        .iter()
        .filter_map(|cause| cause.subject.as_deref())
        .collect();
    match subjects.is_empty() {
        true => first.message.clone(),
        false => format!("{}: {}", first.message, subjects.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ErrorKind, code: &str, expected: (u16, &str)) {
        let cause = CallError::new(kind, code, "words").about("bob@example.net");
        let (Disposition::Reject(refused) | Disposition::Defer(refused)) = disposition(cause)
        else {
            panic!("{code}: neither refused nor deferred")
        };
        let enhanced = refused.reply.enhanced.as_deref().unwrap_or_default();
        assert_eq!((refused.reply.code, enhanced), expected, "{code}");
        assert_eq!(refused.reply.text, "words: bob@example.net");
    }

    #[test]
    fn errors_map_to_replies_in_one_place() {
        check(
            ErrorKind::NotFound,
            "recipient.no-certificate",
            (550, "5.7.5"),
        );
        check(
            ErrorKind::Unavailable,
            "recipient.no-certificate",
            (451, "4.7.5"),
        );
        check(ErrorKind::NotFound, "identity.missing", (550, "5.7.5"));
        check(ErrorKind::Failed, "identity.expired", (451, "4.7.5"));
        check(ErrorKind::Failed, "message.limit.octets", (550, "5.3.4"));
        check(ErrorKind::Failed, "plan.not-encrypted", (451, "4.7.1"));
        check(ErrorKind::Failed, "something.new", (451, "4.3.0"));
    }
}
