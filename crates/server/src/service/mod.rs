//! What the product does, one file per capability; every face calls these functions.
//!
//! **Architecture invariant:** this room knows neither HTTP nor JSON, only the words of `chinwag-model` and the store.

mod pull;
mod send;

pub use pull::pull;
pub use send::send;
