//! One user's feed: what was missed, then `ready`, then what happens.
//!
//! The session is registered first, so that its outbox gathers what happens; then the store is asked what happened up to
//! now; what the outbox holds of that time is dropped. So nothing is lost and nothing doubled at the seam.

use super::{Act, Outgoing, Service, ServiceError};
use crate::{
    hub::{Close, Given, Identity, Lease, Session},
    metrics::{Counted, Ended, Face, Outcome},
};
use chinwag_model::{
    Epoch, Event, FeedId, Message, Ts, UserId,
    limits::{CATCH_UP_MAX_BYTES, CATCH_UP_MAX_TIME},
};
use chinwag_store::{CatchUp, StoreError};
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

/// How long a session waits for its turn to catch up.
const CATCH_UP_TURN_MAX: Duration = Duration::from_secs(10);

/// What a face asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Whose feed.
    pub user: UserId,
    /// The last id that the client saw; `None` from now on.
    pub since: Option<FeedId>,
    /// Users whose coming and going the client wants to hear of, each once; at most
    /// [`chinwag_model::limits::WATCH_MAX_USERS`].
    pub watch: Vec<UserId>,
}

/// A user's feed. The session lasts until it is dropped.
pub struct Feed {
    service: Service,
    session: Session,
    /// Everything up to here was told, or is known to the client.
    told: Ts,
    /// Whether `ready` was told.
    ready: bool,
    stage: Stage,
    counted: Option<Counted>,
}

enum Stage {
    /// The store is being asked.
    Asking(Pin<Box<dyn Future<Output = Result<Missed, Close>> + Send>>),
    /// What was missed is being told.
    Telling(Box<Telling>),
    /// What waits in the outbox is told as it comes.
    Live,
}

/// What the store said.
struct Missed {
    catch_up: CatchUp,
    recovered: bool,
    held: Option<OwnedSemaphorePermit>,
}

struct Telling {
    events: VecDeque<Event>,
    upto: Ts,
    recovered: bool,
    /// Whether all of it was told, and what is left is how those stand whom the client watches.
    told: bool,
    /// When a client that takes so slowly has fallen behind.
    until: Instant,
    /// The memory that counts until all is told.
    _held: Option<OwnedSemaphorePermit>,
}

impl Service {
    /// Opens a session and its feed, which ends with the caller's identity.
    ///
    /// # Errors
    /// Those of [`super::permit`], [`ServiceError::Leaving`] and [`ServiceError::TooManyWatched`].
    pub fn subscribe(&self, identity: Identity, subscribe: Subscribe) -> Result<Feed, ServiceError> {
        let Subscribe { user, since, watch } = subscribe;
        Self::permit(&identity.caller, Act::SeeOwn(&user))?;
        if !watch.is_empty() {
            Self::permit(&identity.caller, Act::SeeOthers)?;
        }
        let session = self.shared.hub.open(identity, user, watch)?;
        let (service, following) = (self.clone(), session.follow());
        let (user, watch, learn) =
            (session.user().clone(), session.watch().to_vec(), session.learn_silence());
        let asking = Box::pin(async move {
            following.await;
            if !watch.is_empty() {
                learn(
                    service
                        .shared
                        .store
                        .silent(user.clone(), watch)
                        .await
                        .map_err(|error| no_feed(&error))?,
                );
            }
            service.missed(user, since).await
        });
        Ok(Feed {
            service: self.clone(),
            session,
            told: Ts(0),
            ready: false,
            stage: Stage::Asking(asking),
            counted: None,
        })
    }

    /// Finds out what a user missed.
    async fn missed(self, user: UserId, since: Option<FeedId>) -> Result<Missed, Close> {
        let (metrics, start) = (self.shared.metrics.clone(), Instant::now());
        let missed = self.ask_what_was_missed(user, since).await;
        if since.is_some() {
            let outcome = match &missed {
                Ok(Missed { recovered: true, .. }) => Outcome::Recovered,
                Ok(_) => Outcome::NotRecovered,
                Err(_) => Outcome::Refused,
            };
            metrics.catch_up(outcome, start.elapsed());
        }
        missed
    }

    /// Asks the store what a user missed; of another life of the store that can't be told.
    async fn ask_what_was_missed(self, user: UserId, since: Option<FeedId>) -> Result<Missed, Close> {
        let store = &self.shared.store;
        let epoch = store.epoch();
        let known = since.filter(|since| since.epoch == epoch).map(|since| since.ts);
        let mut held = None;
        if known.is_some() {
            let bytes = u32::try_from(CATCH_UP_MAX_BYTES).expect("a few MiB");
            let turn = self.shared.catch_up_bytes.clone().acquire_many_owned(bytes);
            let turn = timeout(CATCH_UP_TURN_MAX, turn).await.map_err(|_| Close::Overloaded)?;
            held = Some(turn.expect("the semaphore is never closed"));
        }
        let catch_up = store.catch_up(user, known).await.map_err(|error| no_feed(&error))?;
        let recovered = since.is_none() || (known.is_some() && catch_up.events.is_some());
        let bytes = catch_up.events.iter().flatten().map(Event::weight).sum();
        // Holds only what it takes.
        held = held.and_then(|mut held| held.split(bytes));
        Ok(Missed { catch_up, recovered, held })
    }
}

