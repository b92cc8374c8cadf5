//! Conditions and actions from JSON, for operators who write no code.
//!
//! ```json
//! {
//!   "rules": [
//!     {
//!       "name": "partners",
//!       "when": { "direction": "outbound", "recipient": ["partner.example", "list:partners"] },
//!       "then": { "require-encryption": "matching", "apply": { "profile": "corporate" } }
//!     },
//!     {
//!       "name": "no payroll to the outside",
//!       "when": { "attachment": { "name": "*payroll*" }, "not": { "recipient": ".example.org" } },
//!       "then": { "refuse": { "text": "payroll data stays inside" } }
//!     }
//!   ]
//! }
//! ```
//!
//! Rules are looked at from the top. `when` picks recipients: a condition about
//! the message or the session picks all of them or none, `recipient` picks those
//! who match, `not` the others. A rule matches when somebody is picked, and then
//! its actions are carried out, in the order of [`settings::Actions`] whatever
//! their order in the file. All matching rules act; a `verdict` ends the list.
//! The picked ones are whom `refuse`, `route`, `apply` and `require-encryption`
//! mean by `matching`; a rule that names no recipient is about the message, and
//! `matching` then is everybody, recipients that later filters add too. What
//! `headers` changes and what `verdict` says is for the whole message.
//!
//! Conditions look at the message as it was when this filter began, or as the last
//! `decrypt` or `remove-signature` left it; edits of header fields do not show. A
//! fact that the MTA did not tell matches nothing.
//!
//! From the same sources comes `inbound-rules`, which has the actions `decrypt` and
//! `harvest` too, and so needs the grants `open` and `harvest`. What arrives encrypted
//! is `closed` until a rule of it (or an earlier filter) decrypts it; only then can
//! conditions look inside:
//!
//! ```json
//! {
//!   "rules": [
//!     { "when": { "direction": "inbound" }, "then": { "decrypt": "when-possible" } },
//!     {
//!       "when": { "smime": { "state": ["suspicious", "damaged"] } },
//!       "then": { "verdict": { "quarantine": "attack on encrypted mail" } }
//!     },
//!     {
//!       "when": { "smime": { "state": "valid", "signer": "list:partners", "from": "matches" } },
//!       "then": { "harvest": "signers", "remove-signature": "outermost" }
//!     }
//!   ]
//! }
//! ```
//!
//! The settings are described by `schema.json`. A mistake is reported when the
//! policy is loaded, with its path. Fails, and so has the message deferred, when
//! the host refuses an action or a list or dictionary is unknown.
//!
//! Grants: `actions`, `inspect`; `profiles:NAME`, `list:NAME`, `dictionary:NAME`
//! for each that the rules name; `accept`, `quarantine`, `discard` where used.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod facts;
mod run;
#[cfg(test)]
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod when;

use settings::Rules;
use waxseal_guest::prelude::*;

impl Filter for Rules {
    type Settings = Self;

    fn new(mut settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        for (place, rule) in settings.rules.iter_mut().enumerate() {
            rule.name.get_or_insert_with(|| format!("rules[{place}]"));
        }
        Ok(settings)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        let lists = self.lists();
        let unknown = |(path, list): (String, &str)| config::check_list(&path, list);
        let mut problems: Vec<_> = lists.into_iter().flat_map(unknown).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(apply) = &rule.then.apply {
                let path = format!("rules[{index}].then.apply.profile");
                problems.extend(profiles::check(&path, &apply.profile));
            }
        }
        problems
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        run::run(&self.rules, tx)
    }
}

waxseal_guest::filter!(Rules);
