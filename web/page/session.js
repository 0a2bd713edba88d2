/** What this browser remembers: who is signed in, drafts, and how things should look. */

const WHO = 'chinwag session';

const read = (storage, key) => {
    try {
        return storage().getItem(key);
    } catch {
        // Storage may be forbidden; then nothing is remembered.
        return null;
    }
};
const write = (storage, key, value) => {
    try {
        if (value) storage().setItem(key, value);
        else storage().removeItem(key);
    } catch {
        // As above, or full.
    }
};
const tab = () => sessionStorage;
const browser = () => localStorage;

/** @returns {{ user: string, token?: string } | undefined} */
export function loadSession() {
    for (const storage of [tab, browser]) {
        try {
            const found = JSON.parse(read(storage, WHO));
            if (typeof found?.user === 'string') return found;
        } catch {
            // Of another version.
        }
    }
    return undefined;
}

/** Kept in this tab, and in the browser if so wished. */
export function saveSession(session, isKept) {
    const text = JSON.stringify(session);
    write(tab, WHO, text);
    write(browser, WHO, isKept ? text : undefined);
}

export function clearSession() {
    write(tab, WHO, undefined);
    write(browser, WHO, undefined);
}

const draftKey = (user, chat) => `chinwag draft ${user} ${chat}`;
export const loadDraft = (user, chat) => read(browser, draftKey(user, chat)) ?? '';
export const saveDraft = (user, chat, text) => write(browser, draftKey(user, chat), text);

export const loadSetting = (name) => read(browser, `chinwag ${name}`);
export const saveSetting = (name, value) => write(browser, `chinwag ${name}`, value);

/** Light, dark, or as the system has it. */
export function applyTheme(theme = loadSetting('theme')) {
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
}

/** The user that a token names; nothing where it is none that names one. */
export function userOf(token) {
    try {
        const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
        const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
        const { sub } = JSON.parse(new TextDecoder().decode(bytes));
        return typeof sub === 'string' ? sub : undefined;
    } catch {
        return undefined;
    }
}
