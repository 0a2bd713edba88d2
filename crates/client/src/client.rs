use crate::{
    ClientError, PullBuilder, Retry, SendBuilder,
    http::{Answer, Http},
};
use bytes::Bytes;
use hyper::Method;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A client of one server. Clones share their connections, which are kept alive and used again.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    options: Options,
}

/// Time-outs and retry of a [`Client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The longest that one connection may take to be made.
    pub connect_timeout: Duration,
    /// The longest that one try may take, from its connection to the last byte of its answer.
    pub try_timeout: Duration,
    /// How often a request is tried.
    pub retry: Retry,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            try_timeout: Duration::from_secs(15),
            retry: Retry::default(),
        }
    }
}

impl Client {
    /// A client of the server at `base_url`, such as `http://localhost:8080`, with the default [`Options`].
    ///
    /// # Errors
    /// [`ClientError::Request`] where that is not an `http://` address. Nothing is sent yet.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::with(base_url, Options::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with(base_url: &str, options: Options) -> Result<Self, ClientError> {
        let http = Http::new(base_url, options.connect_timeout)?;
        Ok(Self { shared: Arc::new(Shared { http, options }) })
    }

    /// Sends a message once it is awaited; a fresh random key makes the retries safe.
    pub fn send<'a>(&'a self, chat: &'a str, sender: &'a str, text: &'a str) -> SendBuilder<'a> {
        SendBuilder::new(self, chat, sender, text)
    }

    /// Reads a chat, page by page.
    pub fn pull(&self, chat: impl Into<String>) -> PullBuilder {
        PullBuilder::new(self.clone(), chat.into())
    }

    /// Whether the server takes writes now. One try only, so that a caller may poll it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with the server's reason, or [`ClientError::Transport`].
    pub async fn ready(&self) -> Result<(), ClientError> {
        let timeout = self.shared.options.try_timeout;
        self.shared.http.request(Method::GET, "/readyz", None, timeout).await.map(drop)
    }

    /// Posts a request that may be repeated, and repeats it as [`Retry`] says.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<(T, Answer), ClientError> {
        let body: Bytes =
            serde_json::to_vec(request).map_err(|error| ClientError::Request(error.to_string()))?.into();
        let Options { retry, try_timeout, .. } = self.shared.options;
        let start = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let timeout = try_timeout.min(retry.total.saturating_sub(start.elapsed()));
            let last = match self.shared.http.request(Method::POST, path, Some(body.clone()), timeout).await {
                Ok(answer) => match serde_json::from_slice(&answer.body) {
                    Ok(reply) => return Ok((reply, answer)),
                    Err(error) => ClientError::Decode {
                        status: answer.status,
                        reason: error.to_string(),
                        retry_after: None,
                    },
                },
                Err(error) => error,
            };
            if !last.is_worth_a_repeat() {
                return Err(last);
            }
            match retry.wait(tries, start.elapsed(), last.retry_after(), random_u32()?) {
                Some(wait) => tokio::time::sleep(wait).await,
                None if retry.tries == 1 => return Err(last),
                None => return Err(ClientError::GaveUp { tries, last: Box::new(last) }),
            }
        }
    }
}

fn random_u32() -> Result<u32, ClientError> {
    getrandom::u32().map_err(|error| ClientError::Request(format!("no randomness: {error}")))
}
