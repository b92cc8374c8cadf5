//! Rule 7: a result that does not read back as what was meant never leaves. Providers and keys
//! that lie stand for defects of tokens, libraries and ourselves.

use super::common::{NOW, authority, limits, mail, person};
use crate::PROVIDER;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use waxseal_smime::{
    Agreement, ContentCipher, Context, DigestAlgorithm, EncryptOptions, Error, Hasher, Identity,
    KeyAlgorithm, KeyDerivation, KeyTransport, PrivateKey, Provider, ProviderError, SignOptions,
    SignatureFormat, SignatureScheme, encrypt, sign,
};
use zeroize::Zeroizing;

/// A token with the right public key, whose signatures are somebody else's.
struct LyingKey {
    shown: Arc<dyn PrivateKey>,
    used: Arc<dyn PrivateKey>,
}

impl PrivateKey for LyingKey {
    fn public_key_info(&self) -> &[u8] {
        self.shown.public_key_info()
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.shown.algorithm()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.used.sign(scheme, message)
    }
}

#[test]
fn rule_07_a_signature_by_another_key_never_leaves() {
    let honest = &person("ec-p256").identity;
    let key = Arc::new(LyingKey {
        shown: honest.key.clone(),
        used: authority().identity.key.clone(),
    });
    let liar = Identity {
        key,
        ..honest.clone()
    };
    for format in SignatureFormat::ALL.iter().copied() {
        let options = SignOptions {
            format,
            ..SignOptions::default()
        };
        let result = sign(&mail(), &liar, &options, &context(&PROVIDER));
        assert!(matches!(
            result.err(),
            Some(Error::ReadBack("the signature does not verify"))
        ));
    }
}

/// What a provider does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// Gives empty encrypted keys.
    LosesKeys,
    /// Forgets half of the content.
    LosesContent,
    /// Gives the digest of something else the first time.
    WrongDigest,
    /// The system has no randomness for it.
    NoRandomness,
}

/// A provider with a defect.
struct Lying {
    defect: Defect,
    digests: AtomicUsize,
}

impl Lying {
    fn with(defect: Defect) -> Self {
        Self {
            defect,
            digests: AtomicUsize::new(0),
        }
    }
}

fn context(provider: &dyn Provider) -> Context<'_> {
    Context {
        provider,
        now: NOW,
        limits: limits(),
    }
}

fn sealed_with(defect: Defect, key: &str) -> Result<(), Error> {
    let recipients = [person(key).certificate().clone()];
    encrypt(
        &mail(),
        &recipients,
        &EncryptOptions::default(),
        &context(&Lying::with(defect)),
    )
    .map(drop)
}

#[test]
fn rule_07_an_envelope_without_keys_never_leaves() {
    for key in ["rsa-2048", "ec-p384"] {
        let result = sealed_with(Defect::LosesKeys, key);
        assert_eq!(result.unwrap_err().code(), "host.read-back");
        assert!(sealed_with(Defect::None, key).is_ok());
    }
}

#[test]
fn rule_07_an_envelope_that_lost_content_never_leaves() {
    let result = sealed_with(Defect::LosesContent, "ec-p256");
    assert_eq!(result.unwrap_err().code(), "host.read-back");
}

#[test]
fn rule_07_a_digest_that_is_not_the_contents_never_leaves() {
    for format in [SignatureFormat::Detached, SignatureFormat::Opaque] {
        let provider = Lying::with(Defect::WrongDigest);
        let signer = &person("ec-p256").identity;
        let options = SignOptions {
            format,
            ..SignOptions::default()
        };
        let result = sign(&mail(), signer, &options, &context(&provider));
        assert_eq!(result.err().unwrap().code(), "host.read-back");
    }
}

#[test]
fn without_randomness_nothing_is_made_and_a_retry_may_help() {
    let error = sealed_with(Defect::NoRandomness, "rsa-2048").unwrap_err();
    assert_eq!(
        (error.code(), error.is_passing()),
        ("provider.unreachable", true)
    );
}

impl Provider for Lying {
    fn random(&self, out: &mut [u8]) -> Result<(), ProviderError> {
        if self.defect == Defect::NoRandomness {
            Err(ProviderError::NoRandomness)
        } else {
            PROVIDER.random(out)
        }
    }

    fn hasher(&self, algorithm: DigestAlgorithm) -> Box<dyn Hasher> {
        let mut hasher = PROVIDER.hasher(algorithm);
        let count = self.digests.fetch_add(1, Ordering::Relaxed);
        if self.defect == Defect::WrongDigest && count == 0 {
            hasher.update(b"something before");
        }
        hasher
    }

    fn verify(
        &self,
        public_key_info: &[u8],
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ProviderError> {
        PROVIDER.verify(public_key_info, scheme, message, signature)
    }

    fn encrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<Option<[u8; 16]>, ProviderError> {
        if self.defect == Defect::LosesContent {
            buffer.truncate(buffer.len() / 2);
        }
        PROVIDER.encrypt_content(cipher, key, nonce, associated, buffer)
    }

    fn transport_key(
        &self,
        public_key_info: &[u8],
        transport: KeyTransport,
        content_key: &[u8],
    ) -> Result<Vec<u8>, ProviderError> {
        let key = PROVIDER.transport_key(public_key_info, transport, content_key)?;
        Ok(if self.defect == Defect::LosesKeys {
            Vec::new()
        } else {
            key
        })
    }

    fn agree(&self, public_key_info: &[u8]) -> Result<Agreement, ProviderError> {
        PROVIDER.agree(public_key_info)
    }

    fn derive_key(
        &self,
        derivation: KeyDerivation<'_>,
        secret: &[u8],
        info: &[u8],
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        PROVIDER.derive_key(derivation, secret, info, size)
    }

    fn wrap_key(&self, wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let key = PROVIDER.wrap_key(wrapping_key, content_key)?;
        Ok(if self.defect == Defect::LosesKeys {
            Vec::new()
        } else {
            key
        })
    }

    fn decrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        tag: Option<&[u8]>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), ProviderError> {
        PROVIDER.decrypt_content(cipher, key, nonce, associated, tag, buffer)
    }

    fn unwrap_key(
        &self,
        wrap: &waxseal_smime::KeyWrap,
        wrapping_key: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        PROVIDER.unwrap_key(wrap, wrapping_key, wrapped)
    }

    fn load_key(&self, pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
        PROVIDER.load_key(pkcs8)
    }

    fn generate_key(&self, algorithm: &KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        PROVIDER.generate_key(algorithm)
    }
}
