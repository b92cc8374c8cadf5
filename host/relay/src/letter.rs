//! One transaction to the next hop: envelope and content as commands and lines.

use waxseal_message::{Address, Message};
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};

use crate::capabilities::Capabilities;
use crate::dsn;
use crate::stuffing::{self, BadLine};

/// RFC 5321 §4.5.3.1.8: every server takes so many recipients of one message; more are written
/// in further letters.
const RECIPIENTS: usize = 100;

/// A message for some recipients.
#[derive(Clone)]
pub(crate) struct Letter {
    /// Names the message in our logs.
    pub(crate) id: String,
    pub(crate) message: Message,
    pub(crate) sender: Option<Address>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) parameters: SenderParameters,
}

/// What MAIL says beside the reverse-path (RFC 3461 §4, RFC 6531 §3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SenderParameters {
    /// The client said SMTPUTF8.
    pub(crate) declares_utf8: bool,
    pub(crate) returns: Option<Returns>,
    /// As xtext.
    pub(crate) envelope_id: Option<String>,
}

/// RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Full,
    Headers,
}

/// The lines that begin a transaction, without DATA.
pub(crate) struct Commands {
    pub(crate) mail: String,
    pub(crate) recipients: Vec<String>,
}

impl SenderParameters {
    /// Those of the client that go on to the next hop.
    pub(crate) fn of(parameters: &[EsmtpParameter]) -> Self {
        let returns = match value(parameters, "RET") {
            Some(returns) if returns.eq_ignore_ascii_case("HDRS") => Some(Returns::Headers),
            Some(returns) if returns.eq_ignore_ascii_case("FULL") => Some(Returns::Full),
            _ => None,
        };
        Self {
            declares_utf8: find(parameters, "SMTPUTF8").is_some(),
            returns,
            envelope_id: value(parameters, "ENVID")
                .filter(|id| dsn::is_value(id))
                .map(str::to_owned),
        }
    }
}

impl Letter {
    /// The same for at most so many recipients each as every next hop takes.
    pub(crate) fn split(self) -> Vec<Self> {
        let part = |recipients: &[Recipient]| Self {
            recipients: recipients.to_vec(),
            ..self.clone()
        };
        self.recipients.chunks(RECIPIENTS).map(part).collect()
    }

    /// The slices of DATA without its end.
    pub(crate) fn slices(&self) -> Vec<&[u8]> {
        stuffing::stuffed(&self.segments())
    }

    fn segments(&self) -> [&[u8]; 2] {
        [self.message.head(), self.message.body()]
    }

    /// How to say it to this next hop, or why it cannot be said.
    pub(crate) fn commands(&self, offers: &Capabilities) -> Result<Commands, Reply> {
        self.sendable(offers)?;
        Ok(Commands {
            mail: self.mail(offers),
            recipients: self
                .recipients
                .iter()
                .map(|recipient| rcpt(recipient, offers))
                .collect(),
        })
    }

    fn sendable(&self, offers: &Capabilities) -> Result<(), Reply> {
        stuffing::check(&self.segments()).map_err(bare)?;
        if offers.is_too_large(self.octets()) {
            return Err(Reply::new(552, "5.3.4", "too large for the next hop"));
        }
        // RFC 6152 §3: 8-bit content is not sent to who does not take it. The engine makes what
        // it protects 7-bit; what it left alone waits until the operator mends the next hop.
        if !offers.eight_bit_mime && !self.is_ascii() {
            return Err(Reply::deferral(
                "4.6.3",
                "the next hop does not take 8BITMIME",
            ));
        }
        if !offers.smtp_utf8 && self.must_declare_utf8() {
            return Err(Reply::deferral(
                "4.6.7",
                "the next hop does not take SMTPUTF8",
            ));
        }
        Ok(())
    }

    /// RFC 1870 §5: without the dots that stuffing adds, with the last line end.
    fn octets(&self) -> usize {
        let [head, body] = self.segments();
        let last = body.last().or(head.last());
        let added = if last.is_none_or(|octet| *octet == b'\n') {
            0
        } else {
            2
        };
        head.len() + body.len() + added
    }

    fn is_ascii(&self) -> bool {
        self.segments().iter().all(|segment| segment.is_ascii())
    }

    /// RFC 6531 §3.2: addresses or header fields are not ASCII. A header with 8-bit octets in a
    /// message that never claimed to be internationalised is only broken.
    fn must_declare_utf8(&self) -> bool {
        let recipients = self.recipients.iter().map(|recipient| &recipient.address);
        let mut addresses = self.sender.iter().chain(recipients);
        addresses.any(|address| !address.local().is_ascii())
            || (self.parameters.declares_utf8 && !self.message.head().is_ascii())
    }

    /// Header fields of inner parts may be UTF-8 too.
    fn declares_utf8(&self) -> bool {
        self.must_declare_utf8() || (self.parameters.declares_utf8 && !self.is_ascii())
    }

