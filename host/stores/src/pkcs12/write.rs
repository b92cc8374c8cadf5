//! Writing a PKCS #12 container: certificates and keys encrypted with AES-256-CBC under
//! PBKDF2-HMAC-SHA-256 (PBES2), the whole under an HMAC-SHA-256.

use super::*;
use crate::ber;
use crate::error::Error;
use crate::passphrase::Secret;
use crate::pbe;
use waxseal_smime::{Certificate, Provider};
use zeroize::Zeroizing;

/// A private key with the certificate that belongs to it.
pub struct Pkcs12Entry<'a> {
    /// The name that other programs show for it.
    pub name: &'a str,
    /// DER of PKCS #8 PrivateKeyInfo.
    pub key: &'a [u8],
    /// The certificate of that key.
    pub certificate: &'a Certificate,
}

/// How a container is written.
#[derive(Clone, Copy, Debug)]
pub struct Pkcs12Options {
    /// Iterations of each key derivation.
    pub iterations: u32,
}

impl Default for Pkcs12Options {
    /// 600 000 iterations, as browsers write and OWASP advises for PBKDF2-HMAC-SHA-256.
    fn default() -> Self {
        Self {
            iterations: 600_000,
        }
    }
}

/// Makes a container of keys, their certificates, and the certificates of a chain.
///
/// Salts and IVs come from the provider; the only errors are its.
pub fn write_pkcs12(
    entries: &[Pkcs12Entry<'_>],
    chain: &[Certificate],
    secret: &Secret,
    options: Pkcs12Options,
    provider: &dyn Provider,
) -> Result<Vec<u8>, Error> {
    let mut certificates = Vec::new();
    let mut keys = Vec::new();
    for entry in entries {
        // What ties key and certificate together: here the certificate's fingerprint.
        let attributes = attributes(entry.name, &entry.certificate.fingerprint());
        certificates.push(certificate_bag(entry.certificate, Some(&attributes)));
        let encrypted = pbe::encrypt(entry.key, secret, options.iterations, provider)?;
        let octets = ber::tlv(ber::OCTET_STRING, &encrypted.octets);
        let key = ber::sequence(&[&encrypted.algorithm, &octets]);
        keys.push(bag(SHROUDED_KEY_BAG, &key, Some(&attributes)));
    }
    certificates.extend(
        chain
            .iter()
            .map(|certificate| certificate_bag(certificate, None)),
    );

    let encrypted = pbe::encrypt(&safe(&certificates), secret, options.iterations, provider)?;
    let certificates = encrypted_data(&encrypted);
    let safes = ber::sequence(&[&certificates, &data(&safe(&keys))]);
    let mac = mac::write(&safes, secret, options.iterations, provider)?;
    Ok(ber::sequence(&[&ber::number(3), &data(&safes), &mac]).to_vec())
}

fn safe(bags: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    ber::sequence(&bags.iter().map(|bag| &bag[..]).collect::<Vec<_>>())
}

fn bag(kind: ObjectIdentifier, value: &[u8], attributes: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    let value = ber::tlv(ber::CONTEXT_0, value);
    ber::sequence(&[&ber::oid(kind), &value, attributes.unwrap_or_default()])
}

fn certificate_bag(certificate: &Certificate, attributes: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    let value = ber::tlv(
        ber::CONTEXT_0,
        &ber::tlv(ber::OCTET_STRING, certificate.to_der()),
    );
    bag(
        CERT_BAG,
        &ber::sequence(&[&ber::oid(X509_CERTIFICATE), &value]),
        attributes,
    )
}

/// The attributes are a SET, which DER sorts by their octets (X.690 §11.6).
fn attributes(name: &str, key_id: &[u8]) -> Zeroizing<Vec<u8>> {
    let attribute =
        |kind, value: &[u8]| ber::sequence(&[&ber::oid(kind), &ber::tlv(ber::SET, value)]);
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut all = [
        attribute(FRIENDLY_NAME, &ber::tlv(ber::BMP_STRING, &name)),
        attribute(LOCAL_KEY_ID, &ber::tlv(ber::OCTET_STRING, key_id)),
    ];
    all.sort_by(|one, other| one[..].cmp(&other[..]));
    ber::around(ber::SET, &[&all[0], &all[1]])
}

fn data(octets: &[u8]) -> Zeroizing<Vec<u8>> {
    let content = ber::tlv(ber::CONTEXT_0, &ber::tlv(ber::OCTET_STRING, octets));
    ber::sequence(&[&ber::oid(ID_DATA), &content])
}

fn encrypted_data(encrypted: &pbe::Encrypted) -> Zeroizing<Vec<u8>> {
    // [0] IMPLICIT OCTET STRING: context-specific and primitive.
    let octets = ber::tlv(0x80, &encrypted.octets);
    let info = ber::sequence(&[&ber::oid(ID_DATA), &encrypted.algorithm, &octets]);
    let data = ber::sequence(&[&ber::number(0), &info]);
    ber::sequence(&[
        &ber::oid(ID_ENCRYPTED_DATA),
        &ber::tlv(ber::CONTEXT_0, &data),
    ])
}
