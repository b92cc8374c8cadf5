//! SignerInfos made by hand, each wrong in one way; authors, usage, trust and time.

mod craft;

use super::common::{self, MAIL, NOW, authority, context, foreign, message, opening, person};
use crate::PROVIDER;
use craft::{Craft, OctetString, attribute, oid, sequence, set, tlv};
use waxseal_smime::open::{Chain, FromMatch, Layer, Opening, State, open, open_cms};
use waxseal_smime::{
    Certificate, ContentCipher, DigestAlgorithm, Distrust, DistrustKind, Path, Provider,
    Revocation, SignOptions, SignatureFormat, Trust, TrustRequest, sign,
};

const CONTENT: &[u8] = b"Content-Type: text/plain\r\n\r\nHello\r\n";
const SHA1: &str = "1.3.14.3.2.26";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const SHA512: &str = "2.16.840.1.101.3.4.2.3";
const RSA: &str = "1.2.840.113549.1.1.1";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const CAPABILITIES: &str = "1.2.840.113549.1.9.15";
const PREFERENCE: &str = "1.2.840.113549.1.9.16.2.11";
const PROTECTION: &str = "1.2.840.113549.1.9.52";
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";

fn craft() -> Craft {
    Craft::new(person("rsa-2048"), CONTENT)
}

fn layer_of(der: &[u8], opening: &Opening<'_>) -> Layer {
    let opened = open_cms(der, None, opening).unwrap();
    opened.layers.into_iter().next().unwrap()
}

/// `state (code)`, the state being that of the only signature.
fn verdict(craft: &Craft) -> String {
    let layer = layer_of(&craft.build(), &opening());
    let [signature] = layer.signatures.as_slice() else {
        return format!("{} signatures", layer.signatures.len());
    };
    match &signature.problem {
        Some(problem) => format!("{} ({})", signature.state, problem.code),
        None => signature.state.to_string(),
    }
}

fn check(name: &str, change: impl FnOnce(&mut Craft), expected: &str) {
    let mut craft = craft();
    change(&mut craft);
    assert_eq!(verdict(&craft), expected, "{name}");
}

fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

#[test]
fn attributes_that_must_be_there_once() {
    let missing = "missing-attribute (signature.attribute-missing)";
    let duplicate = "duplicate-attribute (signature.attribute-duplicate)";
    let malformed = "malformed (signature.attribute-malformed)";
    check("as it should be", |_| (), "valid");
    check("no contentType", |it| it.without(CONTENT_TYPE), missing);
    check("no messageDigest", |it| it.without(MESSAGE_DIGEST), missing);
    check(
        "no attribute at all",
        |it| it.attributes = Some(vec![]),
        missing,
    );
    for name in [CONTENT_TYPE, MESSAGE_DIGEST] {
        check(name, |it| it.twice(name), duplicate);
        check(name, |it| it.two_values(name), duplicate);
        check(name, |it| it.no_value(name), malformed);
    }
    let time = utc("261124145900Z");
    check("signingTime", |it| it.add(SIGNING_TIME, &time), "valid");
    let other = utc("261124145800Z");
    let both = |it: &mut Craft| {
        it.add(SIGNING_TIME, &time);
        it.add(SIGNING_TIME, &other);
    };
    check("signingTime twice", both, duplicate);
    for text in [
        "2611241459Z",
        "261124145900+0000",
        "261324145900Z",
        "",
        "261124145900",
    ] {
        check(text, |it| it.add(SIGNING_TIME, &utc(text)), malformed);
    }
    let general = tlv(0x18, &[b"20261124145900Z"]);
    check(
        "GeneralizedTime",
        |it| it.add(SIGNING_TIME, &general),
        "valid",
    );
    let fraction = tlv(0x18, &[b"20261124145900.5Z"]);
    check(
        "a fraction",
        |it| it.add(SIGNING_TIME, &fraction),
        malformed,
    );
    check("no time", |it| it.add(SIGNING_TIME, &[5, 0]), malformed);
    for name in [
        CONTENT_TYPE,
        MESSAGE_DIGEST,
        SIGNING_TIME,
        SIGNING_CERTIFICATE_V2,
    ] {
        let unsigned = attribute(name, &[&time]);
        check(
            "an unsigned one",
            |it| it.unsigned = vec![unsigned],
            malformed,
        );
    }
    let countersignature = attribute("1.2.840.113549.1.9.6", &[&[5, 0]]);
    check(
        "others may be unsigned",
        |it| it.unsigned = vec![countersignature],
        "valid",
    );
    check("unknown ones", |it| it.add("1.2.3", &time), "valid");
}

