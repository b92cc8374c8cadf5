//! Writes DER from pieces that are DER already.

use super::tag;
use const_oid::ObjectIdentifier;

/// One element around pieces that stand one after the other.
pub fn tlv(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let size = pieces.iter().map(|piece| piece.len()).sum();
    let mut out = header(tag, size);
    out.reserve_exact(size);
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out
}

/// Identifier and length octets for contents of this size (X.690 §10.1: the shortest form).
pub fn header(tag: u8, size: usize) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(size) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = size.to_be_bytes();
            let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == 0).collect();
            // At most eight digits.
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(&digits);
        }
    }
    out
}

/// SEQUENCE around pieces that stand one after the other.
pub fn sequence(pieces: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, pieces)
}

/// SET OF under this identifier, its elements in the order of X.690 §11.6.
pub fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    elements.dedup();
    tlv(tag, &elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// OCTET STRING.
pub fn octet_string(octets: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, &[octets])
}

/// A small non-negative INTEGER, such as a CMSVersion.
pub fn integer(value: u8) -> Vec<u8> {
    debug_assert!(value < 0x80);
    vec![tag::INTEGER, 1, value]
}

/// NULL.
pub fn null() -> Vec<u8> {
    vec![0x05, 0]
}

/// OBJECT IDENTIFIER.
pub fn object_identifier(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// AlgorithmIdentifier: the identifier, and its parameters unless they are absent.
pub fn algorithm(oid: ObjectIdentifier, parameters: &[u8]) -> Vec<u8> {
    sequence(&[&object_identifier(oid), parameters])
}

/// `[number]` around whole elements (EXPLICIT), or in place of SEQUENCE or SET (IMPLICIT).
pub fn context(number: u8, pieces: &[&[u8]]) -> Vec<u8> {
    tlv(tag::context(number), pieces)
}

/// `[number] IMPLICIT` in place of a primitive type.
pub fn context_primitive(number: u8, pieces: &[&[u8]]) -> Vec<u8> {
    tlv(tag::context_primitive(number), pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_shortest() {
        for (size, expected) in [
            (0, vec![4, 0]),
            (127, vec![4, 127]),
            (128, vec![4, 0x81, 128]),
            (256, vec![4, 0x82, 1, 0]),
            (25_000_000, vec![4, 0x84, 0x01, 0x7d, 0x78, 0x40]),
        ] {
            assert_eq!(header(4, size), expected);
        }
    }

    #[test]
    fn sets_are_in_order() {
        let set = set_of(0x31, vec![vec![4, 1, 9], vec![2, 1, 7], vec![4, 1, 1]]);
        assert_eq!(set, [0x31, 9, 2, 1, 7, 4, 1, 1, 4, 1, 9]);
    }
}
