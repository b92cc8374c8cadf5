//! The MIME tree as spans over the body (RFC 2046 §5.1, §5.2.1).
//!
//! One pass, with the open multiparts on a stack: each line that begins with `--` is compared with
//! the boundaries that are open, innermost first. Lines of bodies that begin otherwise are not
//! looked at one by one. Broken MIME is not an error: a part ends
//! where an outer delimiter or the body ends, a multipart whose boundary is missing or never
//! occurs is a leaf. Only limits fail.
//!
//! A delimiter is a whole line: `--`, the boundary, perhaps `--`, perhaps white space. RFC
//! 2046 §5.1.1 lets readers accept more after the boundary; most compare the line, and so do
//! we, or one boundary that begins another would be found in it.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::head::{FieldSpan, Section, Step};
use crate::line::{Line, trim_end};
use crate::media::{DefaultType, Media, TransferEncoding};
use crate::{Error, Limits};

/// A part. All offsets are into the message's body.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    /// Header section and body; of the root, the body only.
    pub(crate) raw: Range<usize>,
    /// Empty for the root, whose fields are the message's.
    pub(crate) fields: Vec<FieldSpan>,
    /// Length of the empty line between header section and body; 0 when it is missing.
    pub(crate) empty_line: usize,
    pub(crate) body: Range<usize>,
    pub(crate) media: Media,
    pub(crate) encoding: TransferEncoding,
}

impl Node {
    fn new(parent: Option<usize>, start: usize) -> Self {
        Self {
            parent,
            children: Vec::new(),
            raw: start..start,
            fields: Vec::new(),
            empty_line: 0,
            body: start..start,
            media: Media::of(None, DefaultType::Text),
            encoding: TransferEncoding::SevenBit,
        }
    }

    /// A multipart whose boundary occurs.
    pub(crate) fn is_multipart(&self) -> bool {
        self.media.boundary.is_some() && !self.children.is_empty()
    }

    fn end(&mut self, end: usize) {
        if end < self.body.start {
            // The empty line was the delimiter's line end.
            self.empty_line = 0;
        }
        for range in [&mut self.raw, &mut self.body] {
            range.start = range.start.min(end);
            range.end = end;
        }
    }
}

/// What a line is to an open multipart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// Another part follows.
    Next,
    /// The last part ended.
    Close,
}

impl Delimiter {
    /// Compares the text of a line with a boundary.
    pub(crate) fn of(text: &[u8], boundary: &[u8]) -> Option<Self> {
        // RFC 2046 §5.1.1: transport padding after the delimiter is ignored.
        match trim_end(text.strip_prefix(b"--")?.strip_prefix(boundary)?) {
            b"" => Some(Self::Next),
            b"--" => Some(Self::Close),
            _ => None,
        }
    }
}

/// Header fields of the root, which stand outside the body.
pub(crate) struct Root<'a> {
    pub(crate) content_type: Option<&'a [u8]>,
    pub(crate) transfer_encoding: Option<&'a [u8]>,
}

/// Builds the tree of `body`; the first node is the root.
pub(crate) fn build(root: &Root<'_>, body: &[u8], limits: &Limits) -> Result<Vec<Node>, Error> {
    let mut node = Node::new(None, 0);
    node.media = Media::of(root.content_type, DefaultType::Text);
    node.encoding = root
        .transfer_encoding
        .map_or(TransferEncoding::SevenBit, TransferEncoding::parse);
    let mut builder = Builder {
        body,
        limits,
        nodes: vec![node],
        open: vec![0],
        multiparts: Vec::new(),
        header: None,
        line_of_dashes: Finder::new(b"\n--"),
    };
    builder.begin_body(0, 0)?;
    builder.run()?;
    Ok(builder.nodes)
}

