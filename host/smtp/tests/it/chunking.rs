//! BDAT (RFC 3030).

use waxseal_smtp::Protocol;

use crate::dialog::{Client, Dialog};

async fn begun(protocol: Protocol, recipients: &[&str]) -> Client {
    let mut dialog = Dialog::new(protocol);
    dialog.settings.limits.message = 100;
    let mut client = dialog.begin().await;
    let hello = match protocol {
        Protocol::Smtp => "EHLO x",
        Protocol::Lmtp => "LHLO x",
    };
    client
        .says(&[(hello, "250-"), ("MAIL FROM:<a@a.example>", "250 ")])
        .await;
    for recipient in recipients {
        let line = format!("RCPT TO:<{recipient}>\r\n");
        client.expect(line.as_bytes(), "250 2.1.5").await;
    }
    client
}

#[tokio::test]
async fn chunks_make_a_message() {
    let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
    client
        .expect(
            b"BDAT 5\r\none\r\nBDAT 0\r\nBDAT 8\r\n.\r\nQUIT\rBDAT 1 LAST\r\n\nNOOP\r\n",
            "250 2.0.0 5|250 2.0.0 0|250 2.0.0 8|250 2.0.0 id=id1|250 2.0.0 ok",
        )
        .await;
    assert_eq!(client.taken(), ["one\r\n.\r\nQUIT\r\n"]);
}

#[tokio::test]
async fn the_last_chunk_may_be_empty() {
    let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
    client
        .expect(b"BDAT 5\r\none\r\nBDAT 0 LAST\r\n", "250 |250 2.0.0 id=id1")
        .await;
    assert_eq!(client.taken(), ["one\r\n"]);
}

/// Chunks that nobody wants are read all the same: what stands in them is no command.
#[tokio::test]
async fn refused_chunks_are_read() {
    let mut client = begun(Protocol::Smtp, &[]).await;
    client
        .expect(
            b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
            "554 5.5.1|503 5.5.1|250 2.0.0 ok",
        )
        .await;
    client
        .expect(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1|250 2.0.0 ok")
        .await;
    assert!(client.taken().is_empty());
}

#[tokio::test]
async fn a_chunk_too_many() {
    let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
    let long = "x".repeat(98) + "\r\n";
    client
        .expect(format!("BDAT 100\r\n{long}").as_bytes(), "250 ")
        .await;
    client
        .expect(b"BDAT 1\r\nxBDAT 1 LAST\r\nx", "552 5.3.4|503 5.5.1")
        .await;
    client.mails(b"fine\r\n.\r\n", "250 2.0.0 id=").await;
    assert_eq!(client.taken(), ["fine\r\n"]);
}

#[tokio::test]
async fn data_and_bdat_do_not_mix() {
    let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
    client
        .says(&[
            ("BDAT 5\r\none", "250 "),
            ("DATA", "503 5.5.1"),
            ("RCPT TO:<c@c.example>", "503 5.5.1"),
            ("RSET", "250 "),
            ("BDAT 0 LAST", "503 5.5.1"),
        ])
        .await;
    client.mails(b"two\r\n.\r\n", "250 ").await;
    assert_eq!(client.taken(), ["two\r\n"]);
}

#[tokio::test]
async fn where_a_broken_chunk_ends_is_unknown() {
    for broken in [
        "BDAT",
        "BDAT x",
        "BDAT 5 FIRST",
        "BDAT 99999999999999999999 LAST",
    ] {
        let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
        let line = format!("{broken}\r\nNOOP\r\n");
        client.expect(line.as_bytes(), "521 5.5.2|closed").await;
        assert!(client.taken().is_empty());
    }
}

#[tokio::test]
async fn a_chunk_cut_off_is_no_message() {
    let mut client = begun(Protocol::Smtp, &["b@b.example"]).await;
    client.send(b"BDAT 5 LAST\r\none").await;
    let Client {
        talk,
        courier,
        session,
    } = client;
    drop(talk);
    crate::dialog::soon("the session", session).await.unwrap();
    assert!(courier.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn over_lmtp_the_last_chunk_is_answered_for_each() {
    let both = ["b@b.example", "c@c.example"];
    let mut client = begun(Protocol::Lmtp, &both).await;
    client
        .expect(
            b"BDAT 5\r\none\r\nBDAT 0 LAST\r\nNOOP\r\n",
            "250 2.0.0 5|250 2.0.0 id=id1 b@|250 2.0.0 id=id1 c@|250 2.0.0 ok",
        )
        .await;
    let mut client = begun(Protocol::Lmtp, &both).await;
    let long = format!("BDAT 101\r\n{}BDAT 0 LAST\r\nNOOP\r\n", "x".repeat(101));
    client
        .expect(
            long.as_bytes(),
            "552 5.3.4|503 5.5.1|503 5.5.1|250 2.0.0 ok",
        )
        .await;
}
