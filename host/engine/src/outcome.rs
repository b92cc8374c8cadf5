//! What the front end must do with a transaction.

use std::time::Duration;

use serde_json::{Value, json};
use waxseal_message::{Address, Message};
use waxseal_policy::Decision;
use waxseal_policy::capabilities::CallError;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{Direction, Recipient};

/// The end of one transaction.
#[derive(Debug)]
pub struct Outcome {
    /// What to do.
    pub disposition: Disposition,
    /// Id of the generation that decided.
    pub generation: String,
    /// Plan and trace of the filters; `None` when the message never reached them.
    pub decision: Option<Decision>,
    /// How many certificates of the message were kept, or why they could not be. That changes
    /// nothing for the message.
    pub harvested: Result<usize, CallError>,
    /// The session is one that `[origin]` calls ours: its sender may get reports.
    pub ours: bool,
    /// The direction, as filters saw it.
    pub direction: Option<Direction>,
    /// How long it took.
    pub stages: Stages,
    /// What was looked up for it.
    pub looked_up: Vec<LookUp>,
}

/// What was found for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// Whom it was about.
    pub address: String,
    /// Certificates for the whole domain would do.
    pub domain: bool,
    /// SHA-256 of usable certificates and where they come from, best first.
    pub usable: Vec<([u8; 32], &'static str)>,
    /// SHA-256 of the others, and the code of the reason.
    pub rejected: Vec<([u8; 32], &'static str)>,
    /// The code of a source's failure.
    pub failed: Option<&'static str>,
}

/// How long the stages of one message took, by the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Finding header fields and parts.
    pub parse: Duration,
    /// The chain of filters, with all that they look up and open.
    pub filters: Duration,
    /// Settling the plan and making the copies, each read back; keeping certificates.
    pub copies: Duration,
    /// Of filters and copies, what opening, signing and encrypting took.
    pub crypto: Duration,
}

/// What to do, for each recipient or for all of them.
#[derive(Debug)]
pub enum Disposition {
    /// Carry out what stands for each recipient. At least one copy or refusal.
    Deliver(Delivery),
    /// Refuse the message for everyone.
    Reject(Refused),
    /// Ask the client to try again.
    Defer(Refused),
    /// Keep it for a person.
    Quarantine {
        /// Why.
        reason: String,
        /// It may not be released without encryption; `copy` is an envelope then.
        must_encrypt: bool,
        /// The message as received, for the address of `[quarantine]`; from the null
        /// reverse-path, so that nobody outside hears when it cannot be delivered. `None`: the
        /// front end's own quarantine may hold the message, and it may leave in clear.
        copy: Option<OutgoingCopy>,
    },
    /// Deliver nothing, and say so to nobody.
    Discard,
}

/// A reply for the whole message, with what led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The SMTP reply.
    pub reply: Reply,
    /// Named causes, for logs and people; may be empty when a filter decided.
    pub causes: Vec<CallError>,
}

/// Copies and refusals.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Reverse-path of the copies; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// One for each distinct row of the plan.
    pub copies: Vec<OutgoingCopy>,
    /// Recipients refused alone.
    pub refusals: Vec<Refusal>,
    /// Recipients who get nothing, as their profile says (`missing-certificate = "drop"`).
    pub dropped: Vec<Dropped>,
}

/// One message for one set of recipients.
#[derive(Debug)]
pub struct OutgoingCopy {
    /// What is sent.
    pub message: Message,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// The layers that we made, outermost first.
    pub layers: Vec<LayerMade>,
    /// It came encrypted and goes on in clear, unless `layers` has an envelope: a report about
    /// it must not return its content (DESIGN §8).
    pub decrypted: bool,
    /// What the operator may want to know: why nothing was signed, why opaque, ….
    pub notes: Vec<CallError>,
}

/// A layer that we made, verified by reading it back (rule 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerMade {
    /// A signature.
    Signed,
    /// An envelope for exactly the copy's recipients.
    Encrypted,
}

impl LayerMade {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            LayerMade::Signed => "signed",
            LayerMade::Encrypted => "encrypted",
        }
    }
}

/// A recipient refused alone.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Who.
    pub recipient: Recipient,
    /// The SMTP reply.
    pub reply: Reply,
    /// Why, when it was not a filter's own wish.
    pub cause: Option<CallError>,
}

