//! XFORWARD (Postfix, XFORWARD_README): facts about the client that a relay took the mail from.
//!
//! There is no LOGIN among them, so an authenticated user does not come this way. Behind a queue
//! the operator knows our mail by the listener that its submission service uses as filter
//! (`[origin] listeners`), or by the client's network (`[origin] networks`, from ADDR).

use std::net::IpAddr;

use waxseal_policy::transaction::Session;
use waxseal_relay::dsn::decode_xtext;

use crate::error::Error;

/// The keyword of EHLO.
pub(crate) const OFFER: &str = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Name,
    Addr,
    Port,
    Proto,
    Helo,
    Ident,
    Source,
}

/// Facts about one message; they do not outlive its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) name: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) helo: Option<String>,
    pub(crate) queue_id: Option<String>,
    pub(crate) source: Option<String>,
}

/// Attributes with their values; `None` where the relay does not know.
pub(crate) fn read(arguments: &str) -> Result<Vec<(Attribute, Option<String>)>, Error> {
    let words = arguments.split(' ').filter(|word| !word.is_empty());
    let attributes: Vec<_> = words.map(attribute).collect::<Result<_, _>>()?;
    match attributes.is_empty() {
        true => Err(Error::Syntax("attribute=value expected")),
        false => Ok(attributes),
    }
}

fn attribute(word: &str) -> Result<(Attribute, Option<String>), Error> {
    let (name, value) = word
        .split_once('=')
        .ok_or(Error::Syntax("attribute=value expected"))?;
    let name = name.to_ascii_uppercase();
    let attribute = match name.as_str() {
        "NAME" => Attribute::Name,
        "ADDR" => Attribute::Addr,
        "PORT" => Attribute::Port,
        "PROTO" => Attribute::Proto,
        "HELO" => Attribute::Helo,
        "IDENT" => Attribute::Ident,
        "SOURCE" => Attribute::Source,
        _ => return Err(Error::UnknownParameter(name)),
    };
    let invalid = || Error::InvalidParameter(name.clone());
    let value = decode_xtext(value)
        .and_then(|octets| String::from_utf8(octets).ok())
        .ok_or_else(invalid)?;
    let known = known(value);
    match known
        .as_deref()
        .is_none_or(|text| is_sound(attribute, text))
    {
        true => Ok((attribute, known)),
        false => Err(invalid()),
    }
}

/// `[UNAVAILABLE]`: the relay does not know, and never will; `[TEMPUNAVAIL]`: it could not find
/// out. Older ones say `unknown`, and an empty value says as little.
fn known(value: String) -> Option<String> {
    let unknown = ["[UNAVAILABLE]", "[TEMPUNAVAIL]", "unknown", ""];
    let is_unknown = unknown.iter().any(|word| value.eq_ignore_ascii_case(word));
    (!is_unknown).then_some(value)
}

fn is_sound(attribute: Attribute, value: &str) -> bool {
    let is_text = value.len() <= 255 && !value.contains(char::is_control);
    is_text
        && match attribute {
            Attribute::Addr => address(value).is_some(),
            Attribute::Port => value.parse::<u16>().is_ok(),
            Attribute::Source => ["LOCAL", "REMOTE"]
                .iter()
                .any(|word| value.eq_ignore_ascii_case(word)),
            Attribute::Ident => value.bytes().all(|c| c.is_ascii_graphic()),
            Attribute::Name | Attribute::Proto | Attribute::Helo => true,
        }
}

/// An IPv4 address, or an IPv6 address after `IPV6:`.
fn address(value: &str) -> Option<IpAddr> {
    match value.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("ipv6:") => {
            value[5..].parse().ok().map(IpAddr::V6)
        }
        _ => value.parse().ok(),
    }
}

impl Facts {
    /// Takes what one command told: a value told again replaces the one before.
    pub(crate) fn take(&mut self, attributes: Vec<(Attribute, Option<String>)>) {
        for (attribute, value) in attributes {
            match attribute {
                Attribute::Name => self.name = value,
                Attribute::Addr => self.address = value.as_deref().and_then(address),
                Attribute::Port => self.port = value,
                Attribute::Proto => self.protocol = value,
                Attribute::Helo => self.helo = value,
                Attribute::Ident => self.queue_id = value,
                Attribute::Source => self.source = value.map(|v| v.to_ascii_uppercase()),
            }
        }
    }

    /// Writes them where filters and `[origin]` look.
    pub(crate) fn tell(self, session: &mut Session) {
        session.client_ip = self.address;
        session.client_name = self.name;
        session.helo = self.helo;
        let others = [
            ("xforward.port", self.port),
            ("xforward.proto", self.protocol),
            ("xforward.source", self.source),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                session.properties.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: Result<Facts, Error>) {
        let found = read(arguments).map(|attributes| {
            let mut facts = Facts::default();
            facts.take(attributes);
            facts
        });
        assert_eq!(found, expected, "{arguments}");
    }

    fn invalid(name: &str) -> Result<Facts, Error> {
        Err(Error::InvalidParameter(name.to_owned()))
    }

    #[test]
    fn attributes() {
        check(
            "NAME=mail.example ADDR=192.0.2.7 PORT=2525 PROTO=ESMTP HELO=a+20b IDENT=4Xy SOURCE=local",
            Ok(Facts {
                name: Some("mail.example".into()),
                address: Some("192.0.2.7".parse().unwrap()),
                port: Some("2525".into()),
                protocol: Some("ESMTP".into()),
                helo: Some("a b".into()),
                queue_id: Some("4Xy".into()),
                source: Some("LOCAL".into()),
            }),
        );
        check(
            "name=[UNAVAILABLE] addr=IPV6:2001:db8::1",
            Ok(Facts {
                address: Some("2001:db8::1".parse().unwrap()),
                ..Facts::default()
            }),
        );
        check("ADDR=192.0.2.7 ADDR=[TEMPUNAVAIL]", Ok(Facts::default()));
    }

    #[test]
    fn what_is_not_believed() {
        check("", Err(Error::Syntax("attribute=value expected")));
        check("ADDR", Err(Error::Syntax("attribute=value expected")));
        check("LOGIN=alice", Err(Error::UnknownParameter("LOGIN".into())));
        check("ADDR=host.example", invalid("ADDR"));
        check("PORT=99999", invalid("PORT"));
        check("SOURCE=INSIDE", invalid("SOURCE"));
        check("HELO=a+0D+0Ab", invalid("HELO"));
        check("NAME=a+FFb", invalid("NAME"));
        check("NAME=a+", invalid("NAME"));
        check("IDENT=a+20b", invalid("IDENT"));
        check(&format!("HELO={}", "x".repeat(256)), invalid("HELO"));
    }
}
