//! The rows of the table `upkeep`: times that the store keeps of itself. No backup has them.
//!
//! ```text
//! key    the name
//! value  version u8 = 1, ts u64; 0 where there is none, checksum
//! ```

use super::{
    codec::{Reader, Wrong, checked, put_checksum},
    record::RowPlace,
    tables::Tables,
};
use bytes::{BufMut, BytesMut};
use chinwag_model::Ts;

const VERSION: u8 = 1;

/// What a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// When the oldest change was made that took a text away which is still to be wiped.
    TakenBack,
    /// When the oldest rows were removed, since they had expired, that are still to be wiped.
    Expired,
    /// What the clock said when it was trusted last.
    Clock,
}

impl Upkeep {
    fn key(self) -> &'static [u8] {
        match self {
            Self::TakenBack => b"due",
            Self::Expired => b"expired",
            Self::Clock => b"clock",
        }
    }

    /// Appends the row.
    pub(super) fn encode(self, at: Ts, into: &mut BytesMut) -> RowPlace {
        let start = into.len();
        into.put_slice(self.key());
        let value_start = into.len();
        into.put_u8(VERSION);
        into.put_u64(at.0);
        put_checksum(into, start..value_start, value_start);
        RowPlace { key: start..value_start, value: value_start..into.len() }
    }

    /// Reads the row; `None` where it tells nothing.
    pub(super) fn read(self, tables: &Tables) -> Result<Option<Ts>, String> {
        let key = self.key();
        let Some(value) = tables.upkeep.get(key).map_err(|error| error.to_string())? else { return Ok(None) };
        let decode = || -> Result<Ts, Wrong> {
            let mut row = Reader(checked(key, &value)?);
            if row.u8()? != VERSION {
                return Err("the row is of an unknown version");
            }
            row.u64().map(Ts)
        };
        let at = decode().map_err(|wrong| format!("the row {} of upkeep: {wrong}", key.escape_ascii()))?;
        Ok(Some(at).filter(|at| at.0 > 0))
    }

    /// Writes the row, and syncs it.
    pub(super) fn write(self, tables: &Tables, at: Option<Ts>) -> fjall::Result<()> {
        let mut bytes = BytesMut::new();
        let place = self.encode(at.unwrap_or(Ts(0)), &mut bytes);
        let bytes = bytes.freeze();
        let mut batch = tables.batch(1);
        batch.insert(&tables.upkeep, bytes.slice(place.key), bytes.slice(place.value));
        Tables::commit(batch)
    }
}
