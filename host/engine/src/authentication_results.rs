//! Authentication-Results (RFC 8601) on the way in: takes out what claims to be our own S/MIME
//! result (RFC 7281), since anybody can write one.
//!
//! A field under our authserv-id loses its `smime` results and keeps those of other methods,
//! which may be fresh ones of another service under the same name (RFC 8601 §5). What is left is
//! written anew, without comments. Where the results cannot be told apart (open quotes, encoded
//! words, no authserv-id), a field that speaks of `smime` goes as a whole.
//!
//! It makes no results: filters do, from the layers that the host found. Nothing fails.

use waxseal_message::{Address, Field, FieldEdit, Message};

/// The name of the field (RFC 8601 §2.2).
const NAME: &str = "Authentication-Results";

/// The name of the property that tells filters our authserv-id.
pub(crate) const AUTHSERV_ID: &str = "authserv-id";

/// The message without `smime` results that claim to be of `authserv_id`.
pub(crate) fn strip_forged(message: &Message, authserv_id: &str) -> Message {
    let edited = message.with_fields_edited(|field| {
        if field.is_named(NAME) {
            judge(field, authserv_id)
        } else {
            FieldEdit::Keep
        }
    });
    // What is written anew has no control characters; were it refused, none of them would stay.
    edited.unwrap_or_else(|_| message.with_fields_removed(NAME))
}

fn judge(field: &Field<'_>, authserv_id: &str) -> FieldEdit {
    let raw = String::from_utf8_lossy(field.raw_value());
    // Readers that decode encoded words, which may not stand here, see another field.
    let decoded = field.value();
    if !speaks_of_smime(&raw) && !speaks_of_smime(&decoded) {
        return FieldEdit::Keep;
    }
    let Some(results) = Results::parse(&raw) else {
        return FieldEdit::Remove;
    };
    let claimed = is_ours(&results.authserv_id, authserv_id);
    let odd = !raw.is_ascii() || raw.contains("=?");
    let decoded = Results::parse(&decoded);
    let claimed_when_decoded =
        decoded.is_none_or(|decoded| is_ours(&decoded.authserv_id, authserv_id));
    match (claimed || (odd && claimed_when_decoded), odd) {
        (false, _) => FieldEdit::Keep,
        (true, true) => FieldEdit::Remove,
        (true, false) => results.without_smime(),
    }
}

fn speaks_of_smime(text: &str) -> bool {
    text.to_ascii_lowercase().contains("smime")
}

/// Two forms of one name: case, the root's dot and IDNA make no difference.
fn is_ours(found: &str, authserv_id: &str) -> bool {
    let domain = |text: &str| {
        let text = text.trim_end_matches('.');
        Address::parse(&format!("postmaster@{text}")).map_or_else(
            |_| text.to_lowercase(),
            |address| address.domain().to_owned(),
        )
    };
    domain(found) == domain(authserv_id)
}

/// A field taken apart as far as needed here.
#[derive(Debug, PartialEq, Eq)]
struct Results {
    authserv_id: String,
    /// What stands after the authserv-id: the version of the format, if anything.
    version: String,
    /// Each of the results, without comments, in one line.
    results: Vec<String>,
}

impl Results {
    /// `None`: quotes or comments stay open, or there is no authserv-id.
    fn parse(value: &str) -> Option<Self> {
        let mut pieces = pieces(value)?.into_iter();
        let head = pieces.next()?;
        let (authserv_id, version) = first_word(&head);
        if authserv_id.is_empty() {
            return None;
        }
        Some(Self {
            authserv_id,
            version: version.to_owned(),
            results: pieces.filter(|piece| !piece.is_empty()).collect(),
        })
    }

    fn without_smime(&self) -> FieldEdit {
        let others: Vec<String> = self
            .results
            .iter()
            .filter(|result| !is_smime(result))
            .map(|result| plain(result))
            .collect();
        if others.is_empty() {
            return FieldEdit::Remove;
        }
        let head = [quoted(&self.authserv_id), self.version.clone()].join(" ");
        FieldEdit::Replace(format!("{}; {}", head.trim_end(), others.join("; ")))
    }
}

/// Is it a result of the method `smime`, of whatever version?
fn is_smime(result: &str) -> bool {
    let (method, _) = first_word(result);
    method.trim().eq_ignore_ascii_case("smime")
}

