//! The octets of SMFIR_REPLYCODE.
//!
//! MTAs hand them to the client after a look: Postfix wants a code, a separator and an enhanced
//! code of the same class, or drops the filter; both take `%` for the start of a format, so that
//! it stands doubled. A reply that is anything else becomes a temporary failure.

use waxseal_policy::plan::Reply;

/// RFC 5321 §4.5.3.1.5: 512 octets with CRLF.
const LINE: usize = 510;

/// One line: code, enhanced code, the message's id, text. The id is what whoever reads a bounce
/// can ask about; a reply of the relay's has it already.
pub(crate) fn octets(reply: &Reply, id: &str) -> Vec<u8> {
    let class = match reply.code {
        400..=499 => '4',
        500..=599 => '5',
        _ => return octets(&internal(), id),
    };
    let enhanced = match &reply.enhanced {
        Some(enhanced) if is_enhanced(enhanced, class) => enhanced.clone(),
        _ => format!("{class}.0.0"),
    };
    let named = format!("id={id}");
    let mut line = format!("{} {enhanced} ", reply.code);
    if !reply.text.starts_with(&named) {
        line += &format!("{named} ");
    }
    let room = LINE.saturating_sub(line.len());
    // RFC 5321 §4.2: printable US-ASCII.
    let printable = reply.text.chars().map(|c| match c {
        ' '..='~' => c,
        _ if c.is_control() => ' ',
        _ => '?',
    });
    line.extend(printable.take(room));
    line.replace('%', "%%").into_bytes()
}

fn is_enhanced(text: &str, class: char) -> bool {
    let mut parts = text.split('.');
    let number = |part: Option<&str>| {
        part.is_some_and(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
        })
    };
    let mut is_class = [0; 4];
    parts.next() == Some(class.encode_utf8(&mut is_class))
        && number(parts.next())
        && number(parts.next())
        && parts.next().is_none()
}

fn internal() -> Reply {
    Reply {
        code: 451,
        enhanced: Some("4.3.0".to_owned()),
        text: "internal error; try again later".to_owned(),
    }
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
        let octets = octets(&reply, "7f");
        assert_eq!(String::from_utf8(octets).unwrap(), expected);
    }

    #[test]
    fn replies_are_one_line_that_every_mta_takes() {
        check(550, Some("5.7.1"), "no", "550 5.7.1 id=7f no");
        check(451, None, "later", "451 4.0.0 id=7f later");
        check(550, Some("4.7.1"), "no", "550 5.0.0 id=7f no");
        check(550, Some("5.7.1"), "id=7f no", "550 5.7.1 id=7f no");
        check(550, Some("5.7"), "no", "550 5.0.0 id=7f no");
        check(
            550,
            Some("5.7.1"),
            "100% a\r\n250 b é",
            "550 5.7.1 id=7f 100%% a  250 b ?",
        );
    }

    #[test]
    fn what_refuses_nothing_defers() {
        for code in [0, 250, 354, 600, u16::MAX] {
            check(
                code,
                None,
                "fine",
                "451 4.3.0 id=7f internal error; try again later",
            );
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let reply = Reply {
            code: 550,
            enhanced: None,
            text: "x".repeat(2000),
        };
        let octets = octets(&reply, "7f");
        assert_eq!(octets.len(), LINE);
        assert!(octets.starts_with(b"550 5.0.0 id=7f xx"));
    }
}
