//! What proxies say of whom they speak for.

use chinwag_peer::{
    Forwarding, ForwardingHeader, Networks, Peer,
    preface::{Preface, read},
};

/// The first bytes of a connection that a proxy passes on: read on as it is told to, a reader never takes a byte too many,
/// and what is refused stays so.
pub(crate) fn preface(bytes: &[u8]) {
    let mut taken = 0;
    while taken <= bytes.len() {
        match read(&bytes[..taken]) {
            Ok(Preface::Needs(more)) => {
                assert!(more > 0);
                taken += more;
            }
            Ok(Preface::Whole(_)) => {
                for part in 0..taken {
                    let Ok(Preface::Needs(more)) = read(&bytes[..part]) else {
                        panic!("whole or wrong at {part}")
                    };
                    assert!(part + more <= taken, "{more} more at {part}, of {taken}");
                }
                return;
            }
            Err(_) => {
                assert!(read(bytes).is_err());
                return;
            }
        }
    }
}

/// A header that a client made up, in several lines: whatever it is, it spoils nothing of what a proxy adds, and nobody
/// but a proxy is heeded.
pub(crate) fn forwarding(bytes: &[u8]) {
    let lies: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let proxies = Networks::read(["10.0.0.0/8"]).expect("a network");
    let (proxy, stranger) = (Peer::direct([10, 0, 0, 1].into()), Peer::direct([192, 0, 2, 9].into()));
    for (header, told) in [
        (ForwardingHeader::XForwardedFor, "192.0.2.7"),
        (ForwardingHeader::Forwarded, "for=\"192.0.2.7:_x\";proto=http"),
    ] {
        let forwarding = Forwarding { proxies: proxies.clone(), header };
        let find = |connection, lines: &[&[u8]], proto: &[&[u8]]| {
            forwarding.peer(connection, lines.iter().copied(), proto.iter().copied())
        };
        assert_eq!(find(stranger, &lies, &lies), stranger);
        // Alone it may be anything, since then a proxy wrote it.
        let alone = find(proxy, &lies, &lies);
        assert!(!alone.is_loopback());
        let line_of_its_own = [&lies[..], &[told.as_bytes()]].concat();
        assert_eq!(find(proxy, &line_of_its_own, &[]).to_string(), "192.0.2.7");
        let last = [lies.last().copied().unwrap_or_default(), b", ", told.as_bytes()].concat();
        let added = [&lies[..lies.len() - 1], &[&last]].concat();
        assert_eq!(find(proxy, &added, &[]).to_string(), "192.0.2.7");
    }
}
