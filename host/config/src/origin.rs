//! `[origin]`: whose mail is ours (DESIGN §6 rule 12).

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use waxseal_engine::Origin;
use waxseal_message::Address;

use crate::document::{Section, Value};

/// Reads the section.
pub(crate) fn read(section: Section<'_>) -> Origin {
    let origin = Origin {
        networks: section
            .texts("networks")
            .iter()
            .filter_map(network)
            .collect(),
        authenticated: section.flag("authenticated").unwrap_or(false),
        listeners: texts(&section, "listeners"),
        domains: section.texts("domains").iter().filter_map(domain).collect(),
        users: section.section("users").map(users).unwrap_or_default(),
        authserv_id: section
            .value("authserv-id")
            .and_then(|value| authserv_id(&value)),
    };
    section.finish();
    origin
}

fn texts(section: &Section<'_>, key: &'static str) -> Vec<String> {
    section
        .texts(key)
        .iter()
        .filter_map(|value| value.text().map(str::to_owned))
        .collect()
}

/// A network, or a single address.
pub(crate) fn network(value: &Value<'_>) -> Option<IpNet> {
    let text = value.text()?;
    let network = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    if network.is_none() {
        let hint = Some("write it as 10.0.0.0/8 or 2001:db8::/32".to_owned());
        value.problem(format!("not a network: {text}"), hint);
    }
    network
}

/// A domain as lower-case A-labels.
pub(crate) fn domain(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    match Address::parse(&format!("postmaster@{text}")) {
        Ok(address) => Some(address.domain().to_owned()),
        Err(_) => {
            value.problem(format!("not a domain: {text}"), None);
            None
        }
    }
}

/// A token (RFC 8601 §2.2, RFC 2045 §5.1), so that it needs no quotes; a domain is one.
fn authserv_id(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let is_token = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet);
    if text.is_empty() || !text.bytes().all(is_token) {
        let hint = Some("write a name of your mail system, such as mx.example.org".to_owned());
        value.problem(format!("not a domain or another token: {text}"), hint);
        return None;
    }
    Some(text.to_owned())
}

fn users(section: Section<'_>) -> BTreeMap<String, Vec<String>> {
    let entries = section.entries().into_iter();
    entries
        .map(|(user, value)| (user.to_owned(), patterns(&value)))
        .collect()
}

/// Addresses, `*@domain` or `*`; one text or a list of them.
fn patterns(value: &Value<'_>) -> Vec<String> {
    value.one_or_many().iter().filter_map(pattern).collect()
}

fn pattern(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let address = text
        .strip_prefix("*@")
        .map(|domain| format!("any@{domain}"));
    match Address::parse(address.as_deref().unwrap_or(text)) {
        _ if text == "*" => Some(text.to_owned()),
        Ok(parsed) if address.is_some() => Some(format!("*@{}", parsed.domain())),
        Ok(parsed) => Some(parsed.to_string()),
        Err(_) => {
            let hint = Some("write an address, *@domain, or * for all".to_owned());
            value.problem(format!("not an address: {text}"), hint);
            None
        }
    }
}
