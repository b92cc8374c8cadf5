//! CompressedData (RFC 3274): what grows too much is refused.

use super::common::opening;
use der::Encode;
use der::asn1::ObjectIdentifier;
use miniz_oxide::deflate::compress_to_vec_zlib;
use waxseal_message::Limits;
use waxseal_smime::open::{Opening, State, open_cms};

/// A ContentInfo around these compressed octets.
fn compressed_data(algorithm: &str, compressed: &[u8]) -> Vec<u8> {
    let sequence = |fields: &[Vec<u8>]| wrapped(0x30, &fields.concat());
    let oid = |dotted: &str| ObjectIdentifier::new_unwrap(dotted).to_der().unwrap();
    let string = wrapped(0x04, compressed);
    let content = sequence(&[oid("1.2.840.113549.1.7.1"), wrapped(0xa0, &string)]);
    let data = sequence(&[vec![2, 1, 0], sequence(&[oid(algorithm)]), content]);
    sequence(&[oid("1.2.840.113549.1.9.16.1.9"), wrapped(0xa0, &data)])
}

/// BER: a length of four octets, whatever it is.
fn wrapped(tag: u8, value: &[u8]) -> Vec<u8> {
    let size = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &size, value].concat()
}

const ZLIB: &str = "1.2.840.113549.1.9.16.3.8";

fn check(cms: &[u8], opening: &Opening<'_>, state: State, code: Option<&str>, size: Option<usize>) {
    let opened = open_cms(cms, None, opening).unwrap();
    let layer = &opened.layers[0];
    assert_eq!(layer.state, state, "{:?}", layer.problem);
    let found = layer.problem.as_ref().map(|problem| problem.code);
    assert_eq!(found, code);
    assert_eq!(opened.content.map(|content| content.len()), size);
}

#[test]
fn expands_within_limits() {
    let text = b"Content-Type: text/plain\r\n\r\nHello, hello, hello\r\n".repeat(9);
    let cms = compressed_data(ZLIB, &compress_to_vec_zlib(&text, 6));
    check(&cms, &opening(), State::Expanded, None, Some(text.len()));
    let small = Limits {
        octets: text.len() - 1,
        ..Limits::default()
    };
    let opening = Opening {
        limits: &small,
        ..opening()
    };
    check(
        &cms,
        &opening,
        State::Malformed,
        Some("compressed.limit"),
        None,
    );
}

#[test]
fn a_bomb_is_refused_by_its_ratio() {
    let zeros = compress_to_vec_zlib(&vec![0; 32 << 20], 9);
    let cms = compressed_data(ZLIB, &zeros);
    assert!(cms.len() < 64 << 10);
    check(
        &cms,
        &opening(),
        State::Malformed,
        Some("compressed.limit"),
        None,
    );
}

#[test]
fn what_is_no_zlib_has_a_name() {
    for (algorithm, octets, state, code) in [
        (
            ZLIB,
            &b"no zlib"[..],
            State::Malformed,
            "compressed.malformed",
        ),
        (ZLIB, b"", State::Malformed, "compressed.malformed"),
        (
            "1.2.3.4",
            b"x",
            State::Unsupported,
            "compressed.unsupported",
        ),
    ] {
        check(
            &compressed_data(algorithm, octets),
            &opening(),
            state,
            Some(code),
            None,
        );
    }
}
