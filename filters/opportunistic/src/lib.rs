//! Encrypted for whoever can read it, signed for the rest.
//!
//! ```json
//! { "encrypt-profile": "encrypted", "sign-profile": "signed" }
//! ```
//!
//! Asks `encrypt-profile` what it would do for each recipient, and applies it on
//! delivery for those whom it can encrypt to. The others get `sign-profile`, or
//! without one the message as it is. Nobody is ever refused: a recipient for whom
//! encryption is a must is the business of `must-encrypt`, whose obligation holds
//! here too.
//!
//! Inbound mail passes. Fails, and so has the message deferred, when a profile is
//! not granted or a directory is down: clear mail because of a passing failure
//! would be a leak. Grants: `profiles:NAME` for both.

use serde::Deserialize;
use waxseal_guest::{ErrorKind, prelude::*, profiles::Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Opportunistic {
    encrypt_profile: String,
    sign_profile: Option<String>,
}

impl Filter for Opportunistic {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        Ok(settings)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = profiles::check("encrypt-profile", &self.encrypt_profile);
        if let Some(profile) = &self.sign_profile {
            problems.extend(profiles::check("sign-profile", profile));
        }
        problems
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        if tx.direction().as_deref() == Some("inbound") {
            return Ok(Verdict::Proceed);
        }
        let outcomes = profiles::preview(tx, &self.encrypt_profile, Recipients::All)?;
        if let Some(passing) = outcomes.iter().find_map(passing_problem) {
            return Err(passing);
        }
        let (readers, others): (Vec<_>, Vec<_>) = outcomes
            .into_iter()
            .partition(|outcome| outcome.problem.is_none());
        apply(tx, "encrypted", Some(&self.encrypt_profile), readers)?;
        apply(tx, "not encrypted", self.sign_profile.as_ref(), others)?;
        Ok(Verdict::Proceed)
    }
}

fn passing_problem(outcome: &Outcome) -> Option<Error> {
    let passing = |problem: &&Error| problem.kind() == ErrorKind::Unavailable;
    outcome.problem.as_ref().filter(passing).cloned()
}

fn apply(
    tx: &Transaction,
    rule: &str,
    profile: Option<&String>,
    outcomes: Vec<Outcome>,
) -> Result<(), Error> {
    let addresses: Vec<String> = outcomes
        .into_iter()
        .map(|outcome| outcome.address)
        .collect();
    explain::rule(
        rule,
        !addresses.is_empty(),
        &[("recipients", &addresses.join(" "))],
    );
    match profile {
        Some(profile) if !addresses.is_empty() => {
            profiles::apply(tx, profile, Timing::OnDelivery, &addresses)?;
        }
        _ => {}
    }
    Ok(())
}

waxseal_guest::filter!(Opportunistic);
