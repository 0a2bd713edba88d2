/** Two people in two browsers, with all that goes wrong in between. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../web/client/src/index.js';
import { Person, Server, Wire, openBrowser } from './support.js';

const CHAT = 'apple:banana';

/** Waits until a locator has exactly this text. */
async function says(locator, text) {
    await locator.filter({ hasText: text }).first().waitFor();
}

const ticks = (person, text, state) => person.row(text).locator(`.ticks[aria-label="${state}"]`).waitFor();

test('two people talk', { timeout: 300_000 }, async (t) => {
    const server = await Server.start(t, ['--presence-grace-s', '1']);
    const wire = await Wire.open(t, server.port);
    const browser = await openBrowser(t);
    // Nineteen hours lie between them, so that they differ on which day it is.
    const apple = await Person.open(t, browser, wire.url, { timezoneId: 'Pacific/Kiritimati', colorScheme: 'light', permissions: ['clipboard-read', 'clipboard-write', 'notifications'] });
    const banana = await Person.open(t, browser, `${server.url}/`, { timezoneId: 'Pacific/Pago_Pago', colorScheme: 'dark', viewport: { width: 820, height: 700 } });

    await t.test('sign-in', async () => {
        await apple.page.goto(apple.url);
        assert.deepEqual(await apple.axe(), []);
        await apple.page.getByLabel('Your name').fill('ap:ple');
        await apple.page.getByRole('button', { name: 'Start chatting' }).click();
        await says(apple.page.getByRole('alert'), 'no colon');
        await apple.shot('sign-in-refused');
        await apple.signIn('apple');
        await says(apple.page.locator('.empty'), 'No chats yet');
        await apple.shot('empty');
        assert.deepEqual(await apple.axe(), []);
    });

    await t.test('a chat is started by a name, and a message is sent, delivered and read', async () => {
        await apple.page.keyboard.press('/');
        await apple.page.keyboard.type('banana');
        await apple.page.keyboard.press('Enter');
        await says(apple.page.locator('.scroller .empty'), 'No messages yet');
        await apple.write('Hello how are you?');
        await ticks(apple, 'Hello how are you?', 'Sent');
        await banana.signIn('banana');
        await ticks(apple, 'Hello how are you?', 'Delivered');
        const chat = banana.page.locator('.chat', { hasText: 'apple' });
        await says(chat.locator('.count'), '1');
        assert.equal(await banana.page.title(), '(1) Chinwag');
        await chat.click();
        await says(banana.page.locator('.new-line'), 'New messages');
        await ticks(apple, 'Hello how are you?', 'Read');
        await chat.locator('.count').waitFor({ state: 'detached' });
        await banana.page.waitForFunction(() => document.title === 'Chinwag');
    });

    await t.test('typing and presence', async () => {
        await says(apple.page.locator('.status'), 'Online');
        await banana.text.pressSequentially('Fine');
        await says(apple.page.locator('.status'), 'typing…');
        await apple.page.locator('.dots').waitFor();
        await banana.text.press('Enter');
        await says(apple.row('Fine').first(), 'Fine');
        await apple.page.locator('.dots').waitFor({ state: 'detached' });
    });

    await t.test('each sees the time and the day of their own place', async () => {
        const shown = async (person) => [await person.row('Hello how').locator('time').last().textContent(), await person.page.locator('.day').first().textContent()];
        const day = (zone) => new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: 'numeric', minute: '2-digit' }).format(sentAt);
        const sentAt = (await new Client({ url: server.url, user: 'apple' }).pull(CHAT)).messages[0].ts / 1000;
        assert.deepEqual(await shown(apple), [day('Pacific/Kiritimati'), 'Today']);
        assert.deepEqual(await shown(banana), [day('Pacific/Pago_Pago'), 'Today']);
        assert.notEqual(day('Pacific/Kiritimati'), day('Pacific/Pago_Pago'));
    });

    await t.test('edit, react, copy and unsend, by mouse and by keyboard', async () => {
        await banana.row('Fine').hover();
        await banana.page.getByRole('button', { name: 'Edit', exact: true }).click();
        await banana.shot('editing');
        await banana.write('Fine, thanks.');
        await says(apple.row('Fine, thanks.').locator('.edited'), 'edited');

        // By keyboard alone: to the message, its tools, the first emoji.
        await apple.text.press('Escape');
        await apple.page.keyboard.press('ArrowUp');
        await apple.page.keyboard.press('r');
        await apple.page.keyboard.press('Enter');
        await says(banana.row('Fine, thanks.').locator('.reaction'), '👍');
        await apple.row('Fine, thanks.').locator('.reaction[aria-pressed="true"]').click();
        await banana.row('Fine, thanks.').locator('.reaction').waitFor({ state: 'detached' });
        await apple.row('Fine, thanks.').hover();
        await apple.page.getByRole('button', { name: 'React', exact: true }).click();
        await apple.page.getByRole('button', { name: 'More emoji' }).click();
        assert.deepEqual(await apple.axe(), []);
        await apple.page.getByRole('button', { name: 'owl' }).click();
        await says(banana.row('Fine, thanks.').locator('.reaction'), '🦉');

        await apple.row('Fine, thanks.').focus();
        await apple.page.keyboard.press('c');
        await says(apple.page.locator('.toast'), 'Copied');
        assert.equal(await apple.page.evaluate(() => navigator.clipboard.readText()), 'Fine, thanks.');

        await banana.text.focus();
        await banana.text.press('ArrowUp');
        assert.equal(await banana.text.inputValue(), 'Fine, thanks.');
        await banana.text.press('Escape');
        await banana.write('a slip');
        await says(apple.row('a slip'), 'a slip');
        await banana.row('a slip').focus();
        await banana.page.keyboard.press('Delete');
        assert.deepEqual(await banana.axe(), []);
        await banana.shot('unsending');
        await banana.page.getByRole('button', { name: 'Unsend', exact: true }).click();
        await says(apple.page.locator('.row'), 'This message was unsent');
        await says(banana.page.locator('.row'), 'You unsent this message');
        await apple.row('a slip').waitFor({ state: 'detached' });
    });

    await t.test('links are safe, emoji are large, and text of either direction stands by itself', async () => {
        await apple.write('See https://example.org/a(b)?c=d. Or mailto:x@example.org, not javascript:alert(1) nor https://bank.example@evil.example/');
        const links = banana.row('See https').locator('a');
        await links.nth(2).waitFor();
        const found = await links.evaluateAll((all) => all.map(({ href, rel, target }) => [href, rel, target]));
        const rest = ['noopener noreferrer nofollow', '_blank'];
        assert.deepEqual(found, [['https://example.org/a(b)?c=d', ...rest], ['mailto:x@example.org', ...rest], ['https://bank.example@evil.example/', ...rest]]);
        await says(banana.row('See https').locator('.goes-to'), 'goes to evil.example');
        await apple.write('👩‍👩‍👧‍👦🏳️‍🌈');
        await banana.page.locator('.text.emoji', { hasText: '👩‍👩‍👧‍👦🏳️‍🌈' }).waitFor();
        await apple.write('שלום, hello');
        await banana.row('שלום, hello').waitFor();
        assert.equal(await banana.row('שלום, hello').locator('.text').evaluate((text) => getComputedStyle(text).direction), 'rtl');
        await ticks(apple, 'שלום, hello', 'Read');
    });

    await t.test('the network is cut, and nothing is lost', async () => {
        wire.cut();
        await says(apple.page.locator('.banner'), 'No connection');
        await apple.write('written while away');
        await apple.write('and another');
        await apple.page.locator('.row.pending', { hasText: 'written while away' }).waitFor();
        await banana.write('said meanwhile');
        await apple.shot('broken');
        assert.deepEqual(await apple.axe(), []);
        wire.mend();
        // The page may have been quicker, and then the button is hidden.
        await apple.page.getByRole('button', { name: 'Try now' }).dispatchEvent('click');
        await says(apple.row('said meanwhile'), 'said meanwhile');
        await ticks(apple, 'and another', 'Read');
        await apple.page.locator('.row.pending').waitFor({ state: 'detached' });
        await apple.page.locator('.banner').waitFor({ state: 'hidden' });
        const { messages } = await new Client({ url: server.url, user: 'apple' }).pull(CHAT, { limit: 100 });
        assert.deepEqual(messages.slice(-3).map(({ text }) => text), ['said meanwhile', 'written while away', 'and another']);
    });

    await t.test('the server is killed and started again', async () => {
        await server.kill();
        await says(banana.page.locator('.banner'), 'No connection');
        await banana.write('into the void');
        await server.start();
        await says(apple.row('into the void'), 'into the void');
        await ticks(banana, 'into the void', 'Read');
    });

    await t.test('a reload keeps who one is, the draft, and what waits to be sent', async () => {
        wire.cut();
        await says(apple.page.locator('.banner'), 'No connection');
        await apple.write('survives a reload');
        await apple.page.locator('.row.pending', { hasText: 'survives a reload' }).waitFor();
        await apple.text.fill('half a thou');
        wire.mend();
        await apple.page.reload();
        await ticks(apple, 'survives a reload', 'Read');
        assert.equal(await apple.text.inputValue(), 'half a thou');
        await apple.text.fill('');
        assert.equal(await banana.row('survives a reload').count(), 1);
    });

    await t.test('what the server refuses is shown as failed, and retried', async () => {
        const refuse = (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: '{"code":"blocked","status":403,"detail":"the peer takes nothing from this user"}' });
        await apple.page.route('**/api/send', refuse);
        await apple.write('not at first');
        await says(apple.page.locator('.failure'), 'Not sent: banana takes nothing from you.');
        await apple.shot('failed');
        assert.deepEqual(await apple.axe(), []);
        await apple.page.unroute('**/api/send', refuse);
        await apple.page.getByRole('button', { name: 'Retry' }).click();
        await ticks(apple, 'not at first', 'Read');
        await apple.text.fill('x'.repeat(16_385));
        await says(apple.page.locator('.left'), 'Too long by 1 bytes');
        assert.equal(await apple.page.getByRole('button', { name: 'Send' }).isDisabled(), true);
        await apple.text.fill('');
    });

    await t.test('who looks elsewhere is told', async () => {
        await apple.page.evaluate(() => {
            globalThis.told = [];
            globalThis.Notification = class {
                static permission = 'granted';
                constructor(title, { body }) {
                    globalThis.told.push([title, body]);
                }
            };
        });
        await apple.page.keyboard.press('Escape');
        await apple.page.keyboard.press('Escape');
        await apple.page.getByRole('button', { name: 'Settings' }).click();
        await apple.page.getByLabel('Notify me of new messages').check();
        await apple.page.keyboard.press('Escape');
        await banana.write('are you there?');
        await apple.page.waitForFunction(() => document.title === '(1) Chinwag');
        assert.deepEqual(await apple.page.evaluate(() => globalThis.told), [['banana', 'are you there?']]);
        await says(apple.page.locator('.chat .count'), '1');
    });

    await t.test('settings, search and small screens', async () => {
        await apple.page.keyboard.press('?');
        await apple.page.getByLabel('Dark').check({ force: true });
        assert.deepEqual(await apple.axe(), []);
        await apple.shot('settings');
        await apple.page.keyboard.press('Escape');
        assert.deepEqual(await apple.axe(), []);
        const carol = new Client({ url: server.url, user: 'Carol' });
        await carol.send('Carol:apple', 'hi');
        await says(apple.page.locator('.chat'), 'Carol');
        await apple.page.getByRole('searchbox').fill('cár');
        assert.deepEqual(await apple.page.locator('.chat .who').allTextContents(), ['Carol', 'cár']);
        await apple.page.setViewportSize({ width: 390, height: 780 });
        await apple.page.locator('.chat').first().click();
        await apple.row('hi').waitFor();
        assert.equal(await apple.page.locator('.side').isVisible(), false);
        assert.deepEqual(await apple.axe(), []);
        await apple.shot('small');
        await apple.page.getByRole('button', { name: 'All chats' }).click();
        assert.equal(await apple.page.locator('.side').isVisible(), true);
        assert.deepEqual(await apple.axe(), []);
    });

    assert.deepEqual([apple.complaints, banana.complaints], [[], []]);
});
