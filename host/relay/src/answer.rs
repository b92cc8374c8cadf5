//! What a reply of the next hop means for a recipient: the one place that decides between a
//! refusal, which ends a recipient's mail, and a deferral, which keeps it.

use waxseal_policy::reply::Reply;

use crate::Error;
use crate::reply::HopReply;

/// What became of one recipient at one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The next hop goes on, or has it.
    Taken(Reply),
    /// Every retry would hear the same: 5yz.
    Refused(Reply),
    /// A retry may pass, or nobody knows: 4yz.
    Deferred(Reply),
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The message and its end.
    Message,
}

impl Answer {
    /// What this reply means at this step.
    pub(crate) fn to(step: Step, reply: &HopReply) -> Self {
        let is_taken = match step {
            Step::Data => reply.code == 354,
            Step::Mail | Step::Recipient | Step::Message => reply.class() == 2,
        };
        let words = reply.to_reply();
        match reply.class() {
            _ if is_taken => Answer::Taken(words),
            5 if is_lasting(step, reply) => Answer::Refused(lasting(words)),
            _ => Answer::Deferred(passing(words)),
        }
    }

    /// A reply of our own, by its class.
    pub(crate) fn of(reply: Reply) -> Self {
        match reply.code {
            200..=299 => Answer::Taken(reply),
            500..=599 => Answer::Refused(reply),
            _ => Answer::Deferred(reply),
        }
    }

    /// What a failure on the way means: only what was said about the message itself can refuse it.
    pub(crate) fn failed(error: &Error) -> Self {
        if let Error::Unwilling {
            step: "the message",
            reply,
        } = error
            && reply.class() != 2
        {
            return Self::to(Step::Message, reply);
        }
        Answer::Deferred(deferral(error))
    }
}

/// Does this 5yz speak about sender, recipient or message, and not about us? A next hop that
/// wants authentication, or does not know a command, is for the operator to mend.
fn is_lasting(step: Step, reply: &HopReply) -> bool {
    let subject = reply
        .enhanced()
        .and_then(|enhanced| enhanced.split('.').nth(1));
    match (step, reply.code) {
        // RFC 4954 §4: authentication and encryption wanted.
        (_, 530..=539) => false,
        // RFC 5321 §4.1.1.11: parameters that we sent, since they were offered.
        (_, 555) => false,
        // RFC 5321 §4.5.3.1.10: 552 for too many recipients means 452.
        (Step::Recipient, 552) => !matches!(subject, None | Some("5")),
        (_, 550..=559) => true,
        // RFC 3463 §3: addressing, mailbox, content, policy.
        _ => matches!(subject, Some("1" | "2" | "6" | "7")),
    }
}

fn lasting(reply: Reply) -> Reply {
    Reply {
        // Other codes mean what they say only at their own command.
        code: match reply.code {
            550..=559 => reply.code,
            _ => 550,
        },
        enhanced: reply.enhanced.or_else(|| Some("5.0.0".to_owned())),
        text: reply.text,
    }
}

fn passing(reply: Reply) -> Reply {
    let enhanced = match reply.enhanced {
        Some(enhanced) if reply.code >= 400 => format!("4{}", &enhanced[1..]),
        // An answer that fits no question (RFC 3463 §3.6).
        _ if reply.code < 400 => "4.5.0".to_owned(),
        _ => "4.3.0".to_owned(),
    };
    Reply {
        // 421 would end the client's connection; the next hop ended ours.
        code: match reply.code {
            450..=459 => reply.code,
            _ => 451,
        },
        enhanced: Some(enhanced),
        text: reply.text,
    }
}

/// The reply for a failure of the world.
pub(crate) fn deferral(error: &Error) -> Reply {
    let enhanced = match error {
        Error::Io {
            step: "connecting", ..
        } => "4.4.1",
        Error::Io { .. } | Error::Closed(_) | Error::TimedOut { .. } => "4.4.2",
        Error::Garbled { .. } => "4.5.0",
        Error::NoTls => "4.7.10",
        Error::Busy => "4.3.2",
        _ => "4.3.0",
    };
    Reply::deferral(enhanced, &format!("next hop: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: Step, line: &str, expected: &str) {
        let (reply, _) = HopReply::parse(line.as_bytes()).unwrap().unwrap();
        let said = match Answer::to(step, &reply) {
            Answer::Taken(reply) => format!("taken {reply}"),
            Answer::Refused(reply) => format!("refused {reply}"),
            Answer::Deferred(reply) => format!("deferred {reply}"),
        };
        assert_eq!(said, expected, "{line:?}");
    }

    #[test]
    fn replies_mean_something_in_one_place() {
        use Step::{Data, Mail, Message, Recipient};
        check(Recipient, "250 2.1.5 Ok\n", "taken 250 2.1.5 Ok");
        check(Data, "354 go\n", "taken 354 go");
        check(Data, "250 what\n", "deferred 451 4.5.0 what");
        check(Message, "354 what\n", "deferred 451 4.5.0 what");
        check(
            Recipient,
            "550 5.1.1 unknown\n",
            "refused 550 5.1.1 unknown",
        );
        check(Recipient, "550 unknown\n", "refused 550 5.0.0 unknown");
        check(Recipient, "501 5.1.3 syntax\n", "refused 550 5.1.3 syntax");
        check(Recipient, "501 syntax\n", "deferred 451 4.3.0 syntax");
        check(Recipient, "552 too many\n", "deferred 451 4.3.0 too many");
        check(Recipient, "552 5.5.3 many\n", "deferred 451 4.5.3 many");
        check(Recipient, "552 5.2.2 full\n", "refused 552 5.2.2 full");
        check(Mail, "552 5.3.4 large\n", "refused 552 5.3.4 large");
        check(Mail, "555 what\n", "deferred 451 4.3.0 what");
        check(Mail, "530 5.7.0 auth\n", "deferred 451 4.7.0 auth");
        check(Mail, "450 4.7.1 grey\n", "deferred 450 4.7.1 grey");
        check(Message, "421 4.3.2 bye\n", "deferred 451 4.3.2 bye");
        check(Message, "554 5.7.1 spam\n", "refused 554 5.7.1 spam");
        check(Message, "500 what\n", "deferred 451 4.3.0 what");
    }

    #[test]
    fn failures_defer() {
        let closed = Answer::failed(&Error::Closed("the final dot"));
        let words = "next hop: the final dot: the next hop closed the connection";
        assert_eq!(closed, Answer::Deferred(Reply::deferral("4.4.2", words)));
        let (reply, _) = HopReply::parse(b"554 5.7.1 no\n").unwrap().unwrap();
        let greeting = Answer::failed(&Error::Unwilling {
            step: "the greeting",
            reply,
        });
        assert!(matches!(greeting, Answer::Deferred(_)));
    }
}
