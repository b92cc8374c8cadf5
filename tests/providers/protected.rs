//! What is S/MIME already is recognised by parsing (rule 6), and header protection (RFC 9788).

use super::common::{self, Workbench, context, corpus, files, mail, message, opening, person};
use waxseal_message::Message;
use waxseal_smime::open::open;
use waxseal_smime::{
    EncryptOptions, HeaderProtection, KeyTransport, Protected, SignOptions, SignatureFormat, Then,
    classify, encrypt, recipients_of, sign,
};

fn opaque(media_type: &str, cms: &[u8]) -> Message {
    let body = String::from_utf8(waxseal_message::base64_lines(cms)).unwrap();
    let mail = format!(
        "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: {media_type}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
    );
    message(mail.as_bytes())
}

fn envelope() -> Vec<u8> {
    let recipient = [person("rsa-2048").certificate().clone()];
    let sealed = encrypt(&mail(), &recipient, &EncryptOptions::default(), &context()).unwrap();
    sealed.message().root().decoded().into_owned()
}

#[test]
fn rule_06_a_fake_is_only_claimed() {
    let smime = "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m";
    let check = |cms: &[u8], expected| assert_eq!(classify(&opaque(smime, cms)), expected);
    check(&envelope(), Protected::Encrypted { within_floor: true });
    check(b"this is in clear", Protected::Claimed);
    check(b"", Protected::Claimed);
    // Anything after the envelope, and an envelope cut short.
    check(
        &[envelope(), b"in clear".to_vec()].concat(),
        Protected::Claimed,
    );
    check(&envelope()[..envelope().len() - 1], Protected::Claimed);
    let plain = "From: a@example.org\r\nContent-Type: application/pkcs7-mime; \
                 smime-type=enveloped-data\r\n\r\nThe secret plan\r\n";
    assert_eq!(classify(&message(plain.as_bytes())), Protected::Claimed);
}

#[test]
fn rule_06_the_type_says_where_to_look_not_what_is_there() {
    let check = |media_type, expected| {
        assert_eq!(
            classify(&opaque(media_type, &envelope())),
            expected,
            "{media_type}"
        );
    };
    let encrypted = Protected::Encrypted { within_floor: true };
    check("application/pkcs7-mime; smime-type=signed-data", encrypted);
    check("application/x-pkcs7-mime", encrypted);
    check("application/octet-stream; name=SMIME.P7M", encrypted);
    check("application/octet-stream", encrypted);
    check("text/plain; name=smime.p7m", Protected::No);
    let text = message(b"Content-Type: text/plain\r\n\r\nhello\r\n");
    assert_eq!(classify(&text), Protected::No);
    let octets = opaque("application/octet-stream; name=data.bin", b"data");
    assert_eq!(classify(&octets), Protected::No);
    let named = opaque("application/octet-stream; name=smime.p7m", b"data");
    assert_eq!(classify(&named), Protected::Claimed);
}

#[test]
fn rule_06_signed_is_not_encrypted() {
    for format in [SignatureFormat::Detached, SignatureFormat::Opaque] {
        let options = SignOptions {
            format,
            ..SignOptions::default()
        };
        let signer = person("rsa-2048");
        let signed = sign(&mail(), &signer.identity, &options, &context()).unwrap();
        assert_eq!(classify(signed.message()), Protected::Signed(format));
    }
}

#[test]
fn rule_06_certificates_only_and_other_kinds_by_openssl() {
    let bench = Workbench::new();
    bench.certificate("cert.pem", person("rsa-2048").certificate());
    bench.key("key.pem", &person("rsa-2048").pkcs8);
    bench.put("plain", b"Content-Type: text/plain\r\n\r\nhello\r\n");
    bench.run("crl2pkcs7 -nocrl -certfile cert.pem -outform der -out certs");
    let check = |file: &str, expected| {
        let message = opaque("application/pkcs7-mime", &bench.read(file));
        assert_eq!(classify(&message), expected, "{file}");
    };
    check("certs", Protected::CertificatesOnly);
    // Streamed BER, with indefinite lengths and content in pieces.
    bench.run("cms -sign -stream -nodetach -binary -in plain -signer cert.pem -inkey key.pem -outform der -out signed");
    check("signed", Protected::Signed(SignatureFormat::Opaque));
    bench.run(
        "cms -encrypt -stream -aes-128-cbc -binary -in plain -outform der -out envelope cert.pem",
    );
    check("envelope", Protected::Encrypted { within_floor: true });
    bench.run("cms -encrypt -stream -aes-256-gcm -binary -in plain -outform der -out gcm cert.pem");
    check("gcm", Protected::Encrypted { within_floor: true });
    bench.run("cms -digest_create -in plain -outform der -out digested");
    check("digested", Protected::Claimed);
    bench.run("cms -EncryptedData_encrypt -aes128 -secretkey 00112233445566778899aabbccddeeff -in plain -outform der -out alone");
    check("alone", Protected::Claimed);
}

