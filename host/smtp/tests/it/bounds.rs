//! Every bound has a reply.

use std::time::Duration;

use waxseal_smtp::{Protocol, Settings};

use crate::dialog::{Client, Dialog};

async fn client(change: impl FnOnce(&mut Settings)) -> Client {
    let mut dialog = Dialog::new(Protocol::Smtp);
    change(&mut dialog.settings);
    let mut client = dialog.begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    client
}

#[tokio::test]
async fn octets_of_a_message() {
    let mut client = client(|settings| settings.limits.message = 10).await;
    client
        .says(&[("MAIL FROM:<a@a.example> SIZE=11", "552 5.3.4")])
        .await;
    client.mails(b"12345678\r\n.\r\n", "250 ").await;
    client
        .mails(b"123456789\r\n.\r\n", "552 5.3.4 id=id2")
        .await;
    // Stuffed dots do not count (RFC 1870 §5).
    client.mails(b"..2345678\r\n.\r\n", "250 ").await;
    assert_eq!(client.taken(), ["12345678\r\n", ".2345678\r\n"]);
}

#[tokio::test]
async fn octets_held_in_all() {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.room = 100_000;
    let mut client = dialog.begin().await;
    client.says(&[("EHLO x", "250-")]).await;
    let message = format!("{}.\r\n", "0123456789abcdef\r\n".repeat(10_000));
    client.mails(message.as_bytes(), "452 4.3.1 id=id1").await;
    client.mails(b"x\r\n.\r\n", "250 ").await;
}

#[tokio::test]
async fn octets_of_a_line() {
    let mut client = client(|_| {}).await;
    let longest = format!("NOOP {}", "x".repeat(2048 - 7));
    client
        .says(&[
            (&longest, "250 "),
            (&format!("{longest}x"), "500 5.5.2|closed"),
        ])
        .await;
}

#[tokio::test]
async fn a_line_without_end() {
    let mut client = client(|_| {}).await;
    client.expect(&[b'x'; 5000], "500 5.5.2|closed").await;
}

#[tokio::test]
async fn recipients() {
    let mut client = client(|settings| settings.limits.recipients = 2).await;
    let rcpt = |expected| ("RCPT TO:<b@b.example>", expected);
    client
        .says(&[
            ("MAIL FROM:<a@a.example>", "250 "),
            rcpt("250 "),
            rcpt("250 "),
            rcpt("452 4.5.3"),
            ("DATA", "354 "),
            ("x\r\n.", "250 "),
            ("MAIL FROM:<a@a.example>", "250 "),
        ])
        .await;
    assert_eq!(client.last().recipients.len(), 2);
    for _ in 0..20 {
        client.send(b"RCPT TO:<b@b.example>\r\n").await;
        client.reply().await;
    }
    client.says(&[rcpt("421 4.7.0|closed")]).await;
}

#[tokio::test]
async fn errors() {
    let mut client = client(|settings| settings.limits.errors = 2).await;
    client
        .says(&[
            ("WHAT", "500 "),
            ("WHAT", "500 "),
            ("WHAT", "500 |421 4.7.0|closed"),
        ])
        .await;
}

#[tokio::test]
async fn commands_without_a_message() {
    let mut client = client(|settings| settings.limits.idle_commands = 5).await;
    client
        .says(&[("NOOP", "250 "), ("RSET", "250 "), ("VRFY x", "252 ")])
        .await;
    client.mails(b"x\r\n.\r\n", "250 ").await;
    let noop = ("NOOP", "250 ");
    client
        .says(&[noop, noop, noop, noop, noop, ("NOOP", "421 4.7.0|closed")])
        .await;
}

#[tokio::test]
async fn empty_chunks_are_no_progress() {
    let mut client = client(|settings| settings.limits.idle_commands = 4).await;
    client
        .says(&[
            ("MAIL FROM:<a@a.example>", "250 "),
            ("RCPT TO:<b@b.example>", "250 "),
            ("BDAT 0", "250 "),
            ("BDAT 0", "250 "),
            ("BDAT 0", "421 4.7.0|closed"),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client() {
    let mut client = client(|settings| settings.timeouts.command = Duration::from_secs(7)).await;
    assert!(client.reply().await.starts_with("421 4.4.2"));
    assert_eq!(client.reply().await, "closed");
}

/// An octet now and then does not keep a command alive for ever.
#[tokio::test(start_paused = true)]
async fn a_slow_command() {
    let mut client = client(|settings| settings.timeouts.command = Duration::from_secs(7)).await;
    for _ in 0..4 {
        client.send(b"N").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert!(client.reply().await.starts_with("421 4.4.2"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_message() {
    let mut client = client(|settings| {
        settings.timeouts.block = Duration::from_secs(3);
        settings.timeouts.message = Duration::from_secs(7);
    })
    .await;
    client.mails(b"", "").await;
    for _ in 0..4 {
        client.send(b"x").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert!(client.reply().await.starts_with("421 4.4.2"));
    assert!(client.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stands_still() {
    let mut client = client(|settings| settings.timeouts.block = Duration::from_secs(3)).await;
    client.mails(b"x\r\n", "421 4.4.2|closed").await;
    assert!(client.taken().is_empty());
}

#[tokio::test]
async fn circles() {
    let mut client = client(|_| {}).await;
    let field = "Received: from x by gw.example\r\n (waxseal/test)\r\n with ESMTP id 1\r\n";
    let message = |count: usize| format!("{}\r\nbody\r\n.\r\n", field.repeat(count));
    client.mails(message(2).as_bytes(), "250 ").await;
    client.mails(message(3).as_bytes(), "554 5.4.6").await;
    let others = format!("{}\r\n.\r\n", "Received: by other\r\n".repeat(51));
    client.mails(others.as_bytes(), "554 5.4.6").await;
    assert_eq!(client.taken().len(), 1);
}
