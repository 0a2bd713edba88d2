//! Every verb of the HTTP face.

use super::operations::{
    BLANK, BODY, CHAT, KEEPS, Kind, LIMIT, Operation, Reply, SINCE, USER, WATCH, parameter,
};
use crate::ProblemCode as Code;

/// All of them, in the order of docs/API.md.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/send",
        id: "send",
        summary: "Send a message",
        description: "Durable before its reply. With a key the first send stores; a repeat within 24 hours stores nothing, and is answered with that message as it stands.",
        headers: &[parameter(
            "Idempotency-Key",
            false,
            Kind::Of("Key"),
            "The key, bare or quoted; where the body has one too, the same.",
        )],
        body: Some("Send"),
        reply: Reply::Sent,
        codes: &[
            Code::Blocked,
            Code::TextTooLong,
            Code::DataTooLong,
            Code::KeyReused,
            Code::OutcomeUnknown,
            Code::StorageFull,
        ],
        ..BLANK
    },
    Operation {
        path: "/api/pull",
        method: "get",
        id: "pull",
        summary: "Read a page of a chat",
        description: "A cursor is a place between messages: place n lies just after message n. Forward from it come n+1, n+2, …; with `reverse` n, n-1, …. A chat without a message has an empty page.",
        query: &[
            CHAT,
            LIMIT,
            parameter(
                "cursor",
                false,
                Kind::Natural,
                "The place after which the page begins; 0 and none are the natural start.",
            ),
            parameter("reverse", false, Kind::Flag, "From the place towards the first message."),
        ],
        reply: Reply::Json("Page", "The page."),
        codes: BODY,
        ..BLANK
    },
    Operation {
        path: "/api/pull",
        id: "pullByBody",
        summary: "Read a page of a chat",
        description: "The same as `GET`, with the request as a body.",
        body: Some("Pull"),
        reply: Reply::Json("Page", "The page."),
        codes: &[Code::BodyAndQuery],
        ..BLANK
    },
    Operation {
        path: "/api/edit",
        id: "edit",
        summary: "Replace a message's text",
        description: "By its sender, within a time after the send. Again: 200, unchanged.",
        body: Some("Edit"),
        reply: Reply::Json("Message", "The message as it stands."),
        codes: &[
            Code::Blocked,
            Code::TextTooLong,
            Code::NotTheSender,
            Code::NoSuchMessage,
            Code::Unsent,
            Code::TooLate,
            Code::OutcomeUnknown,
            Code::StorageFull,
        ],
        ..BLANK
    },
    Operation {
        path: "/api/unsend",
        id: "unsend",
        summary: "Take a message back",
        description: "By its sender, within a time after the send, or with a key of scope admin. From the reply on its text is in no reply and no event. Again: 200, unchanged.",
        body: Some("Unsend"),
        reply: Reply::Json("Message", "The message as it stands."),
        codes: &[
            Code::NotTheSender,
            Code::NoSuchMessage,
            Code::TooLate,
            Code::OutcomeUnknown,
            Code::StorageFull,
        ],
        ..BLANK
    },
    Operation {
        path: "/api/react",
        id: "react",
        summary: "Put a reaction to a message, or take it away",
        description: "Again: 200, unchanged.",
        body: Some("React"),
        reply: Reply::Json("Message", "The message as it stands."),
        codes: &[
            Code::Blocked,
            Code::NoSuchMessage,
            Code::Unsent,
            Code::TooManyReactions,
            Code::OutcomeUnknown,
            Code::StorageFull,
        ],
        ..BLANK
    },
    Operation {
        path: "/api/chats",
        method: "get",
        id: "chats",
        tag: "inbox",
        summary: "Read a page of an inbox",
        description: "The chats that hold a message, the one with the latest first. The cursor is the last entry's `last_message.ts`.",
        query: &[
            USER,
            LIMIT,
            parameter(
                "cursor",
                false,
                Kind::Natural,
                "The `ts` that all last messages of the page are older than; 0 and none are the newest.",
            ),
            parameter("chat", false, Kind::Of("Chat"), "This chat alone."),
        ],
        reply: Reply::Json("Inbox", "The page."),
        ..BLANK
    },
    Operation {
        path: "/api/read",
        id: "read",
        tag: "inbox",
        summary: "Say how far a user has read",
        description: "A marker never moves back, and past the last message it is clamped. Read raises delivered.",
        body: Some("Mark"),
        reply: Reply::Json("Marked", "The marker as it stands."),
        codes: KEEPS,
        ..BLANK
    },
    Operation {
        path: "/api/delivered",
        id: "delivered",
        tag: "inbox",
        summary: "Say how far messages have reached a user",
        description: "A marker never moves back, and past the last message it is clamped.",
        body: Some("Mark"),
        reply: Reply::Json("Marked", "The marker as it stands."),
        codes: KEEPS,
        ..BLANK
    },
    Operation {
        path: "/api/typing",
        id: "typing",
        tag: "live",
        summary: "Tell the peer that a user writes",
        description: "Told to the sessions that are open now, and stored nowhere. Show it for 5 s.",
        body: Some("Typing"),
        reply: Reply::Nothing("It was told."),
        ..BLANK
    },
    Operation {
        path: "/api/presence",
        method: "get",
        id: "presence",
        tag: "live",
        summary: "Ask who is online",
        description: "A user is online while any session is open, and a moment longer.",
        query: &[parameter("user", true, Kind::Many("User"), "Who; repeated, at most 100.")],
        reply: Reply::Json("Presence", "How each stands."),
        ..BLANK
    },
    Operation {
        path: "/api/events",
        method: "get",
        id: "events",
        tag: "live",
        summary: "Follow a user's feed as Server-Sent Events",
        description: "What was missed since the last id, then `ready`, then what happens, as it happens.",
        query: &[USER, SINCE, WATCH],
        headers: &[parameter("Last-Event-ID", false, Kind::Opaque, "As `since`, and wins over it.")],
        reply: Reply::Events,
        ..BLANK
    },
    Operation {
        path: "/api/poll",
        method: "get",
        id: "poll",
        tag: "live",
        summary: "Follow a user's feed by long poll",
        description: "Answers at once with what was missed, else with the first that happens in time. Without `since` it says where the feed stands.",
        query: &[
            USER,
            SINCE,
            parameter(
                "timeout",
                false,
                Kind::Count,
                "Seconds to wait at most: 25 unless said; more than 60 is 60.",
            ),
        ],
        reply: Reply::Json("Poll", "What happened."),
        codes: &[Code::Replaced, Code::SessionEnded],
        ..BLANK
    },
    Operation {
        path: "/api/ws",
        method: "get",
        id: "websocket",
        tag: "live",
        summary: "Follow a user's feed, and ask every verb, on a WebSocket",
        description: "Events come down; every verb goes up as `{\"id\":1,\"op\":\"send\",…}` and is answered by `{\"reply\":1,\"status\":200,\"body\":…}`. Who may not have it gets a WebSocket that is closed with 4401 or 4403.",
        query: &[
            USER,
            SINCE,
            WATCH,
            parameter(
                "ticket",
                false,
                Kind::Opaque,
                "What `POST /api/ticket` gave, where no header can be set.",
            ),
        ],
        reply: Reply::Switch,
        codes: &[Code::UpgradeRequired],
        ..BLANK
    },
    Operation {
        path: "/api/block",
        id: "block",
        tag: "blocks",
        summary: "Block a user",
        description: "From the reply on nothing that the peer sends, edits or reacts with reaches the user, and neither hears of the other's typing, presence and markers. Asked again it changes nothing.",
        body: Some("Block"),
        reply: Reply::Json("Blocked", "How it stands."),
        codes: &[Code::TooManyBlocks, Code::OutcomeUnknown, Code::StorageFull],
        ..BLANK
    },
    Operation {
        path: "/api/unblock",
        id: "unblock",
        tag: "blocks",
        summary: "Block a user no longer",
        body: Some("Block"),
        reply: Reply::Json("Blocked", "How it stands."),
        codes: KEEPS,
        ..BLANK
    },
    Operation {
        path: "/api/blocks",
        method: "get",
        id: "blocks",
        tag: "blocks",
        summary: "Whom a user blocks, in the order of their names",
        query: &[
            USER,
            LIMIT,
            parameter("cursor", false, Kind::Of("User"), "The last name of the page before."),
        ],
        reply: Reply::Json("Blocks", "One page."),
        ..BLANK
    },
    Operation {
        path: "/api/erase",
        id: "erase",
        tag: "identity",
        summary: "Erase a user",
        description: "For a key of scope `admin`. A request makes at most 1,000 changes: ask again until `done`.",
        body: Some("Erase"),
        reply: Reply::Json("Erased", "What it changed, or would."),
        codes: KEEPS,
        ..BLANK
    },
    Operation {
        path: "/api/sessions/end",
        id: "endSessions",
        tag: "identity",
        summary: "End all sessions of a user",
        description: "For a key of scope `admin`. They are closed with 4403, on each face.",
        body: Some("EndSessions"),
        reply: Reply::Json("Ended", "How many there were."),
        ..BLANK
    },
    Operation {
        path: "/api/ticket",
        id: "ticket",
        tag: "identity",
        summary: "Get a ticket for a WebSocket",
        description: "For a browser, which sets no header on a WebSocket. It works once, within 30 s.",
        reply: Reply::Json("Ticket", "The ticket."),
        codes: BODY,
        ..BLANK
    },
    Operation {
        path: "/about",
        method: "get",
        id: "about",
        tag: "server",
        summary: "What the server asks of whoever comes, and its bounds",
        description: "For a client that has no token yet.",
        reply: Reply::Json("About", "Those."),
        ..BLANK
    },
    Operation {
        path: "/ping",
        method: "get",
        id: "ping",
        tag: "server",
        summary: "Say pong",
        reply: Reply::Json("Pong", "Pong."),
        ..BLANK
    },
    Operation {
        path: "/healthz",
        method: "get",
        id: "healthz",
        tag: "server",
        summary: "Whether the process lives",
        reply: Reply::Json("Status", "It does."),
        ..BLANK
    },
    Operation {
        path: "/readyz",
        method: "get",
        id: "readyz",
        tag: "server",
        summary: "Whether sends are taken",
        description: "503 with the reason while they are not.",
        reply: Reply::Json("Status", "They are."),
        ..BLANK
    },
    Operation {
        path: "/openapi.json",
        method: "get",
        id: "openapi",
        tag: "server",
        summary: "This document",
        reply: Reply::Document,
        ..BLANK
    },
];
