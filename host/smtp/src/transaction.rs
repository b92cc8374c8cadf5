//! A mail transaction under way (RFC 5321 §3.3): envelope, then content.

use std::time::SystemTime;

use bytes::Bytes;
use tokio::time::Instant;
use waxseal_message::Address;
use waxseal_policy::transaction::Recipient;

use crate::content::{Content, Lines, Overflow};
use crate::courier::Room;
use crate::error::Error;
use crate::parameters::MailParameters;
use crate::settings::BareNewline;

/// After MAIL.
pub(crate) struct Transaction {
    pub(crate) sender: Option<Address>,
    pub(crate) parameters: MailParameters,
    pub(crate) recipients: Vec<Recipient>,
    /// RCPT commands, refused ones included.
    pub(crate) asked: usize,
    /// After the first BDAT.
    pub(crate) message: Option<Incoming>,
    /// A chunk was refused: the transaction is lost (RFC 3030 §2).
    pub(crate) failed: bool,
}

impl Transaction {
    pub(crate) fn new(sender: Option<Address>, parameters: MailParameters) -> Self {
        Self {
            sender,
            parameters,
            recipients: Vec::new(),
            asked: 0,
            message: None,
            failed: false,
        }
    }

    /// SIZE, as far as the client said.
    pub(crate) fn announced(&self) -> u64 {
        self.parameters.size.unwrap_or(0)
    }
}

/// A message whose octets come in.
pub(crate) struct Incoming {
    pub(crate) id: String,
    pub(crate) begun: Instant,
    /// The same by the clock.
    pub(crate) time: SystemTime,
    content: Content,
    lines: Lines,
}

/// What one message may be.
pub(crate) struct Bounds {
    pub(crate) octets: usize,
    pub(crate) announced: u64,
    pub(crate) room: Box<dyn Room>,
}

/// A message that came in whole and may go on.
pub(crate) struct Complete {
    pub(crate) octets: Bytes,
    /// Its room, as long as it is held.
    pub(crate) room: Box<dyn Room>,
}

impl Incoming {
    /// A message that begins with our own trace field.
    pub(crate) fn new(id: String, time: SystemTime, trace: String, bounds: Bounds) -> Self {
        let content = Content::new(
            trace.into_bytes(),
            bounds.octets,
            bounds.announced,
            bounds.room,
        );
        Self {
            id,
            begun: Instant::now(),
            time,
            content,
            lines: Lines::default(),
        }
    }

    pub(crate) fn push(&mut self, run: &[u8]) {
        self.lines.push(run, &mut self.content);
    }

    /// Why it cannot be taken, as far as can be said before its end.
    pub(crate) fn overflow(&self) -> Option<Error> {
        self.content.overflow().map(Error::from)
    }

    /// Its end came. `is_loop` looks at the message as it was received.
    pub(crate) fn finish(
        mut self,
        bare_newline: BareNewline,
        is_loop: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Complete, Error> {
        self.lines.end(&mut self.content);
        if let Some(overflow) = self.overflow() {
            return Err(overflow);
        }
        if self.lines.bare && bare_newline == BareNewline::Refuse {
            return Err(Error::BareNewline);
        }
        if is_loop(self.content.received()) {
            return Err(Error::Loop);
        }
        let (octets, room) = self.content.finish()?;
        Ok(Complete { octets, room })
    }
}

impl From<Overflow> for Error {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::TooLarge => Error::TooLarge,
            Overflow::NoRoom => Error::NoRoom,
        }
    }
}
