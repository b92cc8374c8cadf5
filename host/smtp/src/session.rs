//! One connection: commands in, replies out (RFC 5321 §4.1.4).
//!
//! The state is what the fields of [`Session`] say: whether the client said hello, whether TLS is
//! on, what a relay told about its client, and the transaction under way. Nothing of a
//! transaction outlives it, and nothing of a session outlives STARTTLS.

mod message;

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waxseal_message::Address;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};
use waxseal_service::listen::{Connection, Peer};

use crate::command::{self, Command, Hello, Mailbox};
use crate::courier::{Courier, Offer};
use crate::error::Error;
use crate::parameters::MailParameters;
use crate::reply;
use crate::settings::{Protocol, Settings};
use crate::transaction::Transaction;
use crate::wire::{Gone, Line, TlsFacts, Wire};
use crate::xforward::{self, Facts};

/// What all sessions of a listener share.
pub struct Sessions<C> {
    settings: Settings,
    courier: Arc<C>,
}

impl<C: Courier> Sessions<C> {
    /// Sessions that leave their messages with `courier`.
    pub fn new(settings: Settings, courier: Arc<C>) -> Arc<Self> {
        Arc::new(Self { settings, courier })
    }

    /// How they were made.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Serves one connection to its end. Once `stop` is cancelled the client hears 421 as soon as
    /// no transaction is under way.
    pub async fn run(self: Arc<Self>, connection: Connection, stop: CancellationToken) {
        let listener = self.settings.listener.clone();
        let labels = [("listener", listener.clone())];
        metrics::counter!("waxseal_smtp_connections_total", &labels).increment(1);
        let _open = Open::count(metrics::gauge!("waxseal_smtp_connections", &labels));
        let peer = connection.peer;
        let mut session = Session::new(self, connection, stop);
        let ended = session.converse().await;
        if let Err(gone) = &ended {
            tracing::debug!(listener, ?peer, %gone, "session ended early");
        }
        session.wire.close().await;
    }
}

/// A connection that is open, counted as long as this lives.
struct Open(metrics::Gauge);

