//! The message of a transaction: DATA and BDAT, what becomes of it, and the replies.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Buf;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waxseal_message::unix_seconds;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Session as SessionFacts;
use waxseal_service::Ending;
use waxseal_service::listen::Peer;

use super::{Next, Session};
use crate::command::Hello;
use crate::content::DataFraming;
use crate::courier::{Courier, Submission};
use crate::error::Error;
use crate::received::{self, Trace, With};
use crate::settings::Protocol;
use crate::transaction::{Bounds, Incoming, Transaction};
use crate::wire::Gone;

impl<C: Courier> Session<C> {
    pub(super) async fn data(&mut self) -> Result<Result<Next, Error>, Gone> {
        // RFC 2920 §3.1: DATA is the last command of a group. What came behind it would be taken
        // for the message if we agree and for commands if we refuse; whose words it is, is not
        // known, so it is neither.
        if !self.wire.input().is_empty() {
            return Ok(Err(Error::EarlyTalker));
        }
        let Some(transaction) = &self.transaction else {
            return Ok(Err(Error::BadSequence("MAIL first")));
        };
        if transaction.message.is_some() || transaction.failed {
            // RFC 3030 §2.
            return Ok(Err(Error::BadSequence("DATA after BDAT")));
        }
        if transaction.recipients.is_empty() {
            return Ok(Err(self.no_recipients()));
        }
        let mut message = self.begin();
        self.say(&Reply {
            code: 354,
            enhanced: None,
            text: "end with CRLF.CRLF".to_owned(),
        });
        let mut framing = DataFraming::default();
        while !framing.ended() {
            let until = self.until(message.begun);
            self.wire.fill(until).await?;
            let used = framing.feed(self.wire.input(), |run| message.push(run));
            self.wire.input().advance(used);
        }
        self.finish(message).await.map(Ok)
    }

    /// RFC 2033 §4.2 and RFC 5321 §3.3.
    fn no_recipients(&self) -> Error {
        match self.settings().protocol {
            Protocol::Smtp => Error::NoRecipients,
            Protocol::Lmtp => Error::BadSequence("no valid recipients"),
        }
    }

