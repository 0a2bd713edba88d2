/** Blocking someone: by the page alone, on every device, and what the other one sees of it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../web/client/src/index.js';
import { Person, Server, openBrowser } from './support.js';

const CHAT = 'apple:banana';

test('who is blocked is silent, and is told when writing', { timeout: 240_000 }, async (t) => {
    const server = await Server.start(t, ['--presence-grace-s', '1']);
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`, { colorScheme: 'light' });
    const banana = await Person.open(t, browser, `${server.url}/`, { colorScheme: 'dark', viewport: { width: 390, height: 760 } });
    const { page } = apple;
    const says = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
    const is = (person, text, state) => person.row(text).locator(`.ticks[aria-label="${state}"]`).waitFor();
    const asBanana = new Client({ url: server.url, user: 'banana' });

    await apple.signIn('apple', { peer: 'banana' });
    await apple.write('hello');
    await banana.signIn('banana');
    await banana.page.locator('.chat', { hasText: 'apple' }).click();
    await is(apple, 'hello', 'Read');
    await says(page.locator('.status'), 'Online');
    // Another device of apple's, which hears of the block.
    const tab = await Person.open(t, browser, `${server.url}/`);
    await tab.signIn('apple', { peer: 'banana' });
    await tab.text.fill('a draft');

    await t.test('by keyboard, from the head of the chat', async () => {
        await page.getByRole('button', { name: 'About banana' }).focus();
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Block', exact: true }).waitFor();
        await apple.shot('about');
        assert.deepEqual(await apple.axe(), []);
        await page.getByRole('button', { name: 'Block', exact: true }).focus();
        await page.keyboard.press('Enter');
        await says(page.locator('.barred'), 'You block banana.');
        await says(page.locator('.status'), 'Blocked');
        await page.getByRole('img', { name: 'Blocked' }).waitFor();
        assert.equal(await apple.text.isVisible(), false);
        await apple.shot('blocked');
        assert.deepEqual(await apple.axe(), []);
        await says(tab.page.locator('.barred'), 'You block banana.');
        assert.deepEqual((await new Client({ url: server.url, user: 'apple' }).blocks()).blocks.map(({ peer }) => peer), ['banana']);
    });

    await t.test('the other one sees nobody, and is told when writing', async () => {
        await says(banana.page.locator('.status'), 'Offline');
        await banana.text.pressSequentially('are you there?');
        await banana.text.press('Enter');
        await says(banana.page.locator('.failure'), 'Not sent: apple takes nothing from you.');
        await banana.shot('blocked-by-peer');
        assert.deepEqual(await banana.axe(), []);
        await banana.row('hello').focus();
        await banana.page.keyboard.press('r');
        await banana.page.keyboard.press('Enter');
        await says(banana.page.locator('.toast'), 'That did not work: apple takes nothing from you.');
        assert.equal(await page.locator('.dots').count(), 0);
        assert.equal(await apple.row('are you there?').count(), 0);
    });

    await t.test('it is known after a reload, and ended in the settings', async () => {
        await page.reload();
        await says(page.locator('.barred'), 'You block banana.');
        await page.keyboard.press('?');
        await apple.shot('settings-blocked');
        assert.deepEqual(await apple.axe(), []);
        await page.getByRole('button', { name: 'Unblock banana' }).click();
        await says(page.getByRole('button', { name: 'Unblock banana' }), 'Unblocked');
        await page.keyboard.press('Escape');
        await page.locator('.barred').waitFor({ state: 'hidden' });
        await says(page.locator('.status'), 'Online');
        await tab.page.locator('.barred').waitFor({ state: 'hidden' });
        assert.equal(await tab.text.inputValue(), 'a draft');
        await banana.page.getByRole('button', { name: 'Retry' }).click();
        await says(apple.row('are you there?'), 'are you there?');
        await is(banana, 'are you there?', 'Read');
    });

    await t.test('from where the field was, and what moved meanwhile is seen after it', async () => {
        await apple.write('before the block');
        await is(apple, 'before the block', 'Read');
        await page.getByRole('button', { name: 'About banana' }).click();
        await page.getByRole('button', { name: 'Block', exact: true }).click();
        await says(page.locator('.barred'), 'You block banana.');
        await new Client({ url: server.url, user: 'apple' }).send(CHAT, 'from another program');
        await asBanana.read(CHAT, 10);
        await is(apple, 'from another program', 'Sent');
        await page.getByRole('button', { name: 'Unblock', exact: true }).click();
        await is(apple, 'from another program', 'Read');
        await apple.write('and again');
        await is(apple, 'and again', 'Read');
    });

    await t.test('hundreds are listed a few at a time', async () => {
        const asApple = new Client({ url: server.url, user: 'apple' });
        for (let n = 0; n < 120; n++) await asApple.block(`person ${String(n).padStart(3, '0')}`);
        // The last of their events has come.
        await page.evaluate(() => (location.hash = '#person%20119'));
        await says(page.locator('.barred'), 'person 119');
        await page.getByRole('button', { name: 'Settings' }).click();
        await says(page.locator('.blocked li'), 'person 000');
        assert.equal(await page.locator('.blocked li').count(), 50);
        await page.getByRole('button', { name: 'Show more' }).click();
        await page.getByRole('button', { name: 'Show more' }).click();
        assert.equal(await page.locator('.blocked li').count(), 120);
        assert.equal(await page.getByRole('button', { name: 'Show more' }).isVisible(), false);
        assert.deepEqual(await apple.axe(), []);
    });

    assert.deepEqual([apple.complaints, banana.complaints, tab.complaints], [[], [], []]);
});
