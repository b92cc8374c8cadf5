//! Mail while policies change, filters fail, and the service stops.

use std::io::Read;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::hop::Hop;
use crate::support::{Client, Place, Service};

/// A place whose listener hands on to this hop.
fn place(hop: &Hop, more: &str) -> Place {
    let place = Place::new();
    place.listen("smtp", "127.0.0.1:0", hop.address(), more);
    place
}

/// Sends one mail: the reply.
fn send(service: &Service<'_>) -> String {
    let mut client = Client::connect(service.address());
    let reply = client.send();
    client.say("QUIT");
    reply
}

/// The id of a message in the reply to it.
fn id(reply: &str) -> String {
    let (_, rest) = reply.split_once("id=").unwrap_or_else(|| panic!("{reply}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_stop_waits_for_messages_under_way() {
    let hop = Hop::new();
    let place = place(&hop, "");
    let mut service = place.start();
    hop.close();
    let address = service.address();
    let client = std::thread::spawn(move || Client::connect(address).send());
    hop.wait_for_a_mail();
    assert_eq!(service.status()["in-flight"], 1);
    service.signal("TERM");
    service.wait_for("the service to stop", |service| {
        (!service.lines("stopping").is_empty()).then_some(())
    });
    // Whoever asks is told meanwhile.
    assert_eq!(service.http("/readyz").unwrap().0, 503);
    assert_eq!(service.status()["state"], "stopping");
    assert_eq!(place.tell(&["reload"]).status.code(), Some(69));
    hop.open();
    let reply = client.join().unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert!(service.ended().success());
    assert_eq!(service.lines("stopped").len(), 1);
    assert_eq!(hop.taken().len(), 1);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let hop = Hop::new();
    let place = place(&hop, "[limits]\nstop = \"300ms\"\n");
    let mut service = place.start();
    hop.close();
    let address = service.address();
    let client = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client.try_send()
    });
    hop.wait_for_a_mail();
    service.signal("TERM");
    assert!(service.ended().success());
    // Nothing was acknowledged: the client sends it again.
    let reply = client.join().unwrap();
    assert!(!reply.starts_with("250"), "{reply}");
    hop.open();
}

#[test]
fn a_message_ends_on_the_generation_that_it_began_with() {
    let hop = Hop::new();
    let place = place(&hop, "");
    let service = place.start();
    let first = service.active();
    hop.close();
    let address = service.address();
    let client = std::thread::spawn(move || Client::connect(address).send());
    hop.wait_for_a_mail();
    place.behave("error");
    let second = service.wait_for_other_than(&first);
    // What comes now is decided by the new one, which fails.
    let reply = send(&service);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    hop.open();
    assert!(client.join().unwrap().starts_with("250"));
    let generations = service.wait_for("two log lines", |service| {
        let lines = service.lines("message");
        let generations: Vec<Value> = lines
            .iter()
            .map(|line| line["generation"].clone())
            .collect();
        (generations.len() == 2).then_some(generations)
    });
    assert_eq!(generations, [json!(second), json!(first)]);
    service.stop();
}

