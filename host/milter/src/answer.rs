//! What an outcome becomes: responses to the MTA, or a way around it.
//!
//! A milter can change one message for all of its recipients. That is done in place, so that
//! the MTA keeps what it knows about the message. Everything else (copies that differ,
//! recipients refused alone, plain text that no report may return) is given to the next hop,
//! and the MTA forgets its own copy. What can be done neither way is deferred, with the reason.

use std::collections::BTreeSet;

use bytes::Bytes;
use waxseal_engine::{Delivery, Disposition, LayerMade, OutgoingCopy};
use waxseal_message::Address;
use waxseal_policy::reply::{Reply, printable};
use waxseal_policy::transaction::{Ability, EsmtpParameter};
use waxseal_service::Ending;

use crate::codec::{LONGEST_RESPONSE, Response};
use crate::edits::{self, FieldView, Inexpressible};
use crate::message::Received;
use crate::negotiation::{Actions, Agreement};
use crate::reply;

/// What the MTA is told, the deciding word last, and what that means for the message.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) responses: Vec<Response>,
    pub(crate) ending: Ending,
    /// A word for metrics.
    pub(crate) name: &'static str,
}

/// What is to be done about a message.
#[derive(Debug)]
pub(crate) enum Way {
    /// Tell the MTA.
    Say(Answer),
    /// Give the outcome to the next hop, and have the MTA forget the message if that takes it.
    Relay,
}

/// Whether there is a next hop for re-injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextHop {
    Some,
    None,
}

/// What a policy may ask of this MTA.
pub(crate) fn abilities(agreed: Agreement, hop: NextHop) -> BTreeSet<Ability> {
    let hop = hop == NextHop::Some;
    let may = |action| agreed.actions.has(action);
    let able = [
        (Ability::Route, hop),
        (Ability::SetSender, hop || may(Actions::CHANGE_SENDER)),
        (Ability::Quarantine, hop || may(Actions::QUARANTINE)),
    ];
    let able = able.into_iter().filter(|(_, able)| *able);
    able.map(|(ability, _)| ability).collect()
}

/// The way for an outcome.
pub(crate) fn way(received: &Received, disposition: &Disposition, hop: NextHop, id: &str) -> Way {
    let answer = match disposition {
        Disposition::Deliver(delivery) => return deliver(received, delivery, hop, id),
        Disposition::Reject(refused) => refusal(&refused.reply, id, "reject"),
        Disposition::Defer(refused) => refusal(&refused.reply, id, "defer"),
        Disposition::Quarantine { copy: Some(_), .. } => {
            return around(hop, Cannot::Quarantine, id);
        }
        Disposition::Quarantine {
            reason,
            must_encrypt,
            copy: None,
        } => quarantine(received, reason, *must_encrypt, id),
        Disposition::Discard => discard("discard"),
    };
    Way::Say(answer)
}

/// The answer when the next hop has given its reply: only what it took is discarded.
pub(crate) fn relayed(reply: &Reply, id: &str) -> Answer {
    match reply.code {
        200..=299 => discard("relay"),
        500..=599 => refusal(reply, id, "reject"),
        _ => refusal(reply, id, "defer"),
    }
}

/// The message is refused or deferred.
pub(crate) fn refusal(reply: &Reply, id: &str, name: &'static str) -> Answer {
    Answer {
        responses: vec![Response::Reply(reply::octets(reply, id))],
        ending: Ending::Replied(reply.clone()),
        name,
    }
}

/// The message is deferred for a reason of ours.
pub(crate) fn deferral(enhanced: &str, text: &str, id: &str) -> Answer {
    refusal(&Reply::deferral(enhanced, text), id, "defer")
}

fn discard(name: &'static str) -> Answer {
    Answer {
        responses: vec![Response::Discard],
        ending: Ending::Dropped,
        name,
    }
}

/// Around the MTA, if there is a way.
fn around(hop: NextHop, cannot: Cannot, id: &str) -> Way {
    if hop == NextHop::Some {
        return Way::Relay;
    }
    let text = format!("{} and no next hop is set", cannot.as_str());
    Way::Say(deferral("4.3.5", &text, id))
}

/// DESIGN §8: the MTA's own hold queue is only for what may leave in clear, for whoever
/// releases it there does not pass the policy again.
fn quarantine(received: &Received, reason: &str, must_encrypt: bool, id: &str) -> Answer {
    match received.agreed.actions.has(Actions::QUARANTINE) {
        true if !must_encrypt => Answer {
            responses: vec![Response::Quarantine(listed(reason)), Response::Accept],
            ending: Ending::Held,
            name: "quarantine",
        },
        true => deferral("4.7.1", "held mail would leave unencrypted", id),
        false => deferral("4.7.1", "the MTA does not let this filter hold mail", id),
    }
}

