//! `[[listener]]`: what is listened on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::document::{Section, Value};
use crate::nearest;
use crate::serve::next_hop::NextHop;
use crate::serve::value;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name: `session.listener` of filters, and what `[origin] listeners` names.
    pub name: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Where.
    pub address: ListenAddress,
    /// The permissions of a Unix socket.
    pub mode: u32,
    /// Where mail goes on to. Always there for SMTP and LMTP; a milter re-injects by it.
    pub next_hop: Option<String>,
    /// Connections at a time; more wait in the kernel.
    pub max_connections: usize,
    /// How long a client may be silent; `None`: what suits the protocol.
    pub timeout: Option<Duration>,
    /// Certificate chain and key (PEM), to offer STARTTLS with.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Who may tell session facts by XFORWARD.
    pub xforward_from: Vec<IpNet>,
    /// What becomes of a bare CR or LF in a message.
    pub bare_newline: BareNewline,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The milter protocol of Sendmail, version 6.
    Milter,
    /// SMTP (RFC 5321).
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

impl Protocol {
    /// The name in `serve.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Milter => "milter",
            Protocol::Smtp => "smtp",
            Protocol::Lmtp => "lmtp",
        }
    }
}

/// Where a listener is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A socket that systemd hands over, by its `FileDescriptorName=`.
    Systemd(String),
}

/// What becomes of a bare CR or LF in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BareNewline {
    /// The message is refused.
    #[default]
    Refuse,
    /// It becomes CRLF, and never ends a message.
    Fix,
}

/// Reads every listener. None at all is a problem: the service would do nothing.
pub(super) fn read(
    root: &Section<'_>,
    base: &Path,
    next_hops: &BTreeMap<String, NextHop>,
) -> Vec<Listener> {
    let sections = root.sections("listener");
    if sections.is_empty() {
        let hint = "a [[listener]] has a name, a protocol and an address".to_owned();
        root.problem("no listener", Some(hint));
    }
    let mut names = BTreeSet::new();
    let listeners = sections.into_iter().filter_map(|section| {
        if let Some(name) = section.text("name")
            && !names.insert(name.to_owned())
        {
            section.problem(format!("two listeners of one name: {name}"), None);
        }
        listener(section, base, next_hops)
    });
    listeners.collect()
}

fn listener(
    section: Section<'_>,
    base: &Path,
    next_hops: &BTreeMap<String, NextHop>,
) -> Option<Listener> {
    let protocols = [Protocol::Milter, Protocol::Smtp, Protocol::Lmtp];
    let words = protocols.map(|protocol| (protocol.as_str(), protocol));
    let name = section.required("name").and_then(|value| name(&value));
    let protocol = section.required("protocol").and_then(|it| it.word(&words));
    let address = section
        .required("address")
        .and_then(|value| address(&value, base));
    let mode = value::mode(&section).unwrap_or(0o660);
    let next_hop = next_hop(&section, protocol, next_hops);
    let max_connections = value::count(&section, "max-connections", 1..=100_000).unwrap_or(200);
    let timeout = value::duration(&section, "timeout");
    let smtp = match protocol {
        Some(Protocol::Milter) => SmtpKeys::default(),
        _ => smtp_keys(&section, base),
    };
    section.finish();
    Some(Listener {
        name: name?,
        protocol: protocol?,
        address: address?,
        mode,
        next_hop,
        max_connections,
        timeout,
        tls: smtp.tls,
        xforward_from: smtp.xforward_from,
        bare_newline: smtp.bare_newline,
    })
}

/// Keys of SMTP and LMTP, which a milter does not know.
#[derive(Default)]
struct SmtpKeys {
    tls: Option<(PathBuf, PathBuf)>,
    xforward_from: Vec<IpNet>,
    bare_newline: BareNewline,
}

fn smtp_keys(section: &Section<'_>, base: &Path) -> SmtpKeys {
    let words = [("refuse", BareNewline::Refuse), ("fix", BareNewline::Fix)];
    let texts = section.texts("xforward-from");
    SmtpKeys {
        tls: tls(section, base),
        xforward_from: texts.iter().filter_map(crate::origin::network).collect(),
        bare_newline: section.word("bare-newline", &words).unwrap_or_default(),
    }
}

fn tls(section: &Section<'_>, base: &Path) -> Option<(PathBuf, PathBuf)> {
    let file = |key| section.text(key).map(|name| base.join(name));
    match (file("tls-certificate"), file("tls-key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            section.problem("tls-certificate and tls-key stand together", None);
            None
        }
    }
}

/// The name on log lines, in metrics and in `Received`.
fn name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let sound = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if text.is_empty() || text.len() > 32 || !text.bytes().all(sound) {
        let hint = Some("up to 32 letters, digits, - and _".to_owned());
        value.problem(format!("not the name of a listener: {text}"), hint);
        return None;
    }
    Some(text.to_owned())
}

/// `127.0.0.1:8891`, `unix:/run/waxseal/milter.sock` or `systemd:NAME`.
pub(super) fn address(value: &Value<'_>, base: &Path) -> Option<ListenAddress> {
    let text = value.text()?;
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(ListenAddress::Unix(base.join(path)));
    }
    if let Some(name) = text.strip_prefix("systemd:").filter(|it| !it.is_empty()) {
        return Some(ListenAddress::Systemd(name.to_owned()));
    }
    let parsed = text.parse().map(ListenAddress::Tcp).ok();
    if parsed.is_none() {
        let hint = "write 127.0.0.1:8891, [::1]:8891, unix:/run/waxseal/NAME.sock or systemd:NAME";
        value.problem(format!("not an address: {text}"), Some(hint.to_owned()));
    }
    parsed
}

fn next_hop(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    known: &BTreeMap<String, NextHop>,
) -> Option<String> {
    let Some(value) = section.value("next-hop") else {
        if matches!(protocol, Some(Protocol::Smtp | Protocol::Lmtp)) {
            let hint = "mail of this listener goes on to a [next-hop.NAME]".to_owned();
            section.problem("missing key: next-hop", Some(hint));
        }
        return None;
    };
    let name = value.text()?;
    if !known.contains_key(name) {
        let hint = nearest::hint(name, known.keys().map(String::as_str));
        value.problem(format!("no such [next-hop.NAME]: {name}"), hint);
    }
    Some(name.to_owned())
}
