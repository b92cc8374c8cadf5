//! How a message ended, said by the front end that carried its outcome out.

use waxseal_policy::reply::Reply;

/// The end of a message at the front end.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The client got this reply for the whole message: 2yz taken, 4yz deferred, 5yz refused.
    Replied(Reply),
    /// The client got one reply for each recipient, in the envelope's order (LMTP).
    RepliedEach(Vec<Reply>),
    /// The MTA was told to change the message in place and go on with it (milter).
    Edited,
    /// The MTA was told to go on with the message as it is (milter).
    Unchanged,
    /// The MTA was told to hold the message (milter).
    Held,
    /// The MTA was told to drop the message (milter): nobody is to have it, or its copies went
    /// another way.
    Dropped,
    /// The client went away, or never took the reply: it will try again.
    Abandoned,
}

impl Ending {
    /// In logs.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Ending::Replied(_) | Ending::RepliedEach(_) => "replied",
            Ending::Edited => "edited",
            Ending::Unchanged => "unchanged",
            Ending::Held => "held",
            Ending::Dropped => "dropped",
            Ending::Abandoned => "abandoned",
        }
    }

    /// What the client was told.
    pub(crate) fn replies(&self) -> &[Reply] {
        match self {
            Ending::Replied(reply) => std::slice::from_ref(reply),
            Ending::RepliedEach(replies) => replies,
            _ => &[],
        }
    }
}
