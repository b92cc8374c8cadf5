//! `[next-hop.NAME]`: where mail goes on to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{Section, Value};
use crate::serve::value;

/// One next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// What it speaks.
    pub protocol: HopProtocol,
    /// Where it is.
    pub address: HopAddress,
    /// Whether STARTTLS is used.
    pub tls: Tls,
    /// Connections kept for reuse.
    pub connections: usize,
    /// How long it may take to answer.
    pub timeout: Duration,
}

/// What a next hop speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HopProtocol {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

/// Where a next hop is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopAddress {
    /// Host (a name or an address) and port.
    Tcp(String, u16),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// Whether STARTTLS is used (RFC 3207).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Off,
    /// When it is offered; the certificate is not looked at.
    May,
    /// Always, with a certificate of this name that leads to one of these authorities.
    Must {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// The name in the certificate.
        name: String,
    },
}

/// Reads every next hop.
pub(super) fn read(root: &Section<'_>, base: &Path) -> BTreeMap<String, NextHop> {
    let named = root.named("next-hop").into_iter();
    named
        .map(|(name, section)| (name.to_owned(), next_hop(section, base)))
        .collect()
}

fn next_hop(section: Section<'_>, base: &Path) -> NextHop {
    let protocols = [("smtp", HopProtocol::Smtp), ("lmtp", HopProtocol::Lmtp)];
    let address = section
        .required("address")
        .and_then(|value| address(&value, base));
    let tls = tls(&section, base, address.as_ref());
    let next_hop = NextHop {
        protocol: section.word("protocol", &protocols).unwrap_or_default(),
        // One whose address is wrong still counts as there: the listeners that name it are right.
        address: address.unwrap_or_else(|| HopAddress::Unix(PathBuf::new())),
        tls,
        connections: value::count(&section, "connections", 1..=1000).unwrap_or(20),
        timeout: value::duration(&section, "timeout").unwrap_or(Duration::from_secs(60)),
    };
    section.finish();
    next_hop
}

fn tls(section: &Section<'_>, base: &Path, address: Option<&HopAddress>) -> Tls {
    let word = section.word("tls", &[("off", 0), ("may", 1), ("must", 2)]);
    let ca = section.text("tls-ca").map(|name| base.join(name));
    let host = match address {
        Some(HopAddress::Tcp(host, _)) => Some(host.clone()),
        _ => None,
    };
    let name = section.text("tls-name").map(str::to_owned).or(host);
    match (word.unwrap_or(0), ca, name) {
        (0, ..) => Tls::Off,
        (1, ..) => Tls::May,
        (_, Some(ca), Some(name)) => Tls::Must { ca, name },
        _ => {
            let hint = "tls-ca names a PEM file of authorities, tls-name the name in the \
                        certificate where the address has none";
            section.problem(
                "tls = \"must\" without tls-ca or tls-name",
                Some(hint.to_owned()),
            );
            Tls::Off
        }
    }
}

/// `HOST:PORT`, `[ADDRESS]:PORT` or `unix:PATH`.
fn address(value: &Value<'_>, base: &Path) -> Option<HopAddress> {
    let text = value.text()?;
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(HopAddress::Unix(base.join(path)));
    }
    let parsed = text.rsplit_once(':').and_then(|(host, port)| {
        let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let sound = !host.is_empty() && (bracketed.is_some() || !host.contains(':'));
        let port = port.parse().ok().filter(|port| *port != 0)?;
        sound.then(|| HopAddress::Tcp(host.to_owned(), port))
    });
    if parsed.is_none() {
        let hint = "write HOST:PORT or unix:/path/of/a.sock".to_owned();
        value.problem(format!("not an address: {text}"), Some(hint));
    }
    parsed
}