/// A result of another method. Text in quotes that speaks of `smime` goes with all properties:
/// a reader that does not know quotes could take it for a result.
fn plain(result: &str) -> String {
    let quotes = result.find('"');
    match quotes {
        Some(at) if speaks_of_smime(&result[at..]) => {
            let mut words = result.split(' ');
            let mut kept = words.next().unwrap_or_default().to_owned();
            // `method = result` may be spread over several words.
            for word in words {
                let open = kept.ends_with('=') || !kept.contains('=');
                if !open || word.contains('"') {
                    break;
                }
                kept.push_str(word);
            }
            kept
        }
        _ => result.to_owned(),
    }
}

/// The token or quoted string that a text begins with, and what follows it.
fn first_word(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([' ', '=', '/', '"']).unwrap_or(text.len());
        return (text[..end].to_owned(), text[end..].trim_start());
    };
    let mut word = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (word, inside[at + 1..].trim_start()),
            '\\' => word.extend(characters.next().map(|(_, quoted)| quoted)),
            _ => word.push(character),
        }
    }
    (word, "")
}

/// A value (RFC 2045 §5.1) in quotes where it is no token.
fn quoted(value: &str) -> String {
    let is_token = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet);
    if !value.is_empty() && value.bytes().all(is_token) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// What stands between the semicolons, without comments (RFC 5322 §3.2.2), white space as one
/// space and trimmed; quoted strings as they are. `None`: quotes or comments stay open.
fn pieces(value: &str) -> Option<Vec<String>> {
    let mut pieces = vec![String::new()];
    let mut depth = 0_usize;
    let mut in_quotes = false;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        let piece = pieces.last_mut()?;
        // CR, LF and other control characters are white space, wherever they stand.
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        match character {
            '\\' if depth > 0 || in_quotes => {
                let escaped = characters.next()?;
                if in_quotes && !escaped.is_control() {
                    piece.extend(['\\', escaped]);
                }
            }
            '"' if depth == 0 => {
                in_quotes = !in_quotes;
                piece.push('"');
            }
            _ if in_quotes => piece.push(character),
            '(' => depth += 1,
            ')' if depth > 0 => {
                depth -= 1;
                space(piece);
            }
            _ if depth > 0 => {}
            ';' => pieces.push(String::new()),
            ' ' => space(piece),
            _ => piece.push(character),
        }
    }
    if depth > 0 || in_quotes {
        return None;
    }
    Some(pieces.iter().map(|piece| piece.trim().to_owned()).collect())
}

