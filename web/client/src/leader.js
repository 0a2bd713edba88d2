/**
 * One tab holds the stream of all tabs of a user.
 *
 * A browser opens at most six connections of HTTP/1.1 to a host, and a stream keeps one. So where no WebSocket goes through,
 * one tab, which has the lock, holds the stream, and tells the others when something has happened. Each then asks for what
 * is new to it: so every tab resumes exactly from its own place, whichever tab leads.
 *
 * @module
 */

import { pollEvents } from './poll.js';

/** @import { FeedEvent } from './types.js' */
/** @import { Feed } from './subscription.js' */

/** How long a tab waits at most before it asks by itself. */
const QUIET_MS = 30_000;

/**
 * @param {Feed} feed
 * @param {AbortSignal} signal
 * @param {(feed: Feed, signal: AbortSignal) => AsyncGenerator<FeedEvent, void>} stream What the leader reads.
 * @returns {AsyncGenerator<FeedEvent, void>}
 */
export async function* sharedEvents(feed, signal, stream) {
    const name = `chinwag-feed ${feed.http.base} ${feed.user}`;
    const channel = new BroadcastChannel(name);
    const lead = new Lead(/** @type {LockManager} */ (feed.locks), name);
    const live = new Live(feed, channel, lead.gained, signal);
    // Whoever closes a subscription may never read on.
    const stop = () => {
        lead.release();
        channel.close();
    };
    signal.addEventListener('abort', stop);
    try {
        yield* pollEvents(feed, signal, () => live.wait());
        signal.throwIfAborted();
        for await (const event of stream(feed, signal)) {
            if (signal.aborted) return;
            if (event.type === 'typing' || event.type === 'block') channel.postMessage(event);
            else if (event.type !== 'presence') channel.postMessage('ask');
            yield event;
        }
    } finally {
        signal.removeEventListener('abort', stop);
        stop();
    }
}

/** The lock of the tab that leads. */
class Lead {
    release = () => {};

    /**
     * @param {LockManager} locks
     * @param {string} name
     */
    constructor(locks, name) {
        const wanted = new AbortController();
        /** @type {Promise<void>} */
        this.gained = new Promise((gained) => {
            const held = new Promise((release) => {
                this.release = () => {
                    wanted.abort();
                    release(undefined);
                };
            });
            const request = locks.request(name, { signal: wanted.signal }, () => {
                gained();
                return held;
            });
            // It is released before it was had.
            Promise.resolve(request).catch(() => gained());
        });
    }
}

/** What the leader says. */
class Live {
    #isNew = false;
    /** @type {FeedEvent[]} */
    #typing = [];
    #wake = () => {};

    /**
     * @param {Feed} feed
     * @param {BroadcastChannel} channel
     * @param {Promise<void>} gained
     * @param {AbortSignal} signal
     */
    constructor(feed, channel, gained, signal) {
        this.feed = feed;
        this.signal = signal;
        this.isOver = false;
        gained.then(() => {
            this.isOver = true;
            this.#wake();
        });
        channel.onmessage = ({ data }) => {
            if (data === 'ask') this.#isNew = true;
            else this.#typing.push(data);
            this.#wake();
        };
    }

    /**
     * Until there is something to do: what the leader heard live, and whether to ask for what is new. Nothing once this tab
     * leads.
     *
     * @returns {Promise<{ live: FeedEvent[], ask: boolean } | undefined>}
     */
    async wait() {
        if (!this.#isNew && this.#typing.length === 0 && !this.isOver) {
            const quiet = new AbortController();
            this.#wake = () => quiet.abort();
            this.signal.addEventListener('abort', this.#wake);
            await this.feed.http.world.sleep(QUIET_MS, quiet.signal);
            this.signal.removeEventListener('abort', this.#wake);
            this.#isNew ||= !quiet.signal.aborted;
        }
        if (this.isOver || this.signal.aborted) return undefined;
        const told = { live: this.#typing, ask: this.#isNew };
        this.#typing = [];
        this.#isNew = false;
        return told;
    }
}
