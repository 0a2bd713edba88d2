/**
 * A user's feed that outlives its connections.
 *
 * It comes back after every loss with the id of the last thing that it told, and tells nothing twice. Where no WebSocket goes
 * through though the server answers, it reads Server-Sent Events; where something holds those back, it polls; and now and
 * then it tries the better way again.
 *
 * @module
 */

import { ChinwagError, asChinwagError } from './errors.js';
import { sharedEvents } from './leader.js';
import { pollEvents } from './poll.js';
import { waitMs } from './retry.js';
import { Seen } from './seen.js';
import { socketEvents } from './socket.js';
import { streamEvents } from './stream.js';

/** @import { Http } from './http.js' */
/** @import { Face, FeedEvent, Update } from './types.js' */

/**
 * What a face needs to know.
 *
 * @typedef {object} Feed
 * @property {Http} http
 * @property {string} user
 * @property {string | undefined} since The id of what was told last.
 * @property {readonly string[]} watch
 * @property {string | undefined} token The one that it was opened with.
 * @property {unknown} WebSocket
 * @property {LockManager | undefined} locks
 * @property {(() => void) | undefined} probe Asks the server whether it is there, while a WebSocket is open.
 */

/**
 * @typedef {object} SubscribeOptions
 * @property {string} [since] Begins after this id; without it, with what is live.
 * @property {readonly string[]} [watch] Tells the presence of these users too, at most 100.
 * @property {readonly Face[]} [faces] The ways that are tried, the best first.
 * @property {AbortSignal} [signal] Ends it.
 */

/** How long a feed stays on a lesser face before it tries the best again. */
const LESSER_MS = 300_000;
/** How often a WebSocket must fail to open before a lesser face is taken. */
const SOCKET_TRIES = 2;
/** Codes after which the feed goes on at once: the consumer had fallen behind, and has caught up. */
const FELL_BEHIND = 4408;
/** A WebSocket's refusal, and a newer session in the place of this: nobody comes back from these alone. */
const FINAL = new Set([4403, 4409]);

/** Iterate over it once: `for await (const update of subscription)`. */
export class Subscription {
    #end = new AbortController();
    /** Ends what is open now; the loop goes on. */
    #turn = new AbortController();
    #wake = () => {};
    /** @type {Face[]} */
    #faces;
    /** The place in `#faces`. */
    #face = 0;
    /** In a row, of the face that is tried. */
    #faceFailures = 0;
    /** Connections in a row that never were ready. */
    #failures = 0;
    #renewed = false;
    #seen = new Seen();
    /** @type {Feed} */
    #feed;

