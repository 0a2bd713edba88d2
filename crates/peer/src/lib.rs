//! Who is at the other end of a connection or a request, also where proxies stand between.
//!
//! A connection comes from an address that the kernel knows: [`Peer::direct`]. A proxy that passes whole connections on says
//! before their first byte whose they are ([`preface`]), one that passes requests on says it in a header of each
//! ([`Forwarding`]). Either is believed only where the operator named the proxy ([`Networks`]); whatever anybody else says
//! of itself counts for nothing.
//!
//! **Architecture invariant:** this room knows neither sockets nor the HTTP library; it is given bytes.

mod forwarded;
mod network;
pub mod preface;

pub use forwarded::{Forwarding, ForwardingHeader};
pub use network::{NetworkError, Networks};

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    address: IpAddr,
    is_proxied: bool,
    is_secure: bool,
}

impl Peer {
    /// Whoever opened the connection, as far as the kernel knows.
    pub fn direct(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), is_proxied: false, is_secure: false }
    }

    /// Whoever this one, a proxy that is believed, speaks for.
    #[must_use]
    pub fn speaking_for(self, address: IpAddr) -> Self {
        Self { address: address.to_canonical(), is_proxied: true, is_secure: self.is_secure }
    }

    /// The same, over an encrypted connection.
    #[must_use]
    pub fn secured(self) -> Self {
        Self { is_secure: true, ..self }
    }

    /// Its address; one of IPv4 is never written as one of IPv6. Where a proxy keeps an address to itself, the proxy's own.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether a proxy spoke for it.
    pub fn is_proxied(&self) -> bool {
        self.is_proxied
    }

    /// Whether its own connection, to us or to the proxy that spoke for it, was encrypted.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether it is a program of this machine. Nobody is for whom a proxy speaks, whatever the proxy says.
    pub fn is_loopback(&self) -> bool {
        !self.is_proxied && self.address.is_loopback()
    }

    /// What counts as one peer: an address of IPv4, or a network of 64 bits of IPv6, since whoever has one address of it
    /// has all (RFC 6177).
    pub fn household(&self) -> IpAddr {
        match self.address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// The address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(text: &str) -> Peer {
        Peer::direct(text.parse().expect("an address"))
    }

    #[test]
    fn a_household_is_an_address_or_a_network_of_ipv6() {
        let household = |text: &str| direct(text).household().to_string();
        assert_eq!(household("192.0.2.7"), "192.0.2.7");
        assert_eq!(household("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(household("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(household("2001:db8:1:2::1"), household("2001:db8:1:3::1"));
    }

    #[test]
    fn only_a_program_of_this_machine_is_loopback() {
        assert!(direct("127.0.0.9").is_loopback() && direct("::1").is_loopback());
        assert!(direct("::ffff:127.0.0.1").is_loopback());
        assert!(!direct("192.0.2.7").is_loopback());
        let claimed = direct("127.0.0.1").speaking_for([127, 0, 0, 1].into());
        assert!(!claimed.is_loopback() && claimed.is_proxied());
    }
}
