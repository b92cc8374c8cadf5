//! Dispositions become deliveries and replies.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::Instant as Deadline;
use waxseal_engine::{Delivery, Disposition, OutgoingCopy};
use waxseal_message::Address;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};

use crate::answer::Answer;
use crate::capabilities::Capabilities;
use crate::letter::{Letter, Returns, SenderParameters};
use crate::pool::Pool;
use crate::settings::Settings;
use crate::{Error, delivery, each, two_phases};

/// The envelope of the message that an outcome is about.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The message's name in our logs.
    pub id: String,
    /// MAIL FROM; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// ESMTP parameters of MAIL FROM.
    pub sender_parameters: Vec<EsmtpParameter>,
    /// RCPT TO, in order, repetitions included.
    pub recipients: Vec<Recipient>,
    /// The sender is one of ours (`[origin]`), so it may get reports.
    pub ours: bool,
    /// The message as it arrived, for the header of a report.
    pub octets: Bytes,
    /// When it had arrived: its stay counts from here.
    pub arrived: Instant,
}

/// How many replies the front end owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// One for the whole message (SMTP, milter): all copies are sent up to the final dot before
    /// any is committed.
    One,
    /// One for each recipient (LMTP).
    Each,
}

/// The way to one next hop.
pub struct Relay {
    pool: Arc<Pool>,
}

impl Relay {
    /// A relay to this next hop. Nothing is connected yet.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let pool = Pool::new(settings)?;
        Ok(Arc::new(Self { pool }))
    }

    /// The settings that it was made of.
    pub fn settings(&self) -> &Settings {
        &self.pool.settings
    }

    /// What the next hop offers, asked when it is not known. A front end offers its own clients
    /// no more: DSN, 8BITMIME and SMTPUTF8 only when the next hop has them. Then a client that
    /// asked for what it cannot get learns so at once (RFC 3461 §5.2.2).
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        let deadline = Deadline::now() + self.settings().timeout;
        self.pool.capabilities(deadline).await
    }

    /// Does what the disposition says. Every reply carries the message's id (`id=…`) and is one
    /// line of printable ASCII.
    ///
    /// `Replies::One` gives exactly one reply, `Replies::Each` one for each recipient of the
    /// envelope, in order. 2yz: taken.
    pub async fn carry_out(
        &self,
        envelope: &Envelope,
        disposition: &Disposition,
        replies: Replies,
    ) -> Vec<Reply> {
        let begun = Instant::now();
        let hop = &self.settings().name;
        let given = match disposition {
            Disposition::Deliver(delivery) => self.deliver(envelope, delivery, replies).await,
            Disposition::Reject(refused) | Disposition::Defer(refused) => {
                same(envelope, replies, refused.reply.clone())
            }
            Disposition::Quarantine { copy: None, .. } => same(
                envelope,
                replies,
                Reply::deferral("4.7.1", "no quarantine to keep it in"),
            ),
            Disposition::Quarantine {
                copy: Some(copy), ..
            } => same(envelope, replies, self.quarantine(envelope, copy).await),
            // Nobody hears of it.
            Disposition::Discard => same(envelope, replies, taken()),
        };
        metrics::histogram!("waxseal_relay_seconds", "hop" => hop.clone())
            .record(begun.elapsed().as_secs_f64());
        given
            .into_iter()
            .map(|reply| self.named(reply, envelope))
            .collect()
    }

    async fn deliver(
        &self,
        envelope: &Envelope,
        delivery: &Delivery,
        replies: Replies,
    ) -> Vec<Reply> {
        let deadline = self.deadline(envelope);
        let letters = letters(envelope, delivery);
        let pool = &self.pool;
        if replies == Replies::Each && each::is_possible(envelope, delivery) {
            return each::deliver(pool, envelope, delivery, letters, deadline).await;
        }
        let reply = two_phases::deliver(pool, envelope, delivery, letters, deadline).await;
        same(envelope, replies, reply)
    }

    /// Delivers what a person shall look at. The sender hears that it was taken; from the null
    /// reverse-path, so that nobody outside hears what becomes of it. A quarantine that refuses
    /// is for the operator to mend, and the message waits for that.
    async fn quarantine(&self, envelope: &Envelope, copy: &OutgoingCopy) -> Reply {
        let parameters = SenderParameters::of(&envelope.sender_parameters);
        let letter = Letter {
            id: envelope.id.clone(),
            message: copy.message.clone(),
            sender: None,
            recipients: copy.recipients.clone(),
            parameters: SenderParameters {
                declares_utf8: parameters.declares_utf8,
                ..SenderParameters::default()
            },
        };
        let deadline = self.deadline(envelope);
        let answers = delivery::deliver(Arc::clone(&self.pool), letter, deadline).await;
        let mut failed = answers.into_iter().filter_map(|(_, answer)| match answer {
            Answer::Taken(_) => None,
            Answer::Refused(reply) | Answer::Deferred(reply) => Some(reply),
        });
        match failed.next() {
            None => taken(),
            Some(reply) => {
                Reply::deferral("4.7.1", &format!("the quarantine did not take it: {reply}"))
            }
        }
    }

    fn deadline(&self, envelope: &Envelope) -> Deadline {
        Deadline::from_std(envelope.arrived + self.settings().stay)
    }

    fn named(&self, reply: Reply, envelope: &Envelope) -> Reply {
        let hop = self.settings().name.clone();
        let class = format!("{}yz", reply.code / 100);
        metrics::counter!("waxseal_relay_replies_total", "hop" => hop, "class" => class)
            .increment(1);
        reply.with_id(&envelope.id)
    }
}

/// Taken, or what looks like it.
pub(crate) fn taken() -> Reply {
    Reply::new(250, "2.0.0", "taken")
}

fn same(envelope: &Envelope, replies: Replies, reply: Reply) -> Vec<Reply> {
    match replies {
        Replies::One => vec![reply],
        Replies::Each => vec![reply; envelope.recipients.len()],
    }
}

fn letters(envelope: &Envelope, delivery: &Delivery) -> Vec<Letter> {
    let parameters = SenderParameters::of(&envelope.sender_parameters);
    let letter = |copy: &OutgoingCopy| Letter {
        id: envelope.id.clone(),
        message: copy.message.clone(),
        sender: delivery.sender.clone(),
        recipients: copy.recipients.clone(),
        parameters: SenderParameters {
            // DESIGN §8: what came encrypted does not go back in clear.
            returns: match copy.decrypted {
                true => Some(Returns::Headers),
                false => parameters.returns,
            },
            ..parameters.clone()
        },
    };
    delivery
        .copies
        .iter()
        .map(letter)
        .flat_map(Letter::split)
        .collect()
}