#[test]
fn what_is_signed() {
    check(
        "another digest",
        |it| it.replace(MESSAGE_DIGEST, &[0; 32].octet_string()),
        "invalid (signature.digest)",
    );
    check(
        "another type",
        |it| it.replace(CONTENT_TYPE, &oid("1.2.3.4")),
        "invalid (signature.content-type)",
    );
    check(
        "the other type",
        |it| it.content_type = "1.2.3.4",
        "invalid (signature.content-type)",
    );
    let typed = |it: &mut Craft| {
        it.content_type = "1.2.3.4";
        it.replace(CONTENT_TYPE, &oid("1.2.3.4"));
    };
    check("both types", typed, "valid");
    check("no attributes", |it| it.attributes = None, "valid");
    let bare = |it: &mut Craft| {
        it.content_type = "1.2.3.4";
        it.attributes = None;
    };
    // RFC 5652 §5.3.
    check(
        "bare and typed",
        bare,
        "missing-attribute (signature.attribute-missing)",
    );
    check("unsorted", |it| it.reverse(), "valid");
    let sorted = |it: &mut Craft| {
        it.reverse();
        it.sign_sorted = true;
    };
    check("unsorted, signed in order", sorted, "valid");
    check(
        "another content",
        |it| it.content = b"other".to_vec(),
        "invalid (signature.digest)",
    );
    let bare = |it: &mut Craft| {
        it.attributes = None;
        it.signed_instead = Some(b"other".to_vec());
    };
    check("bare and other", bare, "invalid (signature.invalid)");
    let other = |it: &mut Craft| it.signed_instead = Some(set(&[&attribute("1.2.3", &[&[5, 0]])]));
    check(
        "other attributes signed",
        other,
        "invalid (signature.invalid)",
    );
}

/// The signature over the attributes of one message, given out as one over a content.
#[test]
fn signed_attributes_are_no_content() {
    let honest = craft();
    let attributes = honest.attributes.clone().unwrap();
    let pieces: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
    let mut forged = craft();
    forged.content = set(&pieces);
    forged.attributes = None;
    forged.signed_instead = Some(set(&pieces));
    assert_eq!(verdict(&forged), "invalid (signature.ambiguous)");
}

#[test]
fn digest_algorithms() {
    let malformed = "malformed (signature.digest-algorithms)";
    check("none announced", |it| it.announced = vec![], malformed);
    let announced = "valid (signature.digest-algorithms)";
    check(
        "another announced",
        |it| it.announced = vec![SHA512],
        announced,
    );
    check(
        "several announced",
        |it| it.announced = vec![SHA512, SHA256, SHA1],
        "valid",
    );
    let unsupported = "unsupported (signature.algorithm)";
    let md5 = "1.2.840.113549.2.5";
    let old = |it: &mut Craft| {
        it.announced = vec![md5];
        it.digest = md5;
    };
    check("MD5", old, unsupported);
    check(
        "an RSA key and ECDSA",
        |it| it.algorithm = sequence(&[&oid("1.2.840.10045.4.3.2")]),
        unsupported,
    );
}

