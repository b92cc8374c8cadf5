//! What OpenSSL encrypts is decrypted here, in every way that OpenSSL 3 knows.

use super::common::{Person, Workbench, message, opening, opening_with, person};
use waxseal_smime::open::{Opened, Opening, Secret, State, open, open_cms};

const ENTITY: &[u8] = b"Content-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\
\r\n\
Gr=C3=BC=C3=9Fe\r\n";

use State::{Decrypted, DecryptedUnauthenticated as Unauthenticated};

fn bench(recipient: &Person) -> Workbench {
    let bench = Workbench::new();
    bench.put("entity", ENTITY);
    bench.certificate("cert.pem", recipient.certificate());
    for other in ["rsa-3072", "ec-p521"] {
        bench.certificate(&format!("{other}.pem"), person(other).certificate());
    }
    bench
}

/// Encrypts with these options, as a mail and as a bare object.
fn both(bench: &Workbench, arguments: &str, opening: &Opening<'_>) -> [Opened; 2] {
    let mail = bench.run(&format!("cms -in entity -binary {arguments}"));
    let bare = arguments.replacen(' ', " -outform DER ", 1);
    let bare = bench.run(&format!("cms -in entity -binary {bare}"));
    [
        open(&message(&mail), opening),
        open_cms(&bare, None, opening).unwrap(),
    ]
}

fn check(opened: &Opened, state: State, weak: &[&str], what: &str) {
    let layer = &opened.layers[0];
    assert_eq!(layer.state, state, "{what}: {:?}", layer.problem);
    assert_eq!(layer.weak, weak, "{what}");
    assert_eq!(opened.content.as_deref(), Some(ENTITY), "{what}");
}

fn check_for(name: &str, options: &str, state: State, weak: &[&str]) {
    let recipient = person(name);
    let bench = bench(recipient);
    for form in ["", "-stream", "-keyid", "-indef -keyid"] {
        let arguments = format!("-encrypt {form} {options}");
        let opening = opening_with(&[recipient]);
        for opened in both(&bench, &arguments, &opening) {
            check(&opened, state, weak, &format!("{name} {arguments}"));
        }
    }
}

#[test]
fn rsa_with_every_cipher() {
    for (cipher, state) in [
        ("-aes128", Unauthenticated),
        ("-aes192", Unauthenticated),
        ("-aes256", Unauthenticated),
        ("-aes-128-gcm", Decrypted),
        ("-aes-192-gcm", Decrypted),
        ("-aes-256-gcm", Decrypted),
    ] {
        check_for("rsa-2048", &format!("{cipher} cert.pem"), state, &[]);
    }
}

#[test]
fn oaep_with_every_digest() {
    let oaep = "-aes256 -recip cert.pem -keyopt rsa_padding_mode:oaep";
    for (more, weak) in [
        ("", &["sha-1"][..]),
        ("-keyopt rsa_oaep_md:sha224", &["sha-224"]),
        ("-keyopt rsa_oaep_md:sha256", &[]),
        ("-keyopt rsa_oaep_md:sha384", &[]),
        ("-keyopt rsa_oaep_md:sha512", &[]),
        (
            "-keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1",
            &["sha-1"],
        ),
        (
            "-keyopt rsa_oaep_md:sha1 -keyopt rsa_mgf1_md:sha512",
            &["sha-1"],
        ),
        (
            "-keyopt rsa_oaep_md:sha384 -keyopt rsa_oaep_label:6c6162656c",
            &[],
        ),
    ] {
        check_for("rsa-2048", &format!("{oaep} {more}"), Unauthenticated, weak);
    }
}

#[test]
fn ecdh_with_every_derivation_and_wrap() {
    for name in ["ec-p256", "ec-p384", "ec-p521"] {
        for (digest, weak) in [
            ("sha1", &["sha-1"][..]),
            ("sha224", &["sha-224"]),
            ("sha256", &[]),
            ("sha384", &[]),
            ("sha512", &[]),
        ] {
            for cofactor in ["", "-keyopt ecdh_cofactor_mode:1"] {
                let kdf = format!("-recip cert.pem -keyopt ecdh_kdf_md:{digest} {cofactor}");
                check_for(name, &format!("-aes128 {kdf}"), Unauthenticated, weak);
            }
        }
        for wrap in ["-aes128-wrap", "-aes192-wrap", "-aes256-wrap"] {
            let options = format!("-aes-256-gcm {wrap} cert.pem");
            check_for(name, &options, Decrypted, &["sha-1"]);
        }
    }
}

#[test]
fn one_of_several_recipients() {
    for options in [
        "cert.pem rsa-3072.pem ec-p521.pem",
        "rsa-3072.pem ec-p521.pem cert.pem",
        "-pwri_password secret -secretkey 00112233445566778899aabbccddeeff -secretkeyid 0101 \
         rsa-3072.pem cert.pem",
    ] {
        let options = format!("-aes256 {options}");
        check_for("rsa-2048", &options, Unauthenticated, &[]);
        check_for("ec-p256", &options, Unauthenticated, &["sha-1"]);
    }
}

fn with_secrets(secrets: &[Secret]) -> Opening<'_> {
    Opening {
        secrets,
        ..opening()
    }
}

fn password(text: &str) -> Secret {
    Secret::Password(text.as_bytes().to_vec().into())
}

