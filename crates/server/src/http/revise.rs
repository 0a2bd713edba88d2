use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, ok},
};
use chinwag_model::{Caller, Revise, Spelling};
use chinwag_wire::{EditRequest, ReactRequest, UnsendRequest, encode_message};
use hyper::http::request::Parts;

/// `POST /api/edit`.
pub(super) async fn edit(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let options = &app.options;
    let request = EditRequest::parse_json(&whole.bytes)?;
    revise(app, caller, request.into_revise(options.text_max_bytes, options.revise_window)?).await
}

/// `POST /api/unsend`.
pub(super) async fn unsend(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    revise(app, caller, UnsendRequest::parse_json(&whole.bytes)?.into_revise(app.options.revise_window)?)
        .await
}

/// `POST /api/react`.
pub(super) async fn react(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    revise(app, caller, ReactRequest::parse_json(&whole.bytes)?.into_revise()?).await
}

async fn revise(
    app: &Shared,
    caller: &Caller,
    (revise, spelling): (Revise, Spelling),
) -> Result<Reply, Refusal> {
    let message = app.service.revise(caller, revise).await?;
    Ok(ok(encode_message(&message, spelling)))
}
