//! Revocation by OCSP (RFC 6960): of responses that came along, or of a responder that is asked.
//!
//! An answer counts when the issuer signed it, or a certificate that the same issuer gave for
//! that (id-kp-OCSPSigning, §4.2.2.2). Such a responder's own status is looked up in the lists at
//! hand, unless the issuer waives that (id-pkix-ocsp-nocheck): revoked, it is not heard. Without
//! nextUpdate an answer is good for a day. A nonce that comes back must be ours; that none comes
//! back is common, and no fault.

use crate::crl::{Crl, Finding};
use crate::defect::Unknown;
use crate::extensions::key_usage;
use crate::judgement::{Judgement, signed_by_issuer};
use crate::key::{Key, Signed};
use crate::ocsp::{self, Answer, CertificateId, REQUEST_DIGEST, Response, Status};
use crate::parsed::{Entry, Parsed};
use crate::status::{Subject, Verdict};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_KP_OCSP_SIGNING;
use waxseal_smime::asn1::{Element, tag};
use waxseal_smime::{Certificate, DigestAlgorithm};

/// id-ad-ocsp (RFC 5280 §4.2.2.1).
const AD_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
/// How long an answer without nextUpdate is good for, in seconds.
const WITHOUT_NEXT_UPDATE: i64 = 86_400;
/// RFC 9654 §2.1.
const NONCE_SIZE: usize = 32;

