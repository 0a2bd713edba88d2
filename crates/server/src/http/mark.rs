use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, no_content, ok},
};
use chinwag_model::{Caller, MarkerKind};
use chinwag_wire::{MarkRequest, TypingRequest, encode_marked};
use hyper::http::request::Parts;

/// `POST /api/read` and `POST /api/delivered`.
pub(super) async fn mark(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
    kind: MarkerKind,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let (mark, spelling) = MarkRequest::parse_json(&whole.bytes)?.into_mark(kind)?;
    let marked = app.service.mark(caller, mark).await?;
    Ok(ok(encode_marked(&marked, spelling)))
}

/// `POST /api/typing`.
pub(super) async fn typing(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let (chat, by) = TypingRequest::parse_json(&whole.bytes)?.into_typing()?;
    app.service.typing(caller, chat, by).await?;
    Ok(no_content())
}
