//! No clear mail to these recipients, nor with these words.
//!
//! ```json
//! {
//!   "domains": ["partner.example", ".bank.example", "boss@example.org"],
//!   "lists": ["partners"],
//!   "dictionaries": ["trade-secrets"],
//!   "directions": ["outbound", "internal"],
//!   "profile": "corporate"
//! }
//! ```
//!
//! A recipient whom `domains` or one of the `lists` names must be encrypted to;
//! where a term of one of the `dictionaries` stands in a part of the message (not
//! in its header), everybody must be. The obligation stays whatever later filters do. With
//! `profile` they are also protected by it on delivery; without, a later filter
//! has to, or the message is deferred or refused.
//!
//! `directions` says for which mail; by default, and where it is not known, for all.
//! What arrives for ours is best left out: others wrote it, and its words are not for
//! us to protect. Mail that `[origin]` does not call ours is inbound, wherever it goes.
//!
//! Fails, and so has the message deferred, when a list or dictionary is unknown.
//! Grants: `actions`; `profiles:NAME` (the component imports `profiles` even
//! when no profile is set); `list:NAME` and `dictionary:NAME` for each.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

use serde::Deserialize;
use waxseal_guest::{pattern::AddressPattern, prelude::*};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MustEncrypt {
    #[serde(default)]
    domains: Vec<AddressPattern>,
    #[serde(default)]
    lists: Vec<String>,
    #[serde(default)]
    dictionaries: Vec<String>,
    /// Empty: all.
    #[serde(default)]
    directions: Vec<Direction>,
    profile: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Direction {
    Outbound,
    Inbound,
    Internal,
}

impl Filter for MustEncrypt {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        let MustEncrypt {
            domains,
            lists,
            dictionaries,
            ..
        } = &settings;
        if domains.is_empty() && lists.is_empty() && dictionaries.is_empty() {
            let message = "nothing would ever match: set domains, lists or dictionaries";
            return Err(vec![ConfigProblem::new("", message)]);
        }
        Ok(settings)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        let named =
            |(index, list): (usize, &String)| config::check_list(&format!("lists[{index}]"), list);
        let mut problems: Vec<_> = self.lists.iter().enumerate().flat_map(named).collect();
        if let Some(profile) = &self.profile {
            problems.extend(profiles::check("profile", profile));
        }
        problems
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        if !self.concerns(tx.direction().as_deref()) {
            return Ok(Verdict::Proceed);
        }
        if let Some(dictionary) = self.dictionary_in(&tx.message())? {
            explain::rule("dictionary", true, &[("dictionary", dictionary)]);
            return self.require(tx, Recipients::All);
        }
        let named = self.named(tx)?;
        explain::rule(
            "recipients",
            !named.is_empty(),
            &[("recipients", &named.join(" "))],
        );
        if named.is_empty() {
            return Ok(Verdict::Proceed);
        }
        self.require(tx, Recipients::Only(&named))
    }
}

impl MustEncrypt {
    /// What is not known may be what must not leave in clear.
    fn concerns(&self, direction: Option<&str>) -> bool {
        let direction = match direction {
            Some("outbound") => Direction::Outbound,
            Some("inbound") => Direction::Inbound,
            Some("internal") => Direction::Internal,
            _ => return true,
        };
        self.directions.is_empty() || self.directions.contains(&direction)
    }

    fn require(&self, tx: &Transaction, recipients: Recipients<'_>) -> Result<Verdict, Error> {
        actions::require_encryption(tx, recipients)?;
        if let Some(profile) = &self.profile {
            profiles::apply(tx, profile, Timing::OnDelivery, recipients)?;
        }
        Ok(Verdict::Proceed)
    }

    /// The first dictionary of which a part has a term.
    fn dictionary_in(&self, message: &Message) -> Result<Option<&str>, Error> {
        for dictionary in &self.dictionaries {
            for part in message.parts() {
                if part.matches(dictionary)? {
                    return Ok(Some(dictionary));
                }
            }
        }
        Ok(None)
    }

    /// The recipients whom `domains` or a list names.
    fn named(&self, tx: &Transaction) -> Result<Vec<String>, Error> {
        let mut named = Vec::new();
        for Recipient {
            address, domain, ..
        } in tx.recipients()
        {
            if self.domains.iter().any(|pattern| pattern.matches(&address))
                || self.listed(&address, &domain)?
            {
                named.push(address);
            }
        }
        Ok(named)
    }

    /// Lists hold addresses or domains.
    fn listed(&self, address: &str, domain: &str) -> Result<bool, Error> {
        for list in &self.lists {
            if config::in_list(list, address)? || config::in_list(list, domain)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

waxseal_guest::filter!(MustEncrypt);

#[cfg(test)]
mod tests {
    use waxseal_guest::settings::parse;

    use super::*;

    #[track_caller]
    fn check(directions: &str, direction: Option<&str>, expected: bool) {
        let settings = format!(r#"{{"lists":["a"]{directions}}}"#);
        let filter: MustEncrypt = parse(&settings).unwrap();
        assert_eq!(filter.concerns(direction), expected, "{direction:?}");
    }

    #[test]
    fn a_direction_that_is_not_known_is_never_left_out() {
        let ours = r#","directions":["outbound","internal"]"#;
        check(ours, Some("outbound"), true);
        check(ours, Some("internal"), true);
        check(ours, Some("inbound"), false);
        check(ours, Some("sideways"), true);
        check(ours, None, true);
        check("", Some("inbound"), true);
    }
}
