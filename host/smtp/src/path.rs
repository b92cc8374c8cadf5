//! Reverse-paths and forward-paths by the grammar of RFC 5321 §4.1.2, with RFC 6531 §3.3.
//!
//! Here is decided where a path ends and that nothing stands in it which two readers could
//! understand differently (comments, white space, control characters); what is left is read by
//! [`Address::parse`]. Two things are taken that the grammar has not: stray dots in a local part,
//! which are in use and quoted on the way out, and underscores in a domain.

use std::net::{Ipv4Addr, Ipv6Addr};

use waxseal_message::Address;

/// What stands between angle brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// `<>`.
    Null,
    /// `<postmaster>`, in any case (RFC 5321 §4.1.1.3).
    Postmaster,
    /// A mailbox.
    Mailbox(Address),
}

/// A path, and what follows it.
pub(crate) fn read(text: &str) -> Option<(Path, &str)> {
    let inside = text.strip_prefix('<')?;
    if let Some(rest) = inside.strip_prefix('>') {
        return Some((Path::Null, rest));
    }
    let mailbox = without_route(inside)?;
    let after_local = after_local_part(mailbox)?;
    let local = &mailbox[..mailbox.len() - after_local.len()];
    if let Some(rest) = after_local.strip_prefix('>') {
        return local
            .eq_ignore_ascii_case("postmaster")
            .then_some((Path::Postmaster, rest));
    }
    let end = after_local.strip_prefix('@').and_then(after_domain)?;
    let rest = end.strip_prefix('>')?;
    let address = Address::parse(&mailbox[..mailbox.len() - end.len()]).ok()?;
    Some((Path::Mailbox(address), rest))
}

/// RFC 5321 §4.1.1.3 and appendix C: a source route is read and ignored.
fn without_route(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(domain) = rest.strip_prefix('@') {
        rest = after_domain(domain)?;
        match rest.strip_prefix(',') {
            Some(next) if next.starts_with('@') => rest = next,
            _ => return rest.strip_prefix(':'),
        }
    }
    Some(rest)
}

/// Dot-string or Quoted-string.
fn after_local_part(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return after_quoted(quoted);
    }
    let is_dot_string = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || is_international(c)
    };
    let rest = text.trim_start_matches(is_dot_string);
    (rest.len() < text.len()).then_some(rest)
}

fn after_quoted(text: &str) -> Option<&str> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some(&text[at + 1..]),
            // quoted-pairSMTP.
            '\\' => {
                let (_, escaped) = characters.next()?;
                (' '..='~').contains(&escaped).then_some(())?;
            }
            ' '..='~' => {}
            _ if is_international(character) => {}
            _ => return None,
        }
    }
    None
}

/// Domain or address-literal.
fn after_domain(text: &str) -> Option<&str> {
    if let Some(literal) = text.strip_prefix('[') {
        let (content, rest) = literal.split_once(']')?;
        return is_literal(content).then_some(rest);
    }
    let is_domain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') || is_international(c);
    let rest = text.trim_start_matches(is_domain);
    let domain = &text[..text.len() - rest.len()];
    // RFC 5321 §4.5.3.1.2.
    (!domain.is_empty() && domain.len() <= 255).then_some(rest)
}

/// RFC 5321 §4.1.3. No general address literal is registered beside IPv6.
fn is_literal(content: &str) -> bool {
    let tag = content.get(..5).unwrap_or_default();
    if tag.eq_ignore_ascii_case("ipv6:") {
        return content[5..].parse::<Ipv6Addr>().is_ok();
    }
    content.parse::<Ipv4Addr>().is_ok()
}

/// UTF8-non-ascii, without the control characters of Latin-1 (RFC 6532 §3.1 takes them, no
/// mailbox has them).
fn is_international(character: char) -> bool {
    !character.is_ascii() && !character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let found = read(text).map(|(path, rest)| {
            let path = match path {
                Path::Null => "<>".to_owned(),
                Path::Postmaster => "<postmaster>".to_owned(),
                Path::Mailbox(address) => address.to_string(),
            };
            (path, rest.to_owned())
        });
        let expected = expected.map(|(path, rest)| (path.to_owned(), rest.to_owned()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn paths() {
        check("<>", Some(("<>", "")));
        check("<> SIZE=1", Some(("<>", " SIZE=1")));
        check("<a@b.example>", Some(("a@b.example", "")));
        check("<PostMaster>", Some(("<postmaster>", "")));
        check(
            "<a@B.Example> BODY=7BIT",
            Some(("a@b.example", " BODY=7BIT")),
        );
        check("<a+b=c@x_y.example>", Some(("a+b=c@x_y.example", "")));
        check("<a@b.example.>", Some(("a@b.example", "")));
    }

    #[test]
    fn routes_are_ignored() {
        check("<@h.example:a@b.example>", Some(("a@b.example", "")));
        check(
            "<@h.example,@i.example:a@b.example>",
            Some(("a@b.example", "")),
        );
        check("<@h.example,i.example:a@b.example>", None);
        check("<@h.example a@b.example>", None);
        check("<@:a@b.example>", None);
    }

    #[test]
    fn quoted_local_parts() {
        check(r#"<"a b"@c.example>"#, Some((r#""a b"@c.example"#, "")));
        check(r#"<"a>b"@c.example> X"#, Some((r#""a>b"@c.example"#, " X")));
        check(
            r#"<"a\"b\\"@c.example>"#,
            Some((r#""a\"b\\"@c.example"#, "")),
        );
        check(
            r#"<"a@evil.example"@c.example>"#,
            Some((r#""a@evil.example"@c.example"#, "")),
        );
        check(r#"<"plain"@c.example>"#, Some(("plain@c.example", "")));
        check(r#"<"open@c.example>"#, None);
        check(r#"<"a"b@c.example>"#, None);
        check(r#"<"">"#, None);
        check("<a..b.@c.example>", Some((r#""a..b."@c.example"#, "")));
    }

    #[test]
    fn literals() {
        check("<a@[192.0.2.1]>", Some(("a@[192.0.2.1]", "")));
        check("<a@[IPv6:2001:db8::1]>", Some(("a@[ipv6:2001:db8::1]", "")));
        check("<a@[2001:db8::1]>", None);
        check("<a@[IPv6:192.0.2.1]>", None);
        check("<a@[x-tag:y]>", None);
        check("<a@[192.0.2.1>", None);
    }

    #[test]
    fn international() {
        check(
            "<用户@例子.广告>",
            Some(("用户@xn--fsqu00a.xn--4rr70v", "")),
        );
        check("<a@bücher.example>", Some(("a@xn--bcher-kva.example", "")));
        check("<a\u{85}b@c.example>", None);
    }

    #[test]
    fn what_is_no_path() {
        for text in [
            "",
            "a@b.example",
            "<",
            "<a",
            "<a>",
            "<a@>",
            "<@b>",
            "<a@b",
            "<a b@c>",
            "< a@b>",
            "<a@b >",
            "<a(comment)@b>",
            "<a@b@c>",
            "<a,b@c>",
            "<a@b..c>",
            "<a@-\u{1}>",
            "<<a@b>>",
            "<a@b\\>",
            "<\u{0}@b>",
            "<a@b:c@d>",
        ] {
            assert!(
                !matches!(read(text), Some((_, "" | " "))),
                "{text:?} is a path: {:?}",
                read(text)
            );
        }
    }
}
