//! The PROXY protocol, versions 1 and 2, by its specification of 2020: whose connection a proxy passes on, said before its first
//! byte.
//!
//! It is read without taking one byte of what follows: [`read`] says how many bytes are surely still of the preface.

use chinwag_model::limits::PREFACE_MAX_BYTES;
use std::net::IpAddr;

const V1: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included.
const V1_MAX_BYTES: usize = 107;
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_BYTES: usize = 16;
/// The shortest preface: `PROXY UNKNOWN` and the end of its line.
const LEAST_BYTES: usize = 15;

/// How far a preface has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preface {
    /// At least so many more bytes are of it; more than none.
    Needs(usize),
    /// It is whole, and names this address; `None` where the connection is the proxy's own, or the proxy does not say.
    Whole(Option<IpAddr>),
}

/// What is no preface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrefaceError {
    /// It begins as neither version does.
    #[error("it does not begin with a header of the PROXY protocol")]
    Absent,
    /// A line of version 1 that breaks its rules.
    #[error("its header of version 1 of the PROXY protocol is malformed")]
    Line,
    /// A header of version 2 that breaks its rules.
    #[error("its header of version 2 of the PROXY protocol is malformed")]
    Binary,
    /// A header of version 2 that says that it is longer than [`PREFACE_MAX_BYTES`].
    #[error("its header of the PROXY protocol is longer than {PREFACE_MAX_BYTES} bytes")]
    Long,
}

/// Reads what has come of a preface so far, from its first byte. Whoever reads on as [`Preface::Needs`] says never has a
/// byte of what comes after it.
///
/// # Errors
/// [`PrefaceError`], as soon as it is certain.
pub fn read(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    match (begins(V1), begins(V2)) {
        (false, false) => Err(PrefaceError::Absent),
        _ if bytes.len() < LEAST_BYTES => Ok(Preface::Needs(LEAST_BYTES - bytes.len())),
        (true, _) => line(bytes),
        (_, true) => binary(bytes),
    }
}

fn line(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        // Whatever comes, its end does: two bytes, of which the first may be here.
        let needs = if bytes.ends_with(b"\r") { 1 } else { 2 };
        return if bytes.len() + needs > V1_MAX_BYTES {
            Err(PrefaceError::Line)
        } else {
            Ok(Preface::Needs(needs))
        };
    };
    let words = &bytes[V1.len()..end];
    // After it anything may come, and means nothing.
    if words.split(|byte| *byte == b' ').next() == Some(b"UNKNOWN") {
        return Ok(Preface::Whole(None));
    }
    let source = str::from_utf8(words).ok().and_then(source);
    source.map(|source| Preface::Whole(Some(source))).ok_or(PrefaceError::Line)
}

/// The source of a line without its beginning and its end; `None` where it is malformed.
fn source(words: &str) -> Option<IpAddr> {
    let mut words = words.split(' ');
    let mut next = || words.next();
    let (family, source, destination) = (next()?, next()?, next()?);
    let ports = [next()?, next()?];
    let address = |text: &str| match family {
        "TCP4" => text.parse().ok().map(IpAddr::V4),
        "TCP6" => text.parse().ok().map(IpAddr::V6),
        _ => None,
    };
    let (source, _destination) = (address(source)?, address(destination)?);
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port.to_string() == text);
    (ports.into_iter().all(is_port) && words.next().is_none()).then_some(source)
}

