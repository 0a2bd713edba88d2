use super::*;

/// The proxies are `10.0.0.0/8` and `2001:db8:ffff::/48`.
fn forwarding(header: ForwardingHeader) -> Forwarding {
    Forwarding { proxies: Networks::read(["10.0.0.0/8", "2001:db8:ffff::/48"]).expect("networks"), header }
}

fn asked(header: ForwardingHeader, connection: &str, lines: &[&[u8]], proto: &[&[u8]]) -> Peer {
    let connection = Peer::direct(connection.parse().expect("an address"));
    forwarding(header).peer(connection, lines.iter().copied(), proto.iter().copied())
}

/// Who it is by each header, both of which say the same.
#[track_caller]
fn both(connection: &str, nodes: &[&str], expected: &str) {
    let plain: Vec<_> = nodes.iter().map(|line| line.as_bytes()).collect();
    let peer = asked(ForwardingHeader::XForwardedFor, connection, &plain, &[]);
    assert_eq!(peer.to_string(), expected, "X-Forwarded-For: {nodes:?}");
    let quoted = |line: &&str| {
        let pairs: Vec<_> = line.split(',').map(|node| format!("for=\"{}\"", node.trim())).collect();
        pairs.join(", ").into_bytes()
    };
    let quoted: Vec<_> = nodes.iter().map(quoted).collect();
    let lines: Vec<_> = quoted.iter().map(Vec::as_slice).collect();
    let peer = asked(ForwardingHeader::Forwarded, connection, &lines, &[]);
    assert_eq!(peer.to_string(), expected, "Forwarded: {nodes:?}");
}

#[test]
fn the_walk_ends_at_the_first_that_is_not_believed() {
    both("10.0.0.1", &["192.0.2.7"], "192.0.2.7");
    both("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7");
    both("10.0.0.1", &["198.51.100.1, 192.0.2.7, 10.0.0.2,10.0.0.3"], "192.0.2.7");
    both("10.0.0.1", &["198.51.100.1", "192.0.2.7, 10.0.0.2", "10.0.0.3"], "192.0.2.7");
    both("2001:db8:ffff::1", &["2001:db8::7"], "2001:db8::7");
    both("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7");
}

#[test]
fn where_all_are_believed_it_is_the_first() {
    both("10.0.0.1", &["10.0.0.4, 10.0.0.3"], "10.0.0.4");
    both("10.0.0.1", &[""], "10.0.0.1");
    both("10.0.0.1", &[], "10.0.0.1");
}

#[test]
fn nobody_else_is_heeded() {
    both("192.0.2.9", &["192.0.2.7"], "192.0.2.9");
    both("127.0.0.1", &["192.0.2.7"], "127.0.0.1");
    let peer = asked(ForwardingHeader::XForwardedFor, "192.0.2.9", &[b"192.0.2.7"], &[b"https"]);
    assert!(!peer.is_proxied() && !peer.is_secure());
}

