//! What we sign is verified by OpenSSL, and says what rule 2 asks for.

use super::common::{self, NOW, Workbench, authority, context, context_at, mail, message, person};
use waxseal_message::{Message, entity};
use waxseal_smime::{
    Certificate, DigestAlgorithm, Error, Identity, Protected, RsaScheme, SignOptions,
    SignatureFormat, classify, sign,
};

fn signed(key: &str, options: &SignOptions) -> Message {
    sign(&mail(), &person(key).identity, options, &context())
        .unwrap()
        .into_message()
}

/// OpenSSL verifies the mail up to the authority, and gives the content.
fn openssl_verifies(mail: &Message) -> Vec<u8> {
    let bench = Workbench::new();
    bench
        .put("mail.eml", &mail.to_bytes())
        .certificate("ca.pem", authority().certificate());
    bench.run(&format!(
        "cms -verify -in mail.eml -CAfile ca.pem -purpose smimesign -attime {} -out content",
        NOW.unix()
    ));
    bench.read("content")
}

fn check_openssl(key: &str, rsa_scheme: RsaScheme) {
    for digest in DigestAlgorithm::ALL.iter().copied() {
        for format in SignatureFormat::ALL.iter().copied() {
            let options = SignOptions {
                format,
                digest,
                rsa_scheme,
                ..SignOptions::default()
            };
            let mail = signed(key, &options);
            let content = openssl_verifies(&mail);
            assert_eq!(
                content,
                entity::prepare(&common::mail()).entity.to_bytes(),
                "{key} {options:?}"
            );
            assert_eq!(classify(&mail), Protected::Signed(format));
        }
    }
}

#[test]
fn openssl_verifies_rsa_pkcs1v15() {
    check_openssl("rsa-2048", RsaScheme::Pkcs1v15);
}

#[test]
fn openssl_verifies_rsa_pss() {
    check_openssl("rsa-3072", RsaScheme::Pss);
}

#[test]
fn openssl_verifies_ecdsa() {
    for key in ["ec-p256", "ec-p384", "ec-p521"] {
        check_openssl(key, RsaScheme::Pkcs1v15);
    }
}

/// OpenSSL 3.0's `cms` cannot check Ed25519; its `pkeyutl` can, over the signed attributes.
#[test]
fn openssl_verifies_ed25519_over_the_attributes() {
    for format in SignatureFormat::ALL.iter().copied() {
        let mail = signed(
            "ed25519",
            &SignOptions {
                format,
                ..SignOptions::default()
            },
        );
        let root = mail.root();
        let part = if format == SignatureFormat::Detached {
            root.child(1).unwrap()
        } else {
            root
        };
        let bench = Workbench::new();
        bench.put("cms", &part.decoded());
        let (attributes, signature) = attributes_and_signature(&bench);
        bench
            .put("attributes", &attributes)
            .put("signature", &signature);
        bench.certificate("cert.pem", person("ed25519").certificate());
        bench.put("key.pem", &bench.run("x509 -in cert.pem -pubkey -noout"));
        bench.run("pkeyutl -verify -pubin -inkey key.pem -rawin -in attributes -sigfile signature");
        // RFC 8419 §3.1.
        let printed = bench.run("cms -cmsout -print -noout -inform der -in cms");
        let printed = String::from_utf8_lossy(&printed);
        assert!(printed.contains("algorithm: sha512"), "{printed}");
        assert!(!printed.contains("algorithm: sha256 "), "{printed}");
    }
}

/// By the `cms` crate, which did not write them.
fn attributes_and_signature(bench: &Workbench) -> (Vec<u8>, Vec<u8>) {
    use der::{Decode, Encode};
    let info = cms::content_info::ContentInfo::from_der(&bench.read("cms")).unwrap();
    let data: cms::signed_data::SignedData = info.content.decode_as().unwrap();
    let signer = data.signer_infos.0.iter().next().unwrap();
    let attributes = signer.signed_attrs.as_ref().unwrap().to_der().unwrap();
    (attributes, signer.signature.as_bytes().to_vec())
}

