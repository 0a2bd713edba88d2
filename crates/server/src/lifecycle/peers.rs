//! How many connections each peer has: so one alone can't take them all.

use super::told::Told;
use chinwag_peer::Peer;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
};

/// How many each household has; one without any has no entry.
type Held = Mutex<HashMap<IpAddr, u32>>;

/// The peers that have connections. Their number is that of the connections at most.
pub(super) struct Peers {
    /// Most connections of one; `None` is any number, and then nothing is counted.
    max: Option<NonZeroU32>,
    held: Arc<Held>,
    told: Told,
}

/// One connection of a peer, until it is dropped.
pub(super) struct Place {
    counted: Option<(IpAddr, Arc<Held>)>,
}

impl Place {
    /// That of a connection that no bound is for.
    pub(super) const UNCOUNTED: Self = Self { counted: None };
}

impl Peers {
    /// `max`: most connections of one peer; 0 is any number.
    pub(super) fn new(max: u32) -> Self {
        Self { max: NonZeroU32::new(max), held: Arc::default(), told: Told::default() }
    }

    /// Takes a place for one more connection; `None` where its peer has as many as it may. A program of this machine may
    /// have any number.
    pub(super) fn place(&self, peer: Peer) -> Option<Place> {
        let Some(max) = self.max.filter(|_| !peer.is_loopback()) else { return Some(Place::UNCOUNTED) };
        let household = peer.household();
        let mut held = self.held.lock();
        let count = held.entry(household).or_insert(0);
        if *count < max.get() {
            *count += 1;
            return Some(Place { counted: Some((household, self.held.clone())) });
        }
        drop(held);
        if self.told.may_tell() {
            tracing::warn!(
                %peer,
                peer_connections_max = max,
                "a peer has all the connections that it may; one more was closed"
            );
        } else {
            tracing::debug!(%peer, "a connection too many of a peer was closed");
        }
        None
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

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::direct(text.parse().expect("an address"))
    }

    #[test]
    fn places_come_back_and_a_peer_without_any_is_forgotten() {
        let peers = Peers::new(2);
        let first = peers.place(peer("192.0.2.7")).expect("the first");
        let second = peers.place(peer("::ffff:192.0.2.7")).expect("the second");
        assert!(peers.place(peer("192.0.2.7")).is_none());
        let other = peers.place(peer("192.0.2.8")).expect("of another");
        drop(second);
        let again = peers.place(peer("192.0.2.7")).expect("one has gone");
        assert!(peers.place(peer("192.0.2.7")).is_none());
        drop((first, again, other));
        assert!(peers.held.lock().is_empty());
    }

    #[test]
    fn whoever_has_one_address_of_a_network_of_ipv6_has_all() {
        let peers = Peers::new(1);
        let _first = peers.place(peer("2001:db8:1:2::1")).expect("the first");
        assert!(peers.place(peer("2001:db8:1:2:ffff::1")).is_none());
        assert!(peers.place(peer("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let peers = Peers::new(0);
        let places: Vec<_> = (0..100).map(|_| peers.place(peer("192.0.2.7")).expect("a place")).collect();
        assert!(peers.held.lock().is_empty());
        drop(places);
    }

    #[test]
    fn a_program_of_this_machine_has_no_bound_but_for_whom_it_speaks_has() {
        let peers = Peers::new(1);
        let local = peer("127.0.0.1");
        let _places = [(); 9].map(|()| peers.place(local).expect("a place"));
        let client = local.speaking_for([127, 0, 0, 1].into());
        let _place = peers.place(client).expect("the first");
        assert!(peers.place(client).is_none());
    }
}
