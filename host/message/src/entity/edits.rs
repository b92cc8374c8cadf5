//! Replacements in octets, collected in order and made at once.

use std::ops::Range;

/// Replacements that do not overlap, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    list: Vec<(Range<usize>, Vec<u8>)>,
}

impl Edits {
    /// Replaces `range`, which lies after every range so far.
    pub(crate) fn replace(&mut self, range: Range<usize>, by: impl Into<Vec<u8>>) {
        debug_assert!(
            self.list
                .last()
                .is_none_or(|(last, _)| last.end <= range.start),
            "edits are in order"
        );
        self.list.push((range, by.into()));
    }

    /// Replaces `range` if that changes anything.
    pub(crate) fn set(&mut self, octets: &[u8], range: Range<usize>, by: Vec<u8>) {
        if octets[range.clone()] != by {
            self.replace(range, by);
        }
    }

    /// Adds replacements that lie after every range so far.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.list.append(&mut later.list);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends the octets, with the replacements made, to `out`.
    pub(crate) fn write(&self, octets: &[u8], out: &mut Vec<u8>) {
        let added: usize = self
            .list
            .iter()
            .map(|(range, by)| by.len().saturating_sub(range.len()))
            .sum();
        out.reserve(octets.len() + added);
        let mut done = 0;
        for (range, by) in &self.list {
            out.extend_from_slice(&octets[done..range.start]);
            out.extend_from_slice(by);
            done = range.end;
        }
        out.extend_from_slice(&octets[done..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_in_order() {
        let octets = b"abcdef";
        let mut edits = Edits::default();
        edits.set(octets, 0..1, b"a".to_vec());
        assert!(edits.is_empty());
        edits.replace(1..2, *b"BB");
        edits.replace(3..3, *b"-");
        edits.replace(4..6, *b"");
        let mut out = Vec::new();
        edits.write(octets, &mut out);
        assert_eq!(out, b"aBBc-d");
    }
}