/// What the store could not say ends the feed.
fn no_feed(error: &StoreError) -> Close {
    if !matches!(error, StoreError::Busy { .. }) {
        tracing::error!(%error, "a feed could not catch up");
    }
    Close::Overloaded
}

impl Telling {
    /// A message was unsent after the store was asked: its text is not told any more. That it was unsent comes later.
    fn take_back(&mut self, unsent: &Arc<Message>) {
        let stale = |message: &Message| {
            message.chat == unsent.chat && message.seq == unsent.seq && !message.is_unsent()
        };
        self.events.retain_mut(|event| match event {
            Event::Message(message) if stale(message) => {
                *message = unsent.clone();
                true
            }
            Event::Revised { message, .. } => !stale(message),
            _ => true,
        });
    }
}

impl Feed {
    /// How long it may last; `None` in an open server.
    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        self.session.lease()
    }

    /// Counts it as one of a face, until it is dropped.
    #[must_use]
    pub(crate) fn counted_as(self, face: Face) -> Self {
        Self { counted: Some(self.service.metrics().session(face)), ..self }
    }

    /// Says, for those who count, why it ends; the first reason stays.
    pub(crate) fn ended(&mut self, why: Ended) {
        if let Some(counted) = &mut self.counted {
            counted.end(why);
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// Why the session ends; there is nothing more then.
    pub async fn next(&mut self) -> Result<Arc<Outgoing>, Close> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Feed::next`].
    ///
    /// # Errors
    /// As [`Feed::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Outgoing>, Close>> {
        loop {
            match &mut self.stage {
                Stage::Asking(asking) => {
                    if let Poll::Ready(why) = self.session.poll_closed(cx) {
                        return Poll::Ready(Err(why));
                    }
                    let missed = ready!(asking.as_mut().poll(cx))?;
                    self.stage = Stage::Telling(self.begin_to_tell(missed)?);
                }
                Stage::Telling(_) => {
                    if let Poll::Ready(why) = self.session.poll_closed(cx) {
                        return Poll::Ready(Err(why));
                    }
                    if let Some(told) = self.tell_missed()? {
                        return Poll::Ready(Ok(Arc::new(told)));
                    }
                    self.stage = Stage::Live;
                }
                Stage::Live => match ready!(self.session.poll_next(cx)) {
                    Given::Event(event) => match event.ts() {
                        Some(ts) if ts <= self.told => {}
                        ts => {
                            self.told = ts.unwrap_or(self.told);
                            return Poll::Ready(Ok(event));
                        }
                    },
                    Given::Resync => self.stage = self.ask_again(),
                    Given::Closed(why) => return Poll::Ready(Err(why)),
                },
            }
        }
    }

    /// The next of what was missed, `ready` after it, once, and how those stand who are watched; then nothing.
    fn tell_missed(&mut self) -> Result<Option<Outgoing>, Close> {
        let epoch = self.epoch();
        let Stage::Telling(telling) = &mut self.stage else { return Ok(None) };
        self.session.unsent().iter().for_each(|unsent| telling.take_back(unsent));
        loop {
            if let Some(event) = telling.events.pop_front() {
                let in_time = Instant::now() <= telling.until;
                return if in_time { Ok(Some(Outgoing::of(&event, epoch))) } else { Err(Close::FellBehind) };
            }
            if std::mem::replace(&mut telling.told, true) {
                return Ok(None);
            }
            self.told = telling.upto;
            // How those whom it watches stand lives only for the moment: it comes after `ready`, and again where some of
            // it may have been lost.
            telling.events = self.session.watched().into_iter().map(Event::Presence).collect();
            if !std::mem::replace(&mut self.ready, true) {
                return Ok(Some(Outgoing::ready(FeedId { epoch, ts: telling.upto }, telling.recovered)));
            }
        }
    }

    /// Once `ready` was told, what can't be told any more closes the session: the client comes back, and hears it then.
    fn begin_to_tell(&self, missed: Missed) -> Result<Box<Telling>, Close> {
        let Missed { catch_up, recovered, held } = missed;
        if self.ready && !recovered {
            return Err(Close::FellBehind);
        }
        Ok(Box::new(Telling {
            events: catch_up.events.unwrap_or_default().into(),
            upto: catch_up.upto,
            recovered,
            told: false,
            until: Instant::now() + CATCH_UP_MAX_TIME,
            _held: held,
        }))
    }

    /// Reads on from the store where the client stands.
    fn ask_again(&self) -> Stage {
        self.session.catch_up();
        let since = FeedId { epoch: self.epoch(), ts: self.told };
        let (service, user) = (self.service.clone(), self.session.user().clone());
        Stage::Asking(Box::pin(service.missed(user, Some(since))))
    }

    fn epoch(&self) -> Epoch {
        self.service.shared.store.epoch()
    }
}