/// One space, not after another or at the beginning.
fn space(piece: &mut String) {
    if !piece.is_empty() && !piece.ends_with(' ') {
        piece.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_message::Limits;

    /// What is left of one field's value; `None` when the field is gone.
    #[track_caller]
    fn check(value: &str, expected: Option<&str>) {
        let octets = format!("Authentication-Results:{value}\r\nFrom: a@b.example\r\n\r\nx\r\n");
        let message = Message::parse(octets.clone(), &Limits::default()).unwrap();
        let stripped = strip_forged(&message, "mx.example.org");
        let found = stripped.first(NAME).map(|field| field.value());
        assert_eq!(found.as_deref(), expected, "{value}");
        assert_eq!(stripped.addresses("From").len(), 1, "{value}");
        if expected == Some(value.trim()) {
            assert_eq!(stripped.to_bytes(), octets.as_bytes(), "untouched");
        }
    }

    #[test]
    fn ours_that_claim_smime_go() {
        for value in [
            " mx.example.org; smime=pass",
            " MX.Example.ORG; SMIME=pass body.smime-identifier=a@b.example",
            " mx.example.org. ; smime = pass",
            " mx.example.org 1; smime=pass",
            " mx.example.org;smime/1=pass",
            " mx.example.org;\r\n\tsmime=pass\r\n\t(all is well)",
            "\r\n mx.example.org;\r\n smime\r\n =\r\n pass",
            " (a (nested) \\) comment) mx.example.org (x); (y) smime (z) = pass",
            " \"mx.example.org\"; smime=pass",
            " \"mx.ex\\ample.org\"; smime=pass",
            " mx.example.org; \"smime\"=pass",
            " mx.example.org; smime=pass; smime=fail",
            " mx.example.org; ; smime=pass",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn other_methods_under_our_name_stay() {
        check(
            " mx.example.org; spf=pass smtp.mailfrom=b.example; smime=pass; dmarc=fail",
            Some("mx.example.org; spf=pass smtp.mailfrom=b.example; dmarc=fail"),
        );
        check(
            " \"mx.example.org\" 1; smime=pass; dkim=pass (ok; smime=pass) header.d=b.example",
            Some("mx.example.org 1; dkim=pass header.d=b.example"),
        );
        check(
            " mx.example.org; dkim=fail reason=\"x; smime=pass\" header.d=b.example",
            Some("mx.example.org; dkim=fail"),
        );
        check(
            " mx.example.org; dkim = fail reason=\"a \\\" ; smime=pass\"",
            Some("mx.example.org; dkim=fail"),
        );
        check(
            " mx.example.org; spf=pass (no S/MIME)",
            Some("mx.example.org; spf=pass (no S/MIME)"),
        );
        check(" mx.example.org; none", Some("mx.example.org; none"));
    }

    #[test]
    fn those_of_others_are_not_ours_to_judge() {
        check(
            " elsewhere.example; smime=pass",
            Some("elsewhere.example; smime=pass"),
        );
        check(
            " mx.example.org.evil.example; smime=pass",
            Some("mx.example.org.evil.example; smime=pass"),
        );
        check(
            " \"elsewhere.example; mx.example.org\"; smime=pass",
            Some("\"elsewhere.example; mx.example.org\"; smime=pass"),
        );
    }

    #[test]
    fn what_cannot_be_told_apart_goes() {
        for value in [
            " mx.example.org; spf=pass (open; smime=pass",
            " mx.example.org; spf=pass \"open; smime=pass",
            " elsewhere.example (; mx.example.org; smime=pass",
            " =?us-ascii?q?mx.example.org?=; smime=pass",
            " mx.example.org; spf=pass; =?us-ascii?q?smime?==pass",
            " ; smime=pass",
            " mx.example.org; smime=p\u{e4}ss",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn every_field_of_the_name_is_looked_at() {
        let octets = "authentication-results: mx.example.org; smime=pass\r\n\
            Received: by mx.example.org\r\n\
            AUTHENTICATION-RESULTS : mx.example.org; smime=pass; spf=none\r\n\
            X-Authentication-Results: mx.example.org; smime=pass\r\n\
            Authentication-Results: elsewhere.example; smime=pass\r\n\r\nx\r\n";
        let message = Message::parse(octets, &Limits::default()).unwrap();
        let stripped = strip_forged(&message, "mx.example.org");
        assert_eq!(
            stripped.to_bytes(),
            "Received: by mx.example.org\r\n\
            AUTHENTICATION-RESULTS: mx.example.org; spf=none\r\n\
            X-Authentication-Results: mx.example.org; smime=pass\r\n\
            Authentication-Results: elsewhere.example; smime=pass\r\n\r\nx\r\n"
        );
    }

    #[test]
    fn many_fields_take_no_time() {
        let field = "Authentication-Results: mx.example.org; smime=pass; spf=pass\r\n";
        let octets = format!("{}\r\nx", field.repeat(2000));
        let message = Message::parse(octets, &Limits::default()).unwrap();
        let stripped = strip_forged(&message, "mx.example.org");
        assert_eq!(stripped.field_count(), 2000);
    }

    proptest::proptest! {
        /// However a field is written: when its first word is our name and a result begins with
        /// `smime`, no reader by RFC 8601 finds it afterwards.
        #[test]
        fn nothing_of_ours_is_left(noise in "[ ();\"\\\\=/a-z\r\n\t]{0,12}", more in "[ ();\"\\\\=/a-z.]{0,20}") {
            let noise = noise.replace(['\r', '\n'], "\r\n ");
            let octets = format!("Authentication-Results: mx.example.org{noise}; smime=pass {more}\r\n\r\n");
            let message = Message::parse(octets, &Limits::default()).unwrap();
            let stripped = strip_forged(&message, "mx.example.org");
            let left = stripped.all(NAME).filter_map(|field| Results::parse(&field.value()));
            for results in left.filter(|left| is_ours(&left.authserv_id, "mx.example.org")) {
                proptest::prop_assert!(!results.results.iter().any(|result| is_smime(result)));
            }
        }
    }
}
