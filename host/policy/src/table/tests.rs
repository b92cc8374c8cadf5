//! The rules of the plan as a table.

use super::*;
use crate::plan::{HeaderEdit, Opening};
use crate::support::{MAIL, People, address, transaction, transaction_to};
use std::sync::Arc;
use waxseal_message::{Limits, Message};

fn table() -> Table {
    Table::new(&transaction())
}

fn message(subject: &str) -> Recipe {
    let text = MAIL.replace("hello", subject);
    Recipe::plain(Message::parse(text.into_bytes(), &Limits::default()).unwrap())
}

fn subject(recipe: &Recipe) -> String {
    recipe.view.first("Subject").unwrap().value()
}

fn subjects(table: &Table) -> Vec<String> {
    let rows = table.plan.rows.iter();
    rows.map(|row| subject(&row.message)).collect()
}

/// As `protect.encrypt` makes it.
fn to_order(mode: ProtectionMode, subject: &str) -> Recipe {
    let mut recipe = message(subject);
    recipe.steps.push(Step::Protect(Protection {
        mode,
        parameters: Parameters {
            basis: Basis::Order,
            ..Parameters::default()
        },
        outer: None,
        choice: Choice::Open,
        signer: None,
        unsigned: None,
    }));
    recipe
}

fn ben() -> Vec<Address> {
    vec![address("ben@example.com")]
}

fn carl() -> Vec<Address> {
    vec![address("carl@example.net")]
}

fn must_encrypt(table: &Table) -> Vec<bool> {
    table.plan.rows.iter().map(|row| row.must_encrypt).collect()
}

#[test]
fn set_message_passes_routed_recipients_by() {
    let mut table = table();
    table.route(&carl(), &message("routed"), &People).unwrap();
    table.set_message(&message("all"), &People).unwrap();
    assert_eq!(subjects(&table), ["all", "routed"]);
    assert_eq!(subject(&table.plan.everyone.message), "all");
}

#[test]
fn an_envelope_to_order_fails_as_a_whole() {
    let mut table = table();
    let encrypted = to_order(ProtectionMode::SignEncrypt, "closed");
    let error = table.set_message(&encrypted, &People).unwrap_err();
    assert_eq!(error.code, "recipient.no-certificate");
    assert_eq!(error.subject.as_deref(), Some("carl@example.net"));
    assert_eq!(subjects(&table), ["hello", "hello"]);
    let both = [ben(), carl()].concat();
    table.route(&both, &encrypted, &People).unwrap_err();
    assert!(table.plan.rows.iter().all(|row| !row.routed));
    table.route(&ben(), &encrypted, &People).unwrap();
    assert_eq!(subjects(&table), ["closed", "hello"]);
    assert!(table.plan.rows[0].message.encrypted());
}

#[test]
fn who_is_refused_needs_no_certificate() {
    let mut table = table();
    let reply = Reply {
        code: 550,
        enhanced: None,
        text: "no certificate".into(),
    };
    table.refuse(&carl(), &reply).unwrap();
    let encrypted = to_order(ProtectionMode::Encrypt, "closed");
    table.set_message(&encrypted, &People).unwrap();
    assert!(table.plan.rows[0].message.encrypted());
    assert!(!table.plan.rows[1].message.encrypted());
}

#[test]
fn a_message_made_for_one_is_made_anew_for_another() {
    let mut table = Table::new(&transaction_to(&["ben@example.com", "dora@example.com"]));
    let encrypted = to_order(ProtectionMode::Encrypt, "closed");
    table.route(&ben(), &encrypted, &People).unwrap();
    let bens = table.message_for(&ben()[0]).unwrap().clone();
    table.set_message(&bens, &People).unwrap();
    let dora = protections(&table.plan.rows[1].message).next().unwrap();
    let Choice::Encrypt(certificate) = &dora.choice else {
        panic!("{:?}", dora.choice)
    };
    assert_eq!(certificate.emails, ["dora@example.com"]);
    let everyone = protections(&table.plan.everyone.message).next().unwrap();
    assert_eq!(everyone.choice, Choice::Open);
}

#[test]
fn applied_now_wraps_what_each_row_has() {
    let mut table = table();
    table.route(&carl(), &message("routed"), &People).unwrap();
    let outcomes = table.apply("split", Timing::Now, None, &People).unwrap();
    let words: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.action, outcome.encrypted))
        .collect();
    assert_eq!(words, [("deliver", true), ("deliver", false)]);
    assert_eq!(subjects(&table), ["hello", "routed"]);
    assert_eq!(must_encrypt(&table), [true, false]);
    assert_eq!(table.plan.everyone.message.steps.len(), 1);
}

