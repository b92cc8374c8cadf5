//! Edits of header fields. Each makes a new message; the body is shared.
//!
//! Values are plain text: folded, and encoded where they are not ASCII. A control character
//! is an error, so no value can end its field and begin another. `Content-*` and
//! `MIME-Version` belong to the content and are refused.

use std::borrow::Cow;

use crate::field::is_content_name;
use crate::fold::fold;
use crate::{Error, Field, Message, address, encoded_word};

/// What becomes of a field in [`Message::with_fields_edited`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldEdit {
    /// It stays as it stands.
    Keep,
    /// It goes.
    Remove,
    /// It gets this value.
    Replace(String),
}

impl Message {
    /// With a field on top of the others.
    pub fn with_field_added(&self, name: &str, value: &str) -> Result<Self, Error> {
        let field = self.new_field(name, value)?;
        let pieces =
            std::iter::once(field.as_bytes()).chain(self.fields().map(|field| field.raw()));
        Ok(self.rebuilt(pieces))
    }

    /// With one field of this name, where the first of them stood, or on top if there was none.
    pub fn with_field_replaced(&self, name: &str, value: &str) -> Result<Self, Error> {
        let Some(first) = self.first(name).map(|field| field.index()) else {
            return self.with_field_added(name, value);
        };
        let new = self.new_field(name, value)?;
        let pieces = self.fields().filter_map(|field| match field.index() {
            index if index == first => Some(new.as_bytes()),
            _ if field.is_named(name) => None,
            _ => Some(field.raw()),
        });
        Ok(self.rebuilt(pieces))
    }

    /// Without the field at a position.
    pub fn with_field_removed(&self, index: usize) -> Result<Self, Error> {
        let field = self.field(index).ok_or(Error::NoSuchField { index })?;
        if field.is_content() {
            return Err(Error::ContentField(field.name().to_owned()));
        }
        Ok(self.rebuilt(
            self.fields()
                .filter(|field| field.index() != index)
                .map(|field| field.raw()),
        ))
    }

    /// Without the fields of this name. `Content-*` and `MIME-Version` stay.
    pub fn with_fields_removed(&self, name: &str) -> Self {
        if is_content_name(name) || self.first(name).is_none() {
            return self.clone();
        }
        self.rebuilt(
            self.fields()
                .filter(|field| !field.is_named(name))
                .map(|field| field.raw()),
        )
    }

    /// With what `edit` says of each field, in one pass. `Content-*` and `MIME-Version` stay, and
    /// it is not asked about them.
    pub fn with_fields_edited(
        &self,
        mut edit: impl FnMut(&Field<'_>) -> FieldEdit,
    ) -> Result<Self, Error> {
        let mut changed = false;
        let mut pieces: Vec<Cow<'_, [u8]>> = Vec::with_capacity(self.field_count());
        for field in self.fields() {
            let fate = if field.is_content() {
                FieldEdit::Keep
            } else {
                edit(&field)
            };
            changed |= fate != FieldEdit::Keep;
            match fate {
                FieldEdit::Keep => pieces.push(field.raw().into()),
                FieldEdit::Remove => {}
                FieldEdit::Replace(value) => {
                    let new = self.new_field(field.name(), &value)?;
                    pieces.push(new.into_bytes().into());
                }
            }
        }
        if !changed {
            return Ok(self.clone());
        }
        Ok(self.rebuilt(pieces.iter().map(|piece| &**piece)))
    }

    /// A new field in this message's own line ends.
    fn new_field(&self, name: &str, value: &str) -> Result<String, Error> {
        // RFC 5322 §2.2; the length is ours, so that the name never fills a line.
        let is_name = !name.is_empty()
            && name.len() <= 76
            && name
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && octet != b':');
        if !is_name {
            return Err(Error::InvalidName(name.to_owned()));
        }
        if is_content_name(name) {
            return Err(Error::ContentField(name.to_owned()));
        }
        if let Some(control) = value
            .chars()
            .find(|character| character.is_control() && *character != '\t')
        {
            return Err(Error::ControlCharacter {
                name: name.to_owned(),
                code: control.into(),
            });
        }
        let value = value.trim_matches([' ', '\t']);
        Ok(fold(name, &encode(name, value), self.own_line_end()))
    }