#[test]
fn a_filter_that_keeps_failing_rests() {
    let hop = Hop::new();
    let place = place(
        &hop,
        "[reload]\nfailures = 0\nbreaker-failures = 2\nbreaker-seconds = 3600\n",
    );
    place.behave("error");
    let service = place.start();
    for _ in 0..4 {
        let reply = send(&service);
        assert!(reply.starts_with("451 4.3.0"), "{reply}");
    }
    let status = service.status();
    let filter = &status["active"]["filters"][0];
    assert_eq!(filter["state"], "suspended", "{filter}");
    assert_eq!(
        (&filter["runs"], &filter["failures"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(filter["suspended"], 2);
    let degraded = status["degraded"][0].as_str().unwrap();
    assert!(
        degraded.starts_with("filter first is suspended: "),
        "{degraded}"
    );
    let output = place.tell(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    let series = "waxseal_filter_failures_total{filter=\"first\",code=\"filter.suspended\"}";
    assert_eq!(service.metric(series), Some(2.0));
    assert!(hop.taken().is_empty());
    service.stop();
}

#[test]
fn a_new_generation_that_fails_is_rolled_back_by_itself() {
    let hop = Hop::new();
    let place = place(&hop, "[reload]\nfailures = 2\nwithin = 5\n");
    let service = place.start();
    let first = service.active();
    place.behave("error");
    let second = service.wait_for_other_than(&first);
    for _ in 0..2 {
        assert!(send(&service).starts_with("451"));
    }
    let status = service.wait_for("the rollback", |service| {
        let status = service.status();
        (status["last-change"]["trigger"] == "trial").then_some(status)
    });
    assert_eq!(status["active"]["id"], first.as_str());
    assert_eq!(status["rolled-back"], json!([second]));
    assert!(send(&service).starts_with("250"));
    // A start does not bring it back.
    service.kill();
    let service = place.start();
    assert_eq!(service.active(), first);
    service.stop();
}

#[test]
fn a_candidate_is_asked_and_not_followed() {
    let hop = Hop::new();
    let place = place(&hop, "[reload]\nwatch = false\n");
    let service = place.start();
    let first = service.active();
    let output = place.tell(&["shadow", "report"]);
    assert_eq!(output.status.code(), Some(69));
    place.behave("require");
    let output = place.tell(&["reload", "--shadow"]);
    assert!(output.status.success(), "{output:?}");
    let candidate = service.status()["shadow"]["candidate"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(service.active(), first);
    let reply = send(&service);
    assert!(reply.starts_with("250"), "{reply}");
    let report = service.wait_for("the comparison", |service| {
        let shadow = service.status()["shadow"].clone();
        (shadow["compared"] == 1).then_some(shadow)
    });
    assert_eq!(report["different"], 1, "{report}");
    assert_eq!(report["differences"][0]["id"], id(&reply).as_str());
    let text = String::from_utf8(place.tell(&["shadow", "report"]).stdout).unwrap();
    assert!(
        text.contains("+ ben@example.net: must be encrypted"),
        "{text}"
    );
    // The candidate requires what cannot be done, and is not followed.
    assert_eq!(hop.taken().len(), 1);
    assert!(place.tell(&["shadow", "promote"]).status.success());
    assert_eq!(service.active(), candidate);
    assert_eq!(service.status()["shadow"], Value::Null);
    assert!(!send(&service).starts_with("250"));
    assert_eq!(place.tell(&["shadow", "stop"]).status.code(), Some(69));
    service.stop();
}

#[test]
fn a_decision_is_explained_by_its_id() {
    let hop = Hop::new();
    let place = place(&hop, "");
    let service = place.start();
    let id = id(&send(&service));
    let text = service.wait_for("the record", |_| {
        let output = place.tell(&["explain", &id]);
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    });
    let first = format!("message {id}, policy generation {}\n", service.active());
    assert!(text.starts_with(&first), "{text}");
    for expected in ["listener: in", "1 first: ", "ben@example.net", "times: "] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("hello"), "{text}");
    let output = place.tell(&["explain", "--json", &id]);
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["sender"], "anna@example.org");
    let output = place.tell(&["explain", "nothing"]);
    assert_eq!(output.status.code(), Some(69));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.ends_with("no decision is recorded of this message: nothing\n"),
        "{stderr}"
    );
    service.stop();
}

#[test]
fn connections_that_say_nothing_do_not_keep_the_service() {
    let hop = Hop::new();
    let place = place(&hop, "");
    let service = place.start();
    let mut idle = TcpStream::connect(service.address()).unwrap();
    let mut greeting = [0; 3];
    idle.read_exact(&mut greeting).unwrap();
    service.stop();
}
