//! Private keys out of PKCS #8 (RFC 5958), and what they do.

use crate::digest::prehash;
use crate::public_key::{RSA_BITS, curve, rsa_bits};
use crate::{agreement, transport};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use getrandom::SysRng;
use pkcs1::{DecodeRsaPrivateKey, EncodeRsaPublicKey};
use pkcs8::{EncodePublicKey, PrivateKeyInfoRef};
use rsa::signature::{RandomizedSigner, Signer};
use sha2::{Sha256, Sha384, Sha512};
use waxseal_smime::DigestAlgorithm::{self, Sha256 as S256, Sha384 as S384, Sha512 as S512};
use waxseal_smime::{KeyAlgorithm, PrivateKey, ProviderError, SignatureScheme, TransportScheme};
use zeroize::Zeroizing;

/// A content key or shared secret.
type Secret = Result<Zeroizing<Vec<u8>>, ProviderError>;

/// A private key with the public half worked out once.
struct Loaded<K> {
    key: K,
    algorithm: KeyAlgorithm,
    public_key_info: Vec<u8>,
}

type P256 = p256::ecdsa::SigningKey;
type P384 = p384::ecdsa::SigningKey;
type P521 = p521::ecdsa::SigningKey;

pub(crate) fn load(pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(|_| malformed("PKCS #8"))?;
    match info.algorithm.oid {
        rfc5912::RSA_ENCRYPTION | rfc5912::ID_RSASSA_PSS => rsa(info.private_key.as_bytes()),
        rfc5912::ID_EC_PUBLIC_KEY => {
            let oid = info
                .algorithm
                .parameters_oid()
                .map_err(|_| malformed("EC"))?;
            ec(curve(oid), info)
        }
        rfc8410::ID_ED_25519 => ed25519(info),
        rfc8410::ID_X_25519 => x25519(info),
        other => Err(ProviderError::Unsupported(format!(
            "private keys of {other}"
        ))),
    }
}

fn malformed(kind: &str) -> ProviderError {
    ProviderError::MalformedKey(format!("{kind} private key"))
}

fn rsa(octets: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
    let key = rsa::PrivateKey::from_pkcs1_der(octets).map_err(|_| malformed("RSA"))?;
    let public_key = key.to_public_key();
    if !RSA_BITS.contains(&rsa_bits(&public_key)) {
        return Err(ProviderError::Unsupported("RSA key of this size".into()));
    }
    let bits = public_key.to_pkcs1_der().map_err(|_| malformed("RSA"))?;
    let public_key_info = info_of(
        rfc5912::RSA_ENCRYPTION,
        Some(der::AnyRef::NULL),
        bits.as_bytes(),
    )?;
    let algorithm = KeyAlgorithm::Rsa {
        bits: rsa_bits(&public_key),
    };
    Ok(Box::new(Loaded {
        key,
        algorithm,
        public_key_info,
    }))
}

/// SubjectPublicKeyInfo of an algorithm and its key octets.
fn info_of(
    oid: ObjectIdentifier,
    parameters: Option<der::AnyRef<'_>>,
    octets: &[u8],
) -> Result<Vec<u8>, ProviderError> {
    use der::Encode;
    let algorithm = spki::AlgorithmIdentifierRef { oid, parameters };
    let subject_public_key =
        der::asn1::BitStringRef::from_bytes(octets).map_err(|_| malformed("this"))?;
    let info = spki::SubjectPublicKeyInfoRef {
        algorithm,
        subject_public_key,
    };
    info.to_der().map_err(|_| malformed("this"))
}

fn ec(
    algorithm: KeyAlgorithm,
    info: PrivateKeyInfoRef<'_>,
) -> Result<Box<dyn PrivateKey>, ProviderError> {
    macro_rules! load_on {
        ($curve:ident, $key:ty) => {{
            let secret = $curve::SecretKey::try_from(info).map_err(|_| malformed("EC"))?;
            let public = secret
                .public_key()
                .to_public_key_der()
                .map_err(|_| malformed("EC"))?;
            let key = <$key>::from(&secret);
            Ok(Box::new(Loaded {
                key,
                algorithm,
                public_key_info: public.into_vec(),
            }))
        }};
    }
    match algorithm {
        KeyAlgorithm::EcP256 => load_on!(p256, P256),
        KeyAlgorithm::EcP384 => load_on!(p384, P384),
        KeyAlgorithm::EcP521 => load_on!(p521, P521),
        other => Err(ProviderError::Unsupported(format!(
            "private keys on curve {other}"
        ))),
    }
}

fn ed25519(info: PrivateKeyInfoRef<'_>) -> Result<Box<dyn PrivateKey>, ProviderError> {
    let key = ed25519_dalek::SigningKey::try_from(info).map_err(|_| malformed("Ed25519"))?;
    let public_key_info = info_of(rfc8410::ID_ED_25519, None, key.verifying_key().as_bytes())?;
    Ok(Box::new(Loaded {
        key,
        algorithm: KeyAlgorithm::Ed25519,
        public_key_info,
    }))
}

