//! The algorithms and parameters that a profile names, with their names in configuration and
//! their identifiers on the wire. It computes nothing: that is the provider's.
//!
//! Every name parses back to what printed it. An unknown name is an [`UnknownName`] that lists
//! what would have been understood.

use const_oid::ObjectIdentifier;
use std::fmt;
use std::str::FromStr;

/// A name that no configuration knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}, known are {known}: {name}")]
pub struct UnknownName {
    what: &'static str,
    known: &'static str,
    name: String,
}

/// One enum whose cases have one name each. What is for reading only has a name to be reported
/// by, and no configuration understands it.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $what:literal, { $($(#[$case_doc:meta])* $case:ident = $name:literal),+ $(,)? }
     $(, reading $old:tt)?) => {
        named!(@type [$(#[$doc])*] $type { $($(#[$case_doc])* $case = $name,)+ } $($old)?);

        impl $type {
            /// Every case that is written, in the order of the documentation.
            pub const ALL: &'static [$type] = &[$($type::$case),+];

            /// True for what rule 11 has for reading only.
            pub const fn is_weak(self) -> bool {
                !matches!(self, $($type::$case)|+)
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;
            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok($type::$case),)+
                    _ => Err(UnknownName {
                        what: $what,
                        known: concat!($($name, " "),+).trim_ascii_end(),
                        name: name.to_owned(),
                    }),
                }
            }
        }
    };
    (@type [$(#[$doc:meta])*] $type:ident { $($cases:tt)+ } { $($old:tt)+ }) => {
        named!(@type [$(#[$doc])*] $type { $($cases)+ $($old)+ });
    };
    (@type [$(#[$doc:meta])*] $type:ident { $($(#[$case_doc:meta])* $case:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$case_doc])* $case),+ }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $($type::$case => $name),+ })
            }
        }
    };
}

named! {
    /// A message digest (rule 11: nothing weaker is ever written).
    DigestAlgorithm, "digest", {
        /// SHA-256.
        Sha256 = "sha-256",
        /// SHA-384.
        Sha384 = "sha-384",
        /// SHA-512.
        Sha512 = "sha-512",
    },
    reading {
        /// SHA-1, for reading only.
        Sha1 = "sha-1",
        /// SHA-224, for reading only.
        Sha224 = "sha-224",
    }
}

named! {
    /// How an RSA key signs.
    RsaScheme, "RSA signature scheme", {
        /// RSASSA-PKCS1-v1_5 (RFC 3370 §3.2), read everywhere.
        Pkcs1v15 = "pkcs1v15",
        /// RSASSA-PSS (RFC 4056).
        Pss = "pss",
    }
}

named! {
    /// What encrypts the content.
    ContentCipher, "content cipher", {
        /// AES-128-CBC in EnvelopedData.
        Aes128Cbc = "aes-128-cbc",
        /// AES-192-CBC in EnvelopedData.
        Aes192Cbc = "aes-192-cbc",
        /// AES-256-CBC in EnvelopedData, the default (rule 3).
        Aes256Cbc = "aes-256-cbc",
        /// AES-128-GCM in AuthEnvelopedData.
        Aes128Gcm = "aes-128-gcm",
        /// AES-192-GCM in AuthEnvelopedData.
        Aes192Gcm = "aes-192-gcm",
        /// AES-256-GCM in AuthEnvelopedData.
        Aes256Gcm = "aes-256-gcm",
    },
    reading {
        /// Triple DES with three keys (RFC 3370 §5.1), for reading only.
        TripleDesCbc = "des-ede3-cbc",
        /// RC2 with 40 effective bits (RFC 3370 §5.2), for reading only.
        Rc2Cbc40 = "rc2-40-cbc",
        /// RC2 with 64 effective bits, for reading only.
        Rc2Cbc64 = "rc2-64-cbc",
        /// RC2 with 128 effective bits, for reading only.
        Rc2Cbc128 = "rc2-128-cbc",
    }
}

named! {
    /// How the content key reaches an RSA recipient. EC and X25519 recipients use ECDH whatever
    /// this says.
    KeyTransport, "key transport", {
        /// RSAES-PKCS1-v1_5 (RFC 3370 §4.2.1), read everywhere.
        Pkcs1v15 = "pkcs1v15",
        /// RSAES-OAEP with SHA-256 (RFC 3560, RFC 4055).
        Oaep = "oaep",
    }
}

named! {
    /// The two forms of a signed message (RFC 8551 §3.5).
    SignatureFormat, "signature format", {
        /// multipart/signed: readable without S/MIME.
        Detached = "detached",
        /// application/pkcs7-mime; smime-type=signed-data: survives rewriting relays.
        Opaque = "opaque",
    }
}

named! {
    /// Header protection (RFC 9788) and its header confidentiality policy (RFC 9788 §3).
    HeaderProtection, "header protection", {
        /// No copies of header fields inside.
        Off = "off",
        /// Copies inside, the outer fields stay as they are (`hcp_no_confidentiality`).
        NoConfidentiality = "no-confidentiality",
        /// Subject, Keywords and Comments leave the outer header (`hcp_baseline`).
        Baseline = "baseline",
        /// Baseline, and display names and the time zone leave the outer header (`hcp_shy`).
        Shy = "shy",
    }
}

impl DigestAlgorithm {
    /// The object identifier (RFC 5754 §2).
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => const_oid::db::rfc5912::ID_SHA_256,
            Self::Sha384 => const_oid::db::rfc5912::ID_SHA_384,
            Self::Sha512 => const_oid::db::rfc5912::ID_SHA_512,
            Self::Sha1 => const_oid::db::rfc5912::ID_SHA_1,
            Self::Sha224 => const_oid::db::rfc5912::ID_SHA_224,
        }
    }

    /// The digest of rule 11 with this object identifier.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.iter().copied().find(|digest| digest.oid() == oid)
    }

    /// The digest with this object identifier, those for reading only included.
    pub fn readable(oid: ObjectIdentifier) -> Option<Self> {
        let old = [Self::Sha1, Self::Sha224];
        Self::from_oid(oid).or_else(|| old.into_iter().find(|digest| digest.oid() == oid))
    }

    /// Octets of output.
    pub const fn output_size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
        }
    }
}