fn key(octets: &[u8], identifier: Option<&[u8]>) -> Secret {
    Secret::Key {
        identifier: identifier.map(<[u8]>::to_vec),
        key: octets.to_vec().into(),
    }
}

#[test]
fn passwords() {
    let bench = bench(person("rsa-2048"));
    let secrets = [password("wrong"), password("s3cret")];
    for cipher in ["-aes128", "-aes192", "-aes256 -stream"] {
        let arguments = format!("-encrypt {cipher} -pwri_password s3cret");
        for opened in both(&bench, &arguments, &with_secrets(&secrets)) {
            check(&opened, Unauthenticated, &["sha-1"], &arguments);
            assert_eq!(opened.layers[0].opened_by.as_deref(), Some("password"));
        }
        for opened in both(&bench, &arguments, &with_secrets(&secrets[..1])) {
            assert_eq!(opened.layers[0].state, State::Damaged);
        }
    }
}

#[test]
fn pre_shared_keys() {
    let bench = bench(person("rsa-2048"));
    for size in [16, 24, 32] {
        let octets: Vec<u8> = (0..size).collect();
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let arguments = format!("-encrypt -aes256 -secretkey {hex} -secretkeyid c0ffee");
        let wrong = vec![7; usize::from(size)];
        for (secrets, expected) in [
            (
                vec![key(&octets, Some(&[0xc0, 0xff, 0xee]))],
                Unauthenticated,
            ),
            (vec![key(&octets, None)], Unauthenticated),
            (vec![key(&wrong, None), key(&octets, None)], Unauthenticated),
            (vec![key(&wrong, None)], State::Damaged),
            (vec![key(&octets, Some(&[1]))], State::NoKey),
            (vec![key(&[1; 5], None)], State::NoKey),
        ] {
            for opened in both(&bench, &arguments, &with_secrets(&secrets)) {
                assert_eq!(opened.layers[0].state, expected, "{size}");
                if expected == Unauthenticated {
                    check(&opened, expected, &[], &arguments);
                    assert_eq!(opened.layers[0].opened_by.as_deref(), Some("key"));
                }
            }
        }
    }
}

#[test]
fn encrypted_data() {
    let bench = bench(person("rsa-2048"));
    let secrets = [key(&[9; 16], None), key(&[8; 32], None)];
    for (cipher, digit, size) in [("-aes128", "09", 16), ("-aes256", "08", 32)] {
        let arguments = format!(
            "-EncryptedData_encrypt {cipher} -secretkey {}",
            digit.repeat(size)
        );
        let [_, bare] = both(&bench, &arguments, &with_secrets(&secrets));
        check(&bare, Unauthenticated, &[], &arguments);
        let [_, bare] = both(&bench, &arguments, &opening());
        assert_eq!(bare.layers[0].state, State::Closed);
    }
}

#[test]
fn digested_data() {
    let bench = bench(person("rsa-2048"));
    for (digest, state) in [
        ("sha1", State::Expanded),
        ("sha256", State::Expanded),
        ("sha512", State::Expanded),
        ("md5", State::Unsupported),
    ] {
        let arguments = format!("-digest_create -nodetach -md {digest}");
        let [_, bare] = both(&bench, &arguments, &opening());
        assert_eq!(bare.layers[0].state, state, "{digest}");
        assert_eq!(bare.content.is_some(), state == State::Expanded);
    }
}

#[test]
fn rule_11_weak_ciphers_only_when_allowed() {
    let recipient = person("rsa-2048");
    let bench = bench(recipient);
    for (cipher, name) in [
        ("-des3", "des-ede3-cbc"),
        (
            "-provider default -provider legacy -rc2-40-cbc",
            "rc2-40-cbc",
        ),
        (
            "-provider default -provider legacy -rc2-64-cbc",
            "rc2-64-cbc",
        ),
        ("-provider default -provider legacy -rc2-cbc", "rc2-128-cbc"),
    ] {
        let arguments = format!("-encrypt {cipher} cert.pem");
        for opened in both(&bench, &arguments, &opening_with(&[recipient])) {
            let layer = &opened.layers[0];
            assert_eq!(
                (layer.state, &opened.content),
                (State::Weak, &None),
                "{cipher}"
            );
            assert_eq!(layer.problem.as_ref().unwrap().code, "decrypt.weak");
            assert_eq!(layer.weak, [name]);
        }
        let allowing = Opening {
            allow_weak: true,
            ..opening_with(&[recipient])
        };
        for opened in both(&bench, &arguments, &allowing) {
            check(&opened, Unauthenticated, &[name], cipher);
        }
    }
}

#[test]
fn rule_11_weak_wrap_only_when_allowed() {
    let recipient = person("ec-p256");
    let bench = bench(recipient);
    let arguments = "-encrypt -aes256 -des3-wrap -recip cert.pem -keyopt ecdh_kdf_md:sha256";
    for opened in both(&bench, arguments, &opening_with(&[recipient])) {
        assert_eq!(opened.layers[0].state, State::Weak);
        assert_eq!(opened.layers[0].weak, ["des-ede3-wrap"]);
    }
    let allowing = Opening {
        allow_weak: true,
        ..opening_with(&[recipient])
    };
    for opened in both(&bench, arguments, &allowing) {
        check(&opened, Unauthenticated, &["des-ede3-wrap"], arguments);
    }
}
