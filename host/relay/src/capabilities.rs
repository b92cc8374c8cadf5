//! What the next hop offers (RFC 5321 §4.1.1.1).

use crate::reply::HopReply;

/// What the next hop offers, as it said in its last greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Most octets of a message, 0 for no limit (RFC 1870 §4); `None`: it knows no SIZE.
    pub size: Option<u64>,
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3030. The relay itself sends DATA.
    pub chunking: bool,
    /// RFC 3207.
    pub start_tls: bool,
}

impl Capabilities {
    /// Reads the reply to EHLO or LHLO. Keywords that are unknown or wrong offer nothing.
    pub(crate) fn read(reply: &HopReply) -> Self {
        let mut offers = Self::default();
        // The first line is the greeting.
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "SIZE" => offers.size = words.next().map_or(Some(0), |size| size.parse().ok()),
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit_mime = true,
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "DSN" => offers.dsn = true,
                "ENHANCEDSTATUSCODES" => offers.enhanced_status_codes = true,
                "CHUNKING" => offers.chunking = true,
                "STARTTLS" => offers.start_tls = true,
                _ => {}
            }
        }
        offers
    }

    /// The largest message to offer our own clients: what the next hop takes, less what signing
    /// and encrypting add (base64 a third, the rest certificates). `None`: any.
    pub fn size_for_clients(&self) -> Option<u64> {
        self.size.filter(|size| *size > 0).map(|size| size / 3 * 2)
    }

    /// Is this more than the next hop takes?
    pub(crate) fn is_too_large(&self, octets: usize) -> bool {
        self.size
            .is_some_and(|size| size > 0 && octets as u64 > size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_is_read() {
        let text: &[u8] = b"250-mx.example Hello\r\n250-SIZE 1000\r\n250-pipelining\r\n\
            250-8BITMIME\r\n250-DSN\r\n250-X-OTHER a b\r\n250 SMTPUTF8\r\n";
        let (reply, _) = HopReply::parse(text).unwrap().unwrap();
        let expected = Capabilities {
            size: Some(1000),
            pipelining: true,
            eight_bit_mime: true,
            dsn: true,
            smtp_utf8: true,
            ..Capabilities::default()
        };
        assert_eq!(Capabilities::read(&reply), expected);
    }

    #[test]
    fn a_name_in_the_greeting_offers_nothing() {
        let (reply, _) = HopReply::parse(b"250 STARTTLS\r\n").unwrap().unwrap();
        assert_eq!(Capabilities::read(&reply), Capabilities::default());
    }

    #[test]
    fn sizes_leave_room_to_grow() {
        let sized = |size| Capabilities {
            size,
            ..Capabilities::default()
        };
        assert_eq!(sized(Some(30_000)).size_for_clients(), Some(20_000));
        assert_eq!(sized(Some(0)).size_for_clients(), None);
        assert!(!sized(Some(0)).is_too_large(usize::MAX) && !sized(None).is_too_large(usize::MAX));
        assert!(sized(Some(9)).is_too_large(10) && !sized(Some(10)).is_too_large(10));
    }
}
