use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, ok},
};
use chinwag_model::{Revise, Spelling};
use chinwag_wire::{EditRequest, ReactRequest, UnsendRequest, encode_message};
use hyper::http::request::Parts;

/// `POST /api/edit`.
pub(super) async fn edit(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let options = &app.options;
    let request = EditRequest::parse_json(&whole.bytes)?;
    revise(app, request.into_revise(options.text_max_bytes, options.revise_window)?).await
}

/// `POST /api/unsend`.
pub(super) async fn unsend(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    revise(app, UnsendRequest::parse_json(&whole.bytes)?.into_revise(app.options.revise_window)?).await
}

/// `POST /api/react`.
pub(super) async fn react(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    revise(app, ReactRequest::parse_json(&whole.bytes)?.into_revise()?).await
}

async fn revise(app: &Shared, (revise, spelling): (Revise, Spelling)) -> Result<Reply, Refusal> {
    let message = app.service.revise(revise).await?;
    Ok(ok(encode_message(&message, spelling)))
}
