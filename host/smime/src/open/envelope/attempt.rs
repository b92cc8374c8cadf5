//! One way to the content key: a key or secret of ours, and the RecipientInfo that it opens.

use crate::algorithm::{DigestAlgorithm, KeyWrap, TransportScheme};
use crate::provider::{KeyDerivation, PrivateKey, Provider, ProviderError};
use crate::recipient_info::{AgreementScheme, Derived, PasswordDerivation};
use std::borrow::Cow;
use std::rc::Rc;
use zeroize::Zeroizing;

/// A key or secret with what it opens.
pub(super) struct Attempt<'a> {
    /// Name of the identity; `password` or `key`.
    pub(super) opened_by: String,
    /// What rule 11 has for reading only, and only when that is allowed.
    pub(super) weak: Vec<String>,
    /// Old algorithms in a use that is read all the same.
    pub(super) reported: Vec<String>,
    pub(super) way: Way<'a>,
}

/// How the content key comes out.
pub(super) enum Way<'a> {
    /// RFC 5652 §6.2.1.
    Transport {
        key: &'a dyn PrivateKey,
        scheme: TransportScheme,
        encrypted: Cow<'a, [u8]>,
    },
    /// RFC 5652 §6.2.2.
    Agreement {
        key: &'a dyn PrivateKey,
        public_key: &'a [u8],
        scheme: Rc<AgreementScheme>,
        wrapped: Cow<'a, [u8]>,
    },
    /// RFC 5652 §6.2.3.
    Wrapped {
        key: &'a [u8],
        wrap: KeyWrap,
        wrapped: Cow<'a, [u8]>,
    },
    /// RFC 5652 §6.2.4.
    Password {
        password: &'a [u8],
        derivation: Rc<PasswordDerivation>,
        key_size: usize,
        wrap: KeyWrap,
        wrapped: Cow<'a, [u8]>,
    },
    /// EncryptedData: the secret is the content key.
    ContentKey(&'a [u8]),
}

impl Attempt<'_> {
    /// The content key. Whatever is wrong with the RecipientInfo is an error that nobody tells
    /// apart from a wrong key.
    pub(super) fn content_key(
        &self,
        size: usize,
        provider: &dyn Provider,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        match &self.way {
            Way::Transport {
                key,
                scheme,
                encrypted,
            } => key.decrypt_key(scheme, encrypted, size),
            Way::Agreement {
                key,
                public_key,
                scheme,
                wrapped,
            } => {
                let secret = key.agree(public_key)?;
                let key = agreed_key(scheme, &secret, provider)?;
                provider.unwrap_key(&scheme.wrap, &key, wrapped)
            }
            Way::Wrapped { key, wrap, wrapped } => provider.unwrap_key(wrap, key, wrapped),
            Way::Password {
                password,
                derivation,
                key_size,
                wrap,
                wrapped,
            } => {
                let key = password_key(derivation, password, *key_size, provider)?;
                provider.unwrap_key(wrap, &key, wrapped)
            }
            Way::ContentKey(key) => Ok(Zeroizing::new(key.to_vec())),
        }
    }
}

fn agreed_key(
    scheme: &AgreementScheme,
    secret: &[u8],
    provider: &dyn Provider,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let derivation = match scheme.derived {
        Derived::X963(digest) => KeyDerivation::X963(digest),
        Derived::Hkdf(digest) => KeyDerivation::Hkdf {
            digest,
            salt: &scheme.salt,
        },
    };
    provider.derive_key(derivation, secret, &scheme.shared_info, scheme.key_size)
}

fn password_key(
    derivation: &PasswordDerivation,
    password: &[u8],
    size: usize,
    provider: &dyn Provider,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let pbkdf2 = KeyDerivation::Pbkdf2 {
        digest: derivation.digest,
        iterations: derivation.iterations,
    };
    provider.derive_key(pbkdf2, password, &derivation.salt, size)
}

/// Names of digests that nothing new should use.
pub(super) fn old_digests(digests: &[DigestAlgorithm]) -> Vec<String> {
    let mut old: Vec<String> = digests
        .iter()
        .filter(|digest| digest.is_weak())
        .map(ToString::to_string)
        .collect();
    old.dedup();
    old
}
