//! The MIME side of a protected message: its Content-* fields and bodies (RFC 8551 §3.2, §3.5).
//!
//! Bodies are written straight into the message that leaves, so that megabytes are copied once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use waxseal_message::entity;

/// Octets that make one line of base64 (RFC 2045 §6.8: 76 characters).
const LINE: usize = 57;

/// What application/pkcs7-mime holds (RFC 8551 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmimeType {
    Signed,
    Enveloped,
    AuthEnveloped,
}

impl SmimeType {
    fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed-data",
            Self::Enveloped => "enveloped-data",
            Self::AuthEnveloped => "authEnveloped-data",
        }
    }
}

/// A message that is one CMS object, given in pieces.
pub(crate) fn pkcs7_mime(outer: &[Bytes], kind: SmimeType, cms: &[&[u8]]) -> Vec<u8> {
    let media = format!(
        "application/pkcs7-mime; smime-type={}; name=\"smime.p7m\"",
        kind.name()
    );
    let fields = [
        ("Content-Type", media),
        ("Content-Transfer-Encoding", "base64".to_owned()),
        (
            "Content-Disposition",
            "attachment; filename=\"smime.p7m\"".to_owned(),
        ),
    ];
    let head = entity::assemble(outer, &fields, b"");
    let size: usize = cms.iter().map(|piece| piece.len()).sum();
    let mut out = Vec::with_capacity(head.len() + encoded_size(size));
    out.extend_from_slice(&head);
    base64_into(cms, &mut out);
    out
}

/// A multipart/signed message (RFC 8551 §3.5.3, RFC 1847 §2.1): the entity as it is, and the
/// SignedData without content.
pub(crate) fn multipart_signed(
    outer: &[Bytes],
    micalg: &str,
    boundary: &str,
    entity: &[u8],
    cms: &[u8],
) -> Vec<u8> {
    let media = format!(
        "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg={micalg}; \
         boundary=\"{boundary}\""
    );
    let head = entity::assemble(outer, &[("Content-Type", media)], b"");
    let size = head.len() + entity.len() + encoded_size(cms.len()) + 512;
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&head);
    out.extend_from_slice(b"This is a signed message in S/MIME format.\r\n\r\n");
    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
    out.extend_from_slice(entity);
    out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
    out.extend_from_slice(
        b"Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
          Content-Transfer-Encoding: base64\r\n\
          Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
    );
    base64_into(&[cms], &mut out);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// Octets of base64 with a CR LF after each line.
const fn encoded_size(size: usize) -> usize {
    size.div_ceil(LINE) * 78
}

/// Appends the pieces as one base64 text.
fn base64_into(pieces: &[&[u8]], out: &mut Vec<u8>) {
    let mut line = Vec::with_capacity(LINE);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let take = rest.len().min(LINE - line.len());
            let (now, later) = rest.split_at(take);
            line.extend_from_slice(now);
            rest = later;
            if line.len() == LINE {
                push_line(&line, out);
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        push_line(&line, out);
    }
}

fn push_line(line: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; 76];
    // 57 octets are 76 characters, fewer are fewer.
    if let Ok(written) = STANDARD.encode_slice(line, &mut text) {
        out.extend_from_slice(text.get(..written).unwrap_or_default());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_same_in_pieces() {
        let octets: Vec<u8> = (0..=255).cycle().take(300).collect();
        for cuts in [&[][..], &[1], &[57], &[56, 58, 200]] {
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([octets.len()]) {
                pieces.push(&octets[from..cut]);
                from = cut;
            }
            let mut out = Vec::new();
            base64_into(&pieces, &mut out);
            assert!(
                out.split(|octet| *octet == b'\n')
                    .all(|line| line.len() <= 77)
            );
            out.retain(|octet| !b"\r\n".contains(octet));
            assert_eq!(STANDARD.decode(&out).unwrap(), octets);
        }
    }

    #[test]
    fn rule_02_media_type_parameters() {
        let fields = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace("\r\n ", " ");
        let opaque = fields(pkcs7_mime(&[], SmimeType::AuthEnveloped, &[b"x"]));
        assert!(opaque.contains(
            "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data; name=\"smime.p7m\"\r\n"
        ));
        let clear = fields(multipart_signed(&[], "sha-384", "b", b"\r\nx", b"y"));
        assert!(clear.contains("protocol=\"application/pkcs7-signature\"; micalg=sha-384;"));
        assert!(clear.ends_with("\r\n\r\neQ==\r\n\r\n--b--\r\n"));
    }
}
