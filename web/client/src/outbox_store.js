/**
 * Where an outbox keeps what waits.
 *
 * @module
 */

/**
 * A message that waits to be sent.
 *
 * @typedef {object} OutboxEntry
 * @property {string} key The key of its send.
 * @property {string} chat
 * @property {string} text
 * @property {object} [data]
 * @property {number} addedMs When it was added, in milliseconds since the Unix epoch; rises, and is the order.
 * @property {number} [triedMs] When it was first tried.
 * @property {{ code: string, message: string, status: number }} [error] Why it will not be tried again by itself.
 */

/**
 * What keeps entries. Give an outbox one of your own to keep them in a file or a database; a promise that is fulfilled
 * says that it is kept.
 *
 * @typedef {object} OutboxStore
 * @property {() => Promise<OutboxEntry[]>} all In any order.
 * @property {(entry: OutboxEntry) => Promise<void>} put Adds it, or takes the place of the one with its key.
 * @property {(key: string) => Promise<void>} delete
 */

/**
 * Keeps entries for as long as the program runs.
 *
 * @implements {OutboxStore}
 */
export class MemoryStore {
    /** @type {Map<string, OutboxEntry>} */
    #entries = new Map();

    async all() {
        return structuredClone([...this.#entries.values()]);
    }

    /** @param {OutboxEntry} entry */
    async put(entry) {
        this.#entries.set(entry.key, structuredClone(entry));
    }

    /** @param {string} key */
    async delete(key) {
        this.#entries.delete(key);
    }
}

/** @type {'entries'} */
const TABLE = 'entries';

/**
 * Keeps entries in the browser, over reloads. All tabs of an origin see the same.
 *
 * @implements {OutboxStore}
 */
export class IndexedDbStore {
    /** @type {Promise<IDBDatabase> | undefined} */
    #opened;

    /** @param {string} name One a server and user. */
    constructor(name) {
        /** @readonly */
        this.name = name;
    }

    /** @returns {Promise<OutboxEntry[]>} */
    async all() {
        return this.#do('readonly', (table) => table.getAll());
    }

    /** @param {OutboxEntry} entry */
    async put(entry) {
        await this.#do('readwrite', (table) => table.put(entry));
    }

    /** @param {string} key */
    async delete(key) {
        await this.#do('readwrite', (table) => table.delete(key));
    }

    /**
     * @param {IDBTransactionMode} mode
     * @param {(table: IDBObjectStore) => IDBRequest} ask
     * @returns {Promise<any>} Once it is kept.
     */
    async #do(mode, ask) {
        this.#opened ??= open(this.name);
        const database = await this.#opened.catch((error) => {
            this.#opened = undefined;
            throw error;
        });
        return new Promise((resolve, reject) => {
            const transaction = database.transaction(TABLE, mode, { durability: 'strict' });
            const request = ask(transaction.objectStore(TABLE));
            transaction.oncomplete = () => resolve(request.result);
            transaction.onabort = () => reject(transaction.error);
        });
    }
}

/**
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 */
function open(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: 'key' });
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}
