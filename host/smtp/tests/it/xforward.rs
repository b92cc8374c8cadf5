//! Whose mail it is: what a relay tells, and what the connection itself says.

use waxseal_policy::transaction::Session;
use waxseal_service::listen::Peer;
use waxseal_smtp::Protocol;

use crate::dialog::{Client, Dialog, from};

async fn client(peer: Peer) -> Client {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.peer = peer;
    let mut client = dialog.begin().await;
    client.says(&[("EHLO relay.example", "250-")]).await;
    client
}

async fn session(client: &mut Client) -> Session {
    client.mails(b"x\r\n.\r\n", "250 ").await;
    client.last().session
}

#[tokio::test]
async fn a_relay_tells_about_its_client() {
    for peer in [from("127.0.0.1"), from("[::ffff:127.0.0.1]"), Peer::Unix] {
        let mut client = client(peer).await;
        client
            .says(&[
                (
                    "XFORWARD NAME=pc.example ADDR=192.0.2.7 PORT=1234",
                    "250 2.0.0",
                ),
                (
                    "XFORWARD PROTO=ESMTP HELO=[pc] IDENT=4XyZ SOURCE=REMOTE",
                    "250 2.0.0",
                ),
            ])
            .await;
        let session = session(&mut client).await;
        assert_eq!(client.last().queue_id.as_deref(), Some("4XyZ"));
        assert_eq!(session.client_ip, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(session.client_name.as_deref(), Some("pc.example"));
        assert_eq!(session.helo.as_deref(), Some("[pc]"));
        assert_eq!(session.listener.as_deref(), Some("test"));
        assert_eq!(session.auth_user, None);
        let properties: Vec<_> = session
            .properties
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            properties,
            [
                "xforward.port=1234",
                "xforward.proto=ESMTP",
                "xforward.source=REMOTE"
            ]
        );
    }
}

/// A relay is not its client: without a word from it, the client is nobody, and not the
/// loopback address that `[origin] networks` may call ours.
#[tokio::test]
async fn a_silent_relay_makes_nobody_the_client() {
    let mut client = client(from("127.0.0.1")).await;
    let session = session(&mut client).await;
    assert_eq!((session.client_ip, session.helo), (None, None));
}

#[tokio::test]
async fn what_was_told_is_for_one_message() {
    let mut client = client(from("127.0.0.1")).await;
    client
        .says(&[("XFORWARD ADDR=192.0.2.7 IDENT=1", "250 ")])
        .await;
    assert!(session(&mut client).await.client_ip.is_some());
    assert!(session(&mut client).await.client_ip.is_none());
    assert_eq!(client.last().queue_id, None);
    for forgets in ["RSET", "EHLO relay.example"] {
        client
            .says(&[("XFORWARD ADDR=192.0.2.7", "250 "), (forgets, "250")])
            .await;
        assert!(session(&mut client).await.client_ip.is_none(), "{forgets}");
    }
}

#[tokio::test]
async fn strangers_tell_nothing() {
    let mut client = client(from("192.0.2.99")).await;
    client
        .says(&[("XFORWARD ADDR=10.0.0.1 NAME=inside.example", "550 5.7.0")])
        .await;
    let session = session(&mut client).await;
    assert_eq!(session.client_ip, Some("192.0.2.99".parse().unwrap()));
    assert_eq!(session.client_name, None);
    assert_eq!(session.helo.as_deref(), Some("relay.example"));
}

#[tokio::test]
async fn mistakes_are_named_and_change_nothing() {
    let mut client = client(from("127.0.0.1")).await;
    client
        .says(&[
            ("XFORWARD ADDR=192.0.2.7", "250 "),
            (
                "XFORWARD ADDR=nonsense",
                "501 5.5.4 invalid parameter: ADDR",
            ),
            (
                "XFORWARD LOGIN=alice",
                "555 5.5.4 parameter not implemented: LOGIN",
            ),
            ("XFORWARD", "501 5.5.4"),
        ])
        .await;
    let session = session(&mut client).await;
    assert_eq!(session.client_ip, Some("192.0.2.7".parse().unwrap()));
}
