//! Whatever octets come: no panic, an orderly end, and no message that was not terminated.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use waxseal_smtp::Protocol;

use crate::dialog::{Client, Dialog, soon};

/// Pieces that make a session likely to get far, and pieces that break it.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"EHLO x\r\n",
        b"LHLO x\r\n",
        b"MAIL FROM:<a@a.example>\r\n",
        b"MAIL FROM:<> SIZE=5 SMTPUTF8\r\n",
        b"RCPT TO:<b@b.example>\r\n",
        b"DATA\r\n",
        b"BDAT 3\r\n",
        b"BDAT 3 LAST\r\n",
        b"BDAT 0 LAST\r\n",
        b"XFORWARD ADDR=192.0.2.1\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"\r\n.\r\n",
        b"\n.\n",
        b".\r\n",
        b"abc",
        b"\r",
        b"\n",
        b"\0",
    ];
    prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

/// Sends the pieces, each in its own time, then closes: what the courier got.
async fn taken(protocol: Protocol, pieces: &[Vec<u8>]) -> Vec<String> {
    let client = Dialog::new(protocol).connect();
    let Client {
        talk,
        courier,
        session,
    } = client;
    let (mut read, mut write) = tokio::io::split(talk.stream);
    let replies = tokio::spawn(async move {
        let mut replies = Vec::new();
        let _ = read.read_to_end(&mut replies).await;
        replies
    });
    for piece in pieces {
        if write.write_all(piece).await.is_err() {
            break;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let _ = write.shutdown().await;
    soon("the session", session)
        .await
        .expect("the session panicked");
    let replies = soon("the replies", replies).await.unwrap();
    for line in String::from_utf8(replies).unwrap().split_terminator("\r\n") {
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        assert!(
            code.is_some_and(|code| (200..600).contains(&code)),
            "{line:?}"
        );
        assert!(
            line.len() <= 510 && !line.contains(['\r', '\n']),
            "{line:?}"
        );
    }
    let taken = courier.taken.lock().unwrap();
    taken
        .iter()
        .map(|message| crate::dialog::below(&message.octets))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_message_without_its_end(
        pieces in proptest::collection::vec(piece(), 0..24),
        lmtp in any::<bool>(),
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let taken = runtime.block_on(taken(protocol, &pieces));
        let all = pieces.concat();
        let ends = |end: &[u8]| all.windows(end.len()).filter(|window| *window == end).count();
        // Each message took one true end, and nothing stands in it that was not sent.
        let true_ends = ends(b"\r\n.\r\n") + ends(b" LAST\r\n");
        prop_assert!(taken.len() <= true_ends, "{taken:?}");
        for message in &taken {
            let bare = message.replace("\r\n", "");
            prop_assert!(!bare.contains(['\r', '\n']), "{message:?}");
        }
    }
}
