//! What the next hop reads is what was sent, octet for octet.

use proptest::prelude::*;

use crate::hop::Act::Go;
use crate::hop::{Hop, Offers};
use crate::{copy, delivery, one, relay, to};

/// Sends one message and gives back what the hop took, or the reply.
async fn sent(octets: &[u8]) -> Result<Vec<u8>, String> {
    let hop = Hop::start(Offers::default(), |_| Go).await;
    let mut copies = delivery(&[]);
    copies.copies = vec![copy(octets, &["bob@example.net"])];
    let reply = one(&relay(to(&hop)), copies).await;
    let taken = hop.taken();
    match taken.as_slice() {
        [one] if reply.starts_with("250 ") => Ok(one.octets.clone()),
        [] => Err(reply),
        // What came after an end that we did not mean.
        _ => panic!("{} messages: {reply}", taken.len()),
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

#[test]
fn nothing_is_smuggled() {
    let second =
        "MAIL FROM:<eve@evil.example>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n\r\nevil\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"] {
        let mail = format!("Subject: x\r\n\r\nbody{end}{second}");
        let reply = run(sent(mail.as_bytes())).unwrap_err();
        assert!(reply.starts_with("550 5.6.11 id=ID1 "), "{end:?}: {reply}");
    }
    let mail = format!("Subject: x\r\n\r\nbody\r\n.\r\n{second}");
    assert_eq!(run(sent(mail.as_bytes())).unwrap(), mail.as_bytes());
}

#[test]
fn odd_messages_arrive_as_they_are() {
    for mail in [
        "\r\n",
        ".\r\n",
        "..\r\n\r\n.\r\n",
        "Subject: x\r\n\r\n.",
        "no header at all",
        "Subject: x\r\n\r\nNUL \0 and é\r\n",
    ] {
        let mut expected = mail.as_bytes().to_vec();
        if !mail.ends_with("\r\n") {
            expected.extend(b"\r\n");
        }
        assert_eq!(run(sent(mail.as_bytes())).unwrap(), expected, "{mail:?}");
    }
}

#[test]
fn a_large_message_arrives() {
    let mut mail = b"Subject: x\r\n\r\n".to_vec();
    for number in 0..80_000 {
        mail.extend(format!(".{number} some text that makes a line of it\r\n").bytes());
    }
    assert!(run(sent(&mail)).unwrap() == mail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_what_was_sent(
        lines in prop::collection::vec("[.a: ]{0,5}", 0..12), ends_open in any::<bool>(),
    ) {
        let mut mail = lines.join("\r\n");
        if !ends_open && !mail.is_empty() {
            mail.push_str("\r\n");
        }
        let mut expected = mail.clone();
        if !expected.is_empty() && !expected.ends_with("\r\n") {
            expected.push_str("\r\n");
        }
        prop_assert_eq!(run(sent(mail.as_bytes())), Ok(expected.into_bytes()));
    }

    /// Whatever octets: they arrive whole, or are refused; nothing else is ever taken.
    #[test]
    fn any_octets_arrive_or_are_refused(
        octets in prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), any::<u8>()], 0..24),
    ) {
        match run(sent(&octets)) {
            Ok(taken) => {
                let rest = taken.strip_prefix(&octets[..]);
                prop_assert!(matches!(rest, Some(b"" | b"\r\n")), "{:?}", taken);
            }
            Err(reply) => prop_assert!(reply.starts_with("550 5.6.11 id=ID1 "), "{}", reply),
        }
    }
}