#[test]
fn algorithm_protection() {
    let invalid = "invalid (signature.algorithm-protection)";
    let malformed = "malformed (signature.attribute-malformed)";
    let digest = sequence(&[&oid(SHA256)]);
    let with_null = sequence(&[&oid(SHA256), &[5, 0]]);
    let signature = tlv(0xa1, &[&oid(RSA), &[5, 0]]);
    let mac = tlv(0xa2, &[&oid(SHA256)]);
    for (name, value, expected) in [
        ("both", sequence(&[&digest, &signature]), "valid"),
        (
            "NULL is absent",
            sequence(&[&with_null, &signature]),
            "valid",
        ),
        (
            "another digest",
            sequence(&[&sequence(&[&oid(SHA512)]), &signature]),
            invalid,
        ),
        (
            "another signature",
            sequence(&[&digest, &tlv(0xa1, &[&oid("1.2.840.113549.1.1.10")])]),
            invalid,
        ),
        (
            "more parameters",
            sequence(&[&digest, &tlv(0xa1, &[&oid(RSA), &[4, 0]])]),
            invalid,
        ),
        ("a MAC", sequence(&[&digest, &signature, &mac]), invalid),
        ("a MAC alone", sequence(&[&digest, &mac]), malformed),
        ("nothing", sequence(&[]), malformed),
        ("no sequence", vec![5, 0], malformed),
    ] {
        check(name, |it| it.add(PROTECTION, &value), expected);
    }
}

#[test]
fn signing_certificate() {
    let certificate = person("rsa-2048").certificate();
    let sha = |algorithm| {
        PROVIDER
            .digest(algorithm, certificate.to_der())
            .octet_string()
    };
    let (sha1, sha256) = (sha(DigestAlgorithm::Sha1), sha(DigestAlgorithm::Sha256));
    let sha512 = sha(DigestAlgorithm::Sha512);
    let serial = |certificate: &Certificate| {
        let names = sequence(&[&tlv(0xa4, &[certificate.issuer_der()])]);
        sequence(&[&names, certificate.serial_der()])
    };
    let own = serial(certificate);
    let other = serial(person("ec-p256").certificate());
    let list = |id: &[&[u8]]| sequence(&[&sequence(&[&sequence(id)])]);
    let invalid = "invalid (signature.signing-certificate)";
    let malformed = "malformed (signature.attribute-malformed)";
    let in_512 = sequence(&[&oid(SHA512)]);
    for (name, attribute, value, expected) in [
        ("V2", SIGNING_CERTIFICATE_V2, list(&[&sha256]), "valid"),
        (
            "V2 with a name",
            SIGNING_CERTIFICATE_V2,
            list(&[&sha256, &own]),
            "valid",
        ),
        (
            "V2 with another name",
            SIGNING_CERTIFICATE_V2,
            list(&[&sha256, &other]),
            invalid,
        ),
        (
            "V2 with SHA-512",
            SIGNING_CERTIFICATE_V2,
            list(&[&in_512, &sha512, &own]),
            "valid",
        ),
        (
            "V2 with the wrong digest",
            SIGNING_CERTIFICATE_V2,
            list(&[&sha512]),
            invalid,
        ),
        (
            "V2 with an unknown digest",
            SIGNING_CERTIFICATE_V2,
            list(&[&sequence(&[&oid("1.2.3")]), &sha256]),
            invalid,
        ),
        ("V1", SIGNING_CERTIFICATE, list(&[&sha1]), "valid"),
        (
            "V1 with a name",
            SIGNING_CERTIFICATE,
            list(&[&sha1, &own]),
            "valid",
        ),
        (
            "V1 with the wrong digest",
            SIGNING_CERTIFICATE,
            list(&[&sha256]),
            invalid,
        ),
        (
            "no certificate",
            SIGNING_CERTIFICATE_V2,
            sequence(&[&sequence(&[])]),
            malformed,
        ),
        (
            "no sequence",
            SIGNING_CERTIFICATE_V2,
            sha256.clone(),
            malformed,
        ),
    ] {
        check(name, |it| it.add(attribute, &value), expected);
    }
}

