import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { Client } from '../src/index.js';
import { renewInMs } from '../src/token.js';
import { Reader } from './support/feed.js';
import { Gateway } from './support/gateway.js';
import { Server, token } from './support/server.js';

const CHAT = 'apple:banana';
const RETRY = { firstWaitMs: 20, longestWaitMs: 100 };
/** A token that the server takes no more. */
const OVER = -3600;

test('a token goes with each request, and an old one is replaced once', async (t) => {
    const { url } = await Server.guarded(t);
    const none = new Client({ url, user: 'apple' });
    assert.equal((await none.about()).auth, 'token', 'which needs no token');
    await assert.rejects(none.send(CHAT, 'x'), { code: 'token_missing' });
    const fixed = new Client({ url, user: 'apple', token: token('apple', OVER) });
    await assert.rejects(fixed.send(CHAT, 'x'), { code: 'token_expired' });
    fixed.setToken(token('apple'));
    assert.equal((await fixed.send(CHAT, 'x')).message.seq, 1);

    const asked = [];
    const source = ({ renew }) => {
        asked.push(renew);
        return token('apple', renew ? 3600 : OVER);
    };
    const renewing = new Client({ url, user: 'apple', token: source });
    const sent = await Promise.all([renewing.send(CHAT, 'y'), renewing.send(CHAT, 'z')]);
    assert.deepEqual(sent.map(({ message }) => message.seq).sort(), [2, 3]);
    assert.deepEqual(asked, [false, true], 'one question at a time');
    const hopeless = new Client({ url, user: 'apple', token: () => token('apple', OVER) });
    await assert.rejects(hopeless.pull(CHAT), { code: 'token_expired' });
});

test('a session lives on with a token that is renewed in time', async (t) => {
    const server = await Server.guarded(t);
    const gateway = await Gateway.open(t, server.port);
    let given = 0;
    const source = () => token('banana', given++ === 0 ? 4 : 3600);
    const banana = new Client({ url: gateway.url, user: 'banana', token: source, WebSocket, retry: RETRY });
    const apple = new Client({ url: server.url, user: 'apple', token: token('apple') });
    const feed = new Reader(t, banana.subscribe());
    await feed.next('ready');
    assert.ok(gateway.asked.every((line) => !line.includes('eyJ')), 'no token stands in a URL');
    // Until well after the first token's end.
    const over = Date.now() + 6_000;
    for (let n = 1; Date.now() < over; n++) {
        const { message } = await apple.send(CHAT, `${n}`);
        assert.equal((await feed.next('message')).message.seq, message.seq);
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.deepEqual(feed.passed, [], 'it was never disconnected');
    assert.equal(given, 2);
});

for (const face of ['websocket', 'sse', 'poll']) {
    test(`a session that ends with its token comes back with a new one (${face})`, async (t) => {
        const { url } = await Server.guarded(t);
        const banana = new Client({ url, user: 'banana', token: token('banana', 2), WebSocket, retry: RETRY });
        const apple = new Client({ url, user: 'apple', token: token('apple') });
        const fixed = new Reader(t, banana.subscribe({ faces: [face] }));
        await fixed.next('ready');
        await assert.rejects(fixed.next('message'), { code: face === 'poll' ? 'token_expired' : 'closed' });
        await apple.send(CHAT, 'meanwhile');

        let given = 0;
        const source = () => token('banana', given++ === 0 ? OVER : 3600);
        const renewing = new Client({ url, user: 'banana', token: source, WebSocket, retry: RETRY });
        const feed = new Reader(t, renewing.subscribe({ since: fixed.subscription.since, faces: [face] }));
        assert.deepEqual(await feed.texts(1), ['meanwhile']);
        assert.equal(given, 2);
    });

    test(`another user's feed is refused for good (${face})`, async (t) => {
        const { url } = await Server.guarded(t);
        const thief = new Client({ url, user: 'apple', token: token('banana'), WebSocket, retry: RETRY });
        const feed = new Reader(t, thief.subscribe({ faces: [face] }));
        await assert.rejects(feed.next('ready'), face === 'websocket' ? { closeCode: 4403 } : { code: 'not_allowed' });
    });
}

test('a source that fails for a while is asked again', async (t) => {
    const { url } = await Server.guarded(t);
    let given = 0;
    const source = () => {
        if (given++ < 3) throw new TypeError('the network is down');
        return token('banana');
    };
    const banana = new Client({ url, user: 'banana', token: source, WebSocket, retry: RETRY });
    const feed = new Reader(t, banana.subscribe());
    await feed.next('ready');
    assert.deepEqual(feed.passed.map(({ error }) => error.code), ['network', 'network', 'network']);
});

test('a token says when to replace it', () => {
    const now = Date.now();
    assert.ok(renewInMs(token('a', 3600), now) > 3530_000 && renewInMs(token('a', 3600), now) <= 3540_000);
    assert.ok(renewInMs(token('ä', 8), now) <= 6000);
    assert.equal(renewInMs(token('a', -5), now), 0);
    for (const text of [undefined, '', 'cwk_x', 'a.b.c']) assert.equal(renewInMs(text, now), undefined);
});
