//! A clock that jumps ahead, and the operator's word that it is right.

use crate::{
    server::{NOW, Setup},
    wire::{JSON, get, hello, request, within},
};
use chinwag::{admin, lifecycle::Shutdown, metrics::Format};
use chinwag_model::{ManualClock, Ts};
use chinwag_store::embedded::{self, EmbeddedStore};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

async fn confirm(data: &Path) -> String {
    let ask = async {
        let mut stream = UnixStream::connect(admin::socket_path(data)).await?;
        stream
            .write_all(b"POST /clock/confirm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.map(|_| reply)
    };
    let reply = within("the operator's socket", ask).await.expect("a reply");
    reply.split("\r\n\r\n").nth(1).expect("a body").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn once_it_is_confirmed_what_is_over_expires_without_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::at(NOW));
    let options = embedded::Options { disk_reserve_bytes: 0, ..embedded::Options::default() };
    let store = EmbeddedStore::open(directory.path(), &options, clock.clone()).expect("opened");
    let maintenance = store.maintenance();
    let server = Setup { clock: clock.clone(), ..Setup::on(Arc::new(store)) }.start().await;
    let (trigger, shutdown) = Shutdown::new();
    let listener = admin::bind(directory.path()).expect("a socket");
    let operator = tokio::spawn(admin::serve(listener, maintenance, server.app.clone(), shutdown));

    let keyed = request("POST /api/send", &[JSON, "Idempotency-Key: k"], hello("once"));
    let send = async || server.ask(&keyed).await.ok()["seq"].as_u64().expect("a seq");
    let jumped = async || {
        let told = server.app.snapshot().await.text(Format::Prometheus);
        told.lines().any(|line| line == "chinwag_clock_jumped 1.0")
    };
    assert_eq!(send().await, 1);
    let trusted = format!("trusted {}\n", NOW.0);
    assert_eq!((confirm(directory.path()).await, jumped().await), (trusted, false));

    let later = Ts(NOW.0 + 48 * 3_600_000_000);
    clock.step_to(later);
    assert_eq!(send().await, 1, "in doubt, a key is remembered past its day");
    assert!(jumped().await);
    let ready = server.ask(get("/readyz")).await.ok();
    assert_eq!(ready["status"], "ready", "sends are taken");
    assert!(ready["detail"].as_str().is_some_and(|detail| detail.contains("nothing expires")), "{ready}");
    clock.advance(Duration::from_secs(1));
    assert_eq!(send().await, 1);

    assert_eq!(confirm(directory.path()).await, format!("confirmed {}\n", later.0 + 1_000_000));
    assert!(!jumped().await);
    assert_eq!(server.ask(get("/readyz")).await.ok(), serde_json::json!({"status": "ready"}));
    assert_eq!(send().await, 2, "its day is over");
    assert_eq!(send().await, 2, "and it is known anew");

    clock.step_to(Ts(later.0 + 96 * 3_600_000_000));
    assert_eq!(send().await, 2, "the next jump is in doubt again");
    assert!(jumped().await);
    trigger.fire();
    within("the operator's end", operator).await.expect("no panic");
    server.stop().await;
}
