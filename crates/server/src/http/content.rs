//! What a reply carries.

use crate::{sse::Events, ws};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A reply's body.
pub enum Content {
    /// All of it.
    Whole(Full<Bytes>),
    /// A feed.
    Events(Box<Events>),
    /// None: the connection becomes a WebSocket.
    WebSocket(Option<Box<ws::Session>>),
}

impl Content {
    /// Whether it goes on for as long as the client likes.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// What takes the connection over.
    pub fn take_session(&mut self) -> Option<Box<ws::Session>> {
        match self {
            Self::WebSocket(session) => session.take(),
            Self::Whole(_) | Self::Events(_) => None,
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(full) => Pin::new(full).poll_frame(cx),
            Self::Events(events) => {
                Poll::Ready(ready!(events.poll_piece(cx)).map(|piece| Ok(Frame::data(piece))))
            }
            Self::WebSocket(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Events(_) => false,
            Self::WebSocket(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Events(_) => SizeHint::default(),
            Self::WebSocket(_) => SizeHint::with_exact(0),
        }
    }
}
