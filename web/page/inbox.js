/** The chats of a user as they stand: what the server told, brought up to date by the feed. Shows nothing. */

import { peerOf } from '../client/src/index.js';

const PAGE = 100;
/** Chats that are loaded at most for a search. */
const LOADED_MAX = 10_000;

export class Inbox {
    /** By canonical chat. */
    entries = new Map();
    isLoaded = false;
    hasMore = false;
    #cursor;
    #loading;
    #fresh = new Map();

    /**
     * @param {import('../client/src/index.js').Client} client
     * @param {() => void} onChange
     */
    constructor(client, onChange) {
        this.client = client;
        this.me = client.user;
        this.onChange = onChange;
    }

    /** The chats, the one with the latest message first. */
    sorted() {
        return [...this.entries.values()].sort((a, b) => b.last_message.ts - a.last_message.ts);
    }

    get unread() {
        return this.#sum + this.#beyond;
    }

    get #sum() {
        let sum = 0;
        for (const { unread } of this.entries.values()) sum += unread;
        return sum;
    }

    /** Unread messages of the chats that are not loaded. */
    #beyond = 0;

    /** From the beginning: what is kept is what the server tells now. */
    async load() {
        const page = await this.client.inbox({ limit: PAGE });
        this.entries.clear();
        this.isLoaded = true;
        this.#add(page);
        this.onChange();
    }

    /** The next page. */
    more() {
        if (!this.hasMore) return undefined;
        this.#loading ??= this.client
            .inbox({ limit: PAGE, cursor: this.#cursor })
            .then((page) => {
                this.#add(page);
                this.onChange();
            })
            .finally(() => {
                this.#loading = undefined;
            });
        return this.#loading;
    }

    /** All of them, for a search. */
    async all() {
        while (this.hasMore && this.entries.size < LOADED_MAX) await this.more();
    }

    #add(page) {
        for (const entry of page.chats) if (!this.entries.has(entry.chat)) this.entries.set(entry.chat, entry);
        this.hasMore = page.has_more === true;
        this.#cursor = page.next_cursor;
        this.#beyond = this.hasMore ? Math.max(0, page.unread_total - this.#sum) : 0;
    }

    /** A new message; whether it is the peer's and unread. */
    async take(message) {
        const entry = this.entries.get(message.chat);
        if (!entry) {
            await this.refresh(message.chat);
            this.#found(message);
            return message.sender !== this.me && !message.unsent;
        }
        if (message.seq <= entry.last_message.seq) return false;
        entry.last_message = message;
        const isUnread = message.sender !== this.me && !message.unsent && message.seq > (entry.read[this.me] ?? 0);
        if (isUnread) entry.unread++;
        this.onChange();
        return isUnread;
    }

    /** A chat of which a message told was beyond what is loaded, and what was unread of it before. */
    #found({ chat, seq }) {
        const entry = this.entries.get(chat);
        if (entry) this.#beyond = Math.max(0, this.#beyond - Math.max(0, entry.unread - (entry.last_message.seq - seq + 1)));
    }

    /** A message that is other than it was. */
    revise(message) {
        const entry = this.entries.get(message.chat);
        if (!entry) return;
        if (message.seq === entry.last_message.seq) entry.last_message = message;
        if (message.unsent && message.seq > (entry.read[this.me] ?? 0)) this.refresh(message.chat);
        this.onChange();
    }

    mark({ type, chat, user, seq }) {
        const entry = this.entries.get(chat);
        if (!entry) return;
        const raise = (marks) => {
            marks[user] = Math.max(marks[user] ?? 0, seq);
        };
        raise(entry.delivered);
        if (type === 'read') raise(entry.read);
        if (type === 'read' && user === this.me) {
            if (seq >= entry.last_message.seq) entry.unread = 0;
            else this.refresh(chat);
        }
        this.onChange();
    }

    /** What the server says of one chat; one question at a time, and once more if it was asked for meanwhile. */
    refresh(chat) {
        const running = this.#fresh.get(chat);
        if (running) {
            running.again = true;
            return running.done;
        }
        const state = { again: false, done: undefined };
        const ask = async () => {
            do {
                state.again = false;
                const entry = await this.client.chat(chat).catch(() => undefined);
                const known = this.entries.get(chat);
                // An answer may be older than what the feed has told since.
                const isOld = entry && known && entry.last_message.seq < known.last_message.seq;
                if (entry && !isOld) this.entries.set(chat, keepMarks(known, entry));
                state.again ||= Boolean(isOld);
            } while (state.again);
            this.#fresh.delete(chat);
            this.onChange();
        };
        this.#fresh.set(chat, state);
        state.done = ask();
        return state.done;
    }

    /** The loaded chats whose peer's name holds a text. */
    search(text) {
        const wanted = fold(text);
        return this.sorted().filter(({ peer }) => fold(peer).includes(wanted));
    }

    peer(chat) {
        return peerOf(chat, this.me);
    }
}

/** An answer whose markers are no further back than what the feed has told since it was asked for. */
function keepMarks(known, entry) {
    for (const marks of known ? ['read', 'delivered'] : []) {
        for (const [user, seq] of Object.entries(known[marks])) entry[marks][user] = Math.max(entry[marks][user] ?? 0, seq);
    }
    return entry;
}

const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
