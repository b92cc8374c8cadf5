//! The relay against next hops: scripted ones for every misfortune, Postfix's for the truth.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

mod copies;
mod hop;
mod octets;
mod replies;
mod reports;
mod sink;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use waxseal_engine::{Delivery, Disposition, OutgoingCopy, Refusal};
use waxseal_message::{Address, Limits, Message};
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};
use waxseal_relay::{Envelope, Hop, Protocol, Relay, Replies, Settings, Tls};

pub const MAIL: &str = "From: alice@example.org\r\nSubject: hello\r\n\r\nbody\r\n";

/// Patient enough for any machine; tests of patience set their own.
pub fn settings(address: Hop) -> Settings {
    Settings {
        name: "test".to_owned(),
        hostname: "gw.example.org".to_owned(),
        protocol: Protocol::Smtp,
        address,
        tls: Tls::Off,
        connections: 20,
        timeout: Duration::from_secs(60),
        stay: Duration::from_secs(120),
    }
}

pub fn to(hop: &hop::Hop) -> Settings {
    settings(Hop::Tcp(hop.address.ip().to_string(), hop.address.port()))
}

pub fn relay(settings: Settings) -> Arc<Relay> {
    Relay::new(settings).unwrap()
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// `bob@example.net NOTIFY=NEVER`
pub fn recipient(text: &str) -> Recipient {
    let mut words = text.split(' ');
    Recipient {
        address: address(words.next().unwrap()),
        parameters: words.map(parameter).collect(),
    }
}

pub fn parameter(word: &str) -> EsmtpParameter {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    EsmtpParameter {
        name: name.to_owned(),
        value,
    }
}

pub fn copy(octets: impl Into<Vec<u8>>, recipients: &[&str]) -> OutgoingCopy {
    OutgoingCopy {
        message: Message::parse(octets.into(), &Limits::UNLIMITED).unwrap(),
        recipients: recipients.iter().map(|text| recipient(text)).collect(),
        layers: Vec::new(),
        decrypted: false,
        notes: Vec::new(),
    }
}

pub fn refusal(text: &str) -> Refusal {
    Refusal {
        recipient: recipient(text),
        reply: Reply {
            code: 550,
            enhanced: Some("5.7.5".to_owned()),
            text: "no certificate".to_owned(),
        },
        cause: None,
    }
}

/// Copies of [`MAIL`], one for each group.
pub fn delivery(groups: &[&[&str]]) -> Delivery {
    Delivery {
        sender: Some(address("alice@example.org")),
        copies: groups.iter().map(|group| copy(MAIL, group)).collect(),
        refusals: Vec::new(),
        dropped: Vec::new(),
    }
}

/// From a sender of ours to everybody whom the delivery is about.
pub fn envelope(delivery: &Delivery) -> Envelope {
    let copies = delivery.copies.iter().flat_map(|copy| &copy.recipients);
    let refused = delivery.refusals.iter().map(|refusal| &refusal.recipient);
    Envelope {
        id: "ID1".to_owned(),
        sender: delivery.sender.clone(),
        sender_parameters: Vec::new(),
        recipients: copies.chain(refused).cloned().collect(),
        ours: true,
        octets: MAIL.into(),
        arrived: Instant::now(),
    }
}

/// The replies, each as on the wire.
pub async fn carry_out(
    relay: &Relay,
    envelope: &Envelope,
    delivery: Delivery,
    replies: Replies,
) -> Vec<String> {
    let disposition = Disposition::Deliver(delivery);
    let given = relay.carry_out(envelope, &disposition, replies).await;
    given.iter().map(ToString::to_string).collect()
}

/// Delivers for a sender of ours, one reply for all.
pub async fn one(relay: &Relay, delivery: Delivery) -> String {
    let envelope = envelope(&delivery);
    let mut replies = carry_out(relay, &envelope, delivery, Replies::One).await;
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

/// Delivers for a sender of ours, a reply for each.
pub async fn each(relay: &Relay, delivery: Delivery) -> Vec<String> {
    let envelope = envelope(&delivery);
    carry_out(relay, &envelope, delivery, Replies::Each).await
}
