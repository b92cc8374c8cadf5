//! One reply for many copies: all of them are sent up to the final dot before any is committed.
//!
//! ```text
//! begin every letter ─▶ anybody deferred? → 4yz, nothing left us
//!                    ─▶ somebody refused? → a report joins, or the whole message is refused
//! content of every letter ─▶ anything wrong? → 4yz or 5yz, nothing left us
//! first final dot    ─▶ not taken? → its reply, nothing left us
//! the other dots     ─▶ not taken? → 4yz; the log names who has a copy and will get another
//! the report's dot
//! ```
//!
//! More letters than connections go in batches; the later ones are in the position of the other
//! dots then.

use std::sync::Arc;

use tokio::time::Instant;
use waxseal_engine::Delivery;
use waxseal_message::Address;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Recipient;

use crate::Envelope;
use crate::answer::{Answer, deferral};
use crate::delivery::{self, Answers, Attempt, Begun, Sent, all};
use crate::letter::{Letter, wants_failures};
use crate::pool::{Places, Pool};
use crate::report::{self, Refused};

/// Letters at a time. The next hop holds all of them open.
const AT_ONCE: usize = 50;

/// Delivers, and gives the one reply. At least one copy.
pub(crate) async fn deliver(
    pool: &Arc<Pool>,
    envelope: &Envelope,
    delivery: &Delivery,
    letters: Vec<Letter>,
    deadline: Instant,
) -> Reply {
    let mut run = Run {
        pool,
        envelope,
        deadline,
        refused: delivery.refusals.iter().map(Refused::by_policy).collect(),
        taken: Vec::new(),
        words: None,
        report_place: None,
    };
    match run.deliver(letters).await {
        Ok(()) => run.done(),
        Err(reply) => {
            run.name_who_has_it(&reply);
            reply
        }
    }
}

struct Run<'a> {
    pool: &'a Arc<Pool>,
    envelope: &'a Envelope,
    deadline: Instant,
    /// Recipients refused alone, of whom the sender must hear.
    refused: Vec<Refused>,
    /// Who has a copy.
    taken: Vec<Address>,
    /// What the next hop said to the first copy.
    words: Option<String>,
    report_place: Option<Places>,
}

