//! What the protocol is at: commands in, and what follows from each.
//!
//! No octet is read or written here and nothing waits, so that every order of commands can be
//! tried by a test. A command that has no place where it comes is an error, which ends the
//! connection; the MTA then defers.

use waxseal_policy::reply::Reply;

use crate::Error;
use crate::codec::{Command, Response};
use crate::facts::{Client, Macros, host};
use crate::message::{Draft, Received};
use crate::negotiation::{Agreement, Steps};
use crate::settings::Limits;

/// One connection of an MTA.
#[derive(Debug)]
pub struct Session {
    listener: String,
    limits: Limits,
    agreed: Option<Agreement>,
    macros: Macros,
    client: Option<Client>,
    message: Option<Draft>,
}

/// What follows from a command.
#[derive(Debug)]
pub enum Step {
    /// Nothing: the MTA waits for no reply.
    Silence,
    /// This reply.
    Say(Response),
    /// A message is complete: it is to be decided about, and the MTA waits.
    Decide(Box<Received>),
    /// A message is complete, and this is its reply.
    Refuse(Reply),
    /// The connection is over.
    Close,
}

impl Session {
    /// A connection to a listener of this name.
    pub fn new(listener: impl Into<String>, limits: Limits) -> Self {
        Self {
            listener: listener.into(),
            limits,
            agreed: None,
            macros: Macros::default(),
            client: None,
            message: None,
        }
    }

    /// A message has begun and not ended.
    pub fn is_in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Octets held of a message that has begun.
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, Draft::held)
    }

    /// Keeps no more of the message that has begun: it is deferred at its end.
    pub fn refuse_for_now(&mut self) {
        if let Some(draft) = &mut self.message {
            draft.refuse_for_now();
        }
    }

    /// Takes the next command.
    pub fn take(&mut self, command: Command) -> Result<Step, Error> {
        match (command, self.agreed) {
            (Command::Negotiate(offer), None) => {
                let agreed = offer.agree()?;
                self.agreed = Some(agreed);
                Ok(Step::Say(Response::Negotiated(agreed)))
            }
            (Command::Negotiate(_), Some(_)) => Err(Error::OutOfOrder("a second negotiation")),
            (Command::Quit, _) => Ok(Step::Close),
            (_, None) => Err(Error::OutOfOrder("a command before the negotiation")),
            (command, Some(agreed)) => self.event(command, agreed),
        }
    }

    fn event(&mut self, command: Command, agreed: Agreement) -> Result<Step, Error> {
        let spared = spared(&command);
        match command {
            Command::Macros(stage, pairs) => self.macros.set(stage, pairs)?,
            Command::Connect { name, address } => {
                self.end_message();
                self.client = Some(Client::new(&name, address.as_deref()));
            }
            Command::Helo(name) => {
                self.end_message();
                self.client.get_or_insert_default().helo = Some(host(&name));
            }
            Command::Mail(arguments) => {
                self.macros.begin_message();
                self.message = Some(Draft::new(&arguments, self.macros.value("j")));
            }
            Command::EndOfBody(octets) => return self.end(&octets, agreed),
            Command::Unknown => {}
            Command::Abort => self.end_message(),
            Command::QuitKeep => {
                self.end_message();
                (self.macros, self.client) = (Macros::default(), None);
            }
            command => self.content(command, agreed)?,
        }
        Ok(match spared {
            Some(spared) if !agreed.steps.has(spared) => Step::Say(Response::Continue),
            _ => Step::Silence,
        })
    }

    /// What belongs to a message after MAIL.
    fn content(&mut self, command: Command, agreed: Agreement) -> Result<(), Error> {
        let draft = self.message.as_mut();
        let draft = draft.ok_or(Error::OutOfOrder("part of a message without MAIL"))?;
        match command {
            Command::Rcpt(arguments) => {
                draft.rcpt(&arguments, self.macros.value("j"), &self.limits);
            }
            Command::Header { name, value } => {
                draft.header(&name, &value, agreed.steps, &self.limits)?;
            }
            Command::EndOfHeader => draft.end_of_header(),
            Command::Body(octets) => draft.body(&octets, &self.limits),
            // DATA says nothing more.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, octets: &[u8], agreed: Agreement) -> Result<Step, Error> {
        let draft = self.message.take();
        let mut draft = draft.ok_or(Error::OutOfOrder("the end of no message"))?;
        draft.body(octets, &self.limits);
        let client = self.client.clone().unwrap_or_default();
        let session = client.session(&self.listener, &self.macros, draft.recipient_count());
        let queue_id = self.macros.value("i").map(str::to_owned);
        self.end_message();
        Ok(match draft.finish(agreed, queue_id, session) {
            Ok(received) => Step::Decide(Box::new(received)),
            Err(reply) => Step::Refuse(reply),
        })
    }

    fn end_message(&mut self) {
        self.message = None;
        self.macros.end_message();
    }
}

