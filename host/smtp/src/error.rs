//! Everything that we refuse by ourselves, and the one place that gives each its reply
//! (RFC 5321 §4.2, RFC 3463).

use waxseal_policy::reply::Reply;

/// Why a command or a message was refused before the policy saw it, sorted by whose fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The client's commands.
    /// No command of ours.
    #[error("command not recognized")]
    UnknownCommand,
    /// A command of SMTP that is not offered here.
    #[error("command not implemented")]
    NotImplemented,
    /// HTTP, or the like: somebody makes another program talk to us.
    #[error("this is a mail server")]
    NotMail,
    /// RFC 5321 §4.5.3.1.4.
    #[error("line too long")]
    LineTooLong,
    /// RFC 5321 §2.3.8: a command that ends in LF alone.
    #[error("line ends in a bare LF")]
    BareNewlineInCommand,
    /// A control character, or octets that are not UTF-8, in a command.
    #[error("invalid character in command")]
    InvalidCharacter,
    /// The arguments are none of this command.
    #[error("syntax: {0}")]
    Syntax(&'static str),
    /// The command may not stand here.
    #[error("bad sequence of commands: {0}")]
    BadSequence(&'static str),
    /// RFC 2920 §3.1: something was sent before the answer to this command could be known.
    #[error("improper use of pipelining")]
    EarlyTalker,
    /// RFC 3030 §2: where this chunk ends cannot be known.
    #[error("invalid chunk size")]
    InvalidChunk,
    /// The peer may not tell us about clients.
    #[error("insufficient authorization")]
    NotAuthorized,
    // The envelope.
    /// The reverse-path is none.
    #[error("invalid sender address")]
    InvalidSender,
    /// The forward-path is none.
    #[error("invalid recipient address")]
    InvalidRecipient,
    /// RFC 6531 §3.5: a non-ASCII address without SMTPUTF8.
    #[error("non-ASCII address without SMTPUTF8")]
    NotInternational,
    /// A parameter that we do not offer, or that is not of this command.
    #[error("parameter not implemented: {0}")]
    UnknownParameter(String),
    /// A parameter given twice, or with a value that it cannot have.
    #[error("invalid parameter: {0}")]
    InvalidParameter(String),
    /// RFC 5321 §4.5.3.1.10.
    #[error("too many recipients")]
    TooManyRecipients,
    /// DATA or BDAT although no recipient was taken.
    #[error("no valid recipients")]
    NoRecipients,
    // The message.
    /// RFC 1870 §6.
    #[error("message too large")]
    TooLarge,
    /// RFC 5321 §2.3.8: CR or LF alone.
    #[error("bare CR or LF in message")]
    BareNewline,
    /// RFC 5321 §6.3.
    #[error("mail loop: too many Received fields")]
    Loop,
    // The client's habits.
    /// Too many commands were refused.
    #[error("too many errors")]
    TooManyErrors,
    /// Too many commands that bring no mail.
    #[error("too many commands without a message")]
    NoProgress,
    /// Nothing came in time.
    #[error("timeout")]
    Timeout,
    // Us.
    /// As many messages are held as may be.
    #[error("no room for more messages; try again later")]
    NoRoom,
    /// We stop.
    #[error("service shutting down; try again later")]
    ShuttingDown,
    /// RFC 3207 §4: TLS cannot be had now.
    #[error("TLS not available")]
    NoTls,
}

impl Error {
    /// The reply to the command, or to the message.
    pub fn reply(&self) -> Reply {
        let (code, enhanced) = self.codes();
        Reply::new(code, enhanced, &self.to_string())
    }

    /// Does the session end with this reply? Where the next command begins is not known, or the
    /// client is not one to go on with.
    pub fn ends_session(&self) -> bool {
        matches!(self.codes().0, 421 | 521)
            || matches!(self, Error::EarlyTalker | Error::LineTooLong)
    }

    fn codes(&self) -> (u16, &'static str) {
        match self {
            Error::UnknownCommand => (500, "5.5.1"),
            Error::NotImplemented => (502, "5.5.1"),
            Error::LineTooLong | Error::InvalidCharacter => (500, "5.5.2"),
            Error::Syntax(_) => (501, "5.5.4"),
            Error::BadSequence(_) => (503, "5.5.1"),
            Error::EarlyTalker => (503, "5.5.0"),
            Error::NotMail | Error::BareNewlineInCommand | Error::InvalidChunk => (521, "5.5.2"),
            Error::NotAuthorized => (550, "5.7.0"),
            Error::InvalidSender => (501, "5.1.7"),
            Error::InvalidRecipient => (501, "5.1.3"),
            Error::NotInternational => (553, "5.6.7"),
            Error::UnknownParameter(_) => (555, "5.5.4"),
            Error::InvalidParameter(_) => (501, "5.5.4"),
            Error::TooManyRecipients => (452, "4.5.3"),
            Error::NoRecipients => (554, "5.5.1"),
            Error::TooLarge => (552, "5.3.4"),
            Error::BareNewline => (550, "5.6.11"),
            Error::Loop => (554, "5.4.6"),
            Error::TooManyErrors | Error::NoProgress => (421, "4.7.0"),
            Error::Timeout => (421, "4.4.2"),
            Error::NoRoom => (452, "4.3.1"),
            Error::ShuttingDown => (421, "4.3.2"),
            Error::NoTls => (454, "4.7.0"),
        }
    }
}