impl Run<'_> {
    async fn deliver(&mut self, letters: Vec<Letter>) -> Result<(), Reply> {
        if letters.is_empty() {
            return Err(self.first_refusal());
        }
        self.may_refuse_alone()?;
        let most = AT_ONCE.min(self.pool.settings.connections.max(1));
        let mut batches = letters.chunks(most).peekable();
        while let Some(batch) = batches.next() {
            self.batch(batch, batches.peek().is_none()).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, letters: &[Letter], is_last: bool) -> Result<(), Reply> {
        let places = self.pool.places(letters.len(), self.deadline).await;
        let _places = places.map_err(|error| deferral(&error))?;
        let attempts = letters
            .iter()
            .map(|letter| delivery::begin(Arc::clone(self.pool), letter.clone(), self.deadline));
        let begun = self.on_board(all(attempts).await)?;
        if is_last && begun.is_empty() && self.taken.is_empty() {
            // Refused for everyone is no partial failure: the client hears it.
            return Err(self.first_refusal());
        }
        self.may_refuse_alone()?;
        if is_last {
            return self.finish(begun).await;
        }
        let sent = self.contents(begun).await?;
        self.commit(sent).await
    }

    /// The last batch, and the report with it.
    async fn finish(&mut self, begun: Vec<Begun>) -> Result<(), Reply> {
        let Some(report) = self.report(&self.refused) else {
            let sent = self.contents(begun).await?;
            self.commit(sent).await?;
            return Ok(());
        };
        self.take_report_place().await?;
        let begun_report = self.begin_report(report).await?;
        let begun = begun.into_iter().chain([begun_report]).collect();
        let mut sent = self.contents(begun).await?;
        let report = sent.pop();
        // The copies first: they are more likely to fail, and each retry would report again.
        self.commit(sent).await?;
        match report {
            Some(report) => reported(report.end().await),
            None => Ok(()),
        }
    }

    /// Who goes on. One deferred recipient defers all of them, before anything left us.
    fn on_board(&mut self, attempts: Vec<Option<Attempt>>) -> Result<Vec<Begun>, Reply> {
        let mut begun = Vec::new();
        let mut failures = Failures::default();
        for attempt in attempts {
            let attempt = attempt.ok_or_else(Reply::internal_error)?;
            begun.extend(attempt.begun);
            failures.add_all(attempt.turned_away, self.pool);
        }
        match failures.deferred {
            Some(reply) => Err(reply),
            None => {
                self.refused.extend(failures.refused);
                Ok(begun)
            }
        }
    }

    /// Can the sender hear about those who were refused alone? If not, everything is refused,
    /// while nothing left us. Who sent from the null reverse-path wants to hear nothing.
    fn may_refuse_alone(&self) -> Result<(), Reply> {
        let is_strange = self.envelope.sender.is_some() && !self.envelope.ours;
        match self.refused.first() {
            Some(first) if is_strange => Err(first.for_all()),
            _ => Ok(()),
        }
    }

    fn first_refusal(&self) -> Reply {
        let first = self.refused.first();
        first.map_or_else(Reply::internal_error, |refused| refused.reply.clone())
    }

    /// The report about these, if the sender gets one.
    fn report(&self, refused: &[Refused]) -> Option<Letter> {
        for one in refused {
            tracing::info!(id = self.envelope.id, recipient = %one.recipient.address,
                reply = %one.reply, "refused alone");
        }
        let wanted: Vec<_> = refused
            .iter()
            .filter(|one| wants_failures(&one.recipient))
            .collect();
        // DESIGN §8: only to senders of ours, never from the null reverse-path.
        let sender = self
            .envelope
            .sender
            .as_ref()
            .filter(|_| self.envelope.ours)?;
        if wanted.is_empty() {
            return None;
        }
        let settings = &self.pool.settings;
        Some(report::letter(settings, self.envelope, sender, &wanted))
    }

    /// One place does for both reports of a message: what failed at the dots comes after.
    async fn take_report_place(&mut self) -> Result<(), Reply> {
        if self.report_place.is_none() {
            let place = self.pool.report_place(self.deadline).await;
            self.report_place = Some(place.map_err(|error| deferral(&error))?);
        }
        Ok(())
    }

    async fn begin_report(&self, report: Letter) -> Result<Begun, Reply> {
        let pool = Arc::clone(self.pool);
        let attempt = delivery::begin(pool, report, self.deadline).await;
        match (attempt.begun, attempt.turned_away.into_iter().next()) {
            (Some(begun), _) => Ok(begun),
            // Nobody takes the report: then the client makes it, for the whole message.
            (None, Some((_, Answer::Refused(_)))) if self.taken.is_empty() => {
                let first = self.refused.first();
                Err(first.map_or_else(Reply::internal_error, Refused::for_all))
            }
            (None, Some((_, answer))) => Err(no_report(&answer)),
            (None, None) => Err(Reply::internal_error()),
        }
    }

    /// Sends all contents up to the final dot; the first failure takes everything back.
    async fn contents(&self, begun: Vec<Begun>) -> Result<Vec<Sent>, Reply> {
        let mut failures = Failures::default();
        let mut ready = Vec::new();
        for result in all(begun.into_iter().map(Begun::content)).await {
            match result {
                Some(Ok(sent)) => ready.push(sent),
                Some(Err(answers)) => failures.add_all(answers, self.pool),
                None => failures.deferred = Some(Reply::internal_error()),
            }
        }
        for sent in &mut ready {
            if let Err(answers) = sent.look().await {
                failures.add_all(answers, self.pool);
            }
        }
        match failures.is_empty() {
            true => Ok(ready),
            false => Err(failures.reply()),
        }
    }

    /// The final dots: one, and when that was taken all others at once.
    async fn commit(&mut self, sent: Vec<Sent>) -> Result<(), Reply> {
        if !self.pool.is_in_time(self.deadline) {
            return Err(delivery::out_of_time());
        }
        let mut sent = sent.into_iter();
        let Some(first) = sent.next() else {
            return Ok(());
        };
        let mut failures = Failures::default();
        self.count(first.end().await, &mut failures);
        if self.taken.is_empty() {
            // Dropping the others takes them back.
            return Err(failures.reply());
        }
        if let Some(reply) = failures.deferred {
            // One of several over LMTP: it is deferred anyway, with as few copies out as can be.
            return Err(reply);
        }
        for answers in all(sent.map(Sent::end)).await {
            match answers {
                Some(answers) => self.count(answers, &mut failures),
                None => failures.deferred = Some(Reply::internal_error()),
            }
        }
        self.late(failures).await
    }

    fn count(&mut self, answers: Answers, failures: &mut Failures) {
        for (recipient, answer) in answers {
            match answer {
                Answer::Taken(reply) => {
                    self.words.get_or_insert(reply.text);
                    self.taken.push(recipient.address);
                }
                answer => failures.add(recipient, answer, self.pool),
            }
        }
    }

    /// After one copy was taken, a deferral doubles that copy. A refusal need not: retrying
    /// would double it for days and meet the same refusal, so the sender hears of it now.
    async fn late(&mut self, failures: Failures) -> Result<(), Reply> {
        if let Some(reply) = failures.deferred {
            return Err(reply);
        }
        let Some(first) = failures.refused.first() else {
            return Ok(());
        };
        if self.envelope.sender.is_some() && !self.envelope.ours {
            return Err(first.for_all());
        }
        let Some(report) = self.report(&failures.refused) else {
            return Ok(());
        };
        self.take_report_place().await?;
        let pool = Arc::clone(self.pool);
        reported(delivery::deliver_placed(pool, report, self.deadline).await)
    }

    fn done(&self) -> Reply {
        let words = self.words.as_deref().unwrap_or("taken");
        Reply::new(250, "2.0.0", words)
    }

    /// The only place of duplicates: whoever will try again delivers to these once more.
    fn name_who_has_it(&self, reply: &Reply) {
        for recipient in &self.taken {
            let id = &self.envelope.id;
            tracing::warn!(id, %recipient, %reply, "has a copy of a message that was not taken");
            let hop = self.pool.settings.name.clone();
            metrics::counter!("waxseal_relay_taken_in_part_total", "hop" => hop).increment(1);
        }
    }
}

