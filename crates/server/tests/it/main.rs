//! The server through its front door: a real server on a port of its own, spoken to in bytes.
//!
//! What a test sends and reads stands there as it goes over the wire, so that a fault which the server and a client
//! library share cannot hide. Nothing sleeps: a test waits for an event, under a watchdog that says for which.

mod ahead;
mod auth;
mod blocks;
mod bounds;
mod clock;
mod connection;
mod cors;
mod end;
mod events;
mod feeds;
mod founding;
mod framing;
mod handshake;
mod headers;
mod http2;
mod metrics;
mod openapi;
mod overload;
mod page;
mod poll;
mod proxies;
mod pull;
mod refusals;
mod request_ids;
mod send;
mod server;
mod sessions;
mod socket;
mod store;
mod stream;
mod tls;
mod traces;
mod verbs;
mod websocket;
mod wire;
