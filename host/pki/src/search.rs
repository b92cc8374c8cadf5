//! Builds paths from a certificate up to an anchor (RFC 4158), depth first.
//!
//! A step is taken only over a right signature of an authority, so that a stranger's
//! certificates cost no more than their own checks. Several certificates may bear the issuer's
//! name (renewed keys, cross certificates): all are tried, those with the matching key
//! identifier first. Every path that reaches an anchor is validated; the first good one wins.
//! Otherwise the failure is that of the path that came furthest.

use crate::defect::{Defect, Fault};
use crate::extensions::key_usage;
use crate::judgement::{Judgement, signed_by_issuer};
use crate::key::Key;
use crate::limits;
use crate::parsed::{Entry, Parsed};
use crate::validate::{Goal, Validated};
use waxseal_smime::KeyAlgorithm;

/// A failure, and how far the path had come.
struct Failure {
    length: usize,
    fault: Fault,
}

/// Longer than any path: it reached an anchor.
const COMPLETE: usize = usize::MAX;

impl Judgement<'_> {
    /// The first path from the certificate to one of the anchors that holds.
    pub(crate) fn find_path(
        &mut self,
        certificate: &Entry,
        anchors: &[Entry],
        goal: &Goal,
    ) -> Result<Validated, Fault> {
        let is_anchor = |entry: &&Entry| entry.fingerprint == certificate.fingerprint;
        if let Some(anchor) = anchors.iter().find(is_anchor) {
            return self.validate(std::slice::from_ref(anchor), goal);
        }
        self.check_time(certificate)?;
        let mut path = vec![certificate.clone()];
        self.extend(&mut path, anchors, goal)
            .map_err(|failure| failure.fault)
    }

    /// Leads a path, whose last certificate is sound so far, on to an anchor.
    fn extend(
        &mut self,
        path: &mut Vec<Entry>,
        anchors: &[Entry],
        goal: &Goal,
    ) -> Result<Validated, Failure> {
        let Some(last) = path.last().cloned() else {
            return Err(no_issuer(path));
        };
        let mut furthest = no_issuer(path);
        for issuer in candidates(&last, anchors.to_vec()) {
            let tried = self
                .step(&last, &issuer)
                .map_err(|fault| at(path.len(), fault));
            let tried = tried.and_then(|()| self.complete(path, issuer, goal));
            match tried {
                Ok(validated) => return Ok(validated),
                Err(failure) => furthest = furthest.or(failure),
            }
        }
        for issuer in self.issuers(&last) {
            if path.len() > limits::INTERMEDIATES || repeats(path, &issuer) {
                continue;
            }
            let tried = self
                .step(&last, &issuer)
                .map_err(|fault| at(path.len(), fault));
            path.push(issuer);
            let tried = tried.and_then(|()| self.extend(path, anchors, goal));
            path.pop();
            match tried {
                Ok(validated) => return Ok(validated),
                Err(failure) => furthest = furthest.or(failure),
            }
        }
        Err(furthest)
    }

    /// Known issuers; where there are none, those that can be fetched (RFC 5280 §4.2.2.1).
    fn issuers(&mut self, last: &Entry) -> Vec<Entry> {
        let known = self.intermediates(&last.issuer);
        if known.is_empty() {
            self.fetch_issuers(last);
            return candidates(last, self.intermediates(&last.issuer));
        }
        candidates(last, known)
    }

    fn complete(
        &mut self,
        path: &[Entry],
        anchor: Entry,
        goal: &Goal,
    ) -> Result<Validated, Failure> {
        let last = path.first().cloned().ok_or_else(|| no_issuer(path))?;
        self.paths += 1;
        if self.paths > limits::PATHS * limits::DEPTH {
            return Err(at(COMPLETE, fault(Defect::Limit("paths"), &last)));
        }
        let whole: Vec<Entry> = path.iter().cloned().chain([anchor]).collect();
        self.validate(&whole, goal)
            .map_err(|fault| at(COMPLETE, fault))
    }

    /// What can be said of one link: RFC 5280 §6.1.3 (a) (1), (2), §6.1.4 (k), (n).
    fn step(&mut self, subject: &Entry, issuer: &Entry) -> Result<(), Fault> {
        self.candidates += 1;
        if self.candidates > limits::CANDIDATES {
            return Err(fault(Defect::Limit("candidates"), subject));
        }
        self.check_time(issuer)?;
        check_authority(issuer, self.policy.anchors.contains(issuer))?;
        // A DSA key without parameters gets them from above: the signature comes later.
        match Key::of(issuer, None) {
            Some(key) => self.check_signature(subject, issuer, &key),
            None => Ok(()),
        }
    }

    /// The issuer's signature, checked once for each pair.
    pub(crate) fn check_signature(
        &mut self,
        subject: &Entry,
        issuer: &Entry,
        key: &Key,
    ) -> Result<(), Fault> {
        let pair = (subject.fingerprint, issuer.fingerprint);
        // An inherited DSA parameter depends on the path.
        let lasts = issuer.certificate.key_algorithm() != KeyAlgorithm::Dsa;
        if lasts && self.verified.contains(&pair) {
            return Ok(());
        }
        let certificate = &subject.certificate;
        let x509 = certificate.x509();
        // RFC 5280 §4.1.1.2: the algorithm within what is signed is the same.
        let checked = match x509.tbs_certificate().signature() == x509.signature_algorithm() {
            true => self.verifier.verify(&signed_by_issuer(certificate), key),
            false => Err(Defect::BadSignature),
        };
        checked.map_err(|defect| fault(defect, subject))?;
        self.verified.insert(pair);
        Ok(())
    }

    /// RFC 5280 §6.1.3 (a) (2).
    pub(crate) fn check_time(&self, entry: &Entry) -> Result<(), Fault> {
        let (begins, ends) = (
            entry.certificate.not_before(),
            entry.certificate.not_after(),
        );
        if self.at < begins {
            return Err(fault(Defect::NotYetValid(begins), entry));
        }
        if self.at > ends {
            return Err(fault(Defect::Expired(ends), entry));
        }
        Ok(())
    }
}

