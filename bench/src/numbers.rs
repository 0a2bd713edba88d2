//! Numbers as people are told them.

pub(crate) fn ms(microseconds: u64) -> f64 {
    float(microseconds) / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, and only told to people")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}