/// With what agreed an event gets no reply; `None`: it never gets one.
fn spared(command: &Command) -> Option<Steps> {
    Some(match command {
        Command::Connect { .. } => Steps::NO_REPLY_CONNECT,
        Command::Helo(_) => Steps::NO_REPLY_HELO,
        Command::Mail(_) => Steps::NO_REPLY_MAIL,
        Command::Rcpt(_) => Steps::NO_REPLY_RCPT,
        Command::Data => Steps::NO_REPLY_DATA,
        Command::Unknown => Steps::NO_REPLY_UNKNOWN,
        Command::Header { .. } => Steps::NO_REPLY_HEADER,
        Command::EndOfHeader => Steps::NO_REPLY_END_OF_HEADER,
        Command::Body(_) => Steps::NO_REPLY_BODY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Packets, Stage};
    use crate::negotiation::{Actions, Offer};

    const LIMITS: Limits = Limits {
        message: 200,
        recipients: 3,
    };

    fn session(steps: u32) -> Session {
        let mut session = Session::new("in", LIMITS);
        let offer = Offer {
            version: 6,
            actions: Actions(0x1ff),
            steps: Steps(steps),
        };
        session.take(Command::Negotiate(offer)).unwrap();
        session
    }

    /// Few words, so that orders that make sense are common among the arbitrary ones.
    fn command() -> impl Strategy<Value = Command> {
        let octets = || {
            let few = prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
            prop_oneof![few, Just(Bytes::from_static(b"<a@example.org>"))]
        };
        let path = move || prop::collection::vec(octets(), 0..3);
        let header = (prop_oneof!["[A-C]{1,3}", "[ -~]{0,3}"], octets());
        prop_oneof![
            (octets(), octets()).prop_map(|pair| Command::Macros(Stage::Mail, vec![pair])),
            (octets(), proptest::option::of(octets()))
                .prop_map(|(name, address)| Command::Connect { name, address }),
            octets().prop_map(Command::Helo),
            path().prop_map(Command::Mail),
            path().prop_map(Command::Rcpt),
            Just(Command::Data),
            Just(Command::Unknown),
            header.prop_map(|(name, value)| Command::Header {
                name: name.into(),
                value,
            }),
            Just(Command::EndOfHeader),
            octets().prop_map(Command::Body),
            octets().prop_map(Command::EndOfBody),
            Just(Command::Abort),
            Just(Command::Quit),
            Just(Command::QuitKeep),
            Just(Command::Negotiate(Offer {
                version: 6,
                actions: Actions(0),
                steps: Steps(0),
            })),
        ]
    }

    /// What must hold of a message, whatever led to it.
    fn sound(received: &Received) -> Result<(), TestCaseError> {
        prop_assert!(received.octets.len() <= LIMITS.message + 2);
        prop_assert!(received.recipients.len() <= LIMITS.recipients);
        // The policy sees the fields that the MTA has, and no others.
        let limits = waxseal_message::Limits::UNLIMITED;
        let message = waxseal_message::Message::parse(received.octets.clone(), &limits).unwrap();
        let fields: Vec<_> = message.fields().map(|field| field.raw()).collect();
        let own: Vec<_> = (0..received.fields.len())
            .map(|index| received.field(index))
            .collect();
        prop_assert_eq!(fields, own);
        prop_assert_eq!(&message.body()[..], &received.octets[received.body..]);
        Ok(())
    }

    proptest! {
        #[test]
        fn any_order_of_commands_has_an_answer(
            steps in any::<u32>(), commands in prop::collection::vec(command(), 0..40),
        ) {
            let mut session = session(steps);
            for command in commands {
                let ends = matches!(command, Command::EndOfBody(_));
                let began = session.is_in_message();
                match session.take(command) {
                    Ok(Step::Decide(received)) => {
                        prop_assert!(ends && began);
                        sound(&received)?;
                    }
                    Ok(Step::Refuse(reply)) => prop_assert!(ends && began && reply.code >= 400),
                    Ok(Step::Close) | Err(_) => break,
                    Ok(Step::Say(response)) => prop_assert_eq!(response, Response::Continue),
                    Ok(Step::Silence) => {}
                }
                prop_assert!(!ends || !session.is_in_message());
            }
        }

        #[test]
        fn any_octets_have_an_answer(
            octets in prop::collection::vec(any::<u8>(), 0..200), begun in any::<bool>(),
        ) {
            let mut session = match begun {
                true => session(0x1f_ffff),
                false => Session::new("in", LIMITS),
            };
            let mut packets = Packets::default();
            packets.buffer().extend_from_slice(&octets);
            while let Ok(Some((command, data))) = packets.next_packet() {
                let taken = Command::parse(command, data).and_then(|c| session.take(c));
                if matches!(taken, Err(_) | Ok(Step::Close)) {
                    break;
                }
            }
        }

        #[test]
        fn octets_that_are_nearly_right_have_an_answer(
            packets_of in prop::collection::vec(
                (prop::sample::select(b"ODCHMRTULNBEAQK".to_vec()), "[\\x00a-c46<>@=.]{0,12}"), 0..30,
            ),
        ) {
            let mut session = session(0);
            for (command, data) in packets_of {
                let taken = Command::parse(command, Bytes::from(data)).and_then(|c| session.take(c));
                // One connection goes on where another would end, to come further.
                if let Ok(Step::Decide(received)) = taken {
                    sound(&received)?;
                }
            }
        }
    }
}
