/** Where the outbox keeps what waits: in the browser, or for as long as the page is open where the browser keeps nothing. */

import { IndexedDbStore, MemoryStore } from '../client/src/index.js';

/** @import { OutboxStore } from '../client/src/index.js' */

/** @implements {OutboxStore} */
export class KeptStore {
    #store;

    /**
     * @param {string} name
     * @param {() => void} onForgetful Told where nothing is kept.
     */
    constructor(name, onForgetful) {
        const kept = new IndexedDbStore(name);
        this.#store = kept.all().then(() => kept, () => {
            onForgetful();
            return new MemoryStore();
        });
    }

    async all() {
        return (await this.#store).all();
    }

    async put(entry) {
        await (await this.#store).put(entry);
    }

    async delete(key) {
        await (await this.#store).delete(key);
    }
}