    /// The line end that its first field has.
    fn own_line_end(&self) -> &'static str {
        let first = crate::line::Line::at(self.head(), 0);
        let is_lf = match first.map(|line| line.ending(self.head())) {
            Some(b"\n") => true,
            Some(b"\r\n") => false,
            _ => self.is_lf_file(),
        };
        if is_lf { "\n" } else { "\r\n" }
    }

    /// The message with these fields, between the mbox line and the empty line.
    fn rebuilt<'a>(&self, fields: impl Iterator<Item = &'a [u8]>) -> Self {
        let spans = self.head_spans();
        let above = spans
            .fields
            .first()
            .map_or(spans.length - spans.empty_line, |first| first.name.start);
        let mut head = Vec::with_capacity(self.head().len() + 256);
        let line_end = self.own_line_end().as_bytes();
        let mut push = |piece: &[u8]| {
            head.extend_from_slice(piece);
            if !piece.is_empty() && !piece.ends_with(b"\n") {
                head.extend_from_slice(line_end);
            }
        };
        push(&self.head()[..above]);
        fields.for_each(&mut push);
        match spans.empty_line {
            // The empty line that was missing: without it the body might be read as fields.
            0 => head.extend_from_slice(line_end),
            length => head.extend_from_slice(&self.head()[spans.length - length..]),
        }
        self.with_head(head)
    }
}

