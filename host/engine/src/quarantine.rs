//! Where a message goes that is kept for a person (DESIGN §8).
//!
//! Kept is the message as received, whatever filters made of it. Where the operator named an
//! address, the copy goes there, in an envelope when a profile is set. What must be encrypted is
//! never left where an MTA can release it in clear: without an encrypted copy it is deferred.

use waxseal_message::{Address, Message};
use waxseal_policy::Capabilities as _;
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::plan::{Choice, Recipe, Step};
use waxseal_policy::transaction::Recipient;

use crate::carry_out::{Bcc, CarryOut};
use crate::copies::Group;
use crate::host_calls::HostCalls;
use crate::outcome::{Disposition, OutgoingCopy, Refused};
use crate::replies;
use crate::settle::Facts as _;

/// The operator's `[quarantine]` settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Who looks at what is kept.
    pub address: Address,
    /// The sending profile that encrypts it, certificate of `address` included.
    pub profile: Option<String>,
}

/// Keeps `received` for a person, or defers it when that is not safe.
pub(crate) fn keep(
    reason: String,
    must_encrypt: bool,
    received: &Message,
    calls: &HostCalls,
) -> Disposition {
    let copy = match &calls.generation.quarantine {
        Some(quarantine) => copy(quarantine, must_encrypt, received, calls).map(Some),
        None if must_encrypt => Err(CallError::new(
            ErrorKind::Failed,
            "quarantine.no-address",
            "it must be encrypted, and [quarantine] names no address to keep it at",
        )),
        None => Ok(None),
    };
    match copy {
        Ok(copy) => Disposition::Quarantine {
            reason,
            must_encrypt,
            copy,
        },
        Err(cause) => deferred(cause),
    }
}

fn copy(
    quarantine: &Quarantine,
    must_encrypt: bool,
    received: &Message,
    calls: &HostCalls,
) -> Result<OutgoingCopy, CallError> {
    let mut recipe = Recipe::plain(received.clone());
    if let Some(profile) = &quarantine.profile {
        let protection = calls.profile_protection(profile, &recipe, &quarantine.address)?;
        match &protection.choice {
            Choice::Encrypt(_) | Choice::AlreadyEncrypted => {}
            Choice::Missing { problem, .. } | Choice::Refuse { problem } => {
                return Err(problem.clone());
            }
            Choice::Open => return Err(not_encrypted()),
        }
        recipe.steps.push(Step::Protect(protection));
    } else if must_encrypt && !calls.is_envelope(received) {
        return Err(not_encrypted());
    }
    CarryOut::new(calls, Bcc::Keep, 1).copy(Group {
        recipients: vec![Recipient {
            address: quarantine.address.clone(),
            parameters: Vec::new(),
        }],
        recipes: vec![recipe],
        must_encrypt: must_encrypt || quarantine.profile.is_some(),
    })
}

fn not_encrypted() -> CallError {
    CallError::new(
        ErrorKind::Failed,
        "quarantine.not-encrypted",
        "it must be encrypted, and [quarantine] names no profile that encrypts it",
    )
}

/// Whoever sent it learns nothing of the operator's address: the reply has words of its own.
fn deferred(cause: CallError) -> Disposition {
    let said = CallError::new(
        ErrorKind::Failed,
        "quarantine.unavailable",
        "the message cannot be kept for inspection now; try again later",
    );
    Disposition::Defer(Refused {
        reply: replies::deferral(std::slice::from_ref(&said)),
        causes: vec![said, cause],
    })
}
