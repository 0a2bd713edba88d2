use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, ok},
};
use chinwag_model::{Caller, Draft, Spelling};
use chinwag_wire::{SendRequest, encode_message};
use hyper::{
    header::{HeaderName, HeaderValue},
    http::request::Parts,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST /api/send`.
pub(super) async fn send(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    let (draft, spelling) = read(app, head, body).await?;
    let appended = app.service.send(caller, draft).await?;
    let mut reply = ok(encode_message(&appended.message, spelling));
    if appended.replayed {
        reply.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(reply)
}

/// `POST /bench/noop`: reads a send to the end, and stores nothing.
pub(super) async fn noop(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<Reply, Refusal> {
    let (draft, _) = read(app, head, body).await?;
    std::hint::black_box(draft);
    Ok(ok(&br#"{"status":"read"}"#[..]))
}

async fn read(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<(Draft, Spelling), Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let mut keys = head.headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = keys.next().map(HeaderValue::as_bytes);
    if keys.next().is_some() {
        return Err(Refusal::twice("Idempotency-Key"));
    }
    Ok(SendRequest::parse(&whole.bytes)?.into_draft(key, app.options.text_max_bytes)?)
}
