/**
 * How often and how long a request is tried, and how time passes.
 *
 * @module
 */

/**
 * @typedef {object} Retry
 * @property {number} tries Most tries of one request, the first among them; 1 never repeats.
 * @property {number} totalMs The longest that one request may take, all its tries and waits together.
 * @property {number} tryMs The longest that one try may take.
 * @property {number} firstWaitMs The wait after the first try, before the jitter.
 * @property {number} longestWaitMs The longest wait, before the jitter; a longer `Retry-After` is kept as it is.
 */

/**
 * The clock and the chance that a client goes by; tests bring their own.
 *
 * @typedef {object} Surroundings
 * @property {() => number} now Milliseconds since the Unix epoch.
 * @property {() => number} random At least 0, below 1.
 * @property {(ms: number, signal?: AbortSignal) => Promise<void>} sleep Ends early, without an error, where the signal says so.
 */

/** @type {Retry} */
export const RETRY = { tries: 6, totalMs: 60_000, tryMs: 15_000, firstWaitMs: 100, longestWaitMs: 5_000 };

/** @type {Surroundings} */
export const WORLD = { now: () => Date.now(), random: () => Math.random(), sleep };

/**
 * The wait after so many tries in a row that failed: doubled each time, of which half is chance, and never shorter than
 * the server asks for.
 *
 * @param {Retry} retry
 * @param {number} tries At least 1.
 * @param {number} retryAfterMs
 * @param {number} random
 */
export function waitMs(retry, tries, retryAfterMs, random) {
    const whole = Math.min(retry.firstWaitMs * 2 ** Math.min(tries - 1, 30), retry.longestWaitMs);
    return Math.max(whole * (0.5 + random / 2), retryAfterMs);
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function sleep(ms, signal) {
    return new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = () => {
            clearTimeout(timer);
            signal?.removeEventListener('abort', end);
            resolve();
        };
        const timer = setTimeout(end, Math.min(ms, 2 ** 31 - 1));
        signal?.addEventListener('abort', end);
    });
}
