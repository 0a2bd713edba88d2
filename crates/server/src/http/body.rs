//! Reading a request's body, within its bounds of bytes, time and memory.

use super::{Shared, reply::Refusal};
use bytes::Bytes;
use chinwag_model::limits::BODY_MAX_BYTES;
use chinwag_wire::ProblemCode;
use futures_util::{FutureExt, poll};
use http_body_util::BodyExt;
use hyper::{
    body::{Body as _, Incoming},
    header::{CONTENT_TYPE, EXPECT},
    http::request::Parts,
};
use std::{pin::pin, sync::Arc, task::Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A request's body as it comes in.
pub(super) struct Inbound {
    incoming: Incoming,
    ended: bool,
}

/// A request's body as a whole. Its memory counts until it is dropped.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl Inbound {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { ended: incoming.is_end_stream(), incoming }
    }

    /// Whether the head announced no body.
    pub(super) fn is_absent(&self) -> bool {
        self.ended
    }

    /// Whether nothing more of the body comes, so that the connection can take another request. What has already come
    /// is thrown away; nothing is waited for, or asked for where the client awaits a word (`Expect`) before it sends.
    pub(super) fn is_over(&mut self, head: &Parts) -> bool {
        while !self.ended && !head.headers.contains_key(EXPECT) {
            match self.next().now_or_never() {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
        self.ended
    }

    /// Reads the whole body. The usual one, which came with the head, is neither copied nor timed.
    pub(super) async fn read(&mut self, app: &Shared) -> Result<Whole, Refusal> {
        if self.ended {
            return Ok(Whole::default());
        }
        let mut collecting = pin!(self.collect(&app.body_bytes));
        if let Poll::Ready(whole) = poll!(&mut collecting) {
            return whole;
        }
        let limit = app.options.body_timeout;
        tokio::time::timeout(limit, collecting).await.unwrap_or_else(|_| {
            Err(Refusal::new(
                ProblemCode::Timeout,
                format!("the body did not arrive within {} s", limit.as_secs_f64()),
            ))
        })
    }

    async fn collect(&mut self, body_bytes: &Arc<Semaphore>) -> Result<Whole, Refusal> {
        let announced =
            self.incoming.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > BODY_MAX_BYTES) {
            return Err(too_large());
        }
        let Some(first) = self.next().await? else { return Ok(Whole::default()) };
        if self.ended {
            return Ok(Whole { bytes: first, _held: None });
        }
        let mut held = hold(body_bytes, announced.unwrap_or(first.len()))?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or(first.len()));
        bytes.extend_from_slice(&first);
        drop(first);
        while let Some(frame) = self.next().await? {
            if bytes.len() + frame.len() > BODY_MAX_BYTES {
                return Err(too_large());
            }
            if announced.is_none() {
                held.merge(hold(body_bytes, frame.len())?);
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(Whole { bytes: bytes.into(), _held: Some(held) })
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        while !self.ended {
            match self.incoming.frame().await {
                None => self.ended = true,
                Some(Ok(frame)) => {
                    self.ended = self.incoming.is_end_stream();
                    // What is not data is trailers, which say nothing to us.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a body broke off");
                    return Err(Refusal::new(
                        ProblemCode::BadRequest,
                        "the body broke off or is not framed as HTTP asks",
                    ));
                }
            }
        }
        Ok(None)
    }
}

fn hold(body_bytes: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let permits = u32::try_from(bytes).map_err(|_| too_large())?;
    body_bytes.clone().try_acquire_many_owned(permits).map_err(|_| {
        Refusal::new(ProblemCode::Overloaded, "too many large requests at once; nothing was stored")
    })
}

fn too_large() -> Refusal {
    Refusal::new(ProblemCode::BodyTooLarge, format!("a request body is at most {BODY_MAX_BYTES} bytes"))
}

/// Refuses a body that does not claim to be JSON: what a form of another site can post never does.
pub(super) fn require_json(head: &Parts) -> Result<(), Refusal> {
    let mut types = head.headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        // What one program takes for JSON another takes for the other one.
        (_, Some(_)) => Err(Refusal::twice("Content-Type")),
        (Some(value), None) if is_json(value.as_bytes()) => Ok(()),
        (Some(_), None) => Err(Refusal::new(
            ProblemCode::UnsupportedMediaType,
            "the Content-Type must be application/json or end in +json",
        )),
        (None, None) => Err(Refusal::new(
            ProblemCode::UnsupportedMediaType,
            "the Content-Type is missing; it must be application/json or end in +json",
        )),
    }
}

/// Parameters, such as a charset, are of no matter.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json")
        || (essence.contains(&b'/')
            && !essence.contains(&b',')
            && essence.last_chunk::<5>().is_some_and(|end| end.eq_ignore_ascii_case(b"+json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;x",
            "application/vnd.api+json",
            "application/ld+JSON ; a=b",
        ] {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        for other in [
            "",
            "json",
            "text/plain",
            "text/plain; application/json",
            "text/plain;+json",
            "application/jsonp",
            "application/x-www-form-urlencoded",
            "+json",
            "text/plain, application/a+json",
        ] {
            assert!(!is_json(other.as_bytes()), "{other}");
        }
    }
}
