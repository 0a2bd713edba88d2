/** One message as it is shown. */

import { bdi, h, icon, visible } from './dom.js';
import { isEmojiOnly, isLong, isWild, nodesOf } from './text.js';
import { dayOf, isSameDay, isoOf, timeOf, wholeTimeOf } from './time.js';
import { reasonOf } from './words.js';

/** Messages of one sender that are closer together than this stand as one. */
const TOGETHER_US = 5 * 60 * 1_000_000;

/** Whether two messages stand together, as one utterance. */
const isTogether = (a, b) => Boolean(a && b) && a.sender === b.sender && Math.abs(b.ts - a.ts) < TOGETHER_US && isSameDay(a.ts, b.ts);

/**
 * What of a row depends on more than its message.
 *
 * @returns {{ day: string, first: boolean, last: boolean, state: string, isNew: boolean }}
 */
export function placeOf(before, message, after, context) {
    const isNew = message.seq === context.unreadFrom;
    const last = !isTogether(message, after) || after.seq === context.unreadFrom;
    const state = stateOf(message, context);
    return {
        // In words, which are others tomorrow.
        day: !before || !isSameDay(before.ts, message.ts) ? dayOf(message.ts) : '',
        first: isNew || !isTogether(before, message),
        last,
        // The last of an utterance speaks for those before it, as far as it is the same for them.
        state: last || stateOf(after, context) !== state ? state : '',
        isNew,
    };
}

function stateOf(message, { me, peerRead, peerDelivered }) {
    if (message.sender !== me || message.unsent || peerRead === undefined) return '';
    return peerRead >= message.seq ? 'Read' : peerDelivered >= message.seq ? 'Delivered' : 'Sent';
}

/**
 * @param {import('../client/src/index.js').Message} message
 * @param {ReturnType<typeof placeOf>} place
 * @param {{ me: string, onReact: (message: any, emoji: string, remove: boolean) => void }} view
 */
export function rowOf(message, place, view) {
    const mine = message.sender === view.me;
    const row = h('li.row', { 'data-seq': message.seq, tabindex: -1 });
    row.classList.toggle('mine', mine);
    row.classList.toggle('first', place.first);
    row.classList.toggle('last', place.last);
    if (place.day) row.append(h('div.day', null, h('time', { datetime: isoOf(message.ts).slice(0, 10) }, place.day)));
    if (place.isNew) row.append(h('div.new-line', null, 'New messages'));
    row.append(
        h('div.line', null, h('div.bubble', { title: wholeTimeOf(message.ts) }, h('span.unseen', null, mine ? 'You: ' : bdi(`${visible(message.sender)}: `)), body(message, mine), meta(message, place))),
    );
    const reactions = Object.entries(message.reactions ?? {});
    if (reactions.length > 0) row.append(reactionsOf(message, reactions, view));
    return row;
}

function body(message, mine) {
    if (message.unsent) return h('p.text.gone', null, mine ? 'You unsent this message' : 'This message was unsent');
    return textOf(message.text);
}

function textOf(text) {
    const paragraph = h('p.text', { dir: 'auto' }, ...nodesOf(text));
    if (isWild(text)) paragraph.classList.add('wild');
    if (isEmojiOnly(text)) paragraph.classList.add('emoji');
    if (!isLong(text)) return paragraph;
    paragraph.classList.add('folded');
    const more = h('button.more', { type: 'button', 'aria-expanded': false, onclick: () => {
        const isFolded = paragraph.classList.toggle('folded');
        more.textContent = isFolded ? 'Show all' : 'Show less';
        more.setAttribute('aria-expanded', String(!isFolded));
    } }, 'Show all');
    return h('div', null, paragraph, more);
}

function meta(message, { state }) {
    const { ts, edited_ts: edited } = message;
    return h(
        'span.meta', null,
        edited && !message.unsent && h('span.edited', { title: wholeTimeOf(edited) }, 'edited'),
        h('time', { datetime: isoOf(ts) }, timeOf(ts)),
        state && h('span', { class: `ticks ${state.toLowerCase()}`, role: 'img', 'aria-label': state, title: state }, icon(state === 'Sent' ? 'tick' : 'ticks')),
    );
}

function reactionsOf(message, reactions, { me, onReact }) {
    const buttons = reactions.map(([emoji, users]) => {
        const mine = users.includes(me);
        const who = users.map((user) => (user === me ? 'you' : visible(user))).join(' and ');
        const button = h('button.reaction', { type: 'button', 'aria-pressed': mine, title: who, onclick: () => onReact(message, emoji, mine) }, bdi(emoji));
        if (users.length > 1) button.append(String(users.length));
        button.append(h('span.unseen', null, ` by ${who}`));
        return button;
    });
    return h('div.reactions', { role: 'group', 'aria-label': 'Reactions' }, ...buttons);
}

/**
 * A message that is on its way.
 *
 * @param {import('../client/src/index.js').OutboxEntry} entry
 * @param {'sending' | 'waiting' | 'failed'} state
 */
export function pendingRowOf(entry, state, { peer, onRetry, onDiscard }) {
    const words = { sending: 'Sending', waiting: 'Waiting to be sent', failed: 'Not sent' }[state];
    const row = h('li.row.mine.first.last.pending', { 'data-key': entry.key, 'data-state': state, tabindex: -1 });
    const sign = h('span', { class: `ticks ${state}`, role: 'img', 'aria-label': words, title: words }, icon(state === 'failed' ? 'alert' : 'clock'));
    const meta = h('span.meta', null, h('time', null, timeOf(entry.addedMs * 1000)), sign);
    row.append(h('div.line', null, h('div.bubble', null, h('span.unseen', null, 'You: '), textOf(entry.text), meta)));
    if (state === 'failed') {
        row.append(h(
            'div.failure', { role: 'alert' }, `Not sent: ${reasonOf(entry.error ?? {}, peer)}. `,
            h('button.link', { type: 'button', onclick: onRetry }, 'Retry'), h('button.link', { type: 'button', onclick: onDiscard }, 'Discard'),
        ));
    }
    return row;
}
