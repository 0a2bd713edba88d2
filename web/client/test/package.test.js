import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { Server } from './support/server.js';

const root = resolve(import.meta.dirname, '..');

test('the package that npm packs is installed and used, with its types', async (t) => {
    const { url } = await Server.start(t);
    const directory = mkdtempSync(join(tmpdir(), 'chinwag-package-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const run = (file, ...args) => execFileSync(file, args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

    execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const [archive] = readdirSync(directory);
    writeFileSync(join(directory, 'package.json'), '{"private":true,"type":"module"}');
    run('npm', 'install', '--silent', '--offline', '--no-audit', '--no-fund', `./${archive}`);
    const installed = join(directory, 'node_modules/@chinwag/client');
    assert.deepEqual(readdirSync(installed).sort(), ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'src', 'types']);
    assert.deepEqual(readdirSync(join(directory, 'node_modules')).filter((name) => !name.startsWith('.')), ['@chinwag']);

    writeFileSync(join(directory, 'use.js'), `
        import { Client } from '@chinwag/client';
        const apple = new Client({ url: process.argv[2], user: 'apple' });
        const feed = apple.subscribe();
        for await (const update of feed) {
            if (update.type === 'ready') await apple.send('apple:banana', 'from the package');
            if (update.type === 'message') {
                console.log(update.message.text);
                break;
            }
        }
    `);
    assert.equal(run(process.execPath, 'use.js', url), 'from the package\n');

    writeFileSync(join(directory, 'use.ts'), `
        import { Client, ChinwagError, Outbox, chatOf, type Message, type OutboxStore, type Update } from '@chinwag/client';
        const client = new Client({ url: 'http://localhost', user: 'apple', token: async ({ renew }) => String(renew) });
        const sent: { message: Message; replayed: boolean } = await client.send(chatOf('a', 'b'), 'text', { data: { a: 1 } });
        for await (const message of client.messages('a:b', { reverse: true })) console.log(message.seq.toFixed(), sent.replayed);
        for await (const update of client.subscribe({ watch: ['b'] }) as AsyncIterable<Update>) {
            if (update.type === 'ready') update.face satisfies 'websocket' | 'sse' | 'poll';
            if (update.type === 'presence') update.online satisfies boolean;
            if (update.type === 'disconnected') update.error satisfies ChinwagError;
        }
        class Store implements OutboxStore {
            async all() { return []; }
            async put() {}
            async delete() {}
        }
        new Outbox(client, { store: new Store(), onChange: ({ type, message }) => console.log(type, message?.text) });
        // @ts-expect-error A user is needed.
        new Client({ url: 'http://localhost' });
        // @ts-expect-error A text is text.
        await client.send('a:b', 1);
    `);
    const options = { target: 'es2022', module: 'nodenext', strict: true, noEmit: true, types: [], lib: ['es2023', 'dom', 'dom.asynciterable'] };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['use.ts'] }));
    assert.equal(run(join(root, 'node_modules/.bin/tsc'), '-p', '.'), '');
});
