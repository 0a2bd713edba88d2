//! One HTTP request and its whole answer. Knows connections, no verbs, no retry.

use crate::{
    ClientError, Trust,
    connect::{Connector, NotConnected, Wire},
    error::{Problem, chain},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{self, HeaderValue},
};
use hyper_util::{
    client::legacy::Client as Pool,
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;

/// The largest answer that is read: a page of 1 MiB with every byte escaped, and room to spare.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// A pool of kept-alive connections to one server.
#[derive(Debug)]
pub(crate) struct Http {
    pool: Pool<Connector, Full<Bytes>>,
    connector: Connector,
    base: String,
    /// Whether whoever answers is known to be the server, as far as the address asks for that.
    verifies: bool,
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: Bytes,
}

impl Http {
    /// Connects to nothing yet.
    pub(crate) fn new(base_url: &str, trust: &Trust, connect_timeout: Duration) -> Result<Self, ClientError> {
        let base = base_url.trim_end_matches('/').to_owned();
        let uri: Uri = base
            .parse()
            .map_err(|error| ClientError::Request(format!("{base_url:?} is not a URL: {error}")))?;
        if !matches!(uri.scheme_str(), Some("http" | "https"))
            || uri.host().is_none_or(str::is_empty)
            || uri.query().is_some()
        {
            return Err(ClientError::Request(format!(
                "{base_url:?} is not the address of a server, such as http://localhost:8080 or https://chat.example.org"
            )));
        }
        let connector = Connector::new(&uri, trust, connect_timeout)?;
        let pool = Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector.clone());
        Ok(Self { pool, connector, base, verifies: *trust != Trust::Anyone })
    }

    /// A connection of its own, which the pool knows nothing of.
    pub(crate) async fn connect(&self, uri: &Uri) -> Result<Wire, ClientError> {
        Ok(self.connector.clone().connect(uri.clone()).await?)
    }

    /// The header that carries a token to this server.
    pub(crate) fn bearer(&self, token: &str) -> Result<HeaderValue, ClientError> {
        if self.verifies {
            bearer(token)
        } else {
            Err(ClientError::Request("no token goes to a server that anyone could be".into()))
        }
    }

    /// The address of the server, without a `/` at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request and reads its answer to the end. An answer other than 2xx is an error.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        token: Option<&str>,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, self.bearer(token)?);
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| ClientError::Request(error.to_string()))?;
        tokio::time::timeout(timeout, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(ClientError::Transport(format!("no whole answer within {timeout:?}"))))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let failed =
            |error| NotConnected::find(&error).unwrap_or_else(|| ClientError::Transport(chain(&error)));
        let response = self.pool.request(request).await.map_err(failed)?;
        let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let status = response.status().as_u16();
        let body = whole(response).await?;
        Ok(Answer { status, replayed, body })
    }
}

/// The header that carries a token; never shown.
fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| ClientError::Request("the token holds characters that no header can carry".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads an answer to its end. An answer other than 2xx is an error.
pub(crate) async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let (head, body) = response.into_parts();
    let retry_after = head
        .headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = Limited::new(body, ANSWER_MAX_BYTES)
        .collect()
        .await
        .map_err(|error| ClientError::Transport(chain(&*error)))?
        .to_bytes();
    if head.status.is_success() { Ok(body) } else { Err(refusal(head.status, retry_after, &body)) }
}

fn refusal(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> ClientError {
    let status = status.as_u16();
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => ClientError::Problem(Box::new(Problem { status, retry_after, ..problem })),
        Err(error) => {
            ClientError::Decode { status, reason: format!("no problem document: {error}"), retry_after }
        }
    }
}
