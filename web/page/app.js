/** The page once someone is in: the feed on one side, the views on the other. */

import { Client, Outbox, chatOf } from '../client/src/index.js';
import { Blocks } from './blocks.js';
import { avatar, h, icon, iconButton, name } from './dom.js';
import { Inbox } from './inbox.js';
import { InboxView } from './inbox_view.js';
import { KeptStore } from './kept.js';
import { Marks } from './marks.js';
import { wrongName } from './names.js';
import { countInTitle, notify } from './notify.js';
import { loadDraft } from './session.js';
import { openSettings } from './settings.js';
import { Talk } from './talk.js';
import { reasonOf } from './words.js';

/** How long a peer is shown as typing after it was said. */
const TYPING_MS = 5_000;
/** How long the connection may be gone before it is worth a word. */
const PATIENCE_MS = 800;
const WATCHED_MAX = 100;
/** How often what is told of times is told anew: how long ago someone was seen, which day was yesterday. */
const MINUTE_MS = 60_000;

export class App {
    presence = new Map();
    /** Chats where the peer types, with what ends that. */
    typing = new Map();
    /** What happens to the entries of the outbox, by key. */
    states = new Map();
    /** @type {Talk | undefined} */
    talk;
    #end;
    #isDrawn = false;
    #wasReady = false;
    #banner;

