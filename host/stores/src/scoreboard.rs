//! Every PKCS #12 file of the shared corpus against what it must give: `certificates+keys`, as
//! OpenSSL counts them, or the code of a defect. The corpus is optional (`WAXSEAL_CORPUS`); the
//! table and its passphrases are its MANIFEST files'.

use crate::bundle;
use crate::passphrase::Secret;
use std::path::{Path, PathBuf};

/// File, passphrase, result. example11 has a MAC with BLAKE2b; nomac_parse holds a safe of type
/// EnvelopedData, for no recipient.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "cryptography-pkcs12/cert-aes256cbc-no-key.p12",
        "cryptography",
        "1+0",
    ),
    (
        "cryptography-pkcs12/cert-key-aes256cbc.p12",
        "cryptography",
        "1+1",
    ),
    (
        "cryptography-pkcs12/cert-none-key-none.p12",
        "cryptography",
        "1+1",
    ),
    (
        "cryptography-pkcs12/cert-rc2-key-3des.p12",
        "cryptography",
        "1+1",
    ),
    ("cryptography-pkcs12/java-truststore.p12", "", "2+0"),
    ("cryptography-pkcs12/name-1-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/name-1-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/name-2-3-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/name-2-3-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/name-2-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/name-2-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/name-3-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/name-3-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/name-all-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/name-all-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/name-unicode-no-pwd.p12", "", "3+1"),
    (
        "cryptography-pkcs12/name-unicode-pwd.p12",
        "password",
        "3+1",
    ),
    (
        "cryptography-pkcs12/no-cert-key-aes256cbc.p12",
        "cryptography",
        "0+1",
    ),
    ("cryptography-pkcs12/no-cert-name-2-no-pwd.p12", "", "2+0"),
    (
        "cryptography-pkcs12/no-cert-name-2-pwd.p12",
        "password",
        "2+0",
    ),
    ("cryptography-pkcs12/no-cert-name-3-no-pwd.p12", "", "2+0"),
    (
        "cryptography-pkcs12/no-cert-name-3-pwd.p12",
        "password",
        "2+0",
    ),
    ("cryptography-pkcs12/no-cert-name-all-no-pwd.p12", "", "2+0"),
    (
        "cryptography-pkcs12/no-cert-name-all-pwd.p12",
        "password",
        "2+0",
    ),
    (
        "cryptography-pkcs12/no-cert-name-unicode-no-pwd.p12",
        "",
        "2+0",
    ),
    (
        "cryptography-pkcs12/no-cert-name-unicode-pwd.p12",
        "password",
        "2+0",
    ),
    ("cryptography-pkcs12/no-cert-no-name-no-pwd.p12", "", "2+0"),
    (
        "cryptography-pkcs12/no-cert-no-name-pwd.p12",
        "password",
        "2+0",
    ),
    ("cryptography-pkcs12/no-name-no-pwd.p12", "", "3+1"),
    ("cryptography-pkcs12/no-name-pwd.p12", "password", "3+1"),
    ("cryptography-pkcs12/no-password.p12", "", "1+1"),
    (
        "rustcrypto-pkcs12/ValidCertificatePathTest1EE.p12",
        "password",
        "1+1",
    ),
    (
        "rustcrypto-pkcs12/ValidCertificatePathTest1EE_firefox.p12",
        "password",
        "1+1",
    ),
    (
        "rustcrypto-pkcs12/ValidCertificatePathTest1EE_macos.p12",
        "password",
        "1+1",
    ),
    (
        "rustcrypto-pkcs12/ValidCertificatePathTest1EE_windows_aes.p12.pfx",
        "password",
        "1+1",
    ),
    (
        "rustcrypto-pkcs12/ValidCertificatePathTest1EE_windows_tdes.p12.pfx",
        "password",
        "1+1",
    ),
    ("rustcrypto-pkcs12/example.pfx", "", "1+1"),
    ("rustcrypto-pkcs12/example10.pfx", "1234", "1+1"),
    (
        "rustcrypto-pkcs12/example11.pfx",
        "1234",
        "file.unsupported",
    ),
    ("rustcrypto-pkcs12/example12.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example13.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example14.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example15.pfx", "1234", "1+0"),
    ("rustcrypto-pkcs12/example16.pfx", "1234", "0+1"),
    ("rustcrypto-pkcs12/example17.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example2.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example3.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example4.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example5.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example6.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example7.pfx", "1234", "2+1"),
    ("rustcrypto-pkcs12/example8.pfx", "1234", "1+1"),
    ("rustcrypto-pkcs12/example9.pfx", "1234", "1+1"),
    (
        "mimekit-smime/certificate-authority.pfx",
        "no.secret",
        "1+1",
    ),
    ("mimekit-smime/dnsnames/smime.pfx", "no.secret", "4+1"),
    ("mimekit-smime/dsa/smime.pfx", "no.secret", "4+1"),
    ("mimekit-smime/ec/smime.pfx", "no.secret", "4+1"),
    ("mimekit-smime/intermediate1.pfx", "no.secret", "2+1"),
    ("mimekit-smime/intermediate2.pfx", "no.secret", "3+1"),
    ("mimekit-smime/nochain/smime.pfx", "no.secret", "1+1"),
    ("mimekit-smime/revoked-intermediate.pfx", "no.secret", "2+1"),
    ("mimekit-smime/revoked/smime.pfx", "no.secret", "4+1"),
    ("mimekit-smime/revokednochain/smime.pfx", "no.secret", "1+1"),
    ("mimekit-smime/revokedsubca/smime.pfx", "no.secret", "3+1"),
    ("mimekit-smime/rsa/smime.pfx", "no.secret", "4+1"),
    ("rfc9216/4-5-pkcs-12-object-for-alice.p12", "alice", "3+2"),
    ("rfc9216/5-5-pkcs-12-object-for-bob.p12", "bob", "3+2"),
    ("rfc9216/7-5-pkcs-12-object-for-carlos.p12", "carlos", "3+2"),
    ("rfc9216/8-5-pkcs-12-object-for-dana.p12", "dana", "3+2"),
    ("lamps-protected-headers/bob.p12", "bob", "2+1"),
    ("openssl/pkcs12_data/bad1.p12", "", "file.damaged"),
    ("openssl/pkcs12_data/bad2.p12", "", "file.damaged"),
    ("openssl/pkcs12_data/bad3.p12", "", "file.damaged"),
    (
        "openssl/pkcs12_data/nomac_parse.p12",
        "testpassword",
        "file.unsupported",
    ),
    ("openssl/pkcs12_data/pbmac1_256_256.good.p12", "1234", "1+1"),
    (
        "openssl/pkcs12_data/pbmac1_256_256.good-shorter-key-len.p12",
        "1234",
        "1+1",
    ),
    ("openssl/pkcs12_data/pbmac1_512_256.good.p12", "1234", "1+1"),
    ("openssl/pkcs12_data/pbmac1_512_512.good.p12", "1234", "1+1"),
    (
        "openssl/pkcs12_data/pbmac1_sha1_hmac_and_prf.p12",
        "1234",
        "1+1",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.bad-iter.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.bad-key-len.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.bad-len.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.bad-salt-type.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.bad-salt.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.negative-len.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.no-len.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.no-salt.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.very-big-len.p12",
        "1234",
        "file.damaged",
    ),
    (
        "openssl/pkcs12_data/pbmac1_256_256.zero-len.p12",
        "1234",
        "file.damaged",
    ),
];

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

