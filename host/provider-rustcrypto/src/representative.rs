//! Octets as the numbers that RSA computes with, and back (RFC 8017 §4).

use rsa::BoxedUint;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

/// RFC 8017 §4.2. `None` when the octets are not as many as the modulus has, or the number is not
/// below it.
pub(crate) fn number(octets: &[u8], key: &impl PublicKeyParts) -> Option<BoxedUint> {
    if octets.len() != key.size() {
        return None;
    }
    let number = BoxedUint::from_be_slice(octets, key.n().bits_precision()).ok()?;
    (number < **key.n()).then_some(number)
}

/// RFC 8017 §4.1; the number is known to fit.
pub(crate) fn octets(number: &BoxedUint, size: usize) -> Zeroizing<Vec<u8>> {
    let all = Zeroizing::new(number.to_be_bytes());
    let mut out = Zeroizing::new(vec![0; size]);
    for (to, from) in out.iter_mut().rev().zip(all.iter().rev()) {
        *to = *from;
    }
    out
}