struct Builder<'a> {
    body: &'a [u8],
    limits: &'a Limits,
    nodes: Vec<Node>,
    /// From the root to the innermost part that has not ended.
    open: Vec<usize>,
    /// Those of them whose delimiters are looked for.
    multiparts: Vec<usize>,
    /// The header section being read, of the innermost open part.
    header: Option<Section>,
    line_of_dashes: Finder<'static>,
}

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let mut next = 0;
        // Without an open multipart or header section, the rest is one leaf's.
        while self.header.is_some() || !self.multiparts.is_empty() {
            let start = match self.header {
                Some(_) => Some(next),
                None => self.perhaps_delimiter(next),
            };
            let Some(line) = start.and_then(|start| Line::at(self.body, start)) else {
                break;
            };
            if !self.delimiter(line)? && !self.header_line(line)? {
                // The line belongs to the body that has just begun: look at it again.
                continue;
            }
            next = line.end;
        }
        self.close_above(None, self.body.len());
        Ok(())
    }

    /// Where the next line starts that begins with `--`. `line` is the start of a line.
    fn perhaps_delimiter(&self, line: usize) -> Option<usize> {
        let rest = self.body.get(line..)?;
        if rest.starts_with(b"--") {
            return Some(line);
        }
        self.line_of_dashes.find(rest).map(|at| line + at + 1)
    }

    /// Takes the line if it is a delimiter of an open multipart.
    fn delimiter(&mut self, line: Line) -> Result<bool, Error> {
        let text = line.text(self.body);
        if !text.starts_with(b"--") {
            return Ok(false);
        }
        let found = self
            .multiparts
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, &node)| {
                let boundary = self.nodes[node].media.boundary.as_deref()?;
                Some((at, node, Delimiter::of(text, boundary)?))
            });
        let Some((at, node, delimiter)) = found else {
            return Ok(false);
        };
        self.close_above(Some(node), before_line_end(self.body, line.start));
        match delimiter {
            Delimiter::Next => {
                self.multiparts.truncate(at + 1);
                self.begin_part(node, line.end, Section::default())?;
            }
            // What follows, up to an outer delimiter, is the epilogue.
            Delimiter::Close => self.multiparts.truncate(at),
        }
        Ok(true)
    }

    /// Takes the line, unless it shows that the header section being read has ended before it.
    fn header_line(&mut self, line: Line) -> Result<bool, Error> {
        let Some(section) = &mut self.header else {
            return Ok(true);
        };
        let step = section.take(self.body, line, self.limits)?;
        if step == Step::Taken {
            return Ok(true);
        }
        let node = self.innermost();
        self.end_header(node);
        if step == Step::EndAfter {
            self.nodes[node].empty_line = line.end - line.start;
            self.begin_body(node, line.end)?;
        } else {
            self.begin_body(node, line.start)?;
        }
        Ok(step == Step::EndAfter)
    }

    fn innermost(&self) -> usize {
        self.open.last().copied().unwrap_or(0)
    }

    fn begin_part(&mut self, parent: usize, start: usize, section: Section) -> Result<(), Error> {
        if self.nodes.len() >= self.limits.parts {
            return Err(Error::TooManyParts {
                limit: self.limits.parts,
            });
        }
        let limit = self.limits.depth.min(Limits::DEEPEST);
        if self.open.len() >= limit {
            return Err(Error::TooDeep { limit });
        }
        let node = self.nodes.len();
        self.nodes.push(Node::new(Some(parent), start));
        self.nodes[parent].children.push(node);
        self.open.push(node);
        self.header = Some(section);
        Ok(())
    }

    /// Gives the part its fields and what follows from them.
    fn end_header(&mut self, node: usize) {
        let Some(section) = self.header.take() else {
            return;
        };
        let value = |name: &str| {
            let mut named = section.fields.iter().filter(|field| {
                self.body[field.name.clone()].eq_ignore_ascii_case(name.as_bytes())
            });
            named.next().map(|field| &self.body[field.value.clone()])
        };
        let default = match self.nodes[node].parent {
            Some(parent) => self.nodes[parent].media.children_default(),
            None => DefaultType::Text,
        };
        let media = Media::of(value("Content-Type"), default);
        let encoding = value("Content-Transfer-Encoding")
            .map_or(TransferEncoding::SevenBit, TransferEncoding::parse);
        let node = &mut self.nodes[node];
        (node.media, node.encoding, node.fields) = (media, encoding, section.fields);
    }

    fn begin_body(&mut self, node: usize, start: usize) -> Result<(), Error> {
        self.nodes[node].body = start..start;
        if self.nodes[node].media.boundary.is_some() {
            self.multiparts.push(node);
        // RFC 2046 §5.2.1: an encoded message is illegal, and nobody's tree looks into it.
        } else if self.nodes[node].media.is_message() && self.nodes[node].encoding.is_identity() {
            self.begin_part(node, start, Section::of_message())?;
        }
        Ok(())
    }

    /// Ends the open parts inside `keep`, or all of them.
    fn close_above(&mut self, keep: Option<usize>, end: usize) {
        while let Some(&node) = self.open.last() {
            if Some(node) == keep {
                return;
            }
            if self.header.is_some() {
                // The header section ended without an empty line, and the body is empty.
                self.end_header(node);
                self.nodes[node].body = end..end;
                for field in &mut self.nodes[node].fields {
                    field.value.end = field.value.end.min(end);
                }
            }
            self.nodes[node].end(end);
            self.open.pop();
        }
    }
}

/// RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
fn before_line_end(body: &[u8], start: usize) -> usize {
    let before = &body[..start];
    let stripped = before
        .strip_suffix(b"\r\n")
        .or_else(|| before.strip_suffix(b"\n"));
    stripped.map_or(start, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as indented `type "body"` lines, bodies of leaves only.
    fn show(content_type: &str, body: &str) -> Vec<String> {
        let root = Root {
            content_type: Some(content_type.as_bytes()),
            transfer_encoding: None,
        };
        let nodes = build(&root, body.as_bytes(), &Limits::default()).unwrap();
        let mut lines = Vec::new();
        let mut pending = vec![(0, 0)];
        while let Some((node, depth)) = pending.pop() {
            let node = &nodes[node];
            let text = if node.children.is_empty() {
                format!(" {:?}", &body[node.body.clone()])
            } else {
                String::new()
            };
            lines.push(format!("{}{}{text}", "  ".repeat(depth), node.media.name));
            pending.extend(node.children.iter().rev().map(|child| (*child, depth + 1)));
        }
        lines
    }

    fn check(content_type: &str, body: &str, expected: &[&str]) {
        assert_eq!(show(content_type, body), expected, "{body:?}");
    }

    const MIXED: &str = "multipart/mixed; boundary=b";

    #[test]
    fn line_end_belongs_to_the_delimiter() {
        check(
            MIXED,
            "pre\r\n--b\r\n\r\none\r\n--b \t\r\n\r\ntwo\r\n\r\n--b--\r\nepi",
            &[
                "multipart/mixed",
                "  text/plain \"one\"",
                "  text/plain \"two\\r\\n\"",
            ],
        );
        check(
            MIXED,
            "--b\n\none\n--b--",
            &["multipart/mixed", "  text/plain \"one\""],
        );
        check(
            MIXED,
            "--b\r\n\r\n--b--\r\n",
            &["multipart/mixed", "  text/plain \"\""],
        );
        check(
            MIXED,
            "--b\r\n--b--\r\n",
            &["multipart/mixed", "  text/plain \"\""],
        );
    }

    #[test]
    fn only_whole_lines_delimit() {
        check(
            MIXED,
            "--b\n\n--bx\n --b\n--b--x\n--b--\n--b\n\nepilogue",
            &["multipart/mixed", "  text/plain \"--bx\\n --b\\n--b--x\""],
        );
    }

    #[test]
    fn missing_delimiters() {
        check(
            MIXED,
            "--b\n\none\n",
            &["multipart/mixed", "  text/plain \"one\\n\""],
        );
        check(MIXED, "just text\n", &["multipart/mixed \"just text\\n\""]);
        check(
            "multipart/mixed",
            "--b\n\none\n",
            &["multipart/mixed \"--b\\n\\none\\n\""],
        );
    }

    #[test]
    fn nested_multiparts() {
        let inner = "--b\nContent-Type: multipart/alternative; boundary=\"b2\"\n\n--b2\n\none\n--b2\n\ntwo\n";
        let expected = [
            "multipart/mixed",
            "  multipart/alternative",
            "    text/plain \"one\"",
            "    text/plain \"two\"",
            "  text/plain \"three\"",
        ];
        check(
            MIXED,
            &format!("{inner}--b2--\n--b\n\nthree\n--b--\n"),
            &expected,
        );
        // The inner close delimiter is missing.
        check(MIXED, &format!("{inner}--b\n\nthree\n--b--\n"), &expected);
    }

    #[test]
    fn same_boundary_inside_belongs_to_the_inner_one_until_it_closes() {
        let body = "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n";
        check(
            MIXED,
            body,
            &[
                "multipart/mixed",
                "  multipart/mixed",
                "    text/plain \"one\"",
                "  text/plain \"two\"",
            ],
        );
    }

    #[test]
    fn messages() {
        let body = "--b\nContent-Type: message/rfc822\n\nFrom x\nSubject: y\n\ntext\n--b--\n";
        check(
            MIXED,
            body,
            &[
                "multipart/mixed",
                "  message/rfc822",
                "    text/plain \"text\"",
            ],
        );
        check(
            "multipart/digest; boundary=b",
            "--b\n\nSubject: y\n\ntext\n--b--\n",
            &[
                "multipart/digest",
                "  message/rfc822",
                "    text/plain \"text\"",
            ],
        );
        check(
            MIXED,
            "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n--b--\n",
            &["multipart/mixed", "  message/rfc822 \"QQ==\""],
        );
        check(
            MIXED,
            "--b\nContent-Type: message/rfc822\n\n--b--\n",
            &["multipart/mixed", "  message/rfc822", "    text/plain \"\""],
        );
    }

    #[test]
    fn missing_empty_lines() {
        check(
            MIXED,
            "--b\nContent-Type: text/html\n--b--\n",
            &["multipart/mixed", "  text/html \"\""],
        );
        check(
            MIXED,
            "--b\nno field\nContent-Type: text/html\n\nx\n--b--\n",
            &[
                "multipart/mixed",
                "  text/plain \"no field\\nContent-Type: text/html\\n\\nx\"",
            ],
        );
        check(
            MIXED,
            "--b\nContent-Type: multipart/mixed; boundary=c\n--c\n\none\n--c--\n--b--",
            &[
                "multipart/mixed",
                "  multipart/mixed",
                "    text/plain \"one\"",
            ],
        );
    }

    #[test]
    fn limits_are_named() {
        let root = Root {
            content_type: Some(MIXED.as_bytes()),
            transfer_encoding: None,
        };
        let limits = Limits {
            parts: 2,
            ..Limits::default()
        };
        assert_eq!(
            build(&root, b"--b\n\n--b\n\n", &limits).err(),
            Some(Error::TooManyParts { limit: 2 })
        );
        let root = Root {
            content_type: Some(b"message/rfc822"),
            transfer_encoding: None,
        };
        let body = "Content-Type: message/rfc822\n\n".repeat(70);
        assert_eq!(
            build(&root, body.as_bytes(), &Limits::default()).err(),
            Some(Error::TooDeep { limit: 64 })
        );
    }
}
