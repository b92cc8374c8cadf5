//! Digests of a signed content, each computed once however many signers there are.

use crate::algorithm::DigestAlgorithm;
use crate::provider::Provider;
use std::borrow::Cow;

/// Whether the content stands apart from its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Apart,
}

/// A signed content.
pub(super) struct Digests<'a> {
    content: &'a [u8],
    place: Place,
    provider: &'a dyn Provider,
    known: Vec<(DigestAlgorithm, Form, Vec<u8>)>,
}

/// How the octets are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsItStands,
    Canonical,
}

impl<'a> Digests<'a> {
    pub(super) fn new(content: &'a [u8], place: Place, provider: &'a dyn Provider) -> Self {
        Self {
            content,
            place,
            provider,
            known: Vec::new(),
        }
    }

    /// The content as it stands.
    pub(super) fn content(&self) -> &'a [u8] {
        self.content
    }

    /// The content in canonical form, where that is worth a try: mail that was saved with the
    /// line ends of a file was signed with CRLF (RFC 8551 §3.1.1).
    pub(super) fn canonical(&self) -> Option<Vec<u8>> {
        let mut canonical = Vec::with_capacity(self.content.len());
        self.may_be_converted().then(|| {
            pieces(self.content, |piece| canonical.extend_from_slice(piece));
            canonical
        })
    }

    /// True if the content has this digest, as it stands or in canonical form.
    pub(super) fn matches(&mut self, algorithm: DigestAlgorithm, stated: &[u8]) -> bool {
        if *self.of(algorithm, Form::AsItStands) == *stated {
            return true;
        }
        self.may_be_converted() && *self.of(algorithm, Form::Canonical) == *stated
    }

    fn may_be_converted(&self) -> bool {
        self.place == Place::Apart && has_bare_line_ends(self.content)
    }

    fn of(&mut self, algorithm: DigestAlgorithm, form: Form) -> Cow<'_, [u8]> {
        let is_it =
            |known: &(DigestAlgorithm, Form, Vec<u8>)| (known.0, known.1) == (algorithm, form);
        if let Some(at) = self.known.iter().position(is_it) {
            let known = self.known.get(at).map(|known| known.2.as_slice());
            return Cow::Borrowed(known.unwrap_or_default());
        }
        let mut hasher = self.provider.hasher(algorithm);
        match form {
            Form::AsItStands => hasher.update(self.content),
            Form::Canonical => pieces(self.content, |piece| hasher.update(piece)),
        }
        let digest = hasher.finish();
        self.known.push((algorithm, form, digest.clone()));
        Cow::Owned(digest)
    }
}

fn is_line_end(octet: &u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

/// Any CR or LF that is not part of CRLF.
fn has_bare_line_ends(content: &[u8]) -> bool {
    let mut rest = content;
    while let Some(at) = rest.iter().position(is_line_end) {
        let (_, from) = rest.split_at(at);
        let Some(after) = from.strip_prefix(b"\r\n") else {
            return true;
        };
        rest = after;
    }
    false
}

/// The content with CRLF for every CRLF, LF and CR.
fn pieces(content: &[u8], mut take: impl FnMut(&[u8])) {
    let mut rest = content;
    while let Some(at) = rest.iter().position(is_line_end) {
        let (line, from) = rest.split_at(at);
        take(line);
        take(b"\r\n");
        let after = from.strip_prefix(b"\r\n");
        rest = after.or_else(|| from.get(1..)).unwrap_or_default();
    }
    take(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form() {
        for (content, bare, expected) in [
            (&b"a\r\nb\r\n"[..], false, &b"a\r\nb\r\n"[..]),
            (b"a\nb\n", true, b"a\r\nb\r\n"),
            (b"a\rb", true, b"a\r\nb"),
            (b"a\r\r\n\n", true, b"a\r\n\r\n\r\n"),
            (b"", false, b""),
            (b"a", false, b"a"),
        ] {
            let mut out = Vec::new();
            pieces(content, |piece| out.extend_from_slice(piece));
            assert_eq!(out, expected, "{content:?}");
            assert_eq!(has_bare_line_ends(content), bare, "{content:?}");
        }
    }
}
