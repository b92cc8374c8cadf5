//! Reports of recipients refused alone, read by Python's email package.

use std::io::Write as _;
use std::process::{Command, Stdio};

use waxseal_engine::Delivery;
use waxseal_relay::{Envelope, Replies};

use crate::hop::Act::{Go, Say};
use crate::hop::{Asked, Hop, Offers, Stage, Taken};
use crate::{address, carry_out, delivery, envelope, parameter, refusal, relay, to};

/// Prints what a reader of reports sees, dates left out.
const READER: &str = r#"
import sys, email, email.policy
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.SMTPUTF8)
for part in m.walk():
    assert not part.defects, part.defects
print(m.get_content_type(), m["Content-Type"].params["report-type"])
for name in ("From", "To", "Subject", "Auto-Submitted"):
    print(f"{name}: {m[name]}")
assert m["Message-ID"] and m["Date"].datetime and m["MIME-Version"] == "1.0"
words, status, header = m.iter_parts()
print("-", words.get_content_type())
print(words.get_content().replace("\r\n", "\n").rstrip("\n"))
print("-", status.get_content_type())
for block in status.get_payload():
    for name, value in block.items():
        print(name, "DATE" if name.endswith("-Date") else value, sep=": ")
    print()
print("-", header.get_content_type())
raw = header.get_payload(0).as_bytes() if header.is_multipart() else header.get_payload(decode=True)
print(raw.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n"))
"#;

fn read(report: &Taken) -> String {
    let mut python = Command::new("python3")
        .args(["-c", READER])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(&report.octets).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&report.octets);
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap()
}

/// One copy for a@, and these refusals of the policy.
fn partly_refused(refused: &[&str]) -> Delivery {
    let mut delivery = delivery(&[&["a@example.net"]]);
    delivery.refusals = refused.iter().map(|text| refusal(text)).collect();
    delivery
}

/// The replies, the report, and how many other messages the hop took.
async fn send(
    hop: &Hop,
    delivery: Delivery,
    change: impl FnOnce(&mut Envelope),
) -> (String, Option<Taken>, usize) {
    let mut envelope = envelope(&delivery);
    change(&mut envelope);
    let relay = relay(to(hop));
    let replies = carry_out(&relay, &envelope, delivery, Replies::One).await;
    let mut taken = hop.taken();
    let at = taken
        .iter()
        .position(|one| one.mail.starts_with("MAIL FROM:<>"));
    let report = at.map(|at| taken.remove(at));
    (replies.join(" "), report, taken.len())
}

async fn good() -> Hop {
    Hop::start(Offers::default(), |_| Go).await
}

#[tokio::test]
async fn a_report_says_who_and_why_and_no_content() {
    let hop = Hop::start(Offers::default(), |asked| match asked.line {
        line if line.contains("TO:<x@") => Say("550-5.1.1 nobody of\r\n550 5.1.1 this name"),
        _ => Go,
    })
    .await;
    let mut delivery = partly_refused(&["b@example.net ORCPT=rfc822;b+2Bx@example.net"]);
    delivery.copies[0]
        .recipients
        .push(crate::recipient("x@example.net"));
    let (reply, report, others) = send(&hop, delivery, |envelope| {
        envelope.sender_parameters = vec![parameter("ENVID=q+2B1")];
        envelope.octets =
            "From: alice@example.org\r\nSubject: a\r\n folded one\r\n\r\nsecret body\r\n".into();
    })
    .await;
    assert_eq!((reply.as_str(), others), ("250 2.0.0 id=ID1 queued", 1));
    let report = report.unwrap();
    assert!(
        report.mail.starts_with("MAIL FROM:<> SIZE="),
        "{}",
        report.mail
    );
    assert_eq!(
        report.recipients,
        ["RCPT TO:<alice@example.org> NOTIFY=NEVER"]
    );
    let expected = "\
multipart/report delivery-status
From: Mail Delivery System <MAILER-DAEMON@gw.example.org>
To: alice@example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
- text/plain
This is the mail system at gw.example.org.

Your message was not delivered to the recipients below. What it
says is not repeated here; the others, if any, have received it.

<b@example.net>:
    550 5.7.5 no certificate

<x@example.net>:
    550 5.1.1 nobody of this name

The message is known here as ID1.
- message/delivery-status
Reporting-MTA: dns; gw.example.org
Original-Envelope-Id: q+1
Arrival-Date: DATE

Original-Recipient: rfc822; b+x@example.net
Final-Recipient: rfc822; b@example.net
Action: failed
Status: 5.7.5
Diagnostic-Code: smtp; 550 5.7.5 no certificate
Last-Attempt-Date: DATE

Final-Recipient: rfc822; x@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: smtp; 550 5.1.1 nobody of this name
Last-Attempt-Date: DATE

- text/rfc822-headers
From: alice@example.org
Subject: a
 folded one
";
    assert_eq!(read(&report), expected);
}

