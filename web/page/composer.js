/** Where one writes: a draft that is kept, an edit of what was sent, emoji, and a word when a text is too long. */

import { bdi, h, icon, iconButton } from './dom.js';
import { openEmoji } from './emoji.js';

/** How long a peer shows that one writes, and so how often it is said again. */
const TYPING_MS = 3_000;

export class Composer {
    #editing;
    #typed = 0;

    /**
     * @param {{ maxBytes: number, draft: string, label: string, onSend: (text: string) => void, onEdit: (message: import('../client/src/index.js').Message, text: string) => void,
     *     onDraft: (text: string) => void, onTyping: () => void, onEditLast: () => void }} view
     */
    constructor(view) {
        this.view = view;
        this.field = h('textarea', {
            id: 'text', rows: 1, placeholder: 'Message', 'aria-label': view.label, dir: 'auto', enterkeyhint: 'send', autocomplete: 'off',
            oninput: () => this.#changed(true), onkeydown: (event) => this.#key(event),
        });
        this.submit = h('button.send', { type: 'submit', 'aria-label': 'Send', title: 'Send' }, icon('send'));
        this.left = h('p.left', { role: 'status' });
        this.strip = h('div.strip', { hidden: true });
        const smile = iconButton('smile', 'Emoji', () => openEmoji(smile, (emoji) => this.insert(emoji), { stays: true }));
        this.element = h(
            'form.composer', { onsubmit: (event) => this.#submit(event) }, this.strip,
            h('div.box', null, smile, this.field, this.submit), this.left,
        );
        this.field.value = view.draft;
        queueMicrotask(() => this.#changed(false));
    }

    focus() {
        this.field.focus();
    }

    insert(text) {
        this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, 'end');
        this.#changed(true);
    }

    /**
     * Puts a sent message in place of the draft, until it is saved or given up.
     *
     * @param {import('../client/src/index.js').Message} message
     * @param {string} [text] What it is to say, where that was written already.
     */
    edit(message, text = message.text) {
        this.#editing ??= { draft: this.field.value };
        this.#editing.message = message;
        this.strip.replaceChildren(icon('edit'), h('span', null, 'Editing ', bdi(message.text.slice(0, 80), { class: 'quiet' })), iconButton('close', 'Stop editing', () => this.stopEditing()));
        this.strip.hidden = false;
        this.#set(text);
        this.focus();
        this.field.setSelectionRange(text.length, text.length);
    }

    stopEditing() {
        const editing = this.#editing;
        if (!editing) return false;
        this.#editing = undefined;
        this.strip.hidden = true;
        this.#set(editing.draft);
        this.focus();
        return true;
    }

    get isEditing() {
        return this.#editing !== undefined;
    }

    #set(text) {
        this.field.value = text;
        this.#changed(false);
    }

    #changed(isTyped) {
        const { field, view } = this;
        // Where the browser does not do it by itself.
        if (!CSS.supports('field-sizing', 'content')) {
            field.style.height = 'auto';
            field.style.height = `${field.scrollHeight}px`;
        }
        const left = view.maxBytes - new TextEncoder().encode(field.value).length;
        const isLong = left < 0;
        this.left.textContent = left < 200 ? (isLong ? `Too long by ${-left} bytes` : `${left} bytes left`) : '';
        this.left.classList.toggle('bad', isLong);
        this.submit.disabled = isLong || field.value.trim() === '';
        if (!isTyped) return;
        if (!this.#editing) view.onDraft(field.value);
        const now = Date.now();
        if (field.value.trim() !== '' && now - this.#typed > TYPING_MS) {
            this.#typed = now;
            view.onTyping();
        }
    }

    #key(event) {
        if (event.isComposing) return;
        if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault();
            if (!this.submit.disabled) this.element.requestSubmit();
        } else if (event.key === 'ArrowUp' && this.field.value === '') {
            event.preventDefault();
            this.view.onEditLast();
        } else if (event.key === 'Escape' && this.stopEditing()) {
            event.stopPropagation();
        }
    }

    #submit(event) {
        event.preventDefault();
        const text = this.field.value;
        const editing = this.#editing;
        if (text.trim() === '') return;
        this.#typed = 0;
        if (editing) {
            this.stopEditing();
            this.view.onEdit(editing.message, text);
        } else {
            this.#set('');
            this.view.onDraft('');
            this.view.onSend(text);
        }
        this.focus();
    }
}
