use super::{
    Reply, Shared,
    body::Inbound,
    inbox::query_alone,
    reply::{Refusal, ok},
};
use chinwag_model::Caller;
use chinwag_wire::{PresenceRequest, encode_presence};
use hyper::http::request::Parts;

/// `GET /api/presence`.
pub(super) async fn presence(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &Inbound,
) -> Result<Reply, Refusal> {
    let request = PresenceRequest::parse_query(query_alone(head, body)?)?;
    Ok(ok(encode_presence(&app.service.presence(caller, &request.users).await?)))
}
