/**
 * Messages that are sent once each, however often the program is started anew in between.
 *
 * An entry is kept before it is first tried, and until the server has said that it is stored or will not be. The messages of
 * a chat go one after the other. The server knows a key for 24 hours; so what was first tried longer ago than 23 is looked up
 * in the history before it is sent again.
 *
 * @module
 */

import { newKey } from './client.js';
import { ChinwagError, asChinwagError } from './errors.js';
import { MemoryStore } from './outbox_store.js';
import { waitMs } from './retry.js';

/** @import { Client } from './client.js' */
/** @import { OutboxEntry, OutboxStore } from './outbox_store.js' */
/** @import { Message } from './types.js' */

/**
 * What happened to an entry: `sending`, a try begins; `waiting`, it came to nothing and is tried again; `failed`, the server
 * will not have it; `sent`, with the message as stored; `removed`, nobody sends it any more.
 *
 * @typedef {object} OutboxChange
 * @property {'added' | 'sending' | 'waiting' | 'failed' | 'sent' | 'removed'} type
 * @property {OutboxEntry} entry
 * @property {Message} [message]
 * @property {ChinwagError} [error] In the tab where it happened.
 */

/**
 * @typedef {object} OutboxOptions
 * @property {OutboxStore} [store] Where entries are kept; without it, in memory.
 * @property {(change: OutboxChange) => void} [onChange]
 */

/** Most entries that wait. */
const ENTRIES_MAX = 1_000;
/** How long after its first try the server surely knows a key. */
const KEY_KNOWN_MS = 23 * 3600 * 1000;
/** How far this clock and the server's may be apart where the history is searched. */
const CLOCKS_APART_MS = 24 * 3600 * 1000;
const LONGEST_WAIT_MS = 30_000;

/** What one user has yet to send. */
export class Outbox {
    #client;
    /** @type {OutboxStore} */
    #store;
    /** @type {(change: OutboxChange) => void} */
    #onChange;
    /** @type {Map<string, OutboxEntry>} */
    #entries = new Map();
    /** Chats whose entries are being sent. @type {Set<string>} */
    #busy = new Set();
    /** Ends the waits between tries. */
    #again = new AbortController();
    #end = new AbortController();
    /** @type {BroadcastChannel | undefined} */
    #tabs;
    #latestMs = 0;

