/** Tells who looks elsewhere: a count in the title, and the system's notifications where they were asked for. */

import { visible } from './dom.js';
import { loadSetting, saveSetting } from './session.js';
import { briefTextOf } from './text.js';

const WANTED = 'notifications';

/** @param {number} unread */
export function countInTitle(unread) {
    document.title = unread > 0 ? `(${unread}) Chinwag` : 'Chinwag';
}

export const canNotify = () => typeof Notification === 'function';
export const isNotifying = () => canNotify() && Notification.permission === 'granted' && loadSetting(WANTED) === 'on';

/** Turns them on, as far as the browser allows, or off; whether they are on. */
export async function setNotifying(isWanted) {
    if (isWanted && canNotify() && Notification.permission === 'default') await Notification.requestPermission();
    saveSetting(WANTED, isWanted ? 'on' : undefined);
    return isNotifying();
}

/**
 * @param {any} message
 * @param {string} me
 * @param {() => void} onClick
 */
export function notify(message, me, onClick) {
    if (!isNotifying()) return;
    try {
        const shown = new Notification(visible(message.sender), { body: briefTextOf(message, me), tag: `chinwag ${message.chat}`, icon: 'page/icon.svg' });
        shown.onclick = () => {
            window.focus();
            shown.close();
            onClick();
        };
    } catch {
        // Some systems take them from a service worker only.
    }
}
