//! The one place of this face where it is found out who makes a request.

use super::{
    Reply, Shared,
    body::Inbound,
    reply::{Refusal, ok},
};
use crate::{hub::Identity, identity::Unidentified};
use chinwag_model::Caller;
use chinwag_wire::{ProblemCode, encode_ticket};
use hyper::{
    header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue},
    http::request::Parts,
};

/// Names under which a token could stand in a query string.
const TOKEN_NAMES: [&str; 6] = ["token", "access_token", "id_token", "authorization", "api_key", "apikey"];

/// Who makes a request, by its header `Authorization`.
pub(super) async fn identify(app: &Shared, head: &Parts) -> Result<Identity, Refusal> {
    if app.door.is_open() {
        return Ok(Identity::ANYONE);
    }
    refuse_token_in_url(head)?;
    Ok(app.door.identify(bearer(head)?).await?)
}

/// Who opens a WebSocket, by its ticket or else its header.
pub(super) async fn identify_socket(
    app: &Shared,
    head: &Parts,
    ticket: Option<&str>,
) -> Result<Identity, Refusal> {
    match ticket {
        Some(ticket) if !app.door.is_open() => {
            refuse_token_in_url(head)?;
            Ok(app.door.take_ticket(ticket)?)
        }
        _ => identify(app, head).await,
    }
}

/// `POST /api/ticket`: what opens one WebSocket in the place of the token of this request.
pub(super) async fn ticket(app: &Shared, identity: Identity, body: &mut Inbound) -> Result<Reply, Refusal> {
    body.read(app).await?;
    if matches!(identity.caller, Caller::Key { .. }) {
        let why = "a ticket is a user's: what holds an API key sets the header Authorization";
        return Err(Refusal::new(ProblemCode::NotAllowed, why));
    }
    let given = app.door.give_ticket(identity).map_err(|error| {
        tracing::error!(%error, "no randomness for a ticket");
        Refusal::new(ProblemCode::Internal, "the system gives no randomness")
    })?;
    // An open server looks at no ticket, so that a client need not know which kind it speaks to.
    let (ticket, until) = given.map_or(("open".into(), None), |(ticket, until)| (ticket, Some(until)));
    let mut reply = ok(encode_ticket(&ticket, until));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}

/// The token that a request carries.
fn bearer(head: &Parts) -> Result<Option<&str>, Unidentified> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (scheme, token) = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .and_then(|value| value.split_once(' '))
        .ok_or(Unidentified::NotBearer)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(Unidentified::NotBearer) }
}

fn refuse_token_in_url(head: &Parts) -> Result<(), Refusal> {
    let names = head.uri.query().unwrap_or_default().split('&').map(|pair| pair.split('=').next());
    let of_token = |name: &str| TOKEN_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    if names.flatten().any(of_token) {
        return Err(Refusal::new(
            ProblemCode::TokenInUrl,
            "a token goes into the header Authorization, or a WebSocket is opened with a ticket of POST /api/ticket",
        ));
    }
    Ok(())
}
