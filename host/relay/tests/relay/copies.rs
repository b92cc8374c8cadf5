//! Different copies for different recipients: all or none, no connection too many, and the
//! parameters that go with them.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use waxseal_engine::{Delivery, Disposition, Dropped, OutgoingCopy};
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_relay::{Protocol, Replies};

use crate::hop::Act::{Drop, Go, Say};
use crate::hop::{Act, Asked, Hop, Memory, Offers, Stage};
use crate::{carry_out, copy, delivery, each, envelope, one, parameter, refusal, relay, to};

async fn good() -> Hop {
    Hop::start(Offers::default(), |_| Go).await
}

/// The mailboxes that have a message, in no order.
fn reached(hop: &Hop) -> BTreeSet<String> {
    let taken = hop.taken();
    let paths = taken.iter().flat_map(|taken| &taken.recipients);
    paths
        .map(|line| line["RCPT TO:<".len()..line.find('>').unwrap()].to_owned())
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Three copies to a hop that does this to the first of them whose dot comes, and so on.
async fn three(script: impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static) -> (Hop, String) {
    let hop = Hop::start(Offers::default(), script).await;
    let groups: [&[&str]; 3] = [&["a@example.net"], &["b@example.net"], &["c@example.net"]];
    let reply = one(&relay(to(&hop)), delivery(&groups)).await;
    (hop, reply)
}

#[tokio::test]
async fn every_copy_is_taken() {
    let (hop, reply) = three(|_| Go).await;
    assert_eq!(reply, "250 2.0.0 id=ID1 queued");
    assert_eq!(
        reached(&hop),
        names(&["a@example.net", "b@example.net", "c@example.net"])
    );
}

/// Before the first dot was acknowledged nothing has happened, whatever happens.
#[tokio::test]
async fn one_copy_that_fails_before_the_dots_keeps_all_back() {
    let stages = [Stage::Mail, Stage::Recipient, Stage::Data];
    for (stage, act) in stages
        .into_iter()
        .flat_map(|stage| [Say("451 4.2.1 later"), Drop].map(|act| (stage, act)))
    {
        let (hop, reply) =
            three(
                move |asked| match asked.stage == stage && asked.connection == 2 {
                    true => act.clone(),
                    false => Go,
                },
            )
            .await;
        assert!(reply.starts_with("451 4."), "{stage:?}: {reply}");
        assert_eq!(hop.taken(), [], "{stage:?}");
    }
}

/// The hop hangs up on one copy while another's content is awaited: a last look finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_copy_that_breaks_off_before_the_dots_keeps_all_back() {
    let memory: Arc<OnceLock<Arc<Memory>>> = Arc::default();
    let known = Arc::clone(&memory);
    let hop = Hop::start(Offers::default(), move |asked| {
        match (asked.stage, asked.connection) {
            (Stage::Content, 2) => Drop,
            (Stage::Data, 0) => {
                // Until the third connection is closed.
                while known
                    .get()
                    .is_none_or(|memory| memory.open.lock().unwrap().closed == 0)
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Go
            }
            _ => Go,
        }
    })
    .await;
    let _ = memory.set(Arc::clone(&hop.memory));
    let groups: [&[&str]; 3] = [&["a@example.net"], &["b@example.net"], &["c@example.net"]];
    let reply = one(&relay(to(&hop)), delivery(&groups)).await;
    assert!(reply.starts_with("451 4.4.2 id=ID1"), "{reply}");
    assert_eq!(hop.taken(), []);
}

#[tokio::test]
async fn the_first_dot_that_fails_keeps_all_back() {
    for act in [Say("451 4.2.1 later"), Say("554 5.7.1 spam"), Drop] {
        let (hop, reply) = three(move |asked| match asked.stage {
            Stage::Dot => act.clone(),
            _ => Go,
        })
        .await;
        assert!(!reply.starts_with('2'), "{reply}");
        assert_eq!(hop.taken(), []);
    }
}

