//! Stage × behaviour of the next hop → reply, and whether it has the message.

use std::sync::Arc;
use std::time::Duration;

use waxseal_engine::{Disposition, Refused};
use waxseal_policy::reply::Reply;
use waxseal_relay::{Error, Protocol, Replies};

use crate::hop::Act::{Babble, Drop, Go, Say, SayAndDrop, Stall, TakeAndDrop};
use crate::hop::Stage::{Content, Data, Dot, Greeting, Hello, Mail, Recipient};
use crate::hop::{Act, Hop, Offers, Stage};
use crate::{delivery, each, envelope, one, relay, to};

/// One misfortune.
struct Row {
    stage: Stage,
    act: Act,
    /// The beginning of the reply.
    reply: &'static str,
    /// How many messages the hop has in the end.
    taken: usize,
}

const fn row(stage: Stage, act: Act, reply: &'static str, taken: usize) -> Row {
    Row {
        stage,
        act,
        reply,
        taken,
    }
}

const TEMPORARY: &str = "451 4.7.1 later";
const LASTING: &str = "550 5.7.1 never";

fn table() -> Vec<Row> {
    let mut rows = vec![
        row(Greeting, Go, "250 2.0.0 id=ID1 queued", 1),
        // Nobody speaks about this message yet: the operator mends it.
        row(
            Greeting,
            Say(TEMPORARY),
            "451 4.3.0 id=ID1 next hop: the greeting: 451 4.7.1 later",
            0,
        ),
        row(Greeting, Say("554 no"), "451 4.3.0 id=ID1", 0),
        row(Greeting, Say("SSH-2.0-x"), "451 4.5.0 id=ID1", 0),
        row(Hello, Say("421 4.3.2 bye"), "451 4.3.0 id=ID1", 0),
        // The hop of before ESMTP: HELO it is.
        row(Hello, Say("502 what"), "250 2.0.0 id=ID1 queued", 1),
        row(Mail, Say(TEMPORARY), "451 4.7.1 id=ID1 later", 0),
        row(Mail, Say(LASTING), "550 5.7.1 id=ID1 never", 0),
        row(Mail, Say("530 5.7.0 log in"), "451 4.7.0 id=ID1 log in", 0),
        row(Recipient, Say(TEMPORARY), "451 4.7.1 id=ID1 later", 0),
        row(Recipient, Say("550 5.1.1 who"), "550 5.1.1 id=ID1 who", 0),
        row(Recipient, Say("250-a\r\n550 b"), "451 4.5.0 id=ID1", 0),
        row(Data, Say(TEMPORARY), "451 4.7.1 id=ID1 later", 0),
        row(Data, Say(LASTING), "550 5.7.1 id=ID1 never", 0),
        row(Data, Say("250 what"), "451 4.5.0 id=ID1", 0),
        row(
            Content,
            SayAndDrop("452 4.3.1 full"),
            "452 4.3.1 id=ID1 full",
            0,
        ),
        row(
            Content,
            SayAndDrop("552 5.3.4 large"),
            "552 5.3.4 id=ID1 large",
            0,
        ),
        row(Dot, Say(TEMPORARY), "451 4.7.1 id=ID1 later", 0),
        row(Dot, Say("554 5.7.1 spam"), "554 5.7.1 id=ID1 spam", 0),
        row(
            Dot,
            Say("554-5.7.1 a\r\n554 5.7.1 b"),
            "554 5.7.1 id=ID1 a b",
            0,
        ),
        row(Dot, Say("354 what"), "451 4.5.0 id=ID1", 0),
        row(Dot, Say("550 a\u{7}\rb\u{e9}"), "550 5.0.0 id=ID1 a? b?", 0),
        // It has the message, and we do not know: a retry doubles it.
        row(Dot, TakeAndDrop, "451 4.4.2 id=ID1", 1),
    ];
    for stage in [Greeting, Hello, Mail, Recipient, Data, Content, Dot] {
        rows.push(row(stage, Drop, "451 4.4.2 id=ID1", 0));
        rows.push(row(stage, Stall, "451 4.4.2 id=ID1", 0));
        rows.push(row(stage, Say("gibberish"), "451 4.5.0 id=ID1", 0));
        rows.push(row(stage, Babble, "451 4.5.0 id=ID1", 0));
    }
    rows
}

/// A next hop that breaks off in the middle of a message may be heard, or only felt.
fn is_felt(row: &Row, reply: &str) -> bool {
    row.stage == Content && reply.starts_with("451 4.4.2")
}

async fn check(row: &Row, offers: &Offers, is_each: bool) {
    let (stage, act) = (row.stage, row.act.clone());
    let hop = Hop::start(offers.clone(), move |asked| match asked.stage == stage {
        true => act.clone(),
        false => Go,
    })
    .await;
    let mut settings = to(&hop);
    if offers.is_lmtp {
        settings.protocol = Protocol::Lmtp;
    }
    if matches!(row.act, Stall) {
        settings.timeout = Duration::from_millis(400);
    }
    let relay = relay(settings);
    let copies = delivery(&[&["bob@example.net"]]);
    let reply = match is_each {
        true => each(&relay, copies).await.remove(0),
        false => one(&relay, copies).await,
    };
    let name = format!(
        "{:?} {:.80} lmtp={} each={is_each} {:?}: {reply}",
        row.stage,
        format!("{:?}", row.act),
        offers.is_lmtp,
        offers.keywords
    );
    assert!(
        reply.starts_with(row.reply) || is_felt(row, &reply),
        "{name}"
    );
    assert_eq!(hop.taken().len(), row.taken, "{name}");
}

