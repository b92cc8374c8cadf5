use super::*;

fn parse(octets: &[u8]) -> Message {
    Message::parse(octets.to_vec(), &Limits::default()).unwrap()
}

fn show(octets: &[u8]) -> String {
    octets
        .escape_ascii()
        .to_string()
        .replace("\\r\\n", "\n")
        .replace("\\\"", "\"")
}

/// The entity, CR LF shown as a line end and everything odd escaped.
fn check(mail: &[u8], expected: &str) -> Prepared {
    let prepared = prepare(&parse(mail));
    assert_eq!(show(&prepared.entity.to_bytes()), expected);
    prepared
}

fn check_outer(mail: &[u8], expected: &[&str]) {
    let outer: Vec<_> = prepare(&parse(mail))
        .outer
        .iter()
        .map(|field| show(field))
        .collect();
    assert_eq!(outer, expected);
}

#[test]
fn what_needs_nothing_keeps_every_octet() {
    let content = "Content-type: multipart/MIXED;\r\n\tboundary=b\r\nContent-Description:  x\r\n\r\npre\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n\r\n--b--\r\nepi";
    let mail = format!("From: a@b\r\nMIME-Version: 1.0\r\n{content}");
    let prepared = prepare(&parse(mail.as_bytes()));
    assert_eq!(prepared.entity.to_bytes(), content);
    assert!(!prepared.changed && prepared.transport_safe);
    assert_eq!(prepared.safety(), Safety::SevenBit);
}

#[test]
fn lf_files_become_crlf() {
    let prepared = check(
        b"Content-Type: text/html\nFrom: a@b\n\na\n",
        "Content-Type: text/html\n\na\n",
    );
    assert!(prepared.changed && prepared.transport_safe);
}

#[test]
fn text_without_a_type_gets_one() {
    check(
        b"From: a@b\r\n\r\na\r\n",
        "Content-Type: text/plain; charset=us-ascii\n\na\n",
    );
    check(
        "From: a@b\r\n\r\nä\r\n".as_bytes(),
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n",
    );
    check(
        b"From: a@b\r\n\r\nabcd\xe4",
        "Content-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\nabcd=E4",
    );
    check(
        b"From: a@b\r\nContent-Transfer-Encoding: base64\r\n\r\nw6Q=\r\n",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nw6Q=\n",
    );
    check(
        b"From: a@b\r\n\r\n\x1b$B%O\x1b(B",
        "Content-Type: text/plain\n\n\\x1b$B%O\\x1b(B",
    );
    check(
        b"From: a@b",
        "Content-Type: text/plain; charset=us-ascii\n\n",
    );
}

fn check_leaf(header: &str, body: &[u8], expected: &str) -> Prepared {
    check(&[header.as_bytes(), b"\r\n", body].concat(), expected)
}

#[test]
fn leaves_are_encoded() {
    const TEXT: &str = "Content-Type: text/plain\r\n";
    const QP: &str = "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n";
    check_leaf(TEXT, b"a \r\nFrom b\r\n", &format!("{QP}a=20\n=46rom b\n"));
    check_leaf(TEXT, b"ab\0\rcd\r\n", &format!("{QP}ab=00=0Dcd\n"));
    check_leaf(
        TEXT,
        "x".repeat(999).as_bytes(),
        &format!(
            "{QP}{}=\n{}",
            ["x".repeat(75).as_str(); 13].join("=\n"),
            "x".repeat(24)
        ),
    );
    // Line ends that are not CR LF, mostly codes, not text: base64.
    const B64: &str = "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n";
    check_leaf(TEXT, b"a\nb\r\n", &format!("{B64}YQpiDQo=\n"));
    check_leaf(TEXT, b"\xe4\xf6\xfc", &format!("{B64}5Pb8\n"));
    check_leaf(
        "Content-Type: image/x\r\n",
        b"a \r\n",
        "Content-Type: image/x\nContent-Transfer-Encoding: base64\n\nYSANCg==\n",
    );
}

#[test]
fn the_encoding_field_keeps_its_place() {
    check_leaf(
        "Content-Transfer-encoding: 8bit\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nContent-ID: <a>\r\n",
        "abcä".as_bytes(),
        "Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain\nContent-ID: <a>\n\nabc=C3=A4",
    );
}

#[test]
fn encoded_leaves_keep_their_content() {
    const QP: &str = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n";
    let expected = QP.replace('\r', "");
    check_leaf(
        QP,
        b"=E4= \r\nb \r\nFrom c\xe4",
        &format!("{expected}\n=E4=\nb=20\n=46rom c=E4"),
    );
    const B64: &str = "Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n";
    let expected = B64.replace('\r', "");
    check_leaf(
        B64,
        b" YWJj \r\nZA\xff==\r\n",
        &format!("{expected}\nYWJjZA==\n"),
    );
    check_leaf(
        B64,
        b" YWJj\r\n\tZA==",
        &format!("{expected}\n YWJj\n\\tZA=="),
    );
}

#[test]
fn unknown_encodings_stay() {
    const UU: &str = "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n";
    let expected = UU.replace('\r', "");
    assert!(
        check_leaf(
            UU,
            b"begin 644 x\r\n \r\n",
            &format!("{expected}\nbegin 644 x\n \n")
        )
        .transport_safe
    );
    assert!(!check_leaf(UU, b"begin \xe4", &format!("{expected}\nbegin \\xe4")).transport_safe);
}

