/** A message's text as it is shown: links that are safe, emoji that are large, everything else as it is. */

import { h } from './dom.js';

/** Ends at white space, controls of direction, and what is invisible. */
const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
/** What stands after a link more often than in it. */
const TRAILING = /[.,;:!?…*_~)\]}]+$/;
const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const EMOJI_ONLY = /^(?:\p{RGI_Emoji}|\s){1,12}$/v;
/** Longer, and it is folded up. */
const LONG_CHARS = 1_400;
const LONG_LINES = 22;

/** Whether a text is but a few emoji. */
export function isEmojiOnly(text) {
    return text.trim() !== '' && text.length < 120 && EMOJI_ONLY.test(text);
}

/** Whether marks are heaped up so high that they would leave their line. */
export function isWild(text) {
    return /\p{M}{4}/u.test(text);
}

export function isLong(text) {
    return text.length > LONG_CHARS || text.split('\n', LONG_LINES + 1).length > LONG_LINES;
}

/**
 * The nodes of a text.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function nodesOf(text) {
    const nodes = [];
    let at = 0;
    for (const match of text.matchAll(LINK)) {
        const address = trimmed(match[0]);
        const link = linkTo(address);
        if (!link) continue;
        nodes.push(plain(text.slice(at, match.index)), link);
        at = match.index + address.length;
    }
    nodes.push(plain(text.slice(at)));
    return nodes.filter((node) => node !== '');
}

/** Text between links; where it turns the direction round, only its own. */
function plain(text) {
    return /[\u202a-\u202e\u2066-\u2069]/.test(text) ? h('bdi', { dir: 'auto' }, text) : text;
}

function trimmed(address) {
    const rest = address.replace(TRAILING, '');
    // A closing bracket belongs to a link that opens one.
    return address[rest.length] === ')' && rest.includes('(') ? `${rest})` : rest;
}

/** A link, and where it really goes if its text might mislead. */
function linkTo(address) {
    let url;
    try {
        url = new URL(address);
    } catch {
        return undefined;
    }
    if (!SCHEMES.has(url.protocol)) return undefined;
    const link = h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, address);
    const honest = url.protocol === 'mailto:' ? undefined : misleads(url, address);
    return honest ? h('bdi', { dir: 'ltr' }, link, h('span.goes-to', null, ` (goes to ${honest})`)) : link;
}

/** The host, where a name before an @ or letters of other scripts could be taken for it. */
function misleads(url, address) {
    const isPlain = address.toLowerCase().includes(`://${url.hostname}`);
    return url.username !== '' || url.password !== '' || !isPlain ? url.host : undefined;
}

/** One line, for the inbox and notifications. */
export function briefTextOf(message, me) {
    if (message.unsent) return message.sender === me ? 'You unsent a message' : 'Message unsent';
    const line = message.text.replace(/\s+/g, ' ').trim();
    return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}