    /**
     * @param {HTMLElement} root
     * @param {{ url: string, about: import('../client/src/index.js').About, session: { user: string, token?: string } }} given
     */
    constructor(root, { url, about, session }) {
        this.root = root;
        this.about = about;
        this.me = session.user;
        this.client = new Client({ url, user: session.user, token: about.auth === 'token' ? session.token : undefined });
        this.inbox = new Inbox(this.client, () => this.draw());
        const store = new KeptStore(`chinwag ${url} ${this.me}`, () => this.toast('This browser keeps nothing: what is not sent is lost when the page is closed.'));
        this.outbox = new Outbox(this.client, { store, onChange: (change) => this.#sent(change) });
        this.marks = new Marks(this.client);
        this.blocks = new Blocks(this.client, (peer) => this.#blocked(peer));
        this.inboxView = new InboxView(this);
        this.main = h('div.main', null);
        this.banner = h('div.banner', { role: 'status', hidden: true });
        this.toasts = h('div.toasts', { role: 'status', popover: 'manual' });
        const head = h('header.side-head', null, avatar(this.me), h('h2', null, name(this.me)), iconButton('gear', 'Settings', () => openSettings(this)));
        this.side = h('nav.side', { 'aria-label': 'Chats' }, head, this.inboxView.element);
        this.element = h('div.app', null, this.banner, h('main.panes', null, h('h1.unseen', null, 'Chinwag'), this.side, this.main), this.toasts);
    }

    get openChat() {
        return this.talk?.chat;
    }

    /** Until the one who is in signs out, or the server sends them away. */
    run() {
        this.root.replaceChildren(this.element);
        /** @type {[EventTarget, string, (event: any) => void][]} */
        const listeners = [
            [window, 'hashchange', () => this.#route()],
            [document, 'visibilitychange', () => this.#looked()],
            [document, 'keydown', (event) => this.#key(event)],
        ];
        for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
        this.#route();
        this.draw();
        this.outbox.start().catch((error) => this.toast(`What waited to be sent can't be read: ${reasonOf(error)}.`));
        const minutes = setInterval(() => this.#timePassed(), MINUTE_MS);
        this.subscription = this.client.subscribe();
        this.#follow();
        return new Promise((resolve) => {
            this.#end = (end) => {
                for (const [target, name, listener] of listeners) target.removeEventListener(name, listener);
                this.subscription.close();
                this.outbox.stop();
                this.marks.stop();
                this.talk?.close();
                for (const timer of this.typing.values()) clearTimeout(timer);
                clearTimeout(this.#banner);
                clearInterval(minutes);
                document.querySelector('dialog')?.close();
                countInTitle(0);
                resolve(end);
            };
        });
    }

    signOut() {
        history.replaceState(null, '', location.pathname);
        this.#end({});
    }

    // --- The feed -------------------------------------------------------------------------------------------------------

    async #follow() {
        try {
            for await (const update of this.subscription) await this.#take(update);
        } catch (error) {
            if (error.isUnidentified) return this.#end({ why: 'Your sign-in has come to its end. Sign in again; nothing is lost.' });
            if (error.closeCode === 4409) return this.#lost('Too many windows are open for you, so this one was disconnected.', 'Use this one', () => this.#again());
            return this.#lost(`The server refused the connection: ${reasonOf(error)}.`, 'Try again', () => this.#again());
        }
        return undefined;
    }

    #again() {
        this.subscription = this.client.subscribe({ since: this.subscription.since, watch: this.#watched() });
        this.#follow();
    }

    async #take(update) {
        switch (update.type) {
            case 'ready': return this.#ready(update);
            case 'disconnected':
                clearTimeout(this.#banner);
                this.#banner = setTimeout(() => this.#away(), PATIENCE_MS);
                return undefined;
            case 'message': return this.#message(update.message);
            case 'edit':
            case 'unsend':
            case 'reaction':
                this.inbox.revise(update.message);
                this.talk?.chat === update.message.chat && this.talk.revise(update.message);
                return undefined;
            case 'read':
            case 'delivered':
                this.inbox.mark(update);
                this.talk?.chat === update.chat && this.talk.draw();
                return undefined;
            case 'typing':
                if (update.user !== this.me) this.#typed(update.chat, true);
                return undefined;
            case 'presence':
                this.presence.set(update.user, update);
                this.draw();
                if (this.talk?.peer === update.user) this.talk.drawStatus();
                return undefined;
            case 'block': return this.blocks.take(update);
            default: return undefined;
        }
    }

    /** Nobody knows now who is there. */
    #away() {
        this.presence.clear();
        for (const chat of [...this.typing.keys()]) this.#typed(chat, false);
        this.#lost('No connection. What you write is kept and sent later.', 'Try now', () => this.subscription.wake());
        this.draw();
        this.talk?.drawStatus();
    }

    #blocked(peer) {
        this.draw();
        this.talk?.drawBlocked();
        // How far the peer came meanwhile is told by no event.
        if (peer !== undefined && !this.blocks.has(peer)) this.inbox.refresh(chatOf(this.me, peer)).then(() => this.talk?.draw());
    }

    async #ready({ recovered }) {
        clearTimeout(this.#banner);
        const wasAway = !this.banner.hidden;
        this.banner.hidden = true;
        if (wasAway) this.toast('Connected again');
        this.outbox.flush();
        // Told again with the next connection, where it does not come now.
        this.blocks.load().catch(() => {});
        if (this.#wasReady && recovered) return this.talk?.hasFailed ? this.reopen() : undefined;
        try {
            await this.inbox.load();
            this.#wasReady = true;
        } catch (error) {
            return this.#lost(`The chats could not be loaded: ${reasonOf(error)}.`, 'Try again', () => this.#ready({ recovered: false }));
        }
        for (const entry of this.inbox.entries.values()) {
            const { chat, last_message: message, delivered } = entry;
            if (message.sender !== this.me && (delivered[this.me] ?? 0) < message.seq) this.marks.delivered(chat, message.seq);
        }
        this.subscription.watch(this.#watched());
        if (this.#isDrawn && !this.talk?.hasFailed) await this.talk?.reload().catch(() => {});
        else this.#route(true);
        this.#isDrawn = true;
        return undefined;
    }

    #watched() {
        const peers = this.inbox.sorted().map(({ peer }) => peer).filter((peer) => peer !== this.me);
        const first = this.talk && this.talk.peer !== this.me ? [this.talk.peer] : [];
        return [...new Set([...first, ...peers])].slice(0, WATCHED_MAX).sort();
    }

    async #message(message) {
        const isHere = this.talk?.chat === message.chat;
        const isKnown = this.inbox.entries.has(message.chat);
        const isUnread = await this.inbox.take(message);
        if (isHere) await this.talk.take(message);
        if (!isKnown) this.subscription.watch(this.#watched());
        if (message.sender === this.me) return;
        this.#typed(message.chat, false);
        this.marks.delivered(message.chat, message.seq);
        const isSeen = isHere && document.visibilityState === 'visible';
        if (isUnread && !isSeen) notify(message, this.me, () => this.open(message.sender));
    }

    #typed(chat, isTyping) {
        clearTimeout(this.typing.get(chat));
        if (isTyping) this.typing.set(chat, setTimeout(() => this.#typed(chat, false), TYPING_MS));
        else if (!this.typing.delete(chat)) return;
        this.inboxView.setTyping(chat, isTyping);
        if (this.talk?.chat === chat) this.talk.drawStatus();
    }

    // --- The outbox -----------------------------------------------------------------------------------------------------

    /** @param {import('../client/src/index.js').OutboxChange} change */
    async #sent({ type, entry, message }) {
        this.states.set(entry.key, type === 'waiting' ? 'waiting' : 'sending');
        if (type === 'sent' || type === 'removed') this.states.delete(entry.key);
        if (message) {
            const taken = this.inbox.take(message);
            if (this.talk?.chat === entry.chat) await this.talk.take(message);
            await taken;
        }
        if (this.talk?.chat === entry.chat) this.talk.pending();
    }

    draftOf(chat) {
        return loadDraft(this.me, chat);
    }

    // --- Where one is ---------------------------------------------------------------------------------------------------

    hrefOf(peer) {
        return `#${encodeURIComponent(peer)}`;
    }

    open(peer) {
        location.hash = this.hrefOf(peer);
    }

    leaveChat() {
        location.hash = '';
    }

    /** Shows what the address says. */
    #route(isForced = false) {
        let peer = '';
        try {
            peer = decodeURIComponent(location.hash.slice(1));
        } catch {
            // No address of ours.
        }
        if (wrongName(peer)) peer = '';
        if (!isForced && this.talk?.peer === peer) return;
        const left = this.main.contains(document.activeElement) ? this.talk?.chat : undefined;
        this.talk?.close();
        this.talk = undefined;
        this.element.classList.toggle('in-talk', peer !== '');
        if (peer === '') {
            this.main.replaceChildren(h('div.nobody', null, icon('talk'), h('p', null, 'Choose a chat, or search for a name to start one.'), h('p.quiet', null, h('kbd', null, '/'), ' searches, ', h('kbd', null, '?'), ' shows every key')));
        } else {
            const talk = new Talk(this, chatOf(this.me, peer), peer);
            this.talk = talk;
            this.main.replaceChildren(talk.element);
            talk.open();
            if (matchMedia('(pointer: fine)').matches) talk.composer.focus();
            if (this.#wasReady && !this.presence.has(peer)) this.subscription.watch(this.#watched());
        }
        this.draw();
        // Who came by the keyboard goes on where the chat stands in the list.
        if (peer === '' && left) queueMicrotask(() => this.inboxView.focus(left));
    }

    /** The open chat from the beginning, where it could not be loaded. */
    reopen() {
        this.#route(true);
    }

    #looked() {
        if (document.visibilityState !== 'visible') return;
        this.subscription.wake();
        this.talk?.seen();
        this.#timePassed();
    }

    #timePassed() {
        this.draw();
        this.talk?.draw();
    }

    #key(event) {
        const isWriting = /^(input|textarea)$/i.test(event.target.tagName ?? '');
        if (event.altKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
            event.preventDefault();
            this.inboxView.neighbour(event.key === 'ArrowDown' ? 1 : -1)?.click();
        } else if ((event.key === 'k' && (event.ctrlKey || event.metaKey)) || (event.key === '/' && !isWriting)) {
            event.preventDefault();
            this.element.classList.remove('in-talk');
            this.inboxView.search.focus();
        } else if (event.key === '?' && !isWriting) {
            openSettings(this);
        } else if (event.key === 'Escape' && !document.querySelector('dialog[open]') && !this.talk?.composer.isEditing && this.talk) {
            if (event.target.closest?.('.composer')) this.talk.timeline.element.focus();
            else this.leaveChat();
        }
    }

    // --- Words ----------------------------------------------------------------------------------------------------------

    #isPlanned = false;

    /** The list and the title, once for all that changes in one go. */
    draw() {
        if (this.#isPlanned) return;
        this.#isPlanned = true;
        queueMicrotask(() => {
            this.#isPlanned = false;
            this.inboxView.draw();
            countInTitle(this.inbox.unread);
        });
    }

    #lost(words, action, onclick) {
        this.banner.replaceChildren(icon('alert'), h('span', null, words), h('button.link', { type: 'button', onclick }, action));
        this.banner.hidden = false;
    }

    toast(words) {
        const toast = h('p.toast', null, words);
        this.toasts.append(toast);
        // In front of a dialogue too, which may have been opened since the last one.
        if (this.toasts.matches(':popover-open')) this.toasts.hidePopover();
        this.toasts.showPopover();
        setTimeout(() => {
            toast.remove();
            if (this.toasts.children.length === 0 && this.toasts.isConnected) this.toasts.hidePopover();
        }, 4_000);
    }
}
