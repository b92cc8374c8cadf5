//! ContentEncryptionAlgorithmIdentifier: which cipher, with which vector or nonce.

use crate::algorithm::ContentCipher;
use crate::asn1::{Element, Malformed, tag};
use const_oid::ObjectIdentifier;

/// A content cipher with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentAlgorithm {
    pub(crate) cipher: ContentCipher,
    /// Initialisation vector or nonce.
    pub(crate) nonce: Vec<u8>,
    /// Octets of the tag that the parameters announce; 0 for CBC.
    tag_size: usize,
}

/// Why an algorithm cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nobody here knows it.
    Unsupported,
    /// Its parameters are not those that belong to it.
    Malformed,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl ContentAlgorithm {
    /// Reads an AlgorithmIdentifier.
    pub(crate) fn read(
        oid: ObjectIdentifier,
        parameters: Option<Element<'_>>,
    ) -> Result<Self, Unreadable> {
        let cipher = Self::cipher_of(oid, parameters).ok_or(Unreadable::Unsupported)?;
        let parameters = parameters.ok_or(Unreadable::Malformed)?;
        let (nonce, tag_size) = if cipher.is_authenticated() {
            gcm_parameters(parameters)?
        } else if is_rc2(cipher) {
            (rc2_parameters(parameters)?.1, 0)
        } else {
            // RFC 3565 §4.1, RFC 3370 §5.1: the parameter is the vector.
            (string(parameters)?, 0)
        };
        if !cipher.is_authenticated() && nonce.len() != cipher.nonce_size() {
            return Err(Unreadable::Malformed);
        }
        Ok(Self {
            cipher,
            nonce,
            tag_size,
        })
    }

    /// The cipher alone. For RC2 the parameters say which.
    pub(super) fn cipher_of(
        oid: ObjectIdentifier,
        parameters: Option<Element<'_>>,
    ) -> Option<ContentCipher> {
        if oid == ContentCipher::Rc2Cbc128.oid() {
            let (version, _) = rc2_parameters(parameters?).ok()?;
            return rc2_of(&version);
        }
        let old = ContentCipher::TripleDesCbc;
        let old = Some(old).filter(|cipher| cipher.oid() == oid);
        ContentCipher::from_oid(oid).or(old)
    }

    /// RFC 5084 §3.2: aes-ICVlen is the size of the tag.
    pub(crate) fn fits_tag(&self, tag: Option<&[u8]>) -> bool {
        tag.map_or(0, <[u8]>::len) == self.tag_size
    }
}

/// RFC 5084 §3.2: a nonce, and the size of the tag, which is 12 when it is absent. No bound is
/// given for the nonce; nobody needs more than a block.
fn gcm_parameters(parameters: Element<'_>) -> Result<(Vec<u8>, usize), Malformed> {
    let mut fields = parameters.fields()?;
    let nonce = fields.expect(tag::OCTET_STRING)?.value.to_vec();
    let size = match fields.optional(tag::INTEGER)?.map(|size| size.value) {
        None => 12,
        Some([size @ 12..=16]) => usize::from(*size),
        Some(_) => return Err(Malformed),
    };
    fields.end()?;
    if (1..=16).contains(&nonce.len()) {
        Ok((nonce, size))
    } else {
        Err(Malformed)
    }
}

/// RFC 3370 §5.2: rc2ParameterVersion and the vector.
fn rc2_parameters(parameters: Element<'_>) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let mut fields = parameters.fields()?;
    let version = fields.expect(tag::INTEGER)?.value.to_vec();
    let vector = fields.expect(tag::OCTET_STRING)?.value.to_vec();
    fields.end()?;
    Ok((version, vector))
}

/// RFC 2268 §6: effective bits in an encoding of their own. The INTEGER is signed, so that 160
/// needs two octets.
fn rc2_of(version: &[u8]) -> Option<ContentCipher> {
    match version {
        [0, 160] => Some(ContentCipher::Rc2Cbc40),
        [120] => Some(ContentCipher::Rc2Cbc64),
        [58] => Some(ContentCipher::Rc2Cbc128),
        _ => None,
    }
}

fn is_rc2(cipher: ContentCipher) -> bool {
    cipher.oid() == ContentCipher::Rc2Cbc128.oid()
}

fn string(parameters: Element<'_>) -> Result<Vec<u8>, Malformed> {
    if parameters.tag == tag::OCTET_STRING {
        Ok(parameters.value.to_vec())
    } else {
        Err(Malformed)
    }
}
