use crate::{
    ClientError, InboxBuilder, PullBuilder, Retry, SendBuilder, Subscription, Trust,
    http::{Answer, Http},
    token::{Credentials, Tokens},
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
    credentials: Arc<Credentials>,
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
    /// How often a request is tried. A [`Subscription`] takes its waits from here, but comes back for ever.
    pub retry: Retry,
    /// How long a [`Subscription`] takes a silent connection for alive. The server says something, be it a ping, every
    /// half minute or so.
    pub silence_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            try_timeout: Duration::from_secs(15),
            retry: Retry::default(),
            silence_timeout: Duration::from_mins(1),
        }
    }
}

impl Client {
    /// A client of the server at `base_url`, such as `http://localhost:8080`, with the default [`Options`]. At an
    /// `https://` address it is to be one that this machine trusts.
    ///
    /// # Errors
    /// [`ClientError::Request`] where that is neither an `http://` nor an `https://` address. Nothing is sent yet.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::with(base_url, Options::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with(base_url: &str, options: Options) -> Result<Self, ClientError> {
        Self::trusting(base_url, options, &Trust::System)
    }

    /// A client that trusts others than this machine does. Of no effect at an `http://` address.
    ///
    /// # Errors
    /// As [`Client::new`]; and [`ClientError::Request`] where there are no certificates to trust.
    pub fn trusting(base_url: &str, options: Options, trust: &Trust) -> Result<Self, ClientError> {
        let http = Http::new(base_url, trust, options.connect_timeout)?;
        Ok(Self { shared: Arc::new(Shared { http, options }), credentials: Arc::default() })
    }

    /// The same client, which shows this token or API key.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { credentials: Arc::new(Credentials::fixed(token)), ..self }
    }

    /// The same client, which gets its tokens from there: a new one whenever the server takes the last no more.
    #[must_use]
    pub fn with_tokens(self, tokens: Arc<dyn Tokens>) -> Self {
        Self { credentials: Arc::new(Credentials::from(tokens)), ..self }
    }

    /// Sends a message once it is awaited; a fresh random key makes the retries safe.
    pub fn send<'a>(&'a self, chat: &'a str, sender: &'a str, text: &'a str) -> SendBuilder<'a> {
        SendBuilder::new(self, chat, sender, text)
    }

    /// Reads a chat, page by page.
    pub fn pull(&self, chat: impl Into<String>) -> PullBuilder {
        PullBuilder::new(self.clone(), chat.into())
    }

    /// Reads a user's inbox, page by page: the chat with the latest message first.
    pub fn inbox(&self, user: impl Into<String>) -> InboxBuilder {
        InboxBuilder::new(self.clone(), user.into())
    }

    /// Follows a user's feed, across lost connections.
    pub fn subscribe(&self, user: impl Into<String>) -> Subscription {
        Subscription::new(self.clone(), user.into())
    }

    /// Whether the server takes writes now. One try only, so that a caller may poll it.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with the server's reason, or [`ClientError::Transport`].
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.once(Method::GET, "/readyz", None).await.map(drop)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
    }

    /// One try.
    pub(crate) async fn once(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, ClientError> {
        let token = self.credentials.current().await?;
        self.shared.http.request(method, path, body, token.as_deref(), self.shared.options.try_timeout).await
    }

    /// Posts a request that may be repeated, and repeats it as [`Retry`] says.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<(T, Answer), ClientError> {
        self.call(Method::POST, path, Some(json(request)?)).await
    }

    /// Gets an answer, and repeats the request as [`Retry`] says.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, None).await.map(|(reply, _)| reply)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<(T, Answer), ClientError> {
        let Options { retry, try_timeout, .. } = self.shared.options;
        let start = Instant::now();
        let (mut tries, mut renewed) = (0, false);
        loop {
            tries += 1;
            let timeout = try_timeout.min(retry.total.saturating_sub(start.elapsed()));
            let token = self.credentials.current().await?;
            let try_ =
                self.shared.http.request(method.clone(), path, body.clone(), token.as_deref(), timeout);
            let last = match try_.await {
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
            if last.is_unidentified() && !renewed && self.credentials.discard() {
                renewed = true;
                continue;
            }
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

/// A request's body.
pub(crate) fn json(request: &impl Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(request).map(Bytes::from).map_err(|error| ClientError::Request(error.to_string()))
}

pub(crate) fn random_u32() -> Result<u32, ClientError> {
    getrandom::u32().map_err(|error| ClientError::Request(format!("no randomness: {error}")))
}
