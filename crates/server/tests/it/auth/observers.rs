//! Who only looks on is not there.

use super::{Guarded, bearer, expiry::open, token};
use crate::wire::{request, within};
use chinwag_model::Scope;

async fn is_online(guarded: &Guarded) -> bool {
    let reply =
        guarded.server.ask(request("GET /api/presence?user=apple", &[&bearer(&token("banana"))], "")).await;
    reply.ok()["users"]["apple"]["online"].as_bool().expect("it is told")
}

#[tokio::test]
async fn a_key_that_only_reads_makes_nobody_online() {
    let guarded = Guarded::start().await;
    let observer = open(&guarded, &guarded.key(Scope::Read).await).await;
    assert!(!is_online(&guarded).await);
    // Whoever acts for the user, and the user, do.
    let acting = open(&guarded, &guarded.key(Scope::Act).await).await;
    assert!(is_online(&guarded).await);
    drop((observer, acting));
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_key_that_only_reads_pushes_out_no_session_of_the_user() {
    let guarded = Guarded::start().await;
    let mut own = open(&guarded, &token("apple")).await;
    let key = guarded.key(Scope::Read).await;
    let mut first = open(&guarded, &key).await;
    let mut others = Vec::new();
    for _ in 0..32 {
        others.push(open(&guarded, &key).await);
    }
    assert_eq!(within("the first of 33 to be replaced", first.closed()).await, 4409);
    assert_eq!(own.ask(r#"{"id":1,"op":"pull","chat":"apple:banana"}"#).await["status"], 200);
    drop((own, others));
    guarded.server.stop().await;
}
