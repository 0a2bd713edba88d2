/**
 * A chat of any length in a scroller. Only the messages that are held have rows; room above and below stands for the others, so
 * that the scroll bar shows where one is, and pulling it leads anywhere.
 *
 * The room is elastic: rows that come above take their height from it, and what is seen does not move.
 */

import { h } from './dom.js';
import { reconcile } from './inbox_view.js';
import { pendingRowOf, placeOf, rowOf } from './row.js';

/** The most that the room on one side may be high: far below what browsers can lay out. */
const ROOM_MAX_PX = 1_500_000;
/** As high as a row is taken for, until there are rows to measure. */
const ROW_PX = 52;
/** How close to the end counts as at the end. */
const CLOSE_PX = 60;

export class Timeline {
    #rows = new Map();
    #roomAbove = 0;
    #isBusy = false;
    #isPlanned = false;
    #isAtEnd = true;
    #pending = [];
    /** @type {(Node | string)[] | undefined} */
    #trouble;

    /**
     * @param {import('./history.js').History} history
     * @param {{ me: string, peer: string, label: string, context: () => { peerRead: number | undefined, peerDelivered: number, unreadFrom: number | undefined }, onReact: (message: any, emoji: string, remove: boolean) => void,
     *     onRetry: (key: string) => void, onDiscard: (key: string) => void, onSeen: () => void, onFocusRow: (row: HTMLElement | undefined) => void,
     *     onError: (error: any) => void }} view
     */
    constructor(history, view) {
        this.history = history;
        this.view = view;
        this.above = h('div.room', { 'aria-hidden': true });
        this.list = h('ol.rows', { 'aria-label': 'Messages' });
        this.below = h('div.room', { 'aria-hidden': true });
        this.waiting = h('ol.rows', { 'aria-label': 'Messages that are being sent' });
        this.foot = h('div.foot', null);
        this.hint = h('p.empty', null);
        this.element = h(
            'div.scroller', { tabindex: 0, role: 'region', 'aria-label': view.label, onscroll: () => this.#plan(), onkeydown: (event) => this.#key(event) },
            this.hint, this.above, this.list, this.below, this.waiting, this.foot,
        );
        this.element.addEventListener('focusin', ({ target }) => view.onFocusRow(target.closest('.row')));
        this.observer = new ResizeObserver(() => (this.#isAtEnd ? this.toEnd() : this.#plan()));
        this.observer.observe(this.element);
    }

    close() {
        this.observer.disconnect();
    }

    /** Whether the newest message is in sight. */
    get isAtEnd() {
        return this.#isAtEnd;
    }

    rowOf(seq) {
        return this.#rows.get(seq)?.row;
    }

    /**
     * Says why nothing is shown, and asks whether to try again.
     *
     * @param {string} words
     * @param {() => void} onAgain
     */
    fail(words, onAgain) {
        this.#trouble = [words, h('button.link', { type: 'button', onclick: onAgain }, 'Try again')];
        this.draw();
    }

    /** @param {{ entry: any, state: string }[]} pending What is on its way. */
    setPending(pending) {
        this.#pending = pending;
        this.draw();
    }

    /** Brings the rows to what is held; what is in sight stays where it is, or at the end. */
    draw() {
        const wasAtEnd = this.#isAtEnd;
        const anchor = this.#anchor();
        this.#drawRows();
        this.#room(anchor);
        if (wasAtEnd && !this.history.hasNewer) this.toEnd();
        this.#plan();
    }

    toEnd() {
        this.element.scrollTop = this.element.scrollHeight;
        this.#isAtEnd = !this.history.hasNewer;
    }

    /**
     * Shows a message.
     *
     * @param {number} seq
     * @param {number} at Where in the sight: 0 is the top, 1 the bottom.
     */
    show(seq, at) {
        this.#isAtEnd = false;
        this.#drawRows();
        const { first, start } = this.history;
        this.#setRoom(this.#estimate(first - start));
        const row = this.rowOf(seq);
        if (row) this.element.scrollTop = row.offsetTop - this.element.clientHeight * at;
        this.#plan();
    }

    #drawRows() {
        const { history, view } = this;
        const { messages } = history;
        const context = { me: view.me, ...view.context() };
        const rows = new Map();
        messages.forEach((message, index) => {
            const place = placeOf(messages[index - 1], message, messages[index + 1], context);
            const sign = `${place.day}${place.first}${place.last}${place.state}${place.isNew}`;
            const known = this.#rows.get(message.seq);
            const isSame = known?.message === message && known.sign === sign;
            rows.set(message.seq, isSame ? known : this.#replace(known, message, place, sign));
        });
        this.#rows = rows;
        reconcile(this.list, [...rows.values()].map(({ row }) => row));
        // Its event may come before the reply to the send: it is there then, and waits no more.
        const stored = new Set(messages.filter(({ sender }) => sender === view.me).map(({ key }) => key));
        const pending = history.hasNewer ? [] : this.#pending.filter(({ entry }) => !stored.has(entry.key));
        reconcile(this.waiting, pending.map(({ entry, state }) => this.#pendingRow(entry, state)));
        this.list.hidden = messages.length === 0;
        this.above.hidden = this.#trouble !== undefined;
        this.waiting.hidden = pending.length === 0;
        const isEmpty = history.isLoaded && history.head === 0 && messages.length + pending.length === 0;
        this.hint.replaceChildren(...(this.#trouble ?? (isEmpty ? ['No messages yet. Say hello.'] : [])));
    }

    #replace(known, message, place, sign) {
        const row = rowOf(message, place, this.view);
        if (known?.row.contains(document.activeElement)) {
            row.tabIndex = 0;
            queueMicrotask(() => row.focus({ preventScroll: true }));
        }
        return { message, sign, row };
    }

    #pendingRow(entry, state) {
        const key = `${state} ${entry.error?.message ?? ''}`;
        const known = [...this.waiting.children].find((row) => row.dataset.key === entry.key);
        if (known?.sign === key) return known;
        const row = pendingRowOf(entry, state, { peer: this.view.peer, onRetry: () => this.view.onRetry(entry.key), onDiscard: () => this.view.onDiscard(entry.key) });
        row.sign = key;
        return row;
    }

    /** A row in sight, and where its end is: a line of a day may come and go at its beginning. */
    #anchor() {
        const { scrollTop, clientHeight } = this.element;
        for (const { message, row } of this.#rows.values()) {
            const end = row.offsetTop + row.offsetHeight;
            if (end > scrollTop) return end < scrollTop + clientHeight + 2000 ? { seq: message.seq, end } : undefined;
        }
        return undefined;
    }

    /** Gives the rooms their heights after rows have come and gone, so that the anchor does not move. */
    #room(anchor) {
        const { first, start, hasOlder } = this.history;
        const row = anchor && this.rowOf(anchor.seq);
        if (!row) return this.#setRoom(this.#estimate(first - start));
        const moved = row.offsetTop + row.offsetHeight - anchor.end;
        const wanted = hasOlder ? this.#roomAbove - moved : 0;
        const least = hasOlder ? 2 * this.element.clientHeight : 0;
        const room = wanted >= least ? wanted : hasOlder ? Math.max(least, this.#estimate(first - start)) : 0;
        const shift = moved + (room - this.#roomAbove);
        this.#setRoom(room);
        if (Math.abs(shift) >= 1) this.element.scrollTop += shift;
    }

    #setRoom(above) {
        const { head, last } = this.history;
        this.#roomAbove = above;
        this.above.style.height = `${above}px`;
        this.below.style.height = `${this.#estimate(head - last)}px`;
    }

    /** How high so many messages would be. */
    #estimate(count) {
        const held = this.history.messages.length;
        const each = held > 0 ? this.list.offsetHeight / held || ROW_PX : ROW_PX;
        return Math.min(Math.max(0, count) * each, ROOM_MAX_PX);
    }

    #plan() {
        if (this.#isPlanned) return;
        this.#isPlanned = true;
        requestAnimationFrame(() => {
            this.#isPlanned = false;
            this.#look();
        });
    }

    /** Loads what will be in sight soon. */
    async #look() {
        const { history, element, list } = this;
        const { scrollTop, clientHeight, scrollHeight } = element;
        if (clientHeight === 0) return;
        this.#isAtEnd = !history.hasNewer && scrollTop + clientHeight >= scrollHeight - CLOSE_PX;
        this.view.onSeen();
        if (this.#isBusy || history.messages.length === 0) return;
        const [top, bottom] = [list.offsetTop, list.offsetTop + list.offsetHeight];
        const load = scrollTop + clientHeight < top - clientHeight && history.hasOlder ? () => this.#jump()
            : scrollTop > bottom + clientHeight && history.hasNewer ? () => this.#jump()
            : scrollTop < top + 2 * clientHeight && history.hasOlder ? () => history.older()
            : scrollTop + clientHeight > bottom - 2 * clientHeight && history.hasNewer ? () => history.newer()
            : undefined;
        if (!load) return;
        this.#isBusy = true;
        element.setAttribute('aria-busy', 'true');
        try {
            if ((await load()) !== 'shown') this.draw();
        } catch (error) {
            this.view.onError(error);
        } finally {
            this.#isBusy = false;
            element.removeAttribute('aria-busy');
        }
    }

    /** Loads what the place in the room stands for, and lays it where the eye is. */
    async #jump() {
        const { history, element, list } = this;
        const eye = () => element.scrollTop + element.clientHeight / 2;
        const seqAt = () => {
            const bottom = list.offsetTop + list.offsetHeight;
            const part = eye() < list.offsetTop ? eye() / list.offsetTop : (eye() - bottom) / (this.below.offsetHeight || 1);
            const [from, count] = eye() < list.offsetTop ? [history.start, history.first - history.start] : [history.last + 1, history.head - history.last];
            return Math.round(from + Math.min(1, Math.max(0, part)) * count);
        };
        const seq = Math.min(Math.max(seqAt(), history.start), history.head);
        await history.loadAround(seq);
        this.#drawRows();
        const row = this.rowOf(Math.min(seq, history.last));
        const { first, start, hasOlder } = history;
        const within = row ? row.offsetTop - list.offsetTop : 0;
        const wanted = eye() - within;
        const room = hasOlder ? Math.max(2 * element.clientHeight, wanted) : 0;
        this.#setRoom(hasOlder ? room : this.#estimate(first - start));
        const shift = this.#roomAbove - wanted;
        if (Math.abs(shift) >= 1) element.scrollTop += shift;
        this.#plan();
        return 'shown';
    }

    /** By the keyboard from message to message. */
    #key(event) {
        const row = event.target.closest?.('.row');
        const steps = { ArrowUp: 'previousElementSibling', ArrowDown: 'nextElementSibling' };
        if (!(event.key in steps) || event.altKey || (row && event.target !== row)) return;
        const rows = [...this.list.children, ...this.waiting.children];
        const next = row ? rows[rows.indexOf(row) + (event.key === 'ArrowUp' ? -1 : 1)] : this.#lastInSight();
        if (!next) return;
        event.preventDefault();
        this.focusRow(next);
    }

    focusRow(row) {
        for (const other of this.element.querySelectorAll('.row[tabindex="0"]')) other.tabIndex = -1;
        row.tabIndex = 0;
        row.focus({ preventScroll: true });
        row.scrollIntoView({ block: 'nearest' });
    }

    #lastInSight() {
        const bottom = this.element.scrollTop + this.element.clientHeight;
        return [...this.list.children].reverse().find((row) => row.offsetTop < bottom - 20);
    }

    /** The last message whose beginning is in sight. */
    lastSeen() {
        const row = this.#lastInSight();
        return row ? Number(row.dataset.seq) : 0;
    }
}
