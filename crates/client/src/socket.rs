//! One WebSocket: its handshake and the texts that come down it. Knows no events and no second try.

use crate::{Client, ClientError, connect::Wire, error::chain, http::whole};
use bytes::Bytes;
use chinwag_wire::close_code;
use futures_util::StreamExt as _;
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1, header, header::HeaderValue,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// Memory of a connection for what comes: an event is small, and a larger one takes more for its time.
const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Memory for what goes: pongs and one close frame.
const WRITE_BUFFER_MAX_BYTES: usize = 4 * 1024;
/// The largest frame that is taken: the largest message with every byte escaped, and room to spare.
const FRAME_MAX_BYTES: usize = 1024 * 1024;
/// How long the server may take to end a connection that it has said it closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
pub(crate) struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    silence_timeout: Duration,
}

impl Socket {
    /// Connects. An answer other than 101 is an error, with what the server says.
    pub(crate) async fn open(client: &Client, path: &str) -> Result<Self, ClientError> {
        let options = client.options();
        let uri: Uri = format!("{}{path}", client.http().base())
            .parse()
            .map_err(|error| ClientError::Request(format!("the feed has no address: {error}")))?;
        let token = client.credentials().current().await?;
        let token = token.as_deref().map(|token| client.http().bearer(token)).transpose()?;
        let wire = timeout(options.connect_timeout, client.http().connect(&uri))
            .await
            .unwrap_or_else(|_| Err(transport("no connection", options.connect_timeout)))?;
        let upgraded = timeout(options.try_timeout, upgrade(wire, &uri, token))
            .await
            .unwrap_or_else(|_| Err(transport("no answer to the handshake", options.try_timeout)))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
            .max_message_size(Some(FRAME_MAX_BYTES))
            .max_frame_size(Some(FRAME_MAX_BYTES));
        let stream =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
        Ok(Self { stream, silence_timeout: options.silence_timeout })
    }

    /// The next text. Pings are answered on the way. After an error the connection is of no more use.
    pub(crate) async fn next_text(&mut self) -> Result<Utf8Bytes, ClientError> {
        loop {
            let Ok(message) = timeout(self.silence_timeout, self.stream.next()).await else {
                return Err(transport("not a word from the server", self.silence_timeout));
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return Err(not_an_event("it is a binary frame")),
                Some(Ok(Message::Close(frame))) => {
                    // Reading on sends the answer and sees the server end the connection; that it does so is its affair.
                    let _ = timeout(CLOSE_TIMEOUT, self.stream.next()).await;
                    return Err(closed(frame));
                }
                Some(Err(error @ (Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_)))) => {
                    return Err(ClientError::Transport(format!("the WebSocket broke: {error}")));
                }
                Some(Err(Error::Io(error))) => return Err(ClientError::Transport(chain(&error))),
                Some(Err(error)) => return Err(ClientError::Transport(error.to_string())),
                None => return Err(ClientError::Transport("the connection ended without a word".into())),
            }
        }
    }
}

/// A frame that is not what the wire contract says.
pub(crate) fn not_an_event(reason: impl Into<String>) -> ClientError {
    let status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
    ClientError::Decode { status, reason: reason.into(), retry_after: None }
}

fn closed(frame: Option<CloseFrame>) -> ClientError {
    // A close frame without a code is, by RFC 6455, not to be told from none: come back.
    frame.map_or(ClientError::Closed { code: close_code::ABNORMAL, reason: String::new() }, |frame| {
        ClientError::Closed { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
    })
}

fn transport(what: &str, within: Duration) -> ClientError {
    ClientError::Transport(format!("{what} within {within:?}"))
}

/// The handshake of RFC 6455, section 4.1.
async fn upgrade(wire: Wire, uri: &Uri, token: Option<HeaderValue>) -> Result<Upgraded, ClientError> {
    let failed = |error: hyper::Error| ClientError::Transport(chain(&error));
    let key = generate_key();
    let mut request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    let request =
        request.body(Empty::<Bytes>::new()).map_err(|error| ClientError::Request(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(wire).await.map_err(failed)?;
    // It ends once the connection is handed over, or with the sender.
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(failed)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status().as_u16();
        let body = whole(response).await?;
        let reason = format!("{} bytes instead of a WebSocket", body.len());
        return Err(ClientError::Decode { status, reason, retry_after: None });
    }
    check_accept(&response, &key)?;
    hyper::upgrade::on(response).await.map_err(failed)
}

fn check_accept(response: &Response<Incoming>, key: &str) -> Result<(), ClientError> {
    let accept = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(not_an_event("its handshake does not answer to this one"));
    }
    Ok(())
}
