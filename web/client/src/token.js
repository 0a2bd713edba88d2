/**
 * The token of a user, and how a new one is had.
 *
 * @module
 */

/**
 * Gives a token; asked again with `renew` where the last one is over.
 *
 * @typedef {(ask: { renew: boolean }) => string | Promise<string>} TokenSource
 */

/** How long before its end a token is replaced, where it lives long enough. */
const EARLY_MS = 60_000;

/** A token for each request. */
export class Credentials {
    /** @type {string | undefined} */
    #token;
    /** @type {TokenSource | undefined} */
    #source;
    /** @type {Promise<string> | undefined} */
    #asked;
    /** @type {Set<(token: string) => void>} */
    #listeners = new Set();

    /** @param {string | TokenSource | undefined} token */
    constructor(token) {
        if (typeof token === 'function') this.#source = token;
        else this.#token = token;
    }

    /** Whether requests carry a token. */
    get isUsed() {
        return this.#token !== undefined || this.#source !== undefined;
    }

    /** Whether a new token can be had. */
    get canRenew() {
        return this.#source !== undefined;
    }

    /** @returns {Promise<string | undefined>} */
    async current() {
        return this.#token ?? (this.#source ? this.#ask(false) : undefined);
    }

    /**
     * Takes another token; feeds that are open are given it.
     *
     * @param {string} token
     */
    set(token) {
        if (token === this.#token) return;
        this.#token = token;
        for (const listener of this.#listeners) listener(token);
    }

    /**
     * Whether there is now another token than `used`, which the server did not take.
     *
     * @param {string | undefined} used
     */
    async renew(used) {
        if (this.#token !== undefined && this.#token !== used) return true;
        if (!this.#source) return false;
        return (await this.#ask(true)) !== used;
    }

    /**
     * @param {(token: string) => void} listener
     * @returns {() => void} Ends it.
     */
    onChange(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /**
     * One question at a time, however many requests need the answer.
     *
     * @param {boolean} renew
     */
    #ask(renew) {
        const source = /** @type {TokenSource} */ (this.#source);
        this.#asked ??= Promise.resolve()
            .then(() => source({ renew }))
            .then((token) => {
                this.set(token);
                return token;
            })
            .finally(() => {
                this.#asked = undefined;
            });
        return this.#asked;
    }
}

/**
 * In how long a token should be replaced, in milliseconds; `undefined` where it does not say when it ends.
 *
 * @param {string | undefined} token
 * @param {number} now In milliseconds.
 */
export function renewInMs(token, now) {
    try {
        const claims = JSON.parse(atob((token ?? '').split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
        if (typeof claims.exp !== 'number') return undefined;
        const left = claims.exp * 1000 - now;
        return Math.max(0, left - Math.min(EARLY_MS, left / 4));
    } catch {
        return undefined;
    }
}
