//! Which addresses may be dialled, and which of them are on the public internet, where R2's hosts are (THREATS T2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that a caller allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    Any,
    /// Loopback addresses: what is sent without TLS must not leave this machine (THREATS T12).
    ThisMachine,
    PublicInternet,
}

impl Allowed {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::ThisMachine => address.to_canonical().is_loopback(),
            Self::PublicInternet => is_public(address),
        }
    }
}

/// Whether an address can be that of a public host, also when IPv4 is written inside IPv6.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        // "This network", carrier-grade NAT, protocol assignments, benchmarks, reserved and broadcast.
        [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] => true,
        _ => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_documentation(),
    };
    !special
}

/// Global unicast (2000::/3) without its special corners, and IPv4 behind the well-known NAT64 prefix, through which
/// hosts without IPv4 reach R2.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let within = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        // NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => within(high, low),
        // Teredo and documentation.
        [0x2001, 0 | 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn private_addresses_are_not_public_however_they_are_written() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!public(address), "{address} is taken for public");
        }
    }

    #[test]
    fn addresses_of_public_hosts_are_public() {
        for address in [
            "104.18.8.90",
            "172.64.66.1",
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "::ffff:104.18.8.90",
            "2606:4700::6812:85a",
            "64:ff9b::6812:85a",
        ] {
            assert!(public(address), "{address} is not taken for public");
        }
    }
}