#[test]
fn split_bounces_where_encryption_is_required() {
    let mut table = table();
    table.require_encryption(None).unwrap();
    let outcomes = table.preview("split", Some(&carl()), &People).unwrap();
    assert_eq!(outcomes[0].action, "bounce");
    assert_eq!(
        outcomes[0].problem.as_ref().unwrap().code,
        "recipient.no-certificate"
    );
    assert!(table.plan.rows[1].message.steps.is_empty());
}

#[test]
fn a_later_profile_on_delivery_replaces_the_earlier() {
    let mut table = table();
    table
        .apply("split", Timing::OnDelivery, None, &People)
        .unwrap();
    table
        .apply("sign", Timing::OnDelivery, Some(&carl()), &People)
        .unwrap();
    let profile = |row: usize| {
        let row: &Row = &table.plan.rows[row];
        row.on_delivery.as_ref().unwrap().parameters.profile.clone()
    };
    assert_eq!(profile(0).as_deref(), Some("split"));
    assert_eq!(profile(1).as_deref(), Some("sign"));
    assert_eq!(table.plan.everyone.on_delivery.as_deref(), Some("split"));
}

#[test]
fn a_recipient_added_later_starts_from_everyone() {
    let mut table = table();
    table
        .apply("split", Timing::OnDelivery, None, &People)
        .unwrap();
    table.set_message(&message("all"), &People).unwrap();
    for added in ["dora@example.com", "emil@example.net"] {
        table.add_recipient(&address(added), &People).unwrap();
    }
    assert_eq!(subjects(&table), ["all", "all", "all", "all"]);
    assert_eq!(must_encrypt(&table), [true, false, true, false]);
    table.require_encryption(None).unwrap();
    table
        .add_recipient(&address("fritz@example.net"), &People)
        .unwrap();
    assert!(table.plan.rows[4].must_encrypt);
    table.add_recipient(&ben()[0], &People).unwrap();
    assert_eq!(table.plan.rows.len(), 5);
}

#[test]
fn applied_now_holds_for_recipients_added_later() {
    let mut table = table();
    table.apply("split", Timing::Now, None, &People).unwrap();
    table
        .add_recipient(&address("dora@example.com"), &People)
        .unwrap();
    let dora = &table.plan.rows[2];
    assert!(dora.must_encrypt && dora.message.encrypted());
}

#[test]
fn removing_and_adding_forgets_no_obligation() {
    let mut table = table();
    table.apply("split", Timing::Now, None, &People).unwrap();
    table.set_message(&message("open"), &People).unwrap();
    table.remove_recipient(&ben()[0]).unwrap();
    table
        .add_recipient(&address("BEN@example.com"), &People)
        .unwrap();
    assert_eq!(must_encrypt(&table), [false, true]);
}

#[test]
fn somebody_stays() {
    let mut table = table();
    table.remove_recipient(&ben()[0]).unwrap();
    let error = table.remove_recipient(&carl()[0]).unwrap_err();
    assert_eq!(error.code, "envelope.last-recipient");
    let error = table.remove_recipient(&ben()[0]).unwrap_err();
    assert_eq!(error.code, "recipient.unknown");
}

#[test]
fn a_recipient_given_twice_is_one() {
    let mut table = Table::new(&transaction_to(&[
        "ben@example.com",
        "carl@example.net",
        "ben@example.com",
    ]));
    table.require_encryption(Some(&ben())).unwrap();
    assert_eq!(must_encrypt(&table), [true, false, true]);
    table
        .require_encryption(Some(&[address("Carl@example.net")]))
        .unwrap();
    assert_eq!(must_encrypt(&table), [true, true, true]);
}

#[test]
fn undoing_keeps_obligations_only() {
    let before = table();
    let mut left = before.clone();
    left.apply("split", Timing::Now, None, &People).unwrap();
    left.add_recipient(&address("dora@example.com"), &People)
        .unwrap();
    let mut undone = before;
    undone.undo(left);
    assert_eq!(must_encrypt(&undone), [true, false]);
    assert!(undone.plan.rows[0].message.steps.is_empty());
    undone
        .add_recipient(&address("dora@example.com"), &People)
        .unwrap();
    assert_eq!(must_encrypt(&undone), [true, false, true]);
}

