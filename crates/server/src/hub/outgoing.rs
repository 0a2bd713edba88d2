use bytes::Bytes;
use chinwag_model::{Chat, Epoch, Event, FeedId, Seq, Ts};
use chinwag_wire::{encode_event, encode_ready, event_name};

/// An event as it goes out, written once for all who hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its type.
    pub name: &'static str,
    /// Its place in the feed; `None` for what lives only for the moment.
    pub id: Option<FeedId>,
    /// Of `ready` alone: whether the client has seen all that there was.
    pub recovered: Option<bool>,
    /// The message that it carries.
    pub about: Option<(Chat, Seq)>,
    /// The whole event, on one line.
    pub json: Bytes,
}

impl Outgoing {
    /// Writes an event.
    pub fn of(event: &Event, epoch: Epoch) -> Self {
        let about = match event {
            Event::Message(message) | Event::Revised { message, .. } => {
                Some((message.chat.clone(), message.seq))
            }
            _ => None,
        };
        Self {
            name: event_name(event),
            id: event.ts().map(|ts| FeedId { epoch, ts }),
            recovered: None,
            about,
            json: encode_event(event, epoch).into(),
        }
    }

    /// Writes `ready`.
    pub(crate) fn ready(id: FeedId, recovered: bool) -> Self {
        Self {
            name: "ready",
            id: Some(id),
            recovered: Some(recovered),
            about: None,
            json: encode_ready(id, recovered).into(),
        }
    }

    /// When it happened, of what is stored.
    pub(crate) fn ts(&self) -> Option<Ts> {
        self.id.map(|id| id.ts)
    }
}
