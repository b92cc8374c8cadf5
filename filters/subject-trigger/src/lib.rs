//! A tag in the subject asks for protection.
//!
//! ```json
//! {
//!   "tags": ["[secure]", "[encrypt]"],
//!   "profile": "corporate",
//!   "timing": "on-delivery",
//!   "tag": "remove"
//! }
//! ```
//!
//! When one of the `tags` stands in the subject, in any case (of ASCII letters),
//! the profile is applied for everybody. `timing` is `on-delivery` (the default)
//! or `now`, after which the message is accepted and later filters are skipped.
//! `tag` says whether the tags are taken out of the subject: `remove` (the
//! default) or `keep`. With a profile that encrypts, nobody gets a clear copy:
//! the sender asked for that, whatever the profile does without a certificate.
//!
//! Inbound mail passes, as a stranger's subject asks for nothing. Fails, and so
//! has the message deferred, when the profile is not granted.
//! Grants: `actions`, `profiles:NAME`; `accept` with `"timing": "now"`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

use serde::Deserialize;
use waxseal_guest::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SubjectTrigger {
    tags: Vec<String>,
    profile: String,
    #[serde(default)]
    timing: When,
    #[serde(default)]
    tag: Tag,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    Now,
    #[default]
    OnDelivery,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tag {
    #[default]
    Remove,
    Keep,
}

impl Filter for SubjectTrigger {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        let blank = |(index, tag): (usize, &String)| {
            let problem = ConfigProblem::new(format!("tags[{index}]"), "a tag cannot be empty");
            tag.trim().is_empty().then_some(problem)
        };
        let mut problems: Vec<_> = settings.tags.iter().enumerate().filter_map(blank).collect();
        if settings.tags.is_empty() {
            problems.push(ConfigProblem::new(
                "tags",
                "nothing would ever match: name a tag",
            ));
        }
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    fn check(&self) -> Vec<ConfigProblem> {
        profiles::check("profile", &self.profile)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        let message = tx.message();
        let untagged = without_tags(&message.subject(), &self.tags);
        let inbound = tx.direction().as_deref() == Some("inbound");
        explain::rule("subject", untagged.is_some() && !inbound, &[]);
        match untagged {
            Some(subject) if !inbound => self.protect(tx, &message, &subject),
            _ => Ok(Verdict::Proceed),
        }
    }
}

impl SubjectTrigger {
    fn protect(
        &self,
        tx: &Transaction,
        message: &Message,
        subject: &str,
    ) -> Result<Verdict, Error> {
        if self.tag == Tag::Remove {
            actions::set_message(tx, &message.with_header_replaced("Subject", subject)?)?;
        }
        if profiles::mode_of(&self.profile)? != "sign" {
            actions::require_encryption(tx, Recipients::All)?;
        }
        let (timing, verdict) = match self.timing {
            When::Now => (Timing::Now, Verdict::Accept),
            When::OnDelivery => (Timing::OnDelivery, Verdict::Proceed),
        };
        profiles::apply(tx, &self.profile, timing, Recipients::All)?;
        Ok(verdict)
    }
}

/// The subject without its tags, or nothing when it has none.
fn without_tags(subject: &str, tags: &[String]) -> Option<String> {
    let mut found = false;
    let mut rest = subject.to_owned();
    while let Some((at, length)) = first_tag(&rest, tags) {
        found = true;
        // The space before a tag goes with it, or the one behind.
        let behind = rest.split_off(at).split_off(length);
        rest.truncate(rest.trim_end().len());
        let behind = behind.trim_start();
        if !rest.is_empty() && !behind.is_empty() {
            rest.push(' ');
        }
        rest.push_str(behind);
    }
    found.then_some(rest)
}

/// Where the first tag stands, and its length in octets.
fn first_tag(subject: &str, tags: &[String]) -> Option<(usize, usize)> {
    let starts = subject.char_indices().map(|(at, _)| at);
    starts
        .flat_map(|at| tags.iter().map(move |tag| (at, tag)))
        .find(|(at, tag)| {
            let here = subject.get(*at..*at + tag.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(tag))
        })
        .map(|(at, tag)| (at, tag.len()))
}

waxseal_guest::filter!(SubjectTrigger);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(subject: &str, expected: Option<&str>) {
        let tags = ["[secure]".to_owned(), "geheim:".to_owned()];
        assert_eq!(without_tags(subject, &tags).as_deref(), expected);
    }

    #[test]
    fn tags_go_with_their_space() {
        check("[secure] Figures", Some("Figures"));
        check("Re: [Secure] Figures", Some("Re: Figures"));
        check("Figures [SECURE]", Some("Figures"));
        check("Figures[secure]", Some("Figures"));
        check("[secure]", Some(""));
        check("[secure][secure] GEHEIM: Größe", Some("Größe"));
        check("[se[secure]cure] x", Some("[se cure] x"));
        check("secure Figures", None);
        check("", None);
        check("ſecure ß", None);
    }
}
