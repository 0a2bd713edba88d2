use super::{
    Reply, Shared,
    body::{Inbound, require_json},
    reply::{Refusal, ok},
};
use chinwag_model::{Caller, PageQuery, Spelling};
use chinwag_wire::{ProblemCode, PullRequest, encode_page};
use hyper::http::request::Parts;

/// `GET /api/pull` and `POST /api/pull`.
pub(super) async fn pull(
    app: &Shared,
    caller: &Caller,
    head: &Parts,
    body: &mut Inbound,
) -> Result<Reply, Refusal> {
    let (query, spelling) = read(app, head, body).await?;
    let page = app.service.pull(caller, query).await?;
    Ok(ok(encode_page(&page, spelling)))
}

/// The request, from a JSON body or from the query string.
async fn read(app: &Shared, head: &Parts, body: &mut Inbound) -> Result<(PageQuery, Spelling), Refusal> {
    let query = head.uri.query().unwrap_or_default();
    if query.is_empty() && !body.is_absent() {
        require_json(head)?;
        let whole = body.read(app).await?;
        return Ok(PullRequest::parse_json(&whole.bytes)?.into_query()?);
    }
    if !body.read(app).await?.bytes.is_empty() {
        return Err(Refusal::new(
            ProblemCode::BodyAndQuery,
            "the request has a body and a query string; send one of them",
        ));
    }
    Ok(PullRequest::parse_query(query)?.into_query()?)
}
