//! Commands, their order, and their replies.

use waxseal_smtp::{Offer, Protocol};

use crate::dialog::{Client, Dialog, from};

async fn smtp() -> Client {
    let mut client = Dialog::new(Protocol::Smtp).begin().await;
    client.says(&[("EHLO mx.example", "250-gw.example")]).await;
    client
}

async fn lmtp() -> Client {
    let mut client = Dialog::new(Protocol::Lmtp).begin().await;
    client.says(&[("LHLO mx.example", "250-gw.example")]).await;
    client
}

#[tokio::test]
async fn what_is_offered() {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.settings.limits.message = 1000;
    let mut client = dialog.begin().await;
    client.send(b"EHLO mx.example\r\n").await;
    assert_eq!(
        client.reply().await,
        "250-gw.example/250-PIPELINING/250-SIZE 1000/250-ENHANCEDSTATUSCODES/250-CHUNKING/\
         250-8BITMIME/250-SMTPUTF8/250-DSN/\
         250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
    );
    client.says(&[("HELO mx.example", "250 gw.example")]).await;
}

/// What the next hop lacks is not offered, and not taken.
#[tokio::test]
async fn what_the_next_hop_lacks_is_unknown() {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.peer = from("192.0.2.1");
    dialog.offer = Offer {
        size: Some(500),
        eight_bit_mime: false,
        smtp_utf8: false,
        dsn: false,
    };
    let mut client = dialog.begin().await;
    client.send(b"EHLO mx.example\r\n").await;
    assert_eq!(
        client.reply().await,
        "250-gw.example/250-PIPELINING/250-SIZE 500/250-ENHANCEDSTATUSCODES/250 CHUNKING"
    );
    client
        .says(&[
            ("MAIL FROM:<a@a.example> BODY=8BITMIME", "555 5.5.4"),
            ("MAIL FROM:<a@a.example> SMTPUTF8", "555 5.5.4"),
            ("MAIL FROM:<a@a.example> RET=HDRS", "555 5.5.4"),
            ("MAIL FROM:<a@a.example> SIZE=501", "552 5.3.4"),
            ("MAIL FROM:<a@a.example> SIZE=500", "250 2.1.0"),
            ("RCPT TO:<b@b.example> NOTIFY=NEVER", "555 5.5.4"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
        ])
        .await;
}

#[tokio::test]
async fn a_message_goes_on_with_its_envelope() {
    let mut client = smtp().await;
    client
        .says(&[
            (
                "MAIL FROM:<a@a.example> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=x+2By",
                "250 2.1.0",
            ),
            (
                "RCPT TO:<b@b.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@c.example",
                "250 2.1.5",
            ),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("RCPT TO:<Postmaster>", "250 2.1.5"),
            ("DATA", "354 "),
            ("Subject: x\r\n\r\n..dot\r\n.", "250 2.0.0 id=id1 taken"),
            ("QUIT", "221 2.0.0|closed"),
        ])
        .await;
    let message = client.last();
    assert_eq!(client.taken(), ["Subject: x\r\n\r\n.dot\r\n"]);
    assert_eq!(message.sender.unwrap().to_string(), "a@a.example");
    let shown = |parameters: &[waxseal_policy::transaction::EsmtpParameter]| {
        let each = parameters
            .iter()
            .map(|p| format!("{}={}", p.name, p.value.as_deref().unwrap()));
        each.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(&message.sender_parameters),
        "SIZE=20 BODY=8BITMIME RET=HDRS ENVID=x+2By"
    );
    let recipients: Vec<_> = message
        .recipients
        .iter()
        .map(|r| r.address.to_string())
        .collect();
    assert_eq!(
        recipients,
        ["b@b.example", "b@b.example", "postmaster@gw.example"]
    );
    assert_eq!(
        shown(&message.recipients[0].parameters),
        "NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@c.example"
    );
    let text = String::from_utf8(message.octets.to_vec()).unwrap();
    let field = "Received: from mx.example ([127.0.0.1])\r\n\tby gw.example (waxseal/test)\r\n\
        \twith ESMTP id id1;\r\n\t";
    assert!(text.starts_with(field), "{text}");
}

#[tokio::test]
async fn the_only_recipient_stands_in_received() {
    let mut client = smtp().await;
    client.mails(b"\r\n.\r\n", "250 ").await;
    let text = String::from_utf8(client.last().octets.to_vec()).unwrap();
    assert!(text.contains("\r\n\tfor <b@b.example>;\r\n"), "{text}");
}

#[tokio::test]
async fn order() {
    let mut client = Dialog::new(Protocol::Smtp).begin().await;
    client
        .says(&[
            ("MAIL FROM:<a@a.example>", "503 5.5.1"),
            ("RCPT TO:<b@b.example>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("LHLO x", "500 5.5.1"),
            ("EHLO x", "250-"),
            ("RCPT TO:<b@b.example>", "503 5.5.1"),
            ("MAIL FROM:<a@a.example>", "250 2.1.0"),
            ("MAIL FROM:<a@a.example>", "503 5.5.1"),
            ("DATA", "554 5.5.1"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("XFORWARD NAME=x", "503 5.5.1"),
            ("RSET", "250 2.0.0"),
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<a@a.example>", "250 2.1.0"),
            ("EHLO x", "250-"),
            ("RCPT TO:<b@b.example>", "503 5.5.1"),
            ("STARTTLS", "502 5.5.1"),
            ("NOOP", "250 2.0.0"),
            ("VRFY b", "252 "),
            ("HELP", "214 "),
            ("EXPN l", "502 5.5.1"),
            ("WHAT", "500 5.5.1"),
            ("QUIT", "221 |closed"),
        ])
        .await;
    assert!(client.taken().is_empty());
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let mut client = Dialog::new(Protocol::Lmtp).begin().await;
    client
        .says(&[
            ("EHLO x", "500 5.5.1"),
            ("HELO x", "500 5.5.1"),
            ("LHLO x", "250-gw.example"),
            ("MAIL FROM:<>", "250 2.1.0"),
            ("DATA", "503 5.5.1"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("RCPT TO:<not an address>", "501 5.1.3"),
            ("RCPT TO:<c@c.example>", "250 2.1.5"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("DATA", "354 "),
            (
                "x\r\n.",
                "250 2.0.0 id=id1 b@b.example|250 2.0.0 id=id1 c@c.example|250 2.0.0 id=id1 b@b.example",
            ),
            ("NOOP", "250 2.0.0 ok"),
        ])
        .await;
    assert_eq!(client.last().sender, None);
    let text = String::from_utf8(client.last().octets.to_vec()).unwrap();
    assert!(text.contains("with LMTP id id1;"), "{text}");
}

#[tokio::test]
async fn lmtp_refuses_for_each_recipient() {
    let mut client = lmtp().await;
    client
        .says(&[
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<b@b.example>", "250 "),
            ("RCPT TO:<c@c.example>", "250 "),
            ("DATA", "354 "),
            ("bare\nline\r\n.", "550 5.6.11 id=id1|550 5.6.11 id=id1"),
            ("NOOP", "250 2.0.0 ok"),
        ])
        .await;
    assert!(client.taken().is_empty());
}

#[tokio::test]
async fn international_mail() {
    let mut client = smtp().await;
    client
        .says(&[
            ("MAIL FROM:<用户@例子.广告>", "553 5.6.7"),
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<ü@b.example>", "553 5.6.7"),
            ("RSET", "250 "),
            (
                "MAIL FROM:<用户@例子.广告> SMTPUTF8 BODY=8BITMIME",
                "250 2.1.0",
            ),
            ("RCPT TO:<ü@b.example>", "250 2.1.5"),
            ("DATA", "354 "),
            ("Subject: ü\r\n.", "250 2.0.0"),
        ])
        .await;
    let message = client.last();
    assert_eq!(
        message.sender.unwrap().to_string(),
        "用户@xn--fsqu00a.xn--4rr70v"
    );
    let text = String::from_utf8(message.octets.to_vec()).unwrap();
    assert!(text.contains("with UTF8SMTP id id1;"), "{text}");
    assert!(!text.contains("for <"), "{text}");
}

/// Every reply in its place, sent when nothing more is there to be read.
#[tokio::test]
async fn pipelining() {
    let mut client = Dialog::new(Protocol::Smtp).begin().await;
    client
        .expect(
            b"EHLO x\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<>\r\n\
              RCPT TO:<c@c.example>\r\nDATA\r\n",
            "250-|250 2.1.0|250 2.1.5|501 5.1.3|250 2.1.5|354 ",
        )
        .await;
    // RFC 2920 §3.1: the content may be the first of a group.
    client
        .expect(
            b"one\r\n.\r\nRSET\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<d@d.example>\r\nDATA\r\n",
            "250 2.0.0 id=id1|250 2.0.0 reset|250 2.1.0|250 2.1.5|354 ",
        )
        .await;
    client
        .expect(b"two\r\n.\r\nQUIT\r\n", "250 2.0.0 id=id2|221 |closed")
        .await;
    assert_eq!(client.taken(), ["one\r\n", "two\r\n"]);
}

/// A client that does not wait for the answer to DATA is not talked with.
#[tokio::test]
async fn what_comes_behind_data_is_neither_message_nor_command() {
    for taken in [true, false] {
        let mut client = smtp().await;
        client.says(&[("MAIL FROM:<a@a.example>", "250 ")]).await;
        if taken {
            client.says(&[("RCPT TO:<b@b.example>", "250 ")]).await;
        }
        client
            .expect(
                b"DATA\r\nMAIL FROM:<x@x.example>\r\n.\r\n",
                "503 5.5.0|closed",
            )
            .await;
        assert!(client.taken().is_empty());
    }
}

#[tokio::test]
async fn command_lines_end_in_crlf() {
    let mut client = smtp().await;
    client.expect(b"NOOP\nNOOP\r\n", "521 5.5.2|closed").await;
    let mut client = smtp().await;
    client
        .expect(
            b"NOOP a\rb\r\nNOOP \0\r\nNOOP\r\n",
            "500 5.5.2|500 5.5.2|250 ",
        )
        .await;
    let mut client = smtp().await;
    client
        .expect(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n", "521 5.5.2|closed")
        .await;
}

#[tokio::test]
async fn a_client_that_goes_away_cancels() {
    let mut dialog = Dialog::new(Protocol::Smtp);
    let never = tokio_util::sync::CancellationToken::new();
    dialog.held_until = Some(never);
    let mut client = dialog.begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    client.mails(b"x\r\n.\r\n", "").await;
    let Client {
        talk,
        courier,
        session,
    } = client;
    drop(talk);
    crate::dialog::soon("the session", session).await.unwrap();
    assert!(courier.taken.lock().unwrap().is_empty());
}

/// RFC 5321 §3.8: 421 as soon as nothing is under way.
#[tokio::test]
async fn a_shutdown_finishes_what_is_under_way() {
    let dialog = Dialog::new(Protocol::Smtp);
    let stop = dialog.stop.clone();
    let mut client = dialog.begin().await;
    client
        .says(&[
            ("EHLO x", "250-"),
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<b@b.example>", "250 "),
        ])
        .await;
    stop.cancel();
    client
        .says(&[
            ("RCPT TO:<c@c.example>", "250 "),
            ("DATA", "354 "),
            ("x\r\n.", "250 2.0.0 id=id1|421 4.3.2|closed"),
        ])
        .await;
    assert_eq!(client.taken().len(), 1);
}

#[tokio::test]
async fn a_shutdown_sends_idle_clients_away() {
    let dialog = Dialog::new(Protocol::Smtp);
    let stop = dialog.stop.clone();
    let mut client = dialog.begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    stop.cancel();
    assert_eq!(&client.reply().await[..9], "421 4.3.2");
    assert_eq!(client.reply().await, "closed");
}
