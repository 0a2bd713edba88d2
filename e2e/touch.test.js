/** The page under a finger, on a small phone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../web/client/src/index.js';
import { Person, Server, openBrowser } from './support.js';

const CHAT = 'Jonas:Mira';

test('everything that one does to a message is done by touch', { timeout: 120_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const [jonas, mira] = ['Jonas', 'Mira'].map((user) => new Client({ url: server.url, user }));
    for (let n = 0; n < 5; n++) await jonas.send(CHAT, `message ${n}`);
    for (const text of ['with a mistake', 'a slip']) await mira.send(CHAT, text);
    const phone = await Person.open(t, browser, `${server.url}/`, {
        viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, permissions: ['clipboard-read', 'clipboard-write'],
    });
    const { page } = phone;
    const tap = (name) => page.getByRole('button', { name, exact: true }).tap();
    /** Nothing is wider than the phone, and nothing that is open lies beyond its edge. */
    const fits = async () => {
        const beyond = await page.evaluate(() => [...document.querySelectorAll('.tools:not([hidden]), .emoji-panel, dialog[open], .composer, .talk-head')]
            .map((one) => [one.className, one.getBoundingClientRect()])
            .filter(([, { left, right, width }]) => width > 0 && (left < 0 || right > innerWidth)).map(([name]) => name));
        assert.deepEqual([beyond, await page.evaluate(() => document.documentElement.scrollWidth)], [[], 320]);
    };

    await page.goto(phone.url);
    await page.getByLabel('Your name').fill('Mira');
    await tap('Start chatting');
    await page.locator('.chat', { hasText: 'Jonas' }).tap();
    await phone.row('a slip').waitFor();
    // The keyboard would cover half of what one came to read.
    assert.notEqual(await page.evaluate(() => document.activeElement?.id), 'text');

    await phone.row('message 3').locator('.bubble').tap();
    await fits();
    await tap('React');
    await fits();
    await tap('React with 👍');
    await phone.row('message 3').locator('.reaction', { hasText: '👍' }).waitFor();
    await phone.row('a slip').locator('.bubble').tap();
    await tap('React');
    await fits();
    await tap('More emoji');
    await phone.shot('touch-emoji');
    await fits();
    await tap('owl');
    await phone.row('a slip').locator('.reaction', { hasText: '🦉' }).waitFor();

    await phone.row('message 1').locator('.bubble').tap();
    await tap('Copy');
    await page.locator('.toast', { hasText: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'message 1');

    await phone.row('with a mistake').locator('.bubble').tap();
    await phone.shot('touch-tools');
    await tap('Edit');
    assert.equal(await page.locator('.tools').isVisible(), false);
    await phone.text.fill('without one');
    await tap('Send');
    await phone.row('without one').locator('.edited').waitFor();
    assert.equal(await phone.row('with a mistake').count(), 0);

    await phone.row('a slip').locator('.bubble').tap();
    await tap('Unsend');
    await fits();
    await page.getByRole('dialog').getByRole('button', { name: 'Unsend' }).tap();
    await page.locator('.row', { hasText: 'You unsent this message' }).waitFor();

    await tap('About Jonas');
    await fits();
    await tap('Block');
    await page.locator('.barred').waitFor();
    await tap('Unblock');
    await phone.text.waitFor();
    await tap('All chats');
    await page.locator('.side').waitFor();
    await tap('Settings');
    await fits();
    assert.deepEqual(phone.complaints, []);
});
