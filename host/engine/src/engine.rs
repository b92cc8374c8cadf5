//! One transaction from its octets to its outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use waxseal_message::Message;
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::plan::{Plan, Step, Verdict};
use waxseal_policy::transaction as policy;

use crate::authentication_results::{AUTHSERV_ID, strip_forged};
use crate::carry_out::{Bcc, CarryOut};
use crate::copies::group;
use crate::generation::Generation;
use crate::harvest;
use crate::host_calls::HostCalls;
use crate::outcome::{Delivery, Disposition, Outcome, Refused};
use crate::replies;
use crate::settle::{Settlement, settle};
use crate::transaction::Transaction;

/// Processes transactions by the current generation. Shared between threads; a transaction
/// keeps the generation it began with.
pub struct Engine {
    current: ArcSwap<Generation>,
}

impl Engine {
    /// An engine that begins with this generation.
    pub fn new(generation: Generation) -> Self {
        Self {
            current: ArcSwap::from_pointee(generation),
        }
    }

    /// The generation that the next transaction gets.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Makes another generation current; transactions under way finish on theirs. Returns
    /// the one before.
    pub fn replace(&self, generation: Generation) -> Arc<Generation> {
        self.current.swap(Arc::new(generation))
    }

    /// Lets the filters decide, carries the plan out, and says what to do. Total: every
    /// failure is an outcome.
    pub fn process(&self, transaction: Transaction) -> Outcome {
        self.run(transaction, Harvest::Kept)
    }

    /// The same for a look at what would happen: nothing is harvested.
    pub fn rehearse(&self, transaction: Transaction) -> Outcome {
        self.run(transaction, Harvest::LeftAlone)
    }

    fn run(&self, transaction: Transaction, harvest: Harvest) -> Outcome {
        let generation = self.generation();
        let id = generation.id.clone();
        match Message::parse(transaction.octets.clone(), &generation.limits) {
            Ok(message) => decide(generation, transaction, message, harvest),
            Err(error) => {
                let cause = CallError::new(ErrorKind::Failed, "message.limit", error.to_string());
                let disposition = replies::disposition(cause);
                Outcome {
                    disposition,
                    generation: id,
                    decision: None,
                    harvested: Ok(0),
                }
            }
        }
    }
}

/// What becomes of the certificates that filters asked to harvest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harvest {
    Kept,
    LeftAlone,
}

fn decide(
    generation: Arc<Generation>,
    transaction: Transaction,
    message: Message,
    harvest: Harvest,
) -> Outcome {
    let transaction = Arc::new(for_policy(&generation, transaction, message));
    let calls = Arc::new(HostCalls::new(Arc::clone(&generation), &transaction));
    let capabilities = Arc::clone(&calls) as Arc<dyn waxseal_policy::Capabilities>;
    let decision = generation.policy.decide(&transaction, capabilities);
    let disposition = match &decision.verdict {
        Verdict::Deliver => deliver(&decision.plan, &calls),
        Verdict::Reject(reply) => Disposition::Reject(Refused {
            reply: reply.clone(),
            causes: Vec::new(),
        }),
        Verdict::Defer(reply) => Disposition::Defer(Refused {
            reply: reply.clone(),
            causes: Vec::new(),
        }),
        Verdict::Quarantine(reason) => Disposition::Quarantine {
            reason: reason.clone(),
            must_encrypt: decision.plan.everyone.must_encrypt
                || decision.plan.rows.iter().any(|row| row.must_encrypt),
        },
        Verdict::Discard => Disposition::Discard,
    };
    let harvested = match (&disposition, harvest) {
        (Disposition::Deliver(_), Harvest::Kept) => {
            harvest::keep(&calls, &decision.plan, &transaction.message)
        }
        _ => Ok(0),
    };
    Outcome {
        disposition,
        generation: generation.id.clone(),
        decision: Some(decision),
        harvested,
    }
}

fn for_policy(
    generation: &Generation,
    transaction: Transaction,
    message: Message,
) -> policy::Transaction {
    let direction = generation
        .origin
        .direction(&transaction.session, &transaction.recipients);
    let mut session = transaction.session;
    let mut message = message;
    if let Some(authserv_id) = &generation.origin.authserv_id {
        // RFC 8601 §5: results that claim to be ours and came from outside are forged.
        if direction != policy::Direction::Outbound {
            message = strip_forged(&message, authserv_id);
        }
        let property = (AUTHSERV_ID.to_owned(), authserv_id.clone());
        session.properties.extend([property]);
    }
    policy::Transaction {
        queue_id: transaction.queue_id,
        direction: Some(direction),
        sender: transaction.sender,
        sender_parameters: transaction.sender_parameters,
        recipients: distinct(transaction.recipients),
        message,
        session,
        abilities: transaction.abilities,
        time: transaction.time,
    }
}

/// A recipient named twice counts once.
fn distinct(recipients: Vec<policy::Recipient>) -> Vec<policy::Recipient> {
    let mut seen = BTreeSet::new();
    recipients
        .into_iter()
        .filter(|recipient| seen.insert(recipient.address.clone()))
        .collect()
}

/// Settles the plan and makes the copies. One copy that fails keeps all of them back: it is
/// decided before the first copy leaves (DESIGN §8).
fn deliver(plan: &Plan, calls: &HostCalls) -> Disposition {
    let settlement = match settle(plan, calls) {
        Ok(settlement) => settlement,
        Err(disposition) => return disposition,
    };
    match carry_out(plan, settlement, calls) {
        Ok(delivery) => conclude(delivery),
        Err(cause) => replies::disposition(cause),
    }
}

fn carry_out(
    plan: &Plan,
    settlement: Settlement,
    calls: &HostCalls,
) -> Result<Delivery, CallError> {
    let protected = settlement.copies.iter().any(|row| {
        row.recipe
            .steps
            .iter()
            .any(|step| matches!(step, Step::Protect(_)))
    });
    let bcc = if protected { Bcc::Remove } else { Bcc::Keep };
    let mut carry_out = CarryOut::new(calls, bcc);
    let groups = group(settlement.copies);
    let copies = groups
        .into_iter()
        .map(|group| carry_out.copy(group))
        .collect::<Result<_, _>>()?;
    Ok(Delivery {
        sender: plan.sender.clone(),
        copies,
        refusals: settlement.refusals,
        dropped: settlement.dropped,
    })
}

/// A delivery to nobody is a refusal, or nothing at all.
fn conclude(delivery: Delivery) -> Disposition {
    match (delivery.copies.is_empty(), delivery.refusals.first()) {
        (false, _) => Disposition::Deliver(delivery),
        (true, None) => Disposition::Discard,
        (true, Some(first)) => Disposition::Reject(Refused {
            reply: first.reply.clone(),
            causes: delivery
                .refusals
                .iter()
                .filter_map(|refusal| refusal.cause.clone())
                .collect(),
        }),
    }
}
