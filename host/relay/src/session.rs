//! One connection to the next hop, and one transaction on it at a time.
//!
//! Every step has a time-out and every reply is bounded. A connection that failed, or on which
//! anything but success was said, is not used again: dropping it before the final dot takes the
//! transaction back (RFC 5321 §4.1.1.4: a message without its end is not delivered).

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use metrics::gauge;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::capabilities::Capabilities;
use crate::letter::Commands;
use crate::reply::{Defect, HopReply};
use crate::settings::{Hop, Protocol, Settings, Tls};
use crate::tls::Starter;

/// Each block of the message makes progress within its time-out.
const BLOCK: usize = 64 << 10;
/// A read takes the replies to a pipeline at once.
const READ: usize = 4 << 10;
/// What else a next hop says when it breaks off in the middle of a message.
const LAST_WORDS: Duration = Duration::from_secs(1);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// RFC 5321 §4.5.3.2, in proportion to the setting.
#[derive(Clone, Copy)]
struct Patience {
    /// Greeting, EHLO, MAIL, RCPT: 5 minutes.
    command: Duration,
    /// DATA: 2 minutes.
    data: Duration,
    /// A block of the message: 3 minutes.
    block: Duration,
    /// The final dot: 10 minutes. The longest, because what comes of giving up here is a
    /// duplicate.
    end: Duration,
}

impl Patience {
    fn of(timeout: Duration) -> Self {
        Self {
            command: timeout,
            data: timeout * 2 / 5,
            block: timeout * 3 / 5,
            end: timeout * 2,
        }
    }
}

/// A connection after its greeting.
pub(crate) struct Session {
    stream: BufWriter<Box<dyn Stream>>,
    input: BytesMut,
    protocol: Protocol,
    patience: Patience,
    /// When the message that it carries must be done.
    deadline: Instant,
    capabilities: Capabilities,
    uses: usize,
    is_clean: bool,
    _open: Open,
}

/// The replies to MAIL, each RCPT, and DATA, as far as they were asked for.
pub(crate) struct Opening {
    pub(crate) mail: HopReply,
    pub(crate) recipients: Vec<HopReply>,
    pub(crate) data: Option<HopReply>,
}

impl Session {
    /// Connects, greets, and begins TLS as the settings say.
    pub(crate) async fn open(
        settings: &Settings,
        tls: Option<&Starter>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let plain = Self::greeted(settings, deadline).await?;
        let Some(starter) = tls else {
            return Ok(plain);
        };
        let is_must = matches!(settings.tls, Tls::Must { .. });
        if !plain.capabilities.start_tls {
            return if is_must {
                Err(Error::NoTls)
            } else {
                Ok(plain)
            };
        }
        match plain.encrypted(settings, starter).await {
            // RFC 7435 §3: encrypted when it can be. A new connection, for this one is lost.
            Err(error) if !is_must => {
                tracing::debug!(%error, hop = settings.name, "no TLS with the next hop");
                Self::greeted(settings, deadline).await
            }
            result => result,
        }
    }

    async fn greeted(settings: &Settings, deadline: Instant) -> Result<Self, Error> {
        let patience = Patience::of(settings.timeout);
        let limit = deadline.min(Instant::now() + patience.command);
        let connected = timeout_at(limit, connect(&settings.address)).await;
        let stream = connected
            .map_err(|_| timed_out("connecting", patience.command))?
            .map_err(|source| Error::Io {
                step: "connecting",
                source,
            })?;
        let mut session = Self {
            stream: BufWriter::with_capacity(BLOCK, stream),
            input: BytesMut::new(),
            protocol: settings.protocol,
            patience,
            deadline,
            capabilities: Capabilities::default(),
            uses: 0,
            is_clean: true,
            _open: Open::new(&settings.name),
        };
        let greeting = session.reply("the greeting", patience.command).await?;
        session.willing("the greeting", greeting)?;
        session.hello(&settings.hostname).await?;
        Ok(session)
    }

    /// EHLO, or LHLO (RFC 2033 §4.1). A server from before RFC 1869 gets HELO (RFC 5321 §3.2).
    async fn hello(&mut self, hostname: &str) -> Result<(), Error> {
        let verb = match self.protocol {
            Protocol::Smtp => "EHLO",
            Protocol::Lmtp => "LHLO",
        };
        let reply = self.ask(verb, &format!("{verb} {hostname}")).await?;
        if reply.class() == 5 && self.protocol == Protocol::Smtp {
            let reply = self.ask("HELO", &format!("HELO {hostname}")).await?;
            self.willing("HELO", reply)?;
            return Ok(());
        }
        let reply = self.willing(verb, reply)?;
        self.capabilities = Capabilities::read(&reply);
        Ok(())
    }

