//! EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083): writes one, and reads any as
//! far as it can be seen without a key.

use crate::Context;
use crate::algorithm::{ContentCipher, KeyTransport};
use crate::armor::SmimeType;
use crate::asn1::{
    Element, Malformed, Reader, algorithm, header, integer, object_identifier, octet_string,
    sequence, set_of, tag,
};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::recipient_info;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;
use zeroize::Zeroizing;

/// A ContentInfo in pieces, so that the ciphertext is not copied.
pub(crate) struct Written {
    pub(crate) kind: SmimeType,
    pub(crate) head: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

/// Encrypts a content for these recipients, under a fresh key and nonce.
pub(crate) fn write(
    content: &[u8],
    recipients: &[Certificate],
    cipher: ContentCipher,
    transport: KeyTransport,
    around: &Context<'_>,
) -> Result<Written, Error> {
    let mut key = Zeroizing::new(vec![0; cipher.key_size()]);
    around.provider.random(&mut key)?;
    let mut nonce = vec![0; cipher.nonce_size()];
    around.provider.random(&mut nonce)?;
    // Room for the padding, so that the plain text is not left behind by a reallocation.
    let mut ciphertext = Vec::with_capacity(content.len() + 16);
    ciphertext.extend_from_slice(content);
    // RFC 5083 §2.2: without authenticated attributes there is no associated data.
    let tag = around
        .provider
        .encrypt_content(cipher, &key, &nonce, &[], &mut ciphertext)?;

    let mut infos = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        infos.push(recipient_info::write(
            recipient,
            &key,
            cipher,
            transport,
            around.provider,
        )?);
    }
    let version = integer(version(cipher, &infos));
    let infos = set_of(tag::SET, infos);
    let tail = tag.map_or_else(Vec::new, |tag| octet_string(&tag));
    let head = head(
        &[version, infos].concat(),
        cipher,
        &nonce,
        ciphertext.len(),
        tail.len(),
    );
    let kind = if cipher.is_authenticated() {
        SmimeType::AuthEnveloped
    } else {
        SmimeType::Enveloped
    };
    Ok(Written {
        kind,
        head,
        ciphertext,
        tail,
    })
}

/// RFC 5652 §6.1: 0 when every RecipientInfo is version 0 (key transport by issuer and serial
/// number), otherwise 2. RFC 5083 §2.1: always 0.
fn version(cipher: ContentCipher, infos: &[Vec<u8>]) -> u8 {
    let all_transported = infos
        .iter()
        .all(|info| info.first() == Some(&tag::SEQUENCE));
    if cipher.is_authenticated() || all_transported {
        0
    } else {
        2
    }
}

/// Everything before the ciphertext, from the inside out.
fn head(
    begin: &[u8],
    cipher: ContentCipher,
    nonce: &[u8],
    ciphertext: usize,
    tail: usize,
) -> Vec<u8> {
    let data = object_identifier(rfc5911::ID_DATA);
    let cipher_identifier = content_cipher_identifier(cipher, nonce);
    // [0] IMPLICIT OCTET STRING.
    let content = header(tag::context_primitive(0), ciphertext);
    let info_head = [data, cipher_identifier, content].concat();
    let info = [
        header(tag::SEQUENCE, info_head.len() + ciphertext),
        info_head,
    ]
    .concat();
    let data_size = begin.len() + info.len() + ciphertext + tail;
    let data_head = header(tag::SEQUENCE, data_size);
    let explicit = header(tag::context(0), data_head.len() + data_size);
    let content_type = object_identifier(if cipher.is_authenticated() {
        rfc5911::ID_CT_AUTH_ENVELOPED_DATA
    } else {
        rfc5911::ID_ENVELOPED_DATA
    });
    let total = content_type.len() + explicit.len() + data_head.len() + data_size;
    let outer = header(tag::SEQUENCE, total);
    [
        &outer[..],
        &content_type,
        &explicit,
        &data_head,
        begin,
        &info,
    ]
    .concat()
}

/// RFC 3565 §4.1: the parameter is the vector. RFC 5084 §3.2: nonce and tag size.
fn content_cipher_identifier(cipher: ContentCipher, nonce: &[u8]) -> Vec<u8> {
    let nonce = octet_string(nonce);
    if cipher.is_authenticated() {
        algorithm(cipher.oid(), &sequence(&[&nonce, &integer(16)]))
    } else {
        algorithm(cipher.oid(), &nonce)
    }
}