fn binary(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let Some(&head) = bytes.first_chunk::<V2_HEAD_BYTES>() else {
        return Ok(Preface::Needs(V2_HEAD_BYTES - bytes.len()));
    };
    let [.., command, family, high, low] = head;
    let rest_bytes = usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(PrefaceError::Binary),
    };
    // Unspecified, TCP or UDP over IPv4 or IPv6, or a Unix socket of either kind.
    let addresses_bytes = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return Err(PrefaceError::Binary),
    };
    if !is_local && rest_bytes < addresses_bytes {
        return Err(PrefaceError::Binary);
    }
    if V2_HEAD_BYTES + rest_bytes > PREFACE_MAX_BYTES {
        return Err(PrefaceError::Long);
    }
    // What comes after the addresses is skipped with them.
    let rest = &bytes[V2_HEAD_BYTES..];
    if rest.len() < rest_bytes {
        return Ok(Preface::Needs(rest_bytes - rest.len()));
    }
    let source = match family {
        _ if is_local => None,
        0x11 => rest.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        0x21 => rest.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    };
    Ok(Preface::Whole(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    /// Reads as a connection is read; what it gives, and how many bytes it took.
    fn whole(bytes: &[u8]) -> Result<(Option<IpAddr>, usize), PrefaceError> {
        let mut taken = 0;
        loop {
            match read(&bytes[..taken])? {
                Preface::Needs(more) => {
                    assert!(more > 0);
                    taken += more;
                    assert!(taken <= bytes.len(), "it asks for more than there is");
                }
                Preface::Whole(address) => return Ok((address, taken)),
            }
        }
    }

    #[track_caller]
    fn names(preface: &[u8], address: Option<&str>) {
        let address = address.map(|text| text.parse().expect("an address"));
        let followed = [preface, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(whole(&followed), Ok((address, preface.len())), "{}", preface.escape_ascii());
    }

    #[track_caller]
    fn refused(bytes: &[u8], error: PrefaceError) {
        assert_eq!(read(bytes), Err(error), "{}", bytes.escape_ascii());
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    #[test]
    fn lines() {
        names(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", Some("192.0.2.7"));
        names(b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Some("0.0.0.0"));
        names(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Some("255.255.255.255"));
        names(b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n", Some("2001:db8::7"));
        names(b"PROXY UNKNOWN\r\n", None);
        names(
            b"PROXY UNKNOWN ffff::1 \xff 1 2\r\n".map(|b| if b == 0xff { b'x' } else { b }).as_slice(),
            None,
        );
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
        assert_eq!(longest.len(), V1_MAX_BYTES);
        names(longest.as_bytes(), None);
    }

    #[test]
    fn lines_that_are_malformed() {
        for line in [
            "PROXY  TCP4 192.0.2.7 192.0.2.8 1 2",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 ",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3",
            "PROXY TCP4 192.0.2.07 192.0.2.8 1 2",
            "PROXY TCP4 ::1 ::1 1 2 3 4 5",
            "PROXY TCP6 192.0.2.7 192.0.2.8 1 2",
            "PROXY TCP4 192.0.2.7 192.0.2.8 01 2",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 65536",
            "PROXY TCP4 192.0.2.7 192.0.2.8 +1 2",
            "PROXY TCP5 192.0.2.7 192.0.2.8 1 2",
            "PROXY tcp4 192.0.2.7 192.0.2.8 1 2",
            "PROXY unknown and more",
            "PROXY \u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n",
        ] {
            refused(format!("{line}\r\n").as_bytes(), PrefaceError::Line);
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(V1_MAX_BYTES));
        refused(&long.as_bytes()[..V1_MAX_BYTES - 1], PrefaceError::Line);
        assert_eq!(read(&long.as_bytes()[..V1_MAX_BYTES - 2]), Ok(Preface::Needs(2)));
    }

    #[test]
    fn what_does_not_begin_as_one_is_refused_at_its_first_wrong_byte() {
        for bytes in [&b"G"[..], b"\x16", b"PROXI", b"\r\n\r\n\0\r\nQUIT\r", b"\r\n\r\nG", b"PO"] {
            refused(bytes, PrefaceError::Absent);
            assert!(read(&bytes[..bytes.len() - 1]).is_ok());
        }
    }

    #[test]
    fn binary_headers() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 220, 4, 1, 187];
        names(&v2(0x21, 0x11, &four), Some("192.0.2.7"));
        names(&v2(0x21, 0x11, &[&four[..], b"\x04\0\x02ab"].concat()), Some("192.0.2.7"));
        let six: Ipv6Addr = "2001:db8::7".parse().expect("an address");
        names(&v2(0x21, 0x21, &[&six.octets()[..], &[0; 20]].concat()), Some("2001:db8::7"));
        names(&v2(0x20, 0x00, b""), None);
        names(&v2(0x20, 0x11, &four), None);
        names(&v2(0x20, 0x11, b""), None);
        names(&v2(0x21, 0x00, b"whatever"), None);
        names(&v2(0x21, 0x12, &four), None);
        names(&v2(0x21, 0x31, &[0; 216]), None);
        names(&v2(0x21, 0x11, &[&four[..], &vec![0; PREFACE_MAX_BYTES - 28]].concat()), Some("192.0.2.7"));
    }

    #[test]
    fn binary_headers_that_are_malformed() {
        for (command, family) in
            [(0x22, 0x11), (0x11, 0x11), (0x31, 0x11), (0x01, 0x00), (0x21, 0x01), (0x21, 0x13), (0x21, 0x41)]
        {
            refused(&v2(command, family, &[0; 216])[..V2_HEAD_BYTES], PrefaceError::Binary);
        }
        refused(&v2(0x21, 0x11, &[0; 11]), PrefaceError::Binary);
        refused(&v2(0x21, 0x21, &[0; 35]), PrefaceError::Binary);
        refused(&v2(0x21, 0x31, &[0; 215]), PrefaceError::Binary);
        let long = [V2, &[0x21, 0x11, 0xff, 0xff]].concat();
        refused(&long, PrefaceError::Long);
    }
}
