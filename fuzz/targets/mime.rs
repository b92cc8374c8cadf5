//! Messages: parsed, walked, decoded, prepared for signing; an unedited one writes out as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxseal_message::{Message, Part, entity, parse_mailboxes};

fuzz_target!(|octets: &[u8]| {
    let Ok(message) = Message::parse(octets.to_vec(), &waxseal_fuzz::limits()) else {
        return;
    };
    assert_eq!(&*message.to_bytes(), octets);
    for field in message.fields() {
        let _ = (field.value(), parse_mailboxes(field.raw_value()));
    }
    walk(&message.root());
    let _ = waxseal_smime::classify(&message);
    let prepared = entity::prepare(&message);
    // What is ready is ready: preparing it again changes nothing.
    if let Ok(again) = Message::parse(
        prepared.entity.to_bytes(),
        &waxseal_message::Limits::UNLIMITED,
    ) {
        assert_eq!(entity::prepare(&again).entity, prepared.entity);
    }
});

fn walk(part: &Part<'_>) {
    let _ = (part.media_type(), part.filename(), part.disposition());
    if part.is_leaf() {
        let _ = (part.decoded(), part.text());
    }
    for child in part.children() {
        walk(&child);
    }
}
