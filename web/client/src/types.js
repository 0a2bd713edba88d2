/**
 * What goes over the wire, in the words of docs/API.md.
 *
 * @module
 */

/**
 * A message as it stands.
 *
 * @typedef {object} Message
 * @property {string} chat
 * @property {string} text Empty where it was unsent.
 * @property {string} sender
 * @property {number} send_time Seconds since the Unix epoch.
 * @property {number} seq Its number in the chat: 1, 2, 3, … without a gap.
 * @property {number} ts Microseconds since the Unix epoch.
 * @property {string} [key] The sender's own id of the send.
 * @property {Record<string, unknown>} [data]
 * @property {number} [edited_ts]
 * @property {boolean} [unsent]
 * @property {Record<string, string[]>} [reactions] By emoji, who.
 */

/**
 * @typedef {object} Page
 * @property {Message[]} messages
 * @property {boolean} [has_more]
 * @property {number} [next_cursor]
 */

/**
 * A chat in an inbox.
 *
 * @typedef {object} InboxEntry
 * @property {string} chat
 * @property {string} peer
 * @property {Message} last_message
 * @property {number} unread
 * @property {number} first_seq
 * @property {Record<string, number>} read By user: the last `seq` that was read.
 * @property {Record<string, number>} delivered By user.
 */

/**
 * @typedef {object} Inbox
 * @property {InboxEntry[]} chats
 * @property {number} unread_total
 * @property {boolean} [has_more]
 * @property {number} [next_cursor]
 */

/**
 * @typedef {object} Marker
 * @property {string} chat
 * @property {string} user
 * @property {number} [read]
 * @property {number} [delivered]
 * @property {number} ts
 */

/**
 * @typedef {object} Presence
 * @property {boolean} online
 * @property {number} [last_seen] Microseconds since the Unix epoch.
 */

/**
 * Whether a user blocks a peer.
 *
 * @typedef {object} Block
 * @property {string} user
 * @property {string} peer
 * @property {boolean} blocked
 * @property {number} [ts] Since when.
 */

/**
 * @typedef {object} Blocks
 * @property {{ peer: string, ts: number }[]} blocks
 * @property {boolean} [has_more]
 * @property {string} [next_cursor]
 */

/**
 * What a server tells of itself to whoever asks.
 *
 * @typedef {object} About
 * @property {'open' | 'token'} auth
 * @property {number} text_max_bytes
 * @property {number} revise_window_s
 */

/**
 * A refusal (RFC 9457).
 *
 * @typedef {object} Problem
 * @property {string} type
 * @property {string} title
 * @property {number} status
 * @property {string} detail
 * @property {string} code
 * @property {string} [field]
 */

/** @typedef {{ type: 'message' | 'edit' | 'unsend' | 'reaction', id: string, message: Message }} MessageEvent */
/** @typedef {{ type: 'read' | 'delivered', id: string, chat: string, user: string, seq: number, ts: number }} MarkerEvent */
/** @typedef {{ type: 'typing', chat: string, user: string }} TypingEvent */
/** @typedef {{ type: 'presence', user: string, online: boolean, last_seen?: number }} PresenceEvent */
/** @typedef {{ type: 'block', user: string, peer: string, blocked: boolean, ts?: number }} BlockEvent */
/** @typedef {{ type: 'ready', id: string, recovered: boolean }} ReadyEvent */

/**
 * What the server tells in a feed.
 *
 * @typedef {MessageEvent | MarkerEvent | TypingEvent | PresenceEvent | BlockEvent | ReadyEvent} FeedEvent
 */

/**
 * The way in which a feed comes.
 *
 * @typedef {'websocket' | 'sse' | 'poll'} Face
 */

/**
 * What a subscription tells: the feed's events, `ready` with the way on which it came, and when the connection is lost.
 * After a `ready` with `recovered: false` load the inbox and what you show again: what was missed can't be told.
 *
 * @typedef {MessageEvent | MarkerEvent | TypingEvent | PresenceEvent | BlockEvent
 *     | (ReadyEvent & { face: Face })
 *     | { type: 'disconnected', error: import('./errors.js').ChinwagError, waitMs: number }} Update
 */

export {};