#[test]
fn ports_brackets_and_spellings() {
    for (node, expected) in [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("192.0.2.7:_hidden", "192.0.2.7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
    ] {
        both("10.0.0.1", &[node], expected);
    }
}

#[test]
fn whoever_is_hidden_or_malformed_is_the_nearest_proxy() {
    for node in [
        "unknown",
        "UNKNOWN",
        "_hidden",
        "_SEVKISEK",
        "apple",
        "192.0.2.7:",
        "192.0.2.7:123456",
        "192.0.2.7:8x",
        "192.0.2",
        "192.0.2.07",
        "192.0.2.256",
        "[192.0.2.7]",
        "[2001:db8::7",
        "2001:db8::7]",
        "[]",
        "fe80::1%eth0",
        "[2001:db8::7]80",
        "192.0.2.7 192.0.2.8",
        "-",
        "192.0.2.7:_",
        "192.0.2.7/32",
    ] {
        both("10.0.0.1", &[&format!("192.0.2.7, {node}, 10.0.0.2")], "10.0.0.2");
        both("10.0.0.1", &[node], "10.0.0.1");
    }
    let peer = asked(ForwardingHeader::XForwardedFor, "10.0.0.1", &[b"\xff"], &[]);
    assert_eq!((peer.to_string().as_str(), peer.is_proxied()), ("10.0.0.1", true));
}

#[test]
fn what_a_client_wrote_spoils_nothing() {
    for lie in [
        "unknown",
        "\"",
        "\\",
        ";;;",
        "for=",
        "for=\"",
        "\\\"",
        "for=\"a\\",
        "for=1;for=2",
        ",,,",
        "=",
        "\"\\\\",
    ] {
        for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
            let told =
                if header == ForwardingHeader::Forwarded { "for=\"192.0.2.7:80\"" } else { "192.0.2.7:80" };
            for added in [format!("{lie}, {told}"), format!("{lie},{told}")] {
                let peer = asked(header, "10.0.0.1", &[added.as_bytes()], &[]);
                assert_eq!(peer.to_string(), "192.0.2.7", "{added}");
            }
            let peer = asked(header, "10.0.0.1", &[lie.as_bytes(), told.as_bytes()], &[]);
            assert_eq!(peer.to_string(), "192.0.2.7", "{lie}");
        }
    }
}

#[track_caller]
fn forwarded(element: &str, expected: &str, secure: bool) {
    let peer = asked(ForwardingHeader::Forwarded, "10.0.0.1", &[element.as_bytes()], &[b"https"]);
    assert_eq!((peer.to_string().as_str(), peer.is_secure()), (expected, secure), "{element}");
}

#[test]
fn the_pairs_of_an_element() {
    forwarded("for=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7", true);
    forwarded("For=\"[2001:db8::7]:80\"; PROTO=HTTPS", "2001:db8::7", true);
    forwarded("proto=http;for=192.0.2.7", "192.0.2.7", false);
    forwarded("by=_a;host=\"a,b;for=1.2.3.4\\\"\";for=192.0.2.7", "192.0.2.7", false);
    forwarded("for=\"192.0.2.\\7\"", "192.0.2.7", false);
    forwarded(";for=192.0.2.7;", "192.0.2.7", false);
    forwarded("for=unknown;proto=https", "10.0.0.1", true);
    forwarded("proto=https", "10.0.0.1", true);
    for malformed in [
        "192.0.2.7",
        "for=192.0.2.7;for=192.0.2.8",
        "for=\"192.0.2.7",
        "for=\"192.0.2.7\"x",
        "for=\"192.0.2.7\"\"\"",
        "x;for=192.0.2.7",
    ] {
        forwarded(malformed, "10.0.0.1", false);
    }
}

#[test]
fn encryption_is_that_of_the_element_at_which_the_walk_ends() {
    forwarded("for=192.0.2.7;proto=https, for=10.0.0.2;proto=http", "192.0.2.7", true);
    forwarded("for=198.51.100.1;proto=https, for=192.0.2.7", "192.0.2.7", false);
    forwarded("for=192.0.2.7;proto=https;proto=http", "192.0.2.7", false);
}

#[test]
fn encryption_beside_x_forwarded_for() {
    let secure = |proto: &[&[u8]]| {
        asked(ForwardingHeader::XForwardedFor, "10.0.0.1", &[b"192.0.2.7"], proto).is_secure()
    };
    assert!(secure(&[b"https"]) && secure(&[b"http, HTTPS "]) && secure(&[b"http", b"https"]));
    assert!(!secure(&[]) && !secure(&[b"http"]) && !secure(&[b"https", b"http"]) && !secure(&[b"https,"]));
}

/// Proxies write one header; the other is what their clients wrote.
#[test]
fn a_connection_that_is_encrypted_itself_says_nothing_of_what_comes_through_it() {
    let connection = Peer::direct([10, 0, 0, 1].into()).secured();
    let find = |lines: &[&'static [u8]]| {
        forwarding(ForwardingHeader::Forwarded).peer(connection, lines.iter().copied(), std::iter::empty())
    };
    assert!(find(&[]).is_secure() && !find(&[b"for=192.0.2.7"]).is_secure());
}
