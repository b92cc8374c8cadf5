//! What an outcome says on standard error, and the exit code that it ends with.

use std::process::ExitCode;

use waxseal_engine::plan_text::failed;
use waxseal_engine::{Disposition, Outcome, Refused};
use waxseal_policy::capabilities::CallError;

use crate::report::{Exit, Failure, hint, warn};

/// The policy put the message aside. No code of sysexits.h fits; a pipe of an MTA bounces it.
const QUARANTINED: u8 = 79;
/// The policy lets nobody have it.
const NOTHING: u8 = 80;

/// Warns about what the sender or the operator may want to know although copies go out.
pub(crate) fn about(outcome: &Outcome) {
    for failure in outcome
        .decision
        .iter()
        .flat_map(|decision| &decision.failures)
    {
        warn(format_args!("filter failed: {}", failed(failure)));
    }
    let Disposition::Deliver(delivery) = &outcome.disposition else {
        return;
    };
    for note in delivery.copies.iter().flat_map(|copy| &copy.notes) {
        warn(note);
    }
    for refusal in &delivery.refusals {
        let address = &refusal.recipient.address;
        match &refusal.cause {
            Some(cause) => warn(format_args!("refused: {cause}")),
            None => warn(format_args!("refused: {}: {address}", refusal.reply)),
        }
    }
    for dropped in &delivery.dropped {
        warn(format_args!("no copy: {}", dropped.cause));
    }
    if let Err(error) = &outcome.harvested {
        warn(format_args!(
            "certificates of the sender are not kept: {error}"
        ));
    }
}

/// Success when there are copies; otherwise why there are none.
pub(crate) fn ending(outcome: &Outcome) -> Result<ExitCode, Failure> {
    match &outcome.disposition {
        Disposition::Deliver(delivery) if !delivery.copies.is_empty() => Ok(ExitCode::SUCCESS),
        Disposition::Deliver(delivery) if !delivery.refusals.is_empty() => {
            let causes = delivery
                .refusals
                .iter()
                .filter_map(|refusal| refusal.cause.as_ref());
            let text = "every recipient was refused";
            Err(refusal(Exit::Unavailable, "message.refused", text, causes))
        }
        Disposition::Deliver(_) | Disposition::Discard => {
            crate::report::note("error: message.discarded: the policy lets nobody have it");
            Ok(ExitCode::from(NOTHING))
        }
        Disposition::Reject(refused) => Err(whole(Exit::Unavailable, "message.refused", refused)),
        Disposition::Defer(refused) => {
            Err(whole(Exit::TempFail, "message.deferred", refused).hint("try again later"))
        }
        Disposition::Quarantine { reason, .. } => {
            crate::report::note(format_args!("error: message.quarantined: {reason}"));
            hint("it was not delivered; a person should look at it");
            Ok(ExitCode::from(QUARANTINED))
        }
    }
}

fn whole(exit: Exit, code: &str, refused: &Refused) -> Failure {
    refusal(
        exit,
        code,
        &refused.reply.to_string(),
        refused.causes.iter(),
    )
}

fn refusal<'c>(
    exit: Exit,
    code: &str,
    text: &str,
    causes: impl Iterator<Item = &'c CallError>,
) -> Failure {
    let mut failure: Option<Failure> = None;
    for cause in causes {
        let next = match failure {
            None => Failure::new(exit, cause),
            Some(failure) => failure.and(cause),
        };
        failure = Some(match hint_for(&cause.code) {
            Some(hint) => next.hint(hint),
            None => next,
        });
    }
    failure.unwrap_or_else(|| Failure::new(exit, format_args!("{code}: {text}")))
}

/// What an operator can do about a cause.
fn hint_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "recipient.no-certificate" => {
            "put the recipient's certificate into certificates/, or set missing-certificate in the profile; `waxseal explain` shows what was found"
        }
        "identity.missing" | "identity.none" => {
            "add an [identity] for the sender, or set missing-identity = \"unsigned\" in the profile"
        }
        "identity.expired" | "certificate.expired" => "renew the certificate",
        _ if code.starts_with("filter.") => "`waxseal explain` shows what the filter did",
        _ => return None,
    })
}
