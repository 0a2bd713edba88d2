use crate::{
    auth::AuthRequest,
    block::{BlockRequest, BlocksRequest, EndSessionsRequest},
    encode::write_number,
    erase::EraseRequest,
    fields::{Fields, missing},
    inbox::InboxRequest,
    mark::{MarkRequest, TypingRequest},
    presence::PresenceRequest,
    pull::PullRequest,
    revise::{EditRequest, ReactRequest, UnsendRequest},
    send::SendRequest,
};
use chinwag_model::{Invalid, limits::INTEGER_MAX};

/// A request in a frame of a WebSocket: a verb and the number that its reply carries.
#[derive(Debug, Clone)]
pub struct UpFrame<'a> {
    /// The client's own number of the request, 0 to [`INTEGER_MAX`].
    pub id: u64,
    /// What it asks for.
    pub op: Op<'a>,
}

/// A verb with its request, whose shape is right and whose values are not yet looked at.
#[derive(Debug, Clone)]
pub enum Op<'a> {
    /// `send`
    Send(SendRequest<'a>),
    /// `pull`
    Pull(PullRequest<'a>),
    /// `chats`
    Chats(InboxRequest<'a>),
    /// `read`
    Read(MarkRequest<'a>),
    /// `delivered`
    Delivered(MarkRequest<'a>),
    /// `edit`
    Edit(EditRequest<'a>),
    /// `unsend`
    Unsend(UnsendRequest<'a>),
    /// `react`
    React(ReactRequest<'a>),
    /// `typing`
    Typing(TypingRequest<'a>),
    /// `presence`
    Presence(PresenceRequest),
    /// `block`
    Block(BlockRequest<'a>),
    /// `unblock`
    Unblock(BlockRequest<'a>),
    /// `blocks`
    Blocks(BlocksRequest<'a>),
    /// `end_sessions`
    EndSessions(EndSessionsRequest<'a>),
    /// `erase`
    Erase(EraseRequest<'a>),
    /// `auth`
    Auth(AuthRequest<'a>),
}

/// Why a frame is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFrame {
    /// The number that the answer carries, where it could be read.
    pub id: Option<u64>,
    /// What is wrong.
    pub invalid: Invalid,
}

impl<'a> UpFrame<'a> {
    /// Reads a frame. The fields of the verb stand beside `id` and `op`.
    ///
    /// # Errors
    /// [`BadFrame`] that names the field, or `body`.
    pub fn parse(frame: &'a [u8]) -> Result<Self, BadFrame> {
        let unnumbered = |invalid| BadFrame { id: None, invalid };
        let fields = Fields::read(frame, ["id", "op"]).map_err(unnumbered)?;
        let id = frame_id(&fields).map_err(unnumbered)?;
        let op = fields.required_string("op").and_then(|op| Op::parse(&op, frame));
        op.map(|op| Self { id, op }).map_err(|invalid| BadFrame { id: Some(id), invalid })
    }
}

fn frame_id(fields: &Fields<'_, 2>) -> Result<u64, Invalid> {
    let id = fields.natural("id")?.ok_or_else(|| missing("id"))?;
    if id > INTEGER_MAX {
        return Err(Invalid::new("id", "an id is a whole number from 0 to 2^53 - 1"));
    }
    Ok(id)
}

impl<'a> Op<'a> {
    fn parse(op: &str, frame: &'a [u8]) -> Result<Self, Invalid> {
        Ok(match op {
            "send" => Self::Send(SendRequest::parse(frame)?),
            "pull" => Self::Pull(PullRequest::parse_json(frame)?),
            "chats" => Self::Chats(InboxRequest::parse_json(frame)?),
            "read" => Self::Read(MarkRequest::parse_json(frame)?),
            "delivered" => Self::Delivered(MarkRequest::parse_json(frame)?),
            "edit" => Self::Edit(EditRequest::parse_json(frame)?),
            "unsend" => Self::Unsend(UnsendRequest::parse_json(frame)?),
            "react" => Self::React(ReactRequest::parse_json(frame)?),
            "typing" => Self::Typing(TypingRequest::parse_json(frame)?),
            "presence" => Self::Presence(PresenceRequest::parse_json(frame)?),
            "block" => Self::Block(BlockRequest::parse_json(frame)?),
            "unblock" => Self::Unblock(BlockRequest::parse_json(frame)?),
            "blocks" => Self::Blocks(BlocksRequest::parse_json(frame)?),
            "end_sessions" => Self::EndSessions(EndSessionsRequest::parse_json(frame)?),
            "erase" => Self::Erase(EraseRequest::parse_json(frame)?),
            "auth" => Self::Auth(AuthRequest::parse_json(frame)?),
            _ => {
                return Err(Invalid::new(
                    "op",
                    "op must be send, pull, chats, read, delivered, edit, unsend, react, typing, presence, block, unblock, blocks, \
                     end_sessions, erase or auth",
                ));
            }
        })
    }
}

/// The frame that answers a request. `id` is the request's, `None` for a frame that could not be read; `body` is JSON;
/// `replayed` says that an earlier send with the same key had stored the message.
pub fn encode_reply(id: Option<u64>, status: u16, body: Option<&[u8]>, replayed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.map_or(0, <[u8]>::len) + 80);
    out.extend_from_slice(br#"{"reply":"#);
    match id {
        Some(id) => write_number(&mut out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","status":"#);
    write_number(&mut out, status.into());
    if replayed {
        out.extend_from_slice(br#","replayed":true"#);
    }
    if let Some(body) = body {
        out.extend_from_slice(br#","body":"#);
        out.extend_from_slice(body);
    }
    out.push(b'}');
    out
}
