//! Real mail: what is parsed is written back octet for octet, and preparing an entity
//! changes no content.

use crate::support::{corpus, difference, files, is_mail};
use waxseal_message::entity::{assemble, prepare};
use waxseal_message::{Error, Limits, LineEnds, Message};

/// The corpus directories that hold mail.
const MAIL: [&str; 7] = [
    "spamassassin-public",
    "mail-parser",
    "python-email",
    "mimekit-messages",
    "mime-tools-testmsgs",
    "jsmime",
    "wildduck-mime",
];

#[test]
fn parse_then_write_is_the_identity() {
    let Some(corpus) = corpus() else { return };
    let (mut all, mut mails, mut refused) = (0, 0, 0);
    for path in files(&corpus) {
        let octets = std::fs::read(&path).unwrap();
        all += 1;
        match Message::parse(octets.clone(), &Limits::default()) {
            Ok(message) => {
                let mut written = Vec::new();
                message.write_to(&mut written);
                assert_eq!(message.to_bytes(), octets, "{}", path.display());
                assert_eq!(written, octets, "{}", path.display());
                mails += usize::from(is_mail(&message));
            }
            Err(error) => {
                assert!(
                    matches!(error, Error::TooDeep { .. }),
                    "{}: {error}",
                    path.display()
                );
                println!("refused: {error}: {}", path.display());
                refused += 1;
            }
        }
    }
    println!("identity: {all} files, {mails} of them mails, {refused} refused by a limit");
    assert!(
        mails > 700 && refused <= 2,
        "{mails} mails, {refused} refused"
    );
}

#[test]
fn preparing_changes_no_content() {
    let Some(corpus) = corpus() else { return };
    let (mut count, mut changed, mut unsafe_) = (0, 0, 0);
    let mut failures = Vec::new();
    for path in MAIL.iter().flat_map(|name| files(&corpus.join(name))) {
        let octets = std::fs::read(&path).unwrap();
        let Ok(message) = Message::parse(octets, &Limits::default()) else {
            continue;
        };
        if !is_mail(&message) {
            continue;
        }
        let prepared = prepare(&message);
        count += 1;
        changed += usize::from(prepared.changed);
        unsafe_ += usize::from(!prepared.transport_safe);
        if !prepared.transport_safe {
            println!("not transport-safe: {}", path.display());
        }
        let entity = Message::parse(prepared.entity.to_bytes(), &Limits::default()).unwrap();
        let was_lf = message.line_ends() == LineEnds::Lf;
        failures.extend(
            difference(message.root(), entity.root(), was_lf)
                .map(|found| format!("{}: {found}", path.display())),
        );
        // What was prepared needs no more.
        let again = prepare(&entity);
        if again.entity != prepared.entity || again.changed {
            failures.push(format!("{}: prepared twice differs", path.display()));
        }
        let whole =
            Message::parse(assemble(&prepared.outer, &[], b""), &Limits::default()).unwrap();
        if whole.field_count() != prepared.outer.len() + 1 {
            failures.push(format!(
                "{}: outer fields do not parse back",
                path.display()
            ));
        }
    }
    println!("prepared: {count} mails, {changed} changed, {unsafe_} not transport-safe");
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