    pub(super) async fn bdat(
        &mut self,
        size: u64,
        last: bool,
    ) -> Result<Result<Next, Error>, Gone> {
        let mut refusal = self.chunk_refusal();
        let mut message = self.transaction.as_mut().and_then(|t| t.message.take());
        if refusal.is_none() && message.is_none() {
            message = Some(self.begin());
        }
        let begun = message.as_ref().map_or_else(Instant::now, |m| m.begun);
        // RFC 3030 §2: the chunk is read whatever becomes of it.
        let mut rest = size;
        while rest > 0 {
            let input = self.wire.input();
            if input.is_empty() {
                let until = self.until(begun);
                self.wire.fill(until).await?;
                continue;
            }
            let length = input.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            if let (Some(message), None) = (&mut message, &refusal) {
                message.push(&input[..length]);
            }
            input.advance(length);
            rest -= length as u64;
        }
        refusal = refusal.or_else(|| message.as_ref().and_then(Incoming::overflow));
        match (refusal, message) {
            (Some(error), _) => Ok(Ok(self.refuse_chunk(&error, last))),
            (None, Some(message)) if last => self.finish(message).await.map(Ok),
            (None, message) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.message = message;
                }
                Ok(self.agree(250, "2.0.0", &format!("{size} octets received")))
            }
        }
    }

    fn chunk_refusal(&self) -> Option<Error> {
        let Some(transaction) = &self.transaction else {
            return Some(Error::BadSequence("MAIL first"));
        };
        if transaction.failed {
            return Some(Error::BadSequence("RSET after a refused chunk"));
        }
        transaction
            .recipients
            .is_empty()
            .then(|| self.no_recipients())
    }

    /// The transaction is lost; its last chunk ends it. Over LMTP that one is answered for each
    /// recipient, as the client counts on.
    fn refuse_chunk(&mut self, error: &Error, last: bool) -> Next {
        let owed = self.owed();
        if let Some(transaction) = &mut self.transaction {
            transaction.failed = true;
            transaction.message = None;
            if last {
                self.reset();
                for _ in 1..owed {
                    self.say(&error.reply());
                }
            }
        }
        self.refuse(error)
    }

    /// How many replies the end of a message gets.
    fn owed(&self) -> usize {
        match (&self.transaction, self.settings().protocol) {
            (Some(transaction), Protocol::Lmtp) => transaction.recipients.len().max(1),
            _ => 1,
        }
    }

    /// When the next octets of a message that began then must be here.
    fn until(&self, begun: Instant) -> Instant {
        let timeouts = &self.settings().timeouts;
        (Instant::now() + timeouts.block).min(begun + timeouts.message)
    }

    /// A message begins: it gets its name and our trace field.
    fn begin(&self) -> Incoming {
        let id = self.shared.courier.new_id();
        let time = SystemTime::now();
        let settings = self.settings();
        let recipients = self.transaction.as_ref().map(|t| t.recipients.as_slice());
        let trace = Trace {
            hello: self
                .greeting
                .as_ref()
                .map_or("unknown", |g| g.name.as_str()),
            peer: self.peer,
            hostname: &settings.hostname,
            listener: &settings.listener,
            with: self.with(),
            id: &id,
            recipient: match recipients {
                Some([only]) => Some(only.address.to_string()),
                _ => None,
            },
            time,
        }
        .field();
        let bounds = Bounds {
            octets: self.most_octets(),
            announced: self.transaction.as_ref().map_or(0, Transaction::announced),
            room: self.shared.courier.room(),
        };
        Incoming::new(id, time, trace, bounds)
    }

    fn with(&self) -> With {
        let hello = self.greeting.as_ref().map(|greeting| greeting.hello);
        With {
            protocol: self.settings().protocol,
            extended: hello != Some(Hello::Helo),
            tls: self.tls.is_some(),
            international: self
                .transaction
                .as_ref()
                .is_some_and(|transaction| transaction.parameters.international),
        }
    }

    /// The end of a message: what becomes of it, and the replies.
    async fn finish(&mut self, message: Incoming) -> Result<Next, Gone> {
        let owed = self.owed();
        let session = self.session_facts();
        let queue_id = self.facts.queue_id.clone();
        let Some(transaction) = self.transaction.take() else {
            return Ok(Next::Command);
        };
        self.reset();
        let (id, time) = (message.id.clone(), unix_seconds(message.time));
        let settings = self.settings();
        let (hostname, listener) = (&settings.hostname, &settings.listener);
        let is_loop = |octets: &[u8]| received::is_loop(octets, hostname, listener);
        let complete = match message.finish(settings.bare_newline, is_loop) {
            Ok(complete) => complete,
            Err(error) => return self.refuse_message(&id, &error, owed).await,
        };
        let submission = Submission {
            id,
            queue_id,
            sender: transaction.sender,
            sender_parameters: transaction.parameters.all,
            recipients: transaction.recipients,
            octets: complete.octets,
            session,
            arrived: std::time::Instant::now(),
            time,
        };
        let answered = self.carry(submission, owed).await;
        drop(complete.room);
        answered
    }

    async fn refuse_message(&mut self, id: &str, error: &Error, owed: usize) -> Result<Next, Gone> {
        self.count_refusal(error);
        let listener = &self.settings().listener;
        tracing::info!(id, listener, reason = %error, "message refused before the policy");
        let refusal = error.reply().with_id(id);
        for _ in 0..owed {
            self.say(&refusal);
        }
        self.wire.flush().await?;
        Ok(Next::Command)
    }

    /// Has the message carried on, and tells the client. A client that goes away meanwhile is
    /// noticed, for it will send the message again.
    async fn carry(&mut self, submission: Submission, owed: usize) -> Result<Next, Gone> {
        let courier = Arc::clone(&self.shared.courier);
        let id = submission.id.clone();
        let client = CancellationToken::new();
        let answer = {
            let mut work = std::pin::pin!(courier.carry(submission, client.clone()));
            tokio::select! {
                answer = &mut work => answer,
                () = self.wire.client_gone() => {
                    client.cancel();
                    work.await
                }
            }
        };
        let replies = complete(answer.replies, owed, &id);
        for reply in &replies {
            self.say(reply);
        }
        let told = match client.is_cancelled() {
            true => Err(Gone::Closed),
            false => self.wire.flush().await,
        };
        if let Some(processed) = answer.processed {
            processed.conclude(match (&told, self.settings().protocol) {
                (Err(_), _) => Ending::Abandoned,
                (Ok(()), Protocol::Smtp) => Ending::Replied(replies[0].clone()),
                (Ok(()), Protocol::Lmtp) => Ending::RepliedEach(replies),
            });
        }
        told?;
        (self.errors, self.idle_commands) = (0, 0);
        Ok(Next::Command)
    }

    /// What filters and `[origin]` learn. A relay is never the client itself: of its client
    /// we know what it tells, and nothing else.
    fn session_facts(&self) -> SessionFacts {
        let mut session = SessionFacts {
            listener: Some(self.settings().listener.clone()),
            ..SessionFacts::default()
        };
        if self.is_relay() {
            self.facts.clone().tell(&mut session);
            return session;
        }
        session.helo = self.greeting.as_ref().map(|g| g.name.clone());
        if let Peer::Tcp(address) = self.peer {
            session.client_ip = Some(address.ip().to_canonical());
        }
        if let Some(tls) = &self.tls {
            session.tls_version.clone_from(&tls.version);
            session.tls_cipher.clone_from(&tls.cipher);
        }
        session
    }
}

/// Exactly as many replies as the client waits for; what is missing is unsure, and deferred.
fn complete(mut replies: Vec<Reply>, owed: usize, id: &str) -> Vec<Reply> {
    replies.resize_with(owed, || Reply::internal_error().with_id(id));
    replies
}
