//! RSA: signing, and key transport both ways.
//!
//! Decryption never says that a ciphertext is bad (implicit rejection, RFC 3218 §2.3.2, RFC 8017
//! §7.2.2 note). What comes out of AWS-LC is a message or an error; both go the same way from
//! there. A key derived from private key and ciphertext is made first, whatever comes, and gives
//! way to the message where that has the size of a content key, octet by octet without a branch.
//!
//! What remains is inside AWS-LC: it computes and unpads in constant time, blinded, but its last
//! step returns either a message or an error, and the error takes some tens of nanoseconds more
//! or less. SECURITY.md says what that means, and `tests/benches` measures it.

use crate::Secret;
use crate::elliptic::info_of;
use crate::key::{malformed, wrong_scheme};
use crate::public_key::{PublicKey, bits, parse};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey,
    Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use der::Decode;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use waxseal_provider_rustcrypto::{RustCrypto, rejection};
use waxseal_smime::DigestAlgorithm::{self, Sha1, Sha224, Sha256, Sha384, Sha512};
use waxseal_smime::{
    KeyAlgorithm, KeyTransport, PrivateKey, Provider, ProviderError, SignatureScheme,
    TransportScheme,
};
use zeroize::Zeroizing;

/// Octets of the longest modulus, of 8192 bits.
const LONGEST: usize = 1024;

pub(crate) fn encrypt(
    info: &[u8],
    transport: KeyTransport,
    content_key: &[u8],
) -> Result<Vec<u8>, ProviderError> {
    let PublicKey::Rsa(key) = parse(info)? else {
        return RustCrypto.transport_key(info, transport, content_key);
    };
    let Ok(key) = key.components().try_into() else {
        return RustCrypto.transport_key(info, transport, content_key);
    };
    encrypt_with(key, transport, content_key).map_err(|_| ProviderError::Failed("RSA encryption"))
}

fn encrypt_with(
    key: PublicEncryptingKey,
    transport: KeyTransport,
    content_key: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let mut out = vec![0; key.key_size_bytes()];
    match transport {
        KeyTransport::Pkcs1v15 => {
            Pkcs1PublicEncryptingKey::new(key)?.encrypt(content_key, &mut out)?;
        }
        KeyTransport::Oaep => {
            let algorithm = &OAEP_SHA256_MGF1SHA256;
            OaepPublicEncryptingKey::new(key)?.encrypt(algorithm, content_key, &mut out, None)?;
        }
    }
    Ok(out)
}

/// A private key of 2048 to 8192 bits.
pub(crate) struct Rsa {
    signing: RsaKeyPair,
    pkcs1: Pkcs1PrivateDecryptingKey,
    oaep: OaepPrivateDecryptingKey,
    /// What stands in for the keys of bad ciphertexts is derived from it.
    rejection: rejection::Secret,
    algorithm: KeyAlgorithm,
    public_key_info: Vec<u8>,
}

impl Rsa {
    /// Whether AWS-LC takes keys of this size. `private_key` is the DER of RSAPrivateKey.
    pub(crate) fn fits(private_key: &[u8]) -> Result<bool, ProviderError> {
        Ok((2048..=8192).contains(&bits(numbers(private_key)?.modulus.as_bytes())))
    }

