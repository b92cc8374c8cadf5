//! A client that says exactly what it is told, and a courier that remembers what it got.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waxseal_policy::reply::Reply;
use waxseal_service::listen::{Connection, Peer};
use waxseal_smtp::{Answer, Courier, Offer, Protocol, Room, Sessions, Settings, Submission};

/// Nothing here takes so long but by a fault.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Takes every message, and says so to each recipient.
pub(crate) struct Taker {
    pub(crate) taken: Mutex<Vec<Submission>>,
    pub(crate) offer: Offer,
    /// Messages wait until this is cancelled.
    pub(crate) held_until: Option<CancellationToken>,
    room: usize,
    each: bool,
    ids: AtomicUsize,
}

/// Room for so many octets.
struct Bounded(usize);

impl Room for Bounded {
    fn grow(&mut self, octets: usize) -> bool {
        self.0 = self.0.saturating_sub(octets);
        self.0 > 0
    }
}

impl Courier for Taker {
    fn room(&self) -> Box<dyn Room> {
        Box::new(Bounded(self.room))
    }

    fn new_id(&self) -> String {
        format!("id{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    async fn offer(&self) -> Offer {
        self.offer
    }

    async fn carry(&self, message: Submission, client: CancellationToken) -> Answer {
        if let Some(until) = &self.held_until {
            tokio::select! {
                () = until.cancelled() => {}
                () = client.cancelled() => return Answer { replies: Vec::new(), processed: None },
            }
        }
        let reply = |recipient: &str| Reply {
            code: 250,
            enhanced: Some("2.0.0".into()),
            text: format!("id={} {recipient}", message.id),
        };
        let replies = match self.each {
            true => {
                let recipients = message.recipients.iter();
                recipients.map(|r| reply(&r.address.to_string())).collect()
            }
            false => vec![reply("taken")],
        };
        self.taken.lock().unwrap().push(message);
        Answer {
            replies,
            processed: None,
        }
    }
}

pub(crate) fn settings(protocol: Protocol) -> Settings {
    let mut settings = Settings::new("test", "gw.example", protocol);
    settings.xforward_from = vec!["127.0.0.0/8".parse().unwrap()];
    settings
}

/// What a dialog is about to be with.
pub(crate) struct Dialog {
    pub(crate) settings: Settings,
    pub(crate) peer: Peer,
    pub(crate) offer: Offer,
    pub(crate) stop: CancellationToken,
    pub(crate) held_until: Option<CancellationToken>,
    /// Octets of each message.
    pub(crate) room: usize,
}

pub(crate) fn from(address: &str) -> Peer {
    Peer::Tcp(format!("{address}:4711").parse().unwrap())
}

impl Dialog {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            settings: settings(protocol),
            peer: from("127.0.0.1"),
            offer: Offer::EVERYTHING,
            stop: CancellationToken::new(),
            held_until: None,
            room: usize::MAX,
        }
    }

    /// The client, once it has read the greeting.
    pub(crate) async fn begin(self) -> Client {
        let mut client = self.connect();
        assert_eq!(&client.reply().await[..4], "220 ");
        client
    }

    pub(crate) fn connect(self) -> Client {
        let courier = Arc::new(Taker {
            taken: Mutex::default(),
            offer: self.offer,
            held_until: self.held_until,
            room: self.room,
            each: self.settings.protocol == Protocol::Lmtp,
            ids: AtomicUsize::new(1),
        });
        let sessions = Sessions::new(self.settings, Arc::clone(&courier));
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let connection = Connection {
            stream: Box::new(theirs),
            peer: self.peer,
        };
        Client {
            talk: Talk::new(ours),
            courier,
            session: tokio::spawn(sessions.run(connection, self.stop)),
        }
    }
}

/// One end of a conversation.
pub(crate) struct Talk<S> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

/// A client of a courier that we can look into.
pub(crate) struct Client {
    pub(crate) talk: Talk<DuplexStream>,
    pub(crate) courier: Arc<Taker>,
    pub(crate) session: JoinHandle<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        soon("octets to be taken", self.stream.write_all(octets))
            .await
            .unwrap();
    }

    /// One reply, its lines joined by `/`; `closed` when there is none.
    pub(crate) async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let Some(line) = self.line().await else {
                return "closed".to_owned();
            };
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return lines.join("/");
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.drain(..end + 2).collect::<Vec<_>>();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            let mut block = [0; 4096];
            let read = soon("a reply", self.stream.read(&mut block)).await.unwrap();
            match read {
                0 if self.read.is_empty() => return None,
                0 => panic!("half a line: {:?}", self.read),
                _ => self.read.extend_from_slice(&block[..read]),
            }
        }
    }

    /// Sends octets, and holds the replies against the beginnings of those expected, which are
    /// separated by `|`.
    pub(crate) async fn expect(&mut self, octets: &[u8], expected: &str) {
        self.send(octets).await;
        for expected in expected.split('|').filter(|each| !each.is_empty()) {
            let reply = self.reply().await;
            assert!(
                reply.starts_with(expected),
                "to {:?}: {reply:?}, expected {expected:?}",
                String::from_utf8_lossy(octets)
            );
        }
    }

    /// Goes through pairs of what is said (a CRLF is put behind it) and what is answered.
    pub(crate) async fn says(&mut self, script: &[(&str, &str)]) {
        for (line, expected) in script {
            self.expect(format!("{line}\r\n").as_bytes(), expected)
                .await;
        }
    }
}

impl std::ops::Deref for Client {
    type Target = Talk<DuplexStream>;
    fn deref(&self) -> &Self::Target {
        &self.talk
    }
}

impl std::ops::DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.talk
    }
}

impl Client {
    /// A message, from its sender to the end of the data.
    pub(crate) async fn mails(&mut self, message: &[u8], expected: &str) {
        self.says(&[
            ("MAIL FROM:<a@a.example>", "250 2.1.0"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("DATA", "354 "),
        ])
        .await;
        self.expect(message, expected).await;
    }

    /// What the courier got: below our Received field.
    pub(crate) fn taken(&self) -> Vec<String> {
        let taken = self.courier.taken.lock().unwrap();
        taken.iter().map(|message| below(&message.octets)).collect()
    }

    pub(crate) fn last(&self) -> Submission {
        let taken = self.courier.taken.lock().unwrap();
        taken.last().expect("no message was taken").clone()
    }
}

/// A message without its first field.
pub(crate) fn below(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets).into_owned();
    let mut end = 0;
    for line in text.split_inclusive("\r\n") {
        if end > 0 && !line.starts_with('\t') {
            break;
        }
        end += line.len();
    }
    assert!(text.starts_with("Received: from "), "{text}");
    text[end..].to_owned()
}
