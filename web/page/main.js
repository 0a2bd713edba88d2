/** Where the page begins: learns what the server asks for, who is there, and shows the rest. */

import { Client } from '../client/src/index.js';
import { App } from './app.js';
import { h } from './dom.js';
import { applyTheme, clearSession, loadSession, saveSession } from './session.js';
import { signIn } from './signin.js';
import { reasonOf } from './words.js';

const root = document.getElementById('app');
/** The server is where the page came from, under whatever path a proxy gives it. */
const url = new URL('.', document.baseURI).href;

applyTheme();
begin();

async function begin() {
    const about = await learn();
    let session = loadSession();
    let why;
    for (;;) {
        if (!session || (about.auth === 'token' && !session.token)) {
            const { isKept, ...found } = await signIn(root, { url, mode: about.auth, why, user: session?.user });
            session = found;
            saveSession(session, isKept);
        }
        const app = new App(root, { url, about, session: { ...session } });
        // Until the one who is in leaves, or is sent away.
        const end = await app.run();
        clearSession();
        why = end.why;
        session = end.why ? { user: session.user } : undefined;
    }
}

/** What the server tells of itself; asked until it answers. */
async function learn() {
    const client = new Client({ url, user: '' });
    for (;;) {
        try {
            return await client.about();
        } catch (error) {
            const again = h('button.primary', { type: 'button' }, 'Try again');
            const words = h('main.alone', null, h('div.sign-in', null, h('h1', null, 'Chinwag'), h('p', { role: 'alert' }, `The server can't be reached: ${reasonOf(error)}.`), again));
            root.replaceChildren(words);
            await new Promise((resolve) => again.addEventListener('click', resolve));
        }
    }
}
