//! `serve.toml`: what it sets, and what is wrong with it, by line.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use waxseal_config::serve::{
    BareNewline, HopAddress, HopProtocol, ListenAddress, Protocol, Serve, Tls, read,
};

const SMALLEST: &str =
    "[[listener]]\nname = \"in\"\nprotocol = \"milter\"\naddress = \"127.0.0.1:8891\"\n";

fn parsed(text: &str) -> Result<(Serve, PathBuf), String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("serve.toml");
    fs::write(&file, text).unwrap();
    let base = directory.path().to_owned();
    let serve = read(&file, Path::new("/policy")).map_err(|errors| {
        let problem = |problem: &waxseal_config::Problem| match &problem.hint {
            Some(hint) => format!("{problem} ({hint})"),
            None => problem.to_string(),
        };
        errors
            .problems()
            .iter()
            .map(problem)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok((serve, base))
}

#[test]
fn the_smallest_one_has_every_default() {
    let (serve, _) = parsed(SMALLEST).unwrap();
    assert_eq!(serve.hostname, None);
    assert_eq!(serve.state, Path::new("/policy/state"));
    assert_eq!(
        serve.control.socket,
        Path::new("/policy/state/control.sock")
    );
    assert_eq!((serve.control.mode, serve.http.clone()), (0o600, None));
    let listener = &serve.listeners[0];
    assert_eq!(
        (listener.protocol, listener.mode),
        (Protocol::Milter, 0o660)
    );
    assert_eq!((listener.max_connections, &listener.next_hop), (200, &None));
    assert_eq!(listener.timeout, None);
    assert_eq!((serve.reload.keep, serve.reload.watch), (3, true));
    assert_eq!((serve.reload.failures, serve.reload.within), (5, 20));
    assert_eq!(serve.reload.breaker, Duration::from_secs(30));
    assert_eq!((serve.limits.workers, serve.limits.message), (0, 64 << 20));
    assert_eq!(serve.limits.stay, Duration::from_secs(240));
    assert_eq!((serve.decisions.days, serve.decisions.mib), (14, 256));
    assert!(!serve.decisions.filter_logs);
}

#[test]
fn every_key_is_read() {
    let text = r#"
        hostname = "gw.example.org"
        state = "/var/lib/waxseal"
        [[listener]]
        name = "submission"
        protocol = "milter"
        address = "unix:/run/waxseal/milter.sock"
        mode = "0666"
        next-hop = "postfix"
        max-connections = 7
        timeout = "2m"
        [[listener]]
        name = "filter"
        protocol = "lmtp"
        address = "[::1]:10025"
        next-hop = "dovecot"
        tls-certificate = "tls.pem"
        tls-key = "/etc/tls.key"
        xforward-from = ["127.0.0.0/8", "::1"]
        bare-newline = "fix"
        [[listener]]
        name = "held"
        protocol = "smtp"
        address = "systemd:mail"
        next-hop = "postfix"
        [next-hop.postfix]
        address = "localhost:10026"
        tls = "must"
        tls-ca = "ca.pem"
        connections = 5
        timeout = "500ms"
        [next-hop.dovecot]
        protocol = "lmtp"
        address = "unix:/run/dovecot/lmtp"
        tls = "may"
        [control]
        socket = "/run/waxseal/control.sock"
        mode = "0640"
        [http]
        address = "127.0.0.1:9464"
        [reload]
        watch = false
        keep = 5
        time = "1h"
        failures = 0
        within = 9
        breaker-failures = 2
        breaker-seconds = 3
        [limits]
        workers = 8
        wait = "1s"
        stay = "100s"
        stop = "10s"
        message-mib = 25
        held-mib = 300
        [decisions]
        days = 0
        mib = 1
        filter-logs = true
    "#;
    let (serve, base) = parsed(text).unwrap();
    let [milter, lmtp, held] = serve.listeners.as_slice() else {
        panic!("{:?}", serve.listeners);
    };
    assert_eq!(
        milter.address,
        ListenAddress::Unix("/run/waxseal/milter.sock".into())
    );
    assert_eq!((milter.mode, milter.max_connections), (0o666, 7));
    assert_eq!(milter.timeout, Some(Duration::from_secs(120)));
    assert_eq!(
        lmtp.address,
        ListenAddress::Tcp("[::1]:10025".parse().unwrap())
    );
    assert_eq!(
        lmtp.tls,
        Some((base.join("tls.pem"), "/etc/tls.key".into()))
    );
    assert_eq!(lmtp.xforward_from.len(), 2);
    assert_eq!(lmtp.bare_newline, BareNewline::Fix);
    assert_eq!(held.address, ListenAddress::Systemd("mail".to_owned()));
    let postfix = &serve.next_hops["postfix"];
    assert_eq!(
        postfix.address,
        HopAddress::Tcp("localhost".to_owned(), 10026)
    );
    let tls = Tls::Must {
        ca: base.join("ca.pem"),
        name: "localhost".to_owned(),
    };
    assert_eq!((&postfix.tls, postfix.connections), (&tls, 5));
    assert_eq!(postfix.timeout, Duration::from_millis(500));
    let dovecot = &serve.next_hops["dovecot"];
    assert_eq!(
        (dovecot.protocol, &dovecot.tls),
        (HopProtocol::Lmtp, &Tls::May)
    );
    assert_eq!(serve.control.socket, Path::new("/run/waxseal/control.sock"));
    assert_eq!((serve.reload.watch, serve.reload.keep), (false, 5));
    assert_eq!(
        (serve.reload.failures, serve.reload.breaker_failures),
        (0, 2)
    );
    assert_eq!((serve.limits.workers, serve.limits.message), (8, 25 << 20));
    assert_eq!(
        (serve.limits.stop, serve.limits.held),
        (Duration::from_secs(10), 300 << 20)
    );
    assert_eq!(
        (serve.decisions.days, serve.decisions.filter_logs),
        (0, true)
    );
}

#[test]
fn mistakes_are_named_with_their_line() {
    let check = |text: &str, expected: &str| {
        let problems = parsed(text).unwrap_err();
        assert!(problems.contains(expected), "{text}: {problems}");
    };
    check(
        "",
        "serve.toml:1: no listener (a [[listener]] has a name, a protocol and an address)",
    );
    check(
        "[[listener]]\n",
        "serve.toml:1: listener[0]: missing key: name",
    );
    let with = |more: &str| format!("{SMALLEST}{more}");
    check(
        &with("adress = \"x\"\n"),
        "serve.toml:5: listener[0].adress: unknown key: adress (did you mean `address`?)",
    );
    check(
        &with("next-hop = \"postfx\"\n[next-hop.postfix]\naddress = \"a:1\"\n"),
        "listener[0].next-hop: no such [next-hop.NAME]: postfx (did you mean `postfix`?)",
    );
    check(&with("tls-key = \"x\"\n"), "unknown key: tls-key");
    check(&with("mode = \"rw\"\n"), "not permissions: rw");
    check(
        &with("timeout = \"5 minutes\"\n"),
        "not a duration: 5 minutes",
    );
    check(&with(SMALLEST), "two listeners of one name: in");
    check(&SMALLEST.replace("milter", "smtp"), "missing key: next-hop");
    check(
        &SMALLEST.replace("127.0.0.1:8891", "localhost"),
        "not an address: localhost",
    );
    check(
        &SMALLEST.replace("\"in\"", "\"in here\""),
        "not the name of a listener: in here",
    );
    check(
        &SMALLEST.replace("milter", "esmtp"),
        "none of milter, smtp, lmtp: esmtp (did you mean `smtp`?)",
    );
    check(
        &with("[next-hop.x]\naddress = \"here:0\"\n"),
        "not an address: here:0",
    );
    check(
        &with("[next-hop.x]\naddress = \"here:1\"\ntls = \"must\"\n"),
        "without tls-ca",
    );
    check(
        &with("[reload]\nkeep = 0\n"),
        "reload.keep: not from 1 to 100: 0",
    );
    check("hostname = \"gw_1\"\n", "not the name of a host: gw_1");
    check("[[listener]\n", "serve.toml:1: ");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let errors = read(Path::new("/nowhere/serve.toml"), Path::new("/policy")).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/serve.toml: cannot read: no such file or directory"
    );
}