impl Open {
    fn count(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Command,
    Close,
}

/// What the client said of itself.
struct Greeting {
    hello: Hello,
    name: String,
}

struct Session<C> {
    shared: Arc<Sessions<C>>,
    wire: Wire,
    peer: Peer,
    stop: CancellationToken,
    greeting: Option<Greeting>,
    offer: Offer,
    tls: Option<TlsFacts>,
    /// Of the next message.
    facts: Facts,
    transaction: Option<Transaction>,
    /// Refused commands since the last message.
    errors: usize,
    /// Commands that brought no mail since then.
    idle_commands: usize,
}

impl<C: Courier> Session<C> {
    fn new(shared: Arc<Sessions<C>>, connection: Connection, stop: CancellationToken) -> Self {
        Self {
            wire: Wire::new(connection.stream, shared.settings.timeouts.command),
            peer: connection.peer,
            stop,
            greeting: None,
            offer: Offer::NOTHING,
            tls: None,
            facts: Facts::default(),
            transaction: None,
            errors: 0,
            idle_commands: 0,
            shared,
        }
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    async fn converse(&mut self) -> Result<(), Gone> {
        let kind = match self.settings().protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        let greeting = format!("{} {kind} waxseal", self.settings().hostname);
        reply::write_lines(220, &[greeting], self.wire.output());
        loop {
            let ended = match self.next_line().await {
                Ok(Some(line)) => self.obey(line).await,
                Ok(None) => Ok(self.refuse(&Error::ShuttingDown)),
                Err(gone) => Err(gone),
            };
            match ended {
                Ok(Next::Command) => {}
                Ok(Next::Close) => return Ok(()),
                Err(Gone::Timeout) => {
                    self.say(&Error::Timeout.reply());
                    return Err(Gone::Timeout);
                }
                Err(gone) => return Err(gone),
            }
        }
    }

    /// `None`: we stop, and nothing is under way that would be lost.
    async fn next_line(&mut self) -> Result<Option<Line>, Gone> {
        let most = self.settings().limits.line;
        let until = Instant::now() + self.settings().timeouts.command;
        let idle = self.transaction.is_none();
        loop {
            if idle && self.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(line) = self.wire.line(most) {
                return Ok(Some(line));
            }
            self.wire.flush().await?;
            tokio::select! {
                () = self.stop.cancelled(), if idle => {}
                read = self.wire.read_command(until) => read?,
            }
        }
    }

    async fn obey(&mut self, line: Line) -> Result<Next, Gone> {
        let command = match line {
            Line::Whole(line) => command::read(&line),
            Line::TooLong => Err(Error::LineTooLong),
            Line::Bare => Err(Error::BareNewlineInCommand),
        };
        let in_group = matches!(
            command,
            Ok(Command::Mail { .. } | Command::Rcpt { .. } | Command::Rset | Command::Bdat { .. })
        );
        let done = match command {
            Ok(command) => self.perform(command).await?,
            Err(error) => Err(error),
        };
        let next = match done {
            Ok(next) => next,
            Err(error) => self.refuse(&error),
        };
        // RFC 2920 §3.2 (5), (6): only replies to commands of a group may be kept back.
        if !in_group {
            self.wire.flush().await?;
        }
        Ok(next)
    }

    /// Refuses a command.
    fn refuse(&mut self, error: &Error) -> Next {
        self.count_refusal(error);
        self.say(&error.reply());
        if error.ends_session() {
            return Next::Close;
        }
        // A transaction may have more recipients than we take, and there is no harm in it.
        if *error != Error::TooManyRecipients {
            self.errors += 1;
        }
        if self.errors > self.settings().limits.errors {
            self.say(&Error::TooManyErrors.reply());
            return Next::Close;
        }
        Next::Command
    }

    fn count_refusal(&self, error: &Error) {
        let reply = error.reply();
        let labels = [
            ("listener", self.settings().listener.clone()),
            ("reason", reply.enhanced.unwrap_or_default()),
        ];
        metrics::counter!("waxseal_smtp_refusals_total", &labels).increment(1);
    }

    fn say(&mut self, reply: &Reply) {
        reply::write(reply, self.wire.output());
    }

    fn agree(&mut self, code: u16, enhanced: &str, text: &str) -> Result<Next, Error> {
        self.say(&Reply::new(code, enhanced, text));
        Ok(Next::Command)
    }

    /// Does what the command says. The outer result is about the connection, the inner one about
    /// the command.
    async fn perform(&mut self, command: Command) -> Result<Result<Next, Error>, Gone> {
        if let Err(error) = self.count(&command) {
            return Ok(Err(error));
        }
        Ok(match command {
            Command::Hello(hello, name) => self.hello(hello, name).await,
            Command::Mail {
                sender,
                parameters,
                international,
            } => self.mail(sender, parameters, international),
            Command::Rcpt {
                recipient,
                parameters,
                international,
            } => self.rcpt(recipient, parameters, international),
            Command::Data => return self.data().await,
            Command::Bdat { size, last } => return self.bdat(size, last).await,
            Command::Rset => {
                self.reset();
                self.agree(250, "2.0.0", "reset")
            }
            Command::StartTls => return self.start_tls().await,
            Command::Xforward(attributes) => self.xforward(attributes),
            Command::Quit => {
                self.say(&Reply::new(221, "2.0.0", "bye"));
                Ok(Next::Close)
            }
            // RFC 5321 §3.5.3: we know no mailboxes.
            Command::Vrfy => self.agree(252, "2.5.0", "cannot verify, will take mail for it"),
            Command::Help => self.agree(214, "2.0.0", "see RFC 5321"),
            Command::Noop => self.agree(250, "2.0.0", "ok"),
        })
    }

    /// Counts commands that bring no mail nearer.
    fn count(&mut self, command: &Command) -> Result<(), Error> {
        let is_progress = match command {
            Command::Rcpt { .. } | Command::Data | Command::Quit => true,
            Command::Bdat { size, last } => *size > 0 || *last,
            _ => false,
        };
        self.idle_commands += usize::from(!is_progress);
        match self.idle_commands > self.settings().limits.idle_commands {
            true => Err(Error::NoProgress),
            false => Ok(()),
        }
    }

    /// RFC 5321 §4.1.1.5. What a relay told was about this transaction alone.
    fn reset(&mut self) {
        self.transaction = None;
        self.facts = Facts::default();
    }

    async fn hello(&mut self, hello: Hello, name: String) -> Result<Next, Error> {
        let is_lmtp = self.settings().protocol == Protocol::Lmtp;
        // RFC 2033 §4.1: LHLO there, and only there.
        if (hello == Hello::Lhlo) != is_lmtp {
            return Err(Error::UnknownCommand);
        }
        self.reset();
        self.offer = self.shared.courier.offer().await;
        // RFC 6531 §3.1: not without 8BITMIME.
        self.offer.smtp_utf8 &= self.offer.eight_bit_mime;
        self.greeting = Some(Greeting { hello, name });
        let lines = match hello {
            Hello::Helo => vec![self.settings().hostname.clone()],
            Hello::Ehlo | Hello::Lhlo => self.keywords(),
        };
        reply::write_lines(250, &lines, self.wire.output());
        Ok(Next::Command)
    }

    fn keywords(&self) -> Vec<String> {
        let may_start_tls = self.settings().tls.is_some() && self.tls.is_none();
        let optional = [
            (self.offer.eight_bit_mime, "8BITMIME"),
            (self.offer.smtp_utf8, "SMTPUTF8"),
            (self.offer.dsn, "DSN"),
            (may_start_tls, "STARTTLS"),
            (self.is_relay(), xforward::OFFER),
        ];
        let mut lines = vec![
            self.settings().hostname.clone(),
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.most_octets()),
            "ENHANCEDSTATUSCODES".to_owned(),
            "CHUNKING".to_owned(),
        ];
        let offered = optional.into_iter().filter(|(offered, _)| *offered);
        lines.extend(offered.map(|(_, keyword)| keyword.to_owned()));
        lines
    }

