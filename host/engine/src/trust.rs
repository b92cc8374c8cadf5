//! Is a certificate to be trusted, by the operator's trust policy?

use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_smime::{Certificate, Time, path};

use crate::generation::Generation;

/// Validity always; the path where the operator named anchors (RFC 5280 §6.1). Revocation is
/// not looked at: that comes with the inbound side.
pub(crate) fn validate(
    generation: &Generation,
    certificate: &Certificate,
    at: Time,
) -> Result<(), CallError> {
    let fail = |code, message: String| {
        Err(CallError::new(ErrorKind::Failed, code, message).about(certificate.subject()))
    };
    if at > certificate.not_after() {
        return fail(
            "certificate.expired",
            format!("expired on {}", certificate.not_after()),
        );
    }
    if at < certificate.not_before() {
        let begins = certificate.not_before();
        return fail(
            "certificate.not-yet-valid",
            format!("not valid before {begins}"),
        );
    }
    let Some(anchors) = &generation.anchors else {
        return Ok(());
    };
    let chains: Vec<_> = generation
        .identities
        .iter()
        .flat_map(|identity| identity.identity.chain.iter().cloned())
        .collect();
    match path::validate(certificate, &chains, anchors, at, &*generation.provider) {
        Ok(()) => Ok(()),
        Err(error) => fail("certificate.untrusted", error.to_string()),
    }
}
