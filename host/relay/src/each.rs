//! One reply for each recipient (RFC 2033 §4.2): copy by copy, and nobody waits for anybody.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use waxseal_engine::Delivery;
use waxseal_message::Address;
use waxseal_policy::reply::Reply;

use crate::Envelope;
use crate::answer::Answer;
use crate::delivery::{self, all};
use crate::letter::Letter;
use crate::pool::Pool;

/// Delivers, and gives the reply of each recipient of the envelope, in order. One whom the policy
/// took out of the envelope gets nothing, and that is done.
pub(crate) async fn deliver(
    pool: &Arc<Pool>,
    envelope: &Envelope,
    delivery: &Delivery,
    letters: Vec<Letter>,
    deadline: Instant,
) -> Vec<Reply> {
    let mut replies: HashMap<Address, Reply> = HashMap::new();
    for refusal in &delivery.refusals {
        replies.insert(refusal.recipient.address.clone(), refusal.reply.clone());
    }
    for recipient in letters.iter().flat_map(|letter| &letter.recipients) {
        // Until something better is known.
        let unknown = Reply::internal_error();
        replies.insert(recipient.address.clone(), unknown);
    }
    let works = letters
        .into_iter()
        .map(|letter| delivery::deliver(Arc::clone(pool), letter, deadline));
    for (recipient, answer) in all(works).await.into_iter().flatten().flatten() {
        let (Answer::Taken(reply) | Answer::Refused(reply) | Answer::Deferred(reply)) = answer;
        replies.insert(recipient.address, reply);
    }
    envelope
        .recipients
        .iter()
        .map(|recipient| replies.get(&recipient.address).cloned())
        .map(|reply| reply.unwrap_or_else(crate::relay::taken))
        .collect()
}

/// Has every recipient of the delivery a reply of its own? One whom a filter added has none: such
/// a message goes in two phases.
pub(crate) fn is_possible(envelope: &Envelope, delivery: &Delivery) -> bool {
    let copies = delivery.copies.iter().flat_map(|copy| &copy.recipients);
    let refused = delivery.refusals.iter().map(|refusal| &refusal.recipient);
    copies.chain(refused).all(|one| {
        let mut asked = envelope.recipients.iter();
        asked.any(|recipient| recipient.address == one.address)
    })
}
