/**
 * One request over HTTP, tried again where that is safe. Knows no verb.
 *
 * @module
 */

import { ChinwagError, asChinwagError, refusal } from './errors.js';
import { waitMs } from './retry.js';

/** @import { Credentials } from './token.js' */
/** @import { Retry, Surroundings } from './retry.js' */

/**
 * @typedef {object} Ask
 * @property {'GET' | 'POST'} method
 * @property {string} path With its query string.
 * @property {object} [body]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {boolean} [once] Never tried again.
 * @property {boolean} [anonymous] Without a token.
 * @property {number} [tryMs] The longest that one try may take, where it is not the usual.
 */

/** @typedef {{ body: any, headers: Headers }} Answer */

/** Requests of one server. */
export class Http {
    /**
     * @param {string} base
     * @param {typeof globalThis.fetch} fetch
     * @param {Credentials} credentials
     * @param {Retry} retry
     * @param {Surroundings} world
     */
    constructor(base, fetch, credentials, retry, world) {
        this.base = base;
        this.fetch = fetch;
        this.credentials = credentials;
        this.retry = retry;
        this.world = world;
    }

    /**
     * @param {string} path Such as `/api/send`.
     * @returns {string}
     */
    url(path) {
        return this.base + path;
    }

    /**
     * The reply's JSON. Throws a `ChinwagError`; or what the caller's signal says, where it ended the request.
     *
     * @param {Ask} ask
     * @returns {Promise<Answer>}
     */
    async json(ask) {
        const { retry, world } = this;
        const began = world.now();
        let renewed = false;
        for (let tries = 1; ; tries++) {
            ask.signal?.throwIfAborted();
            /** @type {string | undefined} */
            let token;
            try {
                token = ask.anonymous ? undefined : await this.credentials.current();
                return await this.#try(ask, token);
            } catch (thrown) {
                ask.signal?.throwIfAborted();
                const error = asChinwagError(thrown);
                if (error.status === 401 && !renewed && (await this.credentials.renew(token))) {
                    renewed = true;
                    continue;
                }
                const wait = waitMs(retry, tries, error.retryAfterMs, world.random());
                const late = world.now() - began + wait >= retry.totalMs;
                if (ask.once || !error.isPassing || tries >= retry.tries || late) throw error;
                await world.sleep(wait, ask.signal);
            }
        }
    }

    /**
     * @param {Ask} ask
     * @param {string | undefined} token
     * @returns {Promise<Answer>}
     */
    async #try(ask, token) {
        const limit = new AbortController();
        const stop = () => limit.abort(ask.signal?.reason);
        ask.signal?.addEventListener('abort', stop);
        const slow = new ChinwagError('the server did not answer in time', { code: 'timeout' });
        const timer = setTimeout(() => limit.abort(slow), ask.tryMs ?? this.retry.tryMs);
        try {
            const response = await this.open(ask, token, limit.signal);
            const text = await response.text();
            if (!response.ok) {
                throw refusal(response.status, text, response.headers.get('retry-after'), this.world.now());
            }
            return { body: text === '' ? undefined : parse(text), headers: response.headers };
        } catch (error) {
            throw limit.signal.aborted ? limit.signal.reason : error;
        } finally {
            clearTimeout(timer);
            ask.signal?.removeEventListener('abort', stop);
        }
    }

    /**
     * The bare response, for whoever reads it as a stream.
     *
     * @param {Ask} ask
     * @param {string | undefined} token
     * @param {AbortSignal} signal
     */
    open(ask, token, signal) {
        /** @type {Record<string, string>} */
        const headers = { ...ask.headers };
        if (token !== undefined) headers.Authorization = `Bearer ${token}`;
        if (ask.body) headers['Content-Type'] = 'application/json';
        const { fetch } = this;
        return fetch(this.url(ask.path), {
            method: ask.method,
            headers,
            body: ask.body && JSON.stringify(ask.body),
            signal,
            cache: 'no-store',
            credentials: 'omit',
            redirect: 'error',
        });
    }
}

/** @param {string} text */
function parse(text) {
    try {
        return JSON.parse(text);
    } catch (cause) {
        throw new ChinwagError('the reply is not JSON', { code: 'bad_reply', cause });
    }
}

/**
 * A query string, with its question mark; `undefined` is left out, and a list repeats its name.
 *
 * @param {Record<string, string | number | boolean | readonly string[] | undefined>} fields
 */
export function query(fields) {
    const pairs = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) {
        if (Array.isArray(value)) for (const one of value) pairs.append(name, one);
        else if (value !== undefined) pairs.append(name, String(value));
    }
    return `?${pairs}`;
}
