//! The cryptography that this crate asks for. `waxseal-smime` owns the traits and knows no
//! algorithm; a `waxseal-provider-*` crate implements them.
//!
//! Keys, key-encryption keys and shared secrets travel in [`Zeroizing`] buffers or stay behind
//! [`PrivateKey`], and never appear in an error.

use crate::algorithm::{
    ContentCipher, DigestAlgorithm, KeyAlgorithm, KeyTransport, KeyWrap, SignatureScheme,
    TransportScheme,
};
use zeroize::Zeroizing;

/// What cryptography could not do. Says which algorithm or key kind, never key material.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// This provider lacks the algorithm, curve or key size.
    #[error("not supported by this provider: {0}")]
    Unsupported(String),
    /// A public or private key does not parse, or is not the kind that was asked for.
    #[error("malformed key: {0}")]
    MalformedKey(String),
    /// The signature is wrong. No further detail exists.
    #[error("signature does not verify")]
    BadSignature,
    /// The system gave no randomness; a retry may help.
    #[error("no randomness from the system")]
    NoRandomness,
    /// A token or another process failed; a retry may help.
    #[error("key not reachable: {0}")]
    Unreachable(String),
    /// A ciphertext, a wrapped key or a tag is wrong. No further detail exists (rule 8).
    #[error("decryption failed")]
    BadCiphertext,
    /// The algorithm refused its input.
    #[error("cryptographic operation failed: {0}")]
    Failed(&'static str),
}

impl ProviderError {
    /// True when the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NoRandomness | Self::Unreachable(_))
    }
}

/// A digest under way.
pub trait Hasher {
    /// Takes the next octets.
    fn update(&mut self, octets: &[u8]);
    /// Ends the digest and gives its value.
    fn finish(self: Box<Self>) -> Vec<u8>;
}

/// How two parties derive a key-encryption key from an ECDH secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDerivation<'a> {
    /// The KDF of ANSI X9.63 (SEC 1 §3.6.1), used by RFC 5753.
    X963(DigestAlgorithm),
    /// HKDF (RFC 5869), used by RFC 8418 §2.2.
    Hkdf {
        /// The digest of HMAC.
        digest: DigestAlgorithm,
        /// User keying material; empty is the same as none.
        salt: &'a [u8],
    },
    /// PBKDF2 with HMAC (RFC 8018 §5.2), for password recipients (RFC 5652 §6.2.4). The secret
    /// is the password, `info` is the salt.
    Pbkdf2 {
        /// The digest of HMAC.
        digest: DigestAlgorithm,
        /// Rounds; bounded by the caller.
        iterations: u32,
    },
}

/// The public half of an ephemeral key, and what it shares with the recipient.
pub struct Agreement {
    /// The ephemeral public key as a SubjectPublicKeyInfo carries it: an uncompressed point, or
    /// the 32 octets of X25519.
    pub ephemeral_public_key: Vec<u8>,
    /// The shared secret: the x coordinate, or the 32 octets of X25519.
    pub shared_secret: Zeroizing<Vec<u8>>,
}

/// Algorithms. An implementer must draw every random octet from a cryptographically secure
/// source, and must check that public keys are valid before it uses them.
pub trait Provider: Send + Sync {
    /// Fills the buffer with random octets.
    fn random(&self, out: &mut [u8]) -> Result<(), ProviderError>;

    /// Begins a digest.
    fn hasher(&self, algorithm: DigestAlgorithm) -> Box<dyn Hasher>;

    /// Checks a signature over the message with a public key (DER of SubjectPublicKeyInfo).
    fn verify(
        &self,
        public_key_info: &[u8],
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ProviderError>;

    /// Encrypts the buffer in place. CBC appends PKCS #7 padding (RFC 5652 §6.3) and gives no
    /// tag; GCM gives its 16-octet tag, and authenticates `associated`.
    fn encrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<Option<[u8; 16]>, ProviderError>;

    /// Encrypts a content key to an RSA public key. OAEP is with SHA-256, MGF1 with SHA-256 and
    /// an empty label.
    fn transport_key(
        &self,
        public_key_info: &[u8],
        transport: KeyTransport,
        content_key: &[u8],
    ) -> Result<Vec<u8>, ProviderError>;

    /// Makes a fresh ephemeral key on the recipient's curve and agrees with the recipient's
    /// key. A shared secret of all zeros is an error (RFC 8418 §2).
    fn agree(&self, public_key_info: &[u8]) -> Result<Agreement, ProviderError>;

    /// Derives `size` octets.
    fn derive_key(
        &self,
        derivation: KeyDerivation<'_>,
        secret: &[u8],
        info: &[u8],
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError>;

    /// AES key wrap (RFC 3394); the size of the wrapping key chooses the AES.
    fn wrap_key(&self, wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError>;

    /// Decrypts the buffer in place, and cuts the padding off. Associated octets and a tag are
    /// for GCM, whose tag may be 12 to 16 octets long. Whatever is wrong with ciphertext, tag or
    /// padding is [`ProviderError::BadCiphertext`], and then the buffer holds nothing of the
    /// plain text.
    fn decrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        tag: Option<&[u8]>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), ProviderError>;

    /// Undoes a key wrap.
    fn unwrap_key(
        &self,
        wrap: &KeyWrap,
        wrapping_key: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError>;

    /// Takes a private key (DER of PKCS #8 PrivateKeyInfo) into use.
    fn load_key(&self, pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError>;

    /// Makes a new private key, as the DER of PKCS #8 PrivateKeyInfo.
    fn generate_key(&self, algorithm: &KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ProviderError>;

    /// The digest of one piece of octets.
    fn digest(&self, algorithm: DigestAlgorithm, octets: &[u8]) -> Vec<u8> {
        let mut hasher = self.hasher(algorithm);
        hasher.update(octets);
        hasher.finish()
    }
}

/// A private key in memory or on a token. An implementer never prints it, not in `Debug`, and
/// wipes it when dropped.
pub trait PrivateKey: Send + Sync {
    /// DER of the SubjectPublicKeyInfo that belongs to it.
    fn public_key_info(&self) -> &[u8];
    /// Kind and size.
    fn algorithm(&self) -> KeyAlgorithm;
    /// Signs the message; ECDSA as DER.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError>;

    /// Gives the content key of `size` octets out of an RSA ciphertext. What is no encryption of
    /// a key of that size gives octets that look like one and depend on key and ciphertext only
    /// (implicit rejection, RFC 3218 §2.3.2), in the same time: an error says that this key or
    /// provider cannot do it at all, never that the ciphertext is bad.
    fn decrypt_key(
        &self,
        scheme: &TransportScheme,
        encrypted: &[u8],
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let _ = (scheme, encrypted, size);
        Err(ProviderError::Unsupported("a key that only signs".into()))
    }

    /// Agrees with the ephemeral key of a sender, an uncompressed (or compressed) point on this
    /// key's curve or the 32 octets of X25519, and gives the shared secret. A point that is not
    /// on the curve and a shared secret of all zeros are [`ProviderError::BadCiphertext`].
    fn agree(&self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let _ = public_key;
        Err(ProviderError::Unsupported("a key that only signs".into()))
    }
}
