//! Plan and obligations → what becomes of each recipient, before any cryptography.
//!
//! A verdict for the whole message is found here too: what one recipient's missing
//! certificate means for all of them, and a table that breaks an obligation. Refusing
//! goes before deferring, deferring before quarantine: what will be refused on every
//! retry is refused at once.

use waxseal_message::{Address, Message};
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::plan::{Choice, MissingCertificate, Plan, Recipe, Row, Step};
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Recipient;

use crate::outcome::{Disposition, Dropped, Refusal, Refused};
use crate::replies;

/// The questions that settling asks.
pub(crate) trait Facts {
    /// Is this message an envelope within rule 11, by its content?
    fn is_envelope(&self, message: &Message) -> bool;
    /// Why nobody can encrypt to this address; `None` when someone can.
    fn encryption_problem(&self, address: &Address) -> Option<CallError>;
}

/// What becomes of the recipients.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    /// Rows that get a copy, with their final recipe.
    pub(crate) copies: Vec<SettledRow>,
    /// Recipients refused alone.
    pub(crate) refusals: Vec<Refusal>,
    /// Recipients who get nothing.
    pub(crate) dropped: Vec<Dropped>,
}

/// A recipient who gets a copy.
#[derive(Debug)]
pub(crate) struct SettledRow {
    pub(crate) recipient: Recipient,
    pub(crate) recipe: Recipe,
    pub(crate) must_encrypt: bool,
}

/// Settles every row, or finds the one answer for all of them.
pub(crate) fn settle(plan: &Plan, facts: &dyn Facts) -> Result<Settlement, Disposition> {
    let mut settlement = Settlement::default();
    let mut whole = Whole::default();
    for row in &plan.rows {
        match fate(row, facts) {
            Fate::Copy(recipe) => settlement.copies.push(SettledRow {
                recipient: row.recipient.clone(),
                recipe,
                must_encrypt: row.must_encrypt,
            }),
            Fate::Refused(reply, cause) => settlement.refusals.push(Refusal {
                recipient: row.recipient.clone(),
                reply,
                cause,
            }),
            Fate::Dropped(cause) => {
                settlement.dropped.push(Dropped {
                    recipient: row.recipient.clone(),
                    cause,
                });
            }
            Fate::RejectAll(cause) => whole.reject.push(cause),
            Fate::DeferAll(cause) => whole.defer.push(cause),
            Fate::QuarantineAll(cause) => whole.quarantine.push(cause),
        }
    }
    match whole.disposition(plan) {
        Some(disposition) => Err(disposition),
        None => Ok(settlement),
    }
}

/// Causes that decide for the whole message.
#[derive(Default)]
struct Whole {
    reject: Vec<CallError>,
    defer: Vec<CallError>,
    quarantine: Vec<CallError>,
}

impl Whole {
    fn disposition(self, plan: &Plan) -> Option<Disposition> {
        if !self.reject.is_empty() {
            return Some(Disposition::Reject(replies::refused(self.reject)));
        }
        if !self.defer.is_empty() {
            let reply = replies::deferral(&self.defer);
            return Some(Disposition::Defer(Refused {
                reply,
                causes: self.defer,
            }));
        }
        let first = self.quarantine.first()?;
        Some(Disposition::Quarantine {
            reason: first.to_string(),
            must_encrypt: plan.rows.iter().any(|row| row.must_encrypt),
            // Made when all is settled: `quarantine::keep`.
            copy: None,
        })
    }
}

enum Fate {
    Copy(Recipe),
    Refused(Reply, Option<CallError>),
    Dropped(CallError),
    RejectAll(CallError),
    DeferAll(CallError),
    QuarantineAll(CallError),
}

fn fate(row: &Row, facts: &dyn Facts) -> Fate {
    if let Some(reply) = &row.refusal {
        return Fate::Refused(reply.clone(), None);
    }
    let recipe = final_recipe(row);
    for step in &recipe.steps {
        let Step::Protect(protection) = step else {
            continue;
        };
        if let Some(fate) = fate_of_choice(&protection.choice, row) {
            return fate;
        }
    }
    if row.must_encrypt && !is_encrypted(&recipe, facts) {
        return broken_obligation(row, facts);
    }
    Fate::Copy(recipe)
}