/// A reason ends up in the MTA's log and queue listing.
fn listed(reason: &str) -> String {
    match reason.is_empty() {
        true => "quarantined by policy".to_owned(),
        false => printable(reason, 200),
    }
}

fn deliver(received: &Received, delivery: &Delivery, hop: NextHop, id: &str) -> Way {
    match in_place(received, delivery, hop) {
        Ok(responses) if responses.is_empty() => Way::Say(Answer {
            responses: vec![Response::Accept],
            ending: Ending::Unchanged,
            name: "accept",
        }),
        Ok(mut responses) => {
            // The last word: until it is said, the MTA defers when we are gone (DESIGN §8).
            responses.push(Response::Accept);
            Way::Say(Answer {
                responses,
                ending: Ending::Edited,
                name: "edit",
            })
        }
        Err(cannot) => around(hop, cannot, id),
    }
}

/// Why something cannot be done in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cannot {
    Quarantine,
    Copies,
    Refusals,
    Decrypted,
    Actions,
    Field,
    Path,
}

impl Cannot {
    fn as_str(self) -> &'static str {
        match self {
            Cannot::Quarantine => "what is quarantined goes to an address",
            Cannot::Copies => "recipients get different copies",
            Cannot::Refusals => "some recipients are refused",
            Cannot::Decrypted => "reports must not return what was decrypted",
            Cannot::Actions => "the MTA does not grant this filter the changes",
            Cannot::Field => "a header field is too long for the MTA",
            Cannot::Path => "an address cannot be handed to the MTA",
        }
    }
}

/// The changes that make the MTA's message the one copy; none when it is that already.
fn in_place(
    received: &Received,
    delivery: &Delivery,
    hop: NextHop,
) -> Result<Vec<Response>, Cannot> {
    let [copy] = delivery.copies.as_slice() else {
        return Err(Cannot::Copies);
    };
    if !delivery.refusals.is_empty() {
        return Err(Cannot::Refusals);
    }
    let opened = copy.decrypted && !copy.layers.contains(&LayerMade::Encrypted);
    if opened && hop == NextHop::Some {
        return Err(Cannot::Decrypted);
    }
    // Postfix wants the pieces of a body in a row: header, envelope, body.
    let mut responses = header(received, copy)?;
    responses.extend(envelope(received, delivery, copy, opened)?);
    responses.extend(body(received, copy)?);
    Ok(responses)
}

fn granted(received: &Received, needed: &[Actions]) -> Result<(), Cannot> {
    let actions = received.agreed.actions;
    match needed.iter().all(|needed| actions.has(*needed)) {
        true => Ok(()),
        false => Err(Cannot::Actions),
    }
}

fn header(received: &Received, copy: &OutgoingCopy) -> Result<Vec<Response>, Cannot> {
    let old: Vec<_> = (0..received.fields.len())
        .map(|index| FieldView::of(received.field(index)))
        .collect();
    let fields = copy.message.fields();
    let new: Vec<_> = fields
        .map(|field| FieldView {
            name: field.name().as_bytes(),
            value: field.raw_value(),
        })
        .collect();
    let responses = edits::responses(&old, &new, received.agreed.steps)
        .map_err(|Inexpressible| Cannot::Field)?;
    if !responses.is_empty() {
        granted(received, &[Actions::ADD_HEADERS, Actions::CHANGE_HEADERS])?;
    }
    Ok(responses)
}

fn body(received: &Received, copy: &OutgoingCopy) -> Result<Vec<Response>, Cannot> {
    let new = copy.message.body();
    if *new == received.octets[received.body..] {
        return Ok(Vec::new());
    }
    granted(received, &[Actions::CHANGE_BODY])?;
    Ok(match new.is_empty() {
        true => vec![Response::ReplaceBody(Bytes::new())],
        false => (0..new.len())
            .step_by(LONGEST_RESPONSE)
            .map(|start| new.slice(start..new.len().min(start + LONGEST_RESPONSE)))
            .map(Response::ReplaceBody)
            .collect(),
    })
}