#[test]
fn capabilities_and_preference() {
    let capability = |name: &str| sequence(&[&oid(name)]);
    let rc2 = sequence(&[&oid("1.2.840.113549.3.2"), &[2, 1, 40]]);
    // As RFC 3560 §5 prints it.
    let digest = sequence(&[&oid(SHA256), &[5, 0]]);
    let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &digest]);
    let oaep = |parameters: &[u8]| sequence(&[&oid("1.2.840.113549.1.1.7"), parameters]);
    let printed = oaep(&sequence(&[&digest, &mask]));
    let tagged = oaep(&sequence(&[&tlv(0xa0, &[&digest]), &tlv(0xa1, &[&mask])]));
    for (oaep, expected) in [
        (printed, true),
        (tagged, true),
        (oaep(&sequence(&[])), false),
    ] {
        let value = sequence(&[
            &capability("2.16.840.1.101.3.4.1.46"),
            &rc2,
            &capability("2.16.840.1.101.3.4.1.42"),
            &capability("2.16.840.1.101.3.4.1.46"),
            &oaep,
        ]);
        let mut craft = craft();
        craft.add(CAPABILITIES, &value);
        let layer = layer_of(&craft.build(), &opening());
        let found = layer.signatures[0].capabilities.clone().unwrap();
        assert_eq!(
            found.ciphers,
            [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc]
        );
        assert_eq!(found.oaep, expected);
    }
    let preferred = person("ec-p256").certificate();
    let identifier = preferred.key_identifier().unwrap();
    for value in [
        tlv(0xa0, &[preferred.issuer_der(), preferred.serial_der()]),
        tlv(0xa1, &[&identifier.octet_string()]),
        tlv(0x82, &[&identifier]),
    ] {
        let mut craft = craft();
        craft.add(PREFERENCE, &value);
        let without = layer_of(&craft.build(), &opening());
        assert_eq!(without.signatures[0].preferred, None);
        craft.certificates.push(preferred.to_der().to_vec());
        let layer = layer_of(&craft.build(), &opening());
        assert_eq!(layer.signatures[0].state, State::Valid);
        assert_eq!(layer.signatures[0].preferred.as_ref(), Some(preferred));
    }
}

/// What our own signatures say of us.
#[test]
fn our_own_claims() {
    let signer = &person("rsa-2048").identity;
    let signed = sign(&common::mail(), signer, &SignOptions::default(), &context()).unwrap();
    let layers = open(signed.message(), &opening()).layers;
    let signature = &layers[0].signatures[0];
    let capabilities = signature.capabilities.clone().unwrap();
    assert!(capabilities.oaep);
    assert_eq!(
        capabilities.ciphers,
        [
            ContentCipher::Aes256Gcm,
            ContentCipher::Aes128Gcm,
            ContentCipher::Aes256Cbc,
            ContentCipher::Aes192Cbc,
            ContentCipher::Aes128Cbc
        ]
    );
    assert_eq!(signature.signing_time, Some(NOW));
    assert_eq!(signature.preferred.as_ref(), Some(&signer.certificate));
    assert_eq!(
        signature.issuer.as_deref(),
        Some(&*signer.certificate.issuer())
    );
    assert_eq!(signature.serial, signer.certificate.serial());
}

#[test]
fn our_own_signatures_with_every_key() {
    for key in [
        "rsa-2048", "rsa-3072", "ec-p256", "ec-p384", "ec-p521", "ed25519",
    ] {
        for format in SignatureFormat::ALL.iter().copied() {
            let options = SignOptions {
                format,
                ..SignOptions::default()
            };
            let signed =
                sign(&common::mail(), &person(key).identity, &options, &context()).unwrap();
            let layers = open(signed.message(), &opening()).layers;
            assert_eq!(layers.len(), 1);
            assert_eq!(
                layers[0].state,
                State::Valid,
                "{key} {:?}",
                layers[0].problem
            );
        }
    }
}

#[test]
fn rule_09_signing_time_in_the_future() {
    for (text, skew, expected) in [
        ("261124150000Z", 0, "valid"),
        (
            "261124150001Z",
            0,
            "signed-in-the-future (signature.future)",
        ),
        ("261124150500Z", 300, "valid"),
        (
            "261124150501Z",
            300,
            "signed-in-the-future (signature.future)",
        ),
        ("700101000000Z", 0, "valid"),
    ] {
        let mut craft = craft();
        craft.add(SIGNING_TIME, &utc(text));
        let opening = Opening {
            clock_skew: skew,
            ..opening()
        };
        let signature = &layer_of(&craft.build(), &opening).signatures[0];
        let code = signature.problem.as_ref().map(|problem| problem.code);
        let found = code.map_or(signature.state.to_string(), |code| {
            format!("{} ({code})", signature.state)
        });
        assert_eq!(found, expected, "{text} {skew}");
        assert_eq!(signature.cryptographic, State::Valid);
    }
}

