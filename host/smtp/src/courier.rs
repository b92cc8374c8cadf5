//! Where a session leaves its messages.

use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use waxseal_message::Address;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient, Session as SessionFacts};
use waxseal_service::Processed;

/// A message that came in whole.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its name in logs and replies.
    pub id: String,
    /// What the relay in front of us calls it.
    pub queue_id: Option<String>,
    /// MAIL FROM; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// ESMTP parameters of MAIL FROM.
    pub sender_parameters: Vec<EsmtpParameter>,
    /// RCPT TO, in order, repetitions included.
    pub recipients: Vec<Recipient>,
    /// The message below our Received field, every line ending in CRLF.
    pub octets: Bytes,
    /// The session that it came through.
    pub session: SessionFacts,
    /// When its end came.
    pub arrived: Instant,
    /// The same in Unix seconds.
    pub time: i64,
}

/// What came of it.
pub struct Answer {
    /// One reply, or over LMTP one for each recipient in the order of the envelope.
    pub replies: Vec<Reply>,
    /// Told how it ended once the client has the replies.
    pub processed: Option<Processed>,
}

/// What may be offered to clients beyond what we do ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Most octets of a message; `None`: as many as we hold.
    pub size: Option<u64>,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 3461.
    pub dsn: bool,
}

/// Room for one message among all that are held at a time; given back when it is dropped.
pub trait Room: Send {
    /// Makes room for so many octets more, and says whether there is.
    fn grow(&mut self, octets: usize) -> bool;
}

impl Room for waxseal_service::Room {
    fn grow(&mut self, octets: usize) -> bool {
        waxseal_service::Room::grow(self, octets).is_ok()
    }
}

/// Takes messages. [`Courier::carry`] answers 2yz only for what has been taken by the next hop:
/// the client forgets its copy on that reply.
pub trait Courier: Send + Sync + 'static {
    /// A new name for a message.
    fn new_id(&self) -> String;

    /// Room for a message that begins to come in.
    fn room(&self) -> Box<dyn Room>;

    /// What the way onwards allows.
    fn offer(&self) -> impl Future<Output = Offer> + Send;

    /// Carries a message on. Cancelled `client`: nobody waits for the reply any more, and the
    /// message need not be carried when that has not begun (RFC 5321 §4.1.1.10).
    fn carry(
        &self,
        message: Submission,
        client: CancellationToken,
    ) -> impl Future<Output = Answer> + Send;
}

impl Offer {
    /// Before the client said hello.
    pub(crate) const NOTHING: Self = Self {
        size: None,
        eight_bit_mime: false,
        smtp_utf8: false,
        dsn: false,
    };

    /// All that we do ourselves: when the next hop cannot be asked, its mail is deferred anyway.
    pub const EVERYTHING: Self = Self {
        size: None,
        eight_bit_mime: true,
        smtp_utf8: true,
        dsn: true,
    };
}