fn envelope(
    received: &Received,
    delivery: &Delivery,
    copy: &OutgoingCopy,
    opened: bool,
) -> Result<Vec<Response>, Cannot> {
    let mut responses = Vec::new();
    responses.extend(sender(received, delivery, opened)?);
    let had = received.recipients.iter().map(|r| &r.recipient.address);
    let had: BTreeSet<&Address> = had.collect();
    let has: BTreeSet<&Address> = copy.recipients.iter().map(|r| &r.address).collect();
    for added in copy.recipients.iter().filter(|r| !had.contains(&r.address)) {
        granted(received, &[Actions::ADD_RECIPIENTS])?;
        let parameters = parameters(&added.parameters);
        if parameters.is_some() {
            granted(received, &[Actions::ADD_RECIPIENTS_WITH_PARAMETERS])?;
        }
        responses.push(Response::AddRecipient(
            path(Some(&added.address))?,
            parameters,
        ));
    }
    let mut gone = BTreeSet::new();
    for removed in &received.recipients {
        if !has.contains(&removed.recipient.address) && gone.insert(&removed.path) {
            granted(received, &[Actions::DELETE_RECIPIENTS])?;
            responses.push(Response::DeleteRecipient(removed.path.clone()));
        }
    }
    Ok(responses)
}

/// Another reverse-path. It also carries RET=HDRS for what came encrypted and goes on in clear
/// (DESIGN §8): an MTA that grants it does not return the content in a report.
fn sender(
    received: &Received,
    delivery: &Delivery,
    opened: bool,
) -> Result<Option<Response>, Cannot> {
    let may = received.agreed.actions.has(Actions::CHANGE_SENDER);
    if delivery.sender == received.sender {
        // Nobody is sent a report about mail from the null reverse-path; without the action the
        // MTA's own settings must keep content out of reports, as those of our samples do.
        let hdrs = opened && may && received.sender.is_some() && !returns_header(received);
        let path = String::from_utf8_lossy(&received.sender_path).into_owned();
        return Ok(hdrs.then(|| Response::ChangeSender(path, Some(header_only(received)))));
    }
    granted(received, &[Actions::CHANGE_SENDER])?;
    let parameters = opened.then(|| header_only(received));
    let path = path(delivery.sender.as_ref())?;
    Ok(Some(Response::ChangeSender(path, parameters)))
}

/// RFC 3461 §4.3.
fn returns_header(received: &Received) -> bool {
    let mut parameters = received.sender_parameters.iter();
    parameters.any(|parameter| {
        let value = parameter.value.as_deref().unwrap_or_default();
        parameter.name.eq_ignore_ascii_case("RET") && value.eq_ignore_ascii_case("HDRS")
    })
}

/// RET=HDRS with the envelope id, which goes with it: Sendmail forgets the parameters that are
/// not said again, Postfix knows no others here.
fn header_only(received: &Received) -> String {
    let mut parameters = received.sender_parameters.iter();
    let envid = parameters.find(|parameter| parameter.name.eq_ignore_ascii_case("ENVID"));
    match envid.and_then(|envid| envid.value.as_deref()) {
        Some(value) => format!("RET=HDRS ENVID={value}"),
        None => "RET=HDRS".to_owned(),
    }
}

/// As MTAs read it; no address of ours has a control character.
fn path(address: Option<&Address>) -> Result<String, Cannot> {
    let path = match address {
        Some(address) => format!("<{address}>"),
        None => "<>".to_owned(),
    };
    match path.contains(char::is_control) {
        true => Err(Cannot::Path),
        false => Ok(path),
    }
}