    /// Is the peer a relay that tells whose mail it is?
    fn is_relay(&self) -> bool {
        match self.peer {
            Peer::Unix => true,
            Peer::Tcp(address) => {
                let ip = address.ip().to_canonical();
                let networks = &self.settings().xforward_from;
                networks.iter().any(|network| network.contains(&ip))
            }
        }
    }

    fn most_octets(&self) -> usize {
        let onwards = self.offer.size.map_or(usize::MAX, |size| {
            usize::try_from(size).unwrap_or(usize::MAX)
        });
        self.settings().limits.message.min(onwards)
    }

    fn xforward(
        &mut self,
        attributes: Vec<(xforward::Attribute, Option<String>)>,
    ) -> Result<Next, Error> {
        if !self.is_relay() {
            return Err(Error::NotAuthorized);
        }
        if self.greeting.is_none() || self.transaction.is_some() {
            return Err(Error::BadSequence("XFORWARD stands between EHLO and MAIL"));
        }
        self.facts.take(attributes);
        self.agree(250, "2.0.0", "ok")
    }

    async fn start_tls(&mut self) -> Result<Result<Next, Error>, Gone> {
        let Some(config) = self.settings().tls.clone() else {
            return Ok(Err(Error::NotImplemented));
        };
        if self.tls.is_some() || self.greeting.is_none() || self.transaction.is_some() {
            let why = "STARTTLS stands once, after EHLO and outside of a transaction";
            return Ok(Err(Error::BadSequence(why)));
        }
        self.say(&Reply::new(220, "2.0.0", "go ahead"));
        self.wire.flush().await?;
        let until = Instant::now() + self.settings().timeouts.command;
        self.tls = Some(self.wire.start_tls(config, until).await?);
        // RFC 3207 §4.2: nothing that was said before counts.
        self.reset();
        self.greeting = None;
        Ok(Ok(Next::Command))
    }

    fn mail(
        &mut self,
        sender: Option<Address>,
        parameters: MailParameters,
        international: bool,
    ) -> Result<Next, Error> {
        if self.greeting.is_none() {
            return Err(Error::BadSequence("say hello first"));
        }
        if self.transaction.is_some() {
            return Err(Error::BadSequence("nested MAIL"));
        }
        self.is_offered(&parameters.all)?;
        if international && !parameters.international {
            return Err(Error::NotInternational);
        }
        // RFC 1870 §6.1.
        let most = self.most_octets() as u64;
        if parameters.size.is_some_and(|size| size > most) {
            return Err(Error::TooLarge);
        }
        self.transaction = Some(Transaction::new(sender, parameters));
        self.agree(250, "2.1.0", "sender ok")
    }

    /// Parameters of extensions that the way onwards lacks are unknown here (RFC 5321 §4.1.1.11).
    fn is_offered(&self, parameters: &[EsmtpParameter]) -> Result<(), Error> {
        for parameter in parameters {
            let offered = match parameter.name.as_str() {
                "BODY" => self.offer.eight_bit_mime,
                "SMTPUTF8" => self.offer.smtp_utf8,
                "RET" | "ENVID" | "NOTIFY" | "ORCPT" => self.offer.dsn,
                _ => true,
            };
            if !offered {
                return Err(Error::UnknownParameter(parameter.name.clone()));
            }
        }
        Ok(())
    }

    fn rcpt(
        &mut self,
        recipient: Mailbox,
        parameters: Vec<EsmtpParameter>,
        international: bool,
    ) -> Result<Next, Error> {
        self.is_offered(&parameters)?;
        let most = self.settings().limits.recipients;
        let own = format!("postmaster@{}", self.settings().hostname);
        let Some(transaction) = &mut self.transaction else {
            return Err(Error::BadSequence("MAIL first"));
        };
        if transaction.message.is_some() || transaction.failed {
            return Err(Error::BadSequence("RCPT after BDAT"));
        }
        if international && !transaction.parameters.international {
            return Err(Error::NotInternational);
        }
        transaction.asked += 1;
        if transaction.asked > most.saturating_mul(10) {
            return Err(Error::NoProgress);
        }
        if transaction.recipients.len() >= most {
            return Err(Error::TooManyRecipients);
        }
        let address = match recipient {
            Mailbox::Address(address) => address,
            Mailbox::Postmaster => Address::parse(&own).map_err(|_| Error::InvalidRecipient)?,
        };
        transaction.recipients.push(Recipient {
            address,
            parameters,
        });
        self.agree(250, "2.1.5", "recipient ok")
    }
}