/// The only place of duplicates: a later dot is deferred.
#[tokio::test]
async fn a_later_dot_that_is_deferred_defers_all() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (hop, reply) = three(move |asked| {
        let is_late = asked.stage == Stage::Dot
            && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
        match is_late {
            true => Say("452 4.2.2 full"),
            false => Go,
        }
    })
    .await;
    assert_eq!(reply, "452 4.2.2 id=ID1 full");
    assert_eq!(hop.taken().len(), 1);
}

/// A retry would meet the same refusal, and double the other copies each time.
#[tokio::test]
async fn a_later_dot_that_is_refused_is_reported() {
    let (hop, reply) = three(|asked| {
        let is_dot_of_copy = asked.stage == Stage::Dot && asked.line.contains("alice");
        match is_dot_of_copy && asked.connection == 2 {
            true => Say("554 5.7.1 spam"),
            false => Go,
        }
    })
    .await;
    // Connections are numbered as they come: any of the copies may be the third.
    let reports: Vec<_> = hop
        .taken()
        .into_iter()
        .filter(|taken| taken.mail.starts_with("MAIL FROM:<>"))
        .collect();
    match reports.as_slice() {
        [report] => {
            assert_eq!(reply, "250 2.0.0 id=ID1 queued");
            assert!(String::from_utf8_lossy(&report.octets).contains("554 5.7.1 spam"));
        }
        // It was the first dot.
        _ => assert_eq!(
            (reply.as_str(), hop.taken().len()),
            ("554 5.7.1 id=ID1 spam", 0)
        ),
    }
}

#[tokio::test]
async fn more_copies_than_connections_go_in_batches() {
    let hop = good().await;
    let mut settings = to(&hop);
    settings.connections = 7;
    let addresses: Vec<String> = (0..60).map(|n| format!("r{n}@example.net")).collect();
    let mut copies = delivery(&[]);
    copies.copies = addresses
        .iter()
        .map(|one| copy(crate::MAIL, &[one.as_str()]))
        .collect();
    let reply = one(&relay(settings), copies).await;
    assert_eq!(reply, "250 2.0.0 id=ID1 queued");
    assert_eq!(hop.taken().len(), 60);
    assert!(hop.most_open() <= 7, "{}", hop.most_open());
}

/// Messages with many copies at a time never wait for each other's places.
#[tokio::test]
async fn messages_with_many_copies_and_reports_do_not_block_each_other() {
    let hop = good().await;
    let mut settings = to(&hop);
    settings.connections = 3;
    let relay = relay(settings);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let relay = relay.clone();
        tasks.spawn(async move {
            let groups: [&[&str]; 3] = [&["a@example.net"], &["b@example.net"], &["c@example.net"]];
            let mut copies = delivery(&groups);
            copies.refusals = vec![refusal("d@example.net")];
            one(&relay, copies).await
        });
    }
    while let Some(reply) = tasks.join_next().await {
        assert_eq!(reply.unwrap(), "250 2.0.0 id=ID1 queued");
    }
    assert_eq!(hop.taken().len(), 12 * 4);
    // One more for reports.
    assert!(hop.most_open() <= 4, "{}", hop.most_open());
}

#[tokio::test]
async fn connections_are_used_again() {
    let hop = good().await;
    let relay = relay(to(&hop));
    for _ in 0..5 {
        assert!(
            one(&relay, delivery(&[&["b@example.net"]]))
                .await
                .starts_with("250")
        );
    }
    assert_eq!(hop.connections(), 1);
    assert_eq!(hop.taken().len(), 5);
}

/// The hop ended an idle connection: the next message takes a new one and notices nothing.
#[tokio::test]
async fn a_stale_connection_is_replaced() {
    for act in [Drop, Say("421 4.3.2 bye"), Say("gibberish")] {
        let hop = Hop::start(Offers::default(), move |asked| match asked.stage {
            Stage::Reset => act.clone(),
            _ => Go,
        })
        .await;
        let relay = relay(to(&hop));
        for _ in 0..3 {
            let reply = one(&relay, delivery(&[&["b@example.net"]])).await;
            assert_eq!(reply, "250 2.0.0 id=ID1 queued");
        }
        assert_eq!((hop.connections(), hop.taken().len()), (3, 3));
    }
}

