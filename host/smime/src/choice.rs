//! Which certificate (rule 5): every candidate is judged, and a rejected one keeps its reason.
//!
//! Usable candidates come best first: the exact address before the same address in other case,
//! before a certificate for the whole domain; then by [`Origin`]; then the newest. An unusable
//! certificate never hides a usable one.

use crate::algorithm::KeyAlgorithm;
use crate::certificate::Certificate;
use crate::source::{Capabilities, Found, Origin};
use crate::time::Time;
use crate::trust::{Distrust, DistrustKind, Trust, TrustRequest};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use waxseal_message::Address;

/// What the certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Encrypting to its holder.
    Encrypt,
    /// Signing as its holder.
    Sign,
}

/// What makes a certificate usable.
pub struct ChoiceRules<'a> {
    /// When it must be valid.
    pub at: Time,
    /// Whether a certificate for a whole domain (RFC 3183) stands for its addresses.
    pub allow_domain_certificates: bool,
    /// Judges paths. `None`: what the operator put into a store is trusted as it is.
    pub trust: Option<&'a dyn Trust>,
    /// Judges paths of what strangers brought ([`Origin::Harvested`], [`Origin::Directory`]),
    /// where `trust` is `None`: nobody put it there who vouches for it.
    pub trust_in_strangers: &'a dyn Trust,
}

/// Why a certificate cannot be used.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It names somebody else.
    #[error("does not name the address")]
    OtherAddress,
    /// It names only the domain, and the profile does not allow that.
    #[error("names only the domain, which is not allowed here")]
    DomainOnly,
    /// Its time has not come.
    #[error("not valid before {0}")]
    NotYetValid(Time),
    /// Its time is over.
    #[error("expired on {0}")]
    Expired(Time),
    /// Key usage or extended key usage forbids it.
    #[error("key usage does not allow it")]
    KeyUsage,
    /// Rule 11.
    #[error("key algorithm not allowed: {0}")]
    Algorithm(KeyAlgorithm),
    /// The operator's trust policy refuses it: no path to an anchor, revoked, …
    #[error("not trusted: {0}")]
    Untrusted(Distrust),
}

impl Reason {
    /// A stable token for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherAddress => "certificate.other-address",
            Self::DomainOnly => "certificate.domain-only",
            Self::NotYetValid(_) => "certificate.not-yet-valid",
            Self::Expired(_) => "certificate.expired",
            Self::KeyUsage => "certificate.key-usage",
            Self::Algorithm(_) => "certificate.algorithm",
            Self::Untrusted(distrust) => distrust.code,
        }
    }

    /// True when nobody could say, and somebody may soon.
    pub fn is_passing(&self) -> bool {
        let kind = match self {
            Self::Untrusted(distrust) => Some(distrust.kind),
            _ => None,
        };
        kind == Some(DistrustKind::RevocationUnknown)
    }
}

/// A certificate that was not taken.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The certificate.
    pub certificate: Certificate,
    /// Why.
    pub reason: Reason,
}

/// All that was found for one address, judged.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// For whom.
    pub address: Address,
    /// Usable ones, best first.
    pub usable: Vec<Found>,
    /// The others, each with its reason.
    pub rejected: Vec<Rejected>,
}

/// How well a certificate names an address, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Exact,
    Folded,
    Domain,
}

/// Judges what was found for an address. Certificates of authorities among `found` serve as
/// intermediates.
pub fn choose(
    address: &Address,
    found: Vec<Found>,
    purpose: Purpose,
    rules: &ChoiceRules<'_>,
) -> Candidates {
    let authorities = found.iter().map(|each| &each.certificate);
    let authorities: Vec<_> = authorities
        .filter(|each| each.can_issue())
        .cloned()
        .collect();
    let mut usable = Vec::new();
    let mut rejected = Vec::new();
    let mut seen = HashSet::new();
    for each in best_origin_first(found) {
        if !seen.insert(each.certificate.fingerprint()) {
            continue;
        }
        match judge(address, &each, purpose, &authorities, rules) {
            Ok(how) => usable.push((how, each)),
            Err(reason) => rejected.push(Rejected {
                certificate: each.certificate,
                reason,
            }),
        }
    }
    usable.sort_by_key(|(how, each)| rank(*how, each));
    let usable = usable.into_iter().map(|(_, each)| each).collect();
    Candidates {
        address: address.clone(),
        usable,
        rejected,
    }
}

/// What one source knows of a certificate's holder holds for its copies in the others.
fn best_origin_first(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|each| each.origin);
    let known = found.iter().filter_map(|each| {
        let capabilities = each.capabilities.clone()?;
        Some((each.certificate.fingerprint(), capabilities))
    });
    let known: HashMap<[u8; 32], Capabilities> = known.collect();
    for each in &mut found {
        if each.capabilities.is_none() {
            each.capabilities = known.get(&each.certificate.fingerprint()).cloned();
        }
    }
    found
}

fn rank(how: Match, each: &Found) -> (Match, Origin, Reverse<Time>, Reverse<Time>, [u8; 32]) {
    let certificate = &each.certificate;
    let (begins, ends) = (
        Reverse(certificate.not_before()),
        Reverse(certificate.not_after()),
    );
    (how, each.origin, begins, ends, certificate.fingerprint())
}

/// RFC 8550 §3 and §4.4, rule 11, RFC 5280 §6.1, in the order in which a person would ask.
fn judge(
    address: &Address,
    found: &Found,
    purpose: Purpose,
    authorities: &[Certificate],
    rules: &ChoiceRules<'_>,
) -> Result<Match, Reason> {
    let certificate = &found.certificate;
    let how = names(certificate, address).ok_or(Reason::OtherAddress)?;
    if how == Match::Domain && !rules.allow_domain_certificates {
        return Err(Reason::DomainOnly);
    }
    if rules.at < certificate.not_before() {
        return Err(Reason::NotYetValid(certificate.not_before()));
    }
    if rules.at > certificate.not_after() {
        return Err(Reason::Expired(certificate.not_after()));
    }
    if !certificate.key_algorithm().is_within_floor() {
        return Err(Reason::Algorithm(certificate.key_algorithm()));
    }
    let allowed = match purpose {
        Purpose::Encrypt => certificate.can_encrypt(),
        Purpose::Sign => certificate.can_sign(),
    };
    if !allowed {
        return Err(Reason::KeyUsage);
    }
    let trust = match (rules.trust, found.origin) {
        (Some(trust), _) => trust,
        (None, Origin::Pinned | Origin::Imported) => return Ok(how),
        (None, Origin::Directory | Origin::Harvested) => rules.trust_in_strangers,
    };
    let request = TrustRequest {
        at: rules.at,
        purpose,
        certificates: authorities,
        crls: &[],
        ocsp_responses: &[],
    };
    let judged = trust.judge(certificate, &request);
    judged.map(|_| how).map_err(Reason::Untrusted)
}

fn names(certificate: &Certificate, address: &Address) -> Option<Match> {
    let addresses = certificate.addresses();
    if addresses.iter().any(|each| each.matches(address)) {
        Some(Match::Exact)
    } else if addresses.iter().any(|each| each.matches_folded(address)) {
        Some(Match::Folded)
    } else {
        let domain = address.domain();
        certificate
            .domains()
            .iter()
            .any(|each| each == domain)
            .then_some(Match::Domain)
    }
}
