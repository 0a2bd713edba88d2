//! The real executable as a person and a supervisor use it: settings, start, client commands, end.

mod auth;
mod backup;
mod bench;
mod chat;
mod client;
mod config;
mod formats;
mod help;
mod history;
mod metrics;
mod operations;
mod process;
mod proxies;
mod retention;
mod start;
mod tail;
mod terminal;
