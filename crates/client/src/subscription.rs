use crate::{
    Client, ClientError, Event,
    client::random_u32,
    seen::Seen,
    socket::{Socket, not_an_event},
};
use chinwag_wire::{WireEvent, encode_query};
use futures_util::{
    Stream, StreamExt as _,
    stream::{BoxStream, unfold},
};
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// A user's feed as a stream that outlives its connections.
///
/// It connects when it is first polled, comes back after every loss with the id of the last thing that it told, and tells
/// nothing twice. Poll it without long pauses: a consumer that falls behind is cut off by the server, and then resumes.
/// It ends with an error where it must not come back by itself: the server refused it, another session took its place
/// ([`ClientError::Closed`] with 4409), or an answer is not what the wire contract says. Dropping it closes its connection.
#[must_use = "a subscription does nothing until it is polled"]
pub struct Subscription {
    /// Until the first poll.
    asked: Option<Feed>,
    stream: BoxStream<'static, Result<Update, ClientError>>,
}

/// What a [`Subscription`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// The connection is up and what was missed has been told; from here on it is live.
    Ready {
        /// Where the feed stands: an id to come back with.
        id: String,
        /// Whether nothing was passed over; else a [`Update::Gap`] follows.
        recovered: bool,
    },
    /// The server could not tell what was missed: load the inbox now, for nothing old comes.
    Gap,
    /// Something happened. Events of types that this version does not know are passed over.
    Event(Event),
    /// The connection is lost; the subscription comes back by itself.
    Disconnected {
        /// Why.
        error: ClientError,
        /// In how long it tries again.
        wait: Duration,
    },
}

impl Subscription {
    pub(crate) fn new(client: Client, user: String) -> Self {
        let feed = Feed {
            client,
            user,
            since: None,
            watch: Vec::new(),
            socket: None,
            wait: Duration::ZERO,
            failures: 0,
            next: VecDeque::new(),
            seen: Seen::default(),
            ended: false,
        };
        Self { asked: Some(feed), stream: futures_util::stream::empty().boxed() }
    }

    /// Begins after this id of the user's feed, of an event or of [`Update::Ready`]; without it, with what is live. No
    /// effect once it has been polled.
    pub fn since(mut self, id: impl Into<String>) -> Self {
        if let Some(asked) = &mut self.asked {
            asked.since = Some(id.into());
        }
        self
    }

    /// Tells the presence of these users too, at most 100. No effect once it has been polled.
    pub fn watch<U: Into<String>>(mut self, users: impl IntoIterator<Item = U>) -> Self {
        if let Some(asked) = &mut self.asked {
            asked.watch = users.into_iter().map(Into::into).collect();
        }
        self
    }
}

impl Stream for Subscription {
    type Item = Result<Update, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(feed) = self.asked.take() {
            self.stream = unfold(feed, |mut feed| async move {
                let update = feed.next().await?;
                Some((update, feed))
            })
            .fuse()
            .boxed();
        }
        self.stream.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

struct Feed {
    client: Client,
    user: String,
    /// The last id that came.
    since: Option<String>,
    watch: Vec<String>,
    socket: Option<Socket>,
    /// How long to wait before the next connection.
    wait: Duration,
    /// Connections in a row that never were ready.
    failures: u32,
    /// What was read and not yet told.
    next: VecDeque<Update>,
    seen: Seen,
    ended: bool,
}

impl Feed {
    async fn next(&mut self) -> Option<Result<Update, ClientError>> {
        loop {
            if let Some(update) = self.next.pop_front() {
                return Some(Ok(update));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance().await {
                return Some(self.lost(error));
            }
        }
    }

    /// Connects, or reads one frame.
    async fn advance(&mut self) -> Result<(), ClientError> {
        let Some(socket) = &mut self.socket else {
            tokio::time::sleep(self.wait).await;
            self.socket = Some(Socket::open(&self.client, &self.path()).await?);
            return Ok(());
        };
        let text = socket.next_text().await?;
        let event = WireEvent::parse(&text).map_err(|error| not_an_event(error.to_string()))?;
        self.take(event);
        Ok(())
    }

    fn path(&self) -> String {
        let since = self.since.as_deref().map(|since| ("since", since));
        let watch = self.watch.iter().map(|user| ("watch", user.as_str()));
        format!(
            "/api/ws?{}",
            encode_query([("user", self.user.as_str())].into_iter().chain(since).chain(watch))
        )
    }

    fn take(&mut self, event: WireEvent<'_>) {
        if let Some(id) = event.id() {
            self.since = Some(id.to_owned());
        }
        if let WireEvent::Ready(ready) = event {
            self.failures = 0;
            let recovered = ready.recovered;
            self.next.push_back(Update::Ready { id: ready.id.into_owned(), recovered });
            if !recovered {
                self.next.push_back(Update::Gap);
            }
        } else if let Some(event) = Event::of_wire(event)
            && self.seen.is_new(&event)
        {
            self.next.push_back(Update::Event(event));
        }
    }

    /// What a failure comes to: another connection after a while, or the end.
    fn lost(&mut self, error: ClientError) -> Result<Update, ClientError> {
        self.socket = None;
        // A new token, once; whoever gets no further with it has to see the reason.
        let renewed = error.is_unidentified() && self.failures == 0 && self.client.credentials().discard();
        if !renewed && !error.may_reconnect() {
            self.ended = true;
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let retry = self.client.options().retry;
        let random = random_u32().inspect_err(|_| self.ended = true)?;
        self.wait = retry.wait_to_reconnect(self.failures, error.retry_after(), random);
        Ok(Update::Disconnected { error, wait: self.wait })
    }
}
