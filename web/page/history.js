/**
 * A piece of a chat without a gap, as much as is shown: it grows at either end and is cut at the other, so its size is bounded
 * however long the chat is. Shows nothing.
 */

/** Messages of one page. */
const PAGE = 60;
/** Messages that are held at most; a page more for a moment. */
const HELD_MAX = 240;

export class History {
    /** In order of `seq`, without a gap. */
    messages = [];
    /** The first message that the chat has, and the last that is known of. */
    start = 1;
    head = 0;
    isLoaded = false;
    #turn = 0;

    /**
     * @param {import('../client/src/index.js').Client} client
     * @param {string} chat
     */
    constructor(client, chat) {
        this.client = client;
        this.chat = chat;
    }

    get first() {
        return this.messages[0]?.seq ?? this.head + 1;
    }

    get last() {
        return this.messages.at(-1)?.seq ?? this.head;
    }

    get hasOlder() {
        return this.messages.length > 0 && this.first > this.start;
    }

    get hasNewer() {
        return this.last < this.head;
    }

    at(seq) {
        return this.messages[seq - this.first];
    }

    /** The end of the chat. */
    async loadEnd() {
        const turn = ++this.#turn;
        const page = await this.client.pull(this.chat, { reverse: true, limit: PAGE });
        if (turn !== this.#turn) return;
        this.messages = page.messages.reverse();
        this.head = Math.max(this.head, this.messages.at(-1)?.seq ?? 0);
        if (!page.has_more) this.start = this.messages[0]?.seq ?? 1;
        this.isLoaded = true;
        await this.#fill();
    }

    /** What lies around a message. */
    async loadAround(seq) {
        const turn = ++this.#turn;
        const page = await this.client.pull(this.chat, { cursor: Math.max(0, Math.min(seq, this.head) - PAGE / 2), limit: PAGE });
        if (turn !== this.#turn) return;
        this.messages = page.messages;
        this.head = Math.max(this.head, this.messages.at(-1)?.seq ?? 0);
        this.isLoaded = true;
    }

    /** A page before what is held. */
    async older() {
        const turn = ++this.#turn;
        const page = await this.client.pull(this.chat, { cursor: this.first - 1, reverse: true, limit: PAGE });
        if (turn !== this.#turn) return;
        this.messages.unshift(...page.messages.reverse());
        if (!page.has_more) this.start = this.first;
        this.messages.length = Math.min(this.messages.length, HELD_MAX);
    }

    /** A page after what is held. */
    async newer() {
        const turn = ++this.#turn;
        await this.#forward(turn);
    }

    /** Once more what is held: anything may have changed. */
    async reload() {
        if (this.messages.length === 0) return this.loadEnd();
        const turn = ++this.#turn;
        const { first, messages } = this;
        const found = [];
        for await (const message of this.client.messages(this.chat, { cursor: first - 1, limit: HELD_MAX })) {
            if (found.push(message) >= messages.length) break;
        }
        if (turn === this.#turn) this.messages = found;
    }

    /**
     * A message that came. Whether it is shown now.
     *
     * @returns {Promise<boolean>}
     */
    async take(message) {
        const wasAtEnd = !this.hasNewer;
        this.head = Math.max(this.head, message.seq);
        if (this.revise(message)) return true;
        if (!wasAtEnd || !this.isLoaded) return false;
        if (message.seq === this.last + 1 || this.messages.length === 0) {
            if (this.messages.length === 0) this.start = message.seq;
            this.messages.push(message);
            this.#cutFront();
        } else {
            // One came before another that is older.
            await this.#fill();
        }
        return this.at(message.seq) !== undefined;
    }

    /** Puts a message in the place of what it was; whether it is held. */
    revise(message) {
        const at = message.seq - this.first;
        if (at < 0 || at >= this.messages.length) return false;
        const known = this.messages[at];
        // An answer may have been overtaken by an event.
        if (known.unsent && !message.unsent) return true;
        if ((known.edited_ts ?? 0) > (message.edited_ts ?? 0)) return true;
        this.messages[at] = message;
        return true;
    }

    async #fill() {
        const turn = this.#turn;
        while (this.hasNewer && turn === this.#turn) if (!(await this.#forward(turn))) return;
    }

    async #forward(turn) {
        const page = await this.client.pull(this.chat, { cursor: this.last, limit: PAGE });
        if (turn !== this.#turn) return false;
        const news = page.messages.filter(({ seq }) => seq > this.last);
        this.messages.push(...news);
        this.head = Math.max(this.head, this.last);
        // The server knows of no more: what was said of the end came from elsewhere.
        if (news.length === 0) this.head = this.last;
        this.#cutFront();
        return news.length > 0;
    }

    #cutFront() {
        if (this.messages.length > HELD_MAX) this.messages.splice(0, this.messages.length - HELD_MAX);
    }
}
