use super::{
    Reply, Shared,
    body::Inbound,
    reply::{Refusal, ok},
};
use chinwag_model::Caller;
use chinwag_wire::{InboxRequest, ProblemCode, encode_inbox};
use hyper::http::request::Parts;

/// `GET /api/chats`.
pub(super) async fn chats(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &Inbound,
) -> Result<Reply, Refusal> {
    let query = query_alone(head, body)?;
    let page = app.service.inbox(caller, InboxRequest::parse_query(query)?.into_query()?).await?;
    Ok(ok(encode_inbox(&page)))
}

/// The query string of a request that has no body.
pub(super) fn query_alone<'a>(head: &'a Parts, body: &Inbound) -> Result<&'a str, Refusal> {
    if body.is_absent() {
        return Ok(head.uri.query().unwrap_or_default());
    }
    Err(Refusal::new(ProblemCode::BodyAndQuery, "this path takes a query string and no body"))
}
