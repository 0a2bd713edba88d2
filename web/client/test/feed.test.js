import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { Client } from '../src/index.js';
import { Reader } from './support/feed.js';
import { Gateway } from './support/gateway.js';
import { Server } from './support/server.js';

const CHAT = 'apple:banana';
const RETRY = { firstWaitMs: 20, longestWaitMs: 100 };

function clients(url, options = {}) {
    const of = (user) => new Client({ url, user, WebSocket, retry: RETRY, ...options });
    return { apple: of('apple'), banana: of('banana') };
}

test('everything that happens is told live', async (t) => {
    const { url } = await Server.start(t);
    const { apple, banana } = clients(url);
    const feed = new Reader(t, banana.subscribe({ watch: ['apple'] }));
    const ready = await feed.next('ready');
    assert.deepEqual([ready.recovered, ready.face], [true, 'websocket']);
    assert.deepEqual(await feed.next('presence'), { type: 'presence', user: 'apple', online: false });
    const { message } = await apple.send(CHAT, 'hello');
    assert.deepEqual((await feed.next('message')).message, message);
    await apple.typing(CHAT);
    assert.equal((await feed.next('typing')).user, 'apple');
    await banana.read(CHAT, 1);
    assert.equal((await feed.next('read')).seq, 1);
    await apple.edit(CHAT, 1, 'hello!');
    assert.equal((await feed.next('edit')).message.text, 'hello!');
    await banana.react(CHAT, 1, '🎉');
    assert.deepEqual((await feed.next('reaction')).message.reactions, { '🎉': ['banana'] });
    await apple.unsend(CHAT, 1);
    assert.equal((await feed.next('unsend')).message.unsent, true);
    const other = new Reader(t, apple.subscribe());
    await other.next('ready');
    assert.equal((await feed.next('presence')).online, true);
    feed.subscription.watch(['apple', 'cherry']);
    await feed.next('ready');
    const users = [await feed.next('presence'), await feed.next('presence')].map(({ user }) => user);
    assert.deepEqual(users.sort(), ['apple', 'cherry']);
    feed.subscription.close();
    assert.equal((await feed.updates.next()).done, true);
});

for (const how of ['kill', 'stop']) {
    test(`a feed outlives its server (${how}) and misses nothing`, async (t) => {
        const server = await Server.start(t);
        const { apple, banana } = clients(server.url);
        const feed = new Reader(t, banana.subscribe());
        await feed.next('ready');
        await apple.send(CHAT, '1');
        assert.deepEqual(await feed.texts(1), ['1']);
        await server[how]();
        const lost = await feed.next('disconnected');
        assert.equal(lost.error.closeCode, how === 'stop' ? 1012 : undefined);
        await server.start();
        await apple.send(CHAT, '2');
        await apple.send(CHAT, '3');
        assert.deepEqual(await feed.texts(2), ['2', '3']);
        assert.equal((await feed.next('ready')).recovered, true);
    });
}

test('a feed that was cut misses nothing and tells nothing twice', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const { banana } = clients(gateway.url);
    const { apple } = clients(server.url);
    const feed = new Reader(t, banana.subscribe());
    await feed.next('ready');
    const expected = [];
    for (let round = 0; round < 5; round++) {
        for (let n = 0; n < 3; n++) expected.push((await apple.send(CHAT, `${round}.${n}`)).message.text);
        gateway.cut();
        expected.push((await apple.send(CHAT, `${round} while away`)).message.text);
        gateway.mend();
        if (round % 2) feed.subscription.wake();
    }
    assert.deepEqual(await feed.texts(expected.length), expected);
});

test('a later run begins where the last one ended', async (t) => {
    const { url } = await Server.start(t);
    const { apple, banana } = clients(url);
    const first = new Reader(t, banana.subscribe());
    await first.next('ready');
    first.subscription.close();
    await apple.send(CHAT, 'meanwhile');
    const second = new Reader(t, banana.subscribe({ since: first.subscription.since }));
    assert.deepEqual(await second.texts(1), ['meanwhile']);
});

for (const face of ['websocket', 'sse', 'poll']) {
    test(`what can't be told is said so (${face})`, async (t) => {
        const { url } = await Server.start(t);
        const { apple, banana } = clients(url);
        await apple.send(CHAT, 'old');
        const feed = new Reader(t, banana.subscribe({ since: '0000000000000000-00000000000000', faces: [face] }));
        const ready = await feed.next('ready');
        assert.deepEqual([ready.recovered, ready.face], [false, face]);
        await apple.send(CHAT, 'new');
        assert.deepEqual(await feed.texts(1), ['new']);
    });
}

test('a newer session in its place ends a feed for good', async (t) => {
    const { url } = await Server.start(t, ['--sessions-per-user-max', '1']);
    for (const faces of [['websocket'], ['sse']]) {
        const { banana } = clients(url);
        const older = new Reader(t, banana.subscribe({ faces }));
        await older.next('ready');
        const newer = new Reader(t, banana.subscribe({ faces }));
        await newer.next('ready');
        await assert.rejects(older.next('message'), { closeCode: 4409 });
        newer.subscription.close();
    }
});

test('a server that has gone silent is found out', async (t) => {
    const { url } = await Server.start(t);
    /** Opens, says `ready`, and never anything again. */
    class Silent {
        constructor(address) {
            assert.match(address, /^ws:/);
            setImmediate(() => {
                this.onopen();
                this.onmessage({ data: '{"type":"ready","id":"x","recovered":true}' });
            });
        }
        send(text) {
            assert.equal(JSON.parse(text).op, 'presence');
        }
        close() {}
    }
    const world = { sleep: (ms, signal) => new Promise((resolve) => {
        const timer = setTimeout(resolve, ms / 1000);
        signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()));
    }) };
    const { banana } = clients(url, { WebSocket: Silent, world });
    const feed = new Reader(t, banana.subscribe());
    await feed.next('ready');
    assert.equal((await feed.next('disconnected')).error.code, 'timeout');
});