#[test]
fn rule_11_weak_envelopes_are_below_the_floor() {
    let weak = common::foreign("rsa:1024", "keyEncipherment");
    let bench = Workbench::new();
    bench.certificate("cert.pem", person("rsa-2048").certificate());
    bench.certificate("ec.pem", person("ec-p256").certificate());
    bench
        .certificate("weak.pem", weak.certificate())
        .put("plain", b"hello");
    for (arguments, within_floor) in [
        ("-aes-256-cbc cert.pem", true),
        ("-aes-256-cbc cert.pem weak.pem", false),
        ("-des3 cert.pem", false),
        ("-aes-256-cbc -pwri_password secret", false),
        (
            "-aes-128-cbc -recip ec.pem -keyopt ecdh_kdf_md:sha256",
            true,
        ),
        ("-aes-128-cbc -recip ec.pem -keyopt ecdh_kdf_md:sha1", false),
        (
            "-aes-128-cbc -recip cert.pem -keyopt rsa_padding_mode:oaep",
            false,
        ),
        (
            "-aes-128-cbc -recip cert.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
            true,
        ),
    ] {
        bench.run(&format!(
            "cms -encrypt -in plain -outform der -out cms {arguments}"
        ));
        let message = opaque("application/pkcs7-mime", &bench.read("cms"));
        assert_eq!(
            classify(&message),
            Protected::Encrypted { within_floor },
            "{arguments}"
        );
    }
}

#[test]
fn nothing_panics_on_damaged_cms() {
    let signed = sign(
        &mail(),
        &person("ec-p256").identity,
        &SignOptions {
            format: SignatureFormat::Opaque,
            ..SignOptions::default()
        },
        &context(),
    );
    let signed = signed.unwrap().message().root().decoded().into_owned();
    for cms in [envelope(), signed] {
        for at in 0..cms.len().min(1500) {
            let mut damaged = cms.clone();
            damaged[at] ^= 0x80;
            look(&opaque("application/pkcs7-mime", &damaged));
            damaged[at] = 0xff;
            look(&opaque("application/pkcs7-mime", &damaged));
            look(&opaque("application/pkcs7-mime", &cms[..at]));
        }
    }
}

fn look(message: &Message) {
    let _ = (
        classify(message),
        open(message, &opening()).layers.len(),
        recipients_of(message).is_ok(),
    );
}

#[test]
fn nothing_panics_on_the_fuzz_corpus() {
    let sets = [
        "openssl-fuzz-cms",
        "openssl-fuzz-smime",
        "rfc4134",
        "rustcrypto-cms",
        "cryptography-pkcs7",
    ];
    for set in sets {
        let Some(directory) = corpus(set) else { return };
        let all = files(&directory);
        let mut recognised = 0;
        for (_, octets) in &all {
            let message = opaque("application/pkcs7-mime", octets);
            recognised += usize::from(classify(&message) != Protected::Claimed);
            look(&message);
            look(&common::message(octets));
            let _ = waxseal_smime::Certificate::from_der(octets);
        }
        eprintln!(
            "{set}: {recognised} of {} are CMS objects of S/MIME",
            all.len()
        );
    }
}

// Header protection.

fn entity_of(mail: &Message) -> Vec<u8> {
    mail.part("1.1").unwrap().raw().to_vec()
}

#[test]
fn rule_10_a_signature_covers_copies_of_the_fields() {
    let options = SignOptions {
        header_protection: HeaderProtection::Baseline,
        ..SignOptions::default()
    };
    let signed = sign(&mail(), &person("ec-p256").identity, &options, &context()).unwrap();
    let signed = signed.message();
    let inside = message(&entity_of(signed));
    assert_eq!(inside.root().parameter("hp").as_deref(), Some("clear"));
    assert_eq!(inside.root().media_type(), "multipart/mixed");
    for name in ["From", "To", "Subject", "Date", "Message-ID", "Keywords"] {
        assert_eq!(
            inside.first(name).unwrap().raw(),
            mail().first(name).unwrap().raw()
        );
        assert_eq!(
            signed.first(name).unwrap().raw(),
            mail().first(name).unwrap().raw()
        );
    }
    assert!(inside.first("Received").is_none() && inside.first("HP-Outer").is_none());
}

fn sealed(setting: HeaderProtection) -> (Message, Message) {
    let recipient = person("rsa-2048");
    let options = EncryptOptions {
        header_protection: setting,
        key_transport: KeyTransport::Oaep,
        ..EncryptOptions::default()
    };
    let certificates = [recipient.certificate().clone()];
    let mail = encrypt(&mail(), &certificates, &options, &context())
        .unwrap()
        .into_message();
    let inside = decrypted(&mail);
    (mail, inside)
}

