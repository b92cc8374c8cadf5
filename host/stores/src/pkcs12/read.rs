//! Reading a PKCS #12 container.
//!
//! A passphrase that does not fit is told from damage: when the MAC disagrees but the content
//! opens, or the MAC agrees and the content does not, the file is damaged.

use super::mac::Mac;
use super::*;
use crate::ber::{self, Element, Reader};
use crate::bundle::Contents;
use crate::error::Defect;
use crate::passphrase::Secret;
use crate::pbe::Opener;
use zeroize::Zeroizing;

const MAX_NESTING: u8 = 8;

/// Opens a container. Without a passphrase an empty one is tried.
pub(crate) fn read(octets: &[u8], secret: Option<&Secret>) -> Result<Contents, Defect> {
    let empty = Secret::new([]);
    let mut opener = Opener::new(secret.unwrap_or(&empty));
    read_pfx(octets, &mut opener).map_err(|defect| match (defect, secret) {
        (Defect::WrongPassphrase, None) => Defect::PassphraseMissing,
        (other, _) => other,
    })
}

/// PFX ::= SEQUENCE { version INTEGER {v3(3)}, authSafe ContentInfo, macData OPTIONAL }
fn read_pfx(octets: &[u8], opener: &mut Opener<'_>) -> Result<Contents, Defect> {
    let mut pfx = Reader::new(octets)
        .expect(ber::SEQUENCE, "not a PKCS #12 container")?
        .inside();
    if pfx.number("no version of PKCS #12")? != 3 {
        return Err(Defect::Unsupported(
            "a version of PKCS #12 other than 3".into(),
        ));
    }
    let safe = pfx.expect(ber::SEQUENCE, "no content in the container")?;
    let (kind, content) = content_info(&safe)?;
    if kind != ID_DATA {
        return Err(Defect::Unsupported(
            "PKCS #12 with integrity by public key".into(),
        ));
    }
    let safe = content.inside().octets("no octets in the container")?;
    let mac = pfx
        .optional(ber::SEQUENCE)?
        .map(|data| Mac::read(&data))
        .transpose()?;
    let Some(mac) = mac else {
        return read_safes(&safe, opener);
    };
    if mac.verify(&safe, opener)? {
        return read_safes(&safe, opener).map_err(|defect| match defect {
            Defect::WrongPassphrase => Defect::Damaged("the MAC agrees, but a part does not open"),
            other => other,
        });
    }
    let encrypted_and_opens = holds_encrypted(&safe)? && read_safes(&safe, opener).is_ok();
    Err(if encrypted_and_opens {
        Defect::Damaged("the passphrase opens it, but the MAC does not agree")
    } else {
        Defect::WrongPassphrase
    })
}

/// ContentInfo ::= SEQUENCE { contentType, content [0] EXPLICIT ANY OPTIONAL }
fn content_info<'a>(element: &Element<'a>) -> Result<(ObjectIdentifier, Element<'a>), Defect> {
    let mut fields = element.inside();
    let kind = fields.oid("no content type")?;
    Ok((
        kind,
        fields.expect(ber::CONTEXT_0, "no content where its type promises some")?,
    ))
}

/// AuthenticatedSafe ::= SEQUENCE OF ContentInfo
fn safes<'a>(octets: &'a [u8]) -> Result<Vec<(ObjectIdentifier, Element<'a>)>, Defect> {
    let mut reader = Reader::new(octets)
        .expect(ber::SEQUENCE, "no safes in the container")?
        .inside();
    let mut safes = Vec::new();
    while !reader.is_empty() {
        safes.push(content_info(
            &reader.expect(ber::SEQUENCE, "no safe where one should be")?,
        )?);
    }
    Ok(safes)
}

fn read_safes(octets: &[u8], opener: &mut Opener<'_>) -> Result<Contents, Defect> {
    let mut contents = Contents::default();
    for (kind, content) in safes(octets)? {
        match kind {
            ID_DATA => {
                let bags = content.inside().octets("no octets in a safe")?;
                read_bags(&bags, opener, &mut contents, 0)?;
            }
            ID_ENCRYPTED_DATA => {
                let bags = decrypt_safe(&content, opener)?;
                read_bags(&bags, opener, &mut contents, 0)?;
            }
            other => return Err(Defect::Unsupported(format!("a safe of type {other}"))),
        }
    }
    Ok(contents)
}

