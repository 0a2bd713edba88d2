//! Faults of who may come in and of who is told.

use crate::{
    bench::{Asks, finds},
    planted::Plant,
};
use chinwag_model::{ManualClock, Ts};
use chinwag_torture::judge::Promise;
use std::sync::Arc;

#[test]
fn a_feed_that_tells_a_stranger() {
    finds(Promise::Strangers, Plant::TellsAStranger, &Asks::Well);
}

#[test]
fn an_inbox_of_another() {
    finds(Promise::Strangers, Plant::ShowsAnInboxToAnyone, &Asks::Well);
}

#[test]
fn a_door_that_stands_open() {
    finds(Promise::Access, Plant::Nothing, &Asks::Nobody);
    finds(Promise::Strangers, Plant::Nothing, &Asks::Nobody);
}

#[test]
fn tokens_that_never_end() {
    let stands = Arc::new(ManualClock::at(Ts(0)));
    finds(Promise::Access, Plant::Nothing, &Asks::By(stands));
}
