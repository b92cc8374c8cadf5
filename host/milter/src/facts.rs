//! Macros and events of a session → the facts that a policy asks for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use waxseal_policy::transaction::Session;

use crate::Error;
use crate::codec::Stage;

/// Octets of all macros of a connection.
const MACRO_OCTETS: usize = 256 << 10;

/// The macros in force, by the event that they came with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Macros {
    stages: BTreeMap<Stage, BTreeMap<String, String>>,
}

impl Macros {
    /// Those of a stage replace what that stage had.
    pub(crate) fn set(&mut self, stage: Stage, pairs: Vec<(Bytes, Bytes)>) -> Result<(), Error> {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (text(&name), text(&value)))
            .collect();
        self.stages.insert(stage, pairs);
        let all = self.stages.values().flatten();
        let octets: usize = all.map(|(name, value)| name.len() + value.len()).sum();
        match octets > MACRO_OCTETS {
            true => Err(Error::TooManyMacros {
                limit: MACRO_OCTETS,
            }),
            false => Ok(()),
        }
    }

    /// A message is over: what was said about it holds no longer.
    pub(crate) fn end_message(&mut self) {
        self.stages.retain(|stage, _| *stage < Stage::Mail);
    }

    /// A message begins: what was said after the MAIL of another one holds no longer.
    pub(crate) fn begin_message(&mut self) {
        self.stages.retain(|stage, _| *stage <= Stage::Mail);
    }

    /// The latest value of a macro; names of more than one character stand in braces.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut stages = self.stages.values().rev();
        stages
            .find_map(|stage| stage.get(name))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All macros by their names. Those of RCPT are about one recipient, and left out when
    /// there are several.
    fn properties(&self, recipients: usize) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        for (stage, pairs) in &self.stages {
            if *stage != Stage::Rcpt || recipients == 1 {
                let pairs = pairs.iter();
                properties.extend(pairs.map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        properties
    }
}

/// The client of an SMTP session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) name: Option<String>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) helo: Option<String>,
}

impl Client {
    pub(crate) fn new(name: &[u8], address: Option<&[u8]>) -> Self {
        Self {
            name: resolved(name),
            ip: address.and_then(ip),
            helo: None,
        }
    }

    /// The facts of a message of this client.
    pub(crate) fn session(&self, listener: &str, macros: &Macros, recipients: usize) -> Session {
        let value = |name| macros.value(name).map(str::to_owned);
        Session {
            listener: Some(listener.to_owned()),
            client_ip: self
                .ip
                .or_else(|| ip(macros.value("{client_addr}")?.as_bytes())),
            client_name: self
                .name
                .clone()
                .or_else(|| resolved(macros.value("{client_name}")?.as_bytes())),
            helo: self.helo.clone(),
            auth_user: value("{auth_authen}"),
            tls_version: value("{tls_version}"),
            tls_cipher: value("{cipher}"),
            tls_client_subject: value("{cert_subject}").filter(|_| verified(macros)),
            auth_results: Vec::new(),
            properties: macros.properties(recipients),
        }
    }
}

/// Sendmail hands in the subject of any certificate and says in `{verify}` whether it trusts it;
/// Postfix hands in that of trusted ones only, and has no such macro.
fn verified(macros: &Macros) -> bool {
    macros
        .value("{verify}")
        .is_none_or(|verify| verify.eq_ignore_ascii_case("OK"))
}

/// Names that the MTA did not find: `unknown` (Postfix), an address in brackets (Sendmail).
fn resolved(name: &[u8]) -> Option<String> {
    let name = host(name);
    let found = !name.is_empty() && name != "unknown" && !name.starts_with('[');
    found.then_some(name)
}

/// Sendmail writes IPv6 addresses as address literals do (RFC 5321 §4.1.3).
fn ip(address: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(address).ok()?;
    let text = match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => &text[5..],
        _ => text,
    };
    text.parse().ok()
}

/// A host's name as a peer gives it (RFC 5321 §4.5.3.1.2: 255 octets), within reason.
pub(crate) fn host(octets: &[u8]) -> String {
    text(octets).chars().take(512).collect()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (Bytes::from(*name), Bytes::from(*value)))
            .collect()
    }

    #[test]
    fn macros_become_facts() {
        let mut macros = Macros::default();
        let mut set = |stage, some| macros.set(stage, pairs(some)).unwrap();
        set(
            Stage::Connect,
            &[("j", "mx.example.org"), ("{daemon_name}", "submission")],
        );
        set(
            Stage::Helo,
            &[
                ("{tls_version}", "TLSv1.3"),
                ("{cipher}", "TLS_AES_256_GCM_SHA384"),
                ("{cert_subject}", "/CN=alice"),
            ],
        );
        set(Stage::Mail, &[("{auth_authen}", "alice"), ("i", "")]);
        set(Stage::Rcpt, &[("{rcpt_addr}", "bob@example.net")]);
        set(Stage::Body, &[("i", "4XYZ")]);
        let mut client = Client::new(b"client.example", Some(b"IPv6:2001:db8::1"));
        client.helo = Some("laptop".into());
        let session = client.session("in", &macros, 2);
        assert_eq!(session.listener.as_deref(), Some("in"));
        assert_eq!(session.client_ip, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(session.client_name.as_deref(), Some("client.example"));
        assert_eq!(session.helo.as_deref(), Some("laptop"));
        assert_eq!(session.auth_user.as_deref(), Some("alice"));
        assert_eq!(session.tls_version.as_deref(), Some("TLSv1.3"));
        assert_eq!(session.tls_client_subject.as_deref(), Some("/CN=alice"));
        assert_eq!(session.properties["{daemon_name}"], "submission");
        assert!(!session.properties.contains_key("{rcpt_addr}"));
        assert!(
            client
                .session("in", &macros, 1)
                .properties
                .contains_key("{rcpt_addr}")
        );
        assert_eq!(macros.value("i"), Some("4XYZ"));
        macros.end_message();
        assert_eq!(macros.value("i"), None);
        assert_eq!(macros.value("j"), Some("mx.example.org"));
    }

    #[test]
    fn what_the_mta_does_not_know_is_no_fact() {
        let mut macros = Macros::default();
        let untrusted = [("{verify}", "FAIL"), ("{cert_subject}", "/CN=mallory")];
        macros.set(Stage::Helo, pairs(&untrusted)).unwrap();
        for name in ["unknown", "[192.0.2.1]", ""] {
            let client = Client::new(name.as_bytes(), Some(b"nonsense"));
            let session = client.session("in", &macros, 1);
            assert_eq!((session.client_name, session.client_ip), (None, None));
            assert_eq!(session.tls_client_subject, None);
            assert_eq!(session.auth_user, None);
        }
    }

    #[test]
    fn macros_are_bounded() {
        let mut macros = Macros::default();
        let long = vec![(Bytes::from_static(b"x"), vec![b'x'; MACRO_OCTETS].into())];
        assert!(matches!(
            macros.set(Stage::Connect, long),
            Err(Error::TooManyMacros { .. })
        ));
    }
}
