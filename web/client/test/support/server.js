/** The real server, started, killed and started again, and tokens for it. */

import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** The executable: that of the variable `CHINWAG`, or the one that cargo last built. */
export function executable() {
    if (process.env.CHINWAG) return resolve(process.env.CHINWAG);
    const root = resolve(import.meta.dirname, '../../../..');
    const path = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug/chinwag');
    if (!existsSync(path)) execFileSync('cargo', ['build', '--locked', '--package', 'chinwag'], { cwd: root, stdio: 'inherit' });
    return path;
}

const SECRET = 'the secret of these tests, of 32 bytes or more';

/** Waits for something, and says what it was where it does not come. */
export function within(what, promise, ms = 60_000) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Server {
    #directory = mkdtempSync(join(tmpdir(), 'chinwag-js-'));
    #child;
    #port = 0;
    #flags;

    constructor(flags = []) {
        this.#flags = flags;
    }

    /** A server that runs, and ends with the test. */
    static async start(test, flags) {
        const server = new Server(flags);
        test.after(() => server.end());
        await server.start();
        return server;
    }

    /** A server that asks for tokens. */
    static async guarded(test, flags = []) {
        const server = new Server(flags);
        const file = join(server.#directory, 'secret');
        writeFileSync(file, SECRET);
        server.#flags = ['--auth', 'token', '--auth-secret-file', file, ...flags];
        test.after(() => server.end());
        await server.start();
        return server;
    }

    /** Takes in a table of messages, one object a message, before the server is started. */
    import(messages) {
        const file = join(this.#directory, 'messages.ndjson');
        writeFileSync(file, messages.map((message) => JSON.stringify(message)).join('\n'));
        execFileSync(executable(), ['import', file, '--data', this.#data], { stdio: 'pipe' });
    }

    get #data() {
        return join(this.#directory, 'data');
    }

    get url() {
        return `http://127.0.0.1:${this.#port}`;
    }

    get port() {
        return this.#port;
    }

    async start() {
        const flags = ['serve', '--listen', `127.0.0.1:${this.#port}`, '--data', this.#data, '--disk-reserve-mib', '0', ...this.#flags];
        const child = spawn(executable(), flags, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
        this.#child = child;
        this.log = '';
        const listening = new Promise((resolve, reject) => {
            createInterface({ input: child.stderr }).on('line', (line) => {
                this.log += `${line}\n`;
                const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
                if (found) resolve(Number(found[1]));
            });
            child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${this.log}`)));
        });
        this.#port = await within('the server to listen', listening);
    }

    /** Ends it at once, as a power cut would. */
    kill() {
        return this.#signal('SIGKILL');
    }

    /** Asks it to end. */
    stop() {
        return this.#signal('SIGTERM');
    }

    async end() {
        await this.kill();
        rmSync(this.#directory, { recursive: true, force: true });
    }

    #signal(signal) {
        const child = this.#child;
        if (!child || child.exitCode !== null || child.signalCode !== null) return undefined;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        return within('the server to end', ended);
    }
}

/** A token of a user, `seconds` long, or over since then. */
export function token(user, seconds = 3600) {
    const part = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: now + seconds, jti: String(Math.random()) })}`;
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}
