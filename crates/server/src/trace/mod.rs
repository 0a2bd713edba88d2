//! Traces: which requests are traced, and what is told of them to a collector of OpenTelemetry.
//!
//! Reading order: this file (what a span is and which requests get one), `otlp` (how it is written), `export` (how it gets there).
//! The exporter is the project's own, since what it needs of OTLP is one JSON document and one POST: the crates of OpenTelemetry
//! would bring as much code as the server has, and a second way to log.
//!
//! **Architecture invariant:** whoever is served never waits for a collector. No user, chat, text or token is in a span.

mod export;
mod otlp;

use crate::{
    metrics::{Face, Metrics, Verb},
    request::{Ids, Parent, Request, RequestId},
};
use chinwag_model::{Clock, Ts};
use chinwag_wire::ProblemCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Spans that may wait for the exporter; one more is dropped, and counted.
const SPANS_MAX: usize = 8_192;
/// How long the end of the server waits for the last spans.
const END_MAX: Duration = Duration::from_secs(2);

/// What was done, for whom, and how long it took.
#[derive(Debug, Clone)]
struct Span {
    trace: RequestId,
    id: u64,
    parent: Option<u64>,
    name: &'static str,
    end: Ts,
    took: Duration,
    /// Of a request; `None` of what the store did for one.
    served: Option<Served>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// How it was asked for.
    pub face: Face,
    /// What was asked for.
    pub verb: Verb,
    /// The status of its reply.
    pub status: u16,
    /// Why it was refused, if it was.
    pub code: Option<ProblemCode>,
}

enum Told {
    Span(Box<Span>),
    /// Answer once everything before was sent, or given up.
    Flush(oneshot::Sender<()>),
}

/// What traces requests. Clones share it.
#[derive(Clone)]
pub struct Tracer(Arc<Shared>);

struct Shared {
    spans: mpsc::Sender<Told>,
    ids: Ids,
    /// One request in so many is traced, of those whose caller does not say.
    one_in: u64,
    asked: AtomicU64,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Tracer {
    /// Traces one request in `one_in` to the collector at `endpoint`, an `http` or `https` URL without `/v1/traces`. To be made
    /// within a tokio runtime, where its task runs until it is dropped.
    pub fn start(endpoint: &str, one_in: u64, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let (spans, told) = mpsc::channel(SPANS_MAX);
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        tokio::spawn(export::run(url, told, metrics.clone()));
        let (ids, asked) = (Ids::default(), AtomicU64::new(0));
        Self(Arc::new(Shared { spans, ids, one_in: one_in.max(1), asked, clock, metrics }))
    }

    /// The span of a request that begins; `None` where it is not traced. A caller that says whether it traces is followed.
    pub fn choose(&self, parent: Option<Parent>) -> Option<u64> {
        let is_traced = match parent {
            Some(parent) => parent.is_sampled,
            None => self.0.asked.fetch_add(1, Relaxed).is_multiple_of(self.0.one_in),
        };
        is_traced.then(|| self.0.ids.new_span())
    }

    /// The same request as one of its own within a trace that goes on: of a WebSocket, each.
    pub fn part_of(&self, request: Request) -> Request {
        Request { span: request.span.map(|_| self.0.ids.new_span()), within: request.span, ..request }
    }

    /// A request was answered.
    pub fn served(&self, request: &Request, served: Served, took: Duration) {
        let Some(id) = request.span else { return };
        let parent = request.within.or(request.parent.map(|parent| parent.span));
        self.tell(Span {
            trace: request.id,
            id,
            parent,
            name: served.verb.as_str(),
            end: self.0.clock.read().wall,
            took,
            served: Some(served),
        });
    }

    /// The store did something for the request that is being served.
    pub fn stored(&self, name: &'static str, took: Duration) {
        let Some(request) = Request::current() else { return };
        let (id, end) = (self.0.ids.new_span(), self.0.clock.read().wall);
        if request.span.is_some() {
            self.tell(Span { trace: request.id, id, parent: request.span, name, end, took, served: None });
        }
    }

    /// Waits until what was told is sent, at most a few seconds.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.0.spans.send(Told::Flush(done)).await.is_ok() {
                // Where the exporter has ended there is nothing to wait for.
                let _ended = flushed.await;
            }
        };
        let _late = tokio::time::timeout(END_MAX, flush).await;
    }

    fn tell(&self, span: Span) {
        if self.0.spans.try_send(Told::Span(Box::new(span))).is_err() {
            self.0.metrics.spans_lost.count();
        }
    }
}