    /**
     * @param {Pick<Feed, 'http' | 'user' | 'WebSocket' | 'locks'>} feed
     * @param {SubscribeOptions} [options]
     */
    constructor(feed, options = {}) {
        const faces = options.faces ?? ['websocket', 'sse', 'poll'];
        this.#faces = faces.filter((face) => face !== 'websocket' || feed.WebSocket);
        if (this.#faces.length === 0) throw new TypeError('faces: none that this program can use');
        const { since, watch = [] } = options;
        this.#feed = { ...feed, since, watch: [...watch], token: undefined, probe: undefined };
        options.signal?.addEventListener('abort', () => this.close());
        if (options.signal?.aborted) this.close();
    }

    /** The id of what was told last, to come back with. */
    get since() {
        return this.#feed.since;
    }

    /** Ends it. */
    close() {
        this.#end.abort();
        this.#turn.abort();
        this.#wake();
    }

    /** Tries at once to come back, or finds out at once whether the connection still lives. */
    wake() {
        this.#wake();
        this.#feed.probe?.();
    }

    /**
     * Tells the presence of these users from now on, at most 100; the connection is opened anew.
     *
     * @param {readonly string[]} users
     */
    watch(users) {
        const { watch } = this.#feed;
        if (users.length === watch.length && users.every((user) => watch.includes(user))) return;
        this.#feed.watch = [...users];
        this.#turn.abort();
    }

    /** @returns {AsyncGenerator<Update, void>} */
    async *[Symbol.asyncIterator]() {
        const forget = this.#listen();
        try {
            while (!this.#end.signal.aborted) {
                const turn = this.#open();
                try {
                    yield* turn.updates();
                } catch (thrown) {
                    if (this.#end.signal.aborted) return;
                    if (this.#turn.signal.aborted) continue;
                    const update = await this.#lost(asChinwagError(thrown), turn);
                    if (!update) continue;
                    yield update;
                    await this.#rest(update.waitMs);
                }
            }
        } finally {
            forget();
            this.close();
        }
    }

    /** The system knows of networks that come and go. */
    #listen() {
        const { addEventListener, removeEventListener } = globalThis;
        if (typeof addEventListener !== 'function') return () => {};
        const wake = () => this.wake();
        const names = ['online', 'offline'];
        for (const name of names) addEventListener.call(globalThis, name, wake);
        return () => {
            for (const name of names) removeEventListener.call(globalThis, name, wake);
        };
    }

    #open() {
        const { world } = this.#feed.http;
        // What still waits on the last one.
        this.#turn.abort();
        this.#turn = new AbortController();
        if (this.#end.signal.aborted) this.#turn.abort();
        const { signal } = this.#turn;
        const face = this.#faces[this.#face];
        const turn = { ready: false, began: world.now(), updates: () => this.#updates(face, turn, signal) };
        if (this.#face > 0) {
            world.sleep(LESSER_MS, signal).then(() => {
                if (signal.aborted) return;
                this.#face = 0;
                this.#faceFailures = SOCKET_TRIES - 1;
                this.#turn.abort();
            });
        }
        return turn;
    }

    /**
     * @param {Face} face
     * @param {{ ready: boolean }} turn
     * @param {AbortSignal} signal
     * @returns {AsyncGenerator<Update, void>}
     */
    async *#updates(face, turn, signal) {
        for await (const event of this.#events(face, signal)) {
            if ('id' in event && event.id) this.#feed.since = event.id;
            if (event.type === 'ready') {
                turn.ready = true;
                this.#failures = 0;
                this.#faceFailures = 0;
                this.#renewed = false;
                yield { ...event, face };
            } else if (this.#seen.isNew(event)) {
                yield event;
            }
            if (signal.aborted) break;
        }
        throw new ChinwagError('the feed ended', { code: 'network' });
    }

    /**
     * @param {Face} face
     * @param {AbortSignal} signal
     * @returns {AsyncGenerator<FeedEvent, void>}
     */
    #events(face, signal) {
        const feed = this.#feed;
        if (face === 'websocket') return socketEvents(feed, signal);
        /** @type {(feed: Feed, signal: AbortSignal) => AsyncGenerator<FeedEvent, void>} */
        const stream = face === 'sse' ? streamEvents : pollEvents;
        if (feed.locks && typeof BroadcastChannel === 'function') return sharedEvents(feed, signal, stream);
        return stream(feed, signal);
    }

    /**
     * What comes of a failure: another connection after a while, nothing to tell, or the end.
     *
     * @param {ChinwagError} error
     * @param {{ ready: boolean, began: number }} turn
     * @returns {Promise<Extract<Update, { type: 'disconnected' }> | undefined>}
     */
    async #lost(error, turn) {
        const { http } = this.#feed;
        if (error.isUnidentified) {
            if (this.#renewed && !turn.ready) throw error;
            this.#renewed = true;
            try {
                if (await http.credentials.renew(this.#feed.token)) return undefined;
            } catch (thrown) {
                this.#renewed = false;
                error = asChinwagError(thrown);
            }
        }
        if (isFinal(error)) throw error;
        if (error.code === 'no_face' || error.code === 'bad_reply') this.#nextFace();
        else if (turn.ready && http.world.now() - turn.began > LESSER_MS) this.#face = 0;
        this.#failures++;
        const wait = waitMs(http.retry, this.#failures, error.retryAfterMs, http.world.random());
        const isCaughtUp = error.closeCode === FELL_BEHIND && turn.ready;
        return { type: 'disconnected', error, waitMs: isCaughtUp ? 0 : wait };
    }

    #nextFace() {
        this.#faceFailures++;
        const tries = this.#faces[this.#face] === 'websocket' ? SOCKET_TRIES : 1;
        if (this.#faceFailures < tries) return;
        this.#face = (this.#face + 1) % this.#faces.length;
        this.#faceFailures = 0;
    }

    /** @param {number} ms */
    async #rest(ms) {
        const rest = new AbortController();
        this.#wake = () => rest.abort();
        if (this.#end.signal.aborted) return;
        await this.#feed.http.world.sleep(ms, rest.signal);
        this.#wake = () => {};
    }
}

/** @param {ChinwagError} error */
function isFinal(error) {
    if (error.closeCode !== undefined) return error.closeCode === 4401 || FINAL.has(error.closeCode);
    if (error.code === 'bad_reply') return false;
    return error.status >= 400 && error.status < 500 && !error.isPassing;
}
