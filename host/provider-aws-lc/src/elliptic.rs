//! Private keys on the curves of the NIST, Ed25519 and X25519.

use crate::Secret;
use crate::agreement::{X25519_SIZE, shared};
use crate::curve::{Curve, is_point};
use crate::key::{malformed, wrong_scheme};
use aws_lc_rs::agreement::{self, X25519 as X25519_ALGORITHM};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use der::Decode;
use waxseal_smime::DigestAlgorithm::{Sha256, Sha384, Sha512};
use waxseal_smime::{KeyAlgorithm, PrivateKey, ProviderError, SignatureScheme};

/// DER of SubjectPublicKeyInfo.
pub(crate) fn info_of<'a>(
    key: &impl AsDer<PublicKeyX509Der<'a>>,
) -> Result<Vec<u8>, ProviderError> {
    let info = key.as_der().map_err(|_| malformed("this"))?;
    Ok(info.as_ref().to_vec())
}

/// A key on one of the curves, which signs and agrees.
pub(crate) struct Elliptic {
    curve: &'static Curve,
    signing: EcdsaKeyPair,
    agreeing: agreement::PrivateKey,
    public_key_info: Vec<u8>,
}

impl Elliptic {
    pub(crate) fn load(curve: &'static Curve, pkcs8: &[u8]) -> Result<Self, ProviderError> {
        let signing =
            EcdsaKeyPair::from_pkcs8(curve.signing, pkcs8).map_err(|_| malformed("EC"))?;
        let agreeing = agreement::PrivateKey::from_private_key_der(curve.agreement, pkcs8)
            .map_err(|_| malformed("EC"))?;
        Ok(Self {
            curve,
            public_key_info: info_of(signing.public_key())?,
            signing,
            agreeing,
        })
    }
}

impl PrivateKey for Elliptic {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.curve.key_algorithm.clone()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let SignatureScheme::Ecdsa(digest @ (Sha256 | Sha384 | Sha512)) = scheme else {
            return Err(wrong_scheme());
        };
        let hash = self.curve.prehash(digest, message)?;
        let signature = self.signing.sign_digest(&hash);
        let signature = signature.map_err(|_| ProviderError::Failed("ECDSA signature"))?;
        Ok(signature.as_ref().to_vec())
    }

    fn agree(&self, public_key: &[u8]) -> Secret {
        if !is_point(public_key) {
            return Err(ProviderError::BadCiphertext);
        }
        shared(&self.agreeing, public_key, ProviderError::BadCiphertext)
    }
}

/// A key of RFC 8410 that signs.
pub(crate) struct Ed25519 {
    key: Ed25519KeyPair,
    public_key_info: Vec<u8>,
}

impl Ed25519 {
    pub(crate) fn load(pkcs8: &[u8]) -> Result<Self, ProviderError> {
        let key = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| malformed("Ed25519"))?;
        let public_key_info = info_of(key.public_key())?;
        Ok(Self {
            key,
            public_key_info,
        })
    }
}

impl PrivateKey for Ed25519 {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::Ed25519
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        if scheme != SignatureScheme::Ed25519 {
            return Err(wrong_scheme());
        }
        let signature = self.key.try_sign(message);
        let signature = signature.map_err(|_| ProviderError::Failed("Ed25519 signature"))?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A key of RFC 8410 that agrees.
pub(crate) struct X25519 {
    key: agreement::PrivateKey,
    public_key_info: Vec<u8>,
}

impl X25519 {
    /// RFC 8410 §7: an OCTET STRING within the OCTET STRING of PKCS #8, which is given here.
    pub(crate) fn load(private_key: &[u8]) -> Result<Self, ProviderError> {
        let octets =
            <&der::asn1::OctetStringRef>::from_der(private_key).map_err(|_| malformed("X25519"))?;
        let key = agreement::PrivateKey::from_private_key(&X25519_ALGORITHM, octets.as_bytes())
            .map_err(|_| malformed("X25519"))?;
        let public = key.compute_public_key().map_err(|_| malformed("X25519"))?;
        Ok(Self {
            key,
            public_key_info: info_of(&public)?,
        })
    }
}

impl PrivateKey for X25519 {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::X25519
    }

    fn sign(&self, _: SignatureScheme, _: &[u8]) -> Result<Vec<u8>, ProviderError> {
        Err(wrong_scheme())
    }

    fn agree(&self, public_key: &[u8]) -> Secret {
        if public_key.len() != X25519_SIZE {
            return Err(ProviderError::BadCiphertext);
        }
        shared(&self.key, public_key, ProviderError::BadCiphertext)
    }
}