/// The row's message with what is applied on delivery.
fn final_recipe(row: &Row) -> Recipe {
    let mut recipe = row.message.clone();
    recipe
        .steps
        .extend(row.on_delivery.clone().map(Step::Protect));
    recipe
}

/// What a choice other than a copy means; `None` when the copy is made.
fn fate_of_choice(choice: &Choice, row: &Row) -> Option<Fate> {
    match choice {
        Choice::Open | Choice::Encrypt(_) | Choice::AlreadyEncrypted => None,
        // A directory that is down says nothing about the recipient, and an identity of
        // ours that expired is the operator's to renew: try again.
        Choice::Missing { problem, .. } | Choice::Refuse { problem }
            if !replies::is_lasting(problem) =>
        {
            Some(Fate::DeferAll(problem.clone()))
        }
        Choice::Refuse { problem } => Some(Fate::RejectAll(problem.clone())),
        Choice::Missing { action, problem } => {
            let problem = problem.clone();
            match (action, row.must_encrypt) {
                (MissingCertificate::Split, false) => None,
                (MissingCertificate::Split, true)
                | (MissingCertificate::EncryptOrBounceRest, _) => {
                    Some(Fate::Refused(replies::refusal(&problem), Some(problem)))
                }
                (MissingCertificate::Bounce, _) => Some(Fate::RejectAll(problem)),
                (MissingCertificate::Drop, _) => Some(Fate::Dropped(problem)),
                (MissingCertificate::Defer, _) => Some(Fate::DeferAll(problem)),
                (MissingCertificate::Quarantine, _) => Some(Fate::QuarantineAll(problem)),
            }
        }
    }
}

/// Rule 6: met by an envelope that we make, or by a body that is one; by nothing else.
fn is_encrypted(recipe: &Recipe, facts: &dyn Facts) -> bool {
    let ours = recipe.steps.iter().any(|step| {
        matches!(step, Step::Protect(protection)
            if protection.mode.encrypts() && matches!(protection.choice, Choice::Encrypt(_)))
    });
    ours || facts.is_envelope(&recipe.base)
}

