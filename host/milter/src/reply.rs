//! The octets of SMFIR_REPLYCODE.
//!
//! MTAs hand them to the client after a look: Postfix wants a code, a separator and an enhanced
//! code of the same class, or drops the filter; both take `%` for the start of a format, so that
//! it stands doubled. A reply that is anything else becomes a temporary failure.

use waxseal_policy::reply::Reply;

/// One line: code, enhanced code, the message's id, text.
pub(crate) fn octets(reply: &Reply, id: &str) -> Vec<u8> {
    let reply = match reply.code {
        400..=599 => reply.clone(),
        _ => Reply::internal_error(),
    };
    let line = reply.with_id(id).line();
    line.replace('%', "%%").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_policy::reply::LINE_OCTETS;

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
        assert!((500..=LINE_OCTETS).contains(&octets.len()));
        assert!(octets.starts_with(b"550 5.0.0 id=7f xx"));
    }
}
