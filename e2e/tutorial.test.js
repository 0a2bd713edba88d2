/**
 * docs/TUTORIAL.md, done by its own text: its commands are run as they stand, and each output must be as it is told. What people do
 * in their browsers is done here, in the order of the text, with the words that it names. The executable under test stands in for the
 * one that would be built, on a free port.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { executable } from '../web/client/test/support/server.js';
import { Person, Server, openBrowser } from './support.js';

const TEXT = readFileSync(resolve(import.meta.dirname, '../docs/TUTORIAL.md'), 'utf8');
/** The commands with the output that is told of each. */
const COMMANDS = [...TEXT.matchAll(/^```sh\n([^`]*)^```\n(?:```(json|text)\n([^`]*)^```)?/gm)].map(([, command, kind, output]) => ({ command, kind, output }));

/** What differs from one run to the next: times, keys that a browser chose, ports. */
function steady(text) {
    return text.replaceAll(/"(send_time|ts)":\d+/g, '"$1":0').replaceAll(/"key":"(?!from-the-tutorial)[^"]+"/g, '"key":""')
        .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, 'TIME').trimEnd();
}

test('the tutorial', { timeout: 240_000 }, async (t) => {
    const began = Date.now();
    for (const word of ['Your name', 'Start chatting', 'Search or start a chat', 'no connection']) assert.ok(TEXT.includes(word), word);
    const server = await Server.start(t);
    const run = ({ command, kind, output }) => {
        const here = command.replaceAll('http://localhost:8080', server.url).replaceAll('target/release/chinwag', executable());
        const ran = execFileSync('sh', ['-c', here], { encoding: 'utf8', env: { ...process.env, CHINWAG_SERVER: server.url }, stdio: ['ignore', 'pipe', 'pipe'] });
        assert.ok(kind, `no output is told of ${command}`);
        assert.equal(steady(ran), steady(output), command);
    };
    const serves = ({ command, output }) => {
        assert.equal(command, 'target/release/chinwag\n');
        const told = (text) => text.trim().replace(/^\S+Z /, 'TIME ').replace(/data=\S+/, 'data=').replace(/127\.0\.0\.1:\d+/, 'ADDRESS');
        assert.equal(told(server.log.split('\n').find((line) => line.includes('listening'))), told(output));
    };
    const [build, first, pull, send, second, history, ...none] = COMMANDS;
    assert.deepEqual([build.command, none], ['cargo build --release\n', []]);
    serves(first);

    const browser = await openBrowser(t);
    const apple = await Person.open(t, browser, `${server.url}/`);
    const banana = await Person.open(t, browser, `${server.url}/`);
    await apple.signIn('apple');
    await banana.signIn('banana');
    await apple.page.getByPlaceholder('Search or start a chat').fill('banana');
    await apple.page.keyboard.press('Enter');
    await apple.write('Hello how are you?');
    const chat = banana.page.locator('.chat', { hasText: 'apple' });
    await chat.locator('.count', { hasText: '1' }).waitFor();
    await chat.click();
    const is = (text, state) => apple.row(text).locator(`.ticks[aria-label="${state}"]`).waitFor();
    await is('Hello how are you?', 'Read');
    await banana.write('Fine, thanks.');
    await apple.row('Fine, thanks.').waitFor();
    await banana.row('Fine, thanks.').locator('.ticks[aria-label="Read"]').waitFor();

    run(pull);
    run(send);
    run(send);
    for (const person of [apple, banana]) await person.row('This is a program.').waitFor();

    await server.stop();
    for (const { page } of [apple, banana]) await page.getByText('No connection').first().waitFor();
    await apple.write('Are you still there?');
    await is('Are you still there?', 'Sending');
    await server.start();
    serves(second);
    await banana.row('Are you still there?').waitFor();
    run(history);
    assert.deepEqual([apple.complaints, banana.complaints], [[], []]);
    t.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s without the build`);
    await apple.shot('tutorial');
});