/// One bit after the other: nothing that is signed can change.
#[test]
fn rule_09_every_bit_of_what_is_signed() {
    let mut craft = craft();
    craft.add(SIGNING_TIME, &utc("261124145900Z"));
    let der = craft.build();
    let whole = layer_of(&der, &opening());
    assert_eq!(whole.state, State::Valid);
    let mut still_valid = 0;
    for at in 0..der.len() {
        for bit in [0x01, 0x80] {
            let mut changed = der.clone();
            changed[at] ^= bit;
            let Ok(opened) = open_cms(&changed, None, &opening()) else {
                continue;
            };
            let Some(layer) = opened.layers.first() else {
                continue;
            };
            if layer.state != State::Valid {
                continue;
            }
            still_valid += 1;
            assert_eq!(opened.content.as_deref(), Some(CONTENT), "octet {at}");
            let signature = &layer.signatures[0];
            assert_eq!(
                signature.signing_time, whole.signatures[0].signing_time,
                "octet {at}"
            );
        }
    }
    // Versions, announced digests, and what of the certificate is no key and no name.
    assert!(still_valid < 1500, "{still_valid}");
    let signature = der.len() - 256..der.len();
    for at in signature {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            let state = layer_of(&changed, &opening()).state;
            assert_eq!(state, State::Invalid, "octet {at} bit {bit}");
        }
    }
}

#[test]
fn limits() {
    let mut many = craft();
    many.signers = 65;
    let layer = layer_of(&many.build(), &opening());
    assert_eq!(layer.signatures.len(), 64);
    assert_eq!(layer.state, State::Unsupported);
    assert_eq!(layer.problem.unwrap().code, "signature.limit");
    let mut many = craft();
    let other = person("ec-p256").certificate().to_der().to_vec();
    many.certificates.extend(vec![other; 100]);
    let layer = layer_of(&many.build(), &opening());
    assert_eq!(layer.certificates.len(), 100);
    assert_eq!(layer.state, State::Valid);
    assert_eq!(layer.problem.unwrap().code, "signature.limit");
}

#[test]
fn no_signer() {
    let mut none = craft();
    none.signers = 0;
    let layer = layer_of(&none.build(), &opening());
    assert_eq!(layer.state, State::Malformed);
    assert_eq!(layer.problem.unwrap().code, "signature.none");
    none.content.clear();
    let layer = layer_of(&none.build(), &opening());
    assert_eq!((layer.state, layer.certificates.len()), (State::Present, 1));
}

/// An impostor of the signer's name in front of the signer's own certificate.
#[test]
fn an_unusable_certificate_hides_no_usable_one() {
    let mut craft = craft();
    let own = craft.certificates[0].clone();
    // Another key under the same name: the last octets of the public key differ.
    let position = own
        .windows(5)
        .rposition(|octets| octets == [2, 3, 1, 0, 1])
        .unwrap();
    let mut impostor = own.clone();
    impostor[position - 1] ^= 4;
    craft.certificates = vec![impostor.clone(), own.clone()];
    let layer = layer_of(&craft.build(), &opening());
    assert_eq!(layer.state, State::Valid);
    assert_eq!(layer.signatures[0].signer.as_ref().unwrap().to_der(), own);
    craft.certificates = vec![impostor];
    assert_eq!(verdict(&craft), "invalid (signature.invalid)");
}

/// Says the same of every certificate.
struct Says(Result<Revocation, DistrustKind>);