async fn check_all(offers: Offers, is_each: bool) {
    for row in table() {
        // LHLO has no older brother.
        if offers.is_lmtp && matches!(row.act, Say("502 what")) {
            continue;
        }
        check(&row, &offers, is_each).await;
    }
}

#[tokio::test]
async fn every_stage_and_misfortune_pipelined() {
    check_all(Offers::default(), false).await;
}

#[tokio::test]
async fn every_stage_and_misfortune_step_by_step() {
    let offers = Offers {
        keywords: vec![],
        ..Offers::default()
    };
    check_all(offers, false).await;
}

#[tokio::test]
async fn every_stage_and_misfortune_over_lmtp() {
    let offers = Offers {
        is_lmtp: true,
        ..Offers::default()
    };
    check_all(offers.clone(), false).await;
    check_all(offers, true).await;
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let endless: &'static str = Box::leak("5".repeat(100_000).into_boxed_str());
    for stage in [Greeting, Hello, Recipient, Dot] {
        check(
            &row(stage, Say(endless), "451 4.5.0 id=ID1", 0),
            &Offers::default(),
            false,
        )
        .await;
    }
}

#[tokio::test]
async fn nobody_listens() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let settings = crate::settings(waxseal_relay::Hop::Tcp("127.0.0.1".into(), address.port()));
    let relay = relay(settings);
    let reply = one(&relay, delivery(&[&["bob@example.net"]])).await;
    assert!(
        reply.starts_with("451 4.4.1 id=ID1 next hop: connecting"),
        "{reply}"
    );
    assert!(matches!(relay.capabilities().await, Err(Error::Io { .. })));
}

#[tokio::test]
async fn the_whole_stay_is_bounded() {
    let hop = Hop::start(Offers::default(), |_| Stall).await;
    let mut settings = to(&hop);
    settings.stay = Duration::from_millis(300);
    let reply = one(&relay(settings), delivery(&[&["bob@example.net"]])).await;
    assert!(reply.starts_with("451 4.4.2"), "{reply}");
}

/// A dot whose answer nobody could wait for is not sent.
#[tokio::test]
async fn a_message_that_comes_too_late_is_not_committed() {
    let hop = Hop::start(Offers::default(), |_| Go).await;
    let mut settings = to(&hop);
    settings.stay = Duration::from_secs(1000);
    let relay = relay(settings);
    for replies in [Replies::One, Replies::Each] {
        let copies = delivery(&[&["bob@example.net"]]);
        let mut envelope = envelope(&copies);
        envelope.arrived -= Duration::from_secs(930);
        let given = crate::carry_out(&relay, &envelope, copies, replies).await;
        assert_eq!(given, ["451 4.4.7 id=ID1 next hop: no time left"]);
    }
    assert_eq!(hop.taken(), []);
}

#[tokio::test]
async fn a_hop_that_takes_too_little() {
    let offers = Offers {
        keywords: vec!["SIZE 10"],
        ..Offers::default()
    };
    let hop = Hop::start(offers, |_| Go).await;
    let reply = one(&relay(to(&hop)), delivery(&[&["bob@example.net"]])).await;
    assert_eq!(reply, "552 5.3.4 id=ID1 too large for the next hop");
    assert!(!hop.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[tokio::test]
async fn a_hop_that_takes_seven_bits() {
    let offers = Offers {
        keywords: vec![],
        ..Offers::default()
    };
    let hop = Hop::start(offers, |_| Go).await;
    let mut copies = delivery(&[]);
    copies.copies = vec![crate::copy(
        "Subject: x\r\n\r\n\u{e9}\r\n",
        &["bob@example.net"],
    )];
    let reply = one(&relay(to(&hop)), copies).await;
    assert_eq!(
        reply,
        "451 4.6.3 id=ID1 the next hop does not take 8BITMIME"
    );
}

/// What the policy decided for everybody needs no next hop.
#[tokio::test]
async fn decisions_of_the_policy() {
    let hop = Hop::start(Offers::default(), |_| Go).await;
    let relay = relay(to(&hop));
    let envelope = envelope(&delivery(&[&["a@example.net", "b@example.net"]]));
    let reply = |code, enhanced: &str| Refused {
        reply: Reply {
            code,
            enhanced: Some(enhanced.to_owned()),
            text: "as the policy\r\nsays".to_owned(),
        },
        causes: Vec::new(),
    };
    let check = async |disposition: Disposition, expected: &str| {
        for (replies, count) in [(Replies::One, 1), (Replies::Each, 2)] {
            let given = relay.carry_out(&envelope, &disposition, replies).await;
            let given: Vec<_> = given.iter().map(ToString::to_string).collect();
            assert_eq!(given, vec![expected; count]);
        }
    };
    let reject = Disposition::Reject(reply(550, "5.7.1"));
    check(reject, "550 5.7.1 id=ID1 as the policy  says").await;
    let defer = Disposition::Defer(reply(451, "4.7.1"));
    check(defer, "451 4.7.1 id=ID1 as the policy  says").await;
    check(Disposition::Discard, "250 2.0.0 id=ID1 taken").await;
    assert_eq!(hop.lines(), [""; 0]);
    let capabilities = relay.capabilities().await.unwrap();
    assert!(capabilities.dsn && capabilities.pipelining);
    drop(Arc::clone(&relay));
}
