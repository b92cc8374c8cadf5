//! From the octets of a file to certificates and private keys, whatever the file is: PEM with
//! any blocks in any order, DER of a certificate (or several in a row), PKCS #7 with
//! certificates only, PKCS #12, PKCS #8 plain or encrypted, PKCS #1, SEC 1. What it is shows
//! in its octets; names mean nothing.
//!
//! Keys come out as DER of PKCS #8 PrivateKeyInfo.

use crate::ber::{self, Element, Reader};
use crate::error::Defect;
use crate::passphrase::Secret;
use crate::pbe::Opener;
use crate::{pem, pkcs12};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

type Octets = Zeroizing<Vec<u8>>;

/// What a file holds, in its order.
#[derive(Default)]
pub(crate) struct Contents {
    /// X.509 certificates.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Private keys, DER of PKCS #8 PrivateKeyInfo.
    pub(crate) keys: Vec<Octets>,
}

/// One thing in a file, not opened yet.
pub(crate) enum Item {
    Certificate(Octets),
    /// PKCS #7 or CMS SignedData.
    Signed(Octets),
    Pkcs12(Octets),
    Key(KeyForm, Octets),
    /// The curve of a SEC 1 key that follows in a block of its own.
    Curve(Octets),
}

pub(crate) enum KeyForm {
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1,
    Sec1,
    Unread(&'static str),
}

const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Everything in a file that is a certificate, a key, or holds some.
pub(crate) fn items(octets: &[u8]) -> Result<Vec<Item>, Defect> {
    if pem::is_pem(octets) {
        return Ok(pem::blocks(octets)?
            .into_iter()
            .filter_map(item_of_block)
            .collect());
    }
    let mut items = Vec::new();
    let mut reader = Reader::new(octets);
    while !reader.is_empty() {
        let element = reader.next().map_err(|_| UNKNOWN)?;
        items.push(item_of_element(&element)?);
    }
    Ok(items)
}

const UNKNOWN: Defect = Defect::Damaged("neither PEM nor DER of a certificate, key or container");

fn item_of_block(block: pem::Block) -> Option<Item> {
    let octets = block.octets;
    Some(match block.label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Item::Certificate(octets),
        "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => Item::Signed(octets),
        "PKCS12" => Item::Pkcs12(octets),
        "PRIVATE KEY" => Item::Key(KeyForm::Pkcs8, octets),
        "ENCRYPTED PRIVATE KEY" => Item::Key(KeyForm::EncryptedPkcs8, octets),
        "RSA PRIVATE KEY" => Item::Key(KeyForm::Pkcs1, octets),
        "EC PRIVATE KEY" => Item::Key(KeyForm::Sec1, octets),
        "EC PARAMETERS" => Item::Curve(octets),
        "DSA PRIVATE KEY" => Item::Key(KeyForm::Unread("a DSA key"), octets),
        "OPENSSH PRIVATE KEY" => Item::Key(KeyForm::Unread("a key in OpenSSH's format"), octets),
        // Requests, revocation lists, public keys, parameters.
        _ => return None,
    })
}

/// Told by the first two fields.
fn item_of_element(element: &Element<'_>) -> Result<Item, Defect> {
    if !element.is(ber::SEQUENCE) {
        return Err(UNKNOWN);
    }
    let mut fields = element.inside();
    let first = fields.next().map_err(|_| UNKNOWN)?;
    let second = fields.next().map_err(|_| UNKNOWN)?;
    let octets = Zeroizing::new(element.raw.to_vec());
    let version = first
        .is(ber::INTEGER)
        .then(|| first.number("a version").ok())
        .flatten();
    Ok(match version {
        Some(3) if second.is(ber::SEQUENCE) => Item::Pkcs12(octets),
        Some(_) if second.is(ber::SEQUENCE) => Item::Key(KeyForm::Pkcs8, octets),
        Some(1) if second.is(ber::OCTET_STRING) => Item::Key(KeyForm::Sec1, octets),
        Some(0) if second.is(ber::INTEGER) => Item::Key(KeyForm::Pkcs1, octets),
        None if first.is(ber::OID) => Item::Signed(octets),
        None if first.is(ber::SEQUENCE) && second.is(ber::OCTET_STRING) => {
            Item::Key(KeyForm::EncryptedPkcs8, octets)
        }
        None if first.is(ber::SEQUENCE) && second.is(ber::SEQUENCE) => Item::Certificate(octets),
        _ => return Err(UNKNOWN),
    })
}

/// Certificates and keys, with what is encrypted opened.
pub(crate) fn open(octets: &[u8], secret: Option<&Secret>) -> Result<Contents, Defect> {
    let mut contents = Contents::default();
    let mut curve = None;
    for item in items(octets)? {
        match item {
            Item::Certificate(octets) => contents.certificates.push(first_element(&octets)?),
            Item::Signed(octets) => contents.certificates.extend(signed_certificates(&octets)?),
            Item::Pkcs12(octets) => {
                let inside = pkcs12::read(&octets, secret)?;
                contents.certificates.extend(inside.certificates);
                contents.keys.extend(inside.keys);
            }
            Item::Curve(octets) => curve = Some(octets),
            Item::Key(form, octets) => {
                contents
                    .keys
                    .push(pkcs8(form, &octets, curve.take(), secret)?);
            }
        }
    }
    Ok(contents)
}

