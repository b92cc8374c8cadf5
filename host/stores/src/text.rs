//! Certificates and private keys as PEM text, as RFC 7468 labels them.

use crate::ber;
use crate::error::Error;
use crate::passphrase::Secret;
use crate::pbe;
use crate::pem;
use crate::pkcs12::Pkcs12Options;
use waxseal_smime::{Certificate, Provider};
use zeroize::Zeroizing;

/// A certificate as PEM (RFC 7468 §5).
pub fn pem_certificate(certificate: &Certificate) -> String {
    pem::write("CERTIFICATE", certificate.to_der()).to_string()
}

/// A private key as PEM, in clear (RFC 7468 §10). `pkcs8` is DER of PrivateKeyInfo.
pub fn pem_private_key(pkcs8: &[u8]) -> Zeroizing<String> {
    pem::write("PRIVATE KEY", pkcs8)
}

/// A private key as PEM, encrypted with AES-256-CBC under PBKDF2-HMAC-SHA-256 (RFC 7468 §11).
pub fn pem_encrypted_private_key(
    pkcs8: &[u8],
    secret: &Secret,
    options: Pkcs12Options,
    provider: &dyn Provider,
) -> Result<String, Error> {
    let encrypted = pbe::encrypt(pkcs8, secret, options.iterations, provider)?;
    let octets = ber::tlv(ber::OCTET_STRING, &encrypted.octets);
    let info = ber::sequence(&[&encrypted.algorithm, &octets]);
    Ok(pem::write("ENCRYPTED PRIVATE KEY", &info).to_string())
}
