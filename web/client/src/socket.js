/**
 * A feed over one WebSocket: from its ticket to its end. Knows no second try.
 *
 * @module
 */

import { ChinwagError } from './errors.js';
import { query } from './http.js';
import { renewInMs } from './token.js';

/** @import { FeedEvent } from './types.js' */
/** @import { Feed } from './subscription.js' */

/** Events that wait for the consumer; one more ends the connection, and the feed resumes once they are taken. */
const WAITING_MAX_EVENTS = 10_000;
/** How long the server may be silent before it is asked whether it is there. */
const SILENCE_MS = 30_000;
/** How long it may take to answer that, and to open the connection. */
const ANSWER_MS = 10_000;

/**
 * @param {Feed} feed
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<FeedEvent, void>}
 */
export async function* socketEvents(feed, signal) {
    const { http } = feed;
    const token = await http.credentials.current();
    feed.token = token;
    /** @type {string | undefined} */
    let ticket;
    if (token !== undefined) {
        const answer = await http.json({ method: 'POST', path: '/api/ticket', body: {}, signal, once: true });
        ticket = answer.body.ticket;
    }
    const { user, since, watch } = feed;
    const address = http.url(`/api/ws${query({ user, since, watch, ticket })}`).replace(/^http/, 'ws');
    const link = new Link(feed, address, token);
    const stop = () => link.end(signal.reason);
    signal.addEventListener('abort', stop);
    feed.probe = () => link.probe();
    try {
        yield* link.events();
    } catch (error) {
        throw link.opened || signal.aborted ? error : await whyUnopened(feed, signal);
    } finally {
        feed.probe = undefined;
        signal.removeEventListener('abort', stop);
        link.end(new ChinwagError('the subscription was closed', { code: 'closed' }));
    }
}

/**
 * A browser does not say why a handshake failed. Where HTTP answers, something on the way lets no WebSocket through.
 *
 * @param {Feed} feed
 * @param {AbortSignal} signal
 */
async function whyUnopened(feed, signal) {
    await feed.http.json({ method: 'GET', path: '/ping', anonymous: true, once: true, signal });
    return new ChinwagError('the WebSocket did not open, though the server answers', { code: 'no_face' });
}

class Link {
    opened = false;
    /** @type {FeedEvent[]} */
    #waiting = [];
    /** @type {unknown} */
    #why;
    #isOver = false;
    #wake = () => {};
    #heard = 0;
    #asked = 0;
    #alive = new AbortController();

    /**
     * @param {Feed} feed
     * @param {string} address
     * @param {string | undefined} token The one that it was opened with.
     */
    constructor(feed, address, token) {
        this.feed = feed;
        const socket = new /** @type {typeof WebSocket} */ (feed.WebSocket)(address);
        this.socket = socket;
        const { credentials, world } = feed.http;
        const forget = credentials.onChange((renewed) => this.#ask({ op: 'auth', token: renewed }));
        this.#alive.signal.addEventListener('abort', forget);
        world.sleep(ANSWER_MS, this.#alive.signal).then(() => {
            if (!this.opened) this.end(new ChinwagError('the WebSocket did not open in time', { code: 'timeout' }));
        });
        socket.onopen = () => {
            this.opened = true;
            this.#watchSilence();
            this.#watchToken(token);
        };
        socket.onmessage = ({ data }) => this.#take(data);
        // An error is followed by a close, which says more.
        socket.onerror = () => {};
        socket.onclose = ({ code, reason }) => {
            const words = reason || `the connection was closed with code ${code}`;
            const known = code !== 1006 && code !== 1005;
            this.end(new ChinwagError(words, known ? { code: 'closed', closeCode: code } : { code: 'network' }));
        };
    }

    async *events() {
        for (;;) {
            const batch = this.#waiting;
            this.#waiting = [];
            yield* batch;
            if (this.#waiting.length > 0) continue;
            if (this.#isOver) throw this.#why;
            await new Promise((resolve) => {
                this.#wake = () => resolve(undefined);
            });
        }
    }

    /** @param {unknown} why */
    end(why) {
        if (this.#isOver) return;
        this.#isOver = true;
        this.#why = why;
        this.#alive.abort();
        this.socket.onmessage = null;
        this.socket.onclose = null;
        this.socket.close();
        this.#wake();
    }

    /** Asks the server whether it is there; the connection ends where it does not answer. */
    async probe() {
        if (!this.opened || this.#isOver) return;
        const heard = this.#heard;
        this.#ask({ op: 'presence', user: [this.feed.user] });
        await this.feed.http.world.sleep(ANSWER_MS, this.#alive.signal);
        if (heard === this.#heard) this.end(new ChinwagError('the server is silent', { code: 'timeout' }));
    }

    /** @param {unknown} data */
    #take(data) {
        this.#heard++;
        let event;
        try {
            event = JSON.parse(String(data));
        } catch (cause) {
            return this.end(new ChinwagError('a frame is not JSON', { code: 'bad_reply', cause }));
        }
        if ('reply' in event) return;
        this.#waiting.push(event);
        if (this.#waiting.length >= WAITING_MAX_EVENTS) {
            this.end(new ChinwagError('the consumer is slow', { code: 'closed', closeCode: 4408 }));
        }
        this.#wake();
    }

    /** @param {object} verb */
    #ask(verb) {
        if (this.opened && !this.#isOver) this.socket.send(JSON.stringify({ id: ++this.#asked, ...verb }));
    }

    async #watchSilence() {
        const { signal } = this.#alive;
        while (!signal.aborted) {
            const heard = this.#heard;
            await this.feed.http.world.sleep(SILENCE_MS, signal);
            if (heard === this.#heard) await this.probe();
        }
    }

    /**
     * Brings a new token before the old one ends.
     *
     * @param {string | undefined} token
     */
    async #watchToken(token) {
        const { credentials, world } = this.feed.http;
        const { signal } = this.#alive;
        let used = token;
        while (credentials.canRenew && !signal.aborted) {
            const wait = renewInMs(used, world.now());
            if (wait === undefined) return;
            await world.sleep(wait, signal);
            if (signal.aborted) return;
            // Without one the server ends the connection in time, and the feed says why.
            const renewed = await credentials.renew(used).catch(() => false);
            if (!renewed) return;
            used = await credentials.current();
        }
    }
}
