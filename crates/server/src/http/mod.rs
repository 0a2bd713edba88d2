//! The HTTP face: every route on one screen, thin handlers, and the refusals.
//!
//! A request passes the `gate`, finds its route, has its `body` read and goes to a handler, which calls one function
//! of [`crate::service`]; whatever refuses it on the way is a `reply::Refusal` and leaves as `application/problem+json`.
//!
//! **Architecture invariant:** this room knows nothing of sockets, signals or settings; it answers one request at a time.

mod block;
mod body;
mod content;
mod cors;
mod erase;
mod feed;
mod gate;
mod headers;
mod identify;
mod inbox;
mod lifeline;
pub(crate) mod limits;
mod mark;
mod openapi;
mod page;
mod panic;
mod peer;
mod presence;
mod pull;
mod reply;
mod revise;
mod send;

pub use crate::ws::Session;
pub use content::Content;
pub use lifeline::Lifeline;
pub(crate) use panic::why_panicked;
pub(crate) use reply::Refusal;

use crate::{
    audit::Audit,
    hub::Identity,
    identity::{ApiKeys, Door},
    metrics::{Face, Machine, Metrics, Snapshot, Verb},
    rates::{self, Class, Rates, Standing},
    request::{Ids, Request as Served},
    service::Service,
    trace::{self, Tracer},
    ws,
};
use body::Inbound;
use chinwag_model::{Caller, Erased, KeyId, MarkerKind, Ts, UserId, limits::REPLY_UNCOUNTED_MAX_BYTES};
use chinwag_peer::{Forwarding, Peer};
use chinwag_store::{Store, StoreError};
use chinwag_wire::ProblemCode;
use cors::Cors;
use futures_util::FutureExt;
use gate::Gate;
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    http::request::Parts,
};
use panic::{after_panic, changes};
use reply::ok;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A reply. One with `Connection: close` is a stream, or was given before the request's body was read to its end.
pub type Reply = Response<Content>;

/// How requests are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Longest text of a message, in bytes.
    pub text_max_bytes: usize,
    /// How long after it was stored a message may be edited or unsent by its sender.
    pub revise_window: Duration,
    /// Host names that are ours besides localhost and IP literals; without a port.
    pub allowed_hosts: Vec<String>,
    /// Origins, as a browser names them, whose pages may call besides those of our own hosts, and read what is answered.
    pub allowed_origins: Vec<String>,
    /// Whose word counts about who makes a request.
    pub forwarding: Forwarding,
    /// Bytes of request bodies that may be held at once, over all connections; one more is refused as overloaded. As many
    /// again of replies may wait for the clients of HTTP/2.
    pub bodies_max_bytes: usize,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How often a caller may ask, who says who that is.
    pub rates: rates::Options,
    /// How long a WebSocket may be silent before its client is asked whether it is there; twice as long ends it.
    pub ping_interval: Duration,
    /// How long a stream of events may be silent before it carries a comment.
    pub heartbeat: Duration,
    /// For how long browsers are told to come through TLS only; `None` where it is not spoken, or they are told nothing.
    pub hsts_max_age: Option<Duration>,
    /// Whether `POST /bench/noop` and `GET /bench/echo` exist.
    pub bench_routes: bool,
}

/// The application: what answers requests. Clones share it.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    service: Service,
    door: Door,
    gate: Gate,
    cors: Cors,
    /// One permit a byte of the bodies, and of the messages of a WebSocket, that did not fit in one read.
    body_bytes: Arc<Semaphore>,
    rates: Arc<Rates>,
    /// One permit a byte of the replies that wait for a client of HTTP/2.
    reply_bytes: Arc<Semaphore>,
    /// The header `Strict-Transport-Security`.
    transport_security: Option<HeaderValue>,
    options: Options,
    leaving: AtomicBool,
    ids: Ids,
    audit: OnceLock<Audit>,
}

impl App {
    /// An application that is open to everyone.
    pub fn new(service: Service, options: Options) -> Self {
        Self::guarded(service, Door::OPEN, options)
    }

    /// An application that asks at a door who comes.
    pub fn guarded(service: Service, door: Door, options: Options) -> Self {
        let bytes = || Arc::new(Semaphore::new(options.bodies_max_bytes.min(Semaphore::MAX_PERMITS)));
        let (body_bytes, reply_bytes) = (bytes(), bytes());
        let gate = Gate::new(&options.allowed_hosts);
        let cors = Cors::new(&options.allowed_origins);
        let transport_security = options.hsts_max_age.map(headers::transport_security);
        Self {
            shared: Arc::new(Shared {
                service,
                door,
                gate,
                cors,
                body_bytes,
                rates: Arc::new(Rates::new(options.rates)),
                reply_bytes,
                transport_security,
                options,
                leaving: AtomicBool::new(false),
                ids: Ids::default(),
                audit: OnceLock::new(),
            }),
        }
    }

