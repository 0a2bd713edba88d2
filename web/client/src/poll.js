/**
 * A feed by asking again and again: the long poll, and the short one of a tab that another tab tells when to ask.
 *
 * @module
 */

import { query } from './http.js';

/** @import { FeedEvent, Presence } from './types.js' */
/** @import { Feed } from './subscription.js' */

/** How long the server may hold a poll, in seconds. */
const HOLD_S = 25;
/** How often presence is asked for, which no poll tells. */
const PRESENCE_MS = 15_000;

/**
 * @param {Feed} feed
 * @param {AbortSignal} signal
 * @param {() => Promise<{ live: FeedEvent[], ask: boolean } | undefined>} [nudged] Waits until there is something to tell or
 *     to ask for; the end where it says nothing. Without it the server holds each poll until something happens.
 * @returns {AsyncGenerator<FeedEvent, void>}
 */
export async function* pollEvents(feed, signal, nudged) {
    const { http, user } = feed;
    let { since } = feed;
    const presence = new Asked(feed, signal);
    let recovered = true;
    let isReady = false;
    let hold = 0;
    for (;;) {
        feed.token = await http.credentials.current();
        const { body } = await http.json({
            method: 'GET',
            path: `/api/poll${query({ user, since, timeout: hold })}`,
            signal,
            once: true,
            tryMs: hold * 1000 + http.retry.tryMs,
        });
        since = body.since;
        recovered &&= body.recovered;
        yield* body.events;
        if (!body.recovered && isReady) isReady = false;
        if (body.events.length > 0 && !isReady) continue;
        if (!isReady) {
            yield { type: 'ready', id: body.since, recovered };
            isReady = true;
            recovered = true;
        }
        yield* await presence.changes();
        if (body.events.length > 0) continue;
        if (!nudged) hold = feed.watch.length > 0 ? Math.min(HOLD_S, PRESENCE_MS / 1000) : HOLD_S;
        for (let ask = !nudged; nudged && !ask; ) {
            const told = await nudged();
            if (!told) return;
            yield* told.live;
            ask = told.ask;
        }
    }
}

/** The presence of those who are watched, where it does not come by itself. */
class Asked {
    /** @type {Map<string, string>} */
    #known = new Map();
    #next = 0;

    /**
     * @param {Feed} feed
     * @param {AbortSignal} signal
     */
    constructor(feed, signal) {
        this.feed = feed;
        this.signal = signal;
    }

    /** @returns {Promise<FeedEvent[]>} */
    async changes() {
        const { http, watch } = this.feed;
        if (watch.length === 0 || http.world.now() < this.#next) return [];
        this.#next = http.world.now() + PRESENCE_MS;
        const path = `/api/presence${query({ user: watch })}`;
        const { body } = await http.json({ method: 'GET', path, signal: this.signal, once: true });
        /** @type {FeedEvent[]} */
        const changes = [];
        for (const [user, presence] of Object.entries(/** @type {Record<string, Presence>} */ (body.users))) {
            const text = JSON.stringify(presence);
            if (this.#known.get(user) !== text) changes.push({ type: 'presence', user, ...presence });
            this.#known.set(user, text);
        }
        return changes;
    }
}
