//! One transaction from its octets to its outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use waxseal_message::Message;
use waxseal_policy::Decision;
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::plan::{Plan, Step, Verdict};
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction as policy;

use crate::authentication_results::{AUTHSERV_ID, strip_forged};
use crate::carry_out::{Bcc, CarryOut};
use crate::copies::group;
use crate::generation::Generation;
use crate::harvest;
use crate::host_calls::HostCalls;
use crate::look_ups::LookUps;
use crate::outcome::{Delivery, Disposition, Outcome, Refused, Stages};
use crate::quarantine;
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
    pub fn new(generation: impl Into<Arc<Generation>>) -> Self {
        Self {
            current: ArcSwap::new(generation.into()),
        }
    }

    /// The generation that the next transaction gets.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Makes another generation current; transactions under way finish on theirs. Returns
    /// the one before.
    pub fn replace(&self, generation: impl Into<Arc<Generation>>) -> Arc<Generation> {
        self.current.swap(generation.into())
    }

    /// Lets the filters decide, carries the plan out, and says what to do. Total: every
    /// failure is an outcome.
    pub fn process(&self, transaction: Transaction) -> Outcome {
        self.generation().process(transaction, &LookUps::default())
    }

    /// The same for a look at what would happen: nothing is harvested.
    pub fn rehearse(&self, transaction: Transaction) -> Outcome {
        let look_ups = LookUps::default();
        run(
            &self.generation(),
            transaction,
            Harvest::LeftAlone,
            &look_ups,
        )
    }
}

impl Generation {
    /// As [`Engine::process`], on this generation, for those who choose it themselves. What is
    /// looked up goes into `look_ups`.
    pub fn process(self: &Arc<Self>, transaction: Transaction, look_ups: &LookUps) -> Outcome {
        run(self, transaction, Harvest::Kept, look_ups)
    }

    /// What this generation would decide, for comparison (DESIGN §7, shadow mode): nothing is
    /// carried out, nothing is harvested, and what was looked up before is not looked up again.
    /// `None`: the message would not reach the filters.
    pub fn consider(
        self: &Arc<Self>,
        transaction: Transaction,
        look_ups: &LookUps,
    ) -> Option<Decision> {
        let message = Message::parse(transaction.octets.clone(), &self.limits).ok()?;
        let transaction = Arc::new(for_policy(self, transaction, message));
        let calls = HostCalls::new(Arc::clone(self), &transaction, look_ups.clone());
        Some(self.policy.decide(&transaction, Arc::new(calls)))
    }
}

/// What becomes of the certificates that filters asked to harvest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harvest {
    Kept,
    LeftAlone,
}

fn run(
    generation: &Arc<Generation>,
    transaction: Transaction,
    harvest: Harvest,
    look_ups: &LookUps,
) -> Outcome {
    let ours = generation.origin.is_ours(&transaction.session);
    let started = Instant::now();
    let parsed = Message::parse(transaction.octets.clone(), &generation.limits);
    let parse = started.elapsed();
    let mut outcome = match parsed {
        Ok(message) => decide(generation, transaction, message, harvest, look_ups),
        Err(error) => {
            let cause = CallError::new(ErrorKind::Failed, "message.limit", error.to_string());
            Outcome::undecided(replies::disposition(cause), generation.id.clone())
        }
    };
    outcome.ours = ours;
    outcome.stages.parse = parse;
    outcome
}

fn decide(
    generation: &Arc<Generation>,
    transaction: Transaction,
    received: Message,
    harvest: Harvest,
    look_ups: &LookUps,
) -> Outcome {
    let transaction = Arc::new(for_policy(generation, transaction, received.clone()));
    let calls = HostCalls::new(Arc::clone(generation), &transaction, look_ups.clone());
    let calls = Arc::new(calls);
    let capabilities = Arc::clone(&calls) as Arc<dyn waxseal_policy::Capabilities>;
    let started = Instant::now();
    let decision = generation.policy.decide(&transaction, capabilities);
    let filters = started.elapsed();
    let opening = calls.opening_time();
    let (disposition, crypto) = disposition(&decision, &received, &calls);
    let harvested = match (&disposition, harvest) {
        (Disposition::Deliver(_), Harvest::Kept) => {
            harvest::keep(&calls, &decision.plan, &transaction.message)
        }
        _ => Ok(0),
    };
    let stages = Stages {
        parse: Duration::ZERO,
        filters,
        copies: started.elapsed().saturating_sub(filters),
        crypto: opening + crypto,
    };
    Outcome {
        direction: transaction.direction,
        decision: Some(decision),
        harvested,
        stages,
        looked_up: calls.certificates.found_so_far(),
        ..Outcome::undecided(disposition, generation.id.clone())
    }
}

/// What the decision comes to, and how long the cryptography took.
fn disposition(
    decision: &Decision,
    received: &Message,
    calls: &HostCalls,
) -> (Disposition, Duration) {
    let plan = &decision.plan;
    let refused = |reply: &Reply| Refused {
        reply: reply.clone(),
        causes: Vec::new(),
    };
    let disposition = match &decision.verdict {
        Verdict::Deliver => match settle(plan, calls) {
            Ok(settlement) => return timed(|| deliver(plan, settlement, calls)),
            Err(disposition) => disposition,
        },
        Verdict::Reject(reply) => Disposition::Reject(refused(reply)),
        Verdict::Defer(reply) => Disposition::Defer(refused(reply)),
        Verdict::Quarantine(reason) => Disposition::Quarantine {
            reason: reason.clone(),
            must_encrypt: plan.everyone.must_encrypt
                || plan.rows.iter().any(|row| row.must_encrypt),
            copy: None,
        },
        Verdict::Discard => Disposition::Discard,
    };
    match disposition {
        Disposition::Quarantine {
            reason,
            must_encrypt,
            ..
        } => timed(|| quarantine::keep(reason, must_encrypt, received, calls)),
        other => (other, Duration::ZERO),
    }
}

fn timed(make: impl FnOnce() -> Disposition) -> (Disposition, Duration) {
    let started = Instant::now();
    let disposition = make();
    (disposition, started.elapsed())
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

/// Makes the copies. One that fails keeps all of them back: it is decided before the first
/// copy leaves (DESIGN §8).
fn deliver(plan: &Plan, settlement: Settlement, calls: &HostCalls) -> Disposition {
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
    let groups = group(settlement.copies);
    let mut carry_out = CarryOut::new(calls, bcc, groups.len());
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
