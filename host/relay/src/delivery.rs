//! A letter on its way: begun, its content sent, its final dot.
//!
//! Until [`Sent::end`] is called, dropping it takes everything back.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Recipient;

use crate::Error;
use crate::answer::{Answer, Step, deferral};
use crate::letter::Letter;
use crate::pool::Pool;
use crate::session::{Opening, Session};

/// What becomes of each recipient of a letter.
pub(crate) type Answers = Vec<(Recipient, Answer)>;

/// A letter whose envelope was offered.
pub(crate) struct Attempt {
    /// Recipients who are not on board: refused or deferred.
    pub(crate) turned_away: Answers,
    /// The rest, if any.
    pub(crate) begun: Option<Begun>,
}

/// The next hop waits for the content.
pub(crate) struct Begun {
    pool: Arc<Pool>,
    session: Session,
    letter: Letter,
    accepted: Vec<Recipient>,
}

/// The next hop has the content, and waits for its end.
pub(crate) struct Sent {
    id: String,
    pool: Arc<Pool>,
    session: Session,
    accepted: Vec<Recipient>,
}

/// Offers a letter's envelope. Whoever calls it holds a place.
pub(crate) async fn begin(pool: Arc<Pool>, letter: Letter, deadline: Instant) -> Attempt {
    let mut session = match pool.take(deadline).await {
        Ok(session) => session,
        Err(error) => return Attempt::nobody(letter.recipients, &Answer::failed(&error)),
    };
    let commands = match letter.commands(session.capabilities()) {
        Ok(commands) => commands,
        Err(reply) => {
            pool.give_back(session).await;
            return Attempt::nobody(letter.recipients, &Answer::of(reply));
        }
    };
    match session.begin(&commands).await {
        Ok(opening) => judge(pool, session, letter, &opening).await,
        Err(error) => Attempt::nobody(letter.recipients, &Answer::failed(&error)),
    }
}

async fn judge(pool: Arc<Pool>, session: Session, letter: Letter, opening: &Opening) -> Attempt {
    let is_open = opening.data.as_ref().is_some_and(|reply| reply.code == 354);
    let attempt = read(opening, &letter.recipients);
    let (accepted, turned_away) = match attempt {
        (accepted, turned_away) if accepted.is_empty() => {
            // In the middle of DATA there is nothing but to hang up.
            if !is_open {
                pool.give_back(session).await;
            }
            return Attempt {
                turned_away,
                begun: None,
            };
        }
        attempt => attempt,
    };
    Attempt {
        turned_away,
        begun: Some(Begun {
            pool,
            session,
            letter,
            accepted,
        }),
    }
}

/// Who is on board, and who is not.
fn read(opening: &Opening, recipients: &[Recipient]) -> (Vec<Recipient>, Answers) {
    let everyone = |answer: Answer| {
        let all = recipients.iter().cloned();
        (Vec::new(), all.map(|one| (one, answer.clone())).collect())
    };
    let mail = Answer::to(Step::Mail, &opening.mail);
    if !matches!(mail, Answer::Taken(_)) {
        return everyone(mail);
    }
    let mut accepted = Vec::new();
    let mut turned_away = Vec::new();
    for (recipient, reply) in recipients.iter().zip(&opening.recipients) {
        match Answer::to(Step::Recipient, reply) {
            Answer::Taken(_) => accepted.push(recipient.clone()),
            answer => turned_away.push((recipient.clone(), answer)),
        }
    }
    let data = opening
        .data
        .as_ref()
        .map(|reply| Answer::to(Step::Data, reply));
    match data {
        Some(answer @ (Answer::Refused(_) | Answer::Deferred(_))) => {
            let all = accepted.into_iter();
            turned_away.extend(all.map(|one| (one, answer.clone())));
            (Vec::new(), turned_away)
        }
        _ => (accepted, turned_away),
    }
}

impl Attempt {
    fn nobody(recipients: Vec<Recipient>, answer: &Answer) -> Self {
        let turned_away = recipients.into_iter().map(|one| (one, answer.clone()));
        Self {
            turned_away: turned_away.collect(),
            begun: None,
        }
    }
}

