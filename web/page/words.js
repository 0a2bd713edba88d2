/** What went wrong, in words for people. */

/** By the code of an error; what is not here is told as the server does. */
const WORDS = {
    network: 'there is no connection',
    timeout: 'the server did not answer in time',
    closed: 'the connection was closed',
    too_late: 'the message is too old for that',
    unsent: 'the message was unsent',
    too_many_blocks: 'you block as many people as can be',
    rate_limited: 'that was too much at once; wait a moment',
    overloaded: 'the server is busy; try again in a moment',
    unavailable: 'the server is busy; try again in a moment',
    outcome_unknown: 'the server does not know whether it was done; try again',
    storage_full: 'the server has no room left',
};

/**
 * A part of a sentence, without a stop at its end.
 *
 * @param {{ code?: string, message?: string }} error
 * @param {string} [peer] With whom it was about, as shown.
 */
export function reasonOf({ code, message }, peer) {
    if (code === 'blocked' && peer !== undefined) return `${peer} takes nothing from you`;
    return Object.hasOwn(WORDS, code ?? '') ? WORDS[code ?? ''] : (message ?? 'it was refused');
}
