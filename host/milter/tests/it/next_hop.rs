//! What a milter cannot express goes to the next hop, and the MTA forgets its own copy only when
//! all of it was taken.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use waxseal_milter::Timeouts;
use waxseal_relay::{Hop, Protocol, Relay, Settings, Tls};

use crate::gateway::Gateway;
use crate::mta::{MODERN, Mta, OLD, Queued};
use crate::stages::{replied, words};

/// What the next hop does with the end of a message.
#[derive(Clone, Copy, Debug)]
enum Dot {
    Take,
    Defer,
    HangUp,
    Stall,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    sender: String,
    recipients: Vec<String>,
    data: String,
}

/// An SMTP server that writes down what it has taken.
struct NextHop {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl NextHop {
    fn start(dot: Dot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hop = Self {
            address: listener.local_addr().unwrap(),
            taken: Arc::default(),
        };
        let taken = Arc::clone(&hop.taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, taken) = (stream.unwrap(), Arc::clone(&taken));
                // The other side may go away at any time.
                std::thread::spawn(move || drop(serve(stream, dot, &taken)));
            }
        });
        hop
    }

    fn relay(&self) -> Arc<Relay> {
        Relay::new(Settings {
            name: "next".into(),
            hostname: "gw.example.org".into(),
            protocol: Protocol::Smtp,
            address: Hop::Tcp("127.0.0.1".into(), self.address.port()),
            tls: Tls::Off,
            connections: 10,
            timeout: Duration::from_secs(60),
            stay: Duration::from_secs(240),
        })
        .unwrap()
    }

    fn gateway(&self, change: impl FnOnce(&mut Timeouts)) -> Gateway {
        Gateway::with(|options| {
            options.relay = Some(self.relay());
            change(&mut options.listener.timeouts);
        })
    }

    fn taken(&self) -> Vec<Taken> {
        let mut taken = self.taken.lock().unwrap().clone();
        taken.sort_by(|one, other| one.recipients.cmp(&other.recipients));
        taken
    }
}

fn serve(mut stream: TcpStream, dot: Dot, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 next.example ESMTP\r\n")?;
    let mut message = None;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let path = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match verb.as_str() {
            "EHLO" => stream.write_all(b"250-next.example\r\n250-DSN\r\n250 8BITMIME\r\n")?,
            "MAIL" => {
                message = Some(Taken {
                    sender: path(),
                    recipients: Vec::new(),
                    data: String::new(),
                });
                stream.write_all(b"250 2.1.0 ok\r\n")?;
            }
            "RCPT" => {
                message.as_mut().unwrap().recipients.push(path());
                stream.write_all(b"250 2.1.5 ok\r\n")?;
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let message = message.as_mut().unwrap();
                for line in lines.by_ref() {
                    match line?.as_str() {
                        "." => break,
                        text => message.data += &format!("{text}\n"),
                    }
                }
                match dot {
                    Dot::Take => {
                        taken.lock().unwrap().push(message.clone());
                        stream.write_all(b"250 2.0.0 taken\r\n")?;
                    }
                    Dot::Defer => stream.write_all(b"452 4.3.1 disk full\r\n")?,
                    Dot::HangUp => return Ok(()),
                    Dot::Stall => {}
                }
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n")?;
                return Ok(());
            }
            _ => stream.write_all(b"250 2.0.0 ok\r\n")?,
        }
    }
    Ok(())
}

#[test]
fn copies_that_differ_go_around_the_mta() {
    let hop = NextHop::start(Dot::Take);
    let gateway = hop.gateway(|_| {});
    for (round, dialect) in [MODERN, OLD].into_iter().enumerate() {
        let mut mta = Mta::connect(gateway.address, dialect);
        mta.until("mail", &Queued::asking("route"));
        assert_eq!(words(&mta.message(&Queued::asking("route"))), "d");
        let taken = hop.taken();
        assert_eq!(taken.len(), 2 * (round + 1));
        assert_eq!(taken[0].sender, "alice@example.org");
        assert_eq!(taken[0].recipients, ["bob@example.net"]);
        // The MTA's own Received is hidden from us: ours says whom it came from.
        let received = "Received: from laptop (client.example [192.0.2.1]) by gw.example.org\n (waxseal/ours) id ";
        assert!(taken[0].data.starts_with(received));
        assert!(
            taken[0]
                .data
                .contains("\nX-For: bob\nReceived: from a\n\tby b\n")
        );
        let carol = taken.last().unwrap();
        assert_eq!(carol.recipients, ["carol@example.net"]);
        assert!(carol.data.contains("\nReceived: from a\n\tby b\n"));
        assert!(!carol.data.contains("X-For"));
        // What needs no way around still goes in place.
        assert_eq!(words(&mta.message(&Queued::asking("edit"))), "mmia");
        assert_eq!(hop.taken().len(), 2 * (round + 1));
    }
}