    /// The store that it stands on.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.shared.service.store()
    }

    /// The API keys; `None` in an open server.
    pub fn api_keys(&self) -> Option<&ApiKeys> {
        self.shared.door.api_keys()
    }

    /// Whether a peer is a proxy whose word counts about who makes its requests.
    pub fn believes(&self, peer: &Peer) -> bool {
        self.shared.options.forwarding.believes(peer)
    }

    /// What the wall clock says.
    pub fn now(&self) -> Ts {
        self.shared.service.now()
    }

    /// Revokes an API key and ends all that was opened with it, at once; whether there was such a key.
    ///
    /// # Errors
    /// Those of [`chinwag_store::KeyStore::revoke_key`]; the key is not taken any more nevertheless.
    pub async fn revoke_key(&self, id: &KeyId) -> Result<bool, StoreError> {
        let Some(keys) = self.shared.door.api_keys() else { return Ok(false) };
        let revoked = keys.revoke(id, self.shared.service.now()).await;
        self.shared.service.end_sessions_of_key(id);
        revoked
    }

    /// Erases a user, or counts what there is of one: see [`Service::erase_for_operator`].
    ///
    /// # Errors
    /// Those of [`Service::erase_for_operator`].
    pub async fn erase(&self, user: &UserId, only_count: bool) -> Result<Erased, StoreError> {
        self.shared.service.erase_for_operator(user, only_count).await
    }

    /// Ends all sessions of a user; how many there were. For the operator, who is asked nothing.
    pub fn end_sessions(&self, user: &UserId) -> usize {
        self.shared.service.end_sessions_of(user)
    }

    /// From now on `/readyz` says that the server is going away, and every feed ends; everything else still works.
    pub fn leave(&self) {
        self.shared.leaving.store(true, Relaxed);
        self.shared.service.leave();
    }

    /// Names the audit log. To be called once, before the first request.
    pub fn audit_to(&self, audit: Audit) {
        self.shared.service.audited_by(Arc::new(audit.clone()));
        let _first_stays = self.shared.audit.set(audit);
    }

    /// Names who traces requests. To be called once, before the first request.
    pub fn trace_to(&self, tracer: Tracer) {
        self.shared.service.traced_by(tracer);
    }

    /// The audit log; `None` where there is none.
    pub fn audit(&self) -> Option<&Audit> {
        self.shared.audit.get()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.shared.service.metrics()
    }

    /// Everything that there is to tell of the server, at this moment.
    pub async fn snapshot(&self) -> Snapshot {
        let vitals = self.store().vitals().await;
        let app = self.clone();
        // Who counts very many sessions or files keeps nobody waiting.
        let look = move || (app.shared.service.census(), Machine::read(), app.ready().is_ok());
        let (census, machine, ready) = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        Snapshot { metrics: self.metrics().clone(), census, vitals, machine, ready }
    }

    /// Answers what a probe asks; `None` at any other path.
    pub(crate) fn probe(&self, path: &str) -> Option<Reply> {
        match path {
            "/healthz" => Some(alive()),
            "/readyz" => Some(self.ready().unwrap_or_else(Refusal::into_reply)),
            _ => None,
        }
    }

    /// The answer to a request that names another host than this server's, or another site's page.
    pub(crate) fn refuse_foreign(&self, head: &Parts) -> Option<Reply> {
        self.shared.gate.check(head, &self.shared.cors).err().map(Refusal::into_reply)
    }

    /// Answers one request, which came by a connection of this peer. Neither a refusal nor a panic of a handler is an error
    /// of this function.
    pub async fn handle(&self, request: Request<Incoming>, lifeline: &Lifeline, connection: Peer) -> Reply {
        let (head, body) = request.into_parts();
        let peer = peer::find(&self.shared.options.forwarding, connection, &head.headers);
        let mut request = self.shared.ids.begin(&head.headers, peer);
        request.span = self.shared.service.tracer().and_then(|tracer| tracer.choose(request.parent));
        let mut reply = request.scope(self.serve(&head, body, lifeline, peer)).await;
        headers::name(&mut reply, request.id);
        reply
    }

    async fn serve(&self, head: &Parts, body: Incoming, lifeline: &Lifeline, peer: Peer) -> Reply {
        tracing::debug!(%peer, method = %head.method, path = head.uri.path(), "a request");
        let mut body = Inbound::new(body);
        lifeline.let_go();
        let start = Instant::now();
        let mut standing = None;
        let answering = self.answer(head, &mut body, lifeline, &mut standing);
        let answered = AssertUnwindSafe(answering).catch_unwind().await;
        let answered = answered.unwrap_or_else(|panic| Err(after_panic(head, &*panic)));
        let mut code = None;
        let mut reply = answered.unwrap_or_else(|refusal| {
            code = Some(refusal.code());
            if refusal.code() == ProblemCode::Overloaded {
                lifeline.turn_away();
            }
            self.metrics().error(refusal.code());
            refusal.into_reply()
        });
        let (face, verb, took) = (Face::Http, verb_of(head), start.elapsed());
        self.metrics().served(face, verb, took);
        if let (Some(tracer), Some(request)) = (self.shared.service.tracer(), Served::current()) {
            let status = reply.status().as_u16();
            tracer.served(&request, trace::Served { face, verb, status, code }, took);
        }
        if !body.is_over(head) {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(standing) = standing {
            limits::tell(&mut reply, &standing);
        }
        headers::secure(&mut reply, self.shared.transport_security.as_ref());
        self.shared.cors.open(head, &mut reply);
        reply
    }

    /// Answers a request that came without TLS to where TLS is spoken; nothing of it is looked at.
    pub fn refuse_plain(&self) -> Reply {
        let why = "this port speaks TLS: the address begins with https:// or wss://";
        let mut reply = Refusal::new(ProblemCode::BadRequest, why).into_reply();
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        headers::secure(&mut reply, None);
        reply
    }

    /// Counts a reply that may have to wait for its client, of which one connection can have many; or refuses as
    /// overloaded in its place, unless the request at that path may have changed something. What is held is to be dropped
    /// once the client has the reply.
    pub fn hold(&self, path: &str, reply: Reply) -> (Reply, Option<OwnedSemaphorePermit>) {
        let length = reply.body().size_hint().exact().and_then(|length| u32::try_from(length).ok());
        let Some(length) =
            length.filter(|length| *length as usize > REPLY_UNCOUNTED_MAX_BYTES && !changes(path))
        else {
            return (reply, None);
        };
        if let Ok(held) = self.shared.reply_bytes.clone().try_acquire_many_owned(length) {
            return (reply, Some(held));
        }
        let refusal = Refusal::new(ProblemCode::Overloaded, "too many large replies wait for their clients");
        self.metrics().error(refusal.code());
        let mut refused = refusal.into_reply();
        // What the reply says of the request, and to browsers, holds.
        for (name, value) in reply.into_parts().0.headers {
            if let Some(name) = name {
                refused.headers_mut().entry(name).or_insert(value);
            }
        }
        (refused, None)
    }

    /// Every route. `standing` is where the caller then stands, who has a bound.
    async fn answer(
        &self,
        head: &Parts,
        body: &mut Inbound,
        lifeline: &Lifeline,
        standing: &mut Option<Standing>,
    ) -> Result<Reply, Refusal> {
        let app = &*self.shared;
        app.gate.check(head, &app.cors)?;
        let path = head.uri.path();
        if app.cors.is_preflight(head) {
            return self.methods(path).map(cors::preflight).ok_or_else(no_such_path);
        }
        if let ("/api/ws", &Method::GET) = (path, &head.method) {
            return feed::websocket(app, head, body).await;
        }
        let verb = Verb::of_path(path);
        // What could not be taken costs as little as can be: not even its caller is looked at.
        if verb.keeps() {
            self.store().admits(!lifeline.is_hasty())?;
        }
        // Whoever is unknown hears so before anything of the request is looked at, such as its body.
        let identity =
            if path.starts_with("/api/") { identify::identify(app, head).await? } else { Identity::ANYONE };
        let caller = &identity.caller;
        *standing = app.take(caller, verb);
        limits::check(*standing)?;
        match (path, &head.method) {
            ("/api/send", &Method::POST) => send::send(app, caller, head, body).await,
            ("/api/pull", &Method::GET | &Method::HEAD | &Method::POST) => {
                pull::pull(app, caller, head, body).await
            }
            ("/api/chats", &Method::GET | &Method::HEAD) => inbox::chats(app, caller, head, body).await,
            ("/api/read", &Method::POST) => mark::mark(app, caller, head, body, MarkerKind::Read).await,
            ("/api/delivered", &Method::POST) => {
                mark::mark(app, caller, head, body, MarkerKind::Delivered).await
            }
            ("/api/edit", &Method::POST) => revise::edit(app, caller, head, body).await,
            ("/api/unsend", &Method::POST) => revise::unsend(app, caller, head, body).await,
            ("/api/react", &Method::POST) => revise::react(app, caller, head, body).await,
            ("/api/typing", &Method::POST) => mark::typing(app, caller, head, body).await,
            ("/api/presence", &Method::GET | &Method::HEAD) => {
                presence::presence(app, caller, head, body).await
            }
            ("/api/block", &Method::POST) => block::block(app, caller, head, body, true).await,
            ("/api/unblock", &Method::POST) => block::block(app, caller, head, body, false).await,
            ("/api/blocks", &Method::GET | &Method::HEAD) => block::blocks(app, caller, head, body).await,
            ("/api/erase", &Method::POST) => erase::erase(app, caller, head, body).await,
            ("/api/sessions/end", &Method::POST) => block::end_sessions(app, caller, head, body).await,
            ("/api/ticket", &Method::POST) => identify::ticket(app, identity, body).await,
            ("/api/events", &Method::GET) => feed::events(app, identity, head, body, lifeline),
            ("/api/poll", &Method::GET) => feed::poll(app, identity, head, body, lifeline).await,
            ("/about", &Method::GET | &Method::HEAD) => Ok(page::about(app.door.is_open(), &app.options)),
            ("/openapi.json", &Method::GET | &Method::HEAD) => Ok(openapi::document()),
            ("/ping", &Method::GET | &Method::HEAD) => Ok(ok(&br#"{"message":"pong"}"#[..])),
            ("/healthz", &Method::GET | &Method::HEAD) => Ok(alive()),
            ("/readyz", &Method::GET | &Method::HEAD) => self.ready(),
            (BENCH_NOOP, &Method::POST) if app.options.bench_routes => send::noop(app, head, body).await,
            (BENCH_ECHO, &Method::GET) if app.options.bench_routes => feed::echo(app, head, body),
            (_, &Method::GET | &Method::HEAD) if page::is_at(path) => {
                page::file(head).ok_or_else(no_such_path)
            }
            (path, _) => Err(self.methods(path).map_or_else(no_such_path, Refusal::method)),
        }
    }

    /// The methods that a path takes; `None` where there is nothing at it.
    fn methods(&self, path: &str) -> Option<&'static str> {
        match path {
            "/api/send" | "/api/read" | "/api/delivered" | "/api/edit" | "/api/unsend" | "/api/react"
            | "/api/typing" | "/api/block" | "/api/unblock" | "/api/sessions/end" | "/api/erase"
            | "/api/ticket" => Some("POST"),
            "/api/pull" => Some("GET, HEAD, POST"),
            "/api/chats" | "/api/presence" | "/api/blocks" | "/about" | "/openapi.json" | "/ping"
            | "/healthz" | "/readyz" => Some("GET, HEAD"),
            "/api/ws" | "/api/events" | "/api/poll" => Some("GET"),
            path if page::is_at(path) => Some("GET, HEAD"),
            BENCH_NOOP if self.shared.options.bench_routes => Some("POST"),
            BENCH_ECHO if self.shared.options.bench_routes => Some("GET"),
            _ => None,
        }
    }

    fn ready(&self) -> Result<Reply, Refusal> {
        if self.shared.leaving.load(Relaxed) {
            return Err(Refusal::new(ProblemCode::Unavailable, "the server is shutting down"));
        }
        self.store().ready().map_err(|error| match error {
            // A send is told 507; whoever asks for readiness knows 503 only.
            StoreError::Full { .. } => Refusal::new(
                ProblemCode::Unavailable,
                "sends are refused: the disk's free space is below the reserve",
            ),
            error => error.into(),
        })?;
        let ready = if self.store().expiry_held() {
            r#"{"status":"ready","detail":"the clock is in doubt: nothing expires until it is confirmed"}"#
        } else {
            r#"{"status":"ready"}"#
        };
        Ok(ok(ready.as_bytes()))
    }
}

impl Shared {
    /// Counts a request; where its caller then stands, if that has a bound.
    fn take(&self, caller: &Caller, verb: Verb) -> Option<Standing> {
        self.rates.take(caller, Class::of(verb)?, self.service.steady())
    }

    fn websockets(&self) -> ws::Options {
        ws::Options {
            message_bytes: self.body_bytes.clone(),
            message_timeout: self.options.body_timeout,
            ping_interval: self.options.ping_interval,
        }
    }
}

/// Does the work of a send but for the store: what a send's speed is compared with.
const BENCH_NOOP: &str = "/bench/noop";
/// A WebSocket that gives every message back: what a conformance suite speaks with.
const BENCH_ECHO: &str = "/bench/echo";

fn alive() -> Reply {
    ok(&br#"{"status":"alive"}"#[..])
}

fn verb_of(head: &Parts) -> Verb {
    if head.method == Method::OPTIONS { Verb::Preflight } else { Verb::of_path(head.uri.path()) }
}

fn no_such_path() -> Refusal {
    Refusal::new(ProblemCode::NoSuchPath, "there is nothing at this path")
}
