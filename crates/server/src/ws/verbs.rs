use super::inbound::Message;
use crate::{
    http::{Refusal, limits, why_panicked},
    hub::{Close, Identity, Lease},
    identity::Door,
    metrics::{Face, Verb},
    rates::{Class, Rates},
    request::Request,
    service::Service,
    trace::Served,
};
use bytes::Bytes;
use chinwag_model::{Caller, MarkerKind, Revise, Spelling};
use chinwag_wire::{
    BlockRequest, MarkRequest, Op, ProblemCode, UpFrame, encode_auth, encode_blocked, encode_blocks,
    encode_ended, encode_erased, encode_inbox, encode_marked, encode_message, encode_page, encode_presence,
    encode_reply,
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

/// What answers the requests of a WebSocket.
#[derive(Clone)]
pub(crate) struct Verbs {
    pub(crate) service: Service,
    /// Who a new token belongs to.
    pub(crate) door: Door,
    /// Whose requests they are, and until when; `None` in an open server.
    pub(crate) lease: Option<Arc<Lease>>,
    /// Longest text of a message, in bytes.
    pub(crate) text_max_bytes: usize,
    /// How long after it was stored a message may be edited or unsent by its sender.
    pub(crate) revise_window: Duration,
    /// How often the caller may ask.
    pub(crate) rates: Arc<Rates>,
}

/// What a request came to.
struct Done {
    status: u16,
    body: Option<Vec<u8>>,
    replayed: bool,
}

/// The frame of a reply, and what it says.
struct Replied {
    frame: Bytes,
    status: u16,
    code: Option<ProblemCode>,
}

impl Done {
    fn ok(body: Vec<u8>) -> Self {
        Self { status: 200, body: Some(body), replayed: false }
    }
}

impl Verbs {
    /// Answers one request with one frame. Neither a refusal nor a panic is an error of this function.
    pub(super) async fn answer(self, message: Message) -> Bytes {
        match self.service.tracer().zip(Request::current()) {
            Some((tracer, session)) => tracer.part_of(session).scope(self.answer_part(message)).await,
            None => self.answer_part(message).await,
        }
    }

    async fn answer_part(&self, message: Message) -> Bytes {
        let start = Instant::now();
        let (verb, reply) = match UpFrame::parse(&message.bytes) {
            Ok(frame) => (Verb::of_op(&frame.op), self.serve(frame).await),
            Err(bad) => (Verb::Other, self.refused(bad.id, bad.invalid.into())),
        };
        let (face, took) = (Face::WebSocket, start.elapsed());
        self.service.metrics().served(face, verb, took);
        if let (Some(tracer), Some(request)) = (self.service.tracer(), Request::current()) {
            let Replied { status, code, .. } = reply;
            tracer.served(&request, Served { face, verb, status, code }, took);
        }
        reply.frame
    }

    async fn serve(&self, frame: UpFrame<'_>) -> Replied {
        let (id, changes) = (frame.id, changes(&frame.op));
        match AssertUnwindSafe(self.perform(frame.op)).catch_unwind().await {
            Ok(Ok(done)) => {
                let frame = encode_reply(Some(id), done.status, done.body.as_deref(), done.replayed);
                Replied { frame: frame.into(), status: done.status, code: None }
            }
            Ok(Err(refusal)) => self.refused(Some(id), refusal),
            Err(panic) => {
                tracing::error!(why = why_panicked(&*panic), "a request of a WebSocket panicked");
                self.refused(Some(id), Refusal::after_panic(changes))
            }
        }
    }

    fn refused(&self, id: Option<u64>, refusal: Refusal) -> Replied {
        let code = refusal.code();
        self.service.metrics().error(code);
        let (status, problem) = refusal.into_problem();
        let frame = encode_reply(id, status, Some(&problem), false);
        Replied { frame: frame.into(), status, code: Some(code) }
    }

    async fn perform(&self, op: Op<'_>) -> Result<Done, Refusal> {
        let caller = self.caller()?;
        if let Some(class) = Class::of(Verb::of_op(&op)) {
            limits::check(self.rates.take(caller, class, self.service.steady()))?;
        }
        Ok(match op {
            Op::Send(request) => {
                let (draft, spelling) = request.into_draft(None, self.text_max_bytes)?;
                let appended = self.service.send(caller, draft).await?;
                let body = encode_message(&appended.message, spelling);
                Done { replayed: appended.replayed, ..Done::ok(body) }
            }
            Op::Pull(request) => {
                let (query, spelling) = request.into_query()?;
                Done::ok(encode_page(&self.service.pull(caller, query).await?, spelling))
            }
            Op::Chats(request) => {
                let page = self.service.inbox(caller, request.into_query()?).await?;
                Done::ok(encode_inbox(&page))
            }
            Op::Read(request) => self.mark(caller, request, MarkerKind::Read).await?,
            Op::Delivered(request) => self.mark(caller, request, MarkerKind::Delivered).await?,
            Op::Edit(request) => {
                let revise = request.into_revise(self.text_max_bytes, self.revise_window)?;
                self.revise(caller, revise).await?
            }
            Op::Unsend(request) => self.revise(caller, request.into_revise(self.revise_window)?).await?,
            Op::React(request) => self.revise(caller, request.into_revise()?).await?,
            Op::Typing(request) => {
                let (chat, by) = request.into_typing()?;
                self.service.typing(caller, chat, by).await?;
                Done { status: 204, body: None, replayed: false }
            }
            Op::Presence(request) => {
                Done::ok(encode_presence(&self.service.presence(caller, &request.users).await?))
            }
            Op::Block(request) => self.block(caller, request, true).await?,
            Op::Unblock(request) => self.block(caller, request, false).await?,
            Op::Blocks(request) => {
                Done::ok(encode_blocks(&self.service.blocks(caller, request.into_query()?).await?))
            }
            Op::EndSessions(request) => {
                Done::ok(encode_ended(self.service.end_sessions(caller, &request.into_user()?)?))
            }
            Op::Erase(request) => {
                let (user, only_count) = request.into_user()?;
                Done::ok(encode_erased(&user, &self.service.erase(caller, &user, only_count).await?))
            }
            Op::Auth(request) => self.renew(caller, &request.token).await?,
        })
    }

    async fn revise(&self, caller: &Caller, (revise, spelling): (Revise, Spelling)) -> Result<Done, Refusal> {
        Ok(Done::ok(encode_message(&*self.service.revise(caller, revise).await?, spelling)))
    }

    async fn block(&self, caller: &Caller, request: BlockRequest<'_>, on: bool) -> Result<Done, Refusal> {
        Ok(Done::ok(encode_blocked(&self.service.block(caller, request.into_block(on)?).await?)))
    }

    /// On whose behalf the next request is, unless the session is over and only its end not yet told.
    fn caller(&self) -> Result<&Caller, Refusal> {
        match &self.lease {
            None => Ok(&Caller::Anyone),
            Some(lease) if lease.is_live(self.service.now()) => Ok(lease.caller()),
            Some(_) => Err(Close::Expired.into()),
        }
    }

    /// Lets the session last until the end of a new token of the same caller.
    async fn renew(&self, caller: &Caller, token: &str) -> Result<Done, Refusal> {
        let Some(lease) = &self.lease else { return Ok(Done::ok(encode_auth(None))) };
        let Identity { caller: new, until } = self.door.identify(Some(token)).await?;
        if new != *caller {
            return Err(Refusal::new(
                ProblemCode::NotAllowed,
                "the token is another caller's than the session's",
            ));
        }
        if lease.renew(until) { Ok(Done::ok(encode_auth(until))) } else { Err(Close::Expired.into()) }
    }

    async fn mark(
        &self,
        caller: &Caller,
        request: MarkRequest<'_>,
        kind: MarkerKind,
    ) -> Result<Done, Refusal> {
        let (mark, spelling) = request.into_mark(kind)?;
        Ok(Done::ok(encode_marked(&self.service.mark(caller, mark).await?, spelling)))
    }
}

/// Whether a request may have changed what is stored.
fn changes(op: &Op<'_>) -> bool {
    matches!(
        op,
        Op::Send(_)
            | Op::Read(_)
            | Op::Delivered(_)
            | Op::Edit(_)
            | Op::Unsend(_)
            | Op::React(_)
            | Op::Block(_)
            | Op::Unblock(_)
            | Op::Erase(_)
    )
}
