//! The three faces of a user's feed.

use super::{
    Lifeline, Reply, Shared,
    body::Inbound,
    content::Content,
    identify::identify_socket,
    inbox::query_alone,
    limits,
    reply::{Refusal, ok},
};
use crate::{
    hub::{Close, Identity, Outgoing},
    metrics::{Ended, Face, Verb},
    service::{Feed, ServiceError, Subscribe},
    sse::Events,
    ws::{self, End, Session, Verbs},
};
use chinwag_model::{
    FeedId,
    limits::{BODY_MAX_BYTES, PAGE_MAX_BYTES, PAGE_MAX_MESSAGES},
};
use chinwag_wire::{FeedRequest, ProblemCode, encode_poll};
use futures_util::FutureExt;
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    http::request::Parts,
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What tells a proxy not to gather a reply before it passes it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Longest message of `/bench/echo`: the largest that the conformance suite sends.
const ECHO_MAX_BYTES: usize = 16 << 20;

/// `GET /api/ws`.
///
/// Whoever may not have it gets a WebSocket that says so and ends: a browser shows its page nothing of a handshake that
/// fails.
pub(super) async fn websocket(app: &Shared, head: &Parts, body: &Inbound) -> Result<Reply, Refusal> {
    let key = ws::check_handshake(head)?;
    let request = read(head, body)?;
    let opened = match identify_socket(app, head, request.ticket.as_deref()).await {
        Ok(identity) => {
            limits::check(app.take(&identity.caller, Verb::WebSocket))?;
            subscribe(app, identity, request, Face::WebSocket)
        }
        Err(refusal) => Err(refusal),
    };
    let feed = match opened {
        Ok(feed) => feed,
        Err(refusal) => match End::of_refusal(refusal.code()) {
            Some(end) => {
                let metrics = app.service.metrics();
                metrics.error(refusal.code());
                metrics.close(Face::WebSocket, Ended::Code(end.code()));
                return Ok(switch(key, Session::refused(end, app.websockets())));
            }
            None => return Err(refusal),
        },
    };
    let verbs = Verbs {
        service: app.service.clone(),
        door: app.door.clone(),
        lease: feed.lease().cloned(),
        text_max_bytes: app.options.text_max_bytes,
        revise_window: app.options.revise_window,
        rates: app.rates.clone(),
    };
    Ok(switch(key, Session::feed(feed, verbs, BODY_MAX_BYTES, app.websockets())))
}

/// `GET /bench/echo`: a WebSocket that gives every message back.
pub(super) fn echo(app: &Shared, head: &Parts, body: &Inbound) -> Result<Reply, Refusal> {
    let key = ws::check_handshake(head)?;
    query_alone(head, body)?;
    Ok(switch(key, Session::echo(ECHO_MAX_BYTES, app.websockets())))
}

/// `GET /api/events`.
pub(super) fn events(
    app: &Shared,
    identity: Identity,
    head: &Parts,
    body: &Inbound,
    lifeline: &Lifeline,
) -> Result<Reply, Refusal> {
    let FeedRequest { user, since, watch, .. } = read(head, body)?;
    // An `EventSource` that is refused never comes back: one that comes too late is told so in the stream.
    let events = match app.service.subscribe(identity, Subscribe { user, since, watch }) {
        Ok(feed) => Events::new(feed.counted_as(Face::Sse), app.options.heartbeat),
        Err(ServiceError::Leaving) => {
            app.service.metrics().close(Face::Sse, Ended::Code(Close::Restart.code()));
            Events::ended(Close::Restart)
        }
        Err(error) => return Err(error.into()),
    };
    lifeline.hold();
    let mut reply = Response::new(Content::Events(Box::new(events)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    // A stream ends when its session does; the connection has no further use.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(reply)
}

/// `GET /api/poll`. It tells no presence: how those who are watched stand would be an answer at once, each time.
pub(super) async fn poll(
    app: &Shared,
    identity: Identity,
    head: &Parts,
    body: &Inbound,
    lifeline: &Lifeline,
) -> Result<Reply, Refusal> {
    let mut request = read(head, body)?;
    let (until, since) = (Instant::now() + request.timeout()?, request.since);
    request.watch.clear();
    let mut feed = subscribe(app, identity, request, Face::Poll)?;
    lifeline.hold();
    let reply = gather(&mut feed, since, until).await;
    lifeline.let_go();
    let Gathered { events, since, recovered } = reply?;
    let events: Vec<_> = events.iter().map(|event| &event.json).collect();
    Ok(ok(encode_poll(&events, since, recovered)))
}

/// What a poll answers.
struct Gathered {
    events: Vec<Arc<Outgoing>>,
    since: FeedId,
    recovered: bool,
}

/// Takes from a feed what is there, and waits for the first event where nothing is. Without `since` the client only wants
/// to know where the feed stands.
async fn gather(feed: &mut Feed, since: Option<FeedId>, until: Instant) -> Result<Gathered, Refusal> {
    let mut events: Vec<Arc<Outgoing>> = Vec::new();
    let (mut bytes, mut place, mut recovered, mut ready) = (0, since, true, false);
    while events.len() < PAGE_MAX_MESSAGES && bytes < PAGE_MAX_BYTES {
        // What the store is asked for is waited for in any case: it is the answer.
        let next = match (ready, events.is_empty()) {
            (false, _) => Some(feed.next().await),
            (true, true) if since.is_some() && recovered => timeout_at(until, feed.next()).await.ok(),
            (true, _) => feed.next().now_or_never(),
        };
        match next {
            Some(Ok(event)) => {
                place = event.id.or(place);
                if let Some(all) = event.recovered {
                    (ready, recovered) = (true, all);
                    if since.is_none() {
                        break;
                    }
                } else {
                    bytes += event.json.len();
                    events.push(event);
                }
            }
            Some(Err(Close::Replaced)) => {
                return Err(Refusal::new(ProblemCode::Replaced, Close::Replaced.reason()));
            }
            Some(Err(why @ (Close::Expired | Close::Revoked | Close::Ended))) if events.is_empty() => {
                return Err(why.into());
            }
            Some(Err(why)) if place.is_none() || (events.is_empty() && !ready && why != Close::Restart) => {
                return Err(Refusal::new(ProblemCode::Overloaded, why.reason()));
            }
            Some(Err(_)) | None => break,
        }
    }
    let since = place.expect("a feed says where it stands before it is live");
    Ok(Gathered { events, since, recovered })
}

fn read<'a>(head: &'a Parts, body: &Inbound) -> Result<FeedRequest<'a>, Refusal> {
    let mut ids = head.headers.get_all(LAST_EVENT_ID).iter();
    let (id, another) = (ids.next(), ids.next());
    if another.is_some() {
        return Err(Refusal::twice("Last-Event-ID"));
    }
    Ok(FeedRequest::parse_query(query_alone(head, body)?, id.map(HeaderValue::as_bytes))?)
}

fn subscribe(
    app: &Shared,
    identity: Identity,
    request: FeedRequest<'_>,
    face: Face,
) -> Result<Feed, Refusal> {
    let FeedRequest { user, since, watch, .. } = request;
    Ok(app.service.subscribe(identity, Subscribe { user, since, watch })?.counted_as(face))
}

/// The reply after which the connection is a WebSocket.
fn switch(key: &HeaderValue, session: Session) -> Reply {
    let mut reply = Response::new(Content::WebSocket(Some(Box::new(session))));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, ws::accept_key(key));
    reply
}
