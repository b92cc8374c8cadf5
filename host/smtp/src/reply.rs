//! Replies as they stand on the wire (RFC 5321 §4.2, RFC 2034).

use waxseal_policy::reply::{LINE_OCTETS, Reply, printable};

/// Appends the reply as one line.
pub(crate) fn write(reply: &Reply, out: &mut Vec<u8>) {
    push(&reply.line(), out);
}

/// Appends a reply of several lines without enhanced codes: greeting and EHLO (RFC 2034 §4).
pub(crate) fn write_lines(code: u16, lines: &[String], out: &mut Vec<u8>) {
    for (index, line) in lines.iter().enumerate() {
        let separator = if index + 1 == lines.len() { ' ' } else { '-' };
        let line = printable(&format!("{code}{separator}{line}"), LINE_OCTETS);
        push(&line, out);
    }
}

fn push(line: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line() {
        let mut out = Vec::new();
        write(&Reply::new(550, "5.7.1", "no\r\n250 ok"), &mut out);
        assert_eq!(out, b"550 5.7.1 no  250 ok\r\n");
    }

    #[test]
    fn all_lines_but_the_last_have_a_hyphen() {
        let mut out = Vec::new();
        let lines = ["a", "b"].map(str::to_owned);
        write_lines(250, &lines, &mut out);
        assert_eq!(out, b"250-a\r\n250 b\r\n");
    }
}
