/** The list of chats: search, unread counts, who is there. */

import { chatOf } from '../client/src/index.js';
import { avatar, bdi, h, icon, name } from './dom.js';
import { wrongName } from './names.js';
import { briefTextOf } from './text.js';
import { briefOf, isoOf, wholeTimeOf } from './time.js';

/** Rows that are shown at first, and that are added when the end comes into sight. */
const ROWS = 60;

export class InboxView {
    #shown = ROWS;
    #rows = new Map();
    #typing = new Set();

    /**
     * @param {import('./app.js').App} app
     */
    constructor(app) {
        this.app = app;
        this.search = h('input', {
            type: 'search', id: 'search', placeholder: 'Search or start a chat', 'aria-label': 'Search the names, or start a chat',
            autocomplete: 'off', spellcheck: 'false', dir: 'auto', maxlength: 128,
            oninput: () => this.#searched(), onkeydown: (event) => this.#searchKey(event),
        });
        this.list = h('ul.chats', { 'aria-label': 'Chats', onkeydown: (event) => this.#listKey(event) });
        this.empty = h('p.empty', null);
        this.scroller = h('div.chats-scroller', { onscroll: () => this.#scrolled() }, this.list, this.empty);
        this.element = h('div.chats-pane', null, h('div.search', null, icon('search'), this.search), this.scroller);
    }

    setTyping(chat, isTyping) {
        if (isTyping) this.#typing.add(chat);
        else this.#typing.delete(chat);
        this.draw();
    }

    draw() {
        const { inbox } = this.app;
        const text = this.search.value.trim();
        const found = text ? inbox.search(text) : inbox.sorted();
        const rows = found.slice(0, this.#shown).map((entry) => this.#row(entry));
        const start = this.#startRow(text, found);
        if (start) rows.push(start);
        reconcile(this.list, rows);
        this.empty.textContent = !inbox.isLoaded ? 'Loading…' : rows.length > 0 ? '' : text ? `Nobody by this name. ${wrongName(text) ?? ''}` : 'No chats yet. Search for a name above to start one.';
        this.list.hidden = rows.length === 0;
    }

    #row({ chat, peer, last_message: message, unread, read, delivered }) {
        const { app } = this;
        const isOpen = app.openChat === chat;
        const draft = isOpen ? '' : app.draftOf(chat);
        const online = app.presence.get(peer)?.online ?? false;
        const typing = this.#typing.has(chat);
        const blocked = app.blocks.has(peer);
        const mine = message.sender === app.me && !message.unsent;
        // The ticks belong to the message, and stand only where it is shown.
        const state = !mine || typing || draft || blocked ? '' : (read[peer] ?? 0) >= message.seq ? 'Read' : (delivered[peer] ?? 0) >= message.seq ? 'Delivered' : 'Sent';
        const sign = JSON.stringify([message.text, message.ts, message.unsent, unread, isOpen, draft, online, typing, blocked, state, briefOf(message.ts)]);
        const known = this.#rows.get(chat);
        if (known?.sign === sign) return known.row;
        const preview = typing ? h('span.typing', null, 'typing…')
            : draft ? h('span', null, h('span.draft', null, 'Draft: '), bdi(draft.slice(0, 160)))
            : h('span', { class: message.unsent ? 'gone' : null }, mine && h('span.you', null, 'You: '), bdi(briefTextOf(message, app.me)));
        const row = h('li', null, h(
            'a.chat', { href: app.hrefOf(peer), 'data-chat': chat, 'aria-current': isOpen ? 'page' : null },
            h('span.face', null, avatar(peer), online && h('span.online', { role: 'img', 'aria-label': 'online' })),
            h('span.who', null, name(peer)),
            h('time.when', { datetime: isoOf(message.ts), title: wholeTimeOf(message.ts) }, briefOf(message.ts)),
            h('span.what', null, blocked && h('span.barred-sign', { role: 'img', 'aria-label': 'Blocked', title: 'Blocked' }, icon('block')), state && h('span', { class: `ticks ${state.toLowerCase()}`, role: 'img', 'aria-label': state }, icon(state === 'Sent' ? 'tick' : 'ticks')), preview),
            unread > 0 && h('span.count', { 'aria-label': `${unread} unread` }, unread > 999 ? '999+' : unread),
        ));
        row.key = `${chat} ${sign}`;
        // What has the keyboard keeps it.
        const had = known?.row.contains(document.activeElement);
        this.#rows.set(chat, { sign, row });
        if (had) queueMicrotask(() => row.firstChild.focus());
        return row;
    }

    /** To someone who is in no chat yet. */
    #startRow(text, found) {
        if (!text || wrongName(text) || found.some(({ peer }) => peer === text)) return undefined;
        return h('li', null, h('a.chat.start', { href: this.app.hrefOf(text) }, h('span.face', null, avatar(text)), h('span.who', null, name(text)), h('span.what', null, text === this.app.me ? 'Write a note to yourself' : 'Start a chat')));
    }

    #searched() {
        this.#shown = ROWS;
        this.scroller.scrollTop = 0;
        if (this.search.value.trim()) this.app.inbox.all().catch(() => {});
        this.draw();
    }

    clearSearch() {
        if (this.search.value === '') return;
        this.search.value = '';
        this.#searched();
    }

    #scrolled() {
        const { scrollTop, clientHeight, scrollHeight } = this.scroller;
        if (scrollTop + clientHeight < scrollHeight - 600) return;
        if (this.#shown < this.app.inbox.entries.size) {
            this.#shown += ROWS;
            this.draw();
        } else if (!this.search.value) {
            this.app.inbox.more()?.then(() => (this.#shown += ROWS)).catch(() => {});
        }
    }

    #searchKey(event) {
        if (event.key === 'Escape') {
            this.clearSearch();
            this.search.blur();
        } else if (event.key === 'ArrowDown') {
            event.preventDefault();
            this.list.querySelector('a')?.focus();
        } else if (event.key === 'Enter' && !event.isComposing) {
            const text = this.search.value.trim();
            const links = [...this.list.querySelectorAll('a')];
            const exact = links.find((link) => link.getAttribute('href') === this.app.hrefOf(text));
            (exact ?? links[0])?.click();
        }
    }

    #listKey(event) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!step || event.altKey) return;
        event.preventDefault();
        const links = [...this.list.querySelectorAll('a')];
        const next = links[links.indexOf(document.activeElement) + step];
        if (next) next.focus();
        else if (step < 0) this.search.focus();
    }

    /** Gives a chat the keyboard, where it is in the list. */
    focus(chat) {
        [...this.list.querySelectorAll('a[data-chat]')].find((link) => link.dataset.chat === chat)?.focus();
    }

    /** The chat so many places after the open one. */
    neighbour(step) {
        const chats = [...this.list.querySelectorAll('a[data-chat]')];
        const at = chats.findIndex((link) => link.dataset.chat === this.app.openChat);
        return chats[at + step];
    }

    /** The note to oneself has the same chat on both sides. */
    get ownChat() {
        return chatOf(this.app.me, this.app.me);
    }
}

/** Brings children into an order with as few moves as are needed, so that what did not change stays untouched. */
export function reconcile(parent, wanted) {
    const keep = new Set(wanted);
    for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
    let at = parent.firstElementChild;
    for (const child of wanted) {
        if (child === at) at = at.nextElementSibling;
        else parent.insertBefore(child, at);
    }
}
