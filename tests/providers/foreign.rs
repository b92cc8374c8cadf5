//! What OpenSSL encrypts, agrees on, derives and signs is read here, with the algorithms that we
//! write and with those that rule 11 has for reading only.

use super::common::Workbench;
use crate::PROVIDER;
use waxseal_smime::DigestAlgorithm::{self, Sha1, Sha224, Sha256, Sha384, Sha512};
use waxseal_smime::{
    ContentCipher, KeyDerivation, PrivateKey, Provider, ProviderError, SignatureScheme,
    TransportScheme,
};

const MESSAGE: &[u8] = b"attack at dawn, and then attack at dusk";
const CONTENT_KEY: [u8; 32] = [9; 32];

fn name(digest: DigestAlgorithm) -> String {
    digest.to_string().replace('-', "")
}

/// A private key that OpenSSL makes, as `NAME.pem` with its public half as `NAME.pub.pem`.
fn new_key(bench: &Workbench, file: &str, arguments: &str) {
    bench.run(&format!("genpkey {arguments} -out {file}.pem"));
    bench.run(&format!("pkey -in {file}.pem -pubout -out {file}.pub.pem"));
}

fn loaded(bench: &Workbench, file: &str) -> Box<dyn PrivateKey> {
    let pkcs8 = bench.run(&format!(
        "pkcs8 -topk8 -nocrypt -in {file}.pem -outform der"
    ));
    PROVIDER.load_key(&pkcs8).unwrap()
}

fn public_key_info(bench: &Workbench, file: &str) -> Vec<u8> {
    bench.run(&format!("pkey -pubin -in {file}.pub.pem -outform der"))
}

/// The point or number at the end of a SubjectPublicKeyInfo.
fn public_octets(info: &[u8]) -> Vec<u8> {
    use spki::der::Decode;
    let info = spki::SubjectPublicKeyInfoRef::from_der(info).unwrap();
    info.subject_public_key.as_bytes().unwrap().to_vec()
}

#[test]
fn key_transport() {
    let bench = Workbench::new();
    bench.put("key", &CONTENT_KEY);
    for bits in [1024, 2048, 2056, 3072] {
        new_key(
            &bench,
            "rsa",
            &format!("-algorithm rsa -pkeyopt rsa_keygen_bits:{bits}"),
        );
        let key = loaded(&bench, "rsa");
        let encrypt = "pkeyutl -encrypt -pubin -inkey rsa.pub.pem -in key -pkeyopt";
        let encrypted = bench.run(&format!("{encrypt} rsa_padding_mode:pkcs1"));
        let found = key.decrypt_key(&TransportScheme::Pkcs1v15, &encrypted, 32);
        assert_eq!(*found.unwrap(), CONTENT_KEY);
        for (digest, mask_digest, label) in [
            (Sha1, Sha1, ""),
            (Sha1, Sha256, ""),
            (Sha224, Sha224, "6c6162656c"),
            (Sha256, Sha1, "6c6162656c"),
            (Sha384, Sha384, ""),
            (Sha512, Sha384, ""),
        ] {
            if 2 * digest.output_size() + 2 + 32 > bits / 8 {
                continue;
            }
            let mut command = format!(
                "{encrypt} rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{} -pkeyopt rsa_mgf1_md:{}",
                name(digest),
                name(mask_digest)
            );
            if !label.is_empty() {
                command += &format!(" -pkeyopt rsa_oaep_label:{label}");
            }
            let scheme = TransportScheme::Oaep {
                digest,
                mask_digest,
                label: if label.is_empty() {
                    vec![]
                } else {
                    b"label".to_vec()
                },
            };
            let found = key.decrypt_key(&scheme, &bench.run(&command), 32);
            assert_eq!(*found.unwrap(), CONTENT_KEY, "{bits} {scheme:?}");
        }
    }
}

#[test]
fn rule_11_rsa_below_1024_bits_is_not_read() {
    let bench = Workbench::new();
    new_key(&bench, "rsa", "-algorithm rsa -pkeyopt rsa_keygen_bits:768");
    bench.put("message", MESSAGE);
    let signature = bench.run("dgst -sha256 -sign rsa.pem message");
    let info = public_key_info(&bench, "rsa");
    let scheme = SignatureScheme::RsaPkcs1v15(Sha256);
    let error = PROVIDER.verify(&info, scheme, MESSAGE, &signature);
    assert!(matches!(error, Err(ProviderError::MalformedKey(_))));
    let pkcs8 = bench.run("pkcs8 -topk8 -nocrypt -in rsa.pem -outform der");
    assert!(PROVIDER.load_key(&pkcs8).is_err());
}