/// A connection on which something was refused may be in any state.
#[tokio::test]
async fn a_connection_with_a_refusal_is_not_used_again() {
    let hop = Hop::start(Offers::default(), |asked| {
        match asked.line.contains("TO:<x@") {
            true => Say("550 5.1.1 who"),
            false => Go,
        }
    })
    .await;
    let relay = relay(to(&hop));
    let reply = one(&relay, delivery(&[&["x@example.net"]])).await;
    assert_eq!(reply, "550 5.1.1 id=ID1 who");
    assert!(
        one(&relay, delivery(&[&["b@example.net"]]))
            .await
            .starts_with("250")
    );
    assert_eq!(hop.connections(), 2);
}

#[tokio::test]
async fn over_lmtp_each_has_its_own_end() {
    let offers = Offers {
        is_lmtp: true,
        ..Offers::default()
    };
    let hop = Hop::start(offers, |asked| match (asked.stage, asked.line) {
        (Stage::Recipient, line) if line.contains("nobody@") => Say("550 5.1.1 who"),
        (Stage::Recipient, line) if line.contains("grey@") => Say("450 4.2.0 later"),
        (Stage::Dot, line) if line.contains("full@") => Say("452 4.2.2 full"),
        (Stage::Dot, line) if line.contains("spam@") => Say("550 5.7.1 spam"),
        _ => Go,
    })
    .await;
    let mut settings = to(&hop);
    settings.protocol = Protocol::Lmtp;
    let mut copies = delivery(&[
        &["a@example.net", "nobody@example.net", "full@example.net"],
        &["grey@example.net", "b@example.net"],
        &["spam@example.net"],
    ]);
    copies.refusals = vec![refusal("plain@example.net")];
    let gone = crate::recipient("gone@example.net");
    copies.dropped = vec![Dropped {
        recipient: gone.clone(),
        cause: CallError::new(ErrorKind::NotFound, "recipient.no-certificate", "none"),
    }];
    let mut envelope = envelope(&copies);
    envelope.recipients.push(gone);
    // Named twice in the envelope.
    envelope.recipients.push(crate::recipient("a@example.net"));
    let replies = carry_out(&relay(settings), &envelope, copies, Replies::Each).await;
    assert_eq!(
        replies,
        [
            "250 2.0.0 id=ID1 queued",
            "550 5.1.1 id=ID1 who",
            "452 4.2.2 id=ID1 full",
            "450 4.2.0 id=ID1 later",
            "250 2.0.0 id=ID1 queued",
            "550 5.7.1 id=ID1 spam",
            "550 5.7.5 id=ID1 no certificate",
            "250 2.0.0 id=ID1 taken",
            "250 2.0.0 id=ID1 queued",
        ]
    );
    assert_eq!(reached(&hop), names(&["a@example.net", "b@example.net"]));
}

/// One reply for all, and a hop that gives one for each: who was refused after another got it is
/// reported, and nothing is acknowledged that was deferred.
#[tokio::test]
async fn one_reply_for_all_over_lmtp() {
    let check = async |act: &'static str, expected: &str, report: bool| {
        let offers = Offers {
            is_lmtp: true,
            ..Offers::default()
        };
        let hop = Hop::start(offers, move |asked| {
            match asked.stage == Stage::Dot && asked.line.contains("b@") {
                true => Say(act),
                false => Go,
            }
        })
        .await;
        let mut settings = to(&hop);
        settings.protocol = Protocol::Lmtp;
        let copies = delivery(&[&["a@example.net", "b@example.net"]]);
        assert_eq!(one(&relay(settings), copies).await, expected);
        let is_reported = reached(&hop).contains("alice@example.org");
        assert_eq!(is_reported, report, "{expected}");
    };
    check("550 5.2.2 full", "250 2.0.0 id=ID1 queued", true).await;
    check("452 4.2.2 full", "452 4.2.2 id=ID1 full", false).await;
}

