//! Real certificates, odd ones among them, are read as they are.

use super::common::{corpus, files, from_pem};
use waxseal_smime::{Certificate, Time};

/// The DER of every certificate of a PEM file, or the file itself.
fn certificates(octets: &[u8]) -> Vec<Vec<u8>> {
    if octets.first() == Some(&0x30) {
        return vec![octets.to_vec()];
    }
    let text = String::from_utf8_lossy(octets);
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    blocks
        .map(|block| from_pem(format!("-----BEGIN CERTIFICATE-----{block}").as_bytes()))
        .collect()
}

#[test]
fn every_certificate_is_read() {
    let x509_bad = [
        // These two are no certificates.
        "crl_invalid_time.der",
        "crl_issuer_invalid_printable_string.der",
        // Version 8.
        "invalid_version.pem",
    ];
    for (set, extensions, least, refused) in [
        ("cryptography-x509", &["pem", "der"][..], 29, &x509_bad[..]),
        ("cryptography-x509/ca", &["pem", "der"], 3, &[]),
        ("pkits/certs", &["crt"], 405, &[]),
        ("rfc4134", &["cer"], 7, &[]),
        ("mimekit-smime", &["crt", "pem"], 13, &[]),
        ("openssl/smime-certs", &["pem"], 19, &[]),
        ("openssl/certs", &["pem"], 205, &[]),
        ("rfc9216", &["crt"], 12, &[]),
        ("rustcrypto-cms", &["crt"], 2, &[]),
    ] {
        let Some(directory) = corpus(set) else { return };
        let mut read = 0;
        let mut bad = Vec::new();
        for (name, octets) in files(&directory) {
            if !extensions.iter().any(|each| name.ends_with(each)) {
                continue;
            }
            for der in certificates(&octets) {
                match Certificate::from_der(&der) {
                    Ok(certificate) => {
                        read += 1;
                        assert_eq!(certificate.to_der(), der);
                    }
                    Err(_) => bad.push(name.clone()),
                }
            }
        }
        assert_eq!(bad, refused, "{set}");
        assert!(read >= least, "{set}: {read}");
    }
}

#[test]
fn times_before_1970_are_read() {
    let Some(directory) = corpus("pkits/certs") else {
        return;
    };
    let file = directory.join("Validpre2000UTCnotBeforeDateTest3EE.crt");
    let certificate = Certificate::from_der(&std::fs::read(file).unwrap()).unwrap();
    assert!(certificate.not_before() <= Time::from_unix(0));
    assert!(certificate.not_after() > Time::from_unix(1_800_000_000));
}
