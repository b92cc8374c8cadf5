//! ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2): checked here, kept as they came for the
//! next hop.

use waxseal_policy::transaction::EsmtpParameter;
use waxseal_relay::dsn::{decode_xtext, is_notify};

use crate::error::Error;

/// What the parameters of a MAIL command ask of us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MailParameters {
    /// As they came, names in capitals.
    pub(crate) all: Vec<EsmtpParameter>,
    /// SIZE (RFC 1870 §3).
    pub(crate) size: Option<u64>,
    /// SMTPUTF8 (RFC 6531 §3.4).
    pub(crate) international: bool,
}

/// Reads and checks the parameters of MAIL.
pub(crate) fn of_mail(text: &str) -> Result<MailParameters, Error> {
    let all = read(text)?;
    let mut parameters = MailParameters::default();
    for parameter in &all {
        let value = parameter.value.as_deref();
        let valid = match parameter.name.as_str() {
            "SIZE" => {
                parameters.size = value.and_then(size);
                parameters.size.is_some()
            }
            // RFC 6152 §2. BINARYMIME (RFC 3030 §3) is not offered.
            "BODY" => value.is_some_and(|value| is_one_of(value, &["7BIT", "8BITMIME"])),
            "SMTPUTF8" => {
                parameters.international = true;
                value.is_none()
            }
            // RFC 3461 §4.3, §4.4.
            "RET" => value.is_some_and(|value| is_one_of(value, &["FULL", "HDRS"])),
            "ENVID" => value.is_some_and(|value| value.len() <= 100 && is_printable_xtext(value)),
            _ => return Err(Error::UnknownParameter(parameter.name.clone())),
        };
        if !valid {
            return Err(Error::InvalidParameter(parameter.name.clone()));
        }
    }
    parameters.all = all;
    Ok(parameters)
}

/// Reads and checks the parameters of RCPT.
pub(crate) fn of_rcpt(text: &str) -> Result<Vec<EsmtpParameter>, Error> {
    let all = read(text)?;
    for parameter in &all {
        let value = parameter.value.as_deref().unwrap_or_default();
        let valid = match parameter.name.as_str() {
            "NOTIFY" => is_notify(value),
            "ORCPT" => is_original_recipient(value),
            _ => return Err(Error::UnknownParameter(parameter.name.clone())),
        };
        if !valid {
            return Err(Error::InvalidParameter(parameter.name.clone()));
        }
    }
    Ok(all)
}

fn read(text: &str) -> Result<Vec<EsmtpParameter>, Error> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(Error::Syntax("no space after the path"));
    }
    let mut all: Vec<EsmtpParameter> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let name = name.to_ascii_uppercase();
        if !is_keyword(&name) {
            return Err(Error::Syntax("no parameter"));
        }
        // RFC 5321 §4.1.2: esmtp-value has no "=". RFC 6531 §3.3 adds non-ASCII.
        let is_value = |value: &str| !value.is_empty() && !value.contains(['=', '\t']);
        if !value.is_none_or(is_value) || all.iter().any(|earlier| earlier.name == name) {
            return Err(Error::InvalidParameter(name));
        }
        let value = value.map(str::to_owned);
        all.push(EsmtpParameter { name, value });
    }
    Ok(all)
}