#[test]
fn rule_01_an_entity_that_needs_nothing_is_signed_octet_for_octet() {
    let plain =
        b"From: a@example.org\r\nTo: b@example.org\r\nContent-Type: text/plain\r\n\r\nhello\r\n";
    let signer = &person("ec-p256").identity;
    let signed = sign(&message(plain), signer, &SignOptions::default(), &context()).unwrap();
    let part = signed.message().part("1.1").unwrap();
    assert_eq!(part.raw(), b"Content-Type: text/plain\r\n\r\nhello\r\n");
}

#[test]
fn rule_01_unsafe_nested_octets_are_an_error_when_detached_and_kept_when_opaque() {
    let mail = b"From: a@example.org\r\nContent-Type: multipart/signed; boundary=x; \
protocol=\"application/pgp-signature\"; micalg=pgp-sha256\r\n\r\n--x\r\nContent-Type: text/plain; \
charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--x\r\nContent-Type: \
application/pgp-signature\r\n\r\nsignature\r\n--x--\r\n";
    let signer = &person("ec-p256").identity;
    let error = sign(&message(mail), signer, &SignOptions::default(), &context())
        .err()
        .unwrap();
    assert_eq!(error.code(), "message.not-transport-safe");
    let options = SignOptions {
        format: SignatureFormat::Opaque,
        ..SignOptions::default()
    };
    let signed = sign(&message(mail), signer, &options, &context())
        .unwrap()
        .into_message();
    let content = openssl_verifies(&signed);
    let body = mail
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(content.ends_with(&mail[body..]));
}

#[test]
fn rule_02_signed_attributes() {
    let mail = signed("rsa-2048", &SignOptions::default());
    let bench = Workbench::new();
    bench.put("mail.eml", &mail.to_bytes());
    let printed = bench.run("cms -cmsout -print -noout -in mail.eml");
    let printed = String::from_utf8_lossy(&printed);
    for expected in [
        "object: contentType (1.2.840.113549.1.9.3)",
        "object: messageDigest (1.2.840.113549.1.9.4)",
        "object: signingTime (1.2.840.113549.1.9.5)",
        "UTCTIME:Nov 24 15:00:00 2026 GMT",
        "object: S/MIME Capabilities (1.2.840.113549.1.9.15)",
        "object: id-smime-aa-signingCertificateV2 (1.2.840.113549.1.9.16.2.47)",
        "object: id-smime-aa-encrypKeyPref (1.2.840.113549.1.9.16.2.11)",
        "1.2.840.113549.1.9.52",
        "algorithm: rsaEncryption",
    ] {
        assert!(
            printed.contains(expected),
            "{expected} is missing in {printed}"
        );
    }
    // OpenSSL's own check of signingCertificateV2 against the certificate.
    bench.certificate("ca.pem", authority().certificate());
    bench.run(&format!(
        "cms -verify -cades -in mail.eml -CAfile ca.pem -attime {} -out content",
        NOW.unix()
    ));
}

#[test]
fn rule_02_attributes_are_in_der_order_and_complete() {
    use der::{Decode, Encode};
    let mail = signed("ec-p384", &SignOptions::default());
    let octets = mail.part("1.2").unwrap().decoded().into_owned();
    let info = cms::content_info::ContentInfo::from_der(&octets).unwrap();
    let data: cms::signed_data::SignedData = info.content.decode_as().unwrap();
    let signer = data.signer_infos.0.iter().next().unwrap();
    let attributes = signer.signed_attrs.as_ref().unwrap();
    assert_eq!(attributes.len(), 7);
    // The crate sorts what it reads: the octets written must be the same.
    let encoded = attributes.to_der().unwrap();
    let contents = &encoded[2..];
    assert!(
        octets
            .windows(contents.len())
            .any(|window| window == contents)
    );
    assert_eq!(info.to_der().unwrap(), octets);
}

#[test]
fn rule_02_the_chain_goes_without_the_root() {
    let signer = person("ec-p256");
    assert!(signer.identity.chain.is_empty(), "the root is self-issued");
    let mail = signed("ec-p256", &SignOptions::default());
    let octets = mail.part("1.2").unwrap().decoded().into_owned();
    let holds = |certificate: &Certificate| {
        let der = certificate.to_der();
        octets.windows(der.len()).any(|window| window == der)
    };
    assert!(holds(signer.certificate()));
    assert!(!holds(authority().certificate()));
}

