/** Whom the user blocks: what the server told, brought up to date by the feed. Shows nothing. */

export class Blocks {
    #peers = new Set();
    /** What has changed since a load began, whose pages may be older. */
    #since = new Map();
    #turn = 0;

    /**
     * @param {import('../client/src/index.js').Client} client
     * @param {(peer: string | undefined) => void} onChange Told who; nobody where all may be other.
     */
    constructor(client, onChange) {
        this.client = client;
        this.onChange = onChange;
    }

    has(peer) {
        return this.#peers.has(peer);
    }

    /** In the order of their names. */
    sorted() {
        return [...this.#peers].sort((a, b) => a.localeCompare(b));
    }

    /** From the beginning: what happened while one was away is told by no event. */
    async load() {
        const turn = ++this.#turn;
        this.#since.clear();
        const peers = new Set();
        for await (const { peer } of this.client.blocked({ limit: 1000 })) peers.add(peer);
        if (turn !== this.#turn) return;
        this.#peers = peers;
        for (const [peer, blocked] of this.#since) this.#put(peer, blocked);
        this.onChange(undefined);
    }

    /** A change, as an event or a reply tells it. */
    take({ peer, blocked }) {
        this.#since.set(peer, blocked);
        if (this.#peers.has(peer) === blocked) return;
        this.#put(peer, blocked);
        this.onChange(peer);
    }

    /** Blocks, or does so no longer. */
    async set(peer, isBlocked) {
        this.take(await (isBlocked ? this.client.block(peer) : this.client.unblock(peer)));
    }

    #put(peer, blocked) {
        if (blocked) this.#peers.add(peer);
        else this.#peers.delete(peer);
    }
}