#[test]
fn agreement_on_every_curve() {
    for (arguments, form) in [
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-256",
            "uncompressed",
        ),
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-256",
            "compressed",
        ),
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-384",
            "uncompressed",
        ),
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-384",
            "compressed",
        ),
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-521",
            "uncompressed",
        ),
        (
            "-algorithm ec -pkeyopt ec_paramgen_curve:P-521",
            "compressed",
        ),
        ("-algorithm x25519", ""),
    ] {
        let bench = Workbench::new();
        new_key(&bench, "ours", arguments);
        new_key(&bench, "theirs", arguments);
        let shared = bench.run("pkeyutl -derive -inkey theirs.pem -peerkey ours.pub.pem");
        let info = match form {
            "" => public_key_info(&bench, "theirs"),
            form => bench.run(&format!(
                "pkey -pubin -in theirs.pub.pem -outform der -ec_conv_form {form}"
            )),
        };
        let public = public_octets(&info);
        let key = loaded(&bench, "ours");
        assert_eq!(*key.agree(&public).unwrap(), shared, "{arguments} {form}");
        let mut elsewhere = public.clone();
        elsewhere.truncate(public.len() - 1);
        for bad in [&elsewhere[..], &[0], &[]] {
            assert_eq!(key.agree(bad), Err(ProviderError::BadCiphertext));
        }
    }
}

#[test]
fn derivation() {
    let bench = Workbench::new();
    for digest in [Sha1, Sha224, Sha256, Sha384, Sha512] {
        for size in [16, 24, 32, 100] {
            let expected = bench.run(&format!(
                "kdf -binary -keylen {size} -kdfopt digest:{} -kdfopt hexsecret:736563726574 \
                 -kdfopt hexinfo:696e666f X963KDF",
                name(digest)
            ));
            let found = PROVIDER.derive_key(KeyDerivation::X963(digest), b"secret", b"info", size);
            assert_eq!(*found.unwrap(), expected, "X9.63 {digest}");
            let expected = bench.run(&format!(
                "kdf -binary -keylen {size} -kdfopt digest:{} -kdfopt pass:secret \
                 -kdfopt hexsalt:73616c7473616c7473616c7473616c74 -kdfopt iter:1000 PBKDF2",
                name(digest)
            ));
            let derivation = KeyDerivation::Pbkdf2 {
                digest,
                iterations: 1000,
            };
            let found = PROVIDER.derive_key(derivation, b"secret", b"saltsaltsaltsalt", size);
            assert_eq!(*found.unwrap(), expected, "PBKDF2 {digest}");
        }
    }
}

#[test]
fn content_with_every_cbc_cipher() {
    let bench = Workbench::new();
    for (cipher, name) in [
        (ContentCipher::Aes128Cbc, "aes-128-cbc"),
        (ContentCipher::Aes192Cbc, "aes-192-cbc"),
        (ContentCipher::Aes256Cbc, "aes-256-cbc"),
        (ContentCipher::TripleDesCbc, "des-ede3-cbc"),
        (ContentCipher::Rc2Cbc40, "rc2-40-cbc"),
        (ContentCipher::Rc2Cbc64, "rc2-64-cbc"),
        (ContentCipher::Rc2Cbc128, "rc2-cbc"),
    ] {
        let key: Vec<u8> = (1..).take(cipher.key_size()).collect();
        let iv: Vec<u8> = (100..).take(cipher.nonce_size()).collect();
        let hex = |octets: &[u8]| -> String {
            octets.iter().map(|octet| format!("{octet:02x}")).collect()
        };
        for size in [0, 7, 8, 15, 16, 39] {
            bench.put("plain", &MESSAGE[..size]);
            let mut buffer = bench.run(&format!(
                "enc -{name} -K {} -iv {} -in plain -provider default -provider legacy",
                hex(&key),
                hex(&iv)
            ));
            PROVIDER
                .decrypt_content(cipher, &key, &iv, &[], None, &mut buffer)
                .unwrap();
            assert_eq!(buffer, &MESSAGE[..size], "{name}");
        }
    }
}

/// The signature holds, and not over another message, nor by another scheme.
fn verifies(info: &[u8], scheme: SignatureScheme, signature: &[u8], what: &str) {
    let verify = |message, signature: &[u8]| PROVIDER.verify(info, scheme, message, signature);
    assert_eq!(verify(MESSAGE, signature), Ok(()), "{what}");
    let bad = Err(ProviderError::BadSignature);
    assert_eq!(verify(&MESSAGE[1..], signature), bad, "{what}");
    assert_eq!(verify(MESSAGE, &signature[1..]), bad, "{what}");
    assert_eq!(verify(MESSAGE, &[]), bad, "{what}");
    let mut flipped = signature.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(verify(MESSAGE, &flipped), bad, "{what}");
}