/// RFC 8410 §7: an OCTET STRING within the OCTET STRING.
fn x25519(info: PrivateKeyInfoRef<'_>) -> Result<Box<dyn PrivateKey>, ProviderError> {
    let octets = <&der::asn1::OctetStringRef>::from_der(info.private_key.as_bytes())
        .map_err(|_| malformed("X25519"))?;
    let octets: [u8; 32] = octets
        .as_bytes()
        .try_into()
        .map_err(|_| malformed("X25519"))?;
    let secret = x25519_dalek::StaticSecret::from(octets);
    let public = x25519_dalek::PublicKey::from(&secret);
    let public_key_info = info_of(rfc8410::ID_X_25519, None, public.as_bytes())?;
    Ok(Box::new(Loaded {
        key: secret,
        algorithm: KeyAlgorithm::X25519,
        public_key_info,
    }))
}

/// What each kind of key can do.
trait Operations {
    fn sign_with(&self, _: SignatureScheme, _: &[u8]) -> Result<Vec<u8>, ProviderError> {
        Err(wrong_scheme())
    }

    fn decrypt_with(&self, _: &TransportScheme, _: &[u8], _: usize) -> Secret {
        Err(ProviderError::Unsupported(
            "key transport with this key".into(),
        ))
    }

    fn agree_with(&self, _: &[u8]) -> Secret {
        Err(ProviderError::Unsupported(
            "key agreement with this key".into(),
        ))
    }
}

impl<K: Operations + Send + Sync> PrivateKey for Loaded<K> {
    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm.clone()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.key.sign_with(scheme, message)
    }

    fn decrypt_key(&self, scheme: &TransportScheme, encrypted: &[u8], size: usize) -> Secret {
        self.key.decrypt_with(scheme, encrypted, size)
    }

    fn agree(&self, public_key: &[u8]) -> Secret {
        self.key.agree_with(public_key)
    }
}

fn wrong_scheme() -> ProviderError {
    ProviderError::Unsupported("this signature scheme with this key".into())
}

impl Operations for rsa::PrivateKey {
    fn sign_with(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        match scheme {
            SignatureScheme::RsaPkcs1v15(S256) => self.pkcs1v15_sign::<Sha256>(message),
            SignatureScheme::RsaPkcs1v15(S384) => self.pkcs1v15_sign::<Sha384>(message),
            SignatureScheme::RsaPkcs1v15(S512) => self.pkcs1v15_sign::<Sha512>(message),
            SignatureScheme::RsaPss {
                digest,
                mask_digest,
                salt_size,
            } if mask_digest == digest => return pss(self, digest, salt_size, message),
            _ => return Err(wrong_scheme()),
        }
        .map_err(|_| ProviderError::Failed("RSA signature"))
    }

    fn decrypt_with(&self, scheme: &TransportScheme, encrypted: &[u8], size: usize) -> Secret {
        transport::decrypt(self, scheme, encrypted, size)
    }
}

fn pss(
    key: &rsa::PrivateKey,
    digest: DigestAlgorithm,
    salt_size: usize,
    message: &[u8],
) -> Result<Vec<u8>, ProviderError> {
    use rsa::pss::SigningKey;
    use rsa::signature::SignatureEncoding;
    let key = key.clone();
    let rng = &mut SysRng;
    match digest {
        S256 => {
            SigningKey::<Sha256>::new_with_salt_len(key, salt_size).try_sign_with_rng(rng, message)
        }
        S384 => {
            SigningKey::<Sha384>::new_with_salt_len(key, salt_size).try_sign_with_rng(rng, message)
        }
        S512 => {
            SigningKey::<Sha512>::new_with_salt_len(key, salt_size).try_sign_with_rng(rng, message)
        }
        // Rule 11: for reading only.
        old => return Err(ProviderError::Unsupported(format!("signing with {old}"))),
    }
    .map(|signature| signature.to_vec())
    .map_err(|_| ProviderError::Failed("RSA-PSS signature"))
}

macro_rules! elliptic {
    ($curve:ident, $key:ty, $size:literal, $agree:ident) => {
        impl Operations for $key {
            fn sign_with(
                &self,
                scheme: SignatureScheme,
                message: &[u8],
            ) -> Result<Vec<u8>, ProviderError> {
                use $curve::ecdsa::signature::hazmat::PrehashSigner;
                let SignatureScheme::Ecdsa(algorithm @ (S256 | S384 | S512)) = scheme else {
                    return Err(wrong_scheme());
                };
                let signature: $curve::ecdsa::Signature = self
                    .sign_prehash(&prehash(algorithm, message, $size))
                    .map_err(|_| ProviderError::Failed("ECDSA signature"))?;
                Ok(signature.to_der().as_bytes().to_vec())
            }

            fn agree_with(&self, public_key: &[u8]) -> Secret {
                agreement::$agree(self, public_key)
            }
        }
    };
}

elliptic!(p256, P256, 32, agree_with_p256);
elliptic!(p384, P384, 48, agree_with_p384);
elliptic!(p521, P521, 66, agree_with_p521);

impl Operations for ed25519_dalek::SigningKey {
    fn sign_with(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        match scheme {
            SignatureScheme::Ed25519 => Ok(self.sign(message).to_bytes().to_vec()),
            _ => Err(wrong_scheme()),
        }
    }
}

impl Operations for x25519_dalek::StaticSecret {
    fn agree_with(&self, public_key: &[u8]) -> Secret {
        agreement::agree_with_x25519(self, public_key)
    }
}
