/** What happens while one is away, looks at nothing, or has no connection, and how the page makes up for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, chatOf } from '../web/client/src/index.js';
import { Person, Server, Wire, openBrowser } from './support.js';

const CHAT = 'apple:banana';
const says = (locator, text) => locator.filter({ hasText: text }).first().waitFor();

test('without a connection nothing that was written is lost, and what was asked for comes later', { timeout: 240_000 }, async (t) => {
    const server = await Server.start(t);
    const wire = await Wire.open(t, server.port);
    const browser = await openBrowser(t);
    const of = (user) => new Client({ url: server.url, user });
    await of('apple').send(CHAT, 'with a mistake');
    await of('carol').send('apple:carol', 'from carol');
    const apple = await Person.open(t, browser, wire.url);
    const { page } = apple;
    await apple.signIn('apple', { peer: 'banana' });
    await apple.row('with a mistake').locator('.ticks').waitFor();
    await says(page.locator('.status'), 'Offline');

    wire.cut();
    await says(page.locator('.banner'), 'No connection');
    // Who is there is not known now.
    assert.equal(await page.locator('.status').textContent(), '');

    await apple.text.press('ArrowUp');
    await apple.write('without one');
    await says(page.locator('.toast'), 'That did not work: there is no connection.');
    await page.locator('.strip').waitFor();
    assert.equal(await apple.text.inputValue(), 'without one');
    assert.equal(await apple.row('without one').count(), 0);
    await apple.text.press('Escape');
    assert.equal(await apple.text.inputValue(), '');

    await page.locator('.chat', { hasText: 'carol' }).click();
    await says(page.locator('.scroller .empty'), 'The messages could not be loaded: there is no connection.');
    await apple.shot('not-loaded');
    assert.deepEqual(await apple.axe(), []);
    await apple.text.fill('half a line');
    wire.mend();
    await page.getByRole('button', { name: 'Try now' }).dispatchEvent('click');
    await apple.row('from carol').waitFor();
    assert.equal(await apple.text.inputValue(), 'half a line');
    await page.locator('.scroller .empty').waitFor({ state: 'hidden' });
    assert.deepEqual(apple.complaints, []);
});

test('what was sent and unsent while one was away counts for nothing', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const wire = await Wire.open(t, server.port);
    const browser = await openBrowser(t);
    const banana = new Client({ url: server.url, user: 'banana' });
    await banana.send(CHAT, 'first');
    const apple = await Person.open(t, browser, wire.url);
    const { page } = apple;
    await apple.signIn('apple');
    await page.waitForFunction(() => document.title === '(1) Chinwag');
    wire.cut();
    await says(page.locator('.banner'), 'No connection');
    const { message } = await banana.send(CHAT, 'a slip');
    await banana.unsend(CHAT, message.seq);
    await new Client({ url: server.url, user: 'carol' }).send('apple:carol', 'the last of what was missed');
    wire.mend();
    await page.getByRole('button', { name: 'Try now' }).dispatchEvent('click');
    await says(page.locator('.chat', { hasText: 'carol' }).locator('.count'), '1');
    await says(page.locator('.chat', { hasText: 'banana' }), 'Message unsent');
    assert.equal(await page.locator('.chat', { hasText: 'banana' }).locator('.count').textContent(), '1');
    await page.waitForFunction(() => document.title === '(2) Chinwag');
    assert.deepEqual(apple.complaints, []);
});

test('the title counts what lies beyond the chats that are loaded, and what was read no longer', { timeout: 120_000 }, async (t) => {
    const server = new Server();
    t.after(() => server.end());
    // One page of the list and ten chats more.
    server.import(Array.from({ length: 110 }, (_, n) => ({ sender: `person ${String(n).padStart(3, '0')}`, peer: 'apple', text: `hello ${n}`, time: 1_700_000_000 + n })));
    await server.start();
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    const { page } = apple;
    const counts = (unread) => page.waitForFunction((wanted) => document.title === wanted, unread > 0 ? `(${unread}) Chinwag` : 'Chinwag');
    await apple.signIn('apple');
    await counts(110);
    await page.locator('.chat', { hasText: 'person 109' }).click();
    await counts(109);
    // One of those that are not loaded comes to the top.
    await new Client({ url: server.url, user: 'person 003' }).send(chatOf('person 003', 'apple'), 'again');
    await says(page.locator('.chat', { hasText: 'person 003' }).locator('.count'), '2');
    await counts(110);
    await page.locator('.chat', { hasText: 'person 003' }).click();
    await counts(108);
    await page.getByRole('searchbox').fill('person 00');
    await says(page.locator('.chat'), 'person 000');
    await counts(108);
    assert.deepEqual(apple.complaints, []);
});

test('a page that stays open knows when a day has passed', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    await new Client({ url: server.url, user: 'banana' }).send(CHAT, 'hello');
    const apple = await Person.open(t, browser, `${server.url}/`);
    const { page } = apple;
    await page.clock.install({ time: Date.now() });
    await apple.signIn('apple', { peer: 'banana' });
    await apple.row('hello').waitFor();
    assert.equal(await page.locator('.day').textContent(), 'Today');
    await page.clock.fastForward('24:00:00');
    await says(page.locator('.day'), 'Yesterday');
    await says(page.locator('.chat .when'), 'Yesterday');
    assert.deepEqual(apple.complaints, []);
});

test('the keyboard is led back to the list, and the list shows one thing at a time', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const banana = new Client({ url: server.url, user: 'banana' });
    await new Client({ url: server.url, user: 'apple' }).send(CHAT, 'mine is the last');
    await new Client({ url: server.url, user: 'carol' }).send('apple:carol', 'hi');
    const apple = await Person.open(t, browser, `${server.url}/`);
    const { page } = apple;
    await apple.signIn('apple');
    const chat = page.locator('.chat', { hasText: 'banana' });
    await chat.locator('.ticks').waitFor();
    await chat.focus();
    await page.keyboard.press('Enter');
    await apple.row('mine is the last').waitFor();
    await banana.typing(CHAT);
    await says(chat, 'typing…');
    assert.equal(await chat.locator('.ticks').count(), 0, 'the ticks are of a message that is not shown');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement?.dataset.chat === 'apple:banana');

    // Nothing is offered that the server would refuse.
    await page.getByRole('searchbox').fill('é'.repeat(65));
    await says(page.locator('.side .empty'), 'This name is too long.');
    await page.evaluate(() => (location.hash = `#${'x'.repeat(129)}`));
    await page.locator('.nobody').waitFor();
    assert.deepEqual(apple.complaints, []);
});

test('a browser that keeps nothing can chat nevertheless', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    await apple.context.addInitScript(() => {
        const refuse = () => {
            throw new DOMException('not for this page', 'SecurityError');
        };
        IDBFactory.prototype.open = refuse;
        for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(globalThis, name, { get: refuse });
    });
    await apple.signIn('apple', { peer: 'banana' });
    await says(apple.page.locator('.toast'), 'This browser keeps nothing');
    await apple.write('hello');
    await apple.row('hello').locator('.ticks[aria-label="Sent"]').waitFor();
    assert.equal(await apple.page.locator('.row.pending').count(), 0);
    assert.deepEqual(apple.complaints, []);
});
