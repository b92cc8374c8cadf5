//! Each stage × each way off, and each version × each outcome.

use crate::gateway::Gateway;
use crate::mta::{MODERN, Mta, OLD, Queued, STAGES, Said};

type Check = fn(&[Said]);

/// What a message asks for, and what an MTA without a next hop behind us is told.
const OUTCOMES: &[(&str, Check)] = &[
    ("nothing", |said| assert_eq!(words(said), "a")),
    ("edit", |said| assert_eq!(words(said), "mmia")),
    ("sign", |said| assert!(words(said).ends_with("ba"))),
    ("reject", |said| {
        replied(said, "554 5.7.1 100%% no: m?ller");
    }),
    ("defer", |said| replied(said, "450 4.7.1 not now")),
    ("quarantine", |said| {
        assert_eq!(said[0], ('q', b"look at it\0".to_vec()));
        assert_eq!(words(said), "qa");
    }),
    ("quarantine-secret", |said| {
        replied(
            said,
            "451 4.7.1 the message cannot be kept for inspection now",
        );
    }),
    ("discard", |said| assert_eq!(words(said), "d")),
    // What a milter cannot express waits for an operator who gives it a next hop.
    ("route", |said| {
        let reason = "recipients get different copies and no next hop is set";
        replied(said, &format!("451 4.3.5 {reason}"));
    }),
    ("refuse", |said| {
        let reason = "some recipients are refused and no next hop is set";
        replied(said, &format!("451 4.3.5 {reason}"));
    }),
];

pub(crate) fn words(said: &[Said]) -> String {
    said.iter().map(|(command, _)| *command).collect()
}

#[track_caller]
pub(crate) fn replied(said: &[Said], start: &str) {
    assert_eq!(words(said), "y");
    let reply = String::from_utf8(said[0].1.clone()).unwrap();
    let reply = reply.strip_suffix('\0').unwrap();
    // Every reply names the message.
    let (codes, rest) = reply.split_once(" id=").unwrap();
    let (_, text) = rest.split_once(' ').unwrap();
    assert!(format!("{codes} {text}").starts_with(start), "{reply}");
}

#[test]
fn every_outcome_in_every_dialect() {
    let gateway = Gateway::start();
    let dialects = [
        MODERN,
        OLD,
        (3, 0x3f, 0xff),
        (4, 0x3f, 0x3ff),
        (6, 0xff, 0),
        (6, 0xff, 0x10_0000),
        (7, 0xffff_ffff, 0xffff_ffff),
    ];
    for dialect in dialects {
        // All on one connection: no message leaves anything to the next.
        let mut mta = Mta::connect(gateway.address, dialect);
        mta.until("mail", &Queued::asking("nothing"));
        for (what, check) in OUTCOMES {
            check(&mta.message(&Queued::asking(what)));
        }
    }
}

/// How a message may end before its end.
#[derive(Clone, Copy, Debug)]
enum Off {
    Abort,
    Quit,
    QuitKeep,
    HangUp,
}

#[test]
fn every_stage_can_be_the_last() {
    let gateway = Gateway::start();
    let stages = STAGES.iter().map(|(name, _)| *name).chain(["end"]);
    for stage in stages {
        for (dialect, off) in [MODERN, OLD].into_iter().flat_map(|dialect| {
            let ways = [Off::Abort, Off::Quit, Off::QuitKeep, Off::HangUp];
            ways.map(|off| (dialect, off))
        }) {
            let mut mta = Mta::connect(gateway.address, dialect);
            // What the aborted message asks for must not come to the next one.
            mta.until(stage, &Queued::asking("reject"));
            match off {
                Off::Abort => mta.send('A', b""),
                Off::QuitKeep => mta.send('K', b""),
                Off::Quit => {
                    mta.send('Q', b"");
                    assert!(mta.ended(), "{stage}: {off:?}");
                    continue;
                }
                Off::HangUp => continue,
            }
            if matches!(off, Off::QuitKeep) || matches!(stage, "connect" | "helo") {
                mta.until("mail", &Queued::asking("nothing"));
            }
            for (what, check) in OUTCOMES {
                check(&mta.message(&Queued::asking(what)));
            }
        }
    }
    // Whoever hung up left nothing behind that would keep the listener from stopping.
    gateway.stopped();
}

#[test]
fn a_session_has_facts() {
    let gateway = Gateway::start();
    let mut mta = Mta::connect(gateway.address, MODERN);
    let message = Queued::asking("facts");
    mta.until("end", &message);
    let said = mta.end_of_message();
    let queued = mta.changed(&message, &said);
    assert_eq!(queued.value("X-Facts"), Some(" known"));
    // Another client on the same connection has none of them.
    mta.send('K', b"");
    mta.event('C', b"[198.51.100.1]\x004\x10\x00198.51.100.1\0");
    mta.event('M', b"<alice@example.org>\0");
    mta.event('R', b"<bob@example.net>\0");
    mta.event('L', b"X-Do\0facts\0");
    assert_eq!(words(&mta.end_of_message()), "a");
}

#[test]
fn one_reply_to_helo_after_helo() {
    let gateway = Gateway::start();
    let mut mta = Mta::connect(gateway.address, OLD);
    mta.until("mail", &Queued::asking("nothing"));
    // STARTTLS and a second EHLO; then a message, and a third in the middle of another.
    mta.event('H', b"laptop\0");
    mta.event('M', b"<alice@example.org>\0");
    mta.event('H', b"laptop\0");
    assert_eq!(words(&mta.message(&Queued::asking("nothing"))), "a");
}

#[test]
fn a_listener_that_stops_finishes_messages_and_no_more() {
    let gateway = Gateway::start();
    let mut idle = Mta::connect(gateway.address, MODERN);
    // In this dialect each event gets a reply, so that we know what was taken.
    let mut busy = Mta::connect(gateway.address, OLD);
    let mut between = Mta::connect(gateway.address, OLD);
    between.until("mail", &Queued::asking("nothing"));
    between.message(&Queued::asking("nothing"));
    let message = Queued::asking("edit");
    busy.until("header", &message);
    gateway.stop();
    assert!(idle.ended() && between.ended());
    for (name, step) in STAGES {
        if matches!(*name, "header" | "body" | "eom") {
            step(&mut busy, &message);
        }
    }
    assert_eq!(words(&busy.end_of_message()), "mmia");
    assert!(busy.ended());
    gateway.stopped();
}