/// RFC 5280 §6.1.4 (k), (n). An anchor of version 1 has no extension that could say it.
fn check_authority(issuer: &Entry, is_anchor: bool) -> Result<(), Fault> {
    let is_old_anchor = is_anchor && !issuer.extensions.present && issuer.is_self_issued();
    if !issuer.is_authority() && !is_old_anchor {
        return Err(fault(Defect::NotAuthority, issuer));
    }
    if !issuer.extensions.allows(key_usage::KEY_CERT_SIGN) {
        return Err(fault(Defect::KeyUsage, issuer));
    }
    Ok(())
}

/// RFC 4158 §2.4.2: a name with a key that is there already leads nowhere new.
fn repeats(path: &[Entry], issuer: &Entry) -> bool {
    path.iter().any(|entry| {
        entry.subject == issuer.subject
            && entry.certificate.public_key_info() == issuer.certificate.public_key_info()
            && entry.extensions.alternative_names == issuer.extensions.alternative_names
    })
}

/// Those that bear the issuer's name, the ones with its key identifier first.
fn candidates(last: &Parsed, among: Vec<Entry>) -> Vec<Entry> {
    let wanted = last.extensions.authority_key.as_deref();
    let named = among
        .into_iter()
        .filter(|entry| entry.subject == last.issuer);
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|entry| !entry.may_have_signed(wanted));
    named
}

fn no_issuer(path: &[Entry]) -> Failure {
    let last = path.last();
    let issuer = last
        .map(|entry| entry.certificate.issuer())
        .unwrap_or_default();
    let subject = last
        .map(|entry| entry.certificate.subject())
        .unwrap_or_default();
    let defect = Defect::UnknownIssuer(issuer);
    at(0, Fault { defect, subject })
}

pub(crate) fn fault(defect: Defect, entry: &Parsed) -> Fault {
    let subject = entry.certificate.subject();
    Fault { defect, subject }
}

fn at(length: usize, fault: Fault) -> Failure {
    Failure { length, fault }
}

impl Failure {
    /// The failure of the longer path; of two alike, the first.
    fn or(self, other: Self) -> Self {
        match other.length > self.length {
            true => other,
            false => self,
        }
    }
}
