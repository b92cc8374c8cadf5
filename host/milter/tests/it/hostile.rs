//! Peers that do what they must not, and take what they should not have: each loses its
//! connection or its message, and nobody else anything.

use std::time::{Duration, Instant};

use crate::gateway::Gateway;
use crate::mta::{MODERN, Mta, OLD, Queued};
use crate::stages::{replied, words};

fn still_serves(gateway: &Gateway) {
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("mail", &Queued::asking("nothing"));
    assert_eq!(words(&mta.message(&Queued::asking("edit"))), "mmia");
}

#[test]
fn what_is_no_negotiation_ends_the_connection() {
    let gateway = Gateway::start();
    let openings: &[&[u8]] = &[
        b"\0\0\0\0",
        b"\xff\xff\xff\xffO",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x01E",
        b"\0\0\0\x05M<>\0\0",
        b"\0\0\0\x02Ox",
        // Version 1.
        b"\0\0\0\x0dO\0\0\0\x01\0\0\0\x1f\0\0\0\x3f",
    ];
    for opening in openings {
        let mut mta = Mta::open(gateway.address);
        mta.throw(opening);
        assert!(mta.ended(), "{opening:?}");
    }
    still_serves(&gateway);
}

#[test]
fn what_is_out_of_order_or_malformed_ends_the_connection() {
    let gateway = Gateway::start();
    let commands: &[(char, &[u8])] = &[
        ('O', b"\0\0\0\x06\0\0\0\0\0\0\0\0"),
        ('R', b"<bob@example.net>\0"),
        ('L', b"Subject\0x\0"),
        ('B', b"body"),
        ('E', b""),
        ('M', b"no NUL"),
        ('D', b"Mi\0"),
        ('C', b"x"),
        ('?', b""),
        ('\0', b""),
    ];
    for (command, data) in commands {
        let mut mta = Mta::connect(gateway.address, MODERN);
        mta.send(*command, data);
        assert!(mta.ended(), "{command}");
    }
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("body", &Queued::asking("nothing"));
    mta.send('B', b"body");
    mta.send('L', b"Subject\0late\0");
    assert!(mta.ended());
    still_serves(&gateway);
}

#[test]
fn silence_is_not_waited_for_without_end() {
    let short = Duration::from_secs(1);
    let gateway = Gateway::with(|options| options.listener.timeouts.packet = short);
    let mut half = Mta::open(gateway.address);
    half.throw(b"\0\0\0\x0dO\0\0");
    assert!(half.ended());
    let gateway = Gateway::with(|options| options.listener.timeouts.idle = short);
    assert!(Mta::open(gateway.address).ended());
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let gateway = Gateway::with(|options| {
        options.listener.limits.message = 100_000;
        options.listener.limits.recipients = 3;
    });
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("mail", &Queued::asking("nothing"));
    let mut long = Queued::asking("nothing");
    long.body = vec![b'x'; 200_000];
    let reply = "552 5.3.4 the message has more than 100000 octets";
    replied(&mta.message(&long), reply);
    let mut many = Queued::asking("nothing");
    many.recipients = vec!["<bob@example.net>".into(); 4];
    replied(&mta.message(&many), "452 4.5.3 more than 3 recipients");
    let mut nobody = Queued::asking("nothing");
    nobody.sender = "<alice>@".into();
    replied(
        &mta.message(&nobody),
        "553 5.1.7 sender not understood: <alice>@",
    );
    nobody = Queued::asking("nothing");
    nobody.recipients.push("<bob@>".into());
    replied(
        &mta.message(&nobody),
        "553 5.1.3 recipient not understood: <bob@>",
    );
    // Of what is refused nothing is kept.
    assert_eq!(words(&mta.message(&Queued::asking("nothing"))), "a");
}

#[test]
fn messages_of_all_connections_have_a_bound_together() {
    let gateway = Gateway::with(|options| options.service.octets = 300_000);
    let mut long = Queued::asking("nothing");
    long.body = b"0123456789abcde\r\n".repeat(12_000);
    // The dialect with replies: what was said has been counted.
    let mut first = Mta::connect(gateway.address, OLD);
    first.until("eom", &long);
    let mut second = Mta::connect(gateway.address, OLD);
    second.until("mail", &long);
    let said = second.message(&long);
    replied(
        &said,
        "452 4.3.1 too many messages at a time; try again later",
    );
    assert_eq!(words(&first.end_of_message()), "a");
    assert_eq!(words(&second.message(&long)), "a");
    // A message that is given up is not counted any longer.
    first.until("eom", &long);
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(60);
    while words(&second.message(&long)) != "a" {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn connections_have_a_bound_and_wait_for_a_place() {
    let gateway = Gateway::with(|options| options.listener.max_connections = 1);
    let first = Mta::connect(gateway.address, MODERN);
    let address = gateway.address;
    let second = std::thread::spawn(move || {
        let mut mta = Mta::connect(address, MODERN);
        mta.until("mail", &Queued::asking("nothing"));
        words(&mta.message(&Queued::asking("nothing")))
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.join().unwrap(), "a");
}

#[test]
fn what_comes_before_its_time_is_answered_in_order() {
    let gateway = Gateway::start();
    let mut mta = Mta::connect(gateway.address, MODERN);
    // Two messages in one breath.
    for what in ["edit", "discard"] {
        mta.until("eom", &Queued::asking(what));
        mta.throw(b"\0\0\0\x01E");
    }
    let mut said = Vec::new();
    while said.last() != Some(&'d') {
        said.extend(mta.receive().map(|(command, _)| command));
    }
    assert_eq!(said.iter().collect::<String>(), "mmiad");
}
