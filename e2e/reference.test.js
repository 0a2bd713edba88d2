/** The reference of the API at /docs. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Person, Server, openBrowser } from './support.js';

test('the reference shows each path and is found through', { timeout: 240_000 }, async (t) => {
    const server = await Server.start(t);
    const browser = await openBrowser(t);
    const { paths } = await (await fetch(`${server.url}/openapi.json`)).json();
    for (const [colorScheme, width] of [['light', 1180], ['dark', 390]]) {
        const reader = await Person.open(t, browser, `${server.url}/docs`, { viewport: { width, height: 800 }, colorScheme });
        await reader.page.goto(reader.url);
        await reader.page.locator('#operation-send').waitFor();
        await reader.shot(`docs-${colorScheme}-${width}`);
        assert.deepEqual(await reader.axe(), []);
        const shown = await reader.page.locator('article .path').allTextContents();
        assert.deepEqual([...new Set(shown)].sort(), Object.keys(paths).sort());
        const send = reader.page.locator('#operation-send');
        for (const header of ['Idempotent-Replayed', 'X-Request-Id', 'RateLimit', 'Traceparent']) await send.getByRole('rowheader', { name: header, exact: header !== 'X-Request-Id' }).waitFor();
        // What may be left out is explained too.
        await send.getByRole('row', { name: /^key .*visible ASCII/ }).waitFor();
        await reader.page.getByLabel('Filter').fill('not_a_member');
        await reader.page.locator('#operation-ping').waitFor({ state: 'hidden' });
        assert.ok(await reader.page.locator('#operation-send').isVisible());
        assert.deepEqual(reader.complaints, []);
        // A link to a place in it leads there, though the place is made late.
        await reader.page.goto(`${reader.url}#schema-Problem`);
        await reader.page.reload();
        await reader.page.waitForFunction(() => {
            const place = document.getElementById('schema-Problem')?.getBoundingClientRect();
            return place && place.top >= 0 && place.top < innerHeight;
        });
    }
});
