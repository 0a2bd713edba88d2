/**
 * How the page looks: both themes, three widths, busy, and what axe says of each. The pictures are for people; with
 * CHINWAG_PICTURES=1 the two of the README are made anew.
 */

import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { Client, chatOf } from '../web/client/src/index.js';
import { Person, SHOTS, Server, openBrowser } from './support.js';

const DAY_S = 86_400;
const OTHERS = [
    ['Noor', 1, 'The boxes are here. All nine of them, and the big one is only a little dented.'],
    ['שרה', 1, 'שלום! מתי נפגשים? at 10:30?'],
    ['Tomás', 2, 'Photos: https://example.org/album/2026?view=all'],
    ['Dad', 3, 'Call me when you are home. No hurry at all, I only wanted to know whether you still need the ladder on Sunday.'],
    ['Priya', 4, '👍'],
    ['Book club', 5, 'Chapter nine for Thursday'],
    ['Bakery on Mill Lane', 8, 'Your order is ready from eight o’clock.'],
    ['Ingrid', 12, 'Safe travels!'],
    ['Wen', 20, 'Found your umbrella'],
];
const TALK = [
    ['Jonas', 'Morning! Are we still on for the lake?'],
    ['Mira', 'Yes, if the rain stays away 🌧️'],
    ['Mira', 'I packed sandwiches and the big blanket.'],
    ['Jonas', 'Perfect. I will bring the thermos and something sweet.'],
    ['Jonas', 'The train leaves at 9:42 from platform 3, so let us meet at the kiosk ten minutes earlier.\nOtherwise the next one is an hour later.'],
    ['Mira', '9:30 then'],
    ['Jonas', '🎉🎉'],
    ['Mira', 'Here is the way: https://example.org/lake#north-shore'],
];

async function fill(server) {
    const now = Math.floor(Date.now() / 1000);
    const old = (sender, text, time) => ({ sender, peer: sender === 'Mira' ? 'Jonas' : 'Mira', text, time });
    server.import([
        ...OTHERS.map(([sender, days, text]) => old(sender, text, now - days * DAY_S)),
        ...TALK.map(([sender, text], at) => old(sender, text, now - 3600 - (TALK.length - at) * 150)),
    ]);
    await server.start();
    const of = (user) => new Client({ url: server.url, user });
    const chat = chatOf('Jonas', 'Mira');
    await of('Jonas').react(chat, 3, '❤️');
    await of('Mira').react(chat, 5, '👍');
    await of('Mira').edit(chat, 6, '9:30 then, at the kiosk');
    await of('Jonas').read(chat, 8);
    await of('Mira').read(chat, 8);
    for (const [peer] of OTHERS.slice(2)) await of('Mira').read(chatOf(peer, 'Mira'), 1);
    return of;
}

test('the page in both themes and three widths', { timeout: 240_000 }, async (t) => {
    const server = new Server(['--presence-grace-s', '600']);
    t.after(() => server.end());
    const of = await fill(server);
    // Someone who is there, for as long as the test goes on.
    const jonas = of('Jonas').subscribe({ faces: ['sse'] })[Symbol.asyncIterator]();
    await jonas.next();
    t.after(() => jonas.return());
    const noor = of('Noor').subscribe({ faces: ['sse'] })[Symbol.asyncIterator]();
    await noor.next();
    t.after(() => noor.return());
    const browser = await openBrowser(t);
    for (const colorScheme of ['light', 'dark']) {
        for (const [width, height] of [[1180, 720], [768, 900], [390, 760]]) {
            const name = `${colorScheme}-${width}`;
            const mira = await Person.open(t, browser, `${server.url}/`, { viewport: { width, height }, colorScheme, deviceScaleFactor: width === 390 ? 1.5 : 1 });
            await mira.page.goto(mira.url);
            await mira.page.getByLabel('Your name').waitFor();
            await mira.shot(`${name}-sign-in`);
            assert.deepEqual(await mira.axe(), [], name);
            await mira.signIn('Mira');
            await mira.page.locator('.chat .online').nth(1).waitFor();
            await mira.shot(`${name}-inbox`);
            assert.deepEqual(await mira.axe(), [], name);
            await mira.page.locator('.chat', { hasText: 'Jonas' }).click();
            await mira.row('the way').locator('.ticks.read').waitFor();
            await mira.page.locator('.status.is-online').waitFor();
            // The pointer rests on nothing.
            await mira.page.mouse.move(width - 5, 5);
            await mira.shot(`${name}-talk`);
            assert.deepEqual(await mira.axe(), [], name);
            const picture = { 'light-1180': 'page', 'dark-390': 'page-phone' }[name];
            if (picture && process.env.CHINWAG_PICTURES) {
                await mira.page.screenshot({ path: join(resolve(import.meta.dirname, '../docs/img'), `${picture}.png`) });
            }
            assert.deepEqual(mira.complaints, [], name);
            await mira.context.close();
        }
    }
    t.diagnostic(`pictures in ${SHOTS}`);
});
