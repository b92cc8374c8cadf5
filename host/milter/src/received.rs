//! The trace field of what we re-inject (RFC 5321 §4.4), and mail that goes in circles (§6.3).
//!
//! An MTA does not show us the Received field that it puts on a message, so that what goes around
//! it would not say whom it came from. And what comes back through the same listener, because its
//! re-injection is filtered again, could not be told from new mail.

use std::time::SystemTime;

use waxseal_engine::Disposition;
use waxseal_message::{DateTime, Message};
use waxseal_policy::transaction::Session;
use waxseal_relay::trace::{MOST_PASSES, address_literal, by, is_by, token};

use crate::edits::FieldView;
use crate::message::Received;

/// Who writes the field.
pub(crate) struct Trace<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) listener: &'a str,
}

impl Trace<'_> {
    /// Has the message come this way too often?
    pub(crate) fn is_loop(&self, received: &Received) -> bool {
        let by = by(self.hostname, self.listener);
        let ours = (0..received.fields.len())
            .map(|index| FieldView::of(received.field(index)))
            .filter(|field| field.name.eq_ignore_ascii_case(b"received"))
            .filter(|field| is_by(&by, field.value));
        ours.count() > MOST_PASSES
    }

    /// Puts the field on what goes to the next hop.
    pub(crate) fn mark(&self, disposition: &mut Disposition, session: &Session, id: &str) {
        let copies = match disposition {
            Disposition::Deliver(delivery) => &mut delivery.copies[..],
            Disposition::Quarantine {
                copy: Some(copy), ..
            } => std::slice::from_mut(copy),
            _ => &mut [],
        };
        let value = self.value(session, id, SystemTime::now());
        for copy in copies {
            copy.message = marked(&copy.message, &value);
        }
    }

    fn value(&self, session: &Session, id: &str, time: SystemTime) -> String {
        let helo = session.helo.as_deref().unwrap_or("unknown");
        let name = session.client_name.as_deref().unwrap_or("unknown");
        let ip = session.client_ip.map(address_literal);
        format!(
            "from {} ({}{}) {} id {}; {}",
            token(helo),
            token(name),
            ip.map_or_else(String::new, |ip| format!(" {ip}")),
            by(self.hostname, self.listener),
            token(id),
            DateTime::from(time).to_rfc5322(),
        )
    }
}

/// The value has no control character, so that the message takes it.
fn marked(message: &Message, value: &str) -> Message {
    let marked = message.with_field_added("Received", value);
    marked.unwrap_or_else(|_| message.clone())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::message::Draft;
    use crate::negotiation::{Actions, Agreement, Steps};
    use crate::settings::Limits;

    const TRACE: Trace<'_> = Trace {
        hostname: "gw.example.org",
        listener: "mx",
    };

    fn session() -> Session {
        Session {
            helo: Some("laptop(x)".into()),
            client_name: Some("client.example".into()),
            client_ip: Some("::ffff:192.0.2.1".parse().unwrap()),
            ..Session::default()
        }
    }

    #[test]
    fn the_field_says_whom_it_came_from() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_532_400);
        assert_eq!(
            TRACE.value(&session(), "7f", time),
            "from laptop?x? (client.example [192.0.2.1]) by gw.example.org (waxseal/mx) id 7f; \
             Tue, 24 Nov 2026 15:00:00 +0000"
        );
        let nothing = TRACE.value(&Session::default(), "7f", time);
        assert!(
            nothing.starts_with("from unknown (unknown) by gw"),
            "{nothing}"
        );
    }

    /// A message that came this way so often, its fields folded as they are when it comes back.
    fn rounds(rounds: usize) -> Received {
        let limits = waxseal_message::Limits::default();
        let mut message = Message::parse("Subject: x\r\n\r\n", &limits).unwrap();
        for _ in 0..rounds {
            let value = TRACE.value(&session(), "7f", UNIX_EPOCH);
            message = marked(&message, &value);
        }
        let mut draft = Draft::new(&["<a@example.org>".into()], None);
        for field in message.fields() {
            let value = field.raw_value().strip_suffix(b"\r\n").unwrap();
            let (name, limits) = (field.name().as_bytes(), Limits::default());
            draft
                .header(name, value, Steps::LEADING_SPACE, &limits)
                .unwrap();
        }
        let agreed = Agreement {
            version: 6,
            actions: Actions(0),
            steps: Steps::LEADING_SPACE,
        };
        draft.finish(agreed, None, Session::default()).unwrap()
    }

    #[test]
    fn what_comes_back_again_and_again_is_a_loop() {
        assert!(!TRACE.is_loop(&rounds(0)));
        assert!(!TRACE.is_loop(&rounds(MOST_PASSES)));
        assert!(TRACE.is_loop(&rounds(MOST_PASSES + 1)));
        let other = Trace {
            listener: "submission",
            ..TRACE
        };
        assert!(!other.is_loop(&rounds(MOST_PASSES + 1)));
    }
}
