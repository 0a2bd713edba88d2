import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChinwagError, Client, chatOf, newKey, peerOf } from '../src/index.js';
import { Gateway } from './support/gateway.js';
import { Server } from './support/server.js';

const CHAT = 'apple:banana';

test('send, pages in both directions, inbox, markers and revisions', async (t) => {
    const { url } = await Server.start(t);
    const apple = new Client({ url, user: 'apple' });
    const banana = new Client({ url: `${url}/`, user: 'banana' });
    assert.deepEqual(await apple.about(), { auth: 'open', text_max_bytes: 16384, revise_window_s: 86400 });

    for (let n = 1; n <= 7; n++) {
        const { message, replayed } = await apple.send(CHAT, `text ${n}`, { data: { n } });
        assert.deepEqual([message.seq, message.text, message.data, replayed], [n, `text ${n}`, { n }, false]);
    }
    const seqs = async (options) => {
        const found = [];
        for await (const message of banana.messages(CHAT, { limit: 3, ...options })) found.push(message.seq);
        return found;
    };
    assert.deepEqual(await seqs({}), [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(await seqs({ reverse: true }), [7, 6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await seqs({ cursor: 5 }), [6, 7]);
    assert.deepEqual(await seqs({ cursor: 2, reverse: true }), [2, 1]);

    const entry = await banana.chat(CHAT);
    assert.deepEqual([entry.peer, entry.unread, entry.last_message.seq], ['apple', 7, 7]);
    assert.equal((await banana.delivered(CHAT, 7)).delivered, 7);
    assert.equal((await banana.read(CHAT, 6)).read, 6);
    assert.equal((await banana.inbox()).unread_total, 1);

    assert.equal((await apple.edit(CHAT, 2, 'other')).text, 'other');
    assert.equal((await apple.unsend(CHAT, 3)).unsent, true);
    assert.deepEqual((await banana.react(CHAT, 1, '👍')).reactions, { '👍': ['banana'] });
    assert.equal((await banana.react(CHAT, 1, '👍', { remove: true })).reactions, undefined);
    await apple.typing(CHAT);
    assert.deepEqual(await apple.presence(['banana', 'nobody']), { banana: { online: false }, nobody: { online: false } });

    for (const peer of ['b', 'c', 'd']) await apple.send(chatOf('apple', peer), 'hello');
    const peers = [];
    for await (const { peer } of apple.chats({ limit: 2 })) peers.push(peer);
    assert.deepEqual(peers, ['d', 'c', 'b', 'banana']);
});

test('whom a user blocks', async (t) => {
    const { url } = await Server.start(t);
    const apple = new Client({ url, user: 'apple' });
    const banana = new Client({ url, user: 'banana' });
    const block = await banana.block('apple');
    assert.deepEqual([block.user, block.peer, block.blocked], ['banana', 'apple', true]);
    await banana.block('cherry');
    await assert.rejects(apple.send(CHAT, 'text'), { code: 'blocked', status: 403 });
    const first = await banana.blocks({ limit: 1 });
    assert.deepEqual([first.blocks, first.has_more], [[{ peer: 'apple', ts: block.ts }], true]);
    const second = await banana.blocks({ limit: 1, cursor: first.next_cursor });
    assert.deepEqual([second.blocks.map(({ peer }) => peer), second.has_more], [['cherry'], undefined]);
    const all = [];
    for await (const { peer } of banana.blocked({ limit: 1 })) all.push(peer);
    assert.deepEqual(all, ['apple', 'cherry']);
    assert.equal((await banana.unblock('apple')).blocked, false);
    await apple.send(CHAT, 'text');
});

test('a refusal names its field and is not tried again', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const apple = new Client({ url: gateway.url, user: 'apple' });
    await assert.rejects(apple.send('apple:apple:x', 'text'), (error) => {
        assert.ok(error instanceof ChinwagError);
        assert.deepEqual([error.status, error.code, error.field, error.isPassing], [400, 'invalid_field', 'chat', false]);
        return true;
    });
    await assert.rejects(apple.send('b:c', 'text'), { code: 'not_a_member', status: 403 });
    assert.equal(gateway.asked.length, 2);
});

test('a send whose reply is lost is repeated with its key and stored once', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const spoilt = ['lose', problem(503, 'outcome_unknown'), 'lose', undefined];
    gateway.spoil = () => spoilt.shift();
    const apple = new Client({ url: gateway.url, user: 'apple', world: { sleep: async () => {} } });
    const { message, replayed } = await apple.send(CHAT, 'once');
    assert.deepEqual([message.seq, replayed, gateway.asked.length], [1, true, 4]);
    const key = newKey();
    assert.equal((await apple.send(CHAT, 'again', { key })).replayed, false);
    assert.equal((await apple.send(CHAT, 'again', { key })).replayed, true);
    await assert.rejects(apple.send(CHAT, 'other', { key }), { code: 'key_reused', status: 422 });
    assert.equal((await apple.chat(CHAT)).last_message.seq, 2);
});

test('waits double with chance, and Retry-After is heeded', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    const waits = [];
    const world = { sleep: async (ms) => void waits.push(ms), random: () => 0.5 };
    const apple = new Client({ url: gateway.url, user: 'apple', world });
    const date = new Date(Date.now() + 3600_000).toUTCString();
    const spoilt = [problem(503, 'overloaded'), problem(429, 'rate', { 'Retry-After': '7' }), problem(502, 'x'), undefined];
    gateway.spoil = () => spoilt.shift();
    await apple.send(CHAT, 'text');
    assert.deepEqual(waits, [75, 7000, 300]);

    gateway.spoil = () => problem(503, 'overloaded', { 'Retry-After': date });
    await assert.rejects(apple.send(CHAT, 'text'), (error) => error.code === 'overloaded' && error.retryAfterMs > 3500_000);
    assert.equal(waits.length, 3, 'nobody waits for longer than the request may take');

    gateway.spoil = () => problem(503, 'overloaded');
    await assert.rejects(apple.pull(CHAT), { status: 503 });
    assert.equal(waits.length, 3 + 5, 'six tries');
    gateway.spoil = () => ({ status: 200, headers: {}, body: '<html>' });
    await assert.rejects(apple.pull(CHAT), { code: 'bad_reply' });
});

