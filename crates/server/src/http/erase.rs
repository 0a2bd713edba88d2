//! The erasure of a user.

use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, ok},
};
use chinwag_model::Caller;
use chinwag_wire::{EraseRequest, encode_erased};
use hyper::http::request::Parts;

/// `POST /api/erase`.
pub(super) async fn erase(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    require_json(head)?;
    let whole = body.read(app).await?;
    let (user, only_count) = EraseRequest::parse_json(&whole.bytes)?.into_user()?;
    Ok(ok(encode_erased(&user, &app.service.erase(caller, &user, only_count).await?)))
}
