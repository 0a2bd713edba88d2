import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, MemoryStore, Outbox } from '../src/index.js';
import { Gateway } from './support/gateway.js';
import { Server, within } from './support/server.js';

const CHAT = 'apple:banana';
const HOUR_MS = 3600_000;

/** Keeps entries in a file, as a program of Node may. */
class FileStore {
    constructor(path) {
        this.path = path;
    }
    async all() {
        try {
            return JSON.parse(readFileSync(this.path, 'utf8'));
        } catch (error) {
            if (error.code === 'ENOENT') return [];
            throw error;
        }
    }
    async put(entry) {
        const others = (await this.all()).filter(({ key }) => key !== entry.key);
        writeFileSync(this.path, JSON.stringify([...others, entry]));
    }
    async delete(key) {
        writeFileSync(this.path, JSON.stringify((await this.all()).filter((entry) => entry.key !== key)));
    }
}

/** An outbox, and a promise of the next change of a type. */
function open(t, url, { store, world = {} } = {}) {
    const client = new Client({ url, user: 'apple', world, locks: null, retry: { tries: 2, firstWaitMs: 1, longestWaitMs: 5 } });
    const changes = [];
    let wake = () => {};
    const outbox = new Outbox(client, { store, onChange: (change) => (changes.push(change), wake()) });
    t.after(() => outbox.stop());
    const next = async (type) => {
        for (;;) {
            const at = changes.findIndex((change) => change.type === type);
            if (at >= 0) return changes.splice(0, at + 1).at(-1);
            await within(`an entry that is ${type}`, new Promise((resolve) => (wake = resolve)));
        }
    };
    return { client, outbox, next };
}

const texts = async (client) => (await client.pull(CHAT, { limit: 100 })).messages.map(({ text }) => text);

test('what is added while the server is away is sent in order, after a restart of the program too', async (t) => {
    const server = await Server.start(t);
    const directory = mkdtempSync(join(tmpdir(), 'chinwag-outbox-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const store = new FileStore(join(directory, 'outbox.json'));
    await server.kill();
    const first = open(t, server.url, { store });
    for (const text of ['1', '2', '3']) await first.outbox.add(CHAT, text, { data: { text } });
    await first.next('waiting');
    first.outbox.stop();

    await server.start();
    const second = open(t, server.url, { store });
    await second.outbox.start();
    for (const text of ['1', '2', '3']) assert.equal((await second.next('sent')).message.text, text);
    assert.deepEqual(await texts(second.client), ['1', '2', '3']);
    assert.deepEqual([second.outbox.entries(), await store.all()], [[], []]);
});

test('an entry whose reply was lost is stored once, also by two programs with one store', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const store = new MemoryStore();
    gateway.spoil = ({ url }) => (url === '/api/send' ? 'lose' : undefined);
    const first = open(t, gateway.url, { store });
    await first.outbox.add(CHAT, 'once');
    await first.next('waiting');
    first.outbox.stop();
    gateway.spoil = () => undefined;
    const others = [open(t, gateway.url, { store }), open(t, gateway.url, { store })];
    await Promise.all(others.map(({ outbox }) => outbox.start()));
    await Promise.any(others.map(({ next }) => next('sent')));
    for (const { outbox } of others) while (outbox.entries().length > 0) await new Promise(setImmediate);
    assert.deepEqual(await texts(first.client), ['once']);
});

test('what the server will not have holds nobody up, and can be tried again or given up', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const { client, outbox, next } = open(t, gateway.url);
    const long = await outbox.add(CHAT, 'x'.repeat(20_000));
    const { error, entry } = await next('failed');
    assert.deepEqual([error.code, entry.error.code, entry.error.status], ['text_too_long', 'text_too_long', 400]);
    gateway.spoil = ({ url }) => (url === '/api/send' ? { status: 403, headers: {}, body: '{"code":"blocked"}' } : undefined);
    const refused = await outbox.add(CHAT, 'second');
    assert.equal((await next('failed')).error.code, 'blocked');
    gateway.spoil = () => undefined;
    await outbox.add(CHAT, 'third');
    assert.equal((await next('sent')).message.text, 'third');
    await outbox.retry(refused.key);
    assert.equal((await next('sent')).message.text, 'second');
    await outbox.discard(long.key);
    await next('removed');
    assert.deepEqual([outbox.entries(CHAT), await texts(client)], [[], ['third', 'second']]);
});

const TIMES = [['first tried over 23 hours ago', 23.5], ['tried before the clock was set back', -5]];
for (const [stored, [when, hours]] of [true, false].flatMap((stored) => TIMES.map((time) => [stored, time]))) {
    test(`an entry ${when} is looked up before it is sent again (${stored ? 'stored' : 'not stored'})`, async (t) => {
        const server = await Server.start(t);
        const gateway = await Gateway.open(t, server.port);
        const store = new MemoryStore();
        gateway.spoil = ({ url }) => (url !== '/api/send' ? undefined : stored ? 'lose' : { status: 503, headers: {}, body: '' });
        const first = open(t, gateway.url, { store });
        const { key } = await first.outbox.add(CHAT, 'yesterday');
        await first.next('waiting');
        first.outbox.stop();
        const [{ triedMs }] = await store.all();
        assert.ok(Math.abs(triedMs - Date.now()) < HOUR_MS);
        const banana = new Client({ url: server.url, user: 'banana' });
        // The peer's, with the same key: not ours.
        await banana.send(CHAT, 'meanwhile', { key });

        gateway.spoil = () => undefined;
        gateway.asked = [];
        const second = open(t, gateway.url, { store, world: { now: () => Date.now() + hours * HOUR_MS } });
        await second.outbox.start();
        const { message } = await second.next('sent');
        assert.deepEqual([message.text, message.key, message.sender], ['yesterday', key, 'apple']);
        const sends = gateway.asked.filter((line) => line === 'POST /api/send').length;
        assert.equal(sends, stored ? 0 : 1);
        assert.equal(gateway.asked.filter((line) => line.startsWith('GET /api/pull')).length, 1);
        assert.deepEqual(await texts(second.client), stored ? ['yesterday', 'meanwhile'] : ['meanwhile', 'yesterday']);
    });
}

test('a full outbox says so', async (t) => {
    const { outbox } = open(t, 'http://127.0.0.1:9');
    for (let n = 0; n < 1000; n++) await outbox.add(`apple:peer ${n % 2}`, 'x');
    await assert.rejects(outbox.add(CHAT, 'x'), { code: 'outbox_full' });
});
