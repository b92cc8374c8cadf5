//! One question to a [`TrustPolicy`](crate::TrustPolicy), from the search of a path to its
//! answer: everything that was brought for it, and what has been found and spent so far.

use crate::crl::Crl;
use crate::key::{Signed, Verifier};
use crate::limits;
use crate::ocsp::Response;
use crate::parsed::{Entry, Pool};
use crate::trust_policy::TrustPolicy;
use std::collections::HashSet;
use waxseal_smime::{Certificate, Time, TrustRequest};

/// The state of one question.
pub(crate) struct Judgement<'a> {
    pub(crate) policy: &'a TrustPolicy,
    pub(crate) at: Time,
    /// Certificates that came along or were fetched.
    pub(crate) brought: Pool,
    /// Lists that came along or were fetched.
    pub(crate) lists: Vec<Crl>,
    pub(crate) responses: Vec<Response>,
    pub(crate) verifier: Verifier<'a>,
    pub(crate) candidates: usize,
    pub(crate) paths: usize,
    pub(crate) fetches: usize,
    pub(crate) fetched: HashSet<String>,
    /// Why the last fetch failed.
    pub(crate) unreachable: Option<String>,
    /// Certificates whose status is being looked for, the outermost first.
    pub(crate) asked: Vec<[u8; 32]>,
    /// Certificates that are known not to be revoked, and the keys that say so.
    pub(crate) good: HashSet<([u8; 32], Vec<u8>)>,
    /// Signatures that were found right: fingerprints of certificate and issuer.
    pub(crate) verified: HashSet<([u8; 32], [u8; 32])>,
}

impl<'a> Judgement<'a> {
    pub(crate) fn new(policy: &'a TrustPolicy, request: &TrustRequest<'_>) -> Self {
        // What does not parse says nothing, for or against.
        let lists = request.crls.iter().take(limits::BROUGHT);
        let responses = request.ocsp_responses.iter().take(limits::BROUGHT);
        let certificates = request.certificates.get(..limits::BROUGHT);
        Self {
            policy,
            at: request.at,
            brought: Pool::new(certificates.unwrap_or(request.certificates)),
            lists: lists
                .filter_map(|octets| Crl::from_der(octets).ok())
                .collect(),
            responses: responses
                .filter_map(|octets| Response::from_der(octets).ok())
                .collect(),
            verifier: Verifier::new(&*policy.provider, policy.settings.allow_weak, &policy.right),
            candidates: 0,
            paths: 0,
            fetches: 0,
            fetched: HashSet::new(),
            unreachable: None,
            asked: Vec::new(),
            good: HashSet::new(),
            verified: HashSet::new(),
        }
    }

    /// Certificates that bear this name and are no anchors: those that came along, then those
    /// that the operator has.
    pub(crate) fn intermediates(&self, name: &crate::names::Name) -> Vec<Entry> {
        let brought = self.brought.named(name).iter();
        let known = self.policy.intermediates.named(name);
        let known = known.iter().filter(|entry| !self.brought.contains(entry));
        let all = brought
            .chain(known)
            .filter(|entry| !self.policy.anchors.contains(entry));
        all.cloned().collect()
    }

    /// One more fetch, unless the bound is reached or there is no fetcher. Failures are kept.
    pub(crate) fn fetch(&mut self, url: &str) -> Option<Vec<u8>> {
        let fetcher = self.policy.fetcher.as_ref()?;
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        if !is_web || self.fetches == limits::FETCHES || !self.fetched.insert(url.to_owned()) {
            return None;
        }
        self.fetches += 1;
        match fetcher.get(url) {
            Ok(octets) => Some(octets),
            Err(error) => {
                self.unreachable = Some(error.to_string());
                None
            }
        }
    }

    /// A time at or before now, give or take the skew of clocks.
    pub(crate) fn has_come(&self, time: Time) -> bool {
        time <= self.at.plus(self.policy.settings.clock_skew)
    }

    /// A time at or after now, give or take the skew of clocks.
    pub(crate) fn is_ahead(&self, time: Time) -> bool {
        time >= self.at.plus(-self.policy.settings.clock_skew)
    }
}

/// What an issuer signed of a certificate.
pub(crate) fn signed_by_issuer(certificate: &Certificate) -> Signed<'_> {
    Signed {
        whole: Some(certificate.fingerprint()),
        octets: certificate.tbs_der(),
        algorithm: certificate.signature_algorithm_der(),
        signature: certificate.signature(),
    }
}
