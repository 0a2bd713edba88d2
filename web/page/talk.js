/** One open chat: its history, what is on its way, and everything one can do to a message. */

import { Composer } from './composer.js';
import { announce, avatar, h, icon, iconButton, name as nameOf, openDialog, visible } from './dom.js';
import { QUICK, openEmoji } from './emoji.js';
import { History } from './history.js';
import { openPerson, setBlocked } from './person.js';
import { loadDraft, saveDraft } from './session.js';
import { briefTextOf } from './text.js';
import { agoOf, wholeTimeOf } from './time.js';
import { Timeline } from './timeline.js';
import { reasonOf } from './words.js';

export class Talk {
    #isClosed = false;
    /** Whether its messages could not be loaded. */
    hasFailed = false;
    #unreadFrom;
    #unseen = 0;

    /**
     * @param {import('./app.js').App} app
     * @param {string} chat
     * @param {string} peer
     */
    constructor(app, chat, peer) {
        this.app = app;
        this.chat = chat;
        this.peer = peer;
        this.history = new History(app.client, chat);
        const name = peer === app.me ? 'yourself' : visible(peer);
        this.timeline = new Timeline(this.history, {
            me: app.me,
            peer: name,
            label: `Conversation with ${name}`,
            context: () => this.#context(),
            onReact: (message, emoji, remove) => this.react(message, emoji, remove),
            onRetry: (key) => app.outbox.retry(key),
            onDiscard: (key) => app.outbox.discard(key),
            onSeen: () => this.seen(),
            onFocusRow: (row) => this.#tools(row),
            onError: (error) => app.toast(`The messages could not be loaded: ${reasonOf(error)}.`),
        });
        this.composer = new Composer({
            maxBytes: app.about.text_max_bytes,
            draft: loadDraft(app.me, chat),
            label: `Message to ${name}`,
            onSend: (text) => this.send(text),
            onEdit: (message, text) => this.#edit(message, text),
            onDraft: (text) => saveDraft(app.me, chat, text),
            onTyping: () => app.client.typing(chat).catch(() => {}),
            onEditLast: () => this.#editLast(),
        });
        this.status = h('p.status', null);
        this.jump = h('button.jump', { type: 'button', hidden: true, onclick: () => this.toEnd() }, icon('down'), h('span', null));
        this.tools = h('div.tools', { role: 'toolbar', 'aria-label': 'Message', hidden: true });
        this.unblock = h('button.link', { type: 'button', onclick: () => setBlocked(app, peer, false) }, 'Unblock');
        this.barred = h('div.barred', { hidden: true }, icon('block'), h('span', null, 'You block ', nameOf(peer), '.'), this.unblock);
        const about = peer !== app.me && iconButton('more', `About ${name}`, () => openPerson(app, peer));
        this.element = h(
            'section.talk', { 'aria-label': `Chat with ${name}` },
            h('header.talk-head', null, iconButton('back', 'All chats', () => app.leaveChat(), { class: 'icon-button back' }), avatar(peer), h('div.whom', null, h('h2', null, nameOf(peer), peer === app.me && h('span.quiet', null, ' (you)')), this.status), about),
            h('div.talk-body', { onkeydown: (event) => this.#key(event), onpointerover: (event) => this.#hover(event), onpointerleave: (event) => this.#leave(event) }, this.timeline.element, this.jump),
            this.composer.element, this.barred,
        );
        this.composer.element.addEventListener('focusin', () => this.#tools(undefined));
        this.drawBlocked();
    }

    /** Loads what is to be seen first, or says that it can't. */
    async open() {
        this.hasFailed = false;
        this.pending();
        this.drawStatus();
        try {
            await this.#begin();
        } catch (error) {
            this.hasFailed = true;
            this.timeline.fail(`The messages could not be loaded: ${reasonOf(error)}. `, () => this.app.reopen());
        }
    }

    /** Where one was: at the first message that is unread, else at the end. */
    async #begin() {
        const { history, app } = this;
        const entry = app.inbox.entries.get(this.chat);
        if (entry) {
            history.start = entry.first_seq || 1;
            history.head = entry.last_message.seq;
        }
        const unread = entry?.unread > 0 ? Math.max(history.start, (entry.read[app.me] ?? 0) + 1) : 0;
        if (unread > 0 && history.head - unread > 3) await history.loadAround(unread + 20);
        else await history.loadEnd();
        if (this.#isClosed) return;
        // One's own are never unread; the line stands before the peer's first.
        if (unread > 0) this.#unreadFrom = history.messages.find(({ seq, sender }) => seq >= unread && sender !== app.me)?.seq;
        if (this.#unreadFrom && history.at(this.#unreadFrom)) this.timeline.show(this.#unreadFrom, 0.25);
        else this.timeline.draw();
        if (!this.#unreadFrom) this.timeline.toEnd();
    }

    close() {
        this.#isClosed = true;
        this.timeline.close();
    }

    #context() {
        const entry = this.app.inbox.entries.get(this.chat);
        const isNote = this.peer === this.app.me;
        return {
            peerRead: isNote ? undefined : (entry?.read[this.peer] ?? 0),
            peerDelivered: entry?.delivered[this.peer] ?? 0,
            unreadFrom: this.#unreadFrom,
        };
    }

    draw() {
        this.timeline.draw();
        this.drawStatus();
    }

    /** Who is blocked is not written to. */
    drawBlocked() {
        const isBlocked = this.app.blocks.has(this.peer);
        const had = this.element.contains(document.activeElement);
        this.composer.element.hidden = isBlocked;
        this.barred.hidden = !isBlocked;
        if (isBlocked) this.composer.stopEditing();
        this.drawStatus();
        if (had && isBlocked) this.unblock.focus();
        else if (had && document.activeElement === document.body) this.composer.focus();
    }

    drawStatus() {
        const { app, peer } = this;
        const known = app.presence.get(peer);
        const typing = app.typing.has(this.chat);
        const words = peer === app.me ? 'Notes to yourself' : app.blocks.has(peer) ? 'Blocked' : typing ? 'typing…' : known?.online ? 'Online' : known?.last_seen ? `Last seen ${agoOf(known.last_seen)}` : known ? 'Offline' : '';
        this.status.textContent = words;
        this.status.title = known?.last_seen && !known.online ? wholeTimeOf(known.last_seen) : '';
        this.status.className = `status${typing ? ' typing' : known?.online ? ' is-online' : ''}`;
        const bubble = typing ? [h('div.dots', { role: 'img', 'aria-label': `${visible(peer)} is typing` }, h('i'), h('i'), h('i'))] : [];
        const wasAtEnd = this.timeline.isAtEnd;
        this.timeline.foot.replaceChildren(...bubble);
        if (wasAtEnd) this.timeline.toEnd();
    }

    // --- What happens ---------------------------------------------------------------------------------------------------

    async take(message) {
        // What can't be loaded now is once it is scrolled to; the feed goes on.
        const isShown = await this.history.take(message).catch(() => false);
        if (this.#isClosed) return;
        const wasAtEnd = this.timeline.isAtEnd;
        if (message.sender !== this.app.me) {
            if (!wasAtEnd || !isShown) this.#unseen++;
            if (document.visibilityState === 'visible') announce(`${visible(message.sender)}: ${briefTextOf(message, this.app.me)}`);
        }
        this.timeline.draw();
        this.seen();
    }

    revise(message) {
        if (this.history.revise(message)) this.timeline.draw();
    }

    /** What the outbox holds for this chat. */
    pending() {
        const entries = this.app.outbox.entries(this.chat);
        this.timeline.setPending(entries.map((entry) => ({ entry, state: entry.error ? 'failed' : (this.app.states.get(entry.key) ?? 'sending') })));
    }

    /** Everything again, since what was missed can't be told. */
    async reload() {
        await this.history.reload();
        const entry = this.app.inbox.entries.get(this.chat);
        if (entry) this.history.head = Math.max(this.history.head, entry.last_message.seq);
        this.draw();
    }

    /** How far has been read: what is in sight, while someone looks. */
    seen() {
        const { app, timeline, history } = this;
        const isAtEnd = timeline.isAtEnd;
        if (isAtEnd) this.#unseen = 0;
        this.jump.hidden = isAtEnd || history.messages.length === 0;
        this.jump.lastChild.textContent = this.#unseen > 0 ? `${this.#unseen} new` : '';
        this.jump.setAttribute('aria-label', this.#unseen > 0 ? `To the newest, ${this.#unseen} new` : 'To the newest message');
        if (document.visibilityState !== 'visible') return;
        const last = isAtEnd ? history.last : timeline.lastSeen();
        const entry = app.inbox.entries.get(this.chat);
        if (entry && entry.unread > 0 && last > (entry.read[app.me] ?? 0)) app.marks.read(this.chat, last);
    }

    // --- What one does --------------------------------------------------------------------------------------------------

    async send(text) {
        this.#unreadFrom = undefined;
        const added = this.app.outbox.add(this.chat, text).catch((error) => {
            this.composer.insert(text);
            this.app.toast(`The message could not be kept: ${reasonOf(error)}.`);
        });
        if (this.history.hasNewer) await this.toEnd();
        else this.timeline.toEnd();
        await added;
        this.app.inboxView.clearSearch();
    }

    async toEnd() {
        try {
            if (this.history.hasNewer) {
                this.timeline.element.setAttribute('aria-busy', 'true');
                await this.history.loadEnd();
                this.timeline.element.removeAttribute('aria-busy');
            }
        } catch (error) {
            return this.app.toast(`The messages could not be loaded: ${reasonOf(error)}.`);
        }
        this.timeline.draw();
        this.timeline.toEnd();
        return this.seen();
    }

    react(message, emoji, remove) {
        return this.#revise(this.app.client.react(this.chat, message.seq, emoji, { remove }));
    }

    /** What was written is not lost where it can't be stored. */
    async #edit(message, text) {
        const isDone = await this.#revise(this.app.client.edit(this.chat, message.seq, text), 'edited');
        if (!isDone && !this.#isClosed && !this.composer.isEditing && this.#mayEdit(message)) this.composer.edit(message, text);
    }

    /** Whether it was done. */
    async #revise(asked, word) {
        try {
            const message = await asked;
            this.app.inbox.revise(message);
            this.revise(message);
            if (word) announce(`Message ${word}`);
            return true;
        } catch (error) {
            this.app.toast(`That did not work: ${reasonOf(error, visible(this.peer))}.`);
            return false;
        }
    }

    #mayRevise(message) {
        const age = this.app.client.world.now() - message.ts / 1000;
        return message.sender === this.app.me && !message.unsent && age < this.app.about.revise_window_s * 1000;
    }

    #mayEdit(message) {
        return this.#mayRevise(message) && !this.app.blocks.has(this.peer);
    }

    #editLast() {
        const message = this.history.messages.findLast((one) => this.#mayEdit(one));
        if (message && !this.history.hasNewer) this.composer.edit(message);
    }

    async #copy(message) {
        try {
            await navigator.clipboard.writeText(message.text);
        } catch {
            // Not given to a page that came without TLS from afar: the old way.
            const field = h('textarea', { class: 'unseen' });
            field.value = message.text;
            document.body.append(field);
            field.select();
            document.execCommand('copy');
            field.remove();
        }
        this.app.toast('Copied');
    }

    #unsend(message) {
        openDialog('Unsend this message?', (close) => [
            h('p', null, 'Its text disappears for both of you. That it was unsent stays visible.'),
            h('p.quote', { dir: 'auto' }, briefTextOf(message, this.app.me)),
            h('footer', null, h('button.secondary', { type: 'button', onclick: close }, 'Keep it'), h('button.danger', { type: 'button', autofocus: true, onclick: () => {
                close();
                this.#revise(this.app.client.unsend(this.chat, message.seq), 'unsent');
            } }, 'Unsend')),
        ]);
    }

    // --- The tools of a message -----------------------------------------------------------------------------------------

    #hover({ target, pointerType }) {
        if (pointerType === 'touch') return;
        const row = target.closest?.('.row');
        if (row || !this.tools.contains(document.activeElement)) this.#tools(row ?? undefined);
    }