fn decrypted(mail: &Message) -> Message {
    let recipient = person("rsa-2048");
    let bench = Workbench::new();
    bench.put("mail.eml", &mail.to_bytes());
    bench
        .certificate("cert.pem", recipient.certificate())
        .key("key.pem", &recipient.pkcs8);
    bench.run("cms -decrypt -in mail.eml -recip cert.pem -inkey key.pem -out content");
    message(&bench.read("content"))
}

fn raw(message: &Message, name: &str) -> Option<String> {
    message
        .first(name)
        .map(|field| String::from_utf8_lossy(field.raw()).trim_end().to_owned())
}

#[test]
fn rule_10_hcp_baseline_hides_the_subject() {
    let (outside, inside) = sealed(HeaderProtection::Baseline);
    assert_eq!(inside.root().parameter("hp").as_deref(), Some("cipher"));
    assert_eq!(raw(&inside, "Subject"), raw(&mail(), "Subject"));
    assert_eq!(raw(&outside, "Subject").as_deref(), Some("Subject: [...]"));
    assert!(outside.first("Keywords").is_none() && inside.first("Keywords").is_some());
    assert_eq!(raw(&outside, "From"), raw(&mail(), "From"));
    let outer: Vec<String> = inside.all("HP-Outer").map(|field| field.value()).collect();
    assert_eq!(
        outer,
        [
            "From: Holder <holder.of.rsa-2048@example.org>",
            "To: Somebody Else <somebody@example.com>",
            "Subject: [...]",
            "Date: Tue, 24 Nov 2026 16:00:00 +0100",
            "Message-ID: <one@example.org>"
        ]
    );
}

#[test]
fn rule_10_hcp_shy_hides_names_and_the_time_zone() {
    let (outside, inside) = sealed(HeaderProtection::Shy);
    assert_eq!(
        raw(&outside, "From").as_deref(),
        Some("From: holder.of.rsa-2048@example.org")
    );
    assert_eq!(
        raw(&outside, "To").as_deref(),
        Some("To: somebody@example.com")
    );
    assert_eq!(
        raw(&outside, "Date").as_deref(),
        Some("Date: Tue, 24 Nov 2026 15:00:00 +0000")
    );
    assert_eq!(raw(&inside, "From"), raw(&mail(), "From"));
    assert_eq!(raw(&inside, "Date"), raw(&mail(), "Date"));
}

#[test]
fn rule_10_hcp_no_confidentiality_keeps_the_outer_fields() {
    let (outside, inside) = sealed(HeaderProtection::NoConfidentiality);
    assert_eq!(raw(&outside, "Subject"), raw(&mail(), "Subject"));
    assert_eq!(raw(&inside, "Subject"), raw(&mail(), "Subject"));
    assert_eq!(inside.all("HP-Outer").count(), 6);
}

#[test]
fn rule_10_signed_then_encrypted_has_them_in_the_signed_payload() {
    for format in SignatureFormat::ALL.iter().copied() {
        let header_protection = HeaderProtection::Baseline;
        let signing = SignOptions {
            format,
            header_protection,
            then: Then::Encrypt,
            ..SignOptions::default()
        };
        let signed = sign(&mail(), &person("ec-p256").identity, &signing, &context()).unwrap();
        assert_eq!(raw(signed.message(), "Subject"), raw(&mail(), "Subject"));
        let sealing = EncryptOptions {
            header_protection,
            ..EncryptOptions::default()
        };
        let certificates = [person("rsa-2048").certificate().clone()];
        let sealed = encrypt(signed.message(), &certificates, &sealing, &context()).unwrap();
        assert_eq!(
            raw(sealed.message(), "Subject").as_deref(),
            Some("Subject: [...]")
        );
        let layer = decrypted(sealed.message());
        assert_eq!(classify(&layer), Protected::Signed(format));
        assert!(layer.first("HP-Outer").is_none());
    }
}

#[test]
fn rule_10_no_field_leaves_the_outside_that_the_payload_has_not() {
    let signed = sign(
        &mail(),
        &person("ec-p256").identity,
        &SignOptions::default(),
        &context(),
    )
    .unwrap();
    let sealing = EncryptOptions {
        header_protection: HeaderProtection::Shy,
        ..EncryptOptions::default()
    };
    let certificates = [person("rsa-2048").certificate().clone()];
    let sealed = encrypt(signed.message(), &certificates, &sealing, &context()).unwrap();
    assert_eq!(raw(sealed.message(), "Subject"), raw(&mail(), "Subject"));
}
