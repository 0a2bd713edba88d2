/** Times in words, in the visitor's own zone and language. */

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const clock = format({ hour: 'numeric', minute: '2-digit' });
const weekday = format({ weekday: 'long' });
const dayMonth = format({ day: 'numeric', month: 'long' });
const dayMonthYear = format({ day: 'numeric', month: 'long', year: 'numeric' });
const short = format({ day: 'numeric', month: 'short' });
const shortYear = format({ day: 'numeric', month: 'short', year: 'numeric' });
const whole = format({ dateStyle: 'full', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

const DAY_MS = 86_400_000;

/** @param {number} ts Microseconds. */
const date = (ts) => new Date(ts / 1000);

/** How many midnights lie between a time and now. */
function daysAgo(when, now) {
    const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
    return Math.round((midnight(now) - midnight(when)) / DAY_MS);
}

const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/** Whether two times are of one day here. */
export function isSameDay(a, b) {
    return date(a).toDateString() === date(b).toDateString();
}

export const timeOf = (ts) => clock.format(date(ts));
export const wholeTimeOf = (ts) => whole.format(date(ts));
export const isoOf = (ts) => date(ts).toISOString();

/** The line between two days. */
export function dayOf(ts, now = new Date()) {
    const when = date(ts);
    const ago = daysAgo(when, now);
    if (ago === 0 || ago === 1) return capital(relative.format(-ago, 'day'));
    if (ago > 1 && ago < 7) return weekday.format(when);
    return (when.getFullYear() === now.getFullYear() ? dayMonth : dayMonthYear).format(when);
}

/** As short as it goes, for the inbox. */
export function briefOf(ts, now = new Date()) {
    const when = date(ts);
    const ago = daysAgo(when, now);
    if (ago === 0) return clock.format(when);
    if (ago === 1) return capital(relative.format(-1, 'day'));
    return (when.getFullYear() === now.getFullYear() ? short : shortYear).format(when);
}

/** How long ago someone was seen. */
export function agoOf(ts, now = Date.now()) {
    const minutes = Math.max(0, Math.round((now - ts / 1000) / 60_000));
    if (minutes < 1) return 'just now';
    if (minutes < 60) return relative.format(-minutes, 'minute');
    if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), 'hour');
    return relative.format(-Math.round(minutes / 1440), 'day');
}
