//! Settled rows → groups, one for each copy (DESIGN §6 rule 4).
//!
//! Rows with the same recipe share a copy. Where an envelope is made, a recipient named in
//! no address field is a Bcc recipient and gets an envelope of their own: RecipientInfos
//! name every recipient of an envelope to all the others.

use waxseal_message::{Address, Message};
use waxseal_policy::plan::{Choice, Recipe, Step};
use waxseal_policy::transaction::Recipient;

use crate::settle::SettledRow;

/// RFC 5322 §3.6.3, §3.6.6: where recipients are named openly.
const ADDRESS_FIELDS: [&str; 4] = ["To", "Cc", "Resent-To", "Resent-Cc"];

/// Rows that get one copy.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) recipients: Vec<Recipient>,
    /// One recipe for each recipient; they differ in the certificates chosen only.
    pub(crate) recipes: Vec<Recipe>,
    pub(crate) must_encrypt: bool,
}

/// What makes two rows share a copy.
#[derive(PartialEq)]
struct Key {
    start: Recipe,
    steps: Vec<KeyStep>,
    /// A Bcc recipient of an envelope: the only one in its group.
    alone: Option<Address>,
}

#[derive(PartialEq)]
enum KeyStep {
    /// The step with the certificate left out, and whether it makes an envelope.
    Protect(Step, Envelope),
    Edit(Step),
}

#[derive(PartialEq)]
enum Envelope {
    Made,
    NotMade,
}

/// Groups rows, in the order in which their first recipients stand.
pub(crate) fn group(rows: Vec<SettledRow>) -> Vec<Group> {
    let mut groups: Vec<(Key, Group)> = Vec::new();
    for row in rows {
        let key = key(&row);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => {
                group.recipients.push(row.recipient);
                group.recipes.push(row.recipe);
                group.must_encrypt |= row.must_encrypt;
            }
            None => groups.push((
                key,
                Group {
                    recipients: vec![row.recipient],
                    recipes: vec![row.recipe],
                    must_encrypt: row.must_encrypt,
                },
            )),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn key(row: &SettledRow) -> Key {
    let steps: Vec<_> = row.recipe.steps.iter().map(key_step).collect();
    let enveloped = steps
        .iter()
        .any(|step| matches!(step, KeyStep::Protect(_, Envelope::Made)));
    let address = &row.recipient.address;
    let alone = enveloped && !is_named(&row.recipe.view, address);
    Key {
        start: row.recipe.start(),
        steps,
        alone: alone.then(|| address.clone()),
    }
}

fn key_step(step: &Step) -> KeyStep {
    match step {
        Step::Edit(_) => KeyStep::Edit(step.clone()),
        Step::Protect(protection) => {
            let envelope = match protection.choice {
                Choice::Encrypt(_) => Envelope::Made,
                _ => Envelope::NotMade,
            };
            KeyStep::Protect(without_choice(step), envelope)
        }
    }
}

/// The step as it is for every recipient.
pub(crate) fn without_choice(step: &Step) -> Step {
    match step {
        Step::Edit(_) => step.clone(),
        Step::Protect(protection) => {
            let mut protection = protection.clone();
            protection.choice = Choice::Open;
            Step::Protect(protection)
        }
    }
}

/// Is the recipient named where every reader sees it? Compared exactly: taking somebody for
/// unnamed costs one more envelope, taking somebody for named would give a Bcc away.
fn is_named(message: &Message, recipient: &Address) -> bool {
    ADDRESS_FIELDS.iter().any(|field| {
        message
            .addresses(field)
            .iter()
            .any(|mailbox| mailbox.address.matches(recipient))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{missing, protection, recipe, recipient, to};
    use waxseal_policy::plan::ProtectionMode::{Sign, SignEncrypt};
    use waxseal_policy::plan::{MissingCertificate, ProtectionMode};

    fn settled(address: &str, mode: ProtectionMode, choice: Choice) -> SettledRow {
        SettledRow {
            recipient: recipient(address),
            recipe: recipe(vec![Step::Protect(protection(mode, choice))]),
            must_encrypt: false,
        }
    }

    /// Groups as local parts: "bob carol | dave".
    fn check(rows: Vec<SettledRow>, expected: &str) {
        let groups = group(rows);
        let names = |group: &Group| {
            let names: Vec<_> = group
                .recipients
                .iter()
                .map(|r| r.address.local().to_owned())
                .collect();
            names.join(" ")
        };
        let shown: Vec<_> = groups.iter().map(names).collect();
        assert_eq!(shown.join(" | "), expected);
    }

    #[test]
    fn rule_04_bcc_recipients_get_envelopes_of_their_own() {
        check(
            vec![
                settled("dave@example.net", SignEncrypt, to(4)),
                settled("bob@example.net", SignEncrypt, to(1)),
                settled("erin@example.net", SignEncrypt, to(5)),
                settled("carol@example.net", SignEncrypt, to(2)),
            ],
            "dave | bob carol | erin",
        );
    }

    #[test]
    fn rule_04_without_an_envelope_all_share_a_copy() {
        check(
            vec![
                settled("dave@example.net", Sign, Choice::Open),
                settled("bob@example.net", Sign, Choice::Open),
            ],
            "dave bob",
        );
    }

    #[test]
    fn a_split_keeps_clear_and_encrypted_apart() {
        check(
            vec![
                settled("bob@example.net", SignEncrypt, to(1)),
                settled(
                    "carol@example.net",
                    SignEncrypt,
                    missing(MissingCertificate::Split),
                ),
                settled(
                    "dave@example.net",
                    SignEncrypt,
                    missing(MissingCertificate::Split),
                ),
            ],
            "bob | carol dave",
        );
    }

    #[test]
    fn rule_04_a_name_in_another_case_is_no_name() {
        check(
            vec![
                settled("bob@example.net", SignEncrypt, to(1)),
                settled("Carol@example.net", SignEncrypt, to(2)),
            ],
            "bob | Carol",
        );
    }
}