impl Trust for Says {
    fn judge(
        &self,
        certificate: &Certificate,
        request: &TrustRequest<'_>,
    ) -> Result<Path, Distrust> {
        assert_eq!(request.at, NOW);
        assert_eq!(request.crls, [vec![0x30, 0]]);
        assert_eq!(request.ocsp_responses, [vec![0x30, 3, 10, 1, 6]]);
        assert!(request.certificates.contains(certificate));
        let path = |revocation| Path {
            certificates: vec![certificate.clone(), authority().certificate().clone()],
            revocation,
            policies: vec![],
            weak: vec!["sha-1".into()],
        };
        self.0.map(path).map_err(|kind| Distrust {
            kind,
            code: "path.test",
            message: "no".into(),
            subject: None,
        })
    }
}

#[test]
fn the_path_decides_beside_the_cryptography() {
    let mut craft = craft();
    craft.revocation = vec![
        vec![0x30, 0],
        tlv(0xa1, &[&oid("1.3.6.1.5.5.7.16.2"), &[0x30, 3, 10, 1, 6]]),
        tlv(0xa1, &[&oid("1.3.6.1.5.5.7.16.4"), &[0x30, 0]]),
    ];
    let der = craft.build();
    for (says, expected) in [
        (Ok(Revocation::Good), State::Valid),
        (Err(DistrustKind::Untrusted), State::Untrusted),
        (Err(DistrustKind::Expired), State::Expired),
        (Err(DistrustKind::NotYetValid), State::NotYetValid),
        (Err(DistrustKind::Revoked), State::Revoked),
        (
            Err(DistrustKind::RevocationUnknown),
            State::RevocationUnknown,
        ),
        (Err(DistrustKind::Weak), State::Weak),
        (Err(DistrustKind::Usage), State::WrongUsage),
    ] {
        let trust = Says(says);
        let opening = Opening {
            trust: Some(&trust),
            ..opening()
        };
        let layer = layer_of(&der, &opening);
        let signature = &layer.signatures[0];
        assert_eq!((layer.state, signature.state), (expected, expected));
        assert_eq!(signature.cryptographic, State::Valid);
        assert_eq!(matches!(signature.chain, Chain::Trusted(_)), says.is_ok());
        if says.is_ok() {
            assert_eq!(signature.weak, ["sha-1"]);
        }
    }
}

#[test]
fn rule_05_usage() {
    for (usage, expected) in [
        ("digitalSignature", State::Valid),
        ("nonRepudiation", State::Valid),
        ("keyEncipherment", State::WrongUsage),
        (
            "digitalSignature -addext extendedKeyUsage=emailProtection",
            State::Valid,
        ),
        (
            "digitalSignature -addext extendedKeyUsage=anyExtendedKeyUsage",
            State::Valid,
        ),
        (
            "digitalSignature -addext extendedKeyUsage=serverAuth",
            State::WrongUsage,
        ),
    ] {
        let signer = foreign("rsa:2048", usage);
        let layer = layer_of(&Craft::new(&signer, CONTENT).build(), &opening());
        assert_eq!(layer.state, expected, "{usage}");
        assert_eq!(layer.signatures[0].cryptographic, State::Valid);
    }
}

