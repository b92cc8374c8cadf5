//! A message on its way in: where it ends, how its lines end, how much of it there may be.
//!
//! [`DataFraming`] finds the end of DATA and removes stuffed dots; [`Lines`] makes every line end
//! CRLF, and remembers whether that was needed; [`Content`] holds the octets within bounds. BDAT
//! goes without the first.

use bytes::Bytes;
use memchr::{memchr, memchr2};

use crate::courier::Room;

/// RFC 5321 §4.1.1.4, §4.5.2: the message ends with CRLF.CRLF and with nothing else, however the
/// octets come in. LF.LF, LF.CRLF, CR.CR, CRLF.LF and their like are content: whoever takes one
/// of them for the end lets its neighbour smuggle a second mail past us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DataFraming {
    /// At the start of a line: after CRLF, or before anything came.
    #[default]
    Start,
    /// After the dot that began a line.
    Dot,
    /// After a CR behind that dot.
    DotCr,
    /// In a line.
    Middle,
    /// In a line, after a CR.
    Cr,
    /// The message is over.
    End,
}

impl DataFraming {
    /// Hands the content in `input` to `take`, and says how many octets of it belong to the
    /// message, its end included. Less than all of them: the message ended.
    pub(crate) fn feed(&mut self, input: &[u8], mut take: impl FnMut(&[u8])) -> usize {
        let mut at = 0;
        while let Some(&octet) = input.get(at) {
            match (*self, octet) {
                (DataFraming::End, _) => break,
                (DataFraming::Start, b'.') => (*self, at) = (DataFraming::Dot, at + 1),
                (DataFraming::Dot, b'\r') => (*self, at) = (DataFraming::DotCr, at + 1),
                (DataFraming::DotCr, b'\n') => (*self, at) = (DataFraming::End, at + 1),
                // A dot before anything else was stuffed, and is gone; its CR is content.
                (DataFraming::DotCr, _) => {
                    take(b"\r");
                    *self = DataFraming::Cr;
                }
                (DataFraming::Cr, b'\n') => {
                    take(b"\n");
                    (*self, at) = (DataFraming::Start, at + 1);
                }
                (DataFraming::Cr, b'\r') => {
                    take(b"\r");
                    at += 1;
                }
                (
                    DataFraming::Start | DataFraming::Dot | DataFraming::Middle | DataFraming::Cr,
                    _,
                ) => {
                    let rest = &input[at..];
                    let end = memchr(b'\r', rest);
                    let run = &rest[..end.map_or(rest.len(), |end| end + 1)];
                    take(run);
                    at += run.len();
                    *self = match end {
                        Some(_) => DataFraming::Cr,
                        None => DataFraming::Middle,
                    };
                }
            }
        }
        at
    }

    /// Has the message ended?
    pub(crate) fn ended(self) -> bool {
        self == DataFraming::End
    }
}

/// Makes CRLF of every line end. A CR or an LF alone becomes one, and is remembered: what is made
/// of it is dot-stuffed on the way out like every line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    after_cr: bool,
    /// There was a CR or an LF alone.
    pub(crate) bare: bool,
}

impl Lines {
    pub(crate) fn push(&mut self, mut run: &[u8], content: &mut Content) {
        while let Some(&first) = run.first() {
            if self.after_cr {
                self.after_cr = false;
                content.push(b"\r\n");
                match first {
                    b'\n' => run = &run[1..],
                    _ => self.bare = true,
                }
                continue;
            }
            let end = memchr2(b'\r', b'\n', run).unwrap_or(run.len());
            content.push(&run[..end]);
            match run.get(end) {
                None => return,
                Some(b'\r') => self.after_cr = true,
                Some(_) => {
                    self.bare = true;
                    content.push(b"\r\n");
                }
            }
            run = &run[end + 1..];
        }
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self, content: &mut Content) {
        if std::mem::take(&mut self.after_cr) {
            self.bare = true;
            content.push(b"\r\n");
        }
    }
}

/// Room is made in steps, so that short lines do not fight for the counter.
const STEP: usize = 64 << 10;
/// A client's word about the size is believed up to here before the octets come.
const BELIEVED: usize = 1 << 20;

/// Why a message was not kept. It is read to its end all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// More octets than one message may have.
    TooLarge,
    /// More octets than may be held at a time.
    NoRoom,
}

/// A message as it grows: amortised doubling, and nothing is kept of one that is too large.
pub(crate) struct Content {
    octets: Vec<u8>,
    /// What we put before it does not count (RFC 1870 §5).
    added: usize,
    limit: usize,
    room: Box<dyn Room>,
    /// Octets that room was made for.
    roomy: usize,
    overflow: Option<Overflow>,
}