/// Who was not served after all.
#[derive(Default)]
struct Failures {
    refused: Vec<Refused>,
    deferred: Option<Reply>,
}

impl Failures {
    /// The answer is not that it was taken.
    fn add(&mut self, recipient: Recipient, answer: Answer, pool: &Pool) {
        match answer {
            Answer::Refused(reply) => self.refused.push(Refused {
                recipient,
                reply,
                remote: Some(pool.settings.address.clone()),
            }),
            Answer::Deferred(reply) | Answer::Taken(reply) => self.deferred = Some(reply),
        }
    }

    fn add_all(&mut self, answers: Answers, pool: &Pool) {
        for (recipient, answer) in answers {
            self.add(recipient, answer, pool);
        }
    }

    fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.deferred.is_none()
    }

    /// A deferral goes before a refusal: a retry may settle both.
    fn reply(self) -> Reply {
        let refused = self.refused.into_iter().next().map(|one| one.reply);
        self.deferred
            .or(refused)
            .unwrap_or_else(Reply::internal_error)
    }
}

fn reported(answers: Answers) -> Result<(), Reply> {
    match answers.into_iter().next() {
        Some((_, Answer::Taken(_))) => Ok(()),
        Some((_, answer)) => Err(no_report(&answer)),
        None => Err(Reply::internal_error()),
    }
}

/// The sender could not be told who was refused: nothing is acknowledged.
fn no_report(answer: &Answer) -> Reply {
    let (Answer::Taken(reply) | Answer::Refused(reply) | Answer::Deferred(reply)) = answer;
    Reply::deferral("4.3.0", &format!("the report was not taken: {reply}"))
}
