//! Input made to take long. Nothing is timed: where work grew with the square of the size,
//! these would not end.

use waxseal_message::entity::prepare;
use waxseal_message::{Limits, Message};

const SIZE: usize = 1 << 18;

fn limits() -> Limits {
    Limits {
        header_fields: SIZE,
        header_octets: 2 * SIZE,
        parts: SIZE,
        ..Limits::default()
    }
}

/// Reads everything that can be read from `head`, `unit` repeated, and `tail`.
fn check(head: &str, unit: &str, tail: &str) {
    let mail = format!("{head}{}{tail}", unit.repeat(SIZE / unit.len()));
    let message = Message::parse(mail, &limits()).unwrap();
    for field in message.fields().take(10) {
        field.value();
    }
    let root = message.root();
    let _ = (
        root.filename(),
        root.text(),
        message.addresses("To"),
        message.to_bytes(),
    );
    let prepared = prepare(&message);
    Message::parse(prepared.entity.to_bytes(), &limits()).unwrap();
}

#[test]
fn header_bombs() {
    for unit in [
        "a",
        " ",
        "\r\n ",
        "=?",
        "=?x?q?",
        "=?x?b?a?= ",
        "(",
        "((\\",
        "\"",
        "<",
        ">",
        "a@b,",
        ":;",
        "@",
        "[",
        "\r",
        "\0",
        "\u{e4}",
    ] {
        for name in ["To", "Subject", "Content-Type", "Content-Disposition"] {
            check(&format!("{name}: "), unit, "\r\n\r\nx");
        }
    }
    for unit in [
        ";",
        "; a",
        ";a=",
        "; name=x",
        "; name*0=x",
        "; name*1=x",
        "; name*0*=x",
        ";\"",
        ";a=\"",
        "\\",
    ] {
        check("Content-Disposition: attachment", unit, "\r\n\r\nx");
        check("Content-Type: text/plain", unit, "\r\n\r\nx");
        check(
            "Content-Type: multipart/mixed; boundary=b",
            unit,
            "\r\n\r\n--b\r\n\r\nx\r\n--b--",
        );
    }
    check("", "a:\n", "");
    check("", "a:\r\n", "\r\n");
}

#[test]
fn body_bombs() {
    let mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for unit in [
        "--b\r\n",
        "--b\n",
        "--b\r\n\r\n",
        "--b--\r\n",
        "--b \r\n",
        "--b x\r\n",
        "--",
        "\r",
        "\n",
        "\r\n",
        " ",
        " \r\n",
        "\0",
        "From ",
        "From \n",
        "--b\r\nA:\r\n",
    ] {
        check(mixed, unit, "");
        check(&format!("{mixed}--b\r\n"), unit, "\r\n--b--\r\n");
        check("", &format!("\n{unit}"), "");
    }
    for encoding in ["quoted-printable", "base64", "x-uuencode"] {
        for unit in [
            "=", "= ", "=\n", "=A", "AAAA", "A", " \n", "\u{e4}", "A==", "=\r",
        ] {
            check(
                &format!("Content-Transfer-Encoding: {encoding}\r\n\r\n"),
                unit,
                "",
            );
        }
    }
}

#[test]
fn nested_bombs() {
    // As deep as is allowed, and long boundaries that differ only at their end.
    let boundary = |level: usize| format!("{}{level:02}", "b".repeat(1000));
    let mut head = format!(
        "Content-Type: multipart/mixed; boundary={}\r\n\r\n",
        boundary(0)
    );
    for level in 1..60 {
        head += &format!(
            "--{}\r\nContent-Type: multipart/mixed; boundary={}\r\n\r\n",
            boundary(level - 1),
            boundary(level)
        );
    }
    check(&head, &format!("--{}\r\n\r\n", boundary(59)), "");
    check(&head, &format!("--{}\r\n", boundary(99)), "");
    check(&head, &format!("--{}\r\n", "b".repeat(1001)), "");
}