    async fn encrypted(mut self, settings: &Settings, tls: &Starter) -> Result<Self, Error> {
        let reply = self.ask("STARTTLS", "STARTTLS").await?;
        self.willing("STARTTLS", reply)?;
        // RFC 3207 §4.2, §6: what was said in clear is forgotten, and what was slipped in behind
        // the reply is an attack.
        self.nothing_unasked("STARTTLS")?;
        let (stream, patience) = (self.stream.into_inner(), self.patience);
        let handshake = tls.connector.connect(tls.name.clone(), stream);
        let limit = self.deadline.min(Instant::now() + patience.command);
        let stream = timeout_at(limit, handshake)
            .await
            .map_err(|_| timed_out("the TLS handshake", patience.command))?
            .map_err(|source| Error::Io {
                step: "the TLS handshake",
                source,
            })?;
        let mut session = Self {
            stream: BufWriter::with_capacity(BLOCK, Box::new(stream)),
            capabilities: Capabilities::default(),
            ..self
        };
        session.hello(&settings.hostname).await?;
        Ok(session)
    }

    /// What the next hop offers on this connection.
    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How many transactions went over it.
    pub(crate) fn uses(&self) -> usize {
        self.uses
    }

    /// Was everything that the next hop said on it a success?
    pub(crate) fn is_clean(&self) -> bool {
        self.is_clean && self.input.is_empty()
    }

    /// Asks an idle connection whether it still lives, before anything hangs on it.
    pub(crate) async fn revive(&mut self, deadline: Instant) -> Result<(), Error> {
        self.deadline = deadline;
        self.nothing_unasked("RSET")?;
        let reply = self.ask("RSET", "RSET").await?;
        self.willing("RSET", reply).map(|_| ())
    }

    /// MAIL, RCPT and DATA, in one go where the next hop allows it (RFC 2920 §3.1). Without, what
    /// can no longer succeed is not asked.
    pub(crate) async fn begin(&mut self, commands: &Commands) -> Result<Opening, Error> {
        self.uses += 1;
        if self.capabilities.pipelining {
            self.begin_at_once(commands).await
        } else {
            self.begin_stepwise(commands).await
        }
    }

    async fn begin_at_once(&mut self, commands: &Commands) -> Result<Opening, Error> {
        self.write_line("MAIL", &commands.mail).await?;
        for recipient in &commands.recipients {
            self.write_line("RCPT", recipient).await?;
        }
        self.write_line("DATA", "DATA").await?;
        self.flush("MAIL").await?;
        let mut bye = None;
        let mail = self.reply_until(&mut bye, "MAIL").await?;
        let mut recipients = Vec::new();
        for _ in &commands.recipients {
            recipients.push(self.reply_until(&mut bye, "RCPT").await?);
        }
        let data = Some(self.reply_until(&mut bye, "DATA").await?);
        Ok(Opening {
            mail,
            recipients,
            data,
        })
    }

    /// The next reply, or the 421 after which there is none (RFC 5321 §3.8).
    async fn reply_until(
        &mut self,
        bye: &mut Option<HopReply>,
        step: &'static str,
    ) -> Result<HopReply, Error> {
        if let Some(bye) = bye {
            return Ok(bye.clone());
        }
        let limit = match step {
            "DATA" => self.patience.data,
            _ => self.patience.command,
        };
        let reply = self.reply(step, limit).await?;
        if reply.code == 421 {
            *bye = Some(reply.clone());
        }
        Ok(reply)
    }

    async fn begin_stepwise(&mut self, commands: &Commands) -> Result<Opening, Error> {
        let mail = self.ask("MAIL", &commands.mail).await?;
        let mut opening = Opening {
            mail,
            recipients: Vec::new(),
            data: None,
        };
        if opening.mail.class() != 2 {
            return Ok(opening);
        }
        for recipient in &commands.recipients {
            opening.recipients.push(self.ask("RCPT", recipient).await?);
        }
        if opening.recipients.iter().any(|reply| reply.class() == 2) {
            self.write_line("DATA", "DATA").await?;
            self.flush("DATA").await?;
            opening.data = Some(self.reply("DATA", self.patience.data).await?);
        }
        Ok(opening)
    }

    /// Sends the content, but not its end: the next hop has it, and does not deliver it yet. What
    /// it says in between is its refusal.
    pub(crate) async fn content(&mut self, slices: &[&[u8]]) -> Result<(), Error> {
        match self.write_content(slices).await {
            Ok(()) => self.still_waits().await,
            Err(error) => Err(self.last_words(error).await),
        }
    }

    async fn write_content(&mut self, slices: &[&[u8]]) -> Result<(), Error> {
        for slice in slices {
            for block in slice.chunks(BLOCK) {
                let written = self.stream.write_all(block);
                within("the message", self.patience.block, self.deadline, written).await?;
            }
        }
        let flushed = self.stream.flush();
        within("the message", self.patience.block, self.deadline, flushed).await
    }

    /// Looks, without waiting, whether the next hop hung up or said something after the content.
    pub(crate) async fn still_waits(&mut self) -> Result<(), Error> {
        if self.input.is_empty() {
            tokio::select! {
                biased;
                _ = self.stream.read_buf(&mut self.input) => {}
                () = std::future::ready(()) => return Ok(()),
            }
        }
        Err(self.last_words(Error::Closed("the message")).await)
    }

