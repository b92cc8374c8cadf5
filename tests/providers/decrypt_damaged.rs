//! Rule 8: what was changed on the way never opens as something else, and of everything that
//! depends on a key there is one failure.

use super::common::{Person, Workbench, context, message, opening, opening_with, person};
use waxseal_message::Message;
use waxseal_smime::open::{Layer, Opened, Opening, Problem, Secret, State, open, open_cms};
use waxseal_smime::{ContentCipher, EncryptOptions, KeyTransport, encrypt};

const ENTITY: &[u8] = b"Content-Type: text/plain\r\n\r\nA secret of some length.\r\n";

fn cms_for(recipient: &Person, cipher: ContentCipher, transport: KeyTransport) -> Vec<u8> {
    let options = EncryptOptions {
        cipher,
        key_transport: transport,
        ..EncryptOptions::default()
    };
    let recipients = [recipient.certificate().clone()];
    let mail = encrypt(&message(ENTITY), &recipients, &options, &context()).unwrap();
    mail.into_message().root().decoded().into_owned()
}

fn mail_of(cms: &[u8]) -> Message {
    let head = "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    message(&[head.as_bytes(), cms].concat())
}

fn flipped(octets: &[u8], at: usize) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[at] ^= 1;
    octets
}

#[test]
fn rule_08_no_octet_of_a_gcm_envelope_changes_what_comes_out() {
    for name in ["ec-p256", "x25519", "rsa-2048"] {
        let recipient = person(name);
        let cms = cms_for(recipient, ContentCipher::Aes256Gcm, KeyTransport::Oaep);
        let mut damaged = 0;
        let mut unchanged = 0;
        for at in 0..cms.len() {
            let Ok(opened) = open_cms(&flipped(&cms, at), None, &opening_with(&[recipient])) else {
                continue;
            };
            match opened.layers[0].state {
                State::Decrypted => {
                    unchanged += 1;
                    assert_eq!(opened.content.as_deref(), Some(ENTITY), "{name} {at}");
                }
                State::Damaged => {
                    damaged += 1;
                    assert_eq!(opened.content, None);
                }
                state => {
                    assert!(!state.is_good(), "{name} {at} {state}");
                    assert_eq!(opened.content, None, "{name} {at}");
                }
            }
        }
        eprintln!(
            "{name}: {} octets, {damaged} damaged, {unchanged} unchanged",
            cms.len()
        );
        assert!(damaged > ENTITY.len());
        // The versions, and the type of the content.
        assert!(unchanged < 16);
    }
}

/// Everything that a layer says of its failure.
fn failure(opened: &Opened) -> (State, Option<Problem>, Option<String>, Vec<String>) {
    let Layer {
        state,
        problem,
        opened_by,
        weak,
        ..
    } = opened.layers[0].clone();
    assert_eq!(opened.content, None);
    (state, problem, opened_by, weak)
}

fn the_failure() -> (State, Option<Problem>, Option<String>, Vec<String>) {
    let problem = Problem {
        code: "decrypt.damaged",
        message: "the message cannot be decrypted".into(),
    };
    (State::Damaged, Some(problem), None, vec![])
}

/// Where the last of these octets are.
fn position(octets: &[u8], of: &[u8]) -> usize {
    octets
        .windows(of.len())
        .rposition(|window| window == of)
        .unwrap()
}

#[test]
fn rule_08_failures_of_transport_agreement_wrap_and_content_are_one() {
    let mut tried = 0;
    for (name, cipher, transport) in [
        ("rsa-2048", ContentCipher::Aes128Cbc, KeyTransport::Pkcs1v15),
        ("rsa-2048", ContentCipher::Aes256Cbc, KeyTransport::Pkcs1v15),
        ("rsa-2048", ContentCipher::Aes256Cbc, KeyTransport::Oaep),
        ("rsa-2048", ContentCipher::Aes256Gcm, KeyTransport::Pkcs1v15),
        ("rsa-2048", ContentCipher::Aes256Gcm, KeyTransport::Oaep),
        ("ec-p256", ContentCipher::Aes256Cbc, KeyTransport::Pkcs1v15),
        ("ec-p521", ContentCipher::Aes256Gcm, KeyTransport::Pkcs1v15),
        ("x25519", ContentCipher::Aes256Cbc, KeyTransport::Pkcs1v15),
    ] {
        let recipient = person(name);
        let cms = cms_for(recipient, cipher, transport);
        // The encrypted key ends where EncryptedContentInfo begins, before id-data.
        let id_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
        let end = position(&cms, &id_data) - 4;
        let key_size = if name == "rsa-2048" { 200 } else { 36 };
        let mut places: Vec<usize> = (end - key_size..end).collect();
        if cipher.is_authenticated() {
            // The end of the content, and the tag after its two octets of identifier and length.
            places.extend(cms.len() - 40..cms.len() - 18);
            places.extend(cms.len() - 16..cms.len());
        } else {
            // The last block of the vector's padding: any change of it shows as bad padding.
            places.push(cms.len() - 17);
        }
        for at in places {
            let mail = mail_of(&flipped(&cms, at));
            let opened = open(&mail, &opening_with(&[recipient]));
            assert_eq!(
                failure(&opened),
                the_failure(),
                "{name} {cipher} {transport} {at}"
            );
            tried += 1;
        }
        assert!(
            open(&mail_of(&cms), &opening_with(&[recipient]))
                .content
                .is_some()
        );
    }
    eprintln!("the same failure in {tried} ways");
}

#[test]
fn rule_08_a_point_off_the_curve_is_the_same_failure() {
    let recipient = person("ec-p256");
    let cms = cms_for(recipient, ContentCipher::Aes256Gcm, KeyTransport::Oaep);
    // BIT STRING of 66 octets, none of its bits unused, an uncompressed point.
    let point = position(&cms, &[3, 66, 0, 4]) + 4;
    for at in point..point + 64 {
        let opened = open(&mail_of(&flipped(&cms, at)), &opening_with(&[recipient]));
        assert_eq!(failure(&opened), the_failure(), "{at}");
    }
}

#[test]
fn rule_08_a_wrong_password_is_the_same_failure() {
    let bench = Workbench::new();
    bench.put("entity", ENTITY);
    let mail = bench.run("cms -encrypt -in entity -binary -aes128 -pwri_password right");
    for word in 0..40 {
        let secrets = [Secret::Password(
            format!("wrong {word}").into_bytes().into(),
        )];
        let opened = open(
            &message(&mail),
            &Opening {
                secrets: &secrets,
                ..opening()
            },
        );
        assert_eq!(failure(&opened), the_failure());
    }
}

/// Implicit rejection gives a wrong key, and one wrong key in 256 passes the unpadding of CBC.
/// That one is not told apart either.
#[test]
fn rule_08_a_wrong_key_that_passes_the_unpadding_is_the_same_failure() {
    let recipient = person("rsa-2048");
    let cms = cms_for(recipient, ContentCipher::Aes128Cbc, KeyTransport::Pkcs1v15);
    let id_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    let end = position(&cms, &id_data) - 4;
    let mut passed = 0;
    for at in (end - 250)..end {
        for bit in [1, 2, 4] {
            let mut changed = cms.clone();
            changed[at] ^= bit;
            let bare = open_cms(&changed, None, &opening_with(&[recipient])).unwrap();
            passed += usize::from(bare.layers[0].state != State::Damaged);
            let opened = open(&mail_of(&changed), &opening_with(&[recipient]));
            assert_eq!(failure(&opened), the_failure(), "{at}");
        }
    }
    eprintln!("750 wrong keys, {passed} passed the unpadding");
}
