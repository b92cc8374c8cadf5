//! Is a certificate revoked? Lists first, then OCSP answers, of those that came along or that
//! the operator has; what they leave open is fetched where there is a fetcher.
//!
//! That something is revoked always wins over that it is not.

use crate::crl::{Crl, Finding, reason_name};
use crate::defect::{Defect, Unknown};
use crate::judgement::Judgement;
use crate::key::Key;
use crate::limits;
use crate::parsed::Entry;
use crate::validate::Validated;

/// A certificate on a path, with what stands above it.
pub(crate) struct Subject<'a> {
    pub(crate) certificate: &'a Entry,
    /// From its issuer to the anchor, and the key of each.
    pub(crate) above: &'a [Entry],
    pub(crate) keys: &'a [Key],
    pub(crate) issuer: &'a Entry,
    pub(crate) issuer_key: &'a Key,
    pub(crate) anchor: &'a Entry,
}

/// What a list or an answer says of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Revoked(Finding),
}

impl<'a> Subject<'a> {
    /// The certificate at this place of a path; `None` for the anchor.
    pub(crate) fn new(validated: &'a Validated, at: usize) -> Option<Self> {
        let above = validated.path.get(at + 1..)?;
        let keys = validated.keys.get(at + 1..)?;
        Some(Self {
            certificate: validated.path.get(at)?,
            above,
            keys,
            issuer: above.first()?,
            issuer_key: keys.first()?,
            anchor: above.last()?,
        })
    }
}

impl Judgement<'_> {
    /// RFC 5280 §6.1.3 (a) (3). An error is that it is revoked, or that nobody knows.
    pub(crate) fn status(&mut self, subject: &Subject<'_>) -> Result<(), Defect> {
        let fingerprint = subject.certificate.fingerprint;
        let asked = (fingerprint, subject.issuer_key.info().to_vec());
        if self.good.contains(&asked) {
            return Ok(());
        }
        // Who signs a list may not depend on that list.
        if self.asked.contains(&fingerprint) || self.asked.len() >= limits::DEPTH {
            return Err(Defect::RevocationUnknown(Unknown::Issuer));
        }
        self.asked.push(fingerprint);
        let found = self.look_up(subject);
        self.asked.pop();
        match found {
            Ok(Verdict::Good) => {
                self.good.insert(asked);
                Ok(())
            }
            Ok(Verdict::Revoked(finding)) => Err(Defect::Revoked {
                at: finding.at,
                reason: reason_name(finding.reason),
            }),
            Err(unknown) => Err(Defect::RevocationUnknown(unknown)),
        }
    }

    fn look_up(&mut self, subject: &Subject<'_>) -> Result<Verdict, Unknown> {
        self.unreachable = None;
        let known: Vec<Crl> = self
            .policy
            .crls
            .iter()
            .chain(&self.lists)
            .cloned()
            .collect();
        let at_hand = either(self.by_lists(subject, &known), self.by_answers(subject));
        if at_hand.is_ok() || self.policy.fetcher.is_none() {
            return at_hand;
        }
        let asked = either(at_hand, self.by_fetched_answer(subject));
        if asked.is_ok() {
            return asked;
        }
        let fetched = self.fetch_lists(subject.certificate);
        let listed = match fetched.is_empty() {
            true => asked,
            false => {
                let all: Vec<Crl> = known.into_iter().chain(fetched).collect();
                either(asked, self.by_lists(subject, &all))
            }
        };
        match self.unreachable.take() {
            Some(why) if listed.is_err() => Err(Unknown::Unreachable(why)),
            _ => listed,
        }
    }
}

/// Revoked before good, good before unknown; of two unknowns, the one that came closer.
fn either(
    one: Result<Verdict, Unknown>,
    other: Result<Verdict, Unknown>,
) -> Result<Verdict, Unknown> {
    match (one, other) {
        (Ok(Verdict::Revoked(finding)), _) | (_, Ok(Verdict::Revoked(finding))) => {
            Ok(Verdict::Revoked(finding))
        }
        (Ok(Verdict::Good), _) | (_, Ok(Verdict::Good)) => Ok(Verdict::Good),
        (Err(one), Err(other)) => Err(one.max(other)),
    }
}
