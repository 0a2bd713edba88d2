//! The server of Chinwag: its faces, what they do, its life, its configuration and its command line.

pub mod admin;
pub mod audit;
pub mod cli;
mod code;
pub mod config;
mod deadline;
mod fetch;
pub mod http;
pub mod hub;
pub mod identity;
pub mod lifecycle;
pub mod metrics;
pub mod rates;
pub mod request;
pub mod scrape;
pub mod service;
mod sse;
mod stream;
pub mod telemetry;
pub mod tls;
pub mod torture;
pub mod trace;
mod ws;
