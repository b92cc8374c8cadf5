//! The smallest edit of a header: from the fields as the MTA has them to the fields as they
//! shall be.
//!
//! A field that stays is not mentioned, so that the MTA keeps its octets. Edits are sent from
//! the bottom: each names a place by what stands above it, and nothing above it has changed
//! yet. So the indices hold in every MTA, however it counts what was deleted.

use std::collections::HashMap;

use crate::codec::{HeaderField, LONGEST_RESPONSE, Response};
use crate::negotiation::Steps;

/// Compared pairs of fields up to which the smallest edit is looked for.
const PAIRS: usize = 1 << 22;

/// Where to insert what comes last: beyond any header. SMFIR_ADDHEADER is not that: Sendmail puts
/// such a field before the first of its name.
const LAST: u32 = 1 << 24;

/// A header field as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldView<'a> {
    pub(crate) name: &'a [u8],
    /// Right after the colon, line end included.
    pub(crate) value: &'a [u8],
}

impl<'a> FieldView<'a> {
    /// A field of the header that we put together.
    pub(crate) fn of(field: &'a [u8]) -> Self {
        let colon = memchr::memchr(b':', field).unwrap_or(field.len());
        Self {
            name: &field[..colon],
            value: field.get(colon + 1..).unwrap_or_default(),
        }
    }

    fn has_name_of(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
    }

    fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

/// What happens to fields, from the top; places are those in the old header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// Old field gets the value of a new one of its name.
    Change(usize, usize),
    Delete(usize),
    /// A new field before this old one; after the last when there is none.
    Insert(usize, usize),
}

/// Why a field cannot be handed to an MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inexpressible;

