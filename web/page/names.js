/** What may be a user's name, as the server has it. */

const NAME_MAX_BYTES = 128;

/** Why a text is no user name, in words; nothing where it is one. */
export function wrongName(name) {
    if (name === '') return 'A name has at least one character.';
    if (name.includes(':')) return 'A name has no colon.';
    if (/\p{Cc}/u.test(name)) return 'A name has no control characters.';
    if (name !== name.trim()) return 'A name has no space at its ends.';
    if (new TextEncoder().encode(name).length > NAME_MAX_BYTES) return 'This name is too long.';
    return undefined;
}
