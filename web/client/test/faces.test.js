import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { Client } from '../src/index.js';
import { parseEvents } from '../src/stream.js';
import { Reader } from './support/feed.js';
import { Gateway } from './support/gateway.js';
import { Server } from './support/server.js';

const CHAT = 'apple:banana';
const RETRY = { firstWaitMs: 5, longestWaitMs: 50 };
const sleep = (ms, signal) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()));
});

async function start(t) {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const apple = new Client({ url: server.url, user: 'apple' });
    const banana = (options) => new Client({ url: gateway.url, user: 'banana', WebSocket, retry: RETRY, ...options });
    return { server, gateway, apple, banana };
}

test('where no WebSocket goes through, Server-Sent Events are read', async (t) => {
    const { server, gateway, apple, banana } = await start(t);
    gateway.upgrades = false;
    let tryAgain;
    // The one wait that is long: until the better way is tried again.
    const world = { sleep: (ms, signal) => (ms < 300_000 ? sleep(ms, signal) : new Promise((resolve) => (tryAgain = resolve))) };
    const feed = new Reader(t, banana({ world }).subscribe({ watch: ['apple'] }));
    assert.equal((await feed.next('ready')).face, 'sse');
    assert.deepEqual(feed.passed.map(({ error }) => error.code), ['no_face', 'no_face']);
    await apple.send(CHAT, '1');
    assert.deepEqual(await feed.texts(1), ['1']);
    await server.kill();
    await feed.next('disconnected');
    await server.start();
    await apple.send(CHAT, '2');
    assert.deepEqual(await feed.texts(1), ['2']);
    assert.equal((await feed.next('ready')).face, 'sse');
    gateway.upgrades = true;
    tryAgain();
    assert.equal((await feed.next('ready')).face, 'websocket');
    await apple.send(CHAT, '3');
    assert.deepEqual(await feed.texts(1), ['3']);
});

test('a server that is away is no reason for a lesser way', async (t) => {
    const { server, apple, banana } = await start(t);
    await server.kill();
    const feed = new Reader(t, banana().subscribe());
    for (let n = 0; n < 5; n++) assert.notEqual((await feed.next('disconnected')).error.code, 'no_face');
    await server.start();
    assert.equal((await feed.next('ready')).face, 'websocket');
    await apple.send(CHAT, '1');
    assert.deepEqual(await feed.texts(1), ['1']);
});

test('where streams are held back, the server is polled', async (t) => {
    const { server, gateway, apple, banana } = await start(t);
    gateway.upgrades = false;
    gateway.holdsStreams = true;
    const feed = new Reader(t, banana({ WebSocket: null }).subscribe({ watch: ['apple'] }));
    assert.equal((await feed.next('ready')).face, 'poll');
    assert.equal((await feed.next('presence')).user, 'apple');
    for (const text of ['1', '2', '3']) {
        await apple.send(CHAT, text);
        assert.deepEqual(await feed.texts(1), [text]);
    }
    await server.kill();
    await feed.next('disconnected');
    await server.start();
    await apple.send(CHAT, '4');
    assert.deepEqual(await feed.texts(1), ['4']);
});

/** Locks as a browser has them, of the tabs of a test. */
class Locks {
    #queue = Promise.resolve();
    request(_name, { signal }, work) {
        let isOver = false;
        const mine = this.#queue.then(() => (isOver ? undefined : work()));
        this.#queue = mine.catch(() => {});
        return new Promise((resolve, reject) => {
            mine.then(resolve, reject);
            signal.addEventListener('abort', () => {
                isOver = true;
                reject(signal.reason);
            });
        });
    }
}

for (const faces of [['sse'], ['poll']]) {
    test(`one tab holds the stream of all (${faces})`, async (t) => {
        const { gateway, apple, banana } = await start(t);
        const locks = new Locks();
        const tabs = [1, 2, 3].map(() => new Reader(t, banana({ locks }).subscribe({ faces })));
        for (const tab of tabs) await tab.next('ready');
        const path = faces[0] === 'sse' ? '/api/events' : '/api/poll';
        const streams = () => gateway.asked.filter((line) => line.includes(path) && !line.includes('timeout=0')).length;
        for (const text of ['1', '2']) {
            await apple.send(CHAT, text);
            for (const tab of tabs) assert.deepEqual(await tab.texts(1), [text]);
        }
        if (faces[0] === 'sse') {
            // A poll hears of it only while it is held.
            await apple.typing(CHAT);
            for (const tab of tabs) assert.equal((await tab.next('typing')).user, 'apple');
            assert.equal(streams(), 1);
        }
        // Whoever led is gone; another takes the stream over, from its own place.
        tabs[0].subscription.close();
        for (const tab of tabs) tab.passed = [];
        await apple.send(CHAT, '3');
        for (const tab of tabs.slice(1)) assert.deepEqual(await tab.texts(1), ['3']);
        if (!tabs[1].passed.some(({ type }) => type === 'ready')) await tabs[1].next('ready');
        if (faces[0] === 'sse') assert.equal(streams(), 2);
        await apple.send(CHAT, '4');
        for (const tab of tabs.slice(1)) assert.deepEqual(await tab.texts(1), ['4']);
    });
}

test('a stream is taken apart wherever it is cut', async () => {
    const text = ': hello\n\nevent: message\nid: 1\ndata: {"é":"👍"}\r\n\r\ndata: a\rdata:b\r\rdata\n\nevent: close\ndata: {"code":4409}\n\n';
    const expected = [
        { event: '' },
        { event: 'message', data: '{"é":"👍"}' },
        { event: 'message', data: 'a\nb' },
        { event: 'message', data: '' },
        { event: 'close', data: '{"code":4409}' },
    ];
    const bytes = new TextEncoder().encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
        const body = new ReadableStream({
            start(controller) {
                if (cut > 0) controller.enqueue(bytes.slice(0, cut));
                if (cut < bytes.length) controller.enqueue(bytes.slice(cut));
                controller.close();
            },
        });
        const found = [];
        for await (const event of parseEvents(body)) found.push(event);
        assert.deepEqual(found, expected, `cut at ${cut}`);
    }
});