    fn mail(&self, offers: &Capabilities) -> String {
        let path = self
            .sender
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut line = format!("MAIL FROM:<{path}>");
        if offers.size.is_some() {
            line += &format!(" SIZE={}", self.octets());
        }
        if offers.eight_bit_mime && !self.is_ascii() {
            line += " BODY=8BITMIME";
        }
        if offers.smtp_utf8 && self.declares_utf8() {
            line += " SMTPUTF8";
        }
        // RFC 3461 §5.2.2 (a): none of these to who does not know them.
        if offers.dsn {
            match self.parameters.returns {
                Some(Returns::Headers) => line += " RET=HDRS",
                Some(Returns::Full) => line += " RET=FULL",
                None => {}
            }
            if let Some(id) = &self.parameters.envelope_id {
                line += &format!(" ENVID={id}");
            }
        }
        line
    }
}

fn rcpt(recipient: &Recipient, offers: &Capabilities) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if !offers.dsn {
        return line;
    }
    let parameters = &recipient.parameters;
    if let Some(notify) = value(parameters, "NOTIFY").filter(|notify| dsn::is_notify(notify)) {
        line += &format!(" NOTIFY={notify}");
    }
    if let Some(original) = original_recipient(parameters) {
        // RFC 6533 §3: only ASCII to who does not take SMTPUTF8.
        let original = match offers.smtp_utf8 {
            true => original.to_owned(),
            false => dsn::escape_non_ascii(original),
        };
        line += &format!(" ORCPT={original}");
    }
    line
}

/// `rfc822;bob@example.net`, as xtext (RFC 3461 §4.2).
pub(crate) fn original_recipient(parameters: &[EsmtpParameter]) -> Option<&str> {
    value(parameters, "ORCPT").filter(|original| {
        let parts = original.split_once(';');
        parts.is_some_and(|(kind, address)| {
            !kind.is_empty() && dsn::is_value(kind) && dsn::is_utf8_value(address)
        })
    })
}

/// Does the sender want to hear that this recipient did not get it? RFC 3461 §5.2.6: without
/// NOTIFY, yes.
pub(crate) fn wants_failures(recipient: &Recipient) -> bool {
    let notify = value(&recipient.parameters, "NOTIFY").filter(|notify| dsn::is_notify(notify));
    notify.is_none_or(|notify| {
        notify
            .split(',')
            .any(|word| word.eq_ignore_ascii_case("FAILURE"))
    })
}

pub(crate) fn value<'a>(parameters: &'a [EsmtpParameter], name: &str) -> Option<&'a str> {
    find(parameters, name)?.value.as_deref()
}

fn find<'a>(parameters: &'a [EsmtpParameter], name: &str) -> Option<&'a EsmtpParameter> {
    parameters
        .iter()
        .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

