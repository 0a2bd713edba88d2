//! The words that labels may be.

use chinwag_wire::Op;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            pub(super) const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

words! {
    /// How the server was asked.
    Face {
        /// A request of HTTP.
        Http = "http",
        /// A WebSocket.
        WebSocket = "websocket",
        /// Server-Sent Events.
        Sse = "sse",
        /// A long poll.
        Poll = "poll",
    }
}

words! {
    /// What was asked for.
    Verb {
        /// Send a message.
        Send = "send",
        /// Pull a page.
        Pull = "pull",
        /// Read the inbox.
        Chats = "chats",
        /// Mark as read.
        Read = "read",
        /// Mark as delivered.
        Delivered = "delivered",
        /// Edit a message.
        Edit = "edit",
        /// Take a message back.
        Unsend = "unsend",
        /// React to a message.
        React = "react",
        /// Tell that one writes.
        Typing = "typing",
        /// Ask who is there.
        Presence = "presence",
        /// Block a user.
        Block = "block",
        /// Block a user no longer.
        Unblock = "unblock",
        /// List whom one blocks.
        Blocks = "blocks",
        /// End a user's sessions.
        EndSessions = "end_sessions",
        /// Erase a user.
        Erase = "erase",
        /// Get a ticket.
        Ticket = "ticket",
        /// Renew a session's token.
        Auth = "auth",
        /// Open a WebSocket.
        WebSocket = "ws",
        /// Open a stream of events.
        Events = "events",
        /// Wait for events.
        Poll = "poll",
        /// Ask whether the server is there and how it does.
        Probe = "probe",
        /// Ask for the description of the API.
        OpenApi = "openapi",
        /// Get the page for people, or what it is made of.
        Page = "page",
        /// Ask, as a browser does, what a page may do.
        Preflight = "preflight",
        /// Measure the server.
        Bench = "bench",
        /// What is none of them.
        Other = "other",
    }
}

words! {
    /// For want of which room a connection was closed.
    NoRoom {
        /// Its peer had as many as it may.
        Peer = "peer",
        /// All were taken, somebody new came, and this one waited for a request for longest.
        Crowded = "crowded",
    }
}

words! {
    /// How a feed that came back fared.
    Outcome {
        /// It was told all that it had missed.
        Recovered = "recovered",
        /// That can't be told.
        NotRecovered = "not_recovered",
        /// It has to come back later.
        Refused = "refused",
    }
}

impl Verb {
    /// The verb at a path.
    pub fn of_path(path: &str) -> Self {
        match path {
            "/api/send" => Self::Send,
            "/api/pull" => Self::Pull,
            "/api/chats" => Self::Chats,
            "/api/read" => Self::Read,
            "/api/delivered" => Self::Delivered,
            "/api/edit" => Self::Edit,
            "/api/unsend" => Self::Unsend,
            "/api/react" => Self::React,
            "/api/typing" => Self::Typing,
            "/api/presence" => Self::Presence,
            "/api/block" => Self::Block,
            "/api/unblock" => Self::Unblock,
            "/api/blocks" => Self::Blocks,
            "/api/sessions/end" => Self::EndSessions,
            "/api/erase" => Self::Erase,
            "/api/ticket" => Self::Ticket,
            "/api/ws" => Self::WebSocket,
            "/api/events" => Self::Events,
            "/api/poll" => Self::Poll,
            "/ping" | "/healthz" | "/readyz" => Self::Probe,
            "/openapi.json" => Self::OpenApi,
            "/" | "/about" => Self::Page,
            path if path.starts_with("/page/") || path.starts_with("/client/") => Self::Page,
            path if path.starts_with("/bench/") => Self::Bench,
            _ => Self::Other,
        }
    }

    /// The verb of a request over a WebSocket.
    pub fn of_op(op: &Op<'_>) -> Self {
        match op {
            Op::Send(_) => Self::Send,
            Op::Pull(_) => Self::Pull,
            Op::Chats(_) => Self::Chats,
            Op::Read(_) => Self::Read,
            Op::Delivered(_) => Self::Delivered,
            Op::Edit(_) => Self::Edit,
            Op::Unsend(_) => Self::Unsend,
            Op::React(_) => Self::React,
            Op::Typing(_) => Self::Typing,
            Op::Presence(_) => Self::Presence,
            Op::Block(_) => Self::Block,
            Op::Unblock(_) => Self::Unblock,
            Op::Blocks(_) => Self::Blocks,
            Op::EndSessions(_) => Self::EndSessions,
            Op::Erase(_) => Self::Erase,
            Op::Auth(_) => Self::Auth,
        }
    }

    /// Whether it has to wait for the disk.
    pub fn keeps(self) -> bool {
        matches!(
            self,
            Self::Send
                | Self::Read
                | Self::Delivered
                | Self::Edit
                | Self::Unsend
                | Self::React
                | Self::Block
                | Self::Unblock
        )
    }

    /// Whether its reply waits for what happens, so that its time says nothing of the server.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::WebSocket | Self::Events | Self::Poll)
    }
}
