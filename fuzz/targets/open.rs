//! The whole of opening, with keys: messages with any layers, and bare CMS objects. What is
//! handed on always parses, and is fit for the next hop.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxseal_fuzz::IDENTITIES;
use waxseal_message::Message;
use waxseal_smime::open::{Opened, Secret, decrypt, open, open_cms, unwrap_signature};

fuzz_target!(|octets: &[u8]| {
    let limits = waxseal_fuzz::limits();
    let secrets = [Secret::Password(b"secret".to_vec().into())];
    let opening = waxseal_fuzz::opening(&limits, &IDENTITIES, &secrets, &[]);
    if octets.first() == Some(&0x30) {
        let _ = open_cms(octets, None, &opening).map(|opened| check(&opened));
        return;
    }
    let Ok(message) = Message::parse(octets.to_vec(), &limits) else {
        return;
    };
    check(&open(&message, &opening));
    let _ = unwrap_signature(&message, &opening);
    let _ = decrypt(&message, &opening);
});

fn check(opened: &Opened) {
    assert!(opened.layers.len() <= 64, "{} layers", opened.layers.len());
    let Some(message) = opened.content.as_ref().and(opened.message.as_ref()) else {
        return;
    };
    let octets = message.to_bytes();
    // Rule 8: no bare CR, LF or NUL in what was taken out of a layer.
    let bare = octets.iter().enumerate().find(|&(at, &octet)| match octet {
        b'\n' => at == 0 || octets.get(at - 1) != Some(&b'\r'),
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        0 => true,
        _ => false,
    });
    assert!(bare.is_none(), "not fit for the next hop: {bare:?}");
}
