//! SMTP smuggling: nothing but CRLF.CRLF ends a message, and no CR or LF alone goes on.

use waxseal_smtp::{BareNewline, Protocol};

use crate::dialog::Dialog;

/// What separates the message from the mail that somebody tries to smuggle in.
const FALSE_ENDS: [&str; 12] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\r.\n",
    "\n.\r",
    "\n\n.\r\n",
    "\r\r\n.\r",
    "\r\n\n.\r\n",
    "\r\n.\r\r\n",
];
const SMUGGLED: &str = "MAIL FROM:<evil@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nevil";

/// The message with a false end, cut at an octet.
async fn check(bare_newline: BareNewline, end: &str, cut: usize) {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.settings.bare_newline = bare_newline;
    let mut client = dialog.begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    let message = format!("one{end}{SMUGGLED}\r\n.\r\n");
    let (first, second) = message.as_bytes().split_at(cut);
    client.mails(first, "").await;
    // The session has its turn between the pieces.
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    let shown = end.escape_debug();
    match bare_newline {
        BareNewline::Refuse => {
            client.expect(second, "550 5.6.11 id=id1").await;
            assert!(client.taken().is_empty(), "{shown} cut at {cut}");
        }
        BareNewline::Fix => {
            client.expect(second, "250 2.0.0 id=id1").await;
            let taken = client.taken();
            assert_eq!(taken.len(), 1, "{shown} cut at {cut}");
            assert!(
                taken[0].ends_with("\r\nevil\r\n"),
                "{shown} cut at {cut}: {taken:?}"
            );
            let without = taken[0].replace("\r\n", "");
            assert!(
                !without.contains(['\r', '\n']),
                "{shown} cut at {cut}: {taken:?}"
            );
        }
    }
    // One message, one reply, and the session goes on.
    client
        .says(&[("NOOP", "250 2.0.0 ok"), ("QUIT", "221 |closed")])
        .await;
}

#[tokio::test]
async fn false_ends_are_refused() {
    for end in FALSE_ENDS {
        for cut in 3..=3 + end.len() {
            check(BareNewline::Refuse, end, cut).await;
        }
    }
}

#[tokio::test]
async fn false_ends_are_mended() {
    for end in FALSE_ENDS {
        for cut in 3..=3 + end.len() {
            check(BareNewline::Fix, end, cut).await;
        }
    }
}

#[tokio::test]
async fn the_true_end_is_found_across_packets() {
    for cut in 0..=9 {
        let mut client = Dialog::new(Protocol::Smtp).begin().await;
        client.says(&[("EHLO x", "250-")]).await;
        let message = b"one\r\n.\r\nNOOP\r\n";
        client.mails(&message[..cut.min(message.len())], "").await;
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        client
            .expect(&message[cut..], "250 2.0.0 id=id1|250 2.0.0 ok")
            .await;
        assert_eq!(client.taken(), ["one\r\n"]);
    }
}

/// RFC 5321 §4.1.1.4 allows any of the 128 characters; NUL is content like any other.
#[tokio::test]
async fn nul_is_content() {
    let mut client = Dialog::new(Protocol::Smtp).begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    client.mails(b"a\0b\r\n\0.\r\n.\r\n", "250 ").await;
    assert_eq!(client.taken(), ["a\0b\r\n\0.\r\n"]);
}

#[tokio::test]
async fn chunks_have_the_same_line_ends() {
    for (first, second) in [
        ("one\n", "two"),
        ("one\r", "two\r\n"),
        ("one\r\n", "two\r"),
        ("\n", ""),
    ] {
        let mut client = Dialog::new(Protocol::Smtp).begin().await;
        client
            .says(&[
                ("EHLO x", "250-"),
                ("MAIL FROM:<a@a.example>", "250 "),
                ("RCPT TO:<b@b.example>", "250 "),
            ])
            .await;
        let chunks = format!(
            "BDAT {}\r\n{first}BDAT {} LAST\r\n{second}NOOP\r\n",
            first.len(),
            second.len()
        );
        client
            .expect(
                chunks.as_bytes(),
                "250 2.0.0|550 5.6.11 id=id1|250 2.0.0 ok",
            )
            .await;
        assert!(client.taken().is_empty());
    }
}

/// A CRLF that two chunks share is one.
#[tokio::test]
async fn a_line_end_across_chunks() {
    let mut client = Dialog::new(Protocol::Smtp).begin().await;
    client
        .says(&[
            ("EHLO x", "250-"),
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<b@b.example>", "250 "),
        ])
        .await;
    client
        .expect(
            b"BDAT 4\r\none\rBDAT 6 LAST\r\n\n.\r\n.\nQUIT\r\n",
            "250 2.0.0|550 5.6.11|221 ",
        )
        .await;
    client = Dialog::new(Protocol::Smtp).begin().await;
    client
        .says(&[
            ("EHLO x", "250-"),
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<b@b.example>", "250 "),
        ])
        .await;
    client
        .expect(
            b"BDAT 4\r\none\rBDAT 7 LAST\r\n\n.\r\n.\r\nQUIT\r\n",
            "250 2.0.0|250 2.0.0 id=id1|221 ",
        )
        .await;
    assert_eq!(client.taken(), ["one\r\n.\r\n.\r\n"]);
}
