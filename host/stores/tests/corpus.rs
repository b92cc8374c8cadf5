//! Identities of the shared corpus (`WAXSEAL_CORPUS`): which pair signs, which certificates go
//! along, which one others should encrypt for.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::Time;
use waxseal_stores::{Passphrase, Secret, load_identity};

fn corpus() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let corpus = std::env::var_os("WAXSEAL_CORPUS").map_or_else(default, PathBuf::from);
    if corpus.is_dir() {
        return Some(corpus);
    }
    let message = format!(
        "NOT RUN: no corpus at {}; set WAXSEAL_CORPUS",
        corpus.display()
    );
    assert!(std::env::var_os("CI").is_none(), "{message}");
    eprintln!("{message}");
    None
}

/// `address key, chain: n, encryption: key`, or the code of the error.
fn signer(corpus: &Path, file: &str, passphrase: &str) -> String {
    let given = Some(Passphrase::Given(Secret::new(passphrase)));
    // 2026-01-01
    let at = Time::from_unix(1_767_225_600);
    let loaded = load_identity("x", &corpus.join(file), None, given, &RustCrypto);
    match loaded.and_then(|loaded| loaded.into_signer(at)) {
        Ok(identity) => {
            let address = identity
                .certificate
                .addresses()
                .first()
                .map(ToString::to_string);
            let encryption = identity
                .encryption_certificate
                .map(|each| each.key_algorithm());
            format!(
                "{} {}, chain {}, encryption {}",
                address.unwrap_or_default(),
                identity.certificate.key_algorithm(),
                identity.chain.len(),
                encryption.map(|key| key.to_string()).unwrap_or_default(),
            )
        }
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn identities_of_the_corpus() {
    let Some(corpus) = corpus() else { return };
    let check = |file: &str, passphrase: &str, expected: &str| {
        assert_eq!(signer(&corpus, file, passphrase), expected, "{file}");
    };
    check(
        "rfc9216/4-5-pkcs-12-object-for-alice.p12",
        "alice",
        "alice@smime.example rsa-2048, chain 1, encryption rsa-2048",
    );
    check(
        "rfc9216/5-5-pkcs-12-object-for-bob.p12",
        "bob",
        "bob@smime.example rsa-2048, chain 1, encryption rsa-2048",
    );
    check(
        "rfc9216/7-5-pkcs-12-object-for-carlos.p12",
        "carlos",
        "carlos@smime.example ed25519, chain 1, encryption x25519",
    );
    check(
        "rfc9216/8-5-pkcs-12-object-for-dana.p12",
        "dana",
        "dana@smime.example ed25519, chain 1, encryption x25519",
    );
    check(
        "lamps-protected-headers/bob.p12",
        "bob",
        "bob@smime.example rsa-2048, chain 0, encryption ",
    );
    check(
        "mimekit-smime/rsa/smime.pfx",
        "no.secret",
        "rsa@mimekit.net rsa-4096, chain 2, encryption ",
    );
    check(
        "mimekit-smime/nochain/smime.pfx",
        "no.secret",
        "nochain@mimekit.net rsa-4096, chain 0, encryption ",
    );
    // Spells its curve out, which RFC 5480 §2.1.1 forbids.
    check("mimekit-smime/ec/smime.pfx", "no.secret", "key.unusable");
    check(
        "mimekit-smime/dnsnames/smime.pfx",
        "no.secret",
        " rsa-4096, chain 2, encryption ",
    );
    check("mimekit-smime/dsa/smime.pfx", "no.secret", "key.unusable");
    check(
        "cryptography-pkcs12/cert-key-aes256cbc.p12",
        "cryptography",
        " ec-p256, chain 0, encryption ",
    );
    check(
        "cryptography-pkcs12/no-cert-key-aes256cbc.p12",
        "cryptography",
        "file.no-certificate",
    );
    check("cryptography-pkcs12/java-truststore.p12", "", "file.no-key");
    check(
        "openssl/pkcs12_data/pbmac1_512_512.good.p12",
        "1234",
        " rsa-2048, chain 0, encryption ",
    );
}
