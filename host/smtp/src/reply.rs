//! Replies as they stand on the wire (RFC 5321 §4.2, RFC 2034).

use waxseal_policy::plan::Reply;

/// RFC 5321 §4.5.3.1.5: octets of a reply line, its end included.
const LINE: usize = 512;

/// A reply with its enhanced code.
pub(crate) fn reply(code: u16, enhanced: &str, text: impl Into<String>) -> Reply {
    Reply {
        code,
        enhanced: Some(enhanced.to_owned()),
        text: text.into(),
    }
}

/// Appends the reply as one line.
pub(crate) fn write(reply: &Reply, out: &mut Vec<u8>) {
    let class = reply.code / 100;
    // RFC 2034 §4: every 2yz, 4yz and 5yz has an enhanced code, and of the same class.
    let enhanced = match (&reply.enhanced, class) {
        (_, 3) => String::new(),
        (Some(enhanced), _) if enhanced.starts_with(&format!("{class}.")) => format!("{enhanced} "),
        _ => format!("{class}.0.0 "),
    };
    write_line(reply.code, ' ', &format!("{enhanced}{}", reply.text), out);
}

/// Appends a reply of several lines without enhanced codes: greeting and EHLO (RFC 2034 §4).
pub(crate) fn write_lines(code: u16, lines: &[String], out: &mut Vec<u8>) {
    for (index, line) in lines.iter().enumerate() {
        let separator = if index + 1 == lines.len() { ' ' } else { '-' };
        write_line(code, separator, line, out);
    }
}

fn write_line(code: u16, separator: char, text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(format!("{code:03}{separator}").as_bytes());
    // textstring is HT, SP and printable ASCII. RFC 6531 §3.7.4 lets UTF-8 into the replies of
    // VRFY and EXPN only.
    let clean = text.chars().map(|character| match character {
        ' '..='~' => character as u8,
        _ if character.is_whitespace() => b' ',
        _ => b'?',
    });
    out.extend(clean.take(LINE - 6));
    debug_assert!(out.len() - start <= LINE - 2);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, enhanced: Option<&str>, text: &str, expected: &str) {
        let reply = Reply {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: text.to_owned(),
        };
        let mut out = Vec::new();
        write(&reply, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_reply_is_one_line_with_an_enhanced_code_of_its_class() {
        check(250, Some("2.1.5"), "ok", "250 2.1.5 ok\r\n");
        check(550, None, "no", "550 5.0.0 no\r\n");
        check(451, Some("5.7.1"), "later", "451 4.0.0 later\r\n");
        check(354, None, "go ahead", "354 go ahead\r\n");
        check(
            550,
            Some("5.7.1"),
            "nicht verschlüsselt\r\n250 ok",
            "550 5.7.1 nicht verschl?sselt  250 ok\r\n",
        );
    }

    #[test]
    fn a_line_has_at_most_512_octets() {
        let mut out = Vec::new();
        write(&reply(550, "5.7.1", "x".repeat(2000)), &mut out);
        assert_eq!(out.len(), 512);
    }

    #[test]
    fn all_lines_but_the_last_have_a_hyphen() {
        let mut out = Vec::new();
        let lines = ["a", "b"].map(str::to_owned);
        write_lines(250, &lines, &mut out);
        assert_eq!(out, b"250-a\r\n250 b\r\n");
    }
}
