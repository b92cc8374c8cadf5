//! Is a certificate to be trusted, by the operator's trust policy?

use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_smime::{Certificate, Purpose, Time, TrustRequest};

use crate::generation::Generation;

/// Who brought a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brought {
    /// The operator put it into a store.
    ByOperator,
    /// It came with a message, or a directory answered with it.
    ByStranger,
}

/// Validity always. The path, its policies and revocation (RFC 5280 §6) where the operator
/// requires a path, and for whatever the operator did not bring.
pub(crate) fn validate(
    generation: &Generation,
    certificate: &Certificate,
    brought: Brought,
    at: Time,
) -> Result<(), CallError> {
    let fail = |kind, code, message: String| {
        Err(CallError::new(kind, code, message).about(certificate.subject()))
    };
    if at > certificate.not_after() {
        let message = format!("expired on {}", certificate.not_after());
        return fail(ErrorKind::Failed, "certificate.expired", message);
    }
    if at < certificate.not_before() {
        let message = format!("not valid before {}", certificate.not_before());
        return fail(ErrorKind::Failed, "certificate.not-yet-valid", message);
    }
    let trust = match (&generation.trust, brought) {
        (Some(trust), _) => &**trust,
        (None, Brought::ByOperator) => return Ok(()),
        (None, Brought::ByStranger) => generation.inbound.trust(),
    };
    let chains = generation.identities.iter();
    let chains = chains.flat_map(|identity| identity.identity.chain.iter().cloned());
    let request = TrustRequest {
        at,
        purpose: purpose_of(certificate),
        certificates: &chains.collect::<Vec<_>>(),
        crls: &[],
        ocsp_responses: &[],
    };
    match trust.judge(certificate, &request) {
        Ok(_) => Ok(()),
        Err(distrust) => {
            let kind = match distrust.is_passing() {
                true => ErrorKind::Unavailable,
                false => ErrorKind::Failed,
            };
            fail(kind, distrust.code, distrust.message)
        }
    }
}

/// What the certificate allows: signing before encrypting.
fn purpose_of(certificate: &Certificate) -> Purpose {
    match certificate.can_sign() {
        true => Purpose::Sign,
        false => Purpose::Encrypt,
    }
}
