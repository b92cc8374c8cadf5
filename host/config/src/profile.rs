//! `[profile.NAME]`: sending profiles.

use waxseal_engine::{
    AlreadyProtected, CipherChoice, IdentityChoice, KeyTransportChoice, MissingIdentity, Profile,
};
use waxseal_policy::plan::{MissingCertificate, ProtectionMode};
use waxseal_smime::{
    ContentCipher, DigestAlgorithm, HeaderProtection, KeyTransport, RsaScheme, SignatureFormat,
};

use crate::document::Section;
use crate::nearest;

const MODES: [(&str, ProtectionMode); 4] = [
    ("sign", ProtectionMode::Sign),
    ("encrypt", ProtectionMode::Encrypt),
    ("sign-encrypt", ProtectionMode::SignEncrypt),
    ("triple-wrap", ProtectionMode::TripleWrap),
];

const MISSING_CERTIFICATE: [(&str, MissingCertificate); 6] = [
    ("bounce", MissingCertificate::Bounce),
    ("drop", MissingCertificate::Drop),
    ("split", MissingCertificate::Split),
    (
        "encrypt-or-bounce-rest",
        MissingCertificate::EncryptOrBounceRest,
    ),
    ("defer", MissingCertificate::Defer),
    ("quarantine", MissingCertificate::Quarantine),
];

const MISSING_IDENTITY: [(&str, MissingIdentity); 3] = [
    ("bounce", MissingIdentity::Bounce),
    ("unsigned", MissingIdentity::Unsigned),
    ("defer", MissingIdentity::Defer),
];

const ALREADY_PROTECTED: [(&str, AlreadyProtected); 2] = [
    ("keep", AlreadyProtected::Keep),
    ("protect-again", AlreadyProtected::ProtectAgain),
];

/// Reads one profile. `identities` are the names under `[identity.…]`.
pub(crate) fn read(name: &str, section: Section<'_>, identities: &[String]) -> Option<Profile> {
    let mode = section
        .required("mode")
        .and_then(|value| value.word(&MODES));
    let default = Profile::new(name, mode.unwrap_or(ProtectionMode::SignEncrypt));
    let profile = Profile {
        identity: identity(&section, identities).unwrap_or(default.identity),
        signature: section
            .one_of("signature", SignatureFormat::ALL)
            .unwrap_or(default.signature),
        digest: section
            .one_of("digest", DigestAlgorithm::ALL)
            .unwrap_or(default.digest),
        rsa_scheme: section
            .one_of("rsa-scheme", RsaScheme::ALL)
            .unwrap_or(default.rsa_scheme),
        cipher: cipher(&section).unwrap_or(default.cipher),
        key_transport: key_transport(&section).unwrap_or(default.key_transport),
        missing_certificate: section
            .word("missing-certificate", &MISSING_CERTIFICATE)
            .unwrap_or(default.missing_certificate),
        missing_identity: section
            .word("missing-identity", &MISSING_IDENTITY)
            .unwrap_or(default.missing_identity),
        header_protection: section
            .one_of("header-protection", HeaderProtection::ALL)
            .unwrap_or(default.header_protection),
        include_sender: section
            .flag("include-sender")
            .unwrap_or(default.include_sender),
        domain_certificates: section
            .flag("domain-certificates")
            .unwrap_or(default.domain_certificates),
        already_protected: section
            .word("already-protected", &ALREADY_PROTECTED)
            .unwrap_or(default.already_protected),
        name: default.name,
        mode: default.mode,
    };
    section.finish();
    mode.map(|_| profile)
}

fn identity(section: &Section<'_>, identities: &[String]) -> Option<IdentityChoice> {
    let value = section.value("identity")?;
    match value.text()? {
        "by-sender" => Some(IdentityChoice::BySender),
        name if identities.iter().any(|each| each == name) => {
            Some(IdentityChoice::Named(name.to_owned()))
        }
        name => {
            let known = identities.iter().map(String::as_str).chain(["by-sender"]);
            value.problem(
                format!("no such identity: {name}"),
                nearest::hint(name, known),
            );
            None
        }
    }
}

fn cipher(section: &Section<'_>) -> Option<CipherChoice> {
    let value = section.value("cipher")?;
    value
        .word_or_auto(ContentCipher::ALL)
        .map(|fixed| fixed.map_or(CipherChoice::Auto, CipherChoice::Fixed))
}

fn key_transport(section: &Section<'_>) -> Option<KeyTransportChoice> {
    let value = section.value("key-transport")?;
    value
        .word_or_auto(KeyTransport::ALL)
        .map(|fixed| fixed.map_or(KeyTransportChoice::Auto, KeyTransportChoice::Fixed))
}
