/**
 * A feed as Server-Sent Events, read by `fetch` so that a token goes into a header.
 *
 * @module
 */

import { ChinwagError, refusal } from './errors.js';
import { query } from './http.js';

/** @import { FeedEvent } from './types.js' */
/** @import { Feed } from './subscription.js' */

/** How long `ready` may take: longer, and something on the way holds the stream back. */
const READY_MS = 10_000;
/** How long the stream may be silent: three of the server's comments. */
const SILENCE_MS = 45_000;

/**
 * @param {Feed} feed
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<FeedEvent, void>}
 */
export async function* streamEvents(feed, signal) {
    const { http, user, since, watch } = feed;
    const end = new AbortController();
    const stop = () => end.abort(signal.reason);
    signal.addEventListener('abort', stop);
    let timer = setTimeout(() => end.abort(held()), READY_MS);
    /** @param {unknown} error */
    const why = (error) => (end.signal.aborted ? end.signal.reason : error);
    try {
        const path = `/api/events${query({ user, since, watch })}`;
        const headers = { Accept: 'text/event-stream' };
        const token = await http.credentials.current();
        feed.token = token;
        const response = await http.open({ method: 'GET', path, headers }, token, end.signal);
        if (!response.ok) {
            const text = await response.text();
            throw refusal(response.status, text, response.headers.get('retry-after'), http.world.now());
        }
        if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) throw held();
        let isReady = false;
        for await (const { event, data } of parseEvents(response.body)) {
            clearTimeout(timer);
            // Comments are passed on too, as signs of life.
            if (data !== undefined) {
                const told = JSON.parse(data);
                if (event === 'close') {
                    throw new ChinwagError('the stream was closed', { code: 'closed', closeCode: told.code });
                }
                yield told;
                isReady ||= told.type === 'ready';
            }
            timer = setTimeout(() => end.abort(isReady ? silent() : held()), isReady ? SILENCE_MS : READY_MS);
        }
        throw new ChinwagError('the stream ended without a word', { code: 'network' });
    } catch (error) {
        throw why(error);
    } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        end.abort();
    }
}

const held = () => new ChinwagError('something on the way holds streams back', { code: 'no_face' });
const silent = () => new ChinwagError('the server is silent', { code: 'timeout' });

/**
 * The events of a stream as the HTML standard has them, as far as this server speaks it; a comment is an event without data.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{ event: string, data?: string }, void>}
 */
export async function* parseEvents(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    let event = '';
    /** @type {string[]} */
    let data = [];
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            rest += decoder.decode(value, { stream: true });
            // A carriage return at the end may be half of a line's end.
            const held = rest.endsWith('\r') ? 1 : 0;
            const lines = rest.slice(0, rest.length - held).split(/\r\n|\n|\r/);
            rest = (lines.pop() ?? '') + rest.slice(rest.length - held);
            for (const line of lines) {
                if (line === '') {
                    if (data.length > 0) yield { event: event || 'message', data: data.join('\n') };
                    event = '';
                    data = [];
                } else if (line.startsWith(':')) {
                    yield { event: '' };
                } else {
                    const [, name, text] = /** @type {RegExpExecArray} */ (/^([^:]*)(?:: ?(.*))?$/s.exec(line));
                    if (name === 'event') event = text ?? '';
                    if (name === 'data') data.push(text ?? '');
                }
            }
        }
    } finally {
        // Where the stream has failed there is nothing left to end.
        await reader.cancel().catch(() => {});
    }
}
