//! The task that brings spans to the collector, some at a time. What it can't bring is dropped and counted, and said once.

use super::{Span, Told, otlp};
use crate::{fetch, metrics::Metrics};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Most spans of one request.
const BATCH_MAX: usize = 512;
/// How long spans are gathered for one request.
const GATHER_MAX: Duration = Duration::from_secs(1);

/// Runs until nobody can tell it anything.
pub(super) async fn run(url: String, mut told: mpsc::Receiver<Told>, metrics: Arc<Metrics>) {
    let mut is_down = false;
    while let Some(first) = told.recv().await {
        let (spans, flushed) = gather(first, &mut told).await;
        if !spans.is_empty() {
            match fetch::post_json(&url, otlp::encode(&spans)).await {
                Ok(()) if std::mem::take(&mut is_down) => {
                    tracing::info!("the collector of traces takes them again");
                }
                Ok(()) => {}
                Err(why) => {
                    metrics.spans_lost.add(spans.len() as u64);
                    if !std::mem::replace(&mut is_down, true) {
                        tracing::warn!(
                            url,
                            why,
                            "the collector of traces takes none; they are dropped until it does"
                        );
                    }
                }
            }
        }
        if let Some(flushed) = flushed {
            // Whoever waited may have gone.
            let _gone = flushed.send(());
        }
    }
}

/// The spans of the next request, and who waits for them to be gone.
async fn gather(
    first: Told,
    told: &mut mpsc::Receiver<Told>,
) -> (Vec<Box<Span>>, Option<oneshot::Sender<()>>) {
    let mut spans = Vec::new();
    let mut flushed = None;
    let mut take = |told| match told {
        Told::Span(span) => spans.push(span),
        Told::Flush(done) => flushed = Some(done),
    };
    let rest = async {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(told_now) = next {
            let is_last = matches!(told_now, Told::Flush(_));
            take(told_now);
            taken += 1;
            if is_last || taken >= BATCH_MAX {
                return;
            }
            next = told.recv().await;
        }
    };
    // What has come until then is what is sent.
    let _more_later = timeout(GATHER_MAX, rest).await;
    (spans, flushed)
}
