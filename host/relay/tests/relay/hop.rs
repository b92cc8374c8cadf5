//! A next hop that does as a test tells it, and remembers what it was given.
//!
//! It reads the message as RFC 5321 §4.1.1.4 and §4.5.2 say and shares no code with the relay.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Where in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    Hello,
    StartTls,
    Reset,
    Mail,
    Recipient,
    Data,
    /// After 354, before anything of the message is read.
    Content,
    /// After the final dot; over LMTP once for each recipient.
    Dot,
}

/// What it does instead of what a good next hop would.
#[derive(Clone, Debug)]
pub enum Act {
    Go,
    /// Says this.
    Say(&'static str),
    /// Says this and hangs up.
    SayAndDrop(&'static str),
    Drop,
    /// Takes the message and hangs up without a word.
    TakeAndDrop,
    /// Says nothing any more.
    Stall,
    /// Says `250-x` for ever.
    Babble,
}

/// What is being asked.
#[derive(Debug)]
pub struct Asked<'a> {
    pub stage: Stage,
    /// The number of the connection, from 0.
    pub connection: usize,
    /// The command, or at the dot the recipient's RCPT over LMTP, the MAIL over SMTP.
    pub line: &'a str,
}

pub type Script = dyn Fn(&Asked<'_>) -> Act + Send + Sync;

/// A message that was acknowledged, or taken without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub mail: String,
    pub recipients: Vec<String>,
    pub octets: Vec<u8>,
}

/// What all connections of one hop share.
pub struct Memory {
    pub taken: Mutex<Vec<Taken>>,
    /// Every command line, with its connection.
    pub lines: Mutex<Vec<(usize, String)>>,
    pub open: Mutex<Open>,
}

/// How many connections.
#[derive(Default)]
pub struct Open {
    pub now: usize,
    pub most: usize,
    pub closed: usize,
}

pub struct Hop {
    pub address: SocketAddr,
    pub memory: Arc<Memory>,
}

#[derive(Clone)]
pub struct Offers {
    pub is_lmtp: bool,
    pub keywords: Vec<&'static str>,
    pub tls: Option<TlsAcceptor>,
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            is_lmtp: false,
            keywords: vec!["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN"],
            tls: None,
        }
    }
}

