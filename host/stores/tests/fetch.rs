//! Fetching over HTTP from a server on this machine: what is asked, what is refused, what is
//! kept.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use waxseal_pki::{Fetch, FetchError};
use waxseal_smime::{Clock, Time};
use waxseal_stores::{FetchOptions, Fetcher, Networks};

const NOW: i64 = 1_795_532_400;

#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// A server that answers each request by its path, and notes what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            most_at_once: Arc::default(),
        };
        let (asked, most) = (server.asked.clone(), server.most_at_once.clone());
        std::thread::spawn(move || {
            let at_once = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming().take(100) {
                let (asked, most, at_once) = (asked.clone(), most.clone(), at_once.clone());
                std::thread::spawn(move || {
                    let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    answer(&mut stream.unwrap(), &asked, || {
                        at_once.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(stream: &mut TcpStream, asked: &Mutex<Vec<String>>, leave: impl FnOnce()) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_lowercase());
    }
    let length = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = lines.first().cloned().unwrap_or_default();
    let kind = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-type: "));
    let path = request.split(' ').nth(1).unwrap_or_default();
    asked
        .lock()
        .unwrap()
        .push(format!("{} {path}", request.split(' ').next().unwrap()));
    let redirect =
        |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let found = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match path {
        "/list" => found("a list"),
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na l\r\n3\r\nist\r\n0\r\n\r\n"
                .into()
        }
        "/big" => found(&"x".repeat(2000)),
        "/big-chunked" => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
            "x".repeat(2000)
        ),
        "/head" => format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
        "/slow" => {
            std::thread::sleep(Duration::from_millis(50));
            found("slow")
        }
        "/never" => {
            std::thread::sleep(Duration::from_secs(3));
            String::new()
        }
        "/moved" => redirect("/list"),
        "/round" => redirect("/round"),
        "/to-file" => redirect("file:///etc/passwd"),
        "/to-https" => redirect("https://example.org/"),
        "/to-user" => redirect("http://user@localhost/"),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".into(),
        "/ocsp" if kind == Some("application/ocsp-request") => {
            found(&format!("answer to {}", String::from_utf8_lossy(&body)))
        }
        "/noise" => "220 mail.example ESMTP\r\n".into(),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
    };
    leave();
    let _ = stream.write_all(text.as_bytes());
}

fn local(change: impl FnOnce(&mut FetchOptions)) -> (Fetcher, Hand) {
    let mut options = FetchOptions {
        networks: Networks::Any,
        limit: 1000,
        ..FetchOptions::default()
    };
    change(&mut options);
    let clock = Hand(Arc::new(AtomicI64::new(NOW)));
    (Fetcher::new(options, Arc::new(clock.clone())), clock)
}

fn kind(result: Result<Vec<u8>, FetchError>) -> String {
    match result {
        Ok(octets) => String::from_utf8(octets).unwrap(),
        Err(FetchError::Unreachable(_)) => "unreachable".into(),
        Err(FetchError::Refused(_)) => "refused".into(),
        Err(FetchError::TooLarge(_)) => "too large".into(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn answers_and_failures() {
    let server = Server::start();
    let (fetcher, _) = local(|options| options.timeout = Duration::from_millis(1000));
    let check = |path: &str, expected: &str| {
        assert_eq!(kind(fetcher.get(&server.url(path))), expected, "{path}");
    };
    check("/list", "a list");
    check("/chunked", "a list");
    check("/moved", "a list");
    check("/big", "too large");
    check("/big-chunked", "too large");
    check("/head", "unreachable");
    check("/round", "unreachable");
    check("/absent", "unreachable");
    check("/cut", "unreachable");
    check("/noise", "unreachable");
    check("/never", "unreachable");
    check("/to-file", "refused");
    check("/to-https", "refused");
    check("/to-user", "refused");
    let rounds = server
        .asked()
        .iter()
        .filter(|it| *it == "get /round")
        .count();
    assert_eq!(rounds, 4, "one request and three redirects");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(
        kind(fetcher.get(&format!("http://{closed}/"))),
        "unreachable"
    );
}

/// Nothing but http, and nobody's password.
#[test]
fn urls_that_are_refused() {
    let (fetcher, _) = local(|_| {});
    for url in [
        "",
        "file:///etc/passwd",
        "ldap://localhost/cn=ca",
        "https://localhost/",
        "ftp://localhost/",
        "http://",
        "http:///list",
        "/list",
        "http://user:secret@localhost/",
        "javascript:alert(1)",
        "http://a b/",
    ] {
        assert_eq!(kind(fetcher.get(url)), "refused", "{url}");
    }
    let long = format!("http://localhost/{}", "x".repeat(5000));
    assert_eq!(kind(fetcher.get(&long)), "refused");
}

/// Without the operator's leave nobody on this network is spoken to: by number, by name, or in
/// other clothes.
#[test]
fn private_addresses_are_refused_and_not_connected_to() {
    let server = Server::start();
    let (fetcher, _) = local(|options| options.networks = Networks::Public);
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
    ] {
        let url = format!("http://{host}:{port}/list");
        assert_eq!(kind(fetcher.get(&url)), "refused", "{url}");
    }
    assert!(server.asked().is_empty());
}

#[test]
fn ocsp_is_posted_and_each_request_is_its_own() {
    let server = Server::start();
    let (fetcher, _) = local(|_| {});
    let url = server.url("/ocsp");
    for request in ["one", "two", "one"] {
        let answer = kind(fetcher.ocsp(&url, request.as_bytes()));
        assert_eq!(answer, format!("answer to {request}"));
    }
    assert_eq!(server.asked(), ["post /ocsp", "post /ocsp"]);
    // A redirect would send the request to somebody else.
    assert_eq!(
        kind(fetcher.ocsp(&server.url("/moved"), b"one")),
        "unreachable"
    );
}

#[test]
fn what_was_fetched_is_kept_for_a_day_and_a_failure_for_a_while() {
    let server = Server::start();
    let (fetcher, clock) = local(|_| {});
    let ask = |path: &str, after: i64| {
        clock.0.store(NOW + after, Ordering::SeqCst);
        let _ = fetcher.get(&server.url(path));
        server
            .asked()
            .iter()
            .filter(|it| it.ends_with(path))
            .count()
    };
    assert_eq!(ask("/list", 0), 1);
    assert_eq!(ask("/list", 86_399), 1);
    assert_eq!(ask("/list", 86_400), 2);
    assert_eq!(ask("/absent", 90_000), 1);
    assert_eq!(ask("/absent", 90_119), 1);
    assert_eq!(ask("/absent", 90_120), 2);
}

/// Many ask at once: the host sees only so many at a time, and those with one question ask once
/// for each turn at most.
#[test]
fn a_host_is_asked_by_few_at_a_time() {
    let server = Server::start();
    let (fetcher, _) = local(|options| {
        options.timeout = Duration::from_secs(60);
        options.cache_entries = 0;
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(kind(fetcher.get(&server.url("/slow"))), "slow"));
        }
    });
    assert_eq!(server.asked().len(), 8);
    assert!(server.most_at_once.load(Ordering::SeqCst) <= 2);

    let (fetcher, _) = local(|options| options.timeout = Duration::from_secs(60));
    let before = server.asked().len();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(kind(fetcher.get(&server.url("/slow"))), "slow"));
        }
    });
    assert!(server.asked().len() - before <= 2);
}
