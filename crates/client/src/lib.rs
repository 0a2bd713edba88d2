//! The typed Rust client.
