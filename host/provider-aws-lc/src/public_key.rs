//! Public keys out of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), as far as AWS-LC has a use for
//! them. It copies nothing: every verification parses its key.

use crate::curve::{Curve, is_point};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use pkcs1::RsaPublicKeyRef;
use spki::SubjectPublicKeyInfoRef;
use waxseal_smime::ProviderError;

pub(crate) enum PublicKey<'a> {
    Rsa(RsaPublicKey<'a>),
    /// A point on the curve, as far as its first octet tells.
    Elliptic(&'static Curve, &'a [u8]),
    X25519(&'a [u8]),
    /// One for another provider, which also says what is wrong with it.
    Other,
}

pub(crate) struct RsaPublicKey<'a> {
    numbers: RsaPublicKeyRef<'a>,
    /// DER of RSAPublicKey.
    pub(crate) octets: &'a [u8],
}

impl<'a> RsaPublicKey<'a> {
    pub(crate) fn components(&self) -> RsaPublicKeyComponents<&'a [u8]> {
        RsaPublicKeyComponents {
            n: self.numbers.modulus.as_bytes(),
            e: self.numbers.public_exponent.as_bytes(),
        }
    }

    /// Bits of the modulus.
    pub(crate) fn bits(&self) -> usize {
        bits(self.numbers.modulus.as_bytes())
    }
}

/// Bits of a number without leading octets of zero.
pub(crate) fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - unused as usize
}

pub(crate) fn parse(info: &[u8]) -> Result<PublicKey<'_>, ProviderError> {
    let malformed = || ProviderError::MalformedKey("public key".into());
    let info = SubjectPublicKeyInfoRef::from_der(info).map_err(|_| malformed())?;
    let octets = info.subject_public_key.as_bytes().ok_or_else(malformed)?;
    Ok(match info.algorithm.oid {
        rfc5912::RSA_ENCRYPTION | rfc5912::ID_RSASSA_PSS => {
            let numbers = RsaPublicKeyRef::from_der(octets)
                .map_err(|_| ProviderError::MalformedKey("RSA public key".into()))?;
            PublicKey::Rsa(RsaPublicKey { numbers, octets })
        }
        rfc5912::ID_EC_PUBLIC_KEY => {
            let oid = info.algorithm.parameters_oid().map_err(|_| malformed())?;
            Curve::with_oid(oid)
                .filter(|_| is_point(octets))
                .map_or(PublicKey::Other, |curve| PublicKey::Elliptic(curve, octets))
        }
        rfc8410::ID_X_25519 => PublicKey::X25519(octets),
        _ => PublicKey::Other,
    })
}
