//! Bare CMS objects, without keys: nothing in them may be reported as decrypted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxseal_smime::open::{LayerKind, State, open_cms};

fuzz_target!(|octets: &[u8]| {
    let limits = waxseal_fuzz::limits();
    let opening = waxseal_fuzz::opening(&limits, &[], &[], &[]);
    let Ok(opened) = open_cms(octets, Some(b"content"), &opening) else {
        return;
    };
    for layer in &opened.layers {
        let keyless = matches!(
            layer.kind,
            LayerKind::Enveloped | LayerKind::AuthEnveloped | LayerKind::EncryptedData
        );
        let read = [State::Decrypted, State::DecryptedUnauthenticated];
        assert!(!(keyless && read.contains(&layer.state)), "{layer:?}");
    }
});
