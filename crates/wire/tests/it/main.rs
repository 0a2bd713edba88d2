//! The wire contract from outside: what is taken, what is refused and how, what goes out.

mod problems;
mod pull;
mod replies;
mod send;
