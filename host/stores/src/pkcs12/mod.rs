//! PKCS #12 (RFC 7292) containers with password integrity: [`read`] takes what other programs
//! made since 1999, [`write`](write_pkcs12) makes what they read today.
//!
//! Not here: integrity and privacy by public keys, which nobody was found to use; CRL and
//! secret bags, which are passed over.

mod mac;
mod read;
mod write;

pub(crate) use read::{decrypt_key, read};
pub use write::{Pkcs12Entry, Pkcs12Options, write_pkcs12};

use const_oid::ObjectIdentifier;

const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ID_ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
// RFC 7292 §4.2
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const SAFE_CONTENTS_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");

#[cfg(test)]
mod tests {
    use crate::ber::{self, Element, Reader};
    use crate::bundle;
    use crate::passphrase::Secret;

    /// The same with indefinite lengths, and octet strings in two pieces, as Firefox and
    /// Windows write them.
    fn indefinite(element: &Element<'_>) -> Vec<u8> {
        let mut out = vec![element.raw[0] | 0x20, 0x80];
        if element.is_constructed() {
            let mut inside = element.inside();
            while !inside.is_empty() {
                out.extend(indefinite(&inside.next().unwrap()));
            }
        } else if element.is(ber::OCTET_STRING) {
            let (one, other) = element.content.split_at(element.content.len() / 2);
            out.extend_from_slice(&ber::tlv(ber::OCTET_STRING, one));
            out.extend_from_slice(&ber::tlv(ber::OCTET_STRING, other));
        } else {
            return element.raw.to_vec();
        }
        out.extend_from_slice(&[0, 0]);
        out
    }

    #[test]
    fn indefinite_lengths_are_read() {
        let der = include_bytes!("../../tests/fixtures/legacy.p12");
        let secret = Secret::new("fixture");
        let expected = bundle::open(der, Some(&secret)).unwrap();
        let ber = indefinite(&Reader::new(der).next().unwrap());
        let found = bundle::open(&ber, Some(&secret)).unwrap();
        assert_eq!((found.certificates.len(), found.keys.len()), (4, 1));
        assert_eq!(found.certificates, expected.certificates);
        assert_eq!(found.keys, expected.keys);
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused() {
        let salt = ber::tlv(ber::OCTET_STRING, &[0; 8]);
        let parameters = ber::sequence(&[&salt, &ber::number(u32::MAX)]);
        let pbkdf2 = ber::sequence(&[&ber::oid(crate::kdf::PBKDF2), &parameters]);
        let aes = const_oid::ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
        let cipher = ber::sequence(&[&ber::oid(aes), &ber::tlv(ber::OCTET_STRING, &[0; 16])]);
        let pbes2 = const_oid::ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
        let algorithm = ber::sequence(&[&ber::oid(pbes2), &ber::sequence(&[&pbkdf2, &cipher])]);
        let key = ber::sequence(&[&algorithm, &ber::tlv(ber::OCTET_STRING, &[0; 16])]);
        let defect = bundle::open(&key, Some(&Secret::new("x"))).err().unwrap();
        assert_eq!(defect.code(), "file.too-much-work");
    }
}
