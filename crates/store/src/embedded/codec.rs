//! Bytes in and out: the few shapes that stored rows are made of. Integers are big-endian, so that keys sort.

use bytes::{BufMut, BytesMut};

/// What is wrong with stored bytes.
pub type Wrong = &'static str;

/// Reads a row from its front; each step fails rather than read past the end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Wrong> {
        let (head, rest) = self.0.split_at_checked(len).ok_or("the row ends too early")?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (head, rest) = self.0.split_first_chunk().ok_or("the row ends too early")?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Wrong> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Wrong> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Wrong> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number in groups of seven bits, the lowest first (LEB128).
    pub(super) fn varint(&mut self) -> Result<u64, Wrong> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                return Err("a number is past 64 bits");
            }
            number |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number does not end")
    }

    pub(super) fn str(&mut self, len: usize) -> Result<&'a str, Wrong> {
        std::str::from_utf8(self.bytes(len)?).map_err(|_| "text is not UTF-8")
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends a number as [`Reader::varint`] reads it.
pub(super) fn put_varint(into: &mut BytesMut, mut number: u64) {
    loop {
        let [group, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            return into.put_u8(group);
        }
        into.put_u8(group | 0x80);
    }
}

/// Appends the checksum of a row: CRC-32 (IEEE) over its key and its value so far.
pub(super) fn put_checksum(row: &mut BytesMut, key: std::ops::Range<usize>, value_start: usize) {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&row[key]);
    hasher.update(&row[value_start..]);
    row.put_u32(hasher.finalize());
}

/// The value without its checksum, which must be right.
pub(super) fn checked<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Wrong> {
    let (body, sum) = value.split_last_chunk().ok_or("the row ends too early")?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    if hasher.finalize() == u32::from_be_bytes(*sum) { Ok(body) } else { Err("the checksum does not match") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_every_length() {
        for shift in 0..64 {
            for number in [(1_u64 << shift) - 1, 1 << shift, (1 << shift) | 1] {
                let mut bytes = BytesMut::new();
                put_varint(&mut bytes, number);
                let mut reader = Reader(&bytes);
                assert_eq!(reader.varint(), Ok(number));
                assert!(reader.is_empty());
            }
        }
        assert_eq!(Reader(&[0xff; 9]).varint(), Err("the row ends too early"));
        assert_eq!(Reader(&[0xff; 11]).varint(), Err("a number is past 64 bits"));
    }
}
