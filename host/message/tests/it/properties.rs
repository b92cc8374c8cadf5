//! For any octets: parsing is total and loses none, preparing changes no content, edits
//! change one field.

use crate::support::difference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use waxseal_message::entity::{assemble, prepare};
use waxseal_message::{Address, Limits, LineEnds, Message};

/// Octets that are shown as text when a case fails.
#[derive(Clone)]
struct Octets(Vec<u8>);

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

const CHARSETS: [&str; 24] = [
    "utf-7",
    "utf-8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-8-i",
    "windows-1252",
    "koi8-r",
    "ibm850",
    "macintosh",
    "big5",
    "euc-jp",
    "euc-kr",
    "shift_jis",
    "iso-2022-jp",
    "iso-2022-kr",
    "gb2312",
    "gbk",
    "gb18030",
    "hz-gb-2312",
    "tis-620",
    "x-user-defined",
];

/// Pieces that make broken MIME likely.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 44] = [
        b"\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\n\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b" \r\n",
        b"\n ",
        b"--b",
        b"--b\r\n",
        b"\r\n--b\r\n\r\n",
        b"--b--",
        b"\r\n--b--\r\n",
        b"--b \t\r\n",
        b"--bb\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/alternative; boundary=\"bb\"\n",
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: multipart/signed; boundary=b\r\n\r\n",
        b"Content-Type: text/html; charset=\"iso-8859-1\"\r\n",
        b"Content-Type: image/png\r\n\r\n",
        b"Content-Type:\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
        b"Content-Transfer-Encoding: binary\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=\"b \r\n c\"\r\n",
        b"From ",
        b"\r\nFrom x\r\n",
        b"From: a@b\r\n",
        b"Subject: =?utf-8?q?=C3=A4?=\r\n",
        b"=\r\n",
        b"=3D",
        b"= \r\n",
        b"QUJD\r\n",
        b"YQ==",
        b"\xe4",
        "ä".as_bytes(),
        b"text",
    ];
    prop_oneof![
        20 => proptest::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 900_usize..1100).prop_map(|(octet, length)| vec![octet; length]),
    ]
}

fn mail() -> impl Strategy<Value = Octets> {
    vec(piece(), 0..40).prop_map(|pieces| Octets(pieces.concat()))
}

/// A mail with one multipart, so that most cases have a tree.
fn multipart() -> impl Strategy<Value = Octets> {
    let head = prop_oneof![Just("\r\n"), Just("\n")].prop_map(|end| {
        format!("From: a@b{end}Content-Type: multipart/mixed; boundary=b{end}{end}--b{end}")
    });
    (head, mail()).prop_map(|(head, rest)| Octets([head.as_bytes(), &rest.0].concat()))
}

fn check(octets: &[u8]) -> Result<(), TestCaseError> {
    let Ok(message) = Message::parse(octets.to_vec(), &Limits::default()) else {
        prop_assert!(false, "within limits");
        return Ok(());
    };
    prop_assert_eq!(&message.to_bytes()[..], octets);
    prop_assert_eq!([&message.head()[..], message.body()].concat(), octets);
    let mut pending = vec![message.root()];
    while let Some(part) = pending.pop() {
        prop_assert_eq!(
            message.part(&part.id()).map(|part| part.raw().to_vec()),
            Some(part.raw().to_vec())
        );
        let _ = (
            part.text(),
            part.filename(),
            part.is_attachment(),
            part.fields()
                .fold(0, |length, field| length + field.value().len()),
        );
        pending.extend(part.children());
    }
    let _ = message.addresses("From");

    let prepared = prepare(&message);
    let entity = Message::parse(prepared.entity.to_bytes(), &Limits::default()).unwrap();
    let found = difference(
        message.root(),
        entity.root(),
        message.line_ends() == LineEnds::Lf,
    );
    prop_assert!(
        found.is_none(),
        "{}\n{:?}",
        found.unwrap_or_default(),
        String::from_utf8_lossy(&prepared.entity.to_bytes())
    );
    let again = prepare(&entity);
    prop_assert_eq!(again.entity.to_bytes(), prepared.entity.to_bytes());
    prop_assert!(!again.changed);
    if prepared.transport_safe {
        let text = &prepared.entity.to_bytes();
        prop_assert!(text.is_ascii() && !text.contains(&0));
        prop_assert!(
            text.split(|octet| *octet == b'\n')
                .all(|line| line.len() <= 999)
        );
        prop_assert!(
            text.windows(2)
                .all(|pair| (pair[1] == b'\n') <= (pair[0] == b'\r'))
        );
        prop_assert!(
            text.windows(2)
                .all(|pair| (pair[0] == b'\r') <= (pair[1] == b'\n'))
        );
    }
    if !prepared.changed {
        prop_assert!(octets.ends_with(message.body()) && prepared.entity.body() == message.body());
    }
    let whole = Message::parse(assemble(&prepared.outer, &[], b"x"), &Limits::default()).unwrap();
    prop_assert_eq!(whole.field_count(), prepared.outer.len() + 1);
    prop_assert_eq!(&whole.body()[..], b"x");
    Ok(())
}

proptest! {
    // The same cases in every run; PROPTEST_CASES and PROPTEST_RNG_SEED look further.
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: RngSeed::Fixed(5322), ..ProptestConfig::default() })]

    #[test]
    fn any_octets(octets in vec(any::<u8>(), 0..300)) {
        check(&octets)?;
    }

    #[test]
    fn any_mail(octets in mail()) {
        check(&octets.0)?;
    }

    #[test]
    fn any_multipart(octets in multipart()) {
        check(&octets.0)?;
    }

    #[test]
    fn every_charset_decodes_anything(
        charset in proptest::sample::select(&CHARSETS[..]),
        octets in prop_oneof![vec(any::<u8>(), 0..60), vec(proptest::sample::select(&b"+-&/A9\x1b$B(J~{}\x0e\x0f\xd8\xdc\x00\xff\xfe"[..]), 0..60)],
    ) {
        let head = format!("Content-Type: text/plain; charset={charset}\r\n\r\n");
        let message = Message::parse([head.as_bytes(), &octets].concat(), &Limits::default()).unwrap();
        prop_assert!(message.root().text().is_some());
    }

    #[test]
    fn edits_change_one_field(octets in mail(), value in "[ -~äß€\t]{0,200}") {
        let message = Message::parse(octets.0, &Limits::default()).unwrap();
        let added = message.with_field_added("X-Added", &value).unwrap();
        prop_assert_eq!(added.field_count(), message.field_count() + 1);
        let expected = value.trim_matches([' ', '\t']);
        let written = added.field(0).unwrap();
        prop_assert_eq!(written.value(), expected, "{:?}", written);
        prop_assert_eq!(added.body(), message.body());
        let parsed = Message::parse(added.to_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(parsed.field_count(), added.field_count());
        prop_assert_eq!(parsed.body(), message.body());
        let removed = added.with_field_removed(0).unwrap();
        let names: Vec<_> = removed.fields().map(|field| field.raw_value().trim_ascii_end().to_vec()).collect();
        let before: Vec<_> = message.fields().map(|field| field.raw_value().trim_ascii_end().to_vec()).collect();
        prop_assert_eq!(names, before);
    }

    #[test]
    fn addresses_are_written_as_they_are_read(text in "[a-z\"\\\\ .@<>(),;:é]{1,12}@[a-zé.]{1,8}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
        }
    }
}
