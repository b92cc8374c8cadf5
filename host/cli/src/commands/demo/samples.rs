//! The sample mails and the people in them. Where the mails come from stands in
//! `demo/mails/SOURCES.md`.

use waxseal_smime::KeyAlgorithm;

/// A mail with its envelope and session.
pub(super) struct Sample {
    /// Name of its file.
    pub(super) file: &'static str,
    /// The mail.
    pub(super) octets: &'static [u8],
    /// Envelope sender.
    pub(super) from: &'static str,
    /// Envelope recipients.
    pub(super) to: &'static [&'static str],
    /// A client that is not ours; otherwise the mail comes from the keyboard.
    pub(super) client_ip: Option<&'static str>,
    /// What it shows.
    pub(super) about: &'static str,
}

impl Sample {
    /// The file's name without its end.
    pub(super) fn stem(&self) -> &'static str {
        self.file.strip_suffix(".eml").unwrap_or(self.file)
    }
}

/// Somebody with a certificate.
pub(super) struct Person {
    /// Whose.
    pub(super) address: &'static str,
    /// The kind of the key.
    pub(super) key: KeyAlgorithm,
    /// A sender of ours; otherwise a recipient.
    pub(super) signs: bool,
}

const RSA: KeyAlgorithm = KeyAlgorithm::Rsa { bits: 2048 };

const fn sender(address: &'static str, key: KeyAlgorithm) -> Person {
    Person {
        address,
        key,
        signs: true,
    }
}

const fn recipient(address: &'static str, key: KeyAlgorithm) -> Person {
    Person {
        address,
        key,
        signs: false,
    }
}

/// Everybody with a certificate; clara and the doctor have none.
pub(super) const HOLDERS: [Person; 11] = [
    sender("anna@example.org", RSA),
    sender("chief@example.org", KeyAlgorithm::EcP256),
    sender("barry@digicool.com", RSA),
    sender("test@example.com", KeyAlgorithm::EcP256),
    sender("dwsauder@example.com", KeyAlgorithm::EcP384),
    sender("sender@example.net", KeyAlgorithm::EcP256),
    recipient("ben@partner.example", RSA),
    recipient("dora@partner.example", KeyAlgorithm::EcP256),
    recipient("lab@research.example", RSA),
    recipient("mueller@example.com", KeyAlgorithm::EcP256),
    recipient("desk@agency.example", RSA),
];

macro_rules! mail {
    ($file:literal, $from:literal, $to:expr, $client_ip:expr, $about:literal) => {
        Sample {
            file: $file,
            octets: include_bytes!(concat!("../../../demo/mails/", $file)),
            from: $from,
            to: $to,
            client_ip: $client_ip,
            about: $about,
        }
    };
}

/// The mails, in the order of the report.
pub(super) const SAMPLES: [Sample; 8] = [
    mail!(
        "01-dingus-fish.eml",
        "barry@digicool.com",
        &["cravindogs@cravindogs.com"],
        None,
        "opportunistic: nobody there has a certificate, so it is signed"
    ),
    mail!(
        "02-embedded-image.eml",
        "test@example.com",
        &["lab@research.example"],
        None,
        "rules: encrypted only, with AES-256-GCM"
    ),
    mail!(
        "03-hares-and-frogs.eml",
        "dwsauder@example.com",
        &["mueller@example.com"],
        None,
        "opportunistic: the recipient has a certificate; raw 8-bit text is made fit to sign"
    ),
    mail!(
        "04-forwarded.eml",
        "sender@example.net",
        &["desk@agency.example"],
        None,
        "rules: a triple wrap, signed, encrypted, signed again"
    ),
    mail!(
        "05-secure-subject.eml",
        "anna@example.org",
        &["ben@partner.example"],
        None,
        "subject-trigger: [secure] asks for it, and leaves the subject"
    ),
    mail!(
        "06-with-bcc.eml",
        "anna@example.org",
        &[
            "ben@partner.example",
            "clara@elsewhere.example",
            "dora@partner.example"
        ],
        None,
        "one copy each: ben can read it encrypted, clara cannot, dora is Bcc and nobody sees her"
    ),
    mail!(
        "07-patient-file.eml",
        "anna@example.org",
        &["doctor@hospital.example"],
        None,
        "must-encrypt: no certificate, so it is refused and does not leave in clear"
    ),
    mail!(
        "08-forged-chief.eml",
        "chief@example.org",
        &["ben@partner.example"],
        Some("203.0.113.9"),
        "a stranger writes the chief's From: not ours, so the chief's key does not sign it"
    ),
];
