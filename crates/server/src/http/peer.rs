//! The one place of this face where it is found out from where a request comes.

use chinwag_peer::{Forwarding, ForwardingHeader, Peer};
use hyper::{
    HeaderMap,
    header::{FORWARDED, HeaderName, HeaderValue},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who makes a request that came by a connection of this peer.
pub(super) fn find(forwarding: &Forwarding, connection: Peer, headers: &HeaderMap) -> Peer {
    if !forwarding.believes(&connection) {
        return connection;
    }
    let lines = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let name = match forwarding.header {
        ForwardingHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardingHeader::Forwarded => FORWARDED,
    };
    forwarding.peer(connection, lines(name), lines(X_FORWARDED_PROTO))
}