impl Judgement<'_> {
    /// What the responses at hand say of a certificate.
    pub(crate) fn by_answers(&mut self, subject: &Subject<'_>) -> Result<Verdict, Unknown> {
        let responses = std::mem::take(&mut self.responses);
        let mut found = Err(Unknown::NoSource);
        for response in &responses {
            match self.hear_response(subject, response) {
                Ok(Verdict::Good) => found = Ok(Verdict::Good),
                Ok(revoked) => {
                    found = Ok(revoked);
                    break;
                }
                Err(unknown) => found = found.map_err(|why: Unknown| why.max(unknown)),
            }
        }
        self.responses = responses;
        found
    }

    /// Asks the responders that the certificate names (RFC 6960 §3.1).
    pub(crate) fn by_fetched_answer(&mut self, subject: &Subject<'_>) -> Result<Verdict, Unknown> {
        let access = &subject.certificate.extensions.access;
        let urls = access.iter().filter(|(method, _)| *method == AD_OCSP);
        let mut why = Unknown::NoSource;
        for (_, url) in urls.take(2) {
            match self.ask(subject, url) {
                Ok(verdict) => return Ok(verdict),
                Err(unknown) => why = why.max(unknown),
            }
        }
        Err(why)
    }

    fn ask(&mut self, subject: &Subject<'_>, url: &str) -> Result<Verdict, Unknown> {
        let mut nonce = [0; NONCE_SIZE];
        let random = self.policy.provider.random(&mut nonce);
        random.map_err(|error| Unknown::Unreachable(error.to_string()))?;
        let id = self.identifier(subject, REQUEST_DIGEST);
        let request = ocsp::request(&id, &nonce);
        let octets = self.fetch_ocsp(url, &request).ok_or(Unknown::NoSource)?;
        let response = Response::from_der(&octets).map_err(|_| Unknown::Answer)?;
        if response
            .nonce
            .as_ref()
            .is_some_and(|own| own.as_slice() != nonce)
        {
            return Err(Unknown::Stale);
        }
        self.hear_response(subject, &response)
    }

    fn hear_response(
        &mut self,
        subject: &Subject<'_>,
        response: &Response,
    ) -> Result<Verdict, Unknown> {
        let answer = response
            .answers
            .iter()
            .find(|answer| self.is_about(subject, answer));
        let answer = answer.ok_or(Unknown::NoSource)?;
        if response.not_understood {
            return Err(Unknown::CriticalExtension);
        }
        self.check_fresh(answer)?;
        self.check_signer(subject, response)?;
        match answer.status {
            Status::Good => Ok(Verdict::Good),
            Status::Revoked(at, reason) => Ok(Verdict::Revoked(Finding { at, reason })),
            Status::Unknown => Err(Unknown::Answer),
        }
    }

    fn is_about(&self, subject: &Subject<'_>, answer: &Answer) -> bool {
        let digest = DigestAlgorithm::readable(answer.id.digest);
        digest.is_some_and(|digest| self.identifier(subject, digest) == answer.id)
    }

    /// RFC 6960 §4.1.1.
    fn identifier(&self, subject: &Subject<'_>, digest: DigestAlgorithm) -> CertificateId {
        let hash = |octets: &[u8]| self.policy.provider.digest(digest, octets);
        let serial = Element::only(subject.certificate.certificate.serial_der());
        CertificateId {
            digest: digest.oid(),
            issuer_name: hash(subject.certificate.certificate.issuer_der()),
            issuer_key: hash(key_octets(&subject.issuer.certificate)),
            serial: serial
                .map(|serial| serial.value.to_vec())
                .unwrap_or_default(),
        }
    }

    /// RFC 6960 §4.2.2.1.
    fn check_fresh(&self, answer: &Answer) -> Result<(), Unknown> {
        let assumed = answer.this_update.plus(WITHOUT_NEXT_UPDATE);
        let ends = answer.next_update.unwrap_or(assumed);
        match self.has_come(answer.this_update) && self.is_ahead(ends) {
            true => Ok(()),
            false => Err(Unknown::Stale),
        }
    }

    /// RFC 6960 §4.2.2.2.
    fn check_signer(&mut self, subject: &Subject<'_>, response: &Response) -> Result<(), Unknown> {
        if self.is_response_signed(response, subject.issuer_key) {
            return Ok(());
        }
        let mut why = Unknown::Signature;
        for certificate in &response.certificates {
            let Ok(responder) = Parsed::of(certificate) else {
                continue;
            };
            let Some(key) = Key::of(&responder, None) else {
                continue;
            };
            if self.is_response_signed(response, &key) {
                match self.is_authorised(subject, &responder) {
                    true => return Ok(()),
                    false => why = Unknown::Issuer,
                }
            }
        }
        Err(why)
    }

    fn is_response_signed(&mut self, response: &Response, key: &Key) -> bool {
        let signed = Signed {
            whole: None,
            octets: &response.signed,
            algorithm: &response.algorithm,
            signature: &response.signature,
        };
        self.verifier.verify(&signed, key).is_ok()
    }

    /// Issued by the same key for this purpose, of this time, and not revoked.
    fn is_authorised(&mut self, subject: &Subject<'_>, responder: &Entry) -> bool {
        let extensions = &responder.extensions;
        let purposes = extensions.extended_key_usage.as_deref().unwrap_or_default();
        let is_meant = purposes.contains(&ID_KP_OCSP_SIGNING)
            && extensions.allows(key_usage::DIGITAL_SIGNATURE)
            && extensions.not_understood.is_none()
            && responder.issuer == subject.issuer.subject
            && self.check_time(responder).is_ok();
        if !is_meant {
            return false;
        }
        let signed = signed_by_issuer(&responder.certificate);
        self.verifier.verify(&signed, subject.issuer_key).is_ok()
            && (extensions.no_check || !self.is_listed(subject, responder))
    }

    /// The lists at hand have the responder as revoked.
    fn is_listed(&mut self, subject: &Subject<'_>, responder: &Entry) -> bool {
        let known: Vec<Crl> = self
            .policy
            .crls
            .iter()
            .chain(&self.lists)
            .cloned()
            .collect();
        let responder = Subject {
            certificate: responder,
            ..*subject
        };
        matches!(self.by_lists(&responder, &known), Ok(Verdict::Revoked(_)))
    }
}

/// The octets of the subjectPublicKey, without the count of unused bits.
fn key_octets(certificate: &Certificate) -> &[u8] {
    let read = || {
        let mut fields = Element::only(certificate.public_key_info())
            .ok()?
            .children();
        fields.sequence().ok()?;
        fields.expect(tag::BIT_STRING).ok()?.value.get(1..)
    };
    read().unwrap_or_default()
}
