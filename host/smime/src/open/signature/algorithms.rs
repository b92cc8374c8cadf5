//! The algorithms of a SignerInfo, held against rule 11 and the signer's key.

use super::{Flaw, note};
use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, SignatureScheme};
use crate::certificate::Certificate;
use crate::open::State;
use crate::scheme::{digest_of, is_within_restriction, name_of, signature_scheme};
use crate::signed_data::SignerInfo;

fn scheme_with(info: &SignerInfo<'_>, certificate: &Certificate) -> Option<SignatureScheme> {
    let digest = DigestAlgorithm::readable(info.digest);
    signature_scheme(info.algorithm, &certificate.key_algorithm(), digest)
}

/// The scheme of the signature, if this key may be used with it.
pub(super) fn supported(
    info: &SignerInfo<'_>,
    certificate: &Certificate,
) -> Result<SignatureScheme, Flaw> {
    let unsupported =
        |message: String| Flaw::new(State::Unsupported, "signature.algorithm", message);
    let key = certificate.key_algorithm();
    if let KeyAlgorithm::Rsa { bits } = key
        && !(1024..=8192).contains(&bits)
    {
        return Err(unsupported(format!("key size not supported: {key}")));
    }
    let scheme = scheme_with(info, certificate).ok_or_else(|| {
        let name = name_of(info.algorithm);
        unsupported(format!(
            "signature algorithm not supported with {key}: {name}"
        ))
    })?;
    // RFC 8419 §3.1.
    if scheme == SignatureScheme::Ed25519 && info.digest != DigestAlgorithm::Sha512.oid() {
        let digest = digest_name(info);
        return Err(unsupported(format!(
            "Ed25519 goes with sha-512, not with: {digest}"
        )));
    }
    // RFC 4055 §1.2.
    let info_of_key = certificate.public_key_info();
    if certificate.is_pss_only() && !is_within_restriction(scheme, info_of_key) {
        let message = "the key is for RSASSA-PSS with other parameters";
        return Err(Flaw::new(State::Invalid, "signature.algorithm", message));
    }
    Ok(scheme)
}

/// What rule 11 has for reading only.
pub(super) fn weak(info: &SignerInfo<'_>, signer: Option<&Certificate>) -> Vec<String> {
    let mut weak = Vec::new();
    let digest = DigestAlgorithm::readable(info.digest);
    let scheme = signer.and_then(|signer| scheme_with(info, signer));
    for digest in digest.into_iter().chain(scheme.map(digest_of)) {
        if digest.is_weak() {
            note(&mut weak, &digest.to_string());
        }
    }
    let key = signer.map(Certificate::key_algorithm);
    let is_old = matches!(
        key,
        Some(KeyAlgorithm::Dsa | KeyAlgorithm::Rsa { bits: ..2048 })
    );
    if let Some(key) = key.filter(|_| is_old) {
        note(&mut weak, &key.to_string());
    }
    weak
}

/// The digest algorithm's name, or its object identifier.
pub(super) fn digest_name(info: &SignerInfo<'_>) -> String {
    let known = DigestAlgorithm::readable(info.digest);
    known.map_or_else(|| info.digest.to_string(), |digest| digest.to_string())
}