fn outcome(octets: &[u8], passphrase: &str) -> String {
    match bundle::open(octets, Some(&Secret::new(passphrase))) {
        Ok(contents) => format!("{}+{}", contents.certificates.len(), contents.keys.len()),
        Err(defect) => defect.code().to_owned(),
    }
}

#[test]
fn every_container_of_the_corpus() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    for (file, passphrase, expected) in TABLE {
        let octets = std::fs::read(corpus.join(file)).unwrap();
        let found = outcome(&octets, passphrase);
        if found != *expected {
            wrong.push(format!("{file}: expected {expected}, found {found}"));
        }
    }
    let right = TABLE.len() - wrong.len();
    println!(
        "PKCS #12 corpus: {right} of {} files as expected",
        TABLE.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A container that opens with its passphrase says of another one that it is wrong.
#[test]
fn a_wrong_passphrase_is_told_from_damage() {
    let Some(corpus) = corpus() else { return };
    let sound = TABLE
        .iter()
        .filter(|(_, _, expected)| expected.contains('+'));
    for (file, _, _) in sound {
        let octets = std::fs::read(corpus.join(file)).unwrap();
        // Files without a MAC and without encryption have nothing to hold a passphrase against.
        assert_eq!(
            outcome(&octets, "surely not this"),
            "passphrase.wrong",
            "{file}"
        );
    }
}

/// No file of the directories that the table covers is left out of it.
#[test]
fn the_table_is_complete() {
    let Some(corpus) = corpus() else { return };
    let covered = |name: &str| TABLE.iter().any(|(file, _, _)| *file == name);
    let mut pending: Vec<PathBuf> = [
        "cryptography-pkcs12",
        "rustcrypto-pkcs12",
        "mimekit-smime",
        "openssl",
        "rfc9216",
        "lamps-protected-headers",
    ]
    .map(|directory| corpus.join(directory))
    .to_vec();
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(&corpus)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                pending.push(path);
            } else if name.ends_with(".p12") || name.ends_with(".pfx") {
                assert!(covered(&name), "{name}");
            }
        }
    }
}
