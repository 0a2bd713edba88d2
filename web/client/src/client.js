/**
 * The verbs of the server.
 *
 * @module
 */

import { ChinwagError } from './errors.js';
import { Http, query } from './http.js';
import { RETRY, WORLD } from './retry.js';
import { Subscription } from './subscription.js';
import { Credentials } from './token.js';

/** @import { TokenSource } from './token.js' */
/** @import { Retry, Surroundings } from './retry.js' */
/** @import { SubscribeOptions } from './subscription.js' */
/** @import { About, Block, Blocks, Inbox, InboxEntry, Marker, Message, Page, Presence } from './types.js' */

/**
 * @typedef {object} ClientOptions
 * @property {string | URL} url Where the server is, such as `https://chat.example.org`; a path is kept.
 * @property {string} user Who speaks.
 * @property {string | TokenSource} [token] A token, or what gives one and, asked with `renew`, another.
 * @property {Partial<Retry>} [retry]
 * @property {typeof fetch} [fetch]
 * @property {unknown} [WebSocket] The class; `null` for none. Node 20 has none of its own: give it that of the package `ws`.
 * @property {LockManager | null} [locks] What tabs find their leader by; `null` for a stream of one's own.
 * @property {Partial<Surroundings>} [world] Clock and chance.
 */

/** One user's view of a server. */
export class Client {
    /** @type {Http} */
    #http;
    /** @type {unknown} */
    #WebSocket;
    /** @type {LockManager | undefined} */
    #locks;

