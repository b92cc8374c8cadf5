//! Certificates and identities from files and directories: the only crate below the front ends
//! that reads files.
//!
//! - [`load_identity`]: private keys with their certificates and chains, from PKCS #12 or from
//!   PEM and DER in any mixture.
//! - [`CertificateDirectory`]: other people's certificates by address and domain, as a
//!   [`CertificateSource`](waxseal_smime::CertificateSource).
//! - [`CertificateStore`]: certificates that came with received mail, or that an operator imports
//!   or pins, in one SQLite file; a source, and a
//!   [`CertificateKeeper`](waxseal_smime::CertificateKeeper).
//! - [`Fetcher`]: revocation lists, certificates and OCSP answers over HTTP, for `waxseal-pki`.
//! - [`load_certificates`], [`load_sealed_certificates`], [`load_anchors`]: the certificates of a
//!   file, with a passphrase or without; trust anchors.
//! - [`load_crls`]: certificate revocation lists, unread.
//! - [`read_identities`], [`read_certificates`]: the same from octets that came another way.
//! - [`write_pkcs12`], [`pem_certificate`], [`pem_private_key`], [`write_secret`]: what
//!   `cert generate` and `demo` make.
//!
//! Algorithms live in `waxseal-provider-*` alone, with one exception, here: the ciphers and
//! hashes of *container formats* (PBES1, PBES2, PKCS #12's MAC and key derivation), some of them
//! only for reading old files. They protect files at rest, never mail; a token or an HSM has no
//! part in them. Randomness still comes from the provider.
//!
//! On failure there is an [`Error`] that names the file and a [`Defect`]; a wrong passphrase is
//! told from a damaged file. No error holds a passphrase or key material. One file may ask for
//! only so much key derivation, memory and nesting.
//!
//! Not here: database servers, LDAP, DNS, tokens; reading keys in OpenSSL's old encrypted PEM, in
//! OpenSSH's format, or under RC4; choosing among certificates, which is
//! [`waxseal_smime::choose`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod ber;
mod bundle;
mod clock;
mod crls;
mod directory;
mod error;
mod fetch;
mod files;
mod identity;
mod kdf;
mod passphrase;
mod pbe;
mod pem;
mod pkcs12;
#[cfg(test)]
mod scoreboard;
mod store;
mod text;

pub use clock::SystemClock;
pub use crls::load_crls;
pub use directory::{
    CertificateDirectory, Entry, Problem, load_anchors, load_certificates, read_certificates,
};
pub use error::{Defect, Error, StoreFault};
pub use fetch::{FetchOptions, Fetcher, Networks};
pub use files::{Existing, write_secret};
pub use identity::{LoadedIdentity, load_identity, load_sealed_certificates, read_identities};
pub use passphrase::{Passphrase, Secret};
pub use pkcs12::{Pkcs12Entry, Pkcs12Options, write_pkcs12};
pub use store::{CertificateStore, Holder, Provenance, StoreOptions, StoredCertificate};
pub use text::{pem_certificate, pem_encrypted_private_key, pem_private_key};
