//! Makes certificates and requests: for tests, the demo and small installations.
//!
//! A certificate made here is for mail: emailProtection, the addresses as subject alternative
//! names, key usage by key algorithm, key identifiers. It is no public key infrastructure: there
//! are no revocation lists, no policies and no profiles.

use crate::certificate::Certificate;
use crate::error::Error;
use crate::provider::{PrivateKey, Provider};
use crate::time::Time;
use waxseal_message::Address;

/// What a certificate or request says.
#[derive(Debug, Clone)]
pub struct Template {
    /// commonName of the subject.
    pub common_name: String,
    /// organizationName of the subject.
    pub organization: Option<String>,
    /// rfc822Name (SmtpUTF8Mailbox where the local part is not ASCII) for each.
    pub addresses: Vec<Address>,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
}

/// A certificate that vouches for itself, usable for signing and, where the key can, encrypting.
pub fn self_signed(
    _template: &Template,
    _key: &dyn PrivateKey,
    _provider: &dyn Provider,
) -> Result<Certificate, Error> {
    Err(Error::NotBuilt("self-signed certificate"))
}

/// A root certificate of a small authority.
pub fn authority(
    _template: &Template,
    _key: &dyn PrivateKey,
    _provider: &dyn Provider,
) -> Result<Certificate, Error> {
    Err(Error::NotBuilt("authority certificate"))
}

/// An authority's certificate under another authority.
pub fn intermediate(
    _template: &Template,
    _public_key_info: &[u8],
    _issuer: &Certificate,
    _issuer_key: &dyn PrivateKey,
    _provider: &dyn Provider,
) -> Result<Certificate, Error> {
    Err(Error::NotBuilt("intermediate certificate"))
}

/// A certificate for a person or gateway, issued by an authority.
pub fn leaf(
    _template: &Template,
    _public_key_info: &[u8],
    _issuer: &Certificate,
    _issuer_key: &dyn PrivateKey,
    _provider: &dyn Provider,
) -> Result<Certificate, Error> {
    Err(Error::NotBuilt("leaf certificate"))
}

/// A PKCS #10 request (RFC 2986) with the addresses as subject alternative names, as DER.
/// The template's dates are not part of it.
pub fn request(_template: &Template, _key: &dyn PrivateKey) -> Result<Vec<u8>, Error> {
    Err(Error::NotBuilt("certificate request"))
}
