/** A subscription that a test reads, with a watchdog. */

import { within } from './server.js';

export class Reader {
    constructor(test, subscription) {
        this.subscription = subscription;
        this.updates = subscription[Symbol.asyncIterator]();
        this.passed = [];
        test.after(() => subscription.close());
    }

    /** The next update of a type; those before it are in `passed`. */
    async next(type) {
        for (;;) {
            const { value, done } = await within(`an update of type ${type}`, this.updates.next());
            if (done) throw new Error(`the feed ended before ${type}`);
            if (value.type === type) return value;
            this.passed.push(value);
        }
    }

    /** The texts of so many messages. */
    async texts(count) {
        const texts = [];
        while (texts.length < count) texts.push((await this.next('message')).message.text);
        return texts;
    }
}
