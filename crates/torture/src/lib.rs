//! The judge of a history: whether each promise held, decided from what the clients asked and heard alone.
//!
//! **Architecture invariant:** this room does no I/O but on the reader and writer that it is given, and knows neither the
//! server nor its store. What it says of a history is a pure function of it.

pub mod history;
pub mod judge;
