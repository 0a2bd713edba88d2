/** Names and texts that mean harm do none. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, chatOf } from '../web/client/src/index.js';
import { Person, Server, openBrowser } from './support.js';

/** Zalgo: one letter under 8,191 marks, 16 KiB and no byte more than the server takes. */
const HEAP = `x${'\u0301'.repeat(8_191)}`;
const NAMES = ['<script>document.title="x"</script>', '<img src=x onerror=alert(1)>', '\u202Egnp.exe', `n${'\u0336'.repeat(60)}`, 'x'.repeat(128), '../api/send?', 'a#b%41', '__proto__', 'constructor', '👩‍👩‍👧‍👦', '\u2066\u2067\u2068open'];
const TEXTS = [
    '<script>document.title="x"</script><img src=x onerror="document.title=1"><a href="javascript:alert(1)">x</a>',
    'javascript:alert(1) data:text/html,<script>alert(1)</script> vbscript:x file:///etc/passwd',
    'https://google.com@evil.example/login https://evil.example\u202E/moc.elgoog https://\u0430pple.com/ http://user:secret@evil.example:8080/',
    '\u202Eright to left from here\u202C and back \u2066isolated',
    HEAP,
    'word'.repeat(4_000),
    '\n'.repeat(2_000) + 'the end',
    '[31m red \u0007 bell \u200B zero \uFEFF \uFFFE',
    '&lt;b&gt; {{7*7}} ${7*7} %s %n \\u0041',
];

/** A name as it must be shown: what can't be seen is told. */
const shown = (name) => name.replace(/[\u202a-\u202e\u2066-\u2069]/g, (char) => `‹U+${char.charCodeAt(0).toString(16).toUpperCase()}›`);

test('hostile names and texts', { timeout: 240_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const of = (user) => new Client({ url: server.url, user });
    for (const name of NAMES) await of(name).send(chatOf(name, 'apple'), `from ${name}`);
    const mallory = of('mallory');
    const chat = chatOf('mallory', 'apple');
    for (const text of TEXTS) await mallory.send(chat, text);
    for (const emoji of ['<b>', '\u202Ex', '😀'.repeat(16)]) await mallory.react(chat, 1, emoji);

    const apple = await Person.open(t, browser, `${server.url}/`, { colorScheme: 'light' });
    const { page } = apple;
    await apple.signIn('apple');
    await page.locator('.chat', { hasText: 'mallory' }).waitFor();
    assert.deepEqual((await page.locator('.chat .who').allTextContents()).sort(), ['mallory', ...NAMES.map(shown)].sort(), 'names show all they are made of');

    await page.locator('.chat', { hasText: 'mallory' }).click();
    await apple.row('{{7*7}}').waitFor();
    await page.waitForFunction((count) => document.querySelectorAll('.row .text').length === count, TEXTS.length);
    assert.deepEqual(await page.locator('.row .text').evaluateAll((all) => all.map((one) => {
        const copy = one.cloneNode(true);
        for (const note of copy.querySelectorAll('.goes-to')) note.remove();
        return copy.textContent;
    })), TEXTS, 'texts are text, to the letter');
    assert.equal(await page.locator('.talk script, .talk img, .talk iframe, .side script').count(), 0);
    const schemes = await page.locator('.talk a').evaluateAll((all) => all.map(({ protocol }) => protocol));
    assert.ok(schemes.length >= 4 && schemes.every((scheme) => ['http:', 'https:', 'mailto:'].includes(scheme)), schemes.join());
    const honest = await page.locator('.goes-to').allTextContents();
    assert.deepEqual(honest.map((text) => text.trim()), ['(goes to evil.example)', '(goes to xn--pple-43d.com)', '(goes to evil.example:8080)']);

    // Nothing covers what is not its own: each row keeps within its bubble, and the next begins after it.
    const boxes = await page.locator('.row .bubble').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));
    boxes.slice(1).forEach((box, at) => assert.ok(box.top >= boxes[at].bottom - 1, `bubble ${at + 1} begins within the one before`));
    const wide = await page.evaluate(() => [document.querySelector('.scroller'), document.querySelector('.chats-scroller'), document.documentElement].map((one) => one.scrollWidth - one.clientWidth));
    assert.deepEqual(wide, [0, 0, 0], 'nothing is wider than its place');
    assert.ok(boxes.every(({ height }) => height < 700), 'long texts are folded up');
    await page.locator('.more').first().click();
    await apple.shot('hostile');
    assert.deepEqual(await apple.axe(), []);

    for (const name of NAMES) {
        await page.evaluate((to) => (location.hash = `#${encodeURIComponent(to)}`), name);
        await page.waitForFunction((to) => document.querySelector('.talk-head h2 bdi')?.textContent === to, shown(name));
        await apple.row(`from ${name}`).waitFor();
        await apple.write('an answer');
        await page.locator('.row.mine .ticks.sent').waitFor();
    }
    await apple.shot('hostile-names');
    for (const hash of ['#%', '#%ff', '#a%3Ab', '#']) {
        await page.evaluate((to) => (location.hash = to), hash);
        await page.locator('.nobody').waitFor();
    }
    assert.equal(await page.title(), 'Chinwag');
    assert.deepEqual(apple.complaints, []);
});
