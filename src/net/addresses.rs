//! Which addresses of a name are dialled, whatever the name resolves to.

use std::net::SocketAddr;

use super::error::DialError;
use super::public::Allowed;

/// Addresses of one name that are tried at most, in the resolver's order: among more, each one's share of the time would
/// be too short to connect in.
const ADDRESSES: usize = 4;

impl Allowed {
    pub(super) fn among(self, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, DialError> {
        let allowed = found.iter().filter(|address| self.allows(address.ip()));
        let dialled: Vec<SocketAddr> = allowed.take(ADDRESSES).copied().collect();
        match found.first() {
            Some(first) if dialled.is_empty() => Err(DialError::NotAllowed { address: first.ip(), allowed: self }),
            _ => Ok(dialled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn dialled(allowed: Allowed, found: &[&str]) -> Result<Vec<SocketAddr>, DialError> {
        allowed.among(&addresses(found))
    }

    #[test]
    fn only_this_machine_is_dialled_whatever_the_name_resolves_to() {
        let both = ["10.0.0.7:9944", "127.0.0.1:9944", "[::1]:9944", "[::ffff:127.0.0.2]:9944"];
        assert_eq!(dialled(Allowed::ThisMachine, &both), Ok(addresses(&both[1..])));
        for elsewhere in ["10.0.0.7:9944", "[::ffff:10.0.0.7]:9944"] {
            let address = addresses(&[elsewhere])[0].ip();
            let refused = DialError::NotAllowed { address, allowed: Allowed::ThisMachine };
            assert_eq!(dialled(Allowed::ThisMachine, &[elsewhere]), Err(refused));
        }
    }

    #[test]
    fn only_public_addresses_are_dialled_when_the_host_is_a_public_one() {
        let both = ["10.0.0.7:443", "104.18.8.90:443", "[::1]:443", "[2606:4700::6812:85a]:443"];
        assert_eq!(dialled(Allowed::PublicInternet, &both), Ok(addresses(&[both[1], both[3]])));
    }

    #[test]
    fn every_address_of_the_name_is_dialled_when_any_is_allowed() {
        let far = ["10.0.0.7:443", "[2001:db8::1]:443"];
        assert_eq!(dialled(Allowed::Any, &far), Ok(addresses(&far)));
        assert_eq!(dialled(Allowed::Any, &[]), Ok(Vec::new()));
    }

    #[test]
    fn no_more_addresses_are_dialled_than_there_is_time_for() {
        assert_eq!(dialled(Allowed::Any, &["192.0.2.1:443"; 9]).unwrap().len(), ADDRESSES);
    }
}
