//! How many connections each peer has: so one alone can't take them all.

use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
};

/// How many each peer has; one without any has no entry.
type Held = Mutex<HashMap<IpAddr, u32>>;

/// The peers that have connections. Their number is that of the connections at most.
pub(super) struct Peers {
    /// Most connections of one; `None` is any number, and then nothing is counted.
    max: Option<NonZeroU32>,
    held: Arc<Held>,
}

/// One connection of a peer, until it is dropped.
pub(super) struct Place {
    counted: Option<(IpAddr, Arc<Held>)>,
}

impl Peers {
    /// `max`: most connections of one peer; 0 is any number.
    pub(super) fn new(max: u32) -> Self {
        Self { max: NonZeroU32::new(max), held: Arc::default() }
    }

    /// Takes a place for one more connection; `None` where its peer has as many as it may.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let Some(max) = self.max else { return Some(Place { counted: None }) };
        let peer = peer_of(address);
        let mut held = self.held.lock();
        let count = held.entry(peer).or_insert(0);
        if *count >= max.get() {
            return None;
        }
        *count += 1;
        Some(Place { counted: Some((peer, self.held.clone())) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((peer, held)) = self.counted.take() else { return };
        if let Entry::Occupied(mut count) = held.lock().entry(peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// What counts as one peer: an address of IPv4, or a network of 64 bits of IPv6, since whoever has one address of it has
/// all (RFC 6177).
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_peer_is_an_address_or_a_network_of_ipv6() {
        assert_eq!(peer_of(ip("192.0.2.7")), ip("192.0.2.7"));
        assert_eq!(peer_of(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
        assert_eq!(peer_of(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(peer_of(ip("2001:db8:1:2::1")), peer_of(ip("2001:db8:1:3::1")));
    }

    #[test]
    fn places_come_back_and_a_peer_without_any_is_forgotten() {
        let peers = Peers::new(2);
        let first = peers.place(ip("192.0.2.7")).expect("the first");
        let second = peers.place(ip("::ffff:192.0.2.7")).expect("the second");
        assert!(peers.place(ip("192.0.2.7")).is_none());
        let other = peers.place(ip("192.0.2.8")).expect("of another");
        drop(second);
        let again = peers.place(ip("192.0.2.7")).expect("one has gone");
        assert!(peers.place(ip("192.0.2.7")).is_none());
        drop((first, again, other));
        assert!(peers.held.lock().is_empty());
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let peers = Peers::new(0);
        let places: Vec<_> = (0..100).map(|_| peers.place(ip("192.0.2.7")).expect("a place")).collect();
        assert!(peers.held.lock().is_empty());
        drop(places);
    }
}
