/** Says how far messages have come and were read; not for each message anew, and again where it did not get through. */

const TOGETHER_MS = 150;
const AGAIN_MS = 5_000;

export class Marks {
    /** By verb and chat: how far to say, and how far it was said. */
    #wanted = new Map();
    #said = new Map();
    #timer;

    /** @param {import('../client/src/index.js').Client} client */
    constructor(client) {
        this.client = client;
    }

    delivered(chat, seq) {
        this.#want('delivered', chat, seq);
    }

    read(chat, seq) {
        this.#want('read', chat, seq);
    }

    stop() {
        clearTimeout(this.#timer);
        this.#wanted.clear();
    }

    #want(verb, chat, seq) {
        const key = JSON.stringify([verb, chat]);
        if (seq <= (this.#said.get(key) ?? 0) || seq <= (this.#wanted.get(key) ?? 0)) return;
        this.#wanted.set(key, seq);
        this.#timer ??= setTimeout(() => this.#say(), TOGETHER_MS);
    }

    async #say() {
        const wanted = [...this.#wanted];
        let wait = TOGETHER_MS;
        for (const [key, seq] of wanted) {
            const [verb, chat] = JSON.parse(key);
            try {
                await this.client[verb](chat, seq);
                this.#said.set(key, seq);
            } catch (error) {
                // What is refused would be refused again.
                if (error.isPassing) wait = AGAIN_MS;
                else this.#said.set(key, seq);
            }
            if (this.#wanted.get(key) === seq && this.#said.get(key) === seq) this.#wanted.delete(key);
        }
        this.#timer = this.#wanted.size > 0 ? setTimeout(() => this.#say(), wait) : undefined;
    }
}