impl Content {
    /// A message of at most `limit` octets below the field `added`, of which the client says that
    /// it has `announced` octets.
    pub(crate) fn new(added: Vec<u8>, limit: usize, announced: u64, room: Box<dyn Room>) -> Self {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut octets = added;
        let added = octets.len();
        octets.reserve(announced.min(limit).min(BELIEVED));
        Self {
            octets,
            added,
            limit,
            room,
            roomy: 0,
            overflow: None,
        }
    }

    fn push(&mut self, run: &[u8]) {
        if self.overflow.is_some() {
            return;
        }
        let size = self.octets.len() - self.added + run.len();
        if size > self.limit {
            return self.give_up(Overflow::TooLarge);
        }
        if size > self.roomy {
            let step = (size - self.roomy).max(STEP);
            if !self.room.grow(step) {
                return self.give_up(Overflow::NoRoom);
            }
            self.roomy += step;
        }
        self.octets.extend_from_slice(run);
    }

    fn give_up(&mut self, why: Overflow) {
        self.overflow = Some(why);
        self.octets = Vec::new();
    }

    /// Why it is not kept any more.
    pub(crate) fn overflow(&self) -> Option<Overflow> {
        self.overflow
    }

    /// What came, without what was put before it.
    pub(crate) fn received(&self) -> &[u8] {
        self.octets.get(self.added..).unwrap_or_default()
    }

