//! Folding of header fields that we write (RFC 5322 §2.1.1, §2.2.3).

/// RFC 5322 §2.1.1: lines should have at most 78 characters.
const LINE: usize = 78;

/// `name: value`, folded before white space where a line would be longer than 78 characters,
/// each line ended with `line_end`. `value` is one line without control characters.
pub(crate) fn fold(name: &str, value: &str, line_end: &str) -> String {
    let value = value.trim_matches([' ', '\t']);
    let mut out = format!("{name}:");
    if value.is_empty() {
        out.push_str(line_end);
        return out;
    }
    let mut column = out.len();
    for (blanks, word) in words(value) {
        let blanks = if blanks.is_empty() { " " } else { blanks };
        let width = blanks.chars().count() + word.chars().count();
        // Not directly after the colon: some readers miss a value that begins on the next line.
        if column + width > LINE && column > name.len() + 1 {
            out.push_str(line_end);
            column = 0;
        }
        out.push_str(blanks);
        out.push_str(word);
        column += width;
    }
    out.push_str(line_end);
    out
}

/// Words, each with the white space before it.
fn words(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_blank = |character: char| matches!(character, ' ' | '\t');
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = rest.find(|character| !is_blank(character))?;
        let end = rest[start..]
            .find(is_blank)
            .map_or(rest.len(), |length| start + length);
        let word = (&rest[..start], &rest[start..end]);
        rest = &rest[end..];
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::fold;

    fn check(value: &str, expected: &str) {
        assert_eq!(fold("Subject", value, "\r\n"), expected);
    }

    #[test]
    fn folds() {
        check("", "Subject:\r\n");
        check("  a  b ", "Subject: a  b\r\n");
        let (a, b) = ("a".repeat(60), "b".repeat(20));
        check(&format!("{a} {b}"), &format!("Subject: {a}\r\n {b}\r\n"));
        check(
            &"a".repeat(100),
            &format!("Subject: {}\r\n", "a".repeat(100)),
        );
    }

    #[test]
    fn no_line_is_white_space_alone() {
        let folded = fold("X", &format!("a{}b", " ".repeat(200)), "\r\n");
        assert!(folded.lines().all(|line| !line.trim().is_empty()));
    }
}