/// Encodes the value for its field: words of text, or the display names of addresses.
fn encode(name: &str, value: &str) -> String {
    if value.is_ascii() && !value.contains("=?") {
        return value.to_owned();
    }
    if address::is_address_field(name) {
        // RFC 2047 §5 (3): an encoded word may stand for a phrase, never in an address.
        if let Some(mailboxes) = address::parse_exactly(value) {
            return mailboxes
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
        }
    }
    encoded_word::encode(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn parse(octets: &str) -> Message {
        Message::parse(octets.to_owned(), &Limits::default()).unwrap()
    }

    fn check(edited: &Message, expected: &str) {
        assert_eq!(
            String::from_utf8(edited.to_bytes().to_vec()).unwrap(),
            expected
        );
        assert_eq!(&parse(expected), edited);
        assert_eq!(parse(expected).field_count(), edited.field_count());
    }

    #[test]
    fn adds_on_top() {
        check(
            &parse("A: 1\r\n\r\nx").with_field_added("B", "2").unwrap(),
            "B: 2\r\nA: 1\r\n\r\nx",
        );
        check(
            &parse("A: 1\n\nx").with_field_added("B", "2").unwrap(),
            "B: 2\nA: 1\n\nx",
        );
        check(
            &parse("From x\nA: 1\n\nx")
                .with_field_added("B", "2")
                .unwrap(),
            "From x\nB: 2\nA: 1\n\nx",
        );
        check(
            &parse("\r\nx").with_field_added("B", "2").unwrap(),
            "B: 2\r\n\r\nx",
        );
        check(
            &parse("").with_field_added("B", "2").unwrap(),
            "B: 2\r\n\r\n",
        );
        check(
            &parse("body").with_field_added("B", "2").unwrap(),
            "B: 2\r\n\r\nbody",
        );
        check(
            &parse("A: 1").with_field_added("B", "2").unwrap(),
            "B: 2\r\nA: 1\r\n\r\n",
        );
        check(
            &parse("A: 1\nbody").with_field_added("B", "2").unwrap(),
            "B: 2\nA: 1\n\nbody",
        );
    }

    #[test]
    fn replaces_all_by_one() {
        let message = parse("A: 1\r\nB: 1\r\na: 2\r\n\r\nx");
        check(
            &message.with_field_replaced("a", "3").unwrap(),
            "a: 3\r\nB: 1\r\n\r\nx",
        );
        check(
            &message.with_field_replaced("C", "3").unwrap(),
            "C: 3\r\nA: 1\r\nB: 1\r\na: 2\r\n\r\nx",
        );
    }

    #[test]
    fn removes() {
        let message = parse("A: 1\r\n 1\r\nB: 1\r\na: 2\r\nContent-Type: text/html\r\n\r\nx");
        check(
            &message.with_fields_removed("A"),
            "B: 1\r\nContent-Type: text/html\r\n\r\nx",
        );
        check(
            &message.with_field_removed(1).unwrap(),
            "A: 1\r\n 1\r\na: 2\r\nContent-Type: text/html\r\n\r\nx",
        );
        assert_eq!(message.with_fields_removed("content-type"), message);
        assert_eq!(
            message.with_field_removed(3),
            Err(Error::ContentField("Content-Type".into()))
        );
        assert_eq!(
            message.with_field_removed(4),
            Err(Error::NoSuchField { index: 4 })
        );
    }

    #[test]
    fn edits_many_fields_in_one_pass() {
        let message = parse("A: 1\r\nB: 1\r\nA: 2\r\nContent-Type: text/html\r\n\r\nx");
        let edited = message.with_fields_edited(|field| match (field.name(), field.index()) {
            ("A", 0) => FieldEdit::Remove,
            ("B", _) => FieldEdit::Replace("3".into()),
            ("Content-Type", _) => FieldEdit::Remove,
            _ => FieldEdit::Keep,
        });
        check(
            &edited.unwrap(),
            "B: 3\r\nA: 2\r\nContent-Type: text/html\r\n\r\nx",
        );
        let kept = message.with_fields_edited(|_| FieldEdit::Keep).unwrap();
        assert_eq!(kept.head().as_ptr(), message.head().as_ptr());
        let injected = message.with_fields_edited(|_| FieldEdit::Replace("a\r\nB: 1".into()));
        assert!(matches!(injected, Err(Error::ControlCharacter { .. })));
    }

    #[test]
    fn refuses_what_would_inject() {
        let message = parse("A: 1\r\n\r\n");
        for value in ["a\r\nBcc: x", "a\nb", "a\rb", "a\0b", "a\u{85}b", "\u{7f}"] {
            assert!(
                matches!(
                    message.with_field_added("X", value),
                    Err(Error::ControlCharacter { .. })
                ),
                "{value:?}"
            );
        }
        for name in ["", "a b", "a:", "ä", "a\n", &"x".repeat(77)] {
            assert!(
                matches!(
                    message.with_field_added(name, "v"),
                    Err(Error::InvalidName(_))
                ),
                "{name:?}"
            );
        }
        for name in ["Content-Type", "content-x", "MIME-version"] {
            assert!(
                matches!(
                    message.with_field_replaced(name, "v"),
                    Err(Error::ContentField(_))
                ),
                "{name:?}"
            );
        }
    }

    #[test]
    fn shares_the_body_and_the_tree() {
        let message =
            parse("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");
        let edited = message.with_field_added("A", "1").unwrap();
        assert_eq!(edited.body().as_ptr(), message.body().as_ptr());
        assert_eq!(edited.part("1.1").unwrap().raw_body(), b"x");
        assert!(edited.root().raw().starts_with(b"A: 1\r\nContent-Type"));
    }

    fn check_value(name: &str, value: &str, raw: &str) {
        let edited = parse("A: 1\r\n\r\n").with_field_added(name, value).unwrap();
        let field = edited.field(0).unwrap();
        assert_eq!(String::from_utf8_lossy(field.raw()), raw);
        assert_eq!(field.value(), value.trim());
    }

    #[test]
    fn encodes_values() {
        check_value(
            "Subject",
            "Grüße, all",
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe=2C?= all\r\n",
        );
        check_value(
            "Subject",
            "a =?utf-8?q?b?=",
            "Subject: a =?utf-8?q?=3D=3Futf=2D8=3Fq=3Fb=3F=3D?=\r\n",
        );
        check_value(
            "Sender",
            "Jörg Müller <j@x.example>",
            "Sender: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <j@x.example>\r\n",
        );
    }

    #[test]
    fn folds_long_values() {
        let value = "word ".repeat(400) + "Grüße";
        let edited = parse("A: 1\n\n")
            .with_field_added("Subject", &value)
            .unwrap();
        assert!(
            edited
                .head()
                .split(|octet| *octet == b'\n')
                .all(|line| line.len() <= 78)
        );
        assert_eq!(edited.first("subject").unwrap().value(), value);
        assert_eq!(edited.field_count(), 2);
    }
}
