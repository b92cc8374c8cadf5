//! Every mail of the shared corpus is signed, encrypted and triple-wrapped, each read back, or
//! gives the one named error that a mail's own octets can cause.

use super::common::{context, corpus, files, person};
use std::collections::BTreeMap;
use std::path::Path;
use waxseal_message::{Limits, Message};
use waxseal_smime::{
    ContentCipher, EncryptOptions, Error, HeaderProtection, SignOptions, SignatureFormat, encrypt,
    sign, triple_wrap,
};

const SETS: [&str; 7] = [
    "spamassassin-public",
    "mail-parser",
    "python-email",
    "mimekit-messages",
    "mime-tools-testmsgs",
    "jsmime",
    "wildduck-mime",
];

fn walk(directory: &Path, visit: &mut dyn FnMut(&str, &[u8])) {
    for (name, octets) in files(directory) {
        visit(&name, &octets);
    }
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}

/// What became of one mail under each way of protecting it.
fn outcomes(mail: &Message) -> Vec<(&'static str, Result<(), Error>)> {
    let signer = &person("ec-p256").identity;
    let recipients = [person("ec-p256").certificate().clone()];
    let context = context();
    let detached = SignOptions::default();
    let opaque = SignOptions {
        format: SignatureFormat::Opaque,
        ..detached.clone()
    };
    let shown = SignOptions {
        header_protection: HeaderProtection::NoConfidentiality,
        ..opaque.clone()
    };
    let sealing = EncryptOptions::default();
    let shy = EncryptOptions {
        cipher: ContentCipher::Aes128Gcm,
        header_protection: HeaderProtection::Shy,
        ..sealing.clone()
    };
    let wrapped = triple_wrap(
        mail,
        signer,
        &opaque,
        &recipients,
        &shy,
        &detached,
        &context,
    );
    vec![
        (
            "detached",
            sign(mail, signer, &detached, &context).map(drop),
        ),
        ("opaque", sign(mail, signer, &opaque, &context).map(drop)),
        (
            "opaque with fields",
            sign(mail, signer, &shown, &context).map(drop),
        ),
        (
            "encrypted",
            encrypt(mail, &recipients, &sealing, &context).map(drop),
        ),
        (
            "encrypted shy",
            encrypt(mail, &recipients, &shy, &context).map(drop),
        ),
        ("triple-wrapped", wrapped.map(drop)),
    ]
}

#[test]
fn rule_07_every_real_mail_reads_back() {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for set in SETS {
        let Some(directory) = corpus(set) else { return };
        walk(&directory, &mut |name, octets| {
            let Ok(mail) = Message::parse(octets.to_vec(), &Limits::default()) else {
                return;
            };
            for (way, result) in outcomes(&mail) {
                let code = result.as_ref().err().map_or("ok", Error::code);
                *counts.entry((way, code)).or_default() += 1;
                let is_expected = match &result {
                    Ok(()) => true,
                    Err(Error::NotTransportSafe) => way == "detached",
                    Err(_) => false,
                };
                if !is_expected {
                    wrong.push(format!("{set}/{name} {way}: {result:?}"));
                }
            }
        });
    }
    for ((way, code), count) in &counts {
        eprintln!("{way}: {code} {count}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
