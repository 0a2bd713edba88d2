/** The page with tokens, and where no WebSocket goes through. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../web/client/src/index.js';
import { Person, Server, openBrowser, token } from './support.js';

const CHAT = 'apple:banana';

test('a server that asks for tokens', { timeout: 120_000 }, async (t) => {
    const server = await Server.guarded(t);
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    const { page } = apple;
    const banana = new Client({ url: server.url, user: 'banana', token: token('banana') });
    await banana.send(CHAT, 'hello');
    const signIn = async (text) => {
        await page.getByLabel('Token').fill(text);
        await page.getByRole('button', { name: 'Sign in' }).click();
    };
    await page.goto(`${apple.url}#banana`);
    assert.deepEqual(await apple.axe(), []);
    await signIn('nonsense');
    await page.getByRole('alert').filter({ hasText: 'not a token' }).waitFor();
    await signIn(token('apple', -3600));
    await page.getByRole('alert').filter({ hasText: 'has expired' }).waitFor();
    await apple.shot('token-refused');

    await signIn(token('apple', 6));
    await apple.row('hello').waitFor();
    await apple.write('with a token');
    await page.locator('.row.mine .ticks').waitFor();
    await apple.text.fill('a draft');
    // The token ends, and another goes on where this one was.
    await page.getByRole('alert').filter({ hasText: 'come to its end' }).waitFor();
    await banana.send(CHAT, 'meanwhile');
    await signIn(token('apple'));
    await apple.row('meanwhile').waitFor();
    assert.equal(await apple.text.inputValue(), 'a draft');
    await page.reload();
    await apple.row('meanwhile').waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem('chinwag session')), null, 'kept in this tab alone');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem('chinwag session')), null);
    assert.deepEqual(apple.complaints, []);
});

test('seven tabs without WebSockets share one stream', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    await apple.context.addInitScript(() => {
        globalThis.WebSocket = undefined;
        localStorage.setItem('chinwag session', '{"user":"apple"}');
    });
    let streams = 0;
    apple.context.on('request', (request) => (streams += request.url().includes('/api/events') ? 1 : 0));
    await apple.page.close();
    const banana = new Client({ url: server.url, user: 'banana' });
    await banana.send(CHAT, 'first');
    const tabs = [];
    // One more than the connections that a browser has for a host.
    for (let n = 0; n < 7; n++) {
        await apple.newPage();
        tabs.push(apple.page);
        await apple.page.goto(`${apple.url}#banana`);
        await apple.row('first').waitFor();
    }
    const heard = (text, pages) => Promise.all(pages.map((page) => page.locator('.row', { hasText: text }).waitFor()));
    await banana.send(CHAT, 'second');
    await heard('second', tabs);
    assert.equal(streams, 1);
    await tabs.shift().close();
    await banana.send(CHAT, 'third');
    await heard('third', tabs);
    await tabs[0].locator('#text').fill('from one tab');
    await tabs[0].locator('#text').press('Enter');
    await heard('from one tab', tabs);
    await server.kill();
    await server.start();
    await banana.send(CHAT, 'after a restart');
    await heard('after a restart', tabs);
    assert.deepEqual(apple.complaints, []);
});
