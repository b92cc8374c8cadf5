//! Whom the fetcher may speak to. A certificate's URL must not make the gateway ask its own
//! network, its metadata service or itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Whom the fetcher may speak to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Networks {
    /// Addresses of the public network alone.
    #[default]
    Public,
    /// Private addresses and this machine too: for an authority of one's own.
    Any,
}

/// Resolves names, and passes over addresses that may not be spoken to. The client connects to
/// what it gives and asks nobody else.
#[derive(Debug, Default)]
pub(super) struct GuardedResolver {
    pub(super) networks: Networks,
    pub(super) inner: DefaultResolver,
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let all = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in all.iter() {
            if self.networks == Networks::Any || is_public(address.ip()) {
                allowed.push(*address);
            }
        }
        if allowed.is_empty() {
            // The one kind of error that the client gives for this, and for nothing else.
            return Err(ureq::Error::Io(io::Error::other(NotPublic)));
        }
        Ok(allowed)
    }
}

/// Every address of a host is off limits.
#[derive(Debug, thiserror::Error)]
#[error("no address of the public network")]
pub(super) struct NotPublic;

/// Addresses of the public network (the registries of RFC 6890, as far as they are not global).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = match first {
        0 | 127 | 240..=255 => true,         // this network, loopback, reserved
        100 => (64..128).contains(&second),  // RFC 6598
        192 => second == 0 && third == 0,    // RFC 6890
        198 => second == 18 || second == 19, // RFC 2544
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, seventh, eighth] = address.segments();
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (first, second) {
        // IPv4 in other clothes: mapped (RFC 4291), translated (RFC 6052), 6to4 (RFC 3056).
        (0, 0) => {
            let mapped = third == 0 && fourth == 0 && fifth == 0 && sixth == 0xffff;
            mapped && inside(seventh, eighth)
        }
        (0x64, 0xff9b) => [third, fourth, fifth, sixth] == [0; 4] && inside(seventh, eighth),
        (0x2002, _) => inside(second, third),
        // Teredo, benchmarking, ORCHID; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) => false,
        (0x3fff, 0..=0xfff) => false,
        // What is given out of 2000::/3 is global, the rest is local or nobody's.
        _ => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_other_addresses() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        };
        for public in [
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
        ] {
            check(public, true);
            check(&format!("::ffff:{public}"), true);
            check(&format!("64:ff9b::{public}"), true);
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            check(other, false);
            check(&format!("::ffff:{other}"), false);
            check(&format!("64:ff9b::{other}"), false);
        }
        check("2606:4700::1111", true);
        check("2002:808:808::1", true);
        for other in [
            "::",
            "::1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "64:ff9b:1::1",
            "3fff::1",
        ] {
            check(other, false);
        }
    }
}