fn is_keyword(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

fn is_one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// RFC 1870 §3: 1*20DIGIT. What has more than 64 bits is too large anyway.
fn size(value: &str) -> Option<u64> {
    let is_size = value.len() <= 20 && value.bytes().all(|c| c.is_ascii_digit());
    is_size.then(|| value.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4.2, RFC 6533 §3: an address type, `;`, and the address in xtext or, of the type
/// utf-8, in one of its own encodings.
fn is_original_recipient(value: &str) -> bool {
    let Some((kind, address)) = value.split_once(';') else {
        return false;
    };
    let is_atom = |text: &str| {
        !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    let encoded = if kind.eq_ignore_ascii_case("utf-8") {
        is_utf8_address(address)
    } else {
        is_printable_xtext(address)
    };
    value.len() <= 500 && is_atom(kind) && encoded && !address.is_empty()
}

/// RFC 6533 §3: utf-8-addr-xtext has `\x{HEX}` beside printable ASCII, utf-8-addr-unitext also
/// non-ASCII. `+` and `=` are escaped there, too; some leave `+`, which is harmless.
fn is_utf8_address(address: &str) -> bool {
    let mut rest = address;
    while let Some(at) = rest.find('\\') {
        let Some((hex, after)) = rest[at..]
            .strip_prefix("\\x{")
            .and_then(|escape| escape.split_once('}'))
        else {
            return false;
        };
        let is_character = hex.len() <= 6
            && u32::from_str_radix(hex, 16).is_ok_and(|code| char::from_u32(code).is_some());
        if !is_character {
            return false;
        }
        rest = after;
    }
    !address.contains(char::is_control)
}

/// RFC 3461 §4: xtext whose meaning is printable ASCII (§4.2, §4.4).
fn is_printable_xtext(value: &str) -> bool {
    decode_xtext(value).is_some_and(|octets| octets.iter().all(|c| (b' '..=b'~').contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_mail(text: &str, expected: Result<usize, Error>) {
        assert_eq!(
            of_mail(text).map(|found| found.all.len()),
            expected,
            "{text}"
        );
    }

    fn check_rcpt(text: &str, expected: Result<usize, Error>) {
        assert_eq!(of_rcpt(text).map(|found| found.len()), expected, "{text}");
    }

    fn invalid(name: &str) -> Result<usize, Error> {
        Err(Error::InvalidParameter(name.to_owned()))
    }

    #[test]
    fn parameters_of_mail() {
        check_mail("", Ok(0));
        check_mail(
            " SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb",
            Ok(5),
        );
        check_mail(" SIZE=99999999999999999999", Ok(1));
        check_mail(" SIZE=", invalid("SIZE"));
        check_mail(" SIZE", invalid("SIZE"));
        check_mail(" SIZE=-1", invalid("SIZE"));
        check_mail(" SIZE=1 SIZE=1", invalid("SIZE"));
        check_mail(" BODY=BINARYMIME", invalid("BODY"));
        check_mail(" SMTPUTF8=yes", invalid("SMTPUTF8"));
        check_mail(" RET=BOTH", invalid("RET"));
        check_mail(" ENVID=a+0Ab", invalid("ENVID"));
        check_mail(" ENVID=a+2", invalid("ENVID"));
        check_mail(&format!(" ENVID={}", "x".repeat(101)), invalid("ENVID"));
        check_mail(" AUTH=<>", Err(Error::UnknownParameter("AUTH".into())));
        check_mail(
            " NOTIFY=NEVER",
            Err(Error::UnknownParameter("NOTIFY".into())),
        );
        check_mail("SIZE=1", Err(Error::Syntax("no space after the path")));
        check_mail(" =1", Err(Error::Syntax("no parameter")));
    }

    #[test]
    fn parameters_of_rcpt() {
        check_rcpt(
            " NOTIFY=SUCCESS,failure ORCPT=rfc822;a+2Bb@c.example",
            Ok(2),
        );
        check_rcpt(" NOTIFY=NEVER", Ok(1));
        check_rcpt(" NOTIFY=NEVER,DELAY", invalid("NOTIFY"));
        check_rcpt(" NOTIFY=DELAY,DELAY", invalid("NOTIFY"));
        check_rcpt(" NOTIFY=SOMETIMES", invalid("NOTIFY"));
        check_rcpt(" ORCPT=a@b.example", invalid("ORCPT"));
        check_rcpt(" ORCPT=rfc822;", invalid("ORCPT"));
        check_rcpt(" ORCPT=rfc822;a+0D+0Ab", invalid("ORCPT"));
        check_rcpt(" ORCPT=utf-8;a\\x{FC}b@c.example", Ok(1));
        check_rcpt(" ORCPT=utf-8;aüb@c.example", Ok(1));
        check_rcpt(" ORCPT=utf-8;a\\x{D800}@c.example", invalid("ORCPT"));
        check_rcpt(" SIZE=1", Err(Error::UnknownParameter("SIZE".into())));
    }
}