/// RFC 6533: an address that is not ASCII, for a sender whose own is.
#[tokio::test]
async fn utf8_is_escaped_for_who_reads_ascii() {
    let hop = good().await;
    let delivery = partly_refused(&["b\u{f8}b@example.net ORCPT=utf-8;b\\x{F8}b@example.net"]);
    let (_, report, _) = send(&hop, delivery, |envelope| {
        envelope.octets = "Subject: \u{e9}t\u{e9}\r\n\r\n".into();
    })
    .await;
    let report = report.unwrap();
    assert!(report.octets.is_ascii());
    let text = read(&report);
    let check = |words: &str| assert!(text.contains(words), "{words}\n{text}");
    check("\nOriginal-Recipient: utf-8; b\\x{F8}b@example.net\n");
    check("\nFinal-Recipient: utf-8; b\\x{F8}b@example.net\n");
    check("- message/delivery-status\n");
    check("- text/rfc822-headers\nSubject: \u{e9}t\u{e9}\n");
}

#[tokio::test]
async fn utf8_is_written_for_who_has_such_an_address() {
    let hop = good().await;
    let mut delivery = partly_refused(&["b\u{f8}b@example.net"]);
    delivery.sender = Some(address("\u{e5}lice@example.org"));
    let (_, report, _) = send(&hop, delivery, |envelope| {
        envelope.octets = "Subject: \u{e9}t\u{e9}\r\n\r\n".into();
    })
    .await;
    let report = report.unwrap();
    assert!(
        report.mail.ends_with(" BODY=8BITMIME SMTPUTF8"),
        "{}",
        report.mail
    );
    let text = read(&report);
    let check = |words: &str| assert!(text.contains(words), "{words}\n{text}");
    check("To: \u{e5}lice@example.org\n");
    check("- message/global-delivery-status\n");
    check("<b\u{f8}b@example.net>:\n");
    check("- message/global-headers\nSubject: \u{e9}t\u{e9}\n");
}

/// The header is the sender's: it cannot end its part, nor bring octets that no mail has.
#[tokio::test]
async fn a_hostile_header_stays_in_its_part() {
    let hop = good().await;
    let delivery = partly_refused(&["b@example.net"]);
    let (_, report, _) = send(&hop, delivery, |envelope| {
        let header =
            b"A: 1\r\n--=_waxseal-ID1\r\nContent-Type: text/html\nB: \xff\0\r2\r\n\r\nsecret";
        envelope.octets = header.to_vec().into();
    })
    .await;
    let text = read(&report.unwrap());
    let expected =
        "- text/rfc822-headers\nA: 1\n--=_waxseal-ID1\nContent-Type: text/html\nB: \u{fffd}2\n";
    assert!(text.ends_with(expected), "{text}");
}

#[tokio::test]
async fn a_long_header_is_cut() {
    let hop = good().await;
    let delivery = partly_refused(&["b@example.net"]);
    let (reply, report, _) = send(&hop, delivery, |envelope| {
        envelope.octets = "X: 123456789\r\n".repeat(100_000).into();
    })
    .await;
    assert_eq!(reply, "250 2.0.0 id=ID1 queued");
    assert!(report.unwrap().octets.len() < 70_000);
}