fn bare(line: BadLine) -> Reply {
    let text = match line {
        BadLine::BareCr => "a carriage return without line feed in the message",
        BadLine::BareLf => "a line feed without carriage return in the message",
    };
    Reply::new(550, "5.6.11", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_message::Limits;

    const ALL: Capabilities = Capabilities {
        size: Some(0),
        pipelining: true,
        eight_bit_mime: true,
        smtp_utf8: true,
        dsn: true,
        enhanced_status_codes: true,
        chunking: true,
        start_tls: true,
    };

    fn parameters(text: &str) -> Vec<EsmtpParameter> {
        let parameter = |word: &str| {
            let (name, value) = word
                .split_once('=')
                .map_or((word, None), |(n, v)| (n, Some(v.to_owned())));
            EsmtpParameter {
                name: name.to_owned(),
                value,
            }
        };
        text.split_whitespace().map(parameter).collect()
    }

    fn letter(to: &str, mail: &str, rcpt: &str, octets: &[u8]) -> Letter {
        Letter {
            id: "ID1".to_owned(),
            message: Message::parse(octets.to_vec(), &Limits::UNLIMITED).unwrap(),
            sender: Some(Address::parse("alice@example.org").unwrap()),
            recipients: vec![Recipient {
                address: Address::parse(to).unwrap(),
                parameters: parameters(rcpt),
            }],
            parameters: SenderParameters::of(&parameters(mail)),
        }
    }

    /// The commands, or the reply that stands for them.
    fn check(letter: &Letter, offers: &Capabilities, expected: &str) {
        let said = match letter.commands(offers) {
            Ok(commands) => format!("{} | {}", commands.mail, commands.recipients.join(" | ")),
            Err(reply) => reply.to_string(),
        };
        assert_eq!(said, expected);
    }

    const PLAIN: &[u8] = b"Subject: x\r\n\r\nbody\r\n";
    const EIGHT: &[u8] = b"Subject: x\r\n\r\nb\xf6dy\r\n";
    const UTF8: &[u8] = b"Subject: \xc3\xb6\r\n\r\nbody";

    #[test]
    fn dsn_parameters_go_to_who_offers_dsn() {
        let mail = "RET=full ENVID=q+2B1 AUTH=<> X=y SIZE=5";
        let rcpt = "NOTIFY=SUCCESS,failure ORCPT=rfc822;b+2Bx@example.net";
        let letter = letter("b@example.net", mail, rcpt, PLAIN);
        check(
            &letter,
            &ALL,
            "MAIL FROM:<alice@example.org> SIZE=20 RET=FULL ENVID=q+2B1 \
             | RCPT TO:<b@example.net> NOTIFY=SUCCESS,failure ORCPT=rfc822;b+2Bx@example.net",
        );
        check(
            &letter,
            &Capabilities::default(),
            "MAIL FROM:<alice@example.org> | RCPT TO:<b@example.net>",
        );
    }

    #[test]
    fn parameters_that_are_none_are_left_out() {
        let mail = "RET=ALL ENVID=a=b SMTPUTF8";
        let mut letter = letter("b@example.net", mail, "NOTIFY=NEVER,DELAY ORCPT=b", PLAIN);
        letter.recipients[0].parameters.push(EsmtpParameter {
            name: "ORCPT".to_owned(),
            value: Some("rfc822;b\r\nDATA".to_owned()),
        });
        letter.recipients[0].parameters.remove(1);
        check(
            &letter,
            &ALL,
            "MAIL FROM:<alice@example.org> SIZE=20 | RCPT TO:<b@example.net>",
        );
    }

    #[test]
    fn eight_bit_and_utf8_as_the_content_needs() {
        let body = letter("b@example.net", "", "", EIGHT);
        check(
            &body,
            &ALL,
            "MAIL FROM:<alice@example.org> SIZE=20 BODY=8BITMIME | RCPT TO:<b@example.net>",
        );
        let none = Capabilities::default();
        check(
            &body,
            &none,
            "451 4.6.3 the next hop does not take 8BITMIME",
        );
        let header = letter("b@example.net", "SMTPUTF8", "", UTF8);
        // The line end that is missing is counted.
        check(
            &header,
            &ALL,
            "MAIL FROM:<alice@example.org> SIZE=21 BODY=8BITMIME SMTPUTF8 | RCPT TO:<b@example.net>",
        );
        let eight = Capabilities {
            eight_bit_mime: true,
            ..none.clone()
        };
        check(
            &header,
            &eight,
            "451 4.6.7 the next hop does not take SMTPUTF8",
        );
        let address = letter("bøb@example.net", "", "", PLAIN);
        check(
            &address,
            &none,
            "451 4.6.7 the next hop does not take SMTPUTF8",
        );
        check(
            &address,
            &ALL,
            "MAIL FROM:<alice@example.org> SIZE=20 SMTPUTF8 | RCPT TO:<bøb@example.net>",
        );
        // It never claimed to be more than broken.
        check(
            &letter("b@example.net", "", "", UTF8),
            &eight,
            "MAIL FROM:<alice@example.org> BODY=8BITMIME | RCPT TO:<b@example.net>",
        );
    }

    #[test]
    fn an_internationalised_original_recipient_is_escaped_for_old_servers() {
        let letter = letter("b@example.net", "", "ORCPT=utf-8;bøb@example.net", PLAIN);
        let offers = Capabilities {
            dsn: true,
            ..Capabilities::default()
        };
        check(
            &letter,
            &offers,
            "MAIL FROM:<alice@example.org> | \
             RCPT TO:<b@example.net> ORCPT=utf-8;b\\x{F8}b@example.net",
        );
    }

    #[test]
    fn content_that_cannot_be_sent_is_named() {
        let none = Capabilities::default();
        let bare = letter("b@example.net", "", "", b"Subject: x\r\n\r\na\n.\r\n");
        check(
            &bare,
            &none,
            "550 5.6.11 a line feed without carriage return in the message",
        );
        let small = Capabilities {
            size: Some(19),
            ..none
        };
        check(
            &letter("b@example.net", "", "", PLAIN),
            &small,
            "552 5.3.4 too large for the next hop",
        );
    }

    #[test]
    fn many_recipients_are_several_letters() {
        let mut letter = letter("b@example.net", "", "", PLAIN);
        letter.recipients = vec![letter.recipients[0].clone(); 250];
        let counts: Vec<_> = letter
            .split()
            .iter()
            .map(|part| part.recipients.len())
            .collect();
        assert_eq!(counts, [100, 100, 50]);
    }

    #[test]
    fn notify_says_who_wants_to_hear() {
        let wants = |notify: &str| {
            let letter = letter("b@example.net", "", notify, PLAIN);
            wants_failures(&letter.recipients[0])
        };
        assert!(wants("") && wants("NOTIFY=failure") && wants("NOTIFY=SUCCESS,FAILURE"));
        assert!(wants("NOTIFY=nonsense") && wants("NOTIFY"));
        assert!(!wants("NOTIFY=NEVER") && !wants("NOTIFY=SUCCESS,DELAY"));
    }
}
