//! Sending profiles: the operator's named ways to protect a message. Grant:
//! `profiles:NAME` for each.

use crate::{
    ConfigProblem, Error, Recipients, bindings::waxseal::filter::profiles as host,
    session::Transaction,
};

pub use host::Timing;

/// What a profile does for one recipient, as things stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The recipient.
    pub address: String,
    /// `deliver`, `bounce`, `drop`, `defer`.
    pub action: String,
    /// Will this recipient's copy be encrypted?
    pub encrypted: bool,
    /// Why it could not be encrypted.
    pub problem: Option<Error>,
}

impl From<host::Outcome> for Outcome {
    fn from(outcome: host::Outcome) -> Self {
        Outcome {
            address: outcome.address,
            action: outcome.action,
            encrypted: outcome.encrypted,
            problem: outcome.problem.map(Error::from),
        }
    }
}

/// The profiles that this filter may use.
pub fn names() -> Vec<String> {
    host::names()
}

/// `sign`, `encrypt`, `sign-encrypt`, `triple-wrap`.
pub fn mode_of(profile: &str) -> Result<String, Error> {
    Ok(host::mode_of(profile)?)
}

/// What [`apply`] would do, without doing it.
pub fn preview<'a>(
    tx: &Transaction,
    profile: &str,
    recipients: impl Into<Recipients<'a>>,
) -> Result<Vec<Outcome>, Error> {
    let outcomes = host::preview(&tx.0, profile, recipients.into().list())?;
    Ok(outcomes.into_iter().map(Outcome::from).collect())
}

/// Protects for these recipients. A missing certificate is no error here: the
/// profile says what becomes of it.
pub fn apply<'a>(
    tx: &Transaction,
    profile: &str,
    timing: Timing,
    recipients: impl Into<Recipients<'a>>,
) -> Result<Vec<Outcome>, Error> {
    let outcomes = host::apply(&tx.0, profile, timing, recipients.into().list())?;
    Ok(outcomes.into_iter().map(Outcome::from).collect())
}

/// For [`Filter::check`](crate::Filter::check): the setting at `path` names a
/// profile that this filter may use.
pub fn check(path: &str, profile: &str) -> Vec<ConfigProblem> {
    let known = names();
    if known.iter().any(|name| name == profile) {
        return Vec::new();
    }
    let granted = match known.as_slice() {
        [] => "none is".to_owned(),
        names => names.join(", "),
    };
    let message = format!("no such profile is granted to this filter: {profile} ({granted})");
    vec![ConfigProblem::new(path, message)]
}
