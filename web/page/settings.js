/** How things look and what tells of a message; the keys; the way out. */

import { h, name, openDialog } from './dom.js';
import { canNotify, isNotifying, setNotifying } from './notify.js';
import { blockedList } from './person.js';
import { applyTheme, loadSetting, saveSetting } from './session.js';

const KEYS = [
    ['/', 'Search, or start a chat'],
    ['Alt ↑ ↓', 'The chat before, the chat after'],
    ['Enter', 'Send; Shift Enter begins a new line'],
    ['↑', 'In an empty field: edit your last message'],
    ['Esc', 'From the field to the messages, and back to the list'],
    ['↑ ↓', 'From message to message'],
    ['Enter R C E Del', 'On a message: tools, react, copy, edit, unsend'],
];

/** @param {import('./app.js').App} app */
export function openSettings(app) {
    const theme = loadSetting('theme') ?? 'auto';
    const choice = (value, label) => h('label.choice', null, h('input', { type: 'radio', name: 'theme', value, checked: theme === value, onchange: () => {
        saveSetting('theme', value === 'auto' ? undefined : value);
        applyTheme();
    } }), h('span', null, label));
    const told = h('input', { type: 'checkbox', checked: isNotifying(), disabled: !canNotify(), onchange: async () => {
        told.checked = await setNotifying(told.checked);
        refused.hidden = told.checked || !canNotify() || Notification.permission !== 'denied';
    } });
    const refused = h('p.quiet', { hidden: true }, 'This browser does not allow them for this page.');
    openDialog('Settings', (close) => [
        h('p.quiet', null, 'You are ', name(app.me), '.'),
        h('fieldset', null, h('legend', null, 'Appearance'), h('div.choices', null, choice('auto', 'Automatic'), choice('light', 'Light'), choice('dark', 'Dark'))),
        h('label.check', null, told, ' Notify me of new messages'),
        refused,
        blockedList(app),
        h('h3', null, 'Keys'),
        h('dl.keys', null, ...KEYS.flatMap(([key, words]) => [h('dt', null, h('kbd', null, key)), h('dd', null, words)])),
        h('footer', null, h('button.secondary', { type: 'button', onclick: () => {
            close();
            app.signOut();
        } }, 'Sign out')),
    ]);
}
