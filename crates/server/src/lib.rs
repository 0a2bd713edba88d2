//! The server of Chinwag: its faces, what they do, and its life.

pub mod http;
pub mod lifecycle;
pub mod service;
