//! The padding of CBC (RFC 5652 §6.3), judged in constant time. Shared with providers whose
//! libraries branch on it.

use subtle::{ConstantTimeEq, ConstantTimeGreater};

/// Octets before the padding, when it is sound for a cipher of this block size. Looks at every
/// octet of the last block whatever the others are, so that time does not tell which was wrong.
pub fn unpadded_size(plain: &[u8], block: usize) -> Option<usize> {
    let last = plain.get(plain.len().checked_sub(block)?..)?;
    let padding = *last.last()?;
    let mut good = padding.ct_gt(&0) & !padding.ct_gt(&u8::try_from(block).ok()?);
    for (position, octet) in (0u8..).zip(last.iter().rev()) {
        good &= !padding.ct_gt(&position) | octet.ct_eq(&padding);
    }
    bool::from(good).then(|| plain.len() - usize::from(padding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_padding_counts() {
        let mut block = [4; 16];
        assert_eq!(unpadded_size(&block, 16), Some(12));
        assert_eq!(unpadded_size(&block[8..], 8), Some(4));
        assert_eq!(unpadded_size(&[16; 16], 16), Some(0));
        for bad in [0, 17, 255] {
            block[15] = bad;
            assert_eq!(unpadded_size(&block, 16), None, "{bad}");
        }
        for position in 12..15 {
            let mut block = [4; 16];
            block[position] = 5;
            assert_eq!(unpadded_size(&block, 16), None, "{position}");
        }
        assert_eq!(unpadded_size(&[9; 8], 8), None);
        assert_eq!(unpadded_size(&[], 16), None);
    }
}
