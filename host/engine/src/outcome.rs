//! What the front end must do with a transaction.

use serde_json::{Value, json};
use waxseal_message::{Address, Message};
use waxseal_policy::Decision;
use waxseal_policy::capabilities::CallError;
use waxseal_policy::plan::Reply;
use waxseal_policy::transaction::Recipient;

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
        /// It may not be released without encryption: keep it out of the MTA's hold queue.
        must_encrypt: bool,
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

impl Outcome {
    /// The outcome without the messages, for programs.
    pub fn report(&self) -> Value {
        let mut report = match &self.disposition {
            Disposition::Deliver(delivery) => delivery.report(),
            Disposition::Reject(refused) => refused.report("reject"),
            Disposition::Defer(refused) => refused.report("defer"),
            Disposition::Quarantine {
                reason,
                must_encrypt,
            } => json!({
                "disposition": "quarantine", "reason": reason, "must-encrypt": must_encrypt,
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
