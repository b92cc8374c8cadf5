//! Octets of a named charset → text. mail-parser knows the charsets.
//!
//! Nothing fails: what cannot be decoded becomes U+FFFD, and an unknown charset is read as
//! UTF-8 if it is that, and as windows-1252 otherwise.

use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes `octets` from `charset`, or from what they look like when it says nothing.
pub(crate) fn decode(charset: Option<&str>, octets: &[u8]) -> String {
    let charset = charset.unwrap_or_default().trim().to_ascii_lowercase();
    match charset.as_str() {
        "" | "us-ascii" | "ascii" | "utf-8" | "utf8" | "unknown-8bit" | "x-unknown" => {
            guess(&charset, octets)
        }
        name => match charset_decoder(name.as_bytes()) {
            Some(decoder) => decoder(octets),
            None => guess("", octets),
        },
    }
}

fn guess(charset: &str, octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) if charset.starts_with("utf") => String::from_utf8_lossy(octets).into_owned(),
        Err(_) => charset_decoder(b"windows-1252").map_or_else(
            || String::from_utf8_lossy(octets).into_owned(),
            |decoder| decoder(octets),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn check(charset: Option<&str>, octets: &[u8], expected: &str) {
        assert_eq!(decode(charset, octets), expected);
    }

    #[test]
    fn charsets() {
        check(None, b"abc", "abc");
        check(None, "ä".as_bytes(), "ä");
        check(None, b"\xe4", "ä");
        check(Some("UTF-8"), b"a\xe4", "a\u{fffd}");
        check(Some("iso-8859-1"), b"\xe4", "ä");
        check(Some("ISO-2022-JP"), b"\x1b$B%O\x1b(B", "ハ");
        check(Some("koi8-r"), b"\xf0", "П");
        check(Some("no-such-charset"), "ä".as_bytes(), "ä");
        check(Some(&"x".repeat(500)), b"abc", "abc");
    }
}
