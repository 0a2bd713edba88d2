//! The real executable as a person and a supervisor use it: settings, start, client commands, end.

mod auth;
#[path = "../it/tls/authority.rs"]
mod authority;
mod backup;
mod bench;
mod chat;
mod client;
mod config;
mod erase;
mod formats;
mod help;
mod history;
mod log;
mod metrics;
mod operations;
mod people;
mod place;
mod process;
mod proxies;
mod retention;
mod secrets;
mod start;
mod tail;
mod terminal;
mod tls;
