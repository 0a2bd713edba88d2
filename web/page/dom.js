/** Elements. Text only ever becomes text here, never markup. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. Of `props`, what begins with `on` is a listener, `true` an empty attribute, and nothing is no attribute; but for ARIA, where
 * false is a word too.
 *
 * @param {string} tag With classes, as in `p.text.quiet`.
 * @param {Record<string, any> | null} [props]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, props, ...children) {
    const [name, ...classes] = tag.split('.');
    const element = document.createElement(name);
    if (classes.length > 0) element.className = classes.join(' ');
    for (const [key, value] of Object.entries(props ?? {})) {
        if (value === undefined || value === null || (value === false && !key.startsWith('aria-'))) continue;
        if (key.startsWith('aria-')) element.setAttribute(key, String(value));
        else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
        else element.setAttribute(key, value === true ? '' : String(value));
    }
    for (const child of children) {
        if (child !== null && child !== undefined && child !== false) element.append(typeof child === 'number' ? String(child) : child);
    }
    return element;
}

/** @param {string} name Of a symbol in the page. */
export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    const use = document.createElementNS(SVG, 'use');
    use.setAttribute('href', `#i-${name}`);
    svg.append(use);
    return svg;
}

/**
 * A button that is an icon.
 *
 * @param {string} name
 * @param {string} label
 * @param {(event: Event) => void} onclick
 * @param {Record<string, any>} [props]
 */
export function iconButton(name, label, onclick, props) {
    return h('button.icon-button', { type: 'button', 'aria-label': label, title: label, onclick, ...props }, icon(name));
}

/** Text that a person chose, which may be of any script: it stands by itself, whatever it holds. */
export function bdi(text, props) {
    return h('bdi', { dir: 'auto', ...props }, text);
}

/** What turns text round or has no width, but for what joins letters and emoji. */
const UNSEEN = /[\p{Cf}--[\u{200c}\u{200d}\u{e0020}-\u{e007f}]]/gv;

/** A name that shows all it is made of, so that none passes for another by what can't be seen. */
export function visible(user) {
    return user.replace(UNSEEN, (char) => `‹U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);
}

/** A user's name. */
export function name(user) {
    return bdi(visible(user));
}

/** A round sign for a user: the first letter, in one of twelve hues. */
export function avatar(user) {
    const segments = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(user)].map(({ segment }) => segment);
    const letter = segments.find((segment) => /^(?:[\p{L}\p{N}]|\p{RGI_Emoji}$)/v.test(segment)) ?? '?';
    let sum = 0;
    for (const char of user) sum = (sum * 31 + char.codePointAt(0)) % 9973;
    return h('span.avatar', { 'aria-hidden': true, 'data-hue': sum % 12 }, letter.length > 8 ? '?' : letter.toLocaleUpperCase());
}

/** Tells a screen reader, without a sound to anyone else. */
export function announce(text) {
    const live = document.getElementById('live');
    live.replaceChildren(h('p', null, text));
}

/**
 * A dialogue in front of the page.
 *
 * @param {string} title
 * @param {(close: () => void) => Node[]} content
 */
export function openDialog(title, content) {
    const id = `dialog-${++dialogs}`;
    const dialog = h('dialog.dialog', { 'aria-labelledby': id });
    const close = () => dialog.close();
    dialog.append(
        h('header', null, h('h2', { id }, title), iconButton('close', 'Close', close)),
        ...content(close),
    );
    dialog.addEventListener('close', () => dialog.remove());
    dialog.addEventListener('click', (event) => event.target === dialog && close());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

let dialogs = 0;
