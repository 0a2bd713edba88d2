/** Who a peer is, and to block them; and all whom one blocks. */

import { announce, avatar, h, name, openDialog, visible } from './dom.js';
import { reasonOf } from './words.js';

/** People of the list that are shown at first, and that are added. */
const ROWS = 50;

/**
 * Blocks someone, or does so no longer, and says how it went.
 *
 * @param {import('./app.js').App} app
 */
export async function setBlocked(app, peer, isBlocked) {
    try {
        await app.blocks.set(peer, isBlocked);
        announce(isBlocked ? `You block ${visible(peer)}` : `You block ${visible(peer)} no longer`);
    } catch (error) {
        app.toast(`That did not work: ${reasonOf(error)}.`);
    }
}

/** @param {import('./app.js').App} app */
export function openPerson(app, peer) {
    const isBlocked = app.blocks.has(peer);
    openDialog('About', (close) => [
        h('div.person', null, avatar(peer), h('p.whole-name', null, name(peer))),
        h('p', null, isBlocked
            ? 'You block them: nothing that they send reaches you, and neither of you sees whether the other is there, types or has read.'
            : 'While you block someone nothing that they send reaches you, and neither of you sees whether the other is there, types or has read. What was said stays. They are told only once they write to you.'),
        h('footer', null,
            h('button.secondary', { type: 'button', onclick: close }, 'Close'),
            h('button', { type: 'button', class: isBlocked ? 'primary' : 'danger', onclick: () => {
                close();
                setBlocked(app, peer, !isBlocked);
            } }, isBlocked ? 'Unblock' : 'Block')),
    ]);
}

/**
 * The part of the settings that lists whom one blocks.
 *
 * @param {import('./app.js').App} app
 */
export function blockedList(app) {
    const peers = app.blocks.sorted();
    const list = h('ul.blocked', { 'aria-label': 'People whom you block' });
    const more = h('button.link', { type: 'button', onclick: () => add() }, 'Show more');
    const add = () => {
        const shown = list.children.length;
        for (const peer of peers.slice(shown, shown + ROWS)) list.append(rowOf(app, peer));
        more.hidden = list.children.length >= peers.length;
    };
    add();
    return h('section', null, h('h3', null, 'Blocked'), peers.length > 0 ? list : h('p.quiet', null, 'You block nobody.'), more);
}

function rowOf(app, peer) {
    const button = h('button.secondary', { type: 'button', 'aria-label': `Unblock ${visible(peer)}`, onclick: async () => {
        button.disabled = true;
        await setBlocked(app, peer, false);
        // Stays in its place, so that the keyboard does too.
        button.textContent = app.blocks.has(peer) ? 'Unblock' : 'Unblocked';
        button.disabled = !app.blocks.has(peer);
    } }, 'Unblock');
    return h('li', null, avatar(peer), h('span.who', null, name(peer)), button);
}