/// Whether opening the content says anything about the passphrase.
fn holds_encrypted(octets: &[u8]) -> Result<bool, Defect> {
    for (kind, content) in safes(octets)? {
        if kind == ID_ENCRYPTED_DATA {
            return Ok(true);
        }
        let bags = content.inside().octets("no octets in a safe")?;
        let mut bags = Reader::new(&bags)
            .expect(ber::SEQUENCE, "no bags in a safe")?
            .inside();
        while !bags.is_empty() {
            if bags.next()?.inside().oid("a bag without a type")? == SHROUDED_KEY_BAG {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// EncryptedData (RFC 5652 §8): version, then type, algorithm and `[0] IMPLICIT OCTET STRING`.
fn decrypt_safe(
    content: &Element<'_>,
    opener: &mut Opener<'_>,
) -> Result<Zeroizing<Vec<u8>>, Defect> {
    let mut data = content
        .inside()
        .expect(ber::SEQUENCE, "no encrypted data in a safe")?
        .inside();
    data.number("no version in encrypted data")?;
    let mut info = data
        .expect(ber::SEQUENCE, "no content in encrypted data")?
        .inside();
    info.oid("no type in encrypted data")?;
    let algorithm = info.expect(ber::SEQUENCE, "no algorithm in encrypted data")?;
    let ciphertext = info
        .expect(ber::CONTEXT_0, "no octets in encrypted data")?
        .octets()?;
    opener.decrypt(&algorithm, &ciphertext)
}

/// SafeContents ::= SEQUENCE OF SEQUENCE { bagId, bagValue [0] EXPLICIT, bagAttributes OPTIONAL }
///
/// Attributes are not needed: keys and certificates find each other by the public key.
fn read_bags(
    octets: &[u8],
    opener: &mut Opener<'_>,
    contents: &mut Contents,
    nesting: u8,
) -> Result<(), Defect> {
    if nesting > MAX_NESTING {
        return Err(Defect::Damaged("safes nested too deeply"));
    }
    let mut bags = Reader::new(octets)
        .expect(ber::SEQUENCE, "no bags in a safe")?
        .inside();
    while !bags.is_empty() {
        let mut bag = bags
            .expect(ber::SEQUENCE, "no bag where one should be")?
            .inside();
        let kind = bag.oid("a bag without a type")?;
        let value = bag.expect(ber::CONTEXT_0, "a bag without a value")?;
        match kind {
            CERT_BAG => contents.certificates.extend(certificate(&value)?),
            KEY_BAG => contents.keys.push(ber::to_definite(&key(&value)?)?),
            SHROUDED_KEY_BAG => contents.keys.push(decrypt_key(&key(&value)?, opener)?),
            SAFE_CONTENTS_BAG => read_bags(value.content, opener, contents, nesting + 1)?,
            _ => {}
        }
    }
    Ok(())
}

fn key<'a>(value: &Element<'a>) -> Result<Element<'a>, Defect> {
    value
        .inside()
        .expect(ber::SEQUENCE, "a key bag without a key")
}

/// CertBag ::= SEQUENCE { certId, certValue [0] EXPLICIT OCTET STRING }; SDSI is passed over.
fn certificate(value: &Element<'_>) -> Result<Option<Vec<u8>>, Defect> {
    let mut bag = value
        .inside()
        .expect(ber::SEQUENCE, "a certificate bag without content")?
        .inside();
    if bag.oid("a certificate bag without a type")? != X509_CERTIFICATE {
        return Ok(None);
    }
    let value = bag.expect(ber::CONTEXT_0, "a certificate bag without a certificate")?;
    Ok(Some(
        value
            .inside()
            .octets("a certificate bag without a certificate")?
            .into_owned(),
    ))
}

/// EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING }
/// (RFC 5958 §3)
pub(crate) fn decrypt_key(
    element: &Element<'_>,
    opener: &mut Opener<'_>,
) -> Result<Zeroizing<Vec<u8>>, Defect> {
    let mut fields = element.inside();
    let algorithm = fields.expect(ber::SEQUENCE, "an encrypted key without an algorithm")?;
    let ciphertext = fields.octets("an encrypted key without octets")?;
    opener.decrypt(&algorithm, &ciphertext)
}