/// The responses that make `new` out of `old`.
pub(crate) fn responses(
    old: &[FieldView<'_>],
    new: &[FieldView<'_>],
    steps: Steps,
) -> Result<Vec<Response>, Inexpressible> {
    let edits = edits(old, new);
    let field = |index: usize| header_field(&new[index], steps);
    let nth = numbers(old);
    let mut responses = Vec::with_capacity(edits.len());
    // Below all others: their order is that of sending.
    for edit in &edits {
        match *edit {
            Edit::Insert(at, from) if at == old.len() => {
                responses.push(Response::InsertHeader(LAST, field(from)?));
            }
            _ => {}
        }
    }
    for edit in edits.iter().rev() {
        responses.push(match *edit {
            Edit::Change(at, from) => Response::ChangeHeader(nth[at], field(from)?),
            Edit::Delete(at) => Response::DeleteHeader(nth[at], old[at].name.to_vec()),
            Edit::Insert(at, _) if at == old.len() => continue,
            Edit::Insert(at, from) => Response::InsertHeader(place(at), field(from)?),
        });
    }
    Ok(responses)
}

/// Which of its name each field is, from 1 at the top.
fn numbers(fields: &[FieldView<'_>]) -> Vec<u32> {
    let mut counts: HashMap<Vec<u8>, u32> = HashMap::new();
    let numbers = fields.iter().map(|field| {
        let count = counts.entry(field.name.to_ascii_lowercase()).or_default();
        *count += 1;
        *count
    });
    numbers.collect()
}

/// MTAs do not show us the Received that they add, but count it when they insert: 0 is above
/// it, and 1 before the first field that we saw. Sendmail counts fields that it may add itself
/// too, so that a field for the middle comes to stand higher there; on top and last are certain.
fn place(at: usize) -> u32 {
    match at {
        0 => 0,
        at => number(at + 1),
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn header_field(field: &FieldView<'_>, steps: Steps) -> Result<HeaderField, Inexpressible> {
    let value = field.value.strip_suffix(b"\n").unwrap_or(field.value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    // Without the agreement MTAs put one space before each value.
    let value = match steps.has(Steps::LEADING_SPACE) {
        true => value,
        false => value.strip_prefix(b" ").unwrap_or(value),
    };
    let mut octets = Vec::with_capacity(value.len().max(1));
    for (index, line) in value.split(|octet| *octet == b'\n').enumerate() {
        if index > 0 {
            octets.push(b'\n');
        }
        octets.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    if octets.is_empty() {
        // An empty value means that the field goes.
        octets.push(b' ');
    }
    let name = field.name.trim_ascii_end();
    let size = 4 + name.len() + 1 + octets.len() + 1;
    match octets.contains(&0) || size > LONGEST_RESPONSE {
        true => Err(Inexpressible),
        false => Ok(HeaderField {
            name: name.to_vec(),
            value: octets,
        }),
    }
}

fn edits(old: &[FieldView<'_>], new: &[FieldView<'_>]) -> Vec<Edit> {
    let both = old.iter().zip(new);
    let head = both.take_while(|(old, new)| old.is(new)).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let both = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = both.take_while(|(old, new)| old.is(new)).count();
    let old_rest = &old_rest[..old_rest.len() - tail];
    let new_rest = &new_rest[..new_rest.len() - tail];
    let mut edits = match old_rest.len().saturating_mul(new_rest.len()) <= PAIRS {
        true => smallest(old_rest, new_rest),
        false => small(old_rest, new_rest),
    };
    for edit in &mut edits {
        match edit {
            Edit::Change(at, from) | Edit::Insert(at, from) => {
                *at += head;
                *from += head;
            }
            Edit::Delete(at) => *at += head,
        }
    }
    edits
}

/// Edit distance by dynamic programming: to change, delete or insert costs one.
fn smallest(old: &[FieldView<'_>], new: &[FieldView<'_>]) -> Vec<Edit> {
    let width = new.len() + 1;
    // costs[i * width + j]: from old[i..] to new[j..].
    let mut costs = vec![0u32; (old.len() + 1) * width];
    for i in (0..=old.len()).rev() {
        for j in (0..=new.len()).rev() {
            let at = i * width + j;
            costs[at] = match (old.get(i), new.get(j)) {
                (None, _) => number(new.len() - j),
                (_, None) => number(old.len() - i),
                (Some(old), Some(new)) if old.is(new) => costs[at + width + 1],
                (Some(old), Some(new)) => {
                    let apart = costs[at + width].min(costs[at + 1]);
                    match old.has_name_of(new) {
                        true => 1 + apart.min(costs[at + width + 1]),
                        false => 1 + apart,
                    }
                }
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut edits = Vec::new();
    while i < old.len() || j < new.len() {
        let at = i * width + j;
        let step = match (old.get(i), new.get(j)) {
            (Some(old), Some(new)) if old.is(new) => None,
            (Some(old), Some(new))
                if old.has_name_of(new) && costs[at] == 1 + costs[at + width + 1] =>
            {
                Some(Edit::Change(i, j))
            }
            (Some(_), new) if new.is_none() || costs[at] == 1 + costs[at + width] => {
                Some(Edit::Delete(i))
            }
            _ => Some(Edit::Insert(i, j)),
        };
        edits.extend(step);
        i += usize::from(!matches!(step, Some(Edit::Insert(..))));
        j += usize::from(!matches!(step, Some(Edit::Delete(_))));
    }
    edits
}

/// For headers of thousands of fields that differ throughout: each new field keeps the next old
/// one that is the same, and the rest is deleted and inserted.
fn small(old: &[FieldView<'_>], new: &[FieldView<'_>]) -> Vec<Edit> {
    let mut places: HashMap<(&[u8], &[u8]), Vec<usize>> = HashMap::new();
    for (index, field) in old.iter().enumerate().rev() {
        let places = places.entry((field.name, field.value)).or_default();
        places.push(index);
    }
    let mut edits = Vec::new();
    let mut next = 0;
    for (from, field) in new.iter().enumerate() {
        let mut kept = None;
        if let Some(places) = places.get_mut(&(field.name, field.value)) {
            while let Some(place) = places.pop() {
                if place >= next {
                    kept = Some(place);
                    break;
                }
            }
        }
        match kept {
            Some(place) => {
                edits.extend((next..place).map(Edit::Delete));
                next = place + 1;
            }
            None => edits.push(Edit::Insert(next, from)),
        }
    }
    edits.extend((next..old.len()).map(Edit::Delete));
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn views(fields: &[String]) -> Vec<FieldView<'_>> {
        let fields = fields.iter();
        fields
            .map(|field| FieldView::of(field.as_bytes()))
            .collect()
    }

    fn owned(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| format!("{field}\r\n")).collect()
    }

    fn show(response: &Response) -> String {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let field = |field: &HeaderField| format!("{}:{}", text(&field.name), text(&field.value));
        match response {
            Response::InsertHeader(LAST, added) => format!("add {}", field(added)),
            Response::InsertHeader(index, added) => format!("insert {index} {}", field(added)),
            Response::ChangeHeader(index, new) => format!("change {index} {}", field(new)),
            Response::DeleteHeader(index, name) => format!("delete {index} {}", text(name)),
            other => format!("{other:?}"),
        }
    }

    fn check(old: &[&str], new: &[&str], expected: &[&str]) {
        let (old, new) = (owned(old), owned(new));
        let responses = responses(&views(&old), &views(&new), Steps::LEADING_SPACE).unwrap();
        let shown: Vec<String> = responses.iter().map(show).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_stays_is_not_mentioned() {
        check(&["A: 1", "B: 2"], &["A: 1", "B: 2"], &[]);
        check(
            &["A: 1", "B: 2", "C: 3"],
            &["A: 1", "B: x", "C: 3"],
            &["change 1 B: x"],
        );
        check(
            &["A: 1", "B: 2", "C: 3"],
            &["A: 1", "C: 3"],
            &["delete 1 B"],
        );
    }

    #[test]
    fn on_top_is_above_the_received_that_the_mta_hides() {
        check(&["A: 1"], &["N: 0", "A: 1"], &["insert 0 N: 0"]);
        check(
            &["A: 1", "B: 2"],
            &["A: 1", "N: 0", "B: 2"],
            &["insert 2 N: 0"],
        );
        check(
            &["A: 1"],
            &["A: 1", "N: 0", "M: 0"],
            &["add N: 0", "add M: 0"],
        );
        check(
            &["A: 1"],
            &["N: 0", "M: 0", "A: 1"],
            &["insert 0 M: 0", "insert 0 N: 0"],
        );
    }

    #[test]
    fn edits_come_from_the_bottom() {
        check(
            &["R: 1", "R: 2", "S: x", "R: 3"],
            &["R: 1", "S: y", "R: 4"],
            &["change 3 R: 4", "change 1 S: y", "delete 2 R"],
        );
    }

    #[test]
    fn values_are_handed_over_as_they_stand() {
        check(&["A: 1"], &["A:\t1\r\n  2"], &["change 1 A:\t1\n  2"]);
        check(&["A: 1"], &["A:"], &["change 1 A: "]);
        check(&["A: 1"], &["a: 1"], &["change 1 a: 1"]);
        let (old, new) = (owned(&["A: 1"]), owned(&["A:  2", "B:3", "C: "]));
        let without = responses(&views(&old), &views(&new), Steps::default()).unwrap();
        let shown: Vec<String> = without.iter().map(show).collect();
        assert_eq!(shown, ["add B:3", "add C: ", "change 1 A: 2"]);
    }

    #[test]
    fn what_no_mta_takes_is_said() {
        let steps = Steps::LEADING_SPACE;
        for value in ["a\0b".to_owned(), "x".repeat(LONGEST_RESPONSE)] {
            let new = vec![format!("A: {value}\r\n")];
            assert_eq!(responses(&[], &views(&new), steps), Err(Inexpressible));
        }
    }

    /// What an MTA has: a Received of its own, and what it showed us.
    fn apply(old: &[String], responses: &[Response], forgets_deleted: bool) -> Vec<String> {
        let shown = old.iter().map(|field| Some(field.clone()));
        let own = "Received: by us\r\n".to_owned();
        let mut fields: Vec<Option<String>> =
            std::iter::once(Some(own.clone())).chain(shown).collect();
        let write = |field: &HeaderField| {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            format!("{}:{}\r\n", text(&field.name), text(&field.value))
        };
        let nth = |fields: &[Option<String>], name: &[u8], nth: u32| {
            let named = fields.iter().enumerate().filter(|(_, field)| {
                let Some(field) = field else { return false };
                **field != own
                    && FieldView::of(field.as_bytes())
                        .name
                        .eq_ignore_ascii_case(name)
            });
            named.map(|(at, _)| at).nth(nth as usize - 1).unwrap()
        };
        for response in responses {
            match response {
                Response::InsertHeader(at, field) => {
                    let at = fields.len().min(*at as usize);
                    fields.insert(at, Some(write(field)));
                }
                Response::ChangeHeader(index, field) => {
                    let at = nth(&fields, &field.name, *index);
                    fields[at] = Some(write(field));
                }
                Response::DeleteHeader(index, name) => {
                    let at = nth(&fields, name, *index);
                    match forgets_deleted {
                        true => drop(fields.remove(at)),
                        false => fields[at] = None,
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        let fields = fields.into_iter().flatten();
        fields.filter(|field| *field != own).collect()
    }

    fn header() -> impl Strategy<Value = Vec<String>> {
        let field =
            ("[ABR]", "[ 1-3]{1,2}").prop_map(|(name, value)| format!("{name}:{value}\r\n"));
        prop::collection::vec(field, 0..12)
    }

    proptest! {
        #[test]
        fn an_mta_that_carries_the_edits_out_has_the_new_header(
            old in header(), new in header(), forgets in any::<bool>(),
        ) {
            let (before, after) = (views(&old), views(&new));
            let smallest = responses(&before, &after, Steps::LEADING_SPACE).unwrap();
            prop_assert_eq!(&apply(&old, &smallest, forgets), &new);
            prop_assert!(smallest.len() <= small(&before, &after).len());
        }

        #[test]
        fn the_quick_way_comes_to_the_same(old in header(), new in header()) {
            let edits = small(&views(&old), &views(&new));
            let kept = old.len() - edits.iter().filter(|e| matches!(e, Edit::Delete(_))).count();
            let inserted = edits.iter().filter(|e| matches!(e, Edit::Insert(..))).count();
            prop_assert_eq!(kept + inserted, new.len());
        }
    }
}
