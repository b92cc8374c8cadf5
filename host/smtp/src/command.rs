//! One command line, read by the grammar of RFC 5321 §4.1 and of the extensions we offer.

use waxseal_message::Address;
use waxseal_policy::transaction::EsmtpParameter;

use crate::error::Error;
use crate::parameters::{self, MailParameters};
use crate::path::{self, Path};
use crate::xforward::{self, Attribute};

/// A command whose arguments are sound. Whether it may stand here is the session's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// HELO, EHLO, LHLO and the name that the client gives itself.
    Hello(Hello, String),
    /// MAIL FROM.
    Mail {
        sender: Option<Address>,
        parameters: MailParameters,
        /// The path has non-ASCII characters.
        international: bool,
    },
    /// RCPT TO.
    Rcpt {
        recipient: Mailbox,
        parameters: Vec<EsmtpParameter>,
        /// The path has non-ASCII characters.
        international: bool,
    },
    Data,
    /// RFC 3030 §2.
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
    /// RFC 3207 §4.
    StartTls,
    /// Postfix: facts about the client that the peer relays for.
    Xforward(Vec<(Attribute, Option<String>)>),
}

/// How a client says hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    Helo,
    Ehlo,
    Lhlo,
}

/// Whom RCPT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mailbox {
    /// `<postmaster>`: of this host.
    Postmaster,
    Address(Address),
}

/// Reads a line without its CRLF.
pub(crate) fn read(line: &[u8]) -> Result<Command, Error> {
    let is_bdat = line
        .get(..4)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    match parse(line) {
        // Octets follow a BDAT, however broken: they must not be read as commands.
        Err(_) if is_bdat => Err(Error::InvalidChunk),
        command => command,
    }
}

fn parse(line: &[u8]) -> Result<Command, Error> {
    // RFC 6531 §3.3: UTF-8 in arguments; what we do not offer it for refuses it further below.
    let line = std::str::from_utf8(line).map_err(|_| Error::InvalidCharacter)?;
    if line.contains(|character: char| character.is_control() && character != '\t') {
        return Err(Error::InvalidCharacter);
    }
    let line = line.trim_end_matches([' ', '\t']);
    let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
    match verb.to_ascii_uppercase().as_str() {
        "HELO" => hello(Hello::Helo, arguments),
        "EHLO" => hello(Hello::Ehlo, arguments),
        "LHLO" => hello(Hello::Lhlo, arguments),
        "MAIL" => mail(after_keyword(arguments, "FROM:")?),
        "RCPT" => rcpt(after_keyword(arguments, "TO:")?),
        "DATA" => alone(arguments, Command::Data),
        "BDAT" => bdat(arguments),
        "RSET" => alone(arguments, Command::Rset),
        // RFC 5321 §4.1.1.9: arguments are ignored.
        "NOOP" => Ok(Command::Noop),
        "QUIT" => alone(arguments, Command::Quit),
        "VRFY" if arguments.is_empty() => Err(Error::Syntax("VRFY needs an argument")),
        "VRFY" => Ok(Command::Vrfy),
        "HELP" => Ok(Command::Help),
        "STARTTLS" => alone(arguments, Command::StartTls),
        "XFORWARD" => xforward::read(arguments).map(Command::Xforward),
        "EXPN" | "ETRN" | "TURN" | "ATRN" | "AUTH" | "SEND" | "SOML" | "SAML" | "BURL"
        | "XCLIENT" => Err(Error::NotImplemented),
        "GET" | "POST" | "PUT" | "HEAD" | "CONNECT" | "OPTIONS" => Err(Error::NotMail),
        _ => Err(Error::UnknownCommand),
    }
}

fn alone(arguments: &str, command: Command) -> Result<Command, Error> {
    match arguments {
        "" => Ok(command),
        _ => Err(Error::Syntax("no arguments allowed")),
    }
}

/// RFC 5321 §4.1.1.1. Names that break its grammar are in wide use; what we write of the name
/// elsewhere is made safe there.
fn hello(hello: Hello, arguments: &str) -> Result<Command, Error> {
    let name = arguments.trim();
    if name.is_empty() || name.len() > 255 || name.contains([' ', '\t']) {
        return Err(Error::Syntax("one name expected"));
    }
    Ok(Command::Hello(hello, name.to_owned()))
}

/// What follows `FROM:` or `TO:`. White space after the colon is no part of the grammar, and in
/// use (RFC 5321 §3.3).
fn after_keyword<'a>(arguments: &'a str, keyword: &'static str) -> Result<&'a str, Error> {
    let arguments = arguments.trim_start_matches(' ');
    match arguments.get(..keyword.len()) {
        Some(found) if found.eq_ignore_ascii_case(keyword) => {
            Ok(arguments[keyword.len()..].trim_start_matches(' '))
        }
        _ => Err(Error::Syntax(keyword)),
    }
}