    async fn last_words(&mut self, error: Error) -> Error {
        self.is_clean = false;
        match self.reply("the message", LAST_WORDS).await {
            Ok(reply) => Error::Unwilling {
                step: "the message",
                reply,
            },
            Err(garbled @ Error::Garbled { .. }) => garbled,
            Err(_) => error,
        }
    }

    /// The final dot, and what comes of it for each recipient that was accepted, in order: over
    /// SMTP one reply is for all, over LMTP each has its own (RFC 2033 §4.2). As many as were
    /// heard, and why there are no more.
    pub(crate) async fn end(&mut self, accepted: usize) -> (Vec<HopReply>, Option<Error>) {
        let mut replies = Vec::new();
        let heard = self.hear_end(accepted, &mut replies).await;
        (replies, heard.err())
    }

    async fn hear_end(
        &mut self,
        accepted: usize,
        replies: &mut Vec<HopReply>,
    ) -> Result<(), Error> {
        self.write_line("the final dot", ".").await?;
        self.flush("the final dot").await?;
        while replies.len() < accepted {
            let reply = self.reply("the final dot", self.patience.end).await?;
            match self.protocol {
                Protocol::Smtp => replies.resize(accepted, reply),
                Protocol::Lmtp => replies.push(reply),
            }
        }
        Ok(())
    }

    /// Says good-bye; nobody waits for the answer.
    pub(crate) async fn quit(mut self) {
        self.deadline = Instant::now() + LAST_WORDS;
        let _ = self.write_line("QUIT", "QUIT").await;
        let _ = self.flush("QUIT").await;
    }

    async fn ask(&mut self, step: &'static str, command: &str) -> Result<HopReply, Error> {
        self.write_line(step, command).await?;
        self.flush(step).await?;
        self.reply(step, self.patience.command).await
    }

    async fn write_line(&mut self, step: &'static str, line: &str) -> Result<(), Error> {
        debug_assert!(!line.contains(['\r', '\n']), "a command is one line");
        let (limit, deadline) = (self.patience.command, self.deadline);
        let written = self.stream.write_all(line.as_bytes());
        within(step, limit, deadline, written).await?;
        within(step, limit, deadline, self.stream.write_all(b"\r\n")).await
    }

    async fn flush(&mut self, step: &'static str) -> Result<(), Error> {
        within(
            step,
            self.patience.command,
            self.deadline,
            self.stream.flush(),
        )
        .await
    }

    /// The next reply. The time-out is for all of it, so that dripping does not help.
    async fn reply(&mut self, step: &'static str, limit: Duration) -> Result<HopReply, Error> {
        let until = self.deadline.min(Instant::now() + limit);
        loop {
            let parsed = HopReply::parse(&self.input).map_err(|defect| {
                self.is_clean = false;
                Error::Garbled { step, defect }
            })?;
            if let Some((reply, length)) = parsed {
                self.input.advance(length);
                self.is_clean &= matches!(reply.class(), 2 | 3);
                tracing::debug!(step, %reply, "next hop");
                return Ok(reply);
            }
            self.input.reserve(READ);
            let read = timeout_at(until, self.stream.read_buf(&mut self.input)).await;
            match read {
                Ok(Ok(0)) => return Err(self.broken(Error::Closed(step))),
                Ok(Ok(_)) => {}
                Ok(Err(source)) => return Err(self.broken(Error::Io { step, source })),
                Err(_) => return Err(self.broken(timed_out(step, limit))),
            }
        }
    }

    fn broken(&mut self, error: Error) -> Error {
        self.is_clean = false;
        error
    }

    fn willing(&mut self, step: &'static str, reply: HopReply) -> Result<HopReply, Error> {
        match reply.class() {
            2 => Ok(reply),
            _ => Err(self.broken(Error::Unwilling { step, reply })),
        }
    }

    fn nothing_unasked(&mut self, step: &'static str) -> Result<(), Error> {
        if self.input.is_empty() {
            return Ok(());
        }
        Err(self.broken(Error::Garbled {
            step,
            defect: Defect::Unasked,
        }))
    }
}

async fn connect(hop: &Hop) -> io::Result<Box<dyn Stream>> {
    match hop {
        Hop::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Hop::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
    }
}

async fn within<T>(
    step: &'static str,
    limit: Duration,
    deadline: Instant,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, Error> {
    match timeout_at(deadline.min(Instant::now() + limit), work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) => Err(Error::Io { step, source }),
        Err(_) => Err(timed_out(step, limit)),
    }
}

fn timed_out(step: &'static str, limit: Duration) -> Error {
    Error::TimedOut { step, limit }
}

/// Counts open connections.
struct Open(metrics::Gauge);

impl Open {
    fn new(hop: &str) -> Self {
        metrics::counter!("waxseal_relay_connections_total", "hop" => hop.to_owned()).increment(1);
        let gauge = gauge!("waxseal_relay_connections", "hop" => hop.to_owned());
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