#[test]
fn what_is_left_encrypted_stays_an_obligation() {
    let mut table = table();
    let encrypted = to_order(ProtectionMode::Encrypt, "closed");
    table.route(&ben(), &encrypted, &People).unwrap();
    assert_eq!(must_encrypt(&table), [false, false]);
    table.oblige_encrypted();
    table.route(&ben(), &message("open"), &People).unwrap();
    assert_eq!(must_encrypt(&table), [true, false]);
}

#[test]
fn edits_after_a_protection_stay_outside_of_it() {
    let mut recipe = to_order(ProtectionMode::Sign, "signed");
    let edit = HeaderEdit::Add {
        name: "X-Note".into(),
        value: "outside".into(),
    };
    recipe.view = edit.apply(&recipe.view).unwrap();
    recipe.steps.push(Step::Edit(edit));
    let mut table = table();
    table.set_message(&recipe, &People).unwrap();
    let row = &table.plan.rows[0].message;
    assert!(row.base.first("X-Note").is_none());
    assert_eq!(row.view.first("X-Note").unwrap().value(), "outside");
    assert_eq!(row.steps.len(), 2);
}

#[test]
fn on_delivery_is_settled_for_the_message_that_it_wraps() {
    let mut table = table();
    table
        .apply("strict", Timing::OnDelivery, None, &People)
        .unwrap();
    table
        .apply("split", Timing::Now, Some(&ben()), &People)
        .unwrap();
    table.settle_on_delivery(&People);
    let choice = |row: usize| &table.plan.rows[row].on_delivery.as_ref().unwrap().choice;
    assert_eq!(choice(0), &Choice::AlreadyEncrypted);
    assert!(matches!(choice(1), Choice::Missing { .. }));
}

#[test]
fn an_unknown_profile_changes_nothing() {
    let mut table = table();
    let error = table.apply("nobody", Timing::Now, None, &People);
    assert_eq!(error.unwrap_err().code, "profile.unknown");
    assert!(table.plan.rows[0].message.steps.is_empty());
}

/// The message `subject`, decrypted for these from one that says `closed`.
fn decrypted_for(readers: Vec<Address>, subject: &str) -> Recipe {
    let opened = message(subject);
    Recipe {
        opening: Some(Arc::new(Opening {
            key: opened.digest(),
            readers: Some(readers),
            closed: message("closed"),
        })),
        ..opened
    }
}

#[test]
fn rule_13_others_keep_the_message_as_it_came() {
    let mut table = table();
    let opened = decrypted_for(ben(), "opened");
    table.set_message(&opened, &People).unwrap();
    assert_eq!(subjects(&table), ["opened", "closed"]);
    let added = address("dora@example.com");
    table.add_recipient(&added, &People).unwrap();
    assert_eq!(subjects(&table), ["opened", "closed", "closed"]);
}

#[test]
fn rule_13_nobody_is_routed_what_was_decrypted_for_others() {
    let mut table = table();
    let opened = decrypted_for(ben(), "opened");
    let both = [ben(), carl()].concat();
    let error = table.route(&both, &opened, &People).unwrap_err();
    assert_eq!(
        (&error.code[..], error.subject.as_deref()),
        ("open.other-recipient", Some("carl@example.net"))
    );
    assert_eq!(subjects(&table), ["hello", "hello"]);
    table.route(&ben(), &opened, &People).unwrap();
    assert_eq!(subjects(&table), ["opened", "hello"]);
}

#[test]
fn rule_13_an_envelope_around_what_was_decrypted_is_for_its_readers_too() {
    let mut table = table();
    let mut opened = decrypted_for(ben(), "opened");
    opened.steps = to_order(ProtectionMode::Sign, "").steps;
    table.set_message(&opened, &People).unwrap();
    assert_eq!(subjects(&table), ["opened", "closed"]);
    let steps = |row: usize| table.plan.rows[row].message.steps.len();
    assert_eq!((steps(0), steps(1)), (1, 0));
}

#[test]
fn what_a_failed_filter_wanted_to_harvest_is_forgotten() {
    let mut before = table();
    before.harvest([1; 32]);
    let mut left = before.clone();
    left.harvest([2; 32]);
    left.harvest([2; 32]);
    assert_eq!(left.plan.harvests, [[1; 32], [2; 32]]);
    before.undo(left);
    assert_eq!(before.plan.harvests, [[1; 32]]);
}