/// The certificates alone; keys stay closed. Containers open if they need no passphrase.
pub(crate) fn certificates(octets: &[u8]) -> Result<Vec<Vec<u8>>, Defect> {
    let mut certificates = Vec::new();
    for item in items(octets)? {
        match item {
            Item::Certificate(octets) => certificates.push(first_element(&octets)?),
            Item::Signed(octets) => certificates.extend(signed_certificates(&octets)?),
            Item::Pkcs12(octets) => certificates.extend(pkcs12::read(&octets, None)?.certificates),
            Item::Curve(_) | Item::Key(..) => {}
        }
    }
    Ok(certificates)
}

/// OpenSSL's trusted certificates carry settings of its own after the certificate.
fn first_element(octets: &[u8]) -> Result<Vec<u8>, Defect> {
    Ok(Reader::new(octets)
        .expect(ber::SEQUENCE, "not a certificate")?
        .raw
        .to_vec())
}

/// SignedData (RFC 5652 §5.1): version, digestAlgorithms, encapContentInfo, then
/// `certificates [0] IMPLICIT SET OF CertificateChoices`, of which X.509 ones are SEQUENCEs.
fn signed_certificates(octets: &[u8]) -> Result<Vec<Vec<u8>>, Defect> {
    const WHAT: &str = "not PKCS #7 with certificates";
    let mut info = Reader::new(octets).expect(ber::SEQUENCE, WHAT)?.inside();
    if info.oid(WHAT)? != ID_SIGNED_DATA {
        return Err(Defect::Damaged(WHAT));
    }
    let content = info.expect(ber::CONTEXT_0, WHAT)?;
    let mut signed = content.inside().expect(ber::SEQUENCE, WHAT)?.inside();
    signed.number(WHAT)?;
    signed.expect(ber::SET, WHAT)?;
    signed.expect(ber::SEQUENCE, WHAT)?;
    let Some(set) = signed.optional(ber::CONTEXT_0)? else {
        return Ok(Vec::new());
    };
    let mut certificates = Vec::new();
    let mut choices = set.inside();
    while !choices.is_empty() {
        let choice = choices.next()?;
        if choice.is(ber::SEQUENCE) {
            certificates.push(choice.raw.to_vec());
        }
    }
    Ok(certificates)
}

fn pkcs8(
    form: KeyForm,
    octets: &[u8],
    curve: Option<Octets>,
    secret: Option<&Secret>,
) -> Result<Octets, Defect> {
    match form {
        KeyForm::Pkcs8 => Ok(Zeroizing::new(octets.to_vec())),
        KeyForm::EncryptedPkcs8 => decrypted(octets, secret),
        KeyForm::Pkcs1 => Ok(from_pkcs1(octets)),
        KeyForm::Sec1 => from_sec1(octets, curve),
        KeyForm::Unread(what) => Err(Defect::Unsupported(what.into())),
    }
}

fn decrypted(octets: &[u8], secret: Option<&Secret>) -> Result<Octets, Defect> {
    let element = Reader::new(octets).expect(ber::SEQUENCE, "not an encrypted key")?;
    let secret = secret.ok_or(Defect::PassphraseMissing)?;
    pkcs12::decrypt_key(&element, &mut Opener::new(secret))
}

/// PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey OCTET STRING }
/// (RFC 5958 §2)
fn private_key_info(algorithm: ObjectIdentifier, parameters: &[u8], key: &[u8]) -> Octets {
    let algorithm = ber::sequence(&[&ber::oid(algorithm), parameters]);
    ber::sequence(&[
        &ber::number(0),
        &algorithm,
        &ber::tlv(ber::OCTET_STRING, key),
    ])
}

/// RFC 8017 appendix A.1.2, RFC 3279 §2.3.1 for the NULL.
fn from_pkcs1(octets: &[u8]) -> Octets {
    private_key_info(RSA_ENCRYPTION, ber::NULL, octets)
}

/// ECPrivateKey ::= SEQUENCE { version, privateKey, parameters [0] OPTIONAL, publicKey [1]
/// OPTIONAL } (RFC 5915 §3)
fn from_sec1(octets: &[u8], curve: Option<Octets>) -> Result<Octets, Defect> {
    const WHAT: &str = "not an EC private key";
    let mut fields = Reader::new(octets).expect(ber::SEQUENCE, WHAT)?.inside();
    fields.number(WHAT)?;
    fields.octets(WHAT)?;
    let parameters = match (fields.optional(ber::CONTEXT_0)?, &curve) {
        (Some(inside), _) => inside.content,
        (None, Some(block)) => &block[..],
        (None, None) => return Err(Defect::Damaged("an EC private key that names no curve")),
    };
    if Reader::new(parameters).optional(ber::OID)?.is_none() {
        return Err(Defect::Unsupported(
            "an EC key with a curve of its own".into(),
        ));
    }
    Ok(private_key_info(EC_PUBLIC_KEY, parameters, octets))
}
