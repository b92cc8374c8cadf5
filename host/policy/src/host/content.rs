//! Decoded content of parts, kept while a filter works on it.
//!
//! A filter reads in pieces and searches the same part for many words; each time the
//! transfer encoding would be undone again. A few parts are kept, within a bound.

use std::sync::Arc;

use bytes::Bytes;

use crate::dictionary::fold;

use super::handles::PartHandle;

/// Octets kept at once.
const KEPT: usize = 64 << 20;
/// Parts kept at once.
const PARTS: usize = 16;

#[derive(Default)]
pub(super) struct ContentCache {
    /// Last used last.
    contents: Vec<Content>,
}

struct Content {
    of: PartHandle,
    decoded: Option<Bytes>,
    text: Option<Option<Arc<str>>>,
    searchable: Option<Arc<str>>,
    folded: Option<Arc<str>>,
}

impl ContentCache {
    /// Content with the transfer encoding undone.
    pub(super) fn decoded(&mut self, part: &PartHandle) -> wasmtime::Result<Bytes> {
        let content = self.content(part);
        if let Some(decoded) = &content.decoded {
            return Ok(decoded.clone());
        }
        let decoded = Bytes::from(part.part()?.decoded().into_owned());
        content.decoded = Some(decoded.clone());
        Ok(decoded)
    }

    /// Text with its charset undone; `None` for what is not text.
    pub(super) fn text(&mut self, part: &PartHandle) -> wasmtime::Result<Option<Arc<str>>> {
        let content = self.content(part);
        if let Some(text) = &content.text {
            return Ok(text.clone());
        }
        let text: Option<Arc<str>> = part.part()?.text().map(Arc::from);
        content.text = Some(text.clone());
        Ok(text)
    }

    /// What searches look at: text, or whatever of other content reads as UTF-8. A part
    /// that only holds others has none of its own.
    pub(super) fn searchable(&mut self, part: &PartHandle) -> wasmtime::Result<Arc<str>> {
        if let Some(searchable) = &self.content(part).searchable {
            return Ok(searchable.clone());
        }
        let searchable: Arc<str> = match (part.part()?.is_leaf(), self.text(part)?) {
            (false, _) => "".into(),
            (true, Some(text)) => text,
            (true, None) => String::from_utf8_lossy(&self.decoded(part)?).into(),
        };
        self.content(part).searchable = Some(searchable.clone());
        Ok(searchable)
    }

    /// The same in lower case.
    pub(super) fn folded(&mut self, part: &PartHandle) -> wasmtime::Result<Arc<str>> {
        if let Some(folded) = &self.content(part).folded {
            return Ok(folded.clone());
        }
        let folded: Arc<str> = fold(&self.searchable(part)?).into();
        self.content(part).folded = Some(folded.clone());
        Ok(folded)
    }

    fn content(&mut self, part: &PartHandle) -> &mut Content {
        let known = self.contents.iter().position(|content| content.is_of(part));
        let content = match known {
            Some(index) => self.contents.remove(index),
            None => Content {
                of: part.clone(),
                decoded: None,
                text: None,
                searchable: None,
                folded: None,
            },
        };
        self.shrink();
        let last = self.contents.len();
        self.contents.push(content);
        &mut self.contents[last]
    }

    fn shrink(&mut self) {
        let size = |contents: &[Content]| contents.iter().map(Content::size).sum::<usize>();
        while self.contents.len() >= PARTS || size(&self.contents) > KEPT {
            self.contents.remove(0);
        }
    }
}

impl Content {
    /// Header edits share the body, and cannot change what it means.
    fn is_of(&self, part: &PartHandle) -> bool {
        let (mine, other) = (self.of.message.body(), part.message.body());
        self.of.id == part.id && mine.as_ptr() == other.as_ptr() && mine.len() == other.len()
    }

    fn size(&self) -> usize {
        let decoded = self.decoded.as_ref().map_or(0, Bytes::len);
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        decoded + self.text.as_ref().map_or(0, text) + text(&self.searchable) + text(&self.folded)
    }
}
