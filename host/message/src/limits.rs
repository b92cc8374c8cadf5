//! How much of a message is read before it is refused.

/// Upper bounds for one message. Each has a named error (DESIGN §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole message.
    pub octets: usize,
    /// Header fields in one header section.
    pub header_fields: usize,
    /// Octets of one header section.
    pub header_octets: usize,
    /// Levels of the MIME tree; the root is the first. [`Limits::DEEPEST`] at most.
    pub depth: usize,
    /// Parts in all.
    pub parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            octets: 64 << 20,
            header_fields: 2000,
            header_octets: 1 << 20,
            depth: 64,
            parts: 10_000,
        }
    }
}

impl Limits {
    /// No depth beyond this is read, whatever is set: preparing an entity recurses.
    pub const DEEPEST: usize = 256;

    /// No bounds: for octets that were within bounds before, and for tests.
    pub const UNLIMITED: Self = Self {
        octets: usize::MAX,
        header_fields: usize::MAX,
        header_octets: usize::MAX,
        depth: usize::MAX,
        parts: usize::MAX,
    };
}
