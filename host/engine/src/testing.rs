//! What the unit tests of this crate share: rows of a plan, without filters.

use std::sync::Arc;

use waxseal_message::{Address, Limits, Message};
use waxseal_policy::capabilities::{CallError, CertificateView, ErrorKind, Parameters};
use waxseal_policy::plan::{
    Choice, Defaults, MissingCertificate, Plan, Protection, ProtectionMode, Recipe, Row, Step,
};
use waxseal_policy::transaction::Recipient;

pub(crate) const MAIL: &[u8] = b"From: alice@example.org\r\n\
    To: Bob <bob@example.net>\r\n\
    Cc: carol@example.net\r\n\
    Bcc: dave@example.net, erin@example.net\r\n\
    Subject: lunch\r\n\
    \r\n\
    At one?\r\n";

pub(crate) fn message(octets: &'static [u8]) -> Message {
    Message::parse(octets, &Limits::default()).unwrap()
}

pub(crate) fn recipient(address: &str) -> Recipient {
    Recipient {
        address: Address::parse(address).unwrap(),
        parameters: Vec::new(),
    }
}

pub(crate) fn recipe(steps: Vec<Step>) -> Recipe {
    let message = message(MAIL);
    Recipe {
        base: message.clone(),
        digest: [7; 32].into(),
        steps,
        view: message,
        opening: None,
    }
}

pub(crate) fn row(address: &str) -> Row {
    Row {
        recipient: recipient(address),
        message: recipe(Vec::new()),
        routed: false,
        on_delivery: None,
        must_encrypt: false,
        refusal: None,
    }
}

pub(crate) fn plan(rows: Vec<Row>) -> Plan {
    let everyone = Defaults {
        message: recipe(Vec::new()),
        on_delivery: None,
        must_encrypt: false,
    };
    Plan {
        sender: None,
        rows,
        everyone,
        harvests: Vec::new(),
    }
}

pub(crate) fn protection(mode: ProtectionMode, choice: Choice) -> Protection {
    Protection {
        mode,
        parameters: Parameters::default(),
        outer: None,
        choice,
        signer: None,
        unsigned: None,
    }
}

/// A certificate that is told apart by one octet.
pub(crate) fn to(id: u8) -> Choice {
    Choice::Encrypt(Arc::new(CertificateView {
        subject: String::new(),
        issuer: String::new(),
        serial: String::new(),
        fingerprint_sha256: [id; 32],
        emails: Vec::new(),
        not_before: 0,
        not_after: 0,
        key_algorithm: String::new(),
        can_encrypt: true,
        can_sign: false,
        source: String::new(),
        der: bytes::Bytes::new(),
    }))
}

pub(crate) fn missing(action: MissingCertificate) -> Choice {
    Choice::Missing {
        action,
        problem: no_certificate(ErrorKind::NotFound),
    }
}

pub(crate) fn no_certificate(kind: ErrorKind) -> CallError {
    CallError::new(
        kind,
        "recipient.no-certificate",
        "no certificate for the recipient",
    )
}