/// Any EnvelopedData or AuthEnvelopedData, in place.
pub(crate) struct Envelope<'a> {
    /// The SET OF RecipientInfo.
    pub(crate) recipient_infos: Element<'a>,
    /// Object identifier of the content cipher.
    pub(crate) cipher: ObjectIdentifier,
    /// Its parameters.
    parameters: Option<Element<'a>>,
    /// The pieces of the encrypted content.
    content: Vec<&'a [u8]>,
    /// The tag of AuthEnvelopedData.
    mac: Option<&'a [u8]>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let (envelope, mut rest) = Self::read_common(element)?;
        // unprotectedAttrs [1].
        rest.optional(tag::context(1))?;
        if rest.is_empty() {
            Ok(envelope)
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn read_authenticated(element: Element<'a>) -> Result<Self, Malformed> {
        let (mut envelope, mut rest) = Self::read_common(element)?;
        // authAttrs [1], mac, unauthAttrs [2].
        rest.optional(tag::context(1))?;
        envelope.mac = Some(rest.expect(tag::OCTET_STRING)?.value);
        rest.optional(tag::context(2))?;
        if rest.is_empty() {
            Ok(envelope)
        } else {
            Err(Malformed)
        }
    }

    fn read_common(element: Element<'a>) -> Result<(Self, Reader<'a>), Malformed> {
        if element.tag != tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.children();
        fields.expect(tag::INTEGER)?;
        // originatorInfo.
        fields.optional(tag::context(0))?;
        let recipient_infos = fields.expect(tag::SET)?;
        let mut info = fields.sequence()?;
        info.object_identifier()?;
        let mut cipher_fields = info.sequence()?;
        let cipher = cipher_fields.object_identifier()?;
        let parameters = if cipher_fields.is_empty() {
            None
        } else {
            Some(cipher_fields.any()?)
        };
        // RFC 5652 §6.1: absent content is outside, and then this is no mail.
        let content = info.any()?.octets(tag::context_primitive(0))?;
        if !info.is_empty() {
            return Err(Malformed);
        }
        Ok((
            Self {
                recipient_infos,
                cipher,
                parameters,
                content,
                mac: None,
            },
            fields,
        ))
    }

    /// Each RecipientInfo.
    pub(crate) fn recipients(&self) -> Result<Vec<Element<'a>>, Malformed> {
        self.recipient_infos.children().elements()
    }

    /// Octets of ciphertext.
    pub(crate) fn content_size(&self) -> usize {
        self.content.iter().map(|piece| piece.len()).sum()
    }

    /// A structure that can hold an encrypted mail: recipients, and content of a size that its
    /// cipher gives.
    pub(crate) fn is_plausible(&self) -> bool {
        let recipients = self.recipients().is_ok_and(|infos| {
            !infos.is_empty()
                && infos
                    .iter()
                    .all(|info| recipient_info::is_well_formed(*info))
        });
        let size = self.content_size();
        let whole_blocks = size.is_multiple_of(16) || self.mac.is_some();
        let known = ContentCipher::from_oid(self.cipher);
        recipients && size > 0 && (known.is_none() || whole_blocks) && !self.reads_as_text()
    }

    /// Text in the place of a ciphertext. Three of eight octets of a ciphertext are printable;
    /// that nine of ten are happens by chance once in 10^5 contents of sixteen octets and once
    /// in 10^9 of thirty-two. It tells a mistake or a clumsy fake, not a cover for one.
    fn reads_as_text(&self) -> bool {
        let octets = self.content.iter().flat_map(|piece| piece.iter());
        let printable = octets.filter(|octet| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
        printable.count() * 10 > self.content_size() * 9
    }

    /// Rule 11: a plausible structure, AES in the container that goes with it, and every
    /// recipient's key protected by an algorithm of ours.
    pub(crate) fn is_within_floor(&self) -> bool {
        let Some(cipher) = ContentCipher::from_oid(self.cipher) else {
            return false;
        };
        let Ok(recipients) = self.recipients() else {
            return false;
        };
        self.is_plausible()
            && cipher.is_authenticated() == self.mac.is_some()
            && self.has_parameters_of(cipher)
            && recipients.into_iter().all(recipient_info::is_within_floor)
    }

    fn has_parameters_of(&self, cipher: ContentCipher) -> bool {
        let Some(parameters) = self.parameters else {
            return false;
        };
        if !cipher.is_authenticated() {
            return parameters.tag == tag::OCTET_STRING && parameters.value.len() == 16;
        }
        // RFC 5084 §3.2: aes-ICVlen defaults to 12 and is the size of the tag.
        let mut fields = parameters.children();
        let nonce = fields
            .expect(tag::OCTET_STRING)
            .is_ok_and(|nonce| !nonce.value.is_empty());
        let size = match fields.optional(tag::INTEGER) {
            Ok(Some(size)) => size.value.to_vec(),
            Ok(None) => vec![12],
            Err(_) => return false,
        };
        let mac = self.mac.map_or(0, <[u8]>::len);
        nonce && (12..=16).contains(&mac) && size == [mac as u8]
    }

    /// The name of the content cipher, or its object identifier.
    pub(crate) fn cipher_name(&self) -> String {
        match ContentCipher::from_oid(self.cipher) {
            Some(cipher) => cipher.to_string(),
            None => self.cipher.to_string(),
        }
    }
}
