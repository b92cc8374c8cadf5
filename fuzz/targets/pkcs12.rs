//! Files of identities and certificates: PKCS #12, PKCS #8, PEM, DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_stores::{Secret, read_certificates, read_identities};

fuzz_target!(|octets: &[u8]| {
    let secret = Secret::new(b"password");
    let _ = read_identities("fuzz", octets, Some(&secret), &RustCrypto);
    let _ = read_certificates(octets);
});
