//! SMTP replies that filters give.

use crate::plan::Reply;

/// Characters of a reply's text: with its codes it stays within one reply line of 512
/// octets (RFC 5321 §4.5.3.1.5), however the characters are encoded.
const TEXT: usize = 120;

/// What a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// 4yz.
    Defer,
    /// 5yz.
    Reject,
}

/// The reply, if it says what it is for (RFC 5321 §4.2.1, RFC 3463 §2) in one line of text.
pub(crate) fn checked(reply: Reply, class: Class) -> Result<Reply, String> {
    let (range, digit) = match class {
        Class::Defer => (400..500, '4'),
        Class::Reject => (500..600, '5'),
    };
    if !range.contains(&reply.code) {
        return Err(format!("the code is not {digit}yz: {}", reply.code));
    }
    if let Some(enhanced) = &reply.enhanced
        && !is_enhanced(enhanced, digit)
    {
        let enhanced = crate::trace::bounded(enhanced, 40);
        return Err(format!("the enhanced code is not {digit}.y.z: {enhanced}"));
    }
    if reply.text.chars().any(char::is_control) {
        return Err("the text has a control character".to_owned());
    }
    if reply.text.chars().count() > TEXT {
        return Err(format!("the text has more than {TEXT} characters"));
    }
    Ok(reply)
}

/// RFC 3463 §2: class, subject and detail of at most three digits.
fn is_enhanced(text: &str, class: char) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit())
    };
    parts.len() == 3
        && parts[0].len() == 1
        && parts[0].starts_with(class)
        && parts.iter().all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, enhanced: Option<&str>, text: &str, class: Class, expected: bool) {
        let reply = Reply {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: text.to_owned(),
        };
        assert_eq!(
            checked(reply, class).is_ok(),
            expected,
            "{code} {enhanced:?} {text:?}"
        );
    }

    #[test]
    fn the_class_is_the_verdicts() {
        check(550, Some("5.7.1"), "no", Class::Reject, true);
        check(451, None, "later", Class::Defer, true);
        check(450, Some("4.7.1"), "no", Class::Reject, false);
        check(550, None, "later", Class::Defer, false);
        check(250, None, "fine", Class::Reject, false);
        check(550, Some("4.7.1"), "no", Class::Reject, false);
        check(550, Some("5.7"), "no", Class::Reject, false);
        check(550, Some("5.7.x"), "no", Class::Reject, false);
        check(550, Some("5.7.1234"), "no", Class::Reject, false);
    }

    #[test]
    fn the_text_is_one_line() {
        check(550, None, "no\r\n250 fine", Class::Reject, false);
        check(550, None, "nicht verschlüsselt", Class::Reject, true);
        check(550, None, &"x".repeat(TEXT + 1), Class::Reject, false);
    }
}
