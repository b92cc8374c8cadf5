//! What becomes of a message, by outcome, over SMTP and LMTP: the replies, and what the next hop
//! got of it.

use tokio::net::TcpStream;
use waxseal_smtp::{Protocol, Settings};

use crate::dialog::Talk;
use crate::gateway::{Gateway, Policy, relay};
use crate::hop::{Hop, Kept};

const SECRET: &str = "the merger is on friday";

/// One outcome. Replies are beginnings, separated by `|`; what the hop got is said as
/// `KIND → RECIPIENTS` for each message, in the order of the recipients.
struct Case {
    rule: &'static str,
    profile: &'static str,
    more: &'static str,
    recipients: &'static [&'static str],
    smtp: (&'static str, &'static [&'static str]),
    lmtp: (&'static str, &'static [&'static str]),
}

const SIGN: &str = "mode = \"sign\"";
const BOTH: &[&str] = &["b@b.example", "c@c.example"];
const APPLY: &str = r#"{ "then": { "apply": { "profile": "p" } } }"#;

const CASE: Case = Case {
    rule: "",
    profile: SIGN,
    more: "",
    recipients: BOTH,
    smtp: ("250 2.0.0 id=", &["plain → b@b.example c@c.example"]),
    lmtp: (
        "250 2.0.0 id=|250 2.0.0 id=",
        &["plain → b@b.example c@c.example"],
    ),
};

fn kind(kept: &Kept) -> &'static str {
    let message = &kept.message;
    let head = message.split("\r\n\r\n").next().unwrap();
    match head {
        _ if head.contains("multipart/report") => {
            assert!(kept.mail.starts_with("MAIL FROM:<>"), "{kept:#?}");
            assert!(
                !message.contains(SECRET),
                "a report with content: {message}"
            );
            "report"
        }
        _ if head.contains("multipart/signed") => "signed",
        _ if head.contains("pkcs7-mime") => {
            assert!(!message.contains(SECRET), "not encrypted: {message}");
            "encrypted"
        }
        _ => {
            assert!(message.contains(SECRET), "not the message: {message}");
            "plain"
        }
    }
}

fn shown(kept: &[Kept]) -> Vec<String> {
    let line = |kept: &Kept| format!("{} → {}", kind(kept), kept.recipients.join(" "));
    kept.iter().map(line).collect()
}

/// Sends one message from `a@a.example` through a listener of this name.
async fn send(gateway: &Gateway, protocol: Protocol, case: &Case, replies: &str) {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut talk = Talk::new(stream);
    let hello = match protocol {
        Protocol::Smtp => "EHLO relay.example",
        Protocol::Lmtp => "LHLO relay.example",
    };
    talk.says(&[
        ("NOOP", "220 |250 "),
        (hello, "250-"),
        ("MAIL FROM:<a@a.example>", "250 "),
    ])
    .await;
    for recipient in case.recipients {
        talk.expect(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), "250 ")
            .await;
    }
    talk.says(&[("DATA", "354 ")]).await;
    let message = format!(
        "From: a@a.example\r\nTo: {}\r\nSubject: news\r\nMessage-ID: <1@a.example>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n{SECRET}\r\n.\r\n",
        case.recipients.join(", ")
    );
    talk.expect(message.as_bytes(), replies).await;
    talk.says(&[("QUIT", "221 |closed")]).await;
}

async fn check_one(listener: &str, protocol: Protocol, case: &Case) {
    let (replies, expected) = match protocol {
        Protocol::Smtp => case.smtp,
        Protocol::Lmtp => case.lmtp,
    };
    let hop = Hop::start().await;
    let policy = Policy::new(case.rule, case.profile, case.more);
    let settings = Settings::new(listener, "gw.example", protocol);
    let gateway = Gateway::start(settings, policy.service(), relay(protocol, hop.port)).await;
    send(&gateway, protocol, case, replies).await;
    gateway.stop.cancel();
    gateway.served.await.unwrap();
    assert_eq!(shown(&hop.take()), expected, "{protocol:?} {}", case.rule);
}

/// Through a listener that `[origin]` calls ours.
async fn check(case: Case) {
    check_one("ours", Protocol::Smtp, &case).await;
    check_one("ours", Protocol::Lmtp, &case).await;
}

#[tokio::test]
async fn delivered_as_it_is() {
    check(CASE).await;
}

#[tokio::test]
async fn signed() {
    let got = &["signed → b@b.example c@c.example"];
    check(Case {
        rule: APPLY,
        smtp: (CASE.smtp.0, got),
        lmtp: (CASE.lmtp.0, got),
        ..CASE
    })
    .await;
}

/// The listener is what tells our mail: the same mail through another one is not signed.
#[tokio::test]
async fn a_strangers_mail_is_not_signed() {
    let case = Case {
        rule: APPLY,
        ..CASE
    };
    check_one("theirs", Protocol::Smtp, &case).await;
    check_one("theirs", Protocol::Lmtp, &case).await;
}

#[tokio::test]
async fn encrypted() {
    let got = &["encrypted → b@b.example d@d.example"];
    check(Case {
        rule: APPLY,
        profile: "mode = \"encrypt\"",
        recipients: &["b@b.example", "d@d.example"],
        smtp: (CASE.smtp.0, got),
        lmtp: (CASE.lmtp.0, got),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn split() {
    let got = &["encrypted → b@b.example", "plain → c@c.example"];
    check(Case {
        rule: APPLY,
        profile: "mode = \"encrypt\"\nmissing-certificate = \"split\"",
        smtp: (CASE.smtp.0, got),
        lmtp: (CASE.lmtp.0, got),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn bounced() {
    check(Case {
        rule: APPLY,
        profile: "mode = \"encrypt\"\nmissing-certificate = \"bounce\"",
        smtp: ("550 5.7.5 id=", &[]),
        lmtp: ("550 5.7.5 id=|550 5.7.5 id=", &[]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn dropped() {
    let got = &["encrypted → b@b.example"];
    check(Case {
        rule: APPLY,
        profile: "mode = \"encrypt\"\nmissing-certificate = \"drop\"",
        smtp: (CASE.smtp.0, got),
        lmtp: (CASE.lmtp.0, got),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn rejected() {
    check(Case {
        rule: r#"{ "then": { "verdict": { "reject": { "text": "no thanks" } } } }"#,
        smtp: ("550 5.7.1 id=", &[]),
        lmtp: ("550 5.7.1 id=|550 5.7.1 id=", &[]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn deferred() {
    check(Case {
        rule: r#"{ "then": { "verdict": { "defer": { "text": "later" } } } }"#,
        smtp: ("45", &[]),
        lmtp: ("45|45", &[]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn discarded() {
    check(Case {
        rule: r#"{ "then": { "verdict": "discard" } }"#,
        smtp: (CASE.smtp.0, &[]),
        lmtp: (CASE.lmtp.0, &[]),
        ..CASE
    })
    .await;
}

/// Nowhere to keep it: it waits with the client.
#[tokio::test]
async fn quarantined_nowhere() {
    check(Case {
        rule: r#"{ "then": { "verdict": { "quarantine": "odd" } } }"#,
        smtp: ("451 4.7.1 id=", &[]),
        lmtp: ("451 4.7.1 id=|451 4.7.1 id=", &[]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn quarantined_at_an_address() {
    let got = &["plain → q@a.example"];
    check(Case {
        rule: r#"{ "then": { "verdict": { "quarantine": "odd" } } }"#,
        more: "[quarantine]\naddress = \"q@a.example\"",
        smtp: (CASE.smtp.0, got),
        lmtp: (CASE.lmtp.0, got),
        ..CASE
    })
    .await;
}

const REFUSE_ONE: Case = Case {
    rule: r#"{ "when": { "recipient": "c@c.example" }, "then": { "refuse": { "text": "not her" } } }"#,
    smtp: (
        CASE.smtp.0,
        &["report → a@a.example", "plain → b@b.example"],
    ),
    lmtp: ("250 2.0.0 id=|550 5.7.1 id=", &["plain → b@b.example"]),
    ..CASE
};

/// Over SMTP a report goes to the sender, over LMTP the reply says it.
#[tokio::test]
async fn one_recipient_refused() {
    check(REFUSE_ONE).await;
}

/// A stranger gets no report: the whole message is refused before anything is sent.
#[tokio::test]
async fn one_recipient_of_a_stranger_refused() {
    let case = Case {
        smtp: ("550 5.7.1 id=", &[]),
        ..REFUSE_ONE
    };
    check_one("theirs", Protocol::Smtp, &case).await;
    check_one("theirs", Protocol::Lmtp, &case).await;
}

#[tokio::test]
async fn the_next_hop_refuses_one() {
    check(Case {
        recipients: &["b@b.example", "refused@c.example"],
        smtp: (
            CASE.smtp.0,
            &["report → a@a.example", "plain → b@b.example"],
        ),
        lmtp: ("250 2.0.0 id=|550 5.1.1 id=", &["plain → b@b.example"]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn the_next_hop_refuses_all() {
    check(Case {
        recipients: &["refused@b.example", "refused@c.example"],
        smtp: ("550 5.1.1 id=", &[]),
        lmtp: ("550 5.1.1 id=|550 5.1.1 id=", &[]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn the_next_hop_defers_one() {
    check(Case {
        recipients: &["b@b.example", "deferred@c.example"],
        smtp: ("45", &[]),
        lmtp: ("250 2.0.0 id=|45", &["plain → b@b.example"]),
        ..CASE
    })
    .await;
}

#[tokio::test]
async fn the_next_hop_is_down() {
    let port = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (protocol, replies) in [(Protocol::Smtp, "4"), (Protocol::Lmtp, "4|4")] {
        let policy = Policy::new(CASE.rule, CASE.profile, CASE.more);
        let settings = Settings::new("ours", "gw.example", protocol);
        let gateway = Gateway::start(settings, policy.service(), relay(protocol, port)).await;
        send(&gateway, protocol, &CASE, replies).await;
    }
}

/// One connection, several messages, each with its own end.
#[tokio::test]
async fn a_connection_is_reused() {
    let hop = Hop::start().await;
    let policy = Policy::new("", SIGN, "");
    let settings = Settings::new("ours", "gw.example", Protocol::Smtp);
    let relay = relay(Protocol::Smtp, hop.port);
    let gateway = Gateway::start(settings, policy.service(), relay).await;
    let mut talk = Talk::new(TcpStream::connect(gateway.address).await.unwrap());
    talk.says(&[("EHLO relay.example", "220 |250-")]).await;
    for count in 0..3 {
        talk.expect(
            b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n",
            "250 |250 |354 ",
        )
        .await;
        let message = format!("From: a@a.example\r\nSubject: {count}\r\n\r\n{SECRET}\r\n.\r\n");
        talk.expect(message.as_bytes(), "250 2.0.0 id=").await;
    }
    assert_eq!(shown(&hop.take()), ["plain → b@b.example"; 3]);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_message_under_way() {
    let hop = Hop::start().await;
    let policy = Policy::new(APPLY, SIGN, "");
    let settings = Settings::new("ours", "gw.example", Protocol::Smtp);
    let relay = relay(Protocol::Smtp, hop.port);
    let gateway = Gateway::start(settings, policy.service(), relay).await;
    let mut talk = Talk::new(TcpStream::connect(gateway.address).await.unwrap());
    talk.says(&[
        ("EHLO relay.example", "220 |250-"),
        ("MAIL FROM:<a@a.example>", "250 "),
        ("RCPT TO:<b@b.example>", "250 "),
        ("DATA", "354 "),
    ])
    .await;
    gateway.stop.cancel();
    let message = format!("From: a@a.example\r\n\r\n{SECRET}\r\n.\r\n");
    talk.expect(message.as_bytes(), "250 2.0.0 id=|421 4.3.2|closed")
        .await;
    gateway.served.await.unwrap();
    assert_eq!(shown(&hop.take()), ["signed → b@b.example"]);
}