    /// The message, and the room that it takes as long as it is held.
    pub(crate) fn finish(self) -> Result<(Bytes, Box<dyn Room>), Overflow> {
        match self.overflow {
            Some(overflow) => Err(overflow),
            None => Ok((Bytes::from(self.octets), self.room)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Read {
        content: Vec<u8>,
        bare: bool,
        /// Octets of the input that belong to the message, when it ended.
        ended: Option<usize>,
    }

    /// So many octets, and no more.
    struct Bounded(usize);

    impl Room for Bounded {
        fn grow(&mut self, octets: usize) -> bool {
            let rest = self.0.checked_sub(octets);
            self.0 = rest.unwrap_or(self.0);
            rest.is_some()
        }
    }

    fn content(limit: usize, room: usize) -> Content {
        Content::new(Vec::new(), limit, 0, Box::new(Bounded(room)))
    }

    /// Feeds `pieces` one after the other.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
        let (mut framing, mut lines) = (DataFraming::default(), Lines::default());
        let mut content = content(usize::MAX, usize::MAX);
        let mut consumed = 0;
        for piece in pieces {
            consumed += framing.feed(piece, |run| lines.push(run, &mut content));
        }
        lines.end(&mut content);
        Read {
            content: content.received().to_vec(),
            bare: lines.bare,
            ended: framing.ended().then_some(consumed),
        }
    }

    /// The content, whole and cut everywhere in two.
    fn check(input: &[u8], expected: &[u8], bare: bool, ended: Option<usize>) {
        for cut in 0..=input.len() {
            let found = read([&input[..cut], &input[cut..]]);
            let shown = String::from_utf8_lossy(input).escape_debug().to_string();
            assert_eq!(
                String::from_utf8_lossy(&found.content),
                String::from_utf8_lossy(expected),
                "{shown} cut at {cut}"
            );
            assert_eq!(found.bare, bare, "bare: {shown} cut at {cut}");
            assert_eq!(found.ended, ended, "end: {shown} cut at {cut}");
        }
    }

    #[test]
    fn the_end_is_crlf_dot_crlf() {
        check(b"a\r\n.\r\n", b"a\r\n", false, Some(6));
        check(b".\r\n", b"", false, Some(3));
        check(b"a\r\n.\r\nMAIL FROM:<>\r\n", b"a\r\n", false, Some(6));
        check(b"a\r\n", b"a\r\n", false, None);
        check(b"a\r\n.", b"a\r\n", false, None);
        check(b"a\r\n.\r", b"a\r\n", false, None);
    }

    #[test]
    fn dots_at_the_start_of_a_line_were_stuffed() {
        check(
            b"..a\r\n..\r\n.b\r\n.\r\n",
            b".a\r\n.\r\nb\r\n",
            false,
            Some(16),
        );
        check(b"a.\r\n.\r\n", b"a.\r\n", false, Some(7));
    }

    #[test]
    fn no_other_line_end_ends_a_message() {
        check(b"a\n.\n", b"a\r\n.\r\n", true, None);
        check(b"a\n.\r\n", b"a\r\n.\r\n", true, None);
        check(b"a\r.\r", b"a\r\n.\r\n", true, None);
        check(b"a\r.\r\n", b"a\r\n.\r\n", true, None);
        check(b"a\r\n.\nb", b"a\r\n\r\nb", true, None);
        check(b"a\r\n.\rb", b"a\r\n\r\nb", true, None);
        check(b"a\r\n.\r\r\nb", b"a\r\n\r\n\r\nb", true, None);
        check(b"a\r\r\n.\r\n", b"a\r\n\r\n", true, Some(7));
        check(b"a\n\r\n.\r\n", b"a\r\n\r\n", true, Some(7));
        check(b"a\r\n\n.\r\n", b"a\r\n\r\n.\r\n", true, None);
        check(b"\n.\r\n", b"\r\n.\r\n", true, None);
        check(b"a\r\n\0.\r\n", b"a\r\n\0.\r\n", false, None);
    }

    /// What RFC 5321 says, without states: the reference for the property below.
    fn by_the_book(input: &[u8]) -> Option<usize> {
        let with_start = [b"\r\n", input].concat();
        let end = with_start
            .windows(5)
            .position(|window| window == b"\r\n.\r\n")?;
        Some(end + 3)
    }

    /// Every input of up to eight octets of those that matter.
    #[test]
    fn the_end_is_where_the_book_says() {
        const OCTETS: &[u8; 4] = b"\r\n.a";
        for length in 0..=8 {
            for number in 0..1_usize << (2 * length) {
                let input: Vec<u8> = (0..length)
                    .map(|at| OCTETS[number >> (2 * at) & 3])
                    .collect();
                let (whole, octetwise) = (read([input.as_slice()]), read(input.chunks(1)));
                assert_eq!(whole.ended, by_the_book(&input), "{input:?}");
                assert_eq!(whole.ended, octetwise.ended, "{input:?}");
                assert_eq!(whole.content, octetwise.content, "{input:?}");
                assert_eq!(whole.bare, octetwise.bare, "{input:?}");
            }
        }
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(
            prop_oneof![
                Just(b'\r'),
                Just(b'\n'),
                Just(b'.'),
                Just(b'a'),
                any::<u8>()
            ],
            0..60,
        )
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(input in octets(), size in 1_usize..8) {
            let whole = read([input.as_slice()]);
            let pieces = read(input.chunks(size));
            prop_assert_eq!(&whole.content, &pieces.content);
            prop_assert_eq!((whole.bare, whole.ended), (pieces.bare, pieces.ended));
            prop_assert_eq!(whole.ended, by_the_book(&input));
        }

        #[test]
        fn every_line_end_is_crlf(input in octets()) {
            let content = read([input.as_slice()]).content;
            for (at, octet) in content.iter().enumerate() {
                match octet {
                    b'\n' => prop_assert!(at > 0 && content[at - 1] == b'\r'),
                    b'\r' => prop_assert_eq!(content.get(at + 1), Some(&b'\n')),
                    _ => {}
                }
            }
        }

        #[test]
        fn what_a_careful_client_sends_comes_back(text in "[a.\\x00ü\r]{0,40}") {
            let text = text.replace('\r', "\r\n") + "\r\n";
            let stuffed = format!("\r\n{text}").replace("\r\n.", "\r\n..");
            let sent = format!("{}.\r\n", &stuffed[2..]);
            let found = read([sent.as_bytes()]);
            prop_assert_eq!(found.content, text.into_bytes());
            prop_assert!(!found.bare);
            prop_assert_eq!(found.ended, Some(sent.len()));
        }
    }

    #[test]
    fn a_message_too_large_is_not_kept() {
        let mut small = content(4, usize::MAX);
        small.push(b"abcd");
        assert_eq!(small.received(), b"abcd");
        small.push(b"e");
        assert_eq!(small.octets.capacity(), 0);
        assert_eq!(small.finish().err(), Some(Overflow::TooLarge));
    }

    #[test]
    fn a_message_without_room_is_not_kept() {
        let mut roomy = content(usize::MAX, 2 * STEP);
        roomy.push(&[b'a'; STEP]);
        roomy.push(&[b'a'; STEP]);
        assert_eq!(roomy.received().len(), 2 * STEP);
        roomy.push(b"a");
        assert_eq!(roomy.octets.capacity(), 0);
        assert_eq!(roomy.finish().err(), Some(Overflow::NoRoom));
    }
}