    /**
     * @param {Client} client
     * @param {OutboxOptions} [options]
     */
    constructor(client, { store = new MemoryStore(), onChange = () => {} } = {}) {
        this.#client = client;
        this.#store = store;
        this.#onChange = onChange;
        if (client.locks && typeof BroadcastChannel === 'function') {
            this.#tabs = new BroadcastChannel(this.#name('outbox'));
            this.#tabs.onmessage = ({ data }) => this.#hear(data);
            // In Node it would keep the program from ending.
            /** @type {{ unref?: () => void }} */ (this.#tabs).unref?.();
        }
    }

    /** Takes up what an earlier run has left, and sends it. */
    async start() {
        for (const entry of await this.#store.all()) this.#entries.set(entry.key, entry);
        this.flush();
    }

    /** Ends all tries; what is not sent stays kept. */
    stop() {
        this.#end.abort();
        this.#again.abort();
        this.#tabs?.close();
    }

    /**
     * What is not sent yet, the oldest first.
     *
     * @param {string} [chat] Of this chat alone.
     */
    entries(chat) {
        const all = [...this.#entries.values()].filter((entry) => chat === undefined || entry.chat === chat);
        return all.sort((a, b) => a.addedMs - b.addedMs);
    }

    /**
     * Keeps a message and sends it as soon as that can be. Fulfilled once it is kept.
     *
     * @param {string} chat
     * @param {string} text
     * @param {{ data?: object }} [options]
     */
    async add(chat, text, { data } = {}) {
        if (this.#entries.size >= ENTRIES_MAX) {
            throw new ChinwagError('too many messages wait to be sent', { code: 'outbox_full' });
        }
        this.#latestMs = Math.max(this.#client.world.now(), this.#latestMs + 1);
        /** @type {OutboxEntry} */
        const entry = { key: newKey(), chat, text, ...(data && { data }), addedMs: this.#latestMs };
        this.#entries.set(entry.key, entry);
        this.#tell({ type: 'added', entry });
        try {
            await this.#store.put(entry);
        } catch (error) {
            this.#remove(entry);
            throw error;
        }
        this.#run(chat);
        return entry;
    }

    /** Tries all that waits, now. */
    flush() {
        this.#again.abort();
        this.#again = new AbortController();
        for (const { chat } of this.entries()) this.#run(chat);
    }

    /**
     * Tries again what the server would not have.
     *
     * @param {string} key
     */
    async retry(key) {
        const entry = this.#entries.get(key);
        if (!entry) return;
        delete entry.error;
        await this.#store.put(entry);
        this.#tell({ type: 'waiting', entry });
        this.flush();
    }

    /**
     * Gives an entry up. Where it had been tried it may have been stored nevertheless.
     *
     * @param {string} key
     */
    async discard(key) {
        const entry = this.#entries.get(key);
        await this.#store.delete(key);
        if (entry) this.#remove(entry);
    }

    /** @param {string} chat */
    async #run(chat) {
        if (this.#busy.has(chat)) return;
        this.#busy.add(chat);
        try {
            let tries = 0;
            for (;;) {
                const next = this.entries(chat).find((entry) => !entry.error);
                if (!next || this.#end.signal.aborted) return;
                const error = await this.#locked(chat, () => this.#send(next));
                tries = error ? tries + 1 : 0;
                if (error) await this.#wait(tries, error);
            }
        } finally {
            this.#busy.delete(chat);
        }
    }

    /**
     * @param {number} tries
     * @param {ChinwagError} error
     */
    async #wait(tries, error) {
        const { retry, world } = this.#client;
        const patient = { ...retry, firstWaitMs: Math.max(retry.firstWaitMs, 500), longestWaitMs: LONGEST_WAIT_MS };
        await world.sleep(waitMs(patient, tries, error.retryAfterMs, world.random()), this.#again.signal);
    }

    /**
     * Tries one entry. An error is one after which it should be tried again.
     *
     * @param {OutboxEntry} known
     * @returns {Promise<ChinwagError | undefined>}
     */
    async #send(known) {
        try {
            // Another tab may have had its turn.
            const entry = (await this.#store.all()).find(({ key }) => key === known.key);
            if (!entry) return this.#remove(known);
            if (entry.error) return this.#keep({ type: 'failed', entry });
            this.#keep({ type: 'sending', entry });
            const message = await this.#deliver(entry);
            await this.#store.delete(entry.key);
            this.#entries.delete(entry.key);
            this.#tell({ type: 'sent', entry, message });
            return undefined;
        } catch (thrown) {
            if (this.#end.signal.aborted) return undefined;
            const entry = this.#entries.get(known.key) ?? known;
            const error = asChinwagError(thrown);
            if (mayPass(error)) {
                this.#keep({ type: 'waiting', entry, error });
                return error;
            }
            entry.error = { code: error.code, message: error.message, status: error.status };
            this.#keep({ type: 'failed', entry, error });
            await this.#store.put(entry).catch(() => {});
            return undefined;
        }
    }

    /**
     * @param {OutboxEntry} entry
     * @returns {Promise<Message>}
     */
    async #deliver(entry) {
        const { signal } = this.#end;
        const now = this.#client.world.now();
        const { triedMs } = entry;
        // After a clock was set back nobody knows how long ago the first try was.
        if (triedMs !== undefined && (now - triedMs > KEY_KNOWN_MS || now < triedMs)) {
            const stored = await this.#find(entry, triedMs);
            if (stored) return stored;
            delete entry.triedMs;
        }
        if (entry.triedMs === undefined) {
            entry.triedMs = now;
            await this.#store.put(entry);
        }
        const { key, data } = entry;
        return (await this.#client.send(entry.chat, entry.text, { key, data, signal })).message;
    }

    /**
     * @param {OutboxEntry} entry
     * @param {number} triedMs
     */
    async #find(entry, triedMs) {
        const pages = this.#client.messages(entry.chat, { reverse: true, limit: 1000, signal: this.#end.signal });
        for await (const message of pages) {
            if (message.key === entry.key && message.sender === this.#client.user) return message;
            if (message.ts / 1000 < triedMs - CLOCKS_APART_MS) return undefined;
        }
        return undefined;
    }

    /**
     * One tab at a time sends to a chat, so that its messages keep their order.
     *
     * @template T
     * @param {string} chat
     * @param {() => Promise<T>} work
     * @returns {Promise<T>}
     */
    async #locked(chat, work) {
        const { locks } = this.#client;
        return locks ? await locks.request(`${this.#name('send')} ${chat}`, work) : await work();
    }

    /** @param {string} what */
    #name(what) {
        return `chinwag-${what} ${this.#client.url} ${this.#client.user}`;
    }

    /**
     * @param {OutboxChange} change
     * @returns {undefined}
     */
    #keep(change) {
        this.#entries.set(change.entry.key, change.entry);
        this.#tell(change);
    }

    /**
     * @param {OutboxEntry} entry
     * @returns {undefined}
     */
    #remove(entry) {
        if (this.#entries.delete(entry.key)) this.#tell({ type: 'removed', entry });
    }

    /** @param {OutboxChange} change */
    #tell(change) {
        const { error: _, ...plain } = change;
        if (!this.#end.signal.aborted) this.#tabs?.postMessage(plain);
        this.#onChange(change);
    }

    /**
     * What happened in another tab, which sends its own; a `flush` here takes over what a closed one has left.
     *
     * @param {OutboxChange} change
     */
    #hear(change) {
        if (change.type === 'sent' || change.type === 'removed') this.#entries.delete(change.entry.key);
        else this.#entries.set(change.entry.key, change.entry);
        this.#onChange(change);
    }
}

/** @param {ChinwagError} error */
function mayPass(error) {
    const fromProxy = error.code === 'bad_reply' && (error.status === 0 || error.status >= 500);
    return error.isPassing || error.isUnidentified || fromProxy;
}
