/** A conversation of 100,000 messages: it scrolls smoothly, and neither the page nor its memory grows. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../web/client/src/index.js';
import { Person, SHOTS, Server, openBrowser } from './support.js';

const COUNT = 100_000;
const ROWS_MAX = 320;
const WORDS = 'the rain in a harbour town never quite stops before somebody has said that it will so we wait'.split(' ');

const text = (n) => `${n}: ${WORDS.slice(0, 1 + ((n * 7) % WORDS.length)).join(' ')}`;

test('100,000 messages', { timeout: 300_000 }, async (t) => {
    const server = new Server();
    t.after(() => server.end());
    server.import(Array.from({ length: COUNT }, (_, at) => ({ sender: at % 3 ? 'apple' : 'banana', peer: at % 3 ? 'banana' : 'apple', text: text(at + 1), time: 1_700_000_000 + at * 60 })));
    await server.start();
    await new Client({ url: server.url, user: 'apple' }).read('apple:banana', COUNT);
    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    const { page } = apple;
    await apple.signIn('apple', { peer: 'banana' });
    await apple.row(text(COUNT)).waitFor();
    const memory = () => page.evaluate(() => {
        globalThis.gc();
        return { heap: performance.memory.usedJSHeapSize, rows: document.querySelectorAll('.row').length, nodes: document.querySelectorAll('*').length };
    });
    const before = await memory();

    await t.test('backward through thousands, without a gap or a jump', async () => {
        const cost = await costOf(page);
        const scrolled = await page.evaluate(async () => {
            const scroller = document.querySelector('.scroller');
            const seen = new Set();
            const slow = [];
            new PerformanceObserver((list) => slow.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
            const frames = [];
            let mostRows = 0;
            let moved = 0;
            let last = performance.now();
            const stuck = (what) => new Error(`${what}: ${JSON.stringify({ seen: seen.size, rows: document.querySelectorAll('.row').length, top: scroller.scrollTop, height: scroller.scrollHeight, busy: scroller.ariaBusy, hidden: document.hidden, page: document.body.innerText.slice(0, 500) })}`);
            const frame = () => new Promise((done, fail) => {
                const late = setTimeout(() => fail(stuck('no frame in 60 s')), 60_000);
                requestAnimationFrame(() => done(clearTimeout(late)));
            });
            let news = { size: 0, at: last };
            while (seen.size < 4_000) {
                if (seen.size > news.size) news = { size: seen.size, at: last };
                if (last - news.at > 60_000) throw stuck('no new message in 60 s');
                const rows = [...document.querySelectorAll('.row')];
                mostRows = Math.max(mostRows, rows.length);
                for (const row of rows) seen.add(Number(row.dataset.seq));
                const anchor = rows.find((row) => row.getBoundingClientRect().top > 100);
                const bottom = anchor?.getBoundingClientRect().bottom;
                scroller.scrollTop -= 240;
                await frame();
                const now = performance.now();
                frames.push(now - last);
                last = now;
                // What was in sight moves by as much as was scrolled, whatever was loaded above.
                if (anchor?.isConnected) moved = Math.max(moved, Math.abs(anchor.getBoundingClientRect().bottom - bottom - 240));
            }
            frames.sort((a, b) => a - b);
            const all = [...seen].sort((a, b) => a - b);
            return { mostRows, moved, isWhole: all.at(-1) - all[0] + 1 === all.length, frames: frames.length, median: frames[frames.length >> 1], p99: frames[Math.floor(frames.length * 0.99)], longest: frames.at(-1), longTasks: slow.length, longestTask: Math.max(0, ...slow) };
        });
        scrolled.cpuMs = await cost();
        t.diagnostic(`scrolling: ${JSON.stringify(scrolled)}`);
        writeFileSync(join(SHOTS, 'scrolling.json'), JSON.stringify(scrolled));
        assert.ok(scrolled.isWhole, 'no message was passed over');
        assert.ok(scrolled.mostRows <= ROWS_MAX, `${scrolled.mostRows} rows`);
        assert.ok(scrolled.moved <= 2, `what was in sight moved by ${scrolled.moved} px`);
    });

    await t.test('the scroll bar leads anywhere, both ways', async () => {
        for (const part of [0.5, 0.1, 0.9, 0]) {
            await page.evaluate((to) => {
                const scroller = document.querySelector('.scroller');
                scroller.scrollTop = to * scroller.scrollHeight;
            }, part);
            await page.waitForFunction((to) => {
                const scroller = document.querySelector('.scroller');
                const { top, bottom } = scroller.getBoundingClientRect();
                const row = [...document.querySelectorAll('.row')].find((one) => one.getBoundingClientRect().top > top && one.getBoundingClientRect().top < bottom);
                return row && !scroller.hasAttribute('aria-busy') && Math.abs(Number(row.dataset.seq) - to * 100_000) < 12_000;
            }, part);
        }
        await page.evaluate(() => (document.querySelector('.scroller').scrollTop = 0));
        await apple.row(/^1: /).waitFor();
        assert.equal(await page.locator('.row').first().getAttribute('data-seq'), '1');
        await apple.shot('long-beginning');
        await page.locator('.jump').click();
        await apple.row(text(COUNT)).waitFor();
    });

    await t.test('while one reads old messages, new ones wait at the end', async () => {
        await page.evaluate(() => (document.querySelector('.scroller').scrollTop -= 20_000));
        const banana = new Client({ url: server.url, user: 'banana' });
        await banana.send('apple:banana', 'news');
        await page.locator('.jump', { hasText: '1 new' }).waitFor();
        assert.equal(await apple.row('news').count(), 0);
        await apple.write('an answer');
        await apple.row('an answer').waitFor();
        await apple.row('news').waitFor();
    });

    const after = await memory();
    t.diagnostic(`memory: ${JSON.stringify({ before, after })}`);
    assert.ok(after.rows <= ROWS_MAX);
    assert.ok(after.heap < before.heap + 8 * 1024 * 1024, `the heap grew from ${before.heap} to ${after.heap}`);
    assert.deepEqual(apple.complaints, []);
});

/** What the page's thread does from here on, in milliseconds of the processor: a busy machine does not change it much. */
async function costOf(page) {
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const read = async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
    const before = await read();
    return async () => {
        const after = await read();
        const names = { all: 'TaskDuration', script: 'ScriptDuration', layout: 'LayoutDuration', style: 'RecalcStyleDuration' };
        return Object.fromEntries(Object.entries(names).map(([name, key]) => [name, Math.round((after[key] - before[key]) * 1000)]));
    };
}