/// Who hears what of a refusal that is not for everybody.
#[tokio::test]
async fn who_gets_a_report() {
    let check = async |refused: &str, ours: bool, null: bool, expected: (&str, bool, usize)| {
        let hop = good().await;
        let mut delivery = partly_refused(&[refused]);
        if null {
            delivery.sender = None;
        }
        let (reply, report, others) = send(&hop, delivery, |envelope| envelope.ours = ours).await;
        // A copy of a message from the null reverse-path looks like a report here.
        let is_report = report
            .as_ref()
            .is_some_and(|one| one.recipients[0].contains("alice"));
        let others = others + usize::from(report.is_some() && !is_report);
        assert_eq!(
            (reply.as_str(), is_report, others),
            expected,
            "{refused} {ours} {null}"
        );
    };
    let (taken, refused) = (
        "250 2.0.0 id=ID1 queued",
        "550 5.7.5 id=ID1 b@example.net: no certificate",
    );
    check("b@example.net", true, false, (taken, true, 1)).await;
    check(
        "b@example.net NOTIFY=FAILURE,DELAY",
        true,
        false,
        (taken, true, 1),
    )
    .await;
    check("b@example.net NOTIFY=NEVER", true, false, (taken, false, 1)).await;
    check(
        "b@example.net NOTIFY=SUCCESS",
        true,
        false,
        (taken, false, 1),
    )
    .await;
    check("b@example.net", false, true, (taken, false, 1)).await;
    check("b@example.net", true, true, (taken, false, 1)).await;
    // Nobody whom we may write to: the client makes the report.
    check("b@example.net", false, false, (refused, false, 0)).await;
}

async fn scripted(script: impl Fn(&Asked<'_>) -> crate::hop::Act + Send + Sync + 'static) -> Hop {
    Hop::start(Offers::default(), script).await
}

/// A refusal of the next hop is known before anything left us.
#[tokio::test]
async fn a_stranger_is_refused_before_anything_is_sent() {
    let hop = scripted(|asked| match asked.line.contains("TO:<x@") {
        true => Say("550 5.1.1 who"),
        false => Go,
    })
    .await;
    let copies = delivery(&[&["a@example.net", "x@example.net"], &["b@example.net"]]);
    let (reply, report, others) = send(&hop, copies, |envelope| envelope.ours = false).await;
    assert_eq!(reply, "550 5.1.1 id=ID1 x@example.net: who");
    assert_eq!((report, others), (None, 0));
}

#[tokio::test]
async fn refused_for_everybody_is_a_reply_and_no_report() {
    let hop = scripted(|asked| match asked.stage == Stage::Recipient {
        true => Say("550 5.1.1 who"),
        false => Go,
    })
    .await;
    let mut copies = delivery(&[&["a@example.net"], &["b@example.net"]]);
    copies.refusals = vec![refusal("c@example.net")];
    let (reply, report, others) = send(&hop, copies, |_| {}).await;
    assert_eq!(reply, "550 5.7.5 id=ID1 no certificate");
    assert_eq!((report, others), (None, 0));
}

/// A report that nobody takes: then nothing is taken, and the sender hears from the client.
#[tokio::test]
async fn without_its_report_nothing_is_committed() {
    for (stage, act, expected) in [
        (
            Stage::Recipient,
            "550 5.1.1 who",
            "550 5.7.5 id=ID1 b@example.net: no certificate",
        ),
        (
            Stage::Recipient,
            "450 4.2.0 later",
            "451 4.3.0 id=ID1 the report was not taken: 450 4.2.0 later",
        ),
        (
            Stage::Mail,
            "550 5.7.1 no null",
            "550 5.7.5 id=ID1 b@example.net: no certificate",
        ),
    ] {
        let hop = scripted(move |asked| {
            let is_report = asked.line.contains("alice") && stage == Stage::Recipient
                || asked.line.contains("FROM:<>");
            match asked.stage == stage && is_report {
                true => Say(act),
                false => Go,
            }
        })
        .await;
        let (reply, report, others) = send(&hop, partly_refused(&["b@example.net"]), |_| {}).await;
        assert_eq!(reply, expected);
        assert_eq!((report, others), (None, 0), "{expected}");
    }
}

/// Its dot is the last: failing there, the copies are out, and the sender must hear all the same.
#[tokio::test]
async fn a_report_that_fails_at_its_end_defers() {
    let hop = scripted(
        |asked| match asked.stage == Stage::Dot && asked.line.contains("FROM:<>") {
            true => Say("550 5.7.1 spam"),
            false => Go,
        },
    )
    .await;
    let (reply, report, others) = send(&hop, partly_refused(&["b@example.net"]), |_| {}).await;
    assert_eq!(
        reply,
        "451 4.3.0 id=ID1 the report was not taken: 550 5.7.1 spam"
    );
    assert_eq!((report, others), (None, 1));
}