#[test]
fn rsa_signatures() {
    let bench = Workbench::new();
    bench.put("message", MESSAGE);
    // 2049 bits: the encoded message of PSS is an octet shorter than the modulus.
    for bits in [1024usize, 2048, 2049] {
        new_key(
            &bench,
            "rsa",
            &format!("-algorithm rsa -pkeyopt rsa_keygen_bits:{bits}"),
        );
        let info = public_key_info(&bench, "rsa");
        for digest in [Sha1, Sha224, Sha256, Sha384, Sha512] {
            let sign = format!("dgst -{} -sign rsa.pem", name(digest));
            let signature = bench.run(&format!("{sign} message"));
            let scheme = SignatureScheme::RsaPkcs1v15(digest);
            verifies(&info, scheme, &signature, &format!("{bits} {digest}"));
            for (mask_digest, salt_size) in [(digest, 20), (Sha1, 0), (Sha256, 32)] {
                let signature = bench.run(&format!(
                    "{sign} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt_size} \
                     -sigopt rsa_mgf1_md:{} message",
                    name(mask_digest)
                ));
                let scheme = SignatureScheme::RsaPss {
                    digest,
                    mask_digest,
                    salt_size,
                };
                verifies(&info, scheme, &signature, &format!("{bits} {scheme:?}"));
                let other = SignatureScheme::RsaPss {
                    digest,
                    mask_digest,
                    salt_size: salt_size + 1,
                };
                assert!(PROVIDER.verify(&info, other, MESSAGE, &signature).is_err());
            }
        }
        let huge = SignatureScheme::RsaPss {
            digest: Sha512,
            mask_digest: Sha512,
            salt_size: usize::MAX,
        };
        let signature = vec![1; bits.div_ceil(8)];
        assert!(PROVIDER.verify(&info, huge, MESSAGE, &signature).is_err());
    }
}

#[test]
fn ecdsa_with_digests_longer_and_shorter_than_the_curve() {
    let bench = Workbench::new();
    bench.put("message", MESSAGE);
    for curve in ["P-256", "P-384", "P-521"] {
        let arguments = format!("-algorithm ec -pkeyopt ec_paramgen_curve:{curve}");
        new_key(&bench, "ec", &arguments);
        let info = public_key_info(&bench, "ec");
        for digest in [Sha1, Sha224, Sha256, Sha384, Sha512] {
            let signature = bench.run(&format!("dgst -{} -sign ec.pem message", name(digest)));
            let scheme = SignatureScheme::Ecdsa(digest);
            verifies(&info, scheme, &signature, &format!("{curve} {digest}"));
        }
        let key = loaded(&bench, "ec");
        for digest in [Sha256, Sha384, Sha512] {
            let signature = key.sign(SignatureScheme::Ecdsa(digest), MESSAGE).unwrap();
            bench.put("signature", &signature);
            bench.run(&format!(
                "dgst -{} -verify ec.pub.pem -signature signature message",
                name(digest)
            ));
        }
        // Rule 11: for reading only.
        assert!(key.sign(SignatureScheme::Ecdsa(Sha1), MESSAGE).is_err());
    }
}

#[test]
fn dsa_signatures() {
    let bench = Workbench::new();
    bench.put("message", MESSAGE);
    for (bits, order_bits) in [(1024, 160), (2048, 224), (2048, 256)] {
        bench.run(&format!(
            "genpkey -genparam -algorithm dsa -pkeyopt dsa_paramgen_bits:{bits} \
             -pkeyopt dsa_paramgen_q_bits:{order_bits} -out parameters.pem"
        ));
        new_key(&bench, "dsa", "-paramfile parameters.pem");
        let info = public_key_info(&bench, "dsa");
        for digest in [Sha1, Sha224, Sha256] {
            let signature = bench.run(&format!("dgst -{} -sign dsa.pem message", name(digest)));
            let what = format!("dsa {bits} {order_bits} {digest}");
            let scheme = SignatureScheme::Dsa(digest);
            assert_eq!(
                PROVIDER.verify(&info, scheme, MESSAGE, &signature),
                Ok(()),
                "{what}"
            );
            let bad = Err(ProviderError::BadSignature);
            let other = PROVIDER.verify(&info, scheme, &MESSAGE[1..], &signature);
            assert_eq!(other, bad, "{what}");
        }
        for (r, s) in [
            (&[0][..], &[1][..]),
            (&[1], &[0]),
            (&[1], &[1]),
            (&[0x7f; 33], &[1]),
            (&[1], &[0x7f; 33]),
            (&[0xff; 8], &[1]),
            (&[0x7f; 60], &[0x7f; 60]),
        ] {
            let number = |octets: &[u8]| [&[2, octets.len() as u8], octets].concat();
            let numbers = [number(r), number(s)].concat();
            let signature = [&[0x30, numbers.len() as u8], &numbers[..]].concat();
            let scheme = SignatureScheme::Dsa(Sha1);
            let result = PROVIDER.verify(&info, scheme, MESSAGE, &signature);
            assert_eq!(result, Err(ProviderError::BadSignature), "{r:?} {s:?}");
        }
    }
}