/// A recipient who gets nothing.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// Who.
    pub recipient: Recipient,
    /// Why.
    pub cause: CallError,
}

/// How a copy differs from the message that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not in one octet.
    Nothing,
    /// In its header alone.
    Header,
    /// In its body, and perhaps its header.
    Body,
}

impl Outcome {
    /// The outcome of a message that filters did not see.
    pub fn undecided(disposition: Disposition, generation: impl Into<String>) -> Self {
        Self {
            disposition,
            generation: generation.into(),
            decision: None,
            harvested: Ok(0),
            ours: false,
            direction: None,
            stages: Stages::default(),
            looked_up: Vec::new(),
        }
    }

    /// The outcome without the messages, for programs.
    pub fn report(&self) -> Value {
        let mut report = match &self.disposition {
            Disposition::Deliver(delivery) => delivery.report(),
            Disposition::Reject(refused) => refused.report("reject"),
            Disposition::Defer(refused) => refused.report("defer"),
            Disposition::Quarantine {
                reason,
                must_encrypt,
                copy,
            } => json!({
                "disposition": "quarantine", "reason": reason, "must-encrypt": must_encrypt,
                "copy": copy.as_ref().map(OutgoingCopy::report),
            }),
            Disposition::Discard => json!({ "disposition": "discard" }),
        };
        report["generation"] = json!(self.generation);
        report["harvested"] = match &self.harvested {
            Ok(count) => json!(count),
            Err(error) => error_report(error),
        };
        if let Some(decision) = &self.decision {
            report["decided-by"] = json!(decision.decided_by);
            report["filter-failures"] = decision
                .failures
                .iter()
                .map(|failure| {
                    json!({ "filter": failure.filter, "code": failure.code, "message": failure.message })
                })
                .collect();
        }
        report
    }
}

impl Delivery {
    fn report(&self) -> Value {
        json!({
            "disposition": "deliver",
            "sender": self.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            "copies": self.copies.iter().map(OutgoingCopy::report).collect::<Vec<_>>(),
            "refusals": self.refusals.iter().map(|refusal| json!({
                "recipient": refusal.recipient.address.to_string(),
                "reply": reply_report(&refusal.reply),
                "cause": refusal.cause.as_ref().map(error_report),
            })).collect::<Vec<_>>(),
            "dropped": self.dropped.iter().map(|dropped| json!({
                "recipient": dropped.recipient.address.to_string(),
                "cause": error_report(&dropped.cause),
            })).collect::<Vec<_>>(),
        })
    }
}

impl OutgoingCopy {
    /// How it differs from the octets that came in. Costs nothing for a body that nobody
    /// touched, which shares its octets with the original.
    pub fn change(&self, original: &[u8]) -> Change {
        let (head, body) = (self.message.head(), self.message.body());
        let (start, end) = original.split_at(original.len().saturating_sub(body.len()));
        if !(end.as_ptr() == body.as_ptr() && end.len() == body.len()) && end != &body[..] {
            return Change::Body;
        }
        match start == &head[..] {
            true => Change::Nothing,
            false => Change::Header,
        }
    }

    /// The copy without its message, for programs.
    pub fn report(&self) -> Value {
        json!({
            "recipients": self.recipients.iter().map(|r| r.address.to_string()).collect::<Vec<_>>(),
            "protections": self.layers.iter().map(|layer| layer.as_str()).collect::<Vec<_>>(),
            "decrypted": self.decrypted,
            "size": self.message.size(),
            "notes": self.notes.iter().map(error_report).collect::<Vec<_>>(),
        })
    }
}

impl Refused {
    fn report(&self, disposition: &str) -> Value {
        json!({
            "disposition": disposition,
            "reply": reply_report(&self.reply),
            "causes": self.causes.iter().map(error_report).collect::<Vec<_>>(),
        })
    }
}

fn reply_report(reply: &Reply) -> Value {
    json!({ "code": reply.code, "enhanced": reply.enhanced, "text": reply.text })
}

fn error_report(error: &CallError) -> Value {
    json!({ "code": error.code, "message": error.message, "subject": error.subject })
}