#[test]
fn rule_02_micalg_and_fields_that_stay_outside() {
    let mail = signed(
        "ec-p256",
        &SignOptions {
            digest: DigestAlgorithm::Sha384,
            ..SignOptions::default()
        },
    );
    let root = mail.root();
    assert_eq!(root.parameter("micalg").as_deref(), Some("sha-384"));
    assert_eq!(
        root.parameter("protocol").as_deref(),
        Some("application/pkcs7-signature")
    );
    for name in [
        "Received",
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Keywords",
    ] {
        let original = common::mail();
        assert_eq!(
            mail.first(name).unwrap().raw(),
            original.first(name).unwrap().raw()
        );
        assert!(root.child(0).unwrap().first(name).is_none());
    }
    assert_eq!(mail.all("MIME-Version").count(), 1);
    assert_eq!(mail.all("Content-Type").count(), 1);
    let part = mail.part("1.2").unwrap();
    assert_eq!(part.filename().as_deref(), Some("smime.p7s"));
}

#[test]
fn rule_06_signing_twice_leaves_the_first_signature_whole() {
    let once = signed("rsa-2048", &SignOptions::default());
    let signer = &person("ec-p256").identity;
    let twice = sign(&once, signer, &SignOptions::default(), &context())
        .unwrap()
        .into_message();
    let inner = twice.part("1.1").unwrap();
    assert!(inner.raw().ends_with(once.body()));
    let content = openssl_verifies(&twice);
    assert_eq!(content, inner.raw());
}

#[test]
fn rule_14_an_expired_certificate_does_not_sign() {
    let signer = &person("ec-p256").identity;
    let end = signer.certificate.not_after();
    assert!(sign(&mail(), signer, &SignOptions::default(), &context_at(end)).is_ok());
    let late = sign(
        &mail(),
        signer,
        &SignOptions::default(),
        &context_at(end.plus(1)),
    );
    let error = late.err().unwrap();
    assert_eq!(
        (error.code(), error.is_passing()),
        ("certificate.expired", false)
    );
    let begin = signer.certificate.not_before();
    let early = sign(
        &mail(),
        signer,
        &SignOptions::default(),
        &context_at(begin.plus(-1)),
    );
    let error = early.err().unwrap();
    assert_eq!(
        (error.code(), error.is_passing()),
        ("certificate.not-yet-valid", true)
    );
}

#[test]
fn rule_14_key_and_certificate_belong_together() {
    let one = person("ec-p256");
    let other = person("rsa-2048");
    let pair = Identity::new(
        "mixed",
        one.certificate().clone(),
        vec![],
        other.identity.key.clone(),
    );
    assert!(matches!(pair, Err(Error::KeyMismatch(_))));
}

#[test]
fn rule_11_keys_below_the_floor_do_not_sign() {
    let weak = common::foreign("rsa:1024", "digitalSignature");
    let context = context_at(weak.certificate().not_before());
    let error = sign(&mail(), &weak.identity, &SignOptions::default(), &context)
        .err()
        .unwrap();
    assert_eq!(error.code(), "certificate.algorithm");
}

/// A key that is for PSS with one digest alone (RFC 4055 §1.2) is used so, whatever is asked.
#[test]
fn rule_11_a_key_for_pss_alone_signs_pss() {
    let new_key = "rsa-pss -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha384 \
                   -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:48";
    let signer = common::foreign(new_key, "digitalSignature,keyEncipherment");
    assert!(signer.certificate().is_pss_only() && !signer.certificate().can_encrypt());
    let now = signer.certificate().not_before();
    let signed = sign(
        &mail(),
        &signer.identity,
        &SignOptions::default(),
        &context_at(now),
    );
    let bench = Workbench::new();
    bench.put("mail.eml", &signed.unwrap().message().to_bytes());
    bench.certificate("cert.pem", signer.certificate());
    bench.run("cms -verify -in mail.eml -CAfile cert.pem -purpose any -out content");
}

#[test]
fn x25519_signs_nothing() {
    let error = sign(
        &mail(),
        &person("x25519").identity,
        &SignOptions::default(),
        &context(),
    );
    assert_eq!(error.err().unwrap().code(), "certificate.key-usage");
}

#[test]
fn a_private_key_is_never_printed() {
    let identity = &person("rsa-2048").identity;
    let printed = format!("{identity:?}");
    assert!(
        printed.contains("Holder of rsa-2048") && printed.len() < 200,
        "{printed}"
    );
}
