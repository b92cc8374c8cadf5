//! BER to DER, as far as the syntax alone says what DER is.

use super::{Element, MAX_DEPTH, Malformed, joined, octet_string, tag, tlv};

/// The element with definite lengths of the shortest form, OCTET STRINGs in one piece, and the
/// elements of every SET in order (X.690 §10, §11.6).
pub(crate) fn to_der(element: &Element<'_>) -> Result<Vec<u8>, Malformed> {
    normal(element, MAX_DEPTH)
}

fn normal(element: &Element<'_>, depth: usize) -> Result<Vec<u8>, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    if element.tag & tag::CONSTRUCTED == 0 {
        return Ok(tlv(element.tag, &[element.value]));
    }
    if element.tag == tag::OCTET_STRING | tag::CONSTRUCTED {
        let pieces = element.octets(tag::OCTET_STRING)?;
        return Ok(octet_string(&joined(&pieces)));
    }
    let children = element.children().elements()?;
    let mut children = children
        .iter()
        .map(|child| normal(child, depth))
        .collect::<Result<Vec<_>, _>>()?;
    if element.tag == tag::SET {
        children.sort();
    }
    let pieces: Vec<&[u8]> = children.iter().map(Vec::as_slice).collect();
    Ok(tlv(element.tag, &pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_strings_and_sets() {
        for (ber, expected) in [
            (&[4, 0x81, 1, 7][..], Ok(vec![4, 1, 7])),
            (&[0x30, 0x80, 5, 0, 0, 0], Ok(vec![0x30, 2, 5, 0])),
            (
                &[
                    0x31, 0x80, 0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0, 2, 1, 9, 0, 0,
                ],
                Ok(vec![0x31, 7, 2, 1, 9, 4, 2, 7, 8]),
            ),
            (&[0x30, 2, 4, 9], Err(Malformed)),
        ] {
            let element = Element::only(ber).unwrap();
            assert_eq!(to_der(&element), expected, "{ber:02x?}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let mut deep = vec![5, 0];
        for _ in 0..1000 {
            deep = tlv(tag::SEQUENCE, &[&deep]);
        }
        let element = Element::only(&deep).unwrap();
        assert_eq!(to_der(&element), Err(Malformed));
    }
}
