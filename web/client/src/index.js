/**
 * Client of the Chinwag instant-messaging server, for browsers and Node.
 *
 * @module
 */

export { Client, chatOf, newKey, peerOf } from './client.js';
export { ChinwagError } from './errors.js';
export { Outbox } from './outbox.js';
export { IndexedDbStore, MemoryStore } from './outbox_store.js';
export { Subscription } from './subscription.js';

/** @typedef {import('./client.js').ClientOptions} ClientOptions */
/** @typedef {import('./subscription.js').SubscribeOptions} SubscribeOptions */
/** @typedef {import('./token.js').TokenSource} TokenSource */
/** @typedef {import('./retry.js').Retry} Retry */
/** @typedef {import('./retry.js').Surroundings} Surroundings */
/** @typedef {import('./outbox.js').OutboxChange} OutboxChange */
/** @typedef {import('./outbox_store.js').OutboxEntry} OutboxEntry */
/** @typedef {import('./outbox_store.js').OutboxStore} OutboxStore */
/** @typedef {import('./types.js').About} About */
/** @typedef {import('./types.js').Block} Block */
/** @typedef {import('./types.js').Blocks} Blocks */
/** @typedef {import('./types.js').Face} Face */
/** @typedef {import('./types.js').FeedEvent} FeedEvent */
/** @typedef {import('./types.js').Inbox} Inbox */
/** @typedef {import('./types.js').InboxEntry} InboxEntry */
/** @typedef {import('./types.js').Marker} Marker */
/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Page} Page */
/** @typedef {import('./types.js').Presence} Presence */
/** @typedef {import('./types.js').Update} Update */
