//! Whom a proxy speaks for, as it says in a header of each request: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
//!
//! Each proxy adds whom it has a request from at the end of what was there, and what was there may be a lie of the client's.
//! So the header is read from its end, over the proxies that are believed, to the first address that is none of them, and
//! nothing before that is so much as looked at: a client can neither choose its address nor spoil what a proxy wrote.

use crate::{Networks, Peer};
use std::{borrow::Cow, net::IpAddr, net::Ipv6Addr};

/// Which header the operator's proxies write. The other one is what their clients wrote, and counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` beside it.
    #[default]
    XForwardedFor,
    /// `Forwarded`, which has `proto` in it.
    Forwarded,
}

/// Who is believed, and by which header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarding {
    /// The proxies that are believed.
    pub proxies: Networks,
    /// The header that they write.
    pub header: ForwardingHeader,
}

impl Forwarding {
    /// Whether a connection's other end is a proxy that is believed, so that it is worth looking for headers.
    pub fn believes(&self, connection: &Peer) -> bool {
        self.proxies.contains(connection.address())
    }

    /// Who makes a request that came by `connection`. `lines` are the values of the header, in their order; `proto` are
    /// those of `X-Forwarded-Proto`, and not looked at where it is not theirs to say.
    ///
    /// Where a proxy hides whom it speaks for, or writes what can't be read, it is the proxy itself.
    pub fn peer<'a>(
        &self,
        connection: Peer,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
        proto: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Peer {
        if !self.believes(&connection) {
            return connection;
        }
        let mut peer = connection;
        for element in lines.rev().flat_map(|line| Elements { rest: line, header: self.header }) {
            // As far as is known, it is this proxy's own client.
            let proxy = Peer { is_proxied: true, ..peer };
            let (node, secure) = self.read(element);
            let address = node.as_deref().and_then(address);
            peer = address.map_or(proxy, |address| proxy.speaking_for(address));
            peer.is_secure = secure;
            if address.is_none_or(|address| !self.proxies.contains(address)) {
                break;
            }
        }
        if self.header == ForwardingHeader::XForwardedFor
            && let Some(line) = proto.last()
        {
            let last = line.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            peer.is_secure = last.trim_ascii().eq_ignore_ascii_case(b"https");
        }
        peer
    }

    /// Whom an element names, if it can be read, and whether by an encrypted connection.
    fn read(&self, element: &[u8]) -> (Option<String>, bool) {
        let Ok(text) = str::from_utf8(element) else { return (None, false) };
        match self.header {
            ForwardingHeader::XForwardedFor => (Some(text.into()), false),
            ForwardingHeader::Forwarded => {
                let Some(pairs) = pairs(text) else { return (None, false) };
                let value = |wanted: &str| {
                    let mut found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
                    let first = found.next().filter(|_| found.next().is_none());
                    first.map(|(_, value)| &**value)
                };
                let secure = value("proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
                (value("for").map(str::to_owned), secure)
            }
        }
    }
}

/// The elements of a header's line that hold anything, from the last to the first.
struct Elements<'a> {
    rest: &'a [u8],
    header: ForwardingHeader,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let comma = match self.header {
                ForwardingHeader::XForwardedFor => self.rest.iter().rposition(|byte| *byte == b','),
                ForwardingHeader::Forwarded => last_comma(self.rest),
            };
            let (rest, element) =
                comma.map_or((&[][..], self.rest), |at| (&self.rest[..at], &self.rest[at + 1..]));
            self.rest = rest;
            let element = element.trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Where the last comma stands that is in no quotes. Read from the end, since a client may have opened quotes before what
/// its proxy added, and a proxy closes its own.
fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for at in (0..line.len()).rev() {
        match line[at] {
            b'"' if quoted => {
                let escapes = line[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                quoted = escapes % 2 == 1;
            }
            b'"' => quoted = true,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The pairs `name=value` of an element; `None` where it is not made of those.
fn pairs(element: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut pairs = Vec::new();
    let mut rest = element;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some(pairs);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim_end_matches([' ', '\t']).into(), &after[end..])
        };
        rest = after.trim_start_matches([' ', '\t']);
        if name.contains(['"', ';']) || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        pairs.push((name.trim_end_matches([' ', '\t']), value));
    }
}

/// A quoted string after its first quote, and what comes after its last.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((text[..end].into(), &text[end + 1..]));
    }
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value.into(), chars.as_str())),
            '\\' => value.push(chars.next()?),
            char => value.push(char),
        }
    }
}

/// The address of a node, with or without a port. `None` is `unknown`, a name that hides the address, and whatever is no
/// address.
fn address(node: &str) -> Option<IpAddr> {
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return is_port(port)
            .then(|| address.parse::<Ipv6Addr>().ok().map(|address| IpAddr::from(address).to_canonical()))?;
    }
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = node.split_at(node.find(':')?);
    is_port(port).then(|| address.parse().ok().map(IpAddr::V4))?
}

/// Nothing, or a colon and a port, which may be a name that hides it.
fn is_port(text: &str) -> bool {
    let hidden = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| match port.strip_prefix('_') {
            Some(name) => !name.is_empty() && name.chars().all(hidden),
            None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
        })
}

#[cfg(test)]
mod tests;