/// DESIGN §2: deferred, or refused when the cause is lasting. No certificate is lasting; a
/// plan that leaves encryption out although it was possible is the policy's, which the
/// operator can mend while the message waits.
fn broken_obligation(row: &Row, facts: &dyn Facts) -> Fate {
    let address = &row.recipient.address;
    match facts.encryption_problem(address) {
        Some(problem) if replies::is_lasting(&problem) => Fate::RejectAll(problem),
        Some(problem) => Fate::DeferAll(problem),
        None => Fate::DeferAll(
            CallError::new(
                ErrorKind::Failed,
                "plan.not-encrypted",
                "encryption is required, and the policy's plan leaves this copy unencrypted",
            )
            .about(address.to_string()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{missing, no_certificate, plan, protection, row, to};
    use waxseal_policy::plan::ProtectionMode::{Encrypt, Sign};

    /// Whether the octets are an envelope, and why nobody can encrypt.
    struct World {
        envelope: bool,
        problem: Option<CallError>,
    }

    impl Facts for World {
        fn is_envelope(&self, _: &Message) -> bool {
            self.envelope
        }
        fn encryption_problem(&self, _: &Address) -> Option<CallError> {
            self.problem.clone()
        }
    }

    const PLAIN: World = World {
        envelope: false,
        problem: None,
    };

    /// "copies/refusals/dropped", or the answer for the whole message with its code.
    fn show(result: Result<Settlement, Disposition>) -> String {
        match result {
            Ok(s) => format!(
                "{}/{}/{}",
                s.copies.len(),
                s.refusals.len(),
                s.dropped.len()
            ),
            Err(Disposition::Reject(refused)) => format!("reject {}", refused.causes[0].code),
            Err(Disposition::Defer(refused)) => format!("defer {}", refused.causes[0].code),
            Err(Disposition::Quarantine { must_encrypt, .. }) => {
                format!("quarantine {must_encrypt}")
            }
            Err(other) => format!("{other:?}"),
        }
    }

    /// Two recipients: one with a certificate, one as given.
    fn check(choice: Choice, must_encrypt: bool, expected: &str) {
        let mut with = row("bob@example.net");
        with.on_delivery = Some(protection(Encrypt, to(1)));
        let mut without = row("carol@example.net");
        without.on_delivery = Some(protection(Encrypt, choice.clone()));
        without.must_encrypt = must_encrypt;
        let settled = show(settle(&plan(vec![with, without]), &PLAIN));
        assert_eq!(
            settled, expected,
            "{choice:?}, must encrypt: {must_encrypt}"
        );
    }

    #[test]
    fn every_action_for_a_missing_certificate() {
        use MissingCertificate::*;
        for (action, free, obliged) in [
            (
                Bounce,
                "reject recipient.no-certificate",
                "reject recipient.no-certificate",
            ),
            (Drop, "1/0/1", "1/0/1"),
            (Split, "2/0/0", "1/1/0"),
            (EncryptOrBounceRest, "1/1/0", "1/1/0"),
            (
                Defer,
                "defer recipient.no-certificate",
                "defer recipient.no-certificate",
            ),
            (Quarantine, "quarantine false", "quarantine true"),
        ] {
            check(missing(action), false, free);
            check(missing(action), true, obliged);
        }
    }

    #[test]
    fn a_source_that_is_down_defers_whatever_the_action() {
        for action in [MissingCertificate::Bounce, MissingCertificate::Drop] {
            let problem = no_certificate(ErrorKind::Unavailable);
            check(
                Choice::Missing { action, problem },
                false,
                "defer recipient.no-certificate",
            );
        }
    }

    #[test]
    fn rule_06_only_an_envelope_meets_the_obligation() {
        let mut signed = row("bob@example.net");
        signed.must_encrypt = true;
        signed.on_delivery = Some(protection(Sign, Choice::Open));
        let plan = plan(vec![signed]);
        assert_eq!(show(settle(&plan, &PLAIN)), "defer plan.not-encrypted");
        let arrived = World {
            envelope: true,
            problem: None,
        };
        assert_eq!(show(settle(&plan, &arrived)), "1/0/0");
    }

    #[test]
    fn a_broken_obligation_is_refused_when_its_cause_is_lasting() {
        for (kind, expected) in [
            (ErrorKind::NotFound, "reject recipient.no-certificate"),
            (ErrorKind::Unavailable, "defer recipient.no-certificate"),
        ] {
            let mut plain = row("bob@example.net");
            plain.must_encrypt = true;
            let world = World {
                envelope: false,
                problem: Some(no_certificate(kind)),
            };
            assert_eq!(show(settle(&plan(vec![plain]), &world)), expected);
        }
    }

    #[test]
    fn a_later_message_does_not_undo_encryption() {
        // A filter applied a profile now, the next one set a plain message over it.
        let mut overwritten = row("bob@example.net");
        overwritten.must_encrypt = true;
        let settled = show(settle(&plan(vec![overwritten]), &PLAIN));
        assert_eq!(settled, "defer plan.not-encrypted");
    }

    #[test]
    fn refusing_goes_before_deferring_before_quarantine() {
        use MissingCertificate::*;
        let rows = |actions: &[MissingCertificate]| {
            let rows = actions.iter().map(|action| {
                let mut row = row("bob@example.net");
                row.on_delivery = Some(protection(Encrypt, missing(*action)));
                row
            });
            show(settle(&plan(rows.collect()), &PLAIN))
        };
        assert_eq!(
            rows(&[Quarantine, Defer, Bounce]),
            "reject recipient.no-certificate"
        );
        assert_eq!(rows(&[Quarantine, Defer]), "defer recipient.no-certificate");
    }

    #[test]
    fn a_refused_recipient_is_refused_alone() {
        let mut refused = row("bob@example.net");
        refused.refusal = Some(Reply {
            code: 550,
            enhanced: None,
            text: "no".to_owned(),
        });
        refused.must_encrypt = true;
        let settled = show(settle(
            &plan(vec![refused, row("carol@example.net")]),
            &PLAIN,
        ));
        assert_eq!(settled, "1/1/0");
    }
}
