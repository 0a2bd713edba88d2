//! Blocks, and the end of a user's sessions.

use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    inbox::query_alone,
    reply::{Refusal, ok},
};
use chinwag_model::Caller;
use chinwag_wire::{
    BlockRequest, BlocksRequest, EndSessionsRequest, encode_blocked, encode_blocks, encode_ended,
};
use hyper::http::request::Parts;

/// `POST /api/block` and `POST /api/unblock`.
pub(super) async fn block(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
    on: bool,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let block = BlockRequest::parse_json(&whole.bytes)?.into_block(on)?;
    Ok(ok(encode_blocked(&app.service.block(caller, block).await?)))
}

/// `GET /api/blocks`.
pub(super) async fn blocks(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &Inbound,
) -> Result<Reply, Refusal> {
    let query = BlocksRequest::parse_query(query_alone(head, body)?)?.into_query()?;
    Ok(ok(encode_blocks(&app.service.blocks(caller, query).await?)))
}

/// `POST /api/sessions/end`.
pub(super) async fn end_sessions(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let user = EndSessionsRequest::parse_json(&whole.bytes)?.into_user()?;
    Ok(ok(encode_ended(app.service.end_sessions(caller, &user)?)))
}
