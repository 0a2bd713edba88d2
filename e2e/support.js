/** Browsers, people in them, and a way to a server that can be cut. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { Server } from '../web/client/test/support/server.js';

export { Server, token, within } from '../web/client/test/support/server.js';

const ROOT = resolve(import.meta.dirname, '..');
/** Where screenshots go. */
export const SHOTS = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'e2e');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(SHOTS, { recursive: true });

/** The browser: that of the variable `CHROMIUM`, or Debian's. */
export async function openBrowser(test) {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    if (!existsSync(executablePath)) throw new Error(`no browser at ${executablePath}: apt-get install chromium`);
    const args = ['--no-sandbox', '--disable-dev-shm-usage', '--enable-precise-memory-info', '--js-flags=--expose-gc'];
    const browser = await chromium.launch({ executablePath, args });
    test.after(() => browser.close());
    return browser;
}

/** Passes bytes on to a server until it is cut. */
export class Wire {
    #sockets = new Set();
    #isCut = false;

    static async open(test, port) {
        const wire = new Wire();
        const listener = net.createServer((socket) => {
            if (wire.#isCut) return socket.destroy();
            const onward = net.connect(port, '127.0.0.1');
            for (const one of [socket, onward]) {
                wire.#sockets.add(one);
                one.on('error', () => one.destroy());
                one.on('close', () => {
                    wire.#sockets.delete(one);
                    socket.destroy();
                    onward.destroy();
                });
            }
            return socket.pipe(onward).pipe(socket);
        });
        await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
        wire.url = `http://127.0.0.1:${listener.address().port}/`;
        test.after(() => {
            wire.cut();
            listener.close();
        });
        return wire;
    }

    cut() {
        this.#isCut = true;
        for (const socket of this.#sockets) socket.destroy();
    }

    mend() {
        this.#isCut = false;
    }
}

/** Someone in a browser of their own. Whatever its console or its policy complains of is kept in `complaints`. */
export class Person {
    complaints = [];

    static async open(test, browser, url, options = {}) {
        const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: 'en-GB', ...options });
        const person = new Person();
        person.context = context;
        person.url = url;
        await context.addInitScript(() => {
            document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
        });
        await person.newPage();
        test.after(() => context.close());
        return person;
    }

    async newPage() {
        this.page = await this.context.newPage();
        this.page.setDefaultTimeout(30_000);
        this.page.on('console', (message) => message.type() === 'error' && this.#complain(message.text()));
        this.page.on('pageerror', (error) => this.complaints.push(`error: ${error.stack}`));
        this.page.on('request', (request) => {
            const { origin } = new URL(request.url());
            if (origin !== new URL(this.url).origin) this.complaints.push(`a request to ${request.url()}`);
        });
    }

    /** A browser says of its own that a connection failed; a test that cuts it knows. */
    #complain(text) {
        if (/net::ERR_|WebSocket connection to|status of 40[13]|status of 400/.test(text)) return;
        this.complaints.push(text);
    }

    async signIn(name, { peer = '' } = {}) {
        await this.page.goto(`${this.url}#${encodeURIComponent(peer)}`);
        await this.page.getByLabel('Your name').fill(name);
        await this.page.getByRole('button', { name: 'Start chatting' }).click();
        await this.page.locator('.side-head').waitFor();
    }

    get text() {
        return this.page.locator('#text');
    }

    /** The row of a message, by what it says. */
    row(text) {
        return this.page.locator('.row', { has: this.page.locator('.text', { hasText: text }) });
    }

    async write(text) {
        await this.text.fill(text);
        await this.text.press('Enter');
    }

    async shot(name, options) {
        await this.page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
    }

    /** What axe finds wrong, in words. */
    async axe() {
        // Evaluated from outside the page, so that its policy stays as it is.
        await this.page.evaluate(AXE);
        const { violations } = await this.page.evaluate(() => globalThis.axe.run(document));
        return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(' | ')}`);
    }
}
