//! Certificates of recipients, for the length of one transaction.
//!
//! Each address is looked up once: all filters of a transaction, and the copies made in
//! the end, see the same answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use waxseal_message::Address;
use waxseal_policy::capabilities::{self, CallError, CertificateView, ErrorKind};
use waxseal_smime::{
    Candidates, ChoiceRules, Found, Origin, Purpose, Rejected, SourceError, Time, choose,
};

use crate::generation::Generation;
use crate::look_ups::LookUps;
use crate::outcome::LookUp;

/// What was found for an address, and which source could not answer.
struct Answer {
    candidates: Candidates,
    failed: Option<SourceError>,
}

/// Looks certificates up and remembers what it found.
pub(crate) struct Certificates {
    at: Time,
    look_ups: LookUps,
    answers: Mutex<HashMap<(Address, DomainCertificates), Arc<Answer>>>,
    by_fingerprint: Mutex<HashMap<[u8; 32], Found>>,
}

/// Whether a certificate for the whole domain will do (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DomainCertificates {
    Allowed,
    No,
}

impl From<bool> for DomainCertificates {
    fn from(allowed: bool) -> Self {
        if allowed { Self::Allowed } else { Self::No }
    }
}

impl Certificates {
    pub(crate) fn new(at: Time, look_ups: LookUps) -> Self {
        Self {
            at,
            look_ups,
            answers: Mutex::default(),
            by_fingerprint: Mutex::default(),
        }
    }

    /// The best certificate to encrypt to an address, or why there is none.
    pub(crate) fn best(
        &self,
        generation: &Generation,
        address: &Address,
        domain: DomainCertificates,
    ) -> Result<Found, CallError> {
        let answer = self.answer(generation, address, domain);
        match answer.candidates.usable.first() {
            Some(found) => Ok(found.clone()),
            None => Err(no_certificate(address, &answer)),
        }
    }

    /// All candidates, as filters see them.
    pub(crate) fn candidates(
        &self,
        generation: &Generation,
        address: &Address,
    ) -> Result<capabilities::Candidates, CallError> {
        let answer = self.answer(generation, address, DomainCertificates::Allowed);
        if let (true, Some(error)) = (answer.candidates.usable.is_empty(), &answer.failed) {
            return Err(source_failed(error, address));
        }
        Ok(capabilities::Candidates {
            usable: answer
                .candidates
                .usable
                .iter()
                .map(|found| self.view(found))
                .collect(),
            rejected: answer
                .candidates
                .rejected
                .iter()
                .map(rejected_view)
                .collect(),
        })
    }

    /// The certificate as filters see it; remembered, so that the plan can name it.
    pub(crate) fn view(&self, found: &Found) -> Arc<CertificateView> {
        let view = view(&found.certificate, origin_name(found.origin));
        lock(&self.by_fingerprint).insert(view.fingerprint_sha256, found.clone());
        Arc::new(view)
    }

    /// The certificate behind a view that this transaction gave out.
    pub(crate) fn found(&self, view: &CertificateView) -> Option<Found> {
        lock(&self.by_fingerprint)
            .get(&view.fingerprint_sha256)
            .cloned()
    }

    fn answer(
        &self,
        generation: &Generation,
        address: &Address,
        domain: DomainCertificates,
    ) -> Arc<Answer> {
        let key = (address.clone(), domain);
        if let Some(answer) = lock(&self.answers).get(&key) {
            return Arc::clone(answer);
        }
        let answer = Arc::new(self.look_up(generation, address, domain));
        lock(&self.answers).insert(key, Arc::clone(&answer));
        answer
    }

    fn look_up(
        &self,
        generation: &Generation,
        address: &Address,
        domain: DomainCertificates,
    ) -> Answer {
        let mut found = Vec::new();
        let mut failed = None;
        for source in &generation.certificates {
            match self.look_ups.find(source.as_ref(), address) {
                Ok(more) => found.extend(more),
                // A passing failure says more than a lasting one: a retry may find it.
                Err(error) if error.passing || failed.is_none() => failed = Some(error),
                Err(_) => {}
            }
        }
        let rules = ChoiceRules {
            allow_domain_certificates: domain == DomainCertificates::Allowed,
            ..generation.choice_rules(self.at)
        };
        let candidates = choose(address, found, Purpose::Encrypt, &rules);
        Answer { candidates, failed }
    }
}

impl Certificates {
    /// What was looked up and found, by address.
    pub(crate) fn found_so_far(&self) -> Vec<LookUp> {
        let answers = lock(&self.answers);
        let mut found: Vec<_> = answers.iter().map(found_for).collect();
        found.sort_by(|a, b| (&a.address, a.domain).cmp(&(&b.address, b.domain)));
        found
    }
}

fn found_for(
    ((address, domain), answer): (&(Address, DomainCertificates), &Arc<Answer>),
) -> LookUp {
    let usable = answer.candidates.usable.iter();
    let rejected = answer.candidates.rejected.iter();
    LookUp {
        address: address.to_string(),
        domain: *domain == DomainCertificates::Allowed,
        usable: usable
            .map(|found| (found.certificate.fingerprint(), origin_name(found.origin)))
            .collect(),
        rejected: rejected
            .map(|each| (each.certificate.fingerprint(), each.reason.code()))
            .collect(),
        failed: answer.failed.as_ref().map(|error| error.code),
    }
}

/// A poisoned cache is still a cache: every entry was inserted whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_certificate(address: &Address, answer: &Answer) -> CallError {
    if let Some(error) = &answer.failed {
        return source_failed(error, address);
    }
    let rejected = &answer.candidates.rejected;
    // Whether somebody is revoked may be known later.
    if let Some(passing) = rejected.iter().find(|each| each.reason.is_passing()) {
        let message = format!("no certificate that is usable now ({})", passing.reason);
        return CallError::new(ErrorKind::Unavailable, passing.reason.code(), message)
            .about(address.to_string());
    }
    let message = match rejected.first() {
        None => "no certificate for the recipient".to_owned(),
        Some(rejected) => format!(
            "no usable certificate for the recipient ({})",
            rejected.reason
        ),
    };
    CallError::new(ErrorKind::NotFound, "recipient.no-certificate", message)
        .about(address.to_string())
}

fn source_failed(error: &SourceError, address: &Address) -> CallError {
    let kind = if error.passing {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Failed
    };
    CallError::new(kind, error.code, error.message.clone()).about(address.to_string())
}

fn rejected_view(rejected: &Rejected) -> (Arc<CertificateView>, CallError) {
    let reason = CallError::new(
        ErrorKind::Failed,
        rejected.reason.code(),
        rejected.reason.to_string(),
    );
    (Arc::new(view(&rejected.certificate, "")), reason)
}

pub(crate) fn view(certificate: &waxseal_smime::Certificate, source: &str) -> CertificateView {
    CertificateView {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: certificate.serial().to_string(),
        fingerprint_sha256: certificate.fingerprint(),
        emails: certificate
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect(),
        not_before: certificate.not_before().unix(),
        not_after: certificate.not_after().unix(),
        key_algorithm: certificate.key_algorithm().to_string(),
        can_encrypt: certificate.can_encrypt(),
        can_sign: certificate.can_sign(),
        source: source.to_owned(),
        der: bytes::Bytes::copy_from_slice(certificate.to_der()),
    }
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Pinned => "pinned",
        Origin::Imported => "imported",
        Origin::Directory => "directory",
        Origin::Harvested => "harvested",
    }
}
