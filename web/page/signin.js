/** Who are you? A name in an open server, a token in one that asks for it. */

import { Client } from '../client/src/index.js';
import { h } from './dom.js';
import { wrongName } from './names.js';
import { userOf } from './session.js';
import { reasonOf } from './words.js';

/**
 * Shows the form until someone is in.
 *
 * @param {HTMLElement} root
 * @param {{ url: string, mode: 'open' | 'token', why?: string, user?: string }} asked
 * @returns {Promise<{ user: string, token?: string, isKept: boolean }>}
 */
export function signIn(root, { url, mode, why, user }) {
    const isOpen = mode === 'open';
    const trouble = h('p.trouble', { id: 'trouble', role: 'alert' }, why ?? '');
    const field = isOpen
        ? h('input', { id: 'who', name: 'name', value: user ?? '', autocomplete: 'username', required: true, dir: 'auto', 'aria-describedby': 'trouble' })
        : h('textarea', { id: 'who', name: 'token', rows: 4, required: true, autocomplete: 'off', spellcheck: 'false', dir: 'ltr', 'aria-describedby': 'trouble' });
    const keep = h('input', { type: 'checkbox', id: 'keep' });
    const submit = h('button.primary', { type: 'submit' }, isOpen ? 'Start chatting' : 'Sign in');
    const form = h(
        'form.sign-in',
        { novalidate: true },
        h('img.logo', { src: 'page/icon.svg', alt: '', width: 44, height: 44 }),
        h('h1', null, 'Chinwag'),
        h('p.quiet', null, isOpen ? 'Choose the name that others find you by.' : 'Paste the token that your application gave you.'),
        h('label', { for: 'who' }, isOpen ? 'Your name' : 'Token'),
        field,
        trouble,
        h('label.check', { for: 'keep' }, keep, ' Keep me signed in in this browser'),
        submit,
    );
    root.replaceChildren(h('main.alone', null, form));
    field.focus();
    field.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            form.requestSubmit();
        }
    });
    return new Promise((resolve) => {
        form.addEventListener('submit', async (event) => {
            event.preventDefault();
            trouble.textContent = '';
            const value = field.value.trim();
            const name = isOpen ? value : userOf(value);
            const bad = isOpen ? wrongName(value) : value === '' ? 'Paste a token first.' : name === undefined && 'This is not a token that names a user.';
            if (bad) {
                trouble.textContent = bad;
                return field.focus();
            }
            submit.disabled = true;
            const session = isOpen ? { user: name } : { user: name, token: value };
            try {
                await new Client({ url, ...session, retry: { tries: 2 } }).inbox({ limit: 1 });
                resolve({ ...session, isKept: keep.checked });
            } catch (error) {
                const isRefused = error.isUnidentified || (error.status >= 400 && error.status < 500);
                trouble.textContent = `${isRefused ? 'The server does not take this' : "The server can't be reached"}: ${reasonOf(error)}.`;
                submit.disabled = false;
                field.focus();
            }
        });
    });
}