/// What was heard before the connection broke counts: who has the message gets it once.
#[tokio::test]
async fn replies_that_were_heard_count() {
    let offers = Offers {
        is_lmtp: true,
        ..Offers::default()
    };
    let hop = Hop::start(offers, |asked| match (asked.stage, asked.line) {
        (Stage::Dot, line) if line.contains("b@") => Say("550 5.7.1 spam"),
        (Stage::Dot, line) if line.contains("c@") => Drop,
        _ => Go,
    })
    .await;
    let mut settings = to(&hop);
    settings.protocol = Protocol::Lmtp;
    let group = [
        "a@example.net",
        "b@example.net",
        "c@example.net",
        "d@example.net",
    ];
    let replies = each(&relay(settings), delivery(&[&group])).await;
    assert_eq!(
        replies[..2],
        ["250 2.0.0 id=ID1 queued", "550 5.7.1 id=ID1 spam"]
    );
    for reply in &replies[2..] {
        assert!(reply.starts_with("451 4.4.2 id=ID1"), "{reply}");
    }
    assert_eq!(reached(&hop), names(&["a@example.net"]));
}

/// A message that is deferred anyway does not send more copies out.
#[tokio::test]
async fn a_deferral_among_the_first_replies_stops_the_other_dots() {
    let offers = Offers {
        is_lmtp: true,
        ..Offers::default()
    };
    let hop = Hop::start(offers, |asked| {
        match asked.stage == Stage::Dot && asked.line.contains("b@") {
            true => Say("452 4.2.2 full"),
            false => Go,
        }
    })
    .await;
    let mut settings = to(&hop);
    settings.protocol = Protocol::Lmtp;
    let copies = delivery(&[&["a@example.net", "b@example.net"], &["c@example.net"]]);
    let reply = one(&relay(settings), copies).await;
    assert_eq!(reply, "452 4.2.2 id=ID1 full");
    assert_eq!(reached(&hop), names(&["a@example.net"]));
}

/// A recipient whom a filter added has no reply over LMTP: all copies or none.
#[tokio::test]
async fn an_added_recipient_is_not_forgotten_over_lmtp() {
    let hop = Hop::start(Offers::default(), |asked| {
        match asked.stage == Stage::Recipient && asked.line.contains("archive@") {
            true => Say("450 4.2.0 later"),
            false => Go,
        }
    })
    .await;
    let copies = delivery(&[&["a@example.net"], &["archive@example.org"]]);
    let mut envelope = envelope(&copies);
    envelope.recipients.truncate(1);
    let replies = carry_out(&relay(to(&hop)), &envelope, copies, Replies::Each).await;
    assert_eq!(replies, ["450 4.2.0 id=ID1 later"]);
    assert_eq!(hop.taken(), []);
}

#[tokio::test]
async fn each_over_smtp_is_copy_by_copy() {
    let hop = Hop::start(Offers::default(), |asked| {
        match asked.stage == Stage::Dot && asked.connection == 0 {
            true => Say("452 4.3.1 full"),
            false => Go,
        }
    })
    .await;
    let mut replies = each(
        &relay(to(&hop)),
        delivery(&[&["a@example.net"], &["b@example.net"]]),
    )
    .await;
    replies.sort();
    assert_eq!(
        replies,
        ["250 2.0.0 id=ID1 queued", "452 4.3.1 id=ID1 full"]
    );
}