fn mail(arguments: &str) -> Result<Command, Error> {
    let (path, rest) = path::read(arguments).ok_or(Error::InvalidSender)?;
    let sender = match path {
        Path::Null => None,
        Path::Mailbox(address) => Some(address),
        Path::Postmaster => return Err(Error::InvalidSender),
    };
    Ok(Command::Mail {
        sender,
        parameters: parameters::of_mail(rest)?,
        international: !arguments[..arguments.len() - rest.len()].is_ascii(),
    })
}

fn rcpt(arguments: &str) -> Result<Command, Error> {
    let (path, rest) = path::read(arguments).ok_or(Error::InvalidRecipient)?;
    let recipient = match path {
        Path::Null => return Err(Error::InvalidRecipient),
        Path::Postmaster => Mailbox::Postmaster,
        Path::Mailbox(address) => Mailbox::Address(address),
    };
    Ok(Command::Rcpt {
        recipient,
        parameters: parameters::of_rcpt(rest)?,
        international: !arguments.is_ascii(),
    })
}

fn bdat(arguments: &str) -> Result<Command, Error> {
    let (size, last) = match arguments.split_once(' ') {
        Some((size, word)) if word.trim().eq_ignore_ascii_case("LAST") => (size, true),
        None => (arguments, false),
        Some(_) => return Err(Error::InvalidChunk),
    };
    let is_size = (1..=18).contains(&size.len()) && size.bytes().all(|c| c.is_ascii_digit());
    let size = is_size.then(|| size.parse().ok()).flatten();
    size.map(|size| Command::Bdat { size, last })
        .ok_or(Error::InvalidChunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, Error>) {
        assert_eq!(read(line.as_bytes()), expected, "{line}");
    }

    fn mail_from(sender: Option<&str>) -> Result<Command, Error> {
        Ok(Command::Mail {
            sender: sender.map(|sender| Address::parse(sender).unwrap()),
            parameters: MailParameters::default(),
            international: false,
        })
    }

    #[test]
    fn commands() {
        check("QUIT", Ok(Command::Quit));
        check("quit  ", Ok(Command::Quit));
        check("QUIT now", Err(Error::Syntax("no arguments allowed")));
        check("NOOP what ever", Ok(Command::Noop));
        check(
            "EHLO a.example",
            Ok(Command::Hello(Hello::Ehlo, "a.example".into())),
        );
        check("EHLO", Err(Error::Syntax("one name expected")));
        check("EHLO a b", Err(Error::Syntax("one name expected")));
        check("MAIL FROM:<>", mail_from(None));
        check("mail from: <a@b.example>", mail_from(Some("a@b.example")));
        check("MAIL FROM:a@b.example", Err(Error::InvalidSender));
        check("MAIL FROM:<root>", Err(Error::InvalidSender));
        check("MAIL <a@b.example>", Err(Error::Syntax("FROM:")));
        check("MAIL FROM:<postmaster>", Err(Error::InvalidSender));
        check("RCPT TO:<>", Err(Error::InvalidRecipient));
        check("RCPT TO:<bob>", Err(Error::InvalidRecipient));
        check("EXPN list", Err(Error::NotImplemented));
        check("GET / HTTP/1.1", Err(Error::NotMail));
        check("", Err(Error::UnknownCommand));
        check("MAILFROM:<a@b.example>", Err(Error::UnknownCommand));
    }

    #[test]
    fn octets_that_are_no_text() {
        for line in [&b"NOOP \x00"[..], b"NOOP \xff", b"NOOP \x7f", b"NOOP a\rb"] {
            assert_eq!(read(line), Err(Error::InvalidCharacter), "{line:?}");
        }
    }

    #[test]
    fn chunks() {
        let chunk = |size, last| Ok(Command::Bdat { size, last });
        check("BDAT 0", chunk(0, false));
        check("BDAT 86 last", chunk(86, true));
        for text in [
            "BDAT",
            "BDAT -1",
            "BDAT LAST",
            "BDAT 1 FIRST",
            "BDAT 1 LAST x",
            "BDAT +1",
        ] {
            check(text, Err(Error::InvalidChunk));
        }
        check("BDAT 9999999999999999999", Err(Error::InvalidChunk));
        check("bdat\t5", Err(Error::InvalidChunk));
        check("BDAT5", Err(Error::InvalidChunk));
        assert_eq!(read(b"BDAT 5\0"), Err(Error::InvalidChunk));
    }
}
