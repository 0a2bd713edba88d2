//! HTTP/2, through TLS: by a client library where what is asked matters, and in frames made by hand where the protocol does.

mod bounds;
mod drain;
mod feeds;
mod floods;
mod frames;
mod library;
mod sweep;