#[test]
fn multiparts_are_made_safe_between_their_parts() {
    let prepared = check(
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\nAch\xfc \r\n--b \r\nContent-Type: text/plain; \r\n\tcharset=x\r\n\r\na\xfcbc\r\n--b\r\n\r\nok\r\n--b--\t\r\nFrom x",
        "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\nAch?\n--b\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: quoted-printable\n\na=FCbc\n--b\n\nok\n--b--\n>From x".replace("; charset", ";\n\\tcharset").as_str(),
    );
    assert!(prepared.transport_safe);
}

#[test]
fn legal_encodings_of_multiparts_stay() {
    let mail = "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\na\r\n--b--\r\n";
    assert!(!check(mail.as_bytes(), &mail.replace('\r', "")).changed);
}

#[test]
fn mixed_line_ends() {
    check(
        b"Content-Type: multipart/mixed; boundary=b\n\r\n--b\nContent-Type: text/html\n\na\n\r\n--b\r\n\r\nok\r\n\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nYQo=\n\n--b\n\nok\n\n--b--\n",
    );
}

#[test]
fn parts_with_odd_headers() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let same = format!(
        "{head}--b\r\nContent-Type: text/html\r\n--b\r\nContent-Type: text/html\r\n\r\n--b\r\n--b--\r\n"
    );
    assert!(!check(same.as_bytes(), &same.replace('\r', "")).changed);
    let broken = format!("{head}--b\r\nContent-Type: text/html\r\nno field\r\n--b--");
    check(
        broken.as_bytes(),
        &format!("{head}--b\r\nContent-Type: text/html\r\n\r\nno field\r\n--b--").replace('\r', ""),
    );
}

#[test]
fn nothing_inside_a_signature_changes() {
    let head = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n";
    let soft = format!(
        "{head}Content-Type: multipart/signed; boundary=b\r\n\r\n--b \r\n\r\nFrom x \r\n--b--\r\n\r\n--a--\r\n"
    );
    let prepared = check(soft.as_bytes(), &soft.replace('\r', ""));
    assert!(!prepared.changed && prepared.transport_safe);
    let hard = soft.replace("From", "Frøm");
    let prepared = prepare(&parse(hard.as_bytes()));
    assert_eq!(
        (&prepared.entity.to_bytes()[..], prepared.safety()),
        (hard.as_bytes(), Safety::Canonical)
    );
}

#[test]
fn nothing_inside_a_message_changes() {
    let mail = "Content-Type: message/rfc822\r\n\r\nSubject: ä\r\n\r\nö \r\n";
    let prepared = prepare(&parse(mail.as_bytes()));
    assert_eq!(
        (
            &prepared.entity.to_bytes()[..],
            prepared.transport_safe,
            prepared.changed
        ),
        (mail.as_bytes(), false, false)
    );
}

#[test]
fn multipart_without_a_boundary_stays() {
    let mail = "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nä\r\n";
    let prepared = prepare(&parse(mail.as_bytes()));
    assert_eq!(
        (&prepared.entity.to_bytes()[..], prepared.transport_safe),
        (mail.as_bytes(), false)
    );
}

#[test]
fn data_in_lf_files_keeps_its_octets() {
    check(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: binary\n\na\nb\n--b\n\nx\ny\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\nYQpi\n\n--b\n\nx\ny\n--b--\n",
    );
}

#[test]
fn outer_fields() {
    check_outer(
        b"From x\nReceived: a\n b\nFrom: a@b\nContent-Length: 1\nLines: 2\nStatus: R\nContent-Type: text/html\nMime-Version: 1.0\nBcc: c@d\n\n",
        &["Received: a\n b\n", "From: a@b\n", "Status: R\n", "Bcc: c@d\n"],
    );
    check_outer(
        b"Subject: a\rb\0c\xe4\r\n \r\n d",
        &["Subject: a b c\\xe4\n d\n"],
    );
    check_outer(b"Fro \t: a@b : c\n\n", &["Fro: a@b : c\n"]);
    let long = format!("References: {}\r\n", "<aaaaaaaaaaaaaaaaa> ".repeat(100));
    let outer = prepare(&parse(long.as_bytes())).outer;
    assert!(
        outer[0]
            .split(|octet| *octet == b'\n')
            .all(|line| line.len() <= 999)
    );
    assert_eq!(
        parse(&outer[0]).first("references").unwrap().value(),
        parse(long.as_bytes()).first("references").unwrap().value()
    );
}

#[test]
fn assembled_messages() {
    let outer = [
        Bytes::from_static(b"From: a@b\r\n"),
        Bytes::from_static(b"MIME-Version: 1.0\r\n"),
        Bytes::from_static(b"Subject: x\r\n"),
    ];
    let fields = [
        (
            "Content-Type",
            "application/pkcs7-mime; smime-type=signed-data;\r\nname=\"a\"".to_owned(),
        ),
        ("Content-Transfer-Encoding", "base64".to_owned()),
    ];
    let message = assemble(&outer, &fields, b"AAAA\r\n");
    assert_eq!(
        show(&message),
        "From: a@b\nSubject: x\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=signed-data;name=\"a\"\nContent-Transfer-Encoding: base64\n\nAAAA\n"
    );
}