impl Hop {
    pub async fn start(
        offers: Offers,
        script: impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Arc::new(Memory {
            taken: Mutex::default(),
            lines: Mutex::default(),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&memory);
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                {
                    let mut open = shared.open.lock().unwrap();
                    open.now += 1;
                    open.most = open.most.max(open.now);
                }
                let (memory, script) = (Arc::clone(&shared), Arc::clone(&script));
                let offers = offers.clone();
                tokio::spawn(async move {
                    let mut served = Served {
                        stream: Box::new(stream),
                        input: Vec::new(),
                        number,
                        script,
                        memory: Arc::clone(&memory),
                        offers,
                    };
                    served.serve().await;
                    drop(served);
                    let mut open = memory.open.lock().unwrap();
                    open.now -= 1;
                    open.closed += 1;
                });
            }
        });
        Self { address, memory }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.memory.taken.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        let lines = self.memory.lines.lock().unwrap();
        lines.iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn connections(&self) -> usize {
        let lines = self.memory.lines.lock().unwrap();
        let mut numbers: Vec<_> = lines.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }

    pub fn most_open(&self) -> usize {
        self.memory.open.lock().unwrap().most
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Served {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    number: usize,
    script: Arc<Script>,
    memory: Arc<Memory>,
    offers: Offers,
}

/// The connection is over.
struct End;

impl Served {
    async fn serve(&mut self) {
        let _ = self.session().await;
    }

    async fn session(&mut self) -> Result<(), End> {
        self.step(Stage::Greeting, "", "220 hop.example").await?;
        let mut mail = String::new();
        let mut recipients = Vec::new();
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            match verb.as_str() {
                "EHLO" | "LHLO" => {
                    assert_eq!(verb == "LHLO", self.offers.is_lmtp, "{line}");
                    let mut keywords = self.offers.keywords.clone();
                    if self.offers.tls.is_some() {
                        keywords.push("STARTTLS");
                    }
                    let mut reply = "250-hop.example".to_owned();
                    for keyword in keywords {
                        reply += &format!("\r\n250-{keyword}");
                    }
                    reply += "\r\n250 X-END";
                    self.step(Stage::Hello, &line, &reply).await?;
                }
                "HELO" => self.say("250 hop.example").await?,
                "STARTTLS" => {
                    if !self.step(Stage::StartTls, &line, "220 go").await? {
                        continue;
                    }
                    let acceptor = self.offers.tls.take().expect("offered");
                    let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
                    let stream = acceptor.accept(plain).await.map_err(|_| End)?;
                    self.stream = Box::new(stream);
                }
                "RSET" => {
                    (mail, recipients) = (String::new(), Vec::new());
                    self.step(Stage::Reset, &line, "250 ok").await?;
                }
                "MAIL" => {
                    recipients.clear();
                    mail.clear();
                    if self.step(Stage::Mail, &line, "250 2.1.0 ok").await? {
                        mail = line;
                    }
                }
                "RCPT" if mail.is_empty() => self.say("503 5.5.1 MAIL first").await?,
                "RCPT" => {
                    if self.step(Stage::Recipient, &line, "250 2.1.5 ok").await? {
                        recipients.push(line);
                    }
                }
                "DATA" if recipients.is_empty() => {
                    self.say("554 5.5.1 no valid recipients").await?;
                }
                "DATA" => {
                    if self.step(Stage::Data, &line, "354 go on").await? {
                        let taken = Taken {
                            mail: std::mem::take(&mut mail),
                            recipients: std::mem::take(&mut recipients),
                            octets: Vec::new(),
                        };
                        self.message(taken).await?;
                    }
                }
                "QUIT" => {
                    let _ = self.say("221 bye").await;
                    return Err(End);
                }
                _ => self.say("500 5.5.2 what").await?,
            }
        }
    }

    /// Reads up to CRLF.CRLF and takes the message as the script says.
    async fn message(&mut self, mut taken: Taken) -> Result<(), End> {
        match self.ask(Stage::Content, &taken.mail) {
            Act::Go => {}
            act => return self.act(act, "").await.map(|_| ()),
        }
        let mut text = b"\r\n".to_vec();
        let end = loop {
            let from = text.len().saturating_sub(4);
            self.fill().await?;
            text.append(&mut self.input);
            let mut places = text[from..].windows(5);
            if let Some(at) = places.position(|octets| octets == b"\r\n.\r\n") {
                break from + at + 2;
            }
        };
        self.input = text.split_off(end + 3);
        text.truncate(end);
        taken.octets = unstuffed(&text);
        let asked = match self.offers.is_lmtp {
            true => taken.recipients.clone(),
            false => vec![taken.mail.clone()],
        };
        for line in asked {
            let act = self.ask(Stage::Dot, &line);
            let mut one = taken.clone();
            if self.offers.is_lmtp {
                one.recipients = vec![line];
            }
            let is_taken = match &act {
                Act::Go | Act::TakeAndDrop => true,
                Act::Say(text) | Act::SayAndDrop(text) => text.starts_with('2'),
                _ => false,
            };
            if is_taken {
                self.memory.taken.lock().unwrap().push(one);
            }
            self.act(act, "250 2.0.0 queued").await?;
        }
        Ok(())
    }

    fn ask(&self, stage: Stage, line: &str) -> Act {
        (self.script)(&Asked {
            stage,
            connection: self.number,
            line,
        })
    }

    /// Does as the script says; was it a success?
    async fn step(&mut self, stage: Stage, line: &str, good: &str) -> Result<bool, End> {
        let act = self.ask(stage, line);
        self.act(act, good).await
    }

    async fn act(&mut self, act: Act, good: &str) -> Result<bool, End> {
        match act {
            Act::Go => {
                self.say(good).await?;
                Ok(true)
            }
            Act::Say(text) => {
                self.say(text).await?;
                Ok(text.starts_with(['2', '3']))
            }
            Act::SayAndDrop(text) => {
                self.say(text).await?;
                Err(End)
            }
            Act::Drop | Act::TakeAndDrop => Err(End),
            Act::Stall => {
                // Until the other side gives up.
                while self.fill().await.is_ok() {
                    self.input.clear();
                }
                Err(End)
            }
            Act::Babble => loop {
                self.say("250-x").await?;
            },
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), End> {
        let text = format!("{text}\r\n");
        self.stream
            .write_all(text.as_bytes())
            .await
            .map_err(|_| End)?;
        self.stream.flush().await.map_err(|_| End)
    }

    async fn line(&mut self) -> Result<String, End> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            self.fill().await?;
            line.push(self.input.remove(0));
        }
        line.truncate(line.len() - 2);
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(['\r', '\n']), "a bare line end: {line:?}");
        let mut lines = self.memory.lines.lock().unwrap();
        lines.push((self.number, line.clone()));
        Ok(line)
    }

    /// Reads more if there is nothing left.
    async fn fill(&mut self) -> Result<(), End> {
        if self.input.is_empty() {
            self.input = vec![0; 65536];
            let length = self.stream.read(&mut self.input).await.map_err(|_| End)?;
            self.input.truncate(length);
        }
        match self.input.is_empty() {
            true => Err(End),
            false => Ok(()),
        }
    }
}

/// RFC 5321 §4.5.2, of text that begins with the CRLF of the line before.
fn unstuffed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\r\n.") {
            out.extend_from_slice(b"\r\n");
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out.split_off(2)
}