fn parameters(parameters: &[EsmtpParameter]) -> Option<String> {
    let written: Vec<String> = parameters
        .iter()
        .map(|parameter| match &parameter.value {
            Some(value) => format!("{}={value}", parameter.name),
            None => parameter.name.clone(),
        })
        .collect();
    (!written.is_empty()).then(|| written.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use waxseal_engine::{Dropped, Refusal};
    use waxseal_message::{Limits, Message};
    use waxseal_policy::capabilities::{CallError, ErrorKind};
    use waxseal_policy::transaction::{Recipient, Session};

    use super::*;
    use crate::message::Forward;
    use crate::negotiation::Steps;

    const MAIL: &str = "From: alice@example.org\r\nSubject: x\r\n\r\nHello.\r\n";

    fn recipient(address: &str) -> Recipient {
        Recipient {
            address: Address::parse(address).unwrap(),
            parameters: Vec::new(),
        }
    }

    fn received(actions: u32, parameters: &[(&str, &str)]) -> Received {
        let forward = |path: &str| Forward {
            recipient: recipient(path.trim_matches(['<', '>'])),
            path: Bytes::from(path.to_owned()),
        };
        let body = MAIL.find("\r\n\r\n").unwrap() + 4;
        Received {
            agreed: Agreement {
                version: 6,
                actions: Actions(actions),
                steps: Steps::LEADING_SPACE,
            },
            queue_id: None,
            session: Session {
                properties: BTreeMap::new(),
                ..Session::default()
            },
            sender: Some(Address::parse("alice@example.org").unwrap()),
            sender_path: Bytes::from_static(b"<Alice@Example.org>"),
            sender_parameters: parameters
                .iter()
                .map(|(name, value)| EsmtpParameter {
                    name: (*name).to_owned(),
                    value: Some((*value).to_owned()),
                })
                .collect(),
            recipients: vec![forward("<bob@EXAMPLE.net>"), forward("<carol@example.net>")],
            octets: Bytes::from_static(MAIL.as_bytes()),
            fields: vec![0..25, 25..37],
            body,
        }
    }

    fn delivery(mail: &str, recipients: &[&str]) -> Delivery {
        Delivery {
            sender: Some(Address::parse("Alice@example.org").unwrap()),
            copies: vec![OutgoingCopy {
                message: Message::parse(mail.to_owned(), &Limits::default()).unwrap(),
                recipients: recipients.iter().map(|r| recipient(r)).collect(),
                layers: Vec::new(),
                decrypted: false,
                notes: Vec::new(),
            }],
            refusals: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// The message as it came, for both.
    fn both() -> Delivery {
        let mut delivery = delivery(MAIL, &["bob@example.net", "carol@example.net"]);
        delivery.sender = Some(Address::parse("alice@example.org").unwrap());
        delivery
    }

    fn check(received: &Received, delivery: Delivery, hop: NextHop, expected: &[Response]) {
        let Way::Say(answer) = way(received, &Disposition::Deliver(delivery), hop, "7f") else {
            panic!("not in place");
        };
        assert_eq!(answer.responses, expected);
    }

    fn goes_around(actions: u32, delivery: impl Fn() -> Delivery, reason: &str) {
        let received = received(actions, &[]);
        let disposition = Disposition::Deliver(delivery());
        assert!(matches!(
            way(&received, &disposition, NextHop::Some, "7f"),
            Way::Relay
        ));
        let reply = format!("451 4.3.5 id=7f {reason} and no next hop is set");
        let expected = [Response::Reply(reply.into_bytes())];
        check(&received, delivery(), NextHop::None, &expected);
    }

    #[test]
    fn one_unchanged_copy_for_all_is_accepted() {
        for hop in [NextHop::None, NextHop::Some] {
            check(&received(0, &[]), both(), hop, &[Response::Accept]);
        }
    }

    #[test]
    fn the_envelope_changes_in_place() {
        let mut changed = both();
        changed.sender = None;
        changed.copies[0].recipients = vec![
            recipient("carol@example.net"),
            recipient("dave@example.net"),
        ];
        changed.copies[0].recipients[1].parameters = vec![EsmtpParameter {
            name: "NOTIFY".into(),
            value: Some("NEVER".into()),
        }];
        changed.dropped = vec![Dropped {
            recipient: recipient("bob@example.net"),
            cause: CallError::new(ErrorKind::NotFound, "recipient.no-certificate", "none"),
        }];
        let expected = [
            Response::ChangeSender("<>".into(), None),
            Response::AddRecipient("<dave@example.net>".into(), Some("NOTIFY=NEVER".into())),
            // By the path that the MTA knows.
            Response::DeleteRecipient(Bytes::from_static(b"<bob@EXAMPLE.net>")),
            Response::Accept,
        ];
        check(&received(0xff, &[]), changed, NextHop::Some, &expected);
    }

    #[test]
    fn the_body_comes_in_pieces_and_the_decision_last() {
        let long = format!("From: alice@example.org\r\n\r\n{}", "x".repeat(70_000));
        let mut changed = both();
        changed.copies[0].message = Message::parse(long, &Limits::default()).unwrap();
        let piece = |length| Response::ReplaceBody(vec![b'x'; length].into());
        let expected = [
            Response::DeleteHeader(1, b"Subject".to_vec()),
            piece(65_535),
            piece(70_000 - 65_535),
            Response::Accept,
        ];
        check(&received(0xff, &[]), changed, NextHop::Some, &expected);
    }

    #[test]
    fn what_a_milter_cannot_say_goes_around_the_mta() {
        let copies = || {
            let mut two = both();
            two.copies
                .extend(delivery(MAIL, &["carol@example.net"]).copies);
            two
        };
        goes_around(0xff, copies, "recipients get different copies");
        let refusal = || {
            let mut one = delivery(MAIL, &["bob@example.net"]);
            one.refusals.push(Refusal {
                recipient: recipient("carol@example.net"),
                reply: Reply {
                    code: 550,
                    enhanced: None,
                    text: "no".into(),
                },
                cause: None,
            });
            one
        };
        goes_around(0xff, refusal, "some recipients are refused");
        let grants = "the MTA does not grant this filter the changes";
        let body = || {
            let mut other = both();
            let mail = MAIL.replace("Hello", "Bye");
            other.copies = delivery(&mail, &["bob@example.net", "carol@example.net"]).copies;
            other
        };
        goes_around(0xfd, body, grants);
        let header = || {
            let mut other = both();
            let mail = MAIL.replace("Subject", "X-Subject");
            other.copies = delivery(&mail, &["bob@example.net", "carol@example.net"]).copies;
            other
        };
        goes_around(0xfe, header, grants);
        goes_around(0xef, header, grants);
        let fewer = || {
            let mut fewer = delivery(MAIL, &["bob@example.net"]);
            fewer.sender = both().sender;
            fewer
        };
        goes_around(0xf7, fewer, grants);
        let sender = || {
            let mut other = both();
            other.sender = None;
            other
        };
        goes_around(0xbf, sender, grants);
    }

    #[test]
    fn what_is_quarantined_with_a_copy_goes_to_its_address() {
        let quarantine = |copy| Disposition::Quarantine {
            reason: "look at it".into(),
            must_encrypt: true,
            copy,
        };
        let received = received(0xff, &[]);
        let copy = || both().copies.pop();
        let with = quarantine(copy());
        assert!(matches!(
            way(&received, &with, NextHop::Some, "7f"),
            Way::Relay
        ));
        let Way::Say(answer) = way(&received, &with, NextHop::None, "7f") else {
            panic!("no way around");
        };
        let words = "what is quarantined goes to an address and no next hop is set";
        let reply = format!("451 4.3.5 id=7f {words}").into_bytes();
        assert_eq!(answer.responses, [Response::Reply(reply)]);
        // Nowhere to go: the MTA's own hold queue is no place for it.
        let Way::Say(answer) = way(&received, &quarantine(None), NextHop::Some, "7f") else {
            panic!("nothing to relay");
        };
        assert!(matches!(&answer.responses[..], [Response::Reply(_)]));
    }

    #[test]
    fn what_was_decrypted_does_not_come_back_in_a_report() {
        let opened = || {
            let mut opened = both();
            opened.copies[0].decrypted = true;
            opened
        };
        let disposition = Disposition::Deliver(opened());
        let way = way(&received(0xff, &[]), &disposition, NextHop::Some, "7f");
        assert!(matches!(way, Way::Relay));
        let path = || "<Alice@Example.org>".to_owned();
        let change = |parameters: &str| {
            let parameters = Some(parameters.to_owned());
            [Response::ChangeSender(path(), parameters), Response::Accept]
        };
        let full = [("RET", "FULL"), ("ENVID", "QQ314159")];
        let expected = change("RET=HDRS ENVID=QQ314159");
        check(&received(0xff, &full), opened(), NextHop::None, &expected);
        check(
            &received(0xff, &[]),
            opened(),
            NextHop::None,
            &change("RET=HDRS"),
        );
        let accepted = [Response::Accept];
        check(
            &received(0xff, &[("ret", "hdrs")]),
            opened(),
            NextHop::None,
            &accepted,
        );
        check(&received(0xbf, &[]), opened(), NextHop::None, &accepted);
        // An envelope of ours over it: nothing to hide.
        let mut encrypted = opened();
        encrypted.copies[0].layers = vec![LayerMade::Encrypted];
        check(&received(0xff, &[]), encrypted, NextHop::Some, &accepted);
    }

    #[test]
    fn only_what_the_next_hop_took_is_discarded() {
        let reply = |code| Reply {
            code,
            enhanced: None,
            text: "words".into(),
        };
        assert_eq!(relayed(&reply(250), "7f").responses, [Response::Discard]);
        for (code, expected) in [
            (451, "451 4.0.0 id=7f words"),
            (550, "550 5.0.0 id=7f words"),
            (354, "451 4.3.0 id=7f internal error; try again later"),
            (0, "451 4.3.0 id=7f internal error; try again later"),
        ] {
            let expected = [Response::Reply(expected.into())];
            assert_eq!(relayed(&reply(code), "7f").responses, expected);
        }
    }

    #[test]
    fn abilities_are_what_can_be_done() {
        let agreed = |actions| received(actions, &[]).agreed;
        let names = |actions, hop| {
            let able = abilities(agreed(actions), hop);
            able.iter().map(|able| able.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(names(0, NextHop::None), Vec::<&str>::new());
        assert_eq!(names(0xff, NextHop::None), ["set-sender", "quarantine"]);
        assert_eq!(
            names(0, NextHop::Some),
            ["route", "set-sender", "quarantine"]
        );
    }
}
