//! The Chinwag server.
fn main() {}
