//! What front ends write into the Received field of a message that goes on (RFC 5321 §4.4), and
//! know it by when it comes again.

use std::net::IpAddr;

/// How often a message may have come through one listener: a list behind an alias comes twice,
/// no mail comes often.
pub const MOST_PASSES: usize = 2;
/// Octets of a field that are looked at: what we write stands at its beginning.
const LOOKED_AT: usize = 2048;

/// `by gw.example (waxseal/out)`: which listener wrote the field.
pub fn by(hostname: &str, listener: &str) -> String {
    format!("by {} (waxseal/{})", token(hostname), token(listener))
}

/// Did the listener of this `by` write the field?
pub fn is_by(by: &str, field: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&field[..field.len().min(LOOKED_AT)]);
    // Folded or not, by us or on the way.
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    words.join(" ").contains(by)
}

/// A name as it may stand in the field: whatever could end a token or begin a comment goes.
pub fn token(name: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._:[]/".contains(c);
    // RFC 5321 §4.5.3.1.2.
    let name = name.chars().take(255);
    name.map(|c| if is_safe(c) { c } else { '?' }).collect()
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
pub fn address_literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_knows_its_fields() {
        let ours = by("gw.example", "out");
        assert_eq!(ours, "by gw.example (waxseal/out)");
        let check = |field: &str, expected| assert_eq!(is_by(&ours, field.as_bytes()), expected);
        check("from a by gw.example (waxseal/out) id 7f", true);
        check("from a\r\n\tby  gw.example\r\n (waxseal/out)", true);
        check("from a by gw.example (waxseal/in)", false);
        check(
            &format!("{}by gw.example (waxseal/out)", " ".repeat(LOOKED_AT)),
            false,
        );
    }

    #[test]
    fn a_name_breaks_out_of_nothing() {
        assert_eq!(token("a(b)\r\n;ü"), "a?b?????");
        assert_eq!(token(&"x".repeat(300)).len(), 255);
    }

    #[test]
    fn addresses_have_their_literals() {
        let check = |ip: &str, expected| assert_eq!(address_literal(ip.parse().unwrap()), expected);
        check("192.0.2.1", "[192.0.2.1]");
        check("::ffff:192.0.2.1", "[192.0.2.1]");
        check("2001:db8::1", "[IPv6:2001:db8::1]");
    }
}
