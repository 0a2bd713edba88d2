//! Networks, as an operator names them.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

/// Addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    /// How many bits they share.
    prefix_bits: u8,
}

/// Any number of networks, none of them by default. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[Network]>);

/// What is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no IP address, and no network such as 10.0.0.0/8 with nothing but zeros after its prefix")]
pub struct NetworkError(String);

impl Networks {
    /// Reads addresses and networks such as `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`.
    ///
    /// # Errors
    /// [`NetworkError`] names the first that is none.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        texts.into_iter().map(str::parse).collect::<Result<Vec<Network>, _>>().map(|all| Self(all.into()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, as it is read.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Network::to_string)
    }

    /// Whether an address is in any of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let different = first.to_bits() ^ address.to_bits();
                different.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let different = first.to_bits() ^ address.to_bits();
                different.leading_zeros() >= u32::from(self.prefix_bits)
            }
            _ => false,
        }
    }

    /// Bits after the prefix would mean that another network was meant.
    fn new(first: IpAddr, prefix_bits: u8) -> Option<Self> {
        let (width, zeros): (u32, u32) = match first {
            IpAddr::V4(first) => (32, first.to_bits().trailing_zeros()),
            IpAddr::V6(first) => (128, first.to_bits().trailing_zeros()),
        };
        let free = width.checked_sub(u32::from(prefix_bits))?;
        (zeros >= free).then_some(Self { first, prefix_bits })
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let read = || {
            let (first, prefix) =
                text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
            let first: IpAddr = first.parse().ok()?;
            let whole = if first.is_ipv4() { 32 } else { 128 };
            let prefix_bits: u8 = match prefix {
                None => whole,
                Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
                Some(_) => return None,
            };
            // One of IPv4 that is written as one of IPv6.
            match first.to_canonical() {
                first @ IpAddr::V4(_) if whole == 128 => Self::new(first, prefix_bits.checked_sub(96)?),
                first => Self::new(first, prefix_bits),
            }
        };
        read().ok_or_else(|| NetworkError(text.into()))
    }
}

/// As it is read; one that is an address only, as that.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.prefix_bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => self.first.fmt(f),
            (first, prefix_bits) => write!(f, "{first}/{prefix_bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(network: &str, inside: &[&str], outside: &[&str]) {
        let networks = Networks::read([network]).expect("a network");
        for (texts, expected) in [(inside, true), (outside, false)] {
            for text in texts {
                assert_eq!(networks.contains(text.parse().expect("an address")), expected, "{text}");
            }
        }
    }

    #[test]
    fn what_is_in_a_network() {
        holds("192.0.2.7", &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.6", "::192.0.2.7"]);
        holds("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0", "::a00:0"]);
        holds("10.128.0.0/9", &["10.128.0.1"], &["10.127.255.255"]);
        holds("0.0.0.0/0", &["255.255.255.255"], &["::1"]);
        holds("::/0", &["ffff::", "::1"], &["192.0.2.7"]);
        holds("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::"]);
        holds("::1", &["::1"], &["::2", "127.0.0.1"]);
        holds("::ffff:10.0.0.0/104", &["10.1.2.3"], &["11.0.0.0"]);
    }

    #[test]
    fn none_holds_nobody_and_several_are_held_together() {
        assert!(!Networks::default().contains([127, 0, 0, 1].into()));
        let two = Networks::read(["192.0.2.0/24", "2001:db8::/32"]).expect("networks");
        assert!(two.contains([192, 0, 2, 9].into()) && !two.contains([192, 0, 3, 9].into()));
        let texts: Vec<_> = two.texts().collect();
        assert_eq!(texts, ["192.0.2.0/24", "2001:db8::/32"]);
        assert_eq!(Networks::read(texts.iter().map(String::as_str)), Ok(two));
    }

    #[test]
    fn what_is_no_network() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10/8",
            "2001:db8::1/32",
            "::/129",
            "::ffff:10.0.0.0/8",
            "192.0.2.7:80",
            "[::1]",
            "fe80::1%eth0",
            " ::1",
        ] {
            let error = Networks::read([text]).expect_err(text);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
