//! EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083): writes one, and reads any as
//! far as it can be seen without a key. EncryptedData (RFC 5652 §8) is read beside them.

mod cipher;
mod read;

use crate::Context;
use crate::algorithm::{ContentCipher, KeyTransport};
use crate::asn1::{
    algorithm, header, integer, object_identifier, octet_string, sequence, set_of, tag,
};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::recipient_info;
use const_oid::db::rfc5911;
use zeroize::Zeroizing;

pub(crate) use cipher::{ContentAlgorithm, Unreadable};
pub(crate) use read::{EncryptedContent, EncryptedData, Envelope};

/// A ContentInfo in pieces, so that the ciphertext is not copied.
pub(crate) struct Written {
    pub(crate) head: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

/// Octets that encryption for these recipients adds, at most: padding or tag, and what names each
/// recipient and holds the content key for him.
pub(crate) fn growth(recipients: &[Certificate]) -> usize {
    let each = |recipient: &Certificate| {
        let name = recipient.issuer_der().len() + recipient.serial_der().len();
        // What is encrypted to an RSA key has its size; an ephemeral key has the recipient's.
        name + recipient.public_key_info().len() + 512
    };
    recipients.iter().map(each).sum::<usize>() + 512
}

/// Encrypts a content in place for these recipients, under a fresh key and nonce. The vector has
/// room for the padding, so that the plain text is not left behind by a reallocation.
pub(crate) fn write(
    content: Vec<u8>,
    recipients: &[Certificate],
    cipher: ContentCipher,
    transport: KeyTransport,
    around: &Context<'_>,
) -> Result<Written, Error> {
    let mut key = Zeroizing::new(vec![0; cipher.key_size()]);
    around.provider.random(&mut key)?;
    let mut nonce = vec![0; cipher.nonce_size()];
    around.provider.random(&mut nonce)?;
    let mut ciphertext = content;
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
    Ok(Written {
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
