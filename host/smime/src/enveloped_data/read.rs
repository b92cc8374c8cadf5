//! Reads the structures in place, and judges them as far as that goes without a key.

use super::{ContentAlgorithm, Unreadable};
use crate::algorithm::ContentCipher;
use crate::asn1::{Element, Malformed, Reader, joined, tag};
use crate::recipient_info;
use const_oid::ObjectIdentifier;
use std::borrow::Cow;

/// Any EnvelopedData or AuthEnvelopedData.
pub(crate) struct Envelope<'a> {
    /// The SET OF RecipientInfo.
    pub(crate) recipient_infos: Element<'a>,
    /// What is encrypted.
    pub(crate) content: EncryptedContent<'a>,
    /// `[1]` with the authenticated attributes of AuthEnvelopedData.
    pub(crate) attributes: Option<Element<'a>>,
    /// The tag of AuthEnvelopedData.
    pub(crate) mac: Option<Cow<'a, [u8]>>,
}

/// EncryptedContentInfo (RFC 5652 §6.1).
pub(crate) struct EncryptedContent<'a> {
    pub(crate) content_type: ObjectIdentifier,
    /// Object identifier of the content cipher.
    cipher: ObjectIdentifier,
    /// Its parameters.
    parameters: Option<Element<'a>>,
    /// The pieces of the encrypted content.
    pub(crate) pieces: Vec<&'a [u8]>,
}

/// Any EncryptedData (RFC 5652 §8): an envelope without recipients.
pub(crate) struct EncryptedData<'a> {
    pub(crate) content: EncryptedContent<'a>,
}

impl<'a> EncryptedData<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.fields()?;
        fields.expect(tag::INTEGER)?;
        let content = EncryptedContent::read(fields.sequence()?)?;
        // unprotectedAttrs [1].
        fields.optional(tag::context(1))?;
        fields.end()?;
        Ok(Self { content })
    }
}

impl<'a> EncryptedContent<'a> {
    fn read(mut info: Reader<'a>) -> Result<Self, Malformed> {
        let content_type = info.object_identifier()?;
        let mut cipher_fields = info.sequence()?;
        let cipher = cipher_fields.object_identifier()?;
        let parameters = if cipher_fields.is_empty() {
            None
        } else {
            Some(cipher_fields.any()?)
        };
        // RFC 5652 §6.1: absent content is outside, and then this is no mail.
        let pieces = info.any()?.octets(tag::context_primitive(0))?;
        info.end()?;
        Ok(Self {
            content_type,
            cipher,
            parameters,
            pieces,
        })
    }

    /// Octets of it.
    pub(crate) fn size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// The content cipher with its parameters.
    pub(crate) fn algorithm(&self) -> Result<ContentAlgorithm, Unreadable> {
        ContentAlgorithm::read(self.cipher, self.parameters)
    }

    /// The name of the content cipher, or its object identifier.
    pub(crate) fn cipher_name(&self) -> String {
        match ContentAlgorithm::cipher_of(self.cipher, self.parameters) {
            Some(cipher) => cipher.to_string(),
            None => self.cipher.to_string(),
        }
    }

    /// Text in the place of a ciphertext. Three of eight octets of a ciphertext are printable;
    /// that nine of ten are happens by chance once in 10^5 contents of sixteen octets and once
    /// in 10^9 of thirty-two. It tells a mistake or a clumsy fake, not a cover for one.
    fn reads_as_text(&self) -> bool {
        let is_printable = |octet: &&u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        let pieces = self.pieces.iter();
        let printable = pieces.map(|piece| piece.iter().filter(is_printable).count());
        printable.sum::<usize>() * 10 > self.size() * 9
    }
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let (envelope, mut rest) = Self::read_common(element)?;
        // unprotectedAttrs [1].
        rest.optional(tag::context(1))?;
        rest.end()?;
        Ok(envelope)
    }

    pub(crate) fn read_authenticated(element: Element<'a>) -> Result<Self, Malformed> {
        let (mut envelope, mut rest) = Self::read_common(element)?;
        // RFC 5083 §2.1: authAttrs [1], mac, unauthAttrs [2].
        envelope.attributes = rest.optional(tag::context(1))?;
        let mac = rest.any()?.octets(tag::OCTET_STRING)?;
        envelope.mac = Some(joined(&mac));
        rest.optional(tag::context(2))?;
        rest.end()?;
        Ok(envelope)
    }

    fn read_common(element: Element<'a>) -> Result<(Self, Reader<'a>), Malformed> {
        let mut fields = element.fields()?;
        fields.expect(tag::INTEGER)?;
        // originatorInfo.
        fields.optional(tag::context(0))?;
        let recipient_infos = fields.expect(tag::SET)?;
        let content = EncryptedContent::read(fields.sequence()?)?;
        Ok((
            Self {
                recipient_infos,
                content,
                attributes: None,
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
        self.content.size()
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
        let known = ContentCipher::from_oid(self.content.cipher);
        recipients && size > 0 && (known.is_none() || whole_blocks) && !self.content.reads_as_text()
    }

    /// Rule 11: a plausible structure, AES in the container that goes with it, and every
    /// recipient's key protected by an algorithm of ours.
    pub(crate) fn is_within_floor(&self) -> bool {
        let Ok(algorithm) = self.content.algorithm() else {
            return false;
        };
        let Ok(recipients) = self.recipients() else {
            return false;
        };
        self.is_plausible()
            && !algorithm.cipher.is_weak()
            && algorithm.cipher.is_authenticated() == self.mac.is_some()
            && algorithm.fits_tag(self.mac.as_deref())
            && recipients.into_iter().all(recipient_info::is_within_floor)
    }
}