impl Begun {
    /// Sends the content up to the final dot. Failing, nothing is delivered, and this is why.
    pub(crate) async fn content(mut self) -> Result<Sent, Answers> {
        match self.session.content(&self.letter.slices()).await {
            Ok(()) => Ok(Sent {
                id: self.letter.id,
                pool: self.pool,
                session: self.session,
                accepted: self.accepted,
            }),
            Err(error) => Err(same(self.accepted, &Answer::failed(&error))),
        }
    }
}

impl Sent {
    /// A last look before the first dot of several letters: does the next hop still wait?
    pub(crate) async fn look(&mut self) -> Result<(), Answers> {
        let waits = self.session.still_waits().await;
        waits.map_err(|error| same(self.accepted.clone(), &Answer::failed(&error)))
    }

    /// The final dot, and what comes of it. The answer is a deferral also when nobody knows.
    pub(crate) async fn end(mut self) -> Answers {
        let (replies, error) = self.session.end(self.accepted.len()).await;
        let mut accepted = self.accepted.into_iter();
        // What was heard counts, also when the connection broke after it.
        let mut answers: Answers = replies
            .iter()
            .zip(accepted.by_ref())
            .map(|(reply, recipient)| (recipient, Answer::to(Step::Message, reply)))
            .collect();
        let Some(error) = error else {
            self.pool.give_back(self.session).await;
            return answers;
        };
        let unsure: Vec<_> = accepted.collect();
        name_unsure(&self.id, &self.pool.settings.name, &unsure, &error);
        answers.extend(same(unsure, &Answer::Deferred(deferral(&error))));
        answers
    }
}

/// Between the final dot and its answer nobody knows whose the message is: a retry may deliver it
/// again.
fn name_unsure(id: &str, hop: &str, recipients: &[Recipient], error: &Error) {
    for recipient in recipients {
        let recipient = &recipient.address;
        tracing::warn!(id, %recipient, hop, %error, "may have a copy of a message that was not taken");
    }
    let count = recipients.len() as u64;
    metrics::counter!("waxseal_relay_unsure_total", "hop" => hop.to_owned()).increment(count);
}

fn same(recipients: Vec<Recipient>, answer: &Answer) -> Answers {
    let all = recipients.into_iter();
    all.map(|one| (one, answer.clone())).collect()
}

/// A letter from first to last, with a place of its own.
pub(crate) async fn deliver(pool: Arc<Pool>, letter: Letter, deadline: Instant) -> Answers {
    let _place = match pool.places(1, deadline).await {
        Ok(place) => place,
        Err(error) => return same(letter.recipients, &Answer::failed(&error)),
    };
    deliver_placed(pool, letter, deadline).await
}

/// The same for whoever has the place already.
pub(crate) async fn deliver_placed(pool: Arc<Pool>, letter: Letter, deadline: Instant) -> Answers {
    let attempt = begin(Arc::clone(&pool), letter, deadline).await;
    let mut answers = attempt.turned_away;
    if let Some(begun) = attempt.begun {
        answers.extend(match begun.content().await {
            Ok(sent) if pool.is_in_time(deadline) => sent.end().await,
            Ok(sent) => same(sent.accepted, &Answer::Deferred(out_of_time())),
            Err(answers) => answers,
        });
    }
    answers
}

/// A final dot that would probably not be answered in time is not sent.
pub(crate) fn out_of_time() -> Reply {
    Reply::deferral("4.4.7", "next hop: no time left")
}

/// Runs these at a time; each result in its place, `None` where one panicked. Dropped, all of
/// them stop.
pub(crate) async fn all<Work>(works: impl IntoIterator<Item = Work>) -> Vec<Option<Work::Output>>
where
    Work: Future<Output: Send + 'static> + Send + 'static,
{
    let mut set = JoinSet::new();
    let mut count = 0;
    for work in works {
        let at = count;
        set.spawn(async move { (at, work.await) });
        count += 1;
    }
    let mut results: Vec<_> = (0..count).map(|_| None).collect();
    while let Some(joined) = set.join_next().await {
        match joined {
            Ok((at, result)) => results[at] = Some(result),
            Err(error) => tracing::error!(%error, "a delivery ended early"),
        }
    }
    results
}