impl ContentCipher {
    /// The object identifier (RFC 3565 §4.1, RFC 5084 §3.2).
    pub const fn oid(self) -> ObjectIdentifier {
        use const_oid::db::rfc5911::{
            ID_AES_128_CBC, ID_AES_128_GCM, ID_AES_192_CBC, ID_AES_192_GCM, ID_AES_256_CBC,
            ID_AES_256_GCM,
        };
        /// RFC 3370 §5.2.
        const RC2_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.2");
        match self {
            Self::Aes128Cbc => ID_AES_128_CBC,
            Self::Aes192Cbc => ID_AES_192_CBC,
            Self::Aes256Cbc => ID_AES_256_CBC,
            Self::Aes128Gcm => ID_AES_128_GCM,
            Self::Aes192Gcm => ID_AES_192_GCM,
            Self::Aes256Gcm => ID_AES_256_GCM,
            // RFC 3370 §5.1.
            Self::TripleDesCbc => ObjectIdentifier::new_unwrap("1.2.840.113549.3.7"),
            Self::Rc2Cbc40 | Self::Rc2Cbc64 | Self::Rc2Cbc128 => RC2_CBC,
        }
    }

    /// The cipher of rule 11 with this object identifier.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.iter().copied().find(|cipher| cipher.oid() == oid)
    }

    /// Octets of the content key.
    pub const fn key_size(self) -> usize {
        match self {
            Self::Rc2Cbc40 => 5,
            Self::Rc2Cbc64 => 8,
            Self::Aes128Cbc | Self::Aes128Gcm | Self::Rc2Cbc128 => 16,
            Self::Aes192Cbc | Self::Aes192Gcm | Self::TripleDesCbc => 24,
            Self::Aes256Cbc | Self::Aes256Gcm => 32,
        }
    }

    /// Octets of the initialisation vector (CBC) or nonce (GCM, RFC 5084 §3.2 recommends 12).
    pub const fn nonce_size(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes192Gcm | Self::Aes256Gcm => 12,
            Self::Aes128Cbc | Self::Aes192Cbc | Self::Aes256Cbc => 16,
            Self::TripleDesCbc | Self::Rc2Cbc40 | Self::Rc2Cbc64 | Self::Rc2Cbc128 => 8,
        }
    }

    /// True for GCM, which goes into AuthEnvelopedData (RFC 5083).
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes192Gcm | Self::Aes256Gcm)
    }
}

/// The algorithm of a public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA, with the length of the modulus in bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// ECDSA or ECDH on P-256.
    EcP256,
    /// ECDSA or ECDH on P-384.
    EcP384,
    /// ECDSA or ECDH on P-521.
    EcP521,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// X25519 (RFC 7748).
    X25519,
    /// DSA (RFC 3370 §3.1), for reading only.
    Dsa,
    /// Any other, by its object identifier. Never used, only named.
    Other(String),
}