    pub(crate) fn load(private_key: &[u8]) -> Result<Self, ProviderError> {
        let numbers = numbers(private_key)?;
        let signing = RsaKeyPair::from_der(private_key).map_err(|_| malformed("RSA"))?;
        // A key for PSS alone has an identifier that keys for decryption have not.
        let pkcs8 = pkcs8(&signing)?;
        let decrypting =
            PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).map_err(|_| malformed("RSA"))?;
        Ok(Self {
            pkcs1: Pkcs1PrivateDecryptingKey::new(decrypting.clone())
                .map_err(|_| malformed("RSA"))?,
            oaep: OaepPrivateDecryptingKey::new(decrypting).map_err(|_| malformed("RSA"))?,
            rejection: rejection::Secret::new(
                numbers.private_exponent.as_bytes(),
                signing.public_modulus_len(),
            ),
            algorithm: KeyAlgorithm::Rsa {
                bits: bits(numbers.modulus.as_bytes()),
            },
            public_key_info: info_of(signing.public_key())?,
            signing,
        })
    }

    /// The one public fact about a ciphertext: whether the modulus has room for such a key.
    fn check_room(&self, scheme: &TransportScheme, size: usize) -> Result<(), ProviderError> {
        let overhead = match scheme {
            TransportScheme::Pkcs1v15 => 11,
            TransportScheme::Oaep { digest, .. } => 2 * digest.output_size() + 2,
        };
        match self.signing.public_modulus_len().checked_sub(overhead) {
            Some(room) if size <= room => Ok(()),
            _ => Err(ProviderError::Failed("RSA key too small")),
        }
    }

    /// Puts the message at the beginning of `plain`, and gives its size. `None` when AWS-LC
    /// lacks the scheme.
    fn decrypt(
        &self,
        scheme: &TransportScheme,
        encrypted: &[u8],
        plain: &mut [u8],
    ) -> Option<Result<usize, Unspecified>> {
        let message = match scheme {
            TransportScheme::Pkcs1v15 => self.pkcs1.decrypt(encrypted, plain),
            TransportScheme::Oaep {
                digest,
                mask_digest,
                label,
            } => {
                let algorithm = oaep(*digest, *mask_digest)?;
                self.oaep.decrypt(algorithm, encrypted, plain, Some(label))
            }
        };
        Some(message.map(|message| message.len()))
    }

    /// Signs with what AWS-LC calls the scheme.
    fn sign_as(
        &self,
        encoding: &'static dyn RsaEncoding,
        message: &[u8],
    ) -> Result<Vec<u8>, ProviderError> {
        let mut out = vec![0; self.signing.public_modulus_len()];
        let done = self
            .signing
            .sign(encoding, &SystemRandom::new(), message, &mut out);
        done.map_err(|_| ProviderError::Failed("RSA signature"))?;
        Ok(out)
    }
}

fn numbers(private_key: &[u8]) -> Result<pkcs1::RsaPrivateKeyRef<'_>, ProviderError> {
    pkcs1::RsaPrivateKeyRef::from_der(private_key).map_err(|_| malformed("RSA"))
}

/// The key as PKCS #8, wiped when dropped.
fn pkcs8(key: &RsaKeyPair) -> Result<Pkcs8V1Der<'static>, ProviderError> {
    key.as_der().map_err(|_| malformed("RSA"))
}

impl PrivateKey for Rsa {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm.clone()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        match scheme {
            SignatureScheme::RsaPkcs1v15(Sha256) => self.sign_as(&RSA_PKCS1_SHA256, message),
            SignatureScheme::RsaPkcs1v15(Sha384) => self.sign_as(&RSA_PKCS1_SHA384, message),
            SignatureScheme::RsaPkcs1v15(Sha512) => self.sign_as(&RSA_PKCS1_SHA512, message),
            SignatureScheme::RsaPss {
                digest,
                mask_digest,
                salt_size,
            } if mask_digest == digest && salt_size == digest.output_size() => match digest {
                Sha256 => self.sign_as(&RSA_PSS_SHA256, message),
                Sha384 => self.sign_as(&RSA_PSS_SHA384, message),
                Sha512 => self.sign_as(&RSA_PSS_SHA512, message),
                Sha1 | Sha224 => Err(wrong_scheme()),
            },
            _ => Err(wrong_scheme()),
        }
    }

    fn decrypt_key(&self, scheme: &TransportScheme, encrypted: &[u8], size: usize) -> Secret {
        self.check_room(scheme, size)?;
        let mut out = self.rejection.instead(encrypted, size)?;
        let mut plain = Zeroizing::new([0; LONGEST]);
        let Some(found) = self.decrypt(scheme, encrypted, &mut *plain) else {
            let key = RustCrypto.load_key(pkcs8(&self.signing)?.as_ref())?;
            return key.decrypt_key(scheme, encrypted, size);
        };
        let is_key = found.unwrap_or(usize::MAX).ct_eq(&size);
        for (octet, real) in out.iter_mut().zip(plain.iter()) {
            octet.conditional_assign(real, is_key);
        }
        Ok(out)
    }
}

fn oaep(digest: DigestAlgorithm, mask_digest: DigestAlgorithm) -> Option<&'static OaepAlgorithm> {
    match digest {
        _ if digest != mask_digest => None,
        Sha1 => Some(&OAEP_SHA1_MGF1SHA1),
        Sha256 => Some(&OAEP_SHA256_MGF1SHA256),
        Sha384 => Some(&OAEP_SHA384_MGF1SHA384),
        Sha512 => Some(&OAEP_SHA512_MGF1SHA512),
        Sha224 => None,
    }
}