#[test]
fn a_recipient_refused_alone_is_reported_and_the_others_get_theirs() {
    let hop = NextHop::start(Dot::Take);
    let gateway = hop.gateway(|_| {});
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("mail", &Queued::asking("refuse"));
    assert_eq!(words(&mta.message(&Queued::asking("refuse"))), "d");
    let taken = hop.taken();
    let envelopes: Vec<_> = taken
        .iter()
        .map(|taken| (taken.sender.as_str(), taken.recipients.join(" ")))
        .collect();
    assert_eq!(
        envelopes,
        [
            ("", "alice@example.org".to_owned()),
            ("alice@example.org", "carol@example.net".to_owned()),
        ]
    );
    assert!(taken[0].data.contains("bob@example.net"));
}

#[test]
fn an_mta_that_grants_nothing_has_its_changes_made_on_the_way() {
    let hop = NextHop::start(Dot::Take);
    let gateway = hop.gateway(|_| {});
    let mut mta = Mta::connect(gateway.address, (6, 0, 0));
    mta.until("mail", &Queued::asking("edit"));
    assert_eq!(words(&mta.message(&Queued::asking("edit"))), "d");
    let taken = hop.taken();
    assert_eq!(taken.len(), 1);
    assert!(
        taken[0]
            .data
            .contains("\nX-New: on top\nReceived: from a\n")
    );
}

#[test]
fn what_the_next_hop_does_not_take_stays_with_the_client() {
    for dot in [Dot::Defer, Dot::HangUp] {
        let hop = NextHop::start(dot);
        let gateway = hop.gateway(|_| {});
        let mut mta = Mta::connect(gateway.address, MODERN);
        mta.until("mail", &Queued::asking("route"));
        replied(&mta.message(&Queued::asking("route")), "45");
        assert_eq!(hop.taken(), []);
        assert_eq!(words(&mta.message(&Queued::asking("nothing"))), "a");
    }
}

#[test]
fn a_message_that_takes_too_long_is_deferred_and_the_mta_kept_informed() {
    let hop = NextHop::start(Dot::Stall);
    let gateway = hop.gateway(|timeouts| {
        timeouts.stay = Duration::from_secs(2);
        timeouts.progress = Duration::from_millis(20);
    });
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("end", &Queued::asking("route"));
    mta.send('E', b"");
    assert_eq!(mta.receive(), Some(('p', Vec::new())));
    let said = loop {
        match mta.receive().unwrap() {
            ('p', _) => {}
            said => break said,
        }
    };
    replied(&[said], "451 4.4.7 not done in time; try again later");
}

#[test]
fn nobody_works_for_an_mta_that_has_gone() {
    let hop = NextHop::start(Dot::Stall);
    let gateway = hop.gateway(|_| {});
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("end", &Queued::asking("route"));
    mta.send('E', b"");
    drop(mta);
    let started = Instant::now();
    gateway.stopped();
    assert!(started.elapsed() < Duration::from_secs(100));
}

#[test]
fn what_comes_back_again_and_again_is_refused() {
    let hop = NextHop::start(Dot::Take);
    let gateway = hop.gateway(|_| {});
    let mut mta = Mta::connect(gateway.address, MODERN);
    let mut message = Queued::asking("route");
    mta.until("mail", &message);
    for round in 0..3 {
        assert_eq!(words(&mta.message(&message)), "d", "{round}");
        // The way of the copy that still asks for different copies.
        let taken = hop.taken();
        let back = taken.last().unwrap().data.split_once("\n\n").unwrap().0;
        let unfolded = back.replace("\n ", " ");
        let mine = unfolded
            .lines()
            .find(|line| line.contains("(waxseal/ours)"))
            .unwrap();
        let (name, value) = mine.split_once(':').unwrap();
        message.header.insert(0, (name.into(), value.into()));
    }
    replied(&mta.message(&message), "554 5.4.6 mail goes in circles");
}