test('a request can be ended, and one that takes too long is', async (t) => {
    const server = await Server.start(t);
    const gateway = await Gateway.open(t, server.port);
    gateway.holdsStreams = true;
    const apple = new Client({ url: gateway.url, user: 'apple', retry: { tries: 1, tryMs: 50 } });
    const end = new AbortController();
    gateway.spoil = () => void end.abort(new Error('enough'));
    await assert.rejects(apple.send(CHAT, 'text', { signal: end.signal }), { message: 'enough' });
    const never = new Client({
        url: gateway.url,
        user: 'apple',
        retry: { tries: 1, tryMs: 50 },
        fetch: (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    await assert.rejects(never.pull(CHAT), { code: 'timeout' });
});

test('chats are spelled canonically, in order of bytes', () => {
    assert.equal(chatOf('banana', 'apple'), CHAT);
    assert.equal(chatOf('a', 'ab'), 'a:ab');
    assert.equal(chatOf('ab', 'a'), 'a:ab');
    assert.equal(chatOf('a', 'a'), 'a:a');
    // By UTF-16 it would be the other way round.
    assert.equal(chatOf('\u{1f600}', '\uffee'), '\uffee:\u{1f600}');
    assert.deepEqual([peerOf(CHAT, 'apple'), peerOf(CHAT, 'banana'), peerOf('a:a', 'a')], ['banana', 'apple', 'a']);
    assert.throws(() => peerOf(CHAT, 'cherry'), ChinwagError);
});

function problem(status, code, headers = {}) {
    return { status, headers: { 'Content-Type': 'application/problem+json', ...headers }, body: JSON.stringify({ code, status }) };
}