impl KeyAlgorithm {
    /// True when rule 11 lets a key of this algorithm and size protect mail.
    pub fn is_within_floor(&self) -> bool {
        match self {
            Self::Rsa { bits } => (2048..=8192).contains(bits),
            Self::Dsa | Self::Other(_) => false,
            _ => true,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => f.pad(&format!("rsa-{bits}")),
            Self::EcP256 => f.pad("ec-p256"),
            Self::EcP384 => f.pad("ec-p384"),
            Self::EcP521 => f.pad("ec-p521"),
            Self::Ed25519 => f.pad("ed25519"),
            Self::X25519 => f.pad("x25519"),
            Self::Dsa => f.pad("dsa"),
            Self::Other(oid) => f.pad(oid),
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let rsa = name.strip_prefix("rsa-").and_then(|bits| bits.parse().ok());
        match (name, rsa) {
            ("ec-p256", _) => Ok(Self::EcP256),
            ("ec-p384", _) => Ok(Self::EcP384),
            ("ec-p521", _) => Ok(Self::EcP521),
            ("ed25519", _) => Ok(Self::Ed25519),
            ("x25519", _) => Ok(Self::X25519),
            (_, Some(bits)) => Ok(Self::Rsa { bits }),
            _ => Err(UnknownName {
                what: "key algorithm",
                known: "rsa-2048 rsa-3072 rsa-4096 ec-p256 ec-p384 ec-p521 ed25519 x25519",
                name: name.to_owned(),
            }),
        }
    }
}

/// One exact way to sign: what a [`crate::PrivateKey`] is asked for and a provider verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1v15(DigestAlgorithm),
    /// RSASSA-PSS.
    RsaPss {
        /// The digest of the message.
        digest: DigestAlgorithm,
        /// The digest of MGF1. Our own signatures use the message's.
        mask_digest: DigestAlgorithm,
        /// Octets of salt. Our own signatures use the digest's size.
        salt_size: usize,
    },
    /// ECDSA; the signature is the DER of ECDSA-Sig-Value (RFC 5753 §2.1.1).
    Ecdsa(DigestAlgorithm),
    /// Ed25519 over the message itself (RFC 8419).
    Ed25519,
    /// DSA (RFC 3370 §3.1), for reading only; the signature is the DER of Dss-Sig-Value.
    Dsa(DigestAlgorithm),
}

impl SignatureScheme {
    /// True for what rule 11 has for reading only.
    pub const fn is_weak(self) -> bool {
        match self {
            Self::RsaPkcs1v15(digest) | Self::RsaPss { digest, .. } | Self::Ecdsa(digest) => {
                digest.is_weak()
            }
            Self::Ed25519 => false,
            Self::Dsa(_) => true,
        }
    }
}

/// How a content key reached an RSA recipient, as a received message says (RFC 3370 §4.2.1,
/// RFC 3560).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportScheme {
    /// RSAES-PKCS1-v1_5.
    Pkcs1v15,
    /// RSAES-OAEP with the parameters of RFC 4055 §4.1.
    Oaep {
        /// The digest of the label.
        digest: DigestAlgorithm,
        /// The digest of MGF1.
        mask_digest: DigestAlgorithm,
        /// pSourceFunc; empty almost everywhere.
        label: Vec<u8>,
    },
}

/// How a content key is wrapped in a key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyWrap {
    /// AES key wrap (RFC 3394); the size of the wrapping key chooses the AES.
    Aes,
    /// Triple DES key wrap (RFC 3217 §3), for reading only.
    TripleDes,
    /// The wrapping of PWRI-KEK (RFC 3211 §2.3): a block cipher in CBC mode, twice.
    Password {
        /// The cipher.
        cipher: ContentCipher,
        /// Its initialisation vector.
        iv: Vec<u8>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for cipher in ContentCipher::ALL {
            assert_eq!(cipher.to_string().parse(), Ok(*cipher));
            assert_eq!(ContentCipher::from_oid(cipher.oid()), Some(*cipher));
        }
        for name in ["rsa-3072", "ec-p256", "ec-p521", "ed25519", "x25519"] {
            assert_eq!(
                name.parse::<KeyAlgorithm>().map(|key| key.to_string()),
                Ok(name.into())
            );
        }
        assert_eq!(
            "md5"
                .parse::<DigestAlgorithm>()
                .map_err(|error| error.to_string()),
            Err("unknown digest, known are sha-256 sha-384 sha-512: md5".into())
        );
    }

    #[test]
    fn rule_11_floor_of_keys() {
        for (name, expected) in [
            ("rsa-1024", false),
            ("rsa-2047", false),
            ("rsa-2048", true),
            ("rsa-8192", true),
            ("rsa-8193", false),
            ("ec-p256", true),
            ("x25519", true),
        ] {
            let key: KeyAlgorithm = name.parse().unwrap();
            assert_eq!(key.is_within_floor(), expected, "{name}");
        }
        assert!(!KeyAlgorithm::Other("1.2.840.10040.4.1".into()).is_within_floor());
    }
}
