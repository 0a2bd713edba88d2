/**
 * Which events came before. Delivery is at least once, so a feed may tell a thing twice.
 *
 * @module
 */

/** @import { FeedEvent } from './types.js' */

/** How many are remembered. Repeats come close together, at the seam of a catch-up and what is live. */
const SEEN_MAX = 1024;

/** The latest events, by what tells repeats. */
export class Seen {
    /** @type {Set<string>} */
    #keys = new Set();

    /**
     * Takes an event in, and says whether it is new. What has no id is always new.
     *
     * @param {FeedEvent} event
     */
    isNew(event) {
        if (!('id' in event) || typeof event.id !== 'string') return true;
        const isNew = this.#insert(event.id);
        if (event.type !== 'message') return isNew;
        // A message has these for ever; after a store was restored its id is another.
        const { chat, seq, ts } = event.message;
        return this.#insert(JSON.stringify([chat, seq, ts])) && isNew;
    }

    /** @param {string} key */
    #insert(key) {
        if (this.#keys.has(key)) return false;
        this.#keys.add(key);
        if (this.#keys.size > SEEN_MAX) {
            for (const oldest of this.#keys) {
                this.#keys.delete(oldest);
                break;
            }
        }
        return true;
    }
}