#[tokio::test]
async fn parameters_of_the_client_go_on() {
    let hop = good().await;
    let mut copies = delivery(&[&["b@example.net NOTIFY=SUCCESS ORCPT=rfc822;b+2Bx@example.net"]]);
    copies.copies.push(copy(
        "Subject: \u{e9}\r\n\r\n\u{e9}\r\n",
        &["c@example.net"],
    ));
    copies.copies[1].decrypted = true;
    let mut envelope = envelope(&copies);
    envelope.sender_parameters = [
        "RET=FULL",
        "ENVID=q1",
        "SIZE=1",
        "SMTPUTF8",
        "BODY=8BITMIME",
    ]
    .map(parameter)
    .to_vec();
    let relay = relay(to(&hop));
    let replies = carry_out(&relay, &envelope, copies, Replies::One).await;
    assert_eq!(replies, ["250 2.0.0 id=ID1 queued"]);
    let mut said: Vec<_> = hop
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("MAIL") || line.starts_with("RCPT"))
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            // Decrypted: what bounces does not carry it back in clear.
            "MAIL FROM:<alice@example.org> SIZE=19 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q1",
            "MAIL FROM:<alice@example.org> SIZE=49 RET=FULL ENVID=q1",
            "RCPT TO:<b@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bx@example.net",
            "RCPT TO:<c@example.net>",
        ]
    );
}

#[tokio::test]
async fn a_thousand_recipients_are_ten_letters() {
    let hop = Hop::start(Offers::default(), {
        let counts = std::sync::Mutex::new(std::collections::HashMap::new());
        move |asked| {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(asked.connection).or_insert(0);
            match asked.stage {
                Stage::Mail => *count = 0,
                Stage::Recipient => *count += 1,
                _ => {}
            }
            match *count > 100 {
                true => Say("452 4.5.3 too many"),
                false => Go,
            }
        }
    })
    .await;
    let addresses: Vec<String> = (0..1000).map(|n| format!("r{n}@example.net")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let copies: Delivery = delivery(&[&addresses]);
    assert_eq!(
        one(&relay(to(&hop)), copies).await,
        "250 2.0.0 id=ID1 queued"
    );
    assert_eq!(hop.taken().len(), 10);
    assert_eq!(reached(&hop).len(), 1000);
}

/// The message as received, from the null reverse-path; the client hears that it was taken.
#[tokio::test]
async fn quarantined_mail_goes_to_its_address() {
    let check = async |act: Act, copy: Option<OutgoingCopy>, expected: &str, kept: usize| {
        let hop = Hop::start(Offers::default(), move |asked| match asked.stage {
            Stage::Recipient => act.clone(),
            _ => Go,
        })
        .await;
        let envelope = envelope(&delivery(&[&["a@example.net", "b@example.net"]]));
        let disposition = Disposition::Quarantine {
            reason: "suspicious".to_owned(),
            must_encrypt: false,
            copy,
        };
        let relay = relay(to(&hop));
        let replies = relay
            .carry_out(&envelope, &disposition, Replies::Each)
            .await;
        let replies: Vec<_> = replies.iter().map(ToString::to_string).collect();
        assert_eq!(replies, [expected, expected]);
        let taken = hop.taken();
        assert_eq!(taken.len(), kept);
        for one in taken {
            assert!(one.mail.starts_with("MAIL FROM:<> "), "{}", one.mail);
            assert_eq!(one.recipients, ["RCPT TO:<keep@example.org>"]);
            assert_eq!(one.octets, crate::MAIL.as_bytes());
        }
    };
    let kept = || Some(copy(crate::MAIL, &["keep@example.org"]));
    check(Go, kept(), "250 2.0.0 id=ID1 taken", 1).await;
    let refused = "451 4.7.1 id=ID1 the quarantine did not take it: 550 5.1.1 who";
    check(Say("550 5.1.1 who"), kept(), refused, 0).await;
    check(Go, None, "451 4.7.1 id=ID1 no quarantine to keep it in", 0).await;
}

/// A client that goes away in the middle takes back what was not committed.
#[tokio::test]
async fn a_delivery_that_is_given_up_leaves_nothing() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let hop = Hop::start(Offers::default(), move |asked| match asked.stage {
        Stage::Content => {
            told.send(()).unwrap();
            Act::Stall
        }
        _ => Go,
    })
    .await;
    let relay = relay(to(&hop));
    let copies = delivery(&[&["a@example.net"], &["b@example.net"]]);
    let work = tokio::spawn(async move { one(&relay, copies).await });
    heard.recv().await.unwrap();
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    // Both connections end: the stalling hop reads their ends.
    while hop.memory.open.lock().unwrap().now > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(hop.taken(), []);
}
