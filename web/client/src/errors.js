/**
 * Everything that can go wrong, as one class: what the server refused, and what never reached it.
 *
 * @module
 */

/** @import { Problem } from './types.js' */

/** Statuses that pass by themselves. */
const PASSING = new Set([408, 429, 502, 503, 504, 507]);

/** Why a request or a feed came to nothing. */
export class ChinwagError extends Error {
    /**
     * @param {string} message What happened, in words.
     * @param {object} [more]
     * @param {string} [more.code] Stable: a code of docs/API.md, or `network`, `timeout`, `bad_reply`, `closed`.
     * @param {number} [more.status] The status of HTTP; 0 where there was no reply.
     * @param {string} [more.field] Which field of the request is wrong.
     * @param {number} [more.closeCode] With which code a feed was closed.
     * @param {number} [more.retryAfterMs] How long the server asks to wait, in milliseconds.
     * @param {unknown} [more.cause]
     */
    constructor(message, more = {}) {
        super(message, { cause: more.cause });
        this.name = 'ChinwagError';
        this.code = more.code ?? 'network';
        this.status = more.status ?? 0;
        this.field = more.field;
        this.closeCode = more.closeCode;
        this.retryAfterMs = more.retryAfterMs ?? 0;
    }

    /** Whether the same request may be sent again, and may then succeed. With a key a send is safe to repeat. */
    get isPassing() {
        return this.status === 0
            ? this.code === 'network' || this.code === 'timeout'
            : PASSING.has(this.status) || this.code === 'outcome_unknown';
    }

    /** Whether a new token is needed. */
    get isUnidentified() {
        return this.status === 401 || this.closeCode === 4401;
    }
}

/**
 * What the server says in a reply that is none of success.
 *
 * @param {number} status
 * @param {string} text The body.
 * @param {string | null} retryAfter
 * @param {number} now In milliseconds.
 */
export function refusal(status, text, retryAfter, now) {
    /** @type {Partial<Problem>} */
    let problem = {};
    try {
        problem = JSON.parse(text) ?? {};
    } catch {
        // A proxy's page, or none: the status says enough.
    }
    return new ChinwagError(problem.detail ?? problem.title ?? `the server answered with status ${status}`, {
        code: problem.code ?? 'bad_reply',
        status,
        field: problem.field,
        retryAfterMs: retryAfterMs(retryAfter, now),
    });
}

/**
 * `Retry-After` in milliseconds: seconds, or a date.
 *
 * @param {string | null} value
 * @param {number} now In milliseconds.
 */
export function retryAfterMs(value, now) {
    if (value === null || value.trim() === '') return 0;
    const seconds = Number(value);
    const wait = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000;
    return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

/**
 * @param {unknown} error
 * @returns {ChinwagError}
 */
export function asChinwagError(error) {
    if (error instanceof ChinwagError) return error;
    const said = error instanceof Error ? error.message : String(error);
    return new ChinwagError(said, { code: 'network', cause: error });
}
