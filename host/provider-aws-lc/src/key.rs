//! Private keys out of PKCS #8 (RFC 5958).

use crate::curve::Curve;
use crate::elliptic::{Ed25519, Elliptic, X25519};
use crate::rsa::Rsa;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use pkcs8::PrivateKeyInfoRef;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{PrivateKey, Provider, ProviderError};

pub(crate) fn load(pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(|_| malformed("PKCS #8"))?;
    let private_key = info.private_key.as_bytes();
    match info.algorithm.oid {
        rfc5912::RSA_ENCRYPTION | rfc5912::ID_RSASSA_PSS if Rsa::fits(private_key)? => {
            Ok(Box::new(Rsa::load(private_key)?))
        }
        rfc5912::ID_EC_PUBLIC_KEY => {
            let oid = info.algorithm.parameters_oid();
            match Curve::with_oid(oid.map_err(|_| malformed("EC"))?) {
                Some(curve) => Ok(Box::new(Elliptic::load(curve, pkcs8)?)),
                None => RustCrypto.load_key(pkcs8),
            }
        }
        rfc8410::ID_ED_25519 => Ok(Box::new(Ed25519::load(pkcs8)?)),
        rfc8410::ID_X_25519 => Ok(Box::new(X25519::load(private_key)?)),
        // RSA keys too small or too large for AWS-LC, and an error for what nobody knows.
        _ => RustCrypto.load_key(pkcs8),
    }
}

pub(crate) fn malformed(kind: &str) -> ProviderError {
    ProviderError::MalformedKey(format!("{kind} private key"))
}

pub(crate) fn wrong_scheme() -> ProviderError {
    ProviderError::Unsupported("this signature scheme with this key".into())
}
