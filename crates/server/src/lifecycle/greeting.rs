//! What a new connection speaks: the handshake of TLS, and which version of HTTP comes after it.

use super::{
    Options,
    connection::{self, Answers, Takeover},
    crowd::Seat,
    http2,
    shutdown::{Stop, reached},
};
use crate::{
    http::App,
    stream::{Stream, Tcp},
    tls::Tls,
};
use chinwag_peer::Peer;
use std::{io, sync::Arc};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::TlsAcceptor;

/// The first byte of every client that speaks TLS: that of a record of the handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// Bytes that TLS takes for a client before the client takes any: they are memory of this process.
const UNSENT_MAX_BYTES: usize = 32 * 1024;

/// What a client spoke first.
enum Spoken {
    Tls {
        stream: Stream,
        protocol: Protocol,
    },
    /// Something else, where TLS is asked for.
    Plain(TcpStream),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until it ends, has had its time, or the server stops; or until it leaves HTTP.
pub(super) async fn serve(
    stream: TcpStream,
    peer: Peer,
    seat: Arc<Seat>,
    tls: Option<Arc<Tls>>,
    options: Arc<Options>,
    app: App,
    mut stop: watch::Receiver<Stop>,
) -> Option<Takeover> {
    let Some(tls) = tls else {
        return connection::serve(Stream::plain(stream), peer, seat, Answers::All, options, app, stop).await;
    };
    // Boxed, and gone before the connection is served, of which most of the time is waiting.
    let spoken = {
        let listening = Box::pin(timeout(options.head_timeout, listen(stream, &tls)));
        tokio::select! {
            biased;
            () = reached(&mut stop, Stop::Drain) => return None,
            spoken = listening => spoken,
        }
    };
    let (stream, answers) = match spoken {
        Ok(Ok(Spoken::Tls { stream, protocol: Protocol::Http2 })) => {
            Box::pin(http2::serve(stream, peer, seat, options, app, stop)).await;
            return None;
        }
        Ok(Ok(Spoken::Tls { stream, protocol: Protocol::Http1 })) => (stream, Answers::All),
        Ok(Ok(Spoken::Plain(stream))) => (Stream::plain(stream), Answers::NeedTls),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a handshake of TLS failed");
            return None;
        }
        Err(_) => {
            tracing::debug!("a handshake of TLS took too long");
            return None;
        }
    };
    connection::serve(stream, peer, seat, answers, options, app, stop).await
}

async fn listen(stream: TcpStream, tls: &Tls) -> io::Result<Spoken> {
    let mut first = [HANDSHAKE_RECORD];
    // Nothing, where the client has ended already; the handshake then says so.
    stream.peek(&mut first).await?;
    if first != [HANDSHAKE_RECORD] {
        return Ok(Spoken::Plain(stream));
    }
    let mut stream = TlsAcceptor::from(tls.config()).accept(Tcp::new(stream)).await?;
    let session = stream.get_mut().1;
    session.set_buffer_limit(Some(UNSENT_MAX_BYTES));
    let protocol = if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    Ok(Spoken::Tls { stream: Stream::Tls(Box::new(stream)), protocol })
}
