//! `lists/` and `dictionaries/`: one entry on a line, `#` begins a comment.

use std::path::Path;

use waxseal_policy::{Dictionaries, Dictionary, DictionaryError, Lists, Term};

use crate::directory::Directory;
use crate::problem::Problem;

/// An entry with its line, from 1.
struct Entry<'t> {
    line: usize,
    text: &'t str,
}

/// Reads every list. The name is the file's, without `.txt`.
pub(crate) fn lists(directory: &Directory<'_>) -> Lists {
    let mut lists = Lists::default();
    for (name, file, text) in texts(directory, "lists") {
        let mut good = Vec::new();
        for entry in entries(&text, " \t") {
            match Lists::default().insert("", [entry.text]) {
                Ok(()) => good.push(entry.text),
                Err(error) => directory.problems.add(
                    Problem::with_file(&file, error.to_string())
                        .on_line(entry.line)
                        .hint("write example.org, .example.org or someone@example.org".to_owned()),
                ),
            }
        }
        // Each entry was read above; what cannot be read was reported.
        drop(lists.insert(name, good));
    }
    lists
}

/// Reads every dictionary. A line is words to look for, whole; `*in words*` is found inside
/// longer words too; `/…/` is a pattern.
pub(crate) fn dictionaries(directory: &Directory<'_>) -> Dictionaries {
    let mut dictionaries = Dictionaries::default();
    for (name, file, text) in texts(directory, "dictionaries") {
        let (mut terms, mut patterns) = (Vec::new(), Vec::new());
        for entry in entries(&text, "") {
            let problem = |error: DictionaryError| {
                let problem = Problem::with_file(&file, error.to_string().replace('\n', " "));
                directory.problems.add(problem.on_line(entry.line));
            };
            match enclosed(entry.text, '/') {
                Some(pattern) => {
                    let pattern = pattern.to_owned();
                    match Dictionary::compile(&[], std::slice::from_ref(&pattern)) {
                        Ok(_) => patterns.push(pattern),
                        Err(error) => problem(error),
                    }
                }
                None => {
                    let term = enclosed(entry.text, '*').map_or_else(
                        || Term::Word(entry.text.to_owned()),
                        |inside| Term::Plain(inside.to_owned()),
                    );
                    match Dictionary::compile(std::slice::from_ref(&term), &[]) {
                        Ok(_) => terms.push(term),
                        Err(error) => problem(error),
                    }
                }
            }
        }
        match Dictionary::compile(&terms, &patterns) {
            Ok(dictionary) => dictionaries.insert(name, dictionary),
            Err(error) => directory
                .problems
                .add(Problem::with_file(file, error.to_string())),
        }
    }
    dictionaries
}

fn texts(
    directory: &Directory<'_>,
    subdirectory: &str,
) -> Vec<(String, std::path::PathBuf, String)> {
    let mut texts: Vec<(String, std::path::PathBuf, String)> = Vec::new();
    for file in directory.files(subdirectory) {
        let Some(name) = name(&file) else {
            let message = "not read: names of lists and dictionaries end with .txt or not at all";
            directory.warnings.add(Problem::with_file(file, message));
            continue;
        };
        if texts.iter().any(|(other, _, _)| *other == name) {
            directory.problems.add(Problem::with_file(
                file,
                format!("two files of one name: {name}"),
            ));
            continue;
        }
        // A file that cannot be read still counts as there: the grants that name it are right.
        let text = directory.read_text(&file).unwrap_or_default();
        texts.push((name, file, text));
    }
    texts
}

fn name(file: &Path) -> Option<String> {
    match file.extension() {
        None => Some(file.file_name()?.to_str()?.to_owned()),
        Some(extension) if extension == "txt" => Some(file.file_stem()?.to_str()?.to_owned()),
        Some(_) => None,
    }
}

/// The lines that say something. A comment begins a line, or follows one of `before`.
fn entries<'t>(text: &'t str, before: &str) -> Vec<Entry<'t>> {
    let comment = |line: &'t str| {
        let inside = line.char_indices().find(|(at, c)| {
            let previous = line.get(..*at).and_then(|head| head.chars().next_back());
            *c == '#' && previous.is_some_and(|c| before.contains(c))
        });
        inside.map_or(line, |(at, _)| &line[..at])
    };
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, text)| Entry {
            line,
            text: comment(text).trim(),
        })
        .collect()
}

fn enclosed(text: &str, mark: char) -> Option<&str> {
    text.strip_prefix(mark)?
        .strip_suffix(mark)
        .filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_comments() {
        let check = |text: &str, before: &str, expected: &[(usize, &str)]| {
            let found: Vec<_> = entries(text, before)
                .iter()
                .map(|entry| (entry.line, entry.text))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check(
            "# all\n\na.example # why\n b.example\n",
            " \t",
            &[(3, "a.example"), (4, "b.example")],
        );
        check(
            "C# and F#\r\nitem #1",
            "",
            &[(1, "C# and F#"), (2, "item #1")],
        );
    }

    #[test]
    fn names() {
        let check = |file: &str, expected: Option<&str>| {
            assert_eq!(name(Path::new(file)).as_deref(), expected, "{file}");
        };
        check("lists/partners", Some("partners"));
        check("lists/partners.txt", Some("partners"));
        check("lists/partners.csv", None);
    }
}
