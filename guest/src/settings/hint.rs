//! Which name was meant?

/// "did you mean", or the names that there are.
pub(super) fn known(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => "nothing is".to_owned(),
        None => format!("known are `{}`", names.join("`, `")),
    }
}

/// The name with the fewest edits, when those are few enough to be a slip.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let distances = names.iter().map(|known| (edits(name, known), *known));
    distances
        .filter(|(distance, _)| *distance <= 1 + name.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance, of octets.
fn edits(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