#[test]
fn rule_09_from_and_signer() {
    let own = "holder.of.rsa-2048@example.org";
    for (fields, expected) in [
        (format!("From: {own}"), FromMatch::Matches),
        (
            "From: \"x@evil.example\" <Holder.Of.RSA-2048@EXAMPLE.org>".to_owned(),
            FromMatch::Matches,
        ),
        (format!("From: {own}, Holder <{own}>"), FromMatch::Matches),
        ("From: other@example.org".into(), FromMatch::Differs),
        (
            format!("From: other@example.org\r\nSender: {own}"),
            FromMatch::Matches,
        ),
        (
            format!("From: chief@example.com\r\nSender: {own}"),
            FromMatch::Differs,
        ),
        (
            format!("From: {own}, chief@example.com\r\nSender: {own}"),
            FromMatch::Several,
        ),
        (
            format!("From: {own}\r\nSender: other@example.org"),
            FromMatch::Matches,
        ),
        (
            format!("From: other@example.org\r\nSender: {own}\r\nSender: {own}"),
            FromMatch::Differs,
        ),
        (
            "From: other@example.org\r\nSender: another@example.org".into(),
            FromMatch::Differs,
        ),
        (
            format!("From: {own}, other@example.org"),
            FromMatch::Several,
        ),
        (
            format!("From: {own}, other@example.org\r\nSender: {own}"),
            FromMatch::Matches,
        ),
        (format!("From: {own}\r\nFrom: {own}"), FromMatch::Several),
        (
            format!("From: {own}\r\nFrom: other@example.org\r\nSender: {own}"),
            FromMatch::Several,
        ),
        ("Subject: nobody".into(), FromMatch::Absent),
        ("From: no address".into(), FromMatch::Absent),
    ] {
        let text = String::from_utf8_lossy(MAIL).replace(
            "From: Holder <holder.of.rsa-2048@example.org>",
            "From: placeholder@example.org",
        );
        let signer = &person("rsa-2048").identity;
        let signed = sign(
            &message(text.as_bytes()),
            signer,
            &SignOptions::default(),
            &context(),
        );
        let signed = signed.unwrap().into_message().to_bytes();
        let mail =
            String::from_utf8_lossy(&signed).replace("From: placeholder@example.org", &fields);
        let layers = open(&message(mail.as_bytes()), &opening()).layers;
        assert_eq!(layers[0].state, State::Valid, "{fields}");
        assert_eq!(layers[0].signatures[0].from, expected, "{fields}");
    }
    let nameless = foreign("rsa:2048", "digitalSignature");
    let layer = layer_of(&Craft::new(&nameless, CONTENT).build(), &opening());
    assert_eq!(layer.signatures[0].from, FromMatch::Absent);
}

#[test]
fn rule_09_two_contents() {
    let mut craft = craft();
    let mail = |craft: &Craft| {
        let mut mail = b"From: a@example.org\r\nContent-Type: multipart/signed; boundary=b; \
            protocol=\"application/pkcs7-signature\"\r\n\r\n--b\r\n"
            .to_vec();
        mail.extend_from_slice(CONTENT);
        mail.extend_from_slice(
            b"\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\
            Content-Transfer-Encoding: base64\r\n\r\n",
        );
        mail.extend_from_slice(&waxseal_message::base64_lines(&craft.build()));
        mail.extend_from_slice(b"\r\n--b--\r\n");
        open(&message(&mail), &opening()).layers.remove(0)
    };
    assert_eq!(mail(&craft).state, State::AmbiguousContent);
    craft.is_detached = true;
    assert_eq!(mail(&craft).state, State::Valid);
    craft.signers = 0;
    assert_ne!(mail(&craft).state, State::Valid);
}

#[test]
fn several_signers_of_one_address_agree() {
    let first = person("rsa-2048");
    let template = common::template("Holder of rsa-2048");
    let second = common::person_of(&template, &"ec-p256".parse().unwrap());
    let mut both = Craft::new(first, CONTENT);
    both.join(&Craft::new(&second, CONTENT));
    let layer = layer_of(&both.build(), &opening());
    assert_eq!((layer.state, layer.signatures.len()), (State::Valid, 2));
    // One of them is over something else.
    let mut other = Craft::new(&second, CONTENT);
    other.replace(MESSAGE_DIGEST, &[0; 32].octet_string());
    let mut both = Craft::new(first, CONTENT);
    both.join(&other);
    let layer = layer_of(&both.build(), &opening());
    assert_eq!(layer.state, State::ConflictingSigners);
    let message = layer.problem.unwrap().message;
    assert!(
        message.contains("holder.of.rsa-2048@example.org valid"),
        "{message}"
    );
    assert!(
        message.contains("holder.of.rsa-2048@example.org invalid"),
        "{message}"
    );
    // Both are.
    let mut bad = Craft::new(first, CONTENT);
    bad.replace(MESSAGE_DIGEST, &[0; 32].octet_string());
    bad.join(&other);
    assert_eq!(layer_of(&bad.build(), &opening()).state, State::Invalid);
}
