//! A tag in the subject, and the removal of tags that strangers wrote.

use serde::{Deserialize, Deserializer, de};

/// What is put before a subject.
#[derive(Debug)]
pub(crate) struct Tag {
    before: String,
    /// What stands after the state; `None` for a tag without a state.
    after: Option<String>,
}

impl Tag {
    /// The subject with the tag.
    pub(crate) fn on(&self, subject: &str, state: &str) -> String {
        let tag = match &self.after {
            Some(after) => format!("{}{state}{after}", self.before),
            None => self.before.clone(),
        };
        format!("{tag} {subject}").trim_end().to_owned()
    }

    /// The subject without any such tag, of whatever state.
    pub(crate) fn off(&self, subject: &str) -> String {
        let mut subject = subject.to_owned();
        while let Some((start, end)) = self.find(&subject) {
            let rest = subject.split_off(end);
            subject.truncate(start);
            subject.push_str(rest.trim_start());
        }
        subject
    }

    fn find(&self, subject: &str) -> Option<(usize, usize)> {
        let starts = subject.char_indices().map(|(at, _)| at);
        starts.into_iter().find_map(|start| {
            let end = self.end(subject.get(start..)?)?;
            Some((start, start + end))
        })
    }

    /// Where the tag ends that a text begins with.
    fn end(&self, text: &str) -> Option<usize> {
        let mut end = prefix(text, &self.before)?;
        if let Some(after) = &self.after {
            let state = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let rest = text.get(end..)?;
            let length = rest.find(|c| !state(c)).unwrap_or(rest.len());
            end += length;
            end += prefix(text.get(end..)?, after)?;
        }
        Some(end)
    }
}

/// The length of `start`, if the text begins with it in any case of ASCII letters.
fn prefix(text: &str, start: &str) -> Option<usize> {
    let found = text.get(..start.len())?;
    found.eq_ignore_ascii_case(start).then_some(start.len())
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (before, after) = match text.split_once("{state}") {
            Some((before, after)) => (before, Some(after)),
            None => (text.as_str(), None),
        };
        // Nothing else may be taken for a tag: a state alone is an ordinary word.
        if before.trim().is_empty() || text.chars().any(char::is_control) {
            let message = "a tag begins with text of its own, such as `[S/MIME: {state}]`";
            return Err(de::Error::custom(message));
        }
        Ok(Tag {
            before: before.trim_start().to_owned(),
            after: after.map(str::to_owned),
        })
    }
}