    /** A finger leaves as it is lifted, before its tap is a click. */
    #leave({ pointerType }) {
        if (pointerType !== 'touch') this.#tools(undefined);
    }

    #messageOf(row) {
        return row ? this.history.at(Number(row.dataset.seq)) : undefined;
    }

    #tools(row) {
        const message = this.#messageOf(row);
        if (!message || message.unsent) {
            this.tools.hidden = true;
            return;
        }
        if (row.contains(this.tools) && !this.tools.hidden && this.tools.message === message) return;
        const mayRevise = this.#mayRevise(message);
        const smile = iconButton('smile', 'React', () => this.#reactTo(message, smile));
        const props = { tabindex: -1 };
        smile.tabIndex = -1;
        this.tools.replaceChildren(...[
            smile,
            iconButton('copy', 'Copy', () => this.#copy(message), props),
            this.#mayEdit(message) && iconButton('edit', 'Edit', () => this.composer.edit(message), props),
            mayRevise && iconButton('bin', 'Unsend', () => this.#unsend(message), props),
        ].filter(Boolean));
        this.tools.message = message;
        this.tools.hidden = false;
        const line = row.querySelector('.line');
        const isHigh = line.getBoundingClientRect().top - this.timeline.element.getBoundingClientRect().top < 36;
        this.tools.classList.toggle('below', isHigh);
        if (this.tools.parentElement !== line) line.append(this.tools);
    }

    /** The usual six, and all. */
    #reactTo(message, button) {
        const mine = (emoji) => (message.reactions?.[emoji] ?? []).includes(this.app.me);
        const back = () => this.timeline.rowOf(message.seq)?.focus({ preventScroll: true });
        const pick = (emoji) => {
            this.tools.message = undefined;
            this.react(message, emoji, mine(emoji)).then(back);
        };
        const quick = QUICK.map((emoji) => h('button.emoji', { type: 'button', 'aria-label': `React with ${emoji}`, 'aria-pressed': mine(emoji), onclick: () => pick(emoji) }, emoji));
        const more = h('button.more-emoji', { type: 'button', 'aria-label': 'More emoji', onclick: () => openEmoji(more, pick) }, '…');
        this.tools.replaceChildren(...quick, more);
        quick[0].focus();
        return button;
    }

    #key(event) {
        const row = event.target.closest?.('.row');
        const message = this.#messageOf(row);
        const inTools = this.tools.contains(event.target);
        if (event.key === 'Escape' && row) {
            event.stopPropagation();
            if (inTools) return this.timeline.focusRow(row);
            return this.composer.focus();
        }
        if (inTools && ['ArrowLeft', 'ArrowRight'].includes(event.key)) {
            const buttons = [...this.tools.children];
            const step = event.key === 'ArrowRight' ? 1 : -1;
            return buttons[buttons.indexOf(event.target) + step]?.focus();
        }
        if (!message || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return undefined;
        const mayRevise = this.#mayRevise(message);
        const does = {
            Enter: () => this.tools.firstElementChild?.focus(),
            r: () => !message.unsent && this.#reactTo(message, row),
            c: () => !message.unsent && this.#copy(message),
            e: () => this.#mayEdit(message) && this.composer.edit(message),
            Delete: () => mayRevise && this.#unsend(message),
            End: () => this.toEnd(),
        }[event.key];
        if (!does) return undefined;
        event.preventDefault();
        return does();
    }
}