    /** @param {ClientOptions} options */
    constructor(options) {
        const base = String(new URL(options.url)).replace(/[?#].*$/, '').replace(/\/+$/, '');
        const ask = options.fetch ?? ((input, init) => fetch(input, init));
        const retry = { ...RETRY, ...options.retry };
        this.#http = new Http(base, ask, new Credentials(options.token), retry, { ...WORLD, ...options.world });
        this.#WebSocket = options.WebSocket === undefined ? globalThis.WebSocket : options.WebSocket;
        this.#locks = (options.locks === undefined ? globalThis.navigator?.locks : options.locks) ?? undefined;
        /** @readonly */
        this.user = options.user;
    }

    /** Where the server is, without a slash at the end. */
    get url() {
        return this.#http.base;
    }

    /** The clock and the chance that it goes by. */
    get world() {
        return this.#http.world;
    }

    /** How it tries again. */
    get retry() {
        return this.#http.retry;
    }

    /** The locks that tabs share, where there are any. */
    get locks() {
        return this.#locks;
    }

    /**
     * Takes another token of the same user; feeds that are open live on with it.
     *
     * @param {string} token
     */
    setToken(token) {
        this.#http.credentials.set(token);
    }

    /**
     * What the server tells of itself: whether it asks for tokens, and its bounds. Needs no token.
     *
     * @param {AbortSignal} [signal]
     * @returns {Promise<About>}
     */
    about(signal) {
        return this.#get('/about', {}, signal, true);
    }

    /**
     * Sends a message, once, however often it has to be tried: every send has a key.
     *
     * @param {string} chat
     * @param {string} text
     * @param {{ key?: string, data?: object, signal?: AbortSignal }} [options] `key`: one's own, of a send that may be repeated later.
     * @returns {Promise<{ message: Message, replayed: boolean }>} `replayed`: it had been stored before.
     */
    async send(chat, text, { key = newKey(), data, signal } = {}) {
        const body = { chat, text, sender: this.user, key, data };
        const answer = await this.#http.json({ method: 'POST', path: '/api/send', body, signal });
        return { message: answer.body, replayed: answer.headers.get('idempotent-replayed') === 'true' };
    }

    /**
     * A page of a chat. `cursor` is a place between messages: just after that `seq`; absent or 0, the natural start.
     *
     * @param {string} chat
     * @param {{ cursor?: number, limit?: number, reverse?: boolean, signal?: AbortSignal }} [options]
     * @returns {Promise<Page>}
     */
    pull(chat, { cursor, limit, reverse, signal } = {}) {
        return this.#get('/api/pull', { chat, cursor, limit, reverse }, signal);
    }

    /**
     * The messages of a chat, page by page: forward from the place `cursor` (absent: the beginning), or with `reverse`
     * backward from it (absent: the end).
     *
     * @param {string} chat
     * @param {{ cursor?: number, limit?: number, reverse?: boolean, signal?: AbortSignal }} [options]
     * @returns {AsyncGenerator<Message, void>}
     */
    async *messages(chat, { cursor, limit = 100, reverse, signal } = {}) {
        for (let at = cursor; ; ) {
            const page = await this.pull(chat, { cursor: at, limit, reverse, signal });
            yield* page.messages;
            if (!page.has_more) return;
            at = page.next_cursor;
        }
    }

    /**
     * A page of the inbox, the chat with the latest message first.
     *
     * @param {{ cursor?: number, limit?: number, signal?: AbortSignal }} [options] `cursor`: the last entry's `last_message.ts`.
     * @returns {Promise<Inbox>}
     */
    inbox({ cursor, limit, signal } = {}) {
        return this.#get('/api/chats', { user: this.user, cursor, limit }, signal);
    }

    /**
     * All chats of the inbox, page by page.
     *
     * @param {{ limit?: number, signal?: AbortSignal }} [options]
     * @returns {AsyncGenerator<InboxEntry, void>}
     */
    async *chats({ limit = 100, signal } = {}) {
        for (let cursor; ; ) {
            /** @type {Inbox} */
            const page = await this.inbox({ cursor, limit, signal });
            yield* page.chats;
            if (!page.has_more) return;
            cursor = page.next_cursor;
        }
    }

    /**
     * One chat of the inbox; `undefined` where it has no message.
     *
     * @param {string} chat
     * @param {AbortSignal} [signal]
     * @returns {Promise<InboxEntry | undefined>}
     */
    async chat(chat, signal) {
        /** @type {Inbox} */
        const inbox = await this.#get('/api/chats', { user: this.user, chat }, signal);
        return inbox.chats[0];
    }

    /**
     * Says how far this user has read.
     *
     * @param {string} chat
     * @param {number} seq
     * @returns {Promise<Marker>}
     */
    read(chat, seq) {
        return this.#post('/api/read', { chat, user: this.user, seq });
    }

    /**
     * Says how far messages have reached this user.
     *
     * @param {string} chat
     * @param {number} seq
     * @returns {Promise<Marker>}
     */
    delivered(chat, seq) {
        return this.#post('/api/delivered', { chat, user: this.user, seq });
    }

    /**
     * @param {string} chat
     * @param {number} seq
     * @param {string} text
     * @returns {Promise<Message>} As it stands.
     */
    edit(chat, seq, text) {
        return this.#post('/api/edit', { chat, seq, sender: this.user, text });
    }

    /**
     * Takes a message back.
     *
     * @param {string} chat
     * @param {number} seq
     * @returns {Promise<Message>} As it stands.
     */
    unsend(chat, seq) {
        return this.#post('/api/unsend', { chat, seq, sender: this.user });
    }

    /**
     * @param {string} chat
     * @param {number} seq
     * @param {string} emoji
     * @param {{ remove?: boolean }} [options]
     * @returns {Promise<Message>} As it stands.
     */
    react(chat, seq, emoji, { remove } = {}) {
        return this.#post('/api/react', { chat, seq, user: this.user, emoji, remove });
    }

    /**
     * Tells the peer that this user writes; again every few seconds while that goes on. Never tried again: it would come late.
     *
     * @param {string} chat
     * @returns {Promise<void>}
     */
    async typing(chat) {
        const body = { chat, user: this.user };
        await this.#http.json({ method: 'POST', path: '/api/typing', body, once: true });
    }

    /**
     * @param {readonly string[]} users At most 100.
     * @param {AbortSignal} [signal]
     * @returns {Promise<Record<string, Presence>>}
     */
    async presence(users, signal) {
        return (await this.#get('/api/presence', { user: users }, signal)).users;
    }

    /**
     * Takes nothing from a user any more.
     *
     * @param {string} peer
     * @returns {Promise<Block>}
     */
    block(peer) {
        return this.#post('/api/block', { user: this.user, peer });
    }

    /**
     * @param {string} peer
     * @returns {Promise<Block>}
     */
    unblock(peer) {
        return this.#post('/api/unblock', { user: this.user, peer });
    }

    /**
     * A page of whom this user blocks, in order of their names' bytes; `cursor` is the last name of the page before.
     *
     * @param {{ cursor?: string, limit?: number, signal?: AbortSignal }} [options]
     * @returns {Promise<Blocks>}
     */
    blocks({ cursor, limit, signal } = {}) {
        return this.#get('/api/blocks', { user: this.user, cursor, limit }, signal);
    }

    /**
     * All whom this user blocks, page by page.
     *
     * @param {{ limit?: number, signal?: AbortSignal }} [options]
     * @returns {AsyncGenerator<Blocks['blocks'][number], void>}
     */
    async *blocked({ limit = 100, signal } = {}) {
        for (let cursor; ; ) {
            /** @type {Blocks} */
            const page = await this.blocks({ cursor, limit, signal });
            yield* page.blocks;
            if (!page.has_more) return;
            cursor = page.next_cursor;
        }
    }

    /**
     * What happens to this user's chats, as it happens.
     *
     * @param {SubscribeOptions} [options]
     */
    subscribe(options) {
        const feed = { http: this.#http, user: this.user, WebSocket: this.#WebSocket, locks: this.#locks };
        return new Subscription(feed, options);
    }

    /**
     * @param {string} path
     * @param {Parameters<typeof query>[0]} fields
     * @param {AbortSignal} [signal]
     * @param {boolean} [anonymous]
     */
    async #get(path, fields, signal, anonymous) {
        const search = Object.keys(fields).length > 0 ? query(fields) : '';
        return (await this.#http.json({ method: 'GET', path: path + search, signal, anonymous })).body;
    }

    /**
     * @param {string} path
     * @param {object} body
     */
    async #post(path, body) {
        return (await this.#http.json({ method: 'POST', path, body })).body;
    }
}

/** A key for a send: 128 bits of chance. */
export function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The canonical spelling of the chat of two users: in order of their bytes.
 *
 * @param {string} a
 * @param {string} b
 */
export function chatOf(a, b) {
    const [x, y] = [a, b].map((user) => new TextEncoder().encode(user));
    const at = x.findIndex((byte, index) => byte !== y[index]);
    return at === -1 || x[at] < y[at] ? `${a}:${b}` : `${b}:${a}`;
}

/**
 * The other user of a chat.
 *
 * @param {string} chat
 * @param {string} user
 */
export function peerOf(chat, user) {
    const [a, b] = chat.split(':');
    if (a !== user && b !== user) throw new ChinwagError(`${user} is not in ${chat}`, { code: 'not_a_member' });
    return a === user ? b : a;
}
