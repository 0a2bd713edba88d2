/** A few dozen emoji to pick from; every other one the keyboard knows goes too. */

import { h } from './dom.js';

export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🎉'];
const COLUMNS = 8;
/** By words for screen readers, since the names of emoji are not known to a page. */
const ALL = `👍 thumbs up|❤️ red heart|😂 tears of joy|😮 surprise|😢 crying|🎉 party|🙏 thanks|🔥 fire|
😀 grin|😄 laugh|😅 sweat|🙂 smile|😉 wink|😊 blush|😍 heart eyes|😘 kiss|
😎 cool|🤓 nerd|🤔 thinking|🤨 doubt|😐 neutral|🙄 eye roll|😏 smirk|😴 asleep|
😌 relief|😔 sad|😕 confused|😬 grimace|😱 scream|😡 angry|🤯 mind blown|🥳 celebrate|
🤗 hug|🤝 handshake|👋 wave|👌 OK|✌️ peace|🤞 fingers crossed|👏 clapping|🙌 raised hands|
💪 strong|👀 eyes|🧠 brain|💯 hundred|✅ done|❌ no|❓ question|❗ attention|
⭐ star|✨ sparkles|☀️ sun|🌧️ rain|❄️ snow|🌈 rainbow|🌱 seedling|🌹 rose|
🐶 dog|🐱 cat|🐟 fish|🦉 owl|☕ coffee|🍵 tea|🍺 beer|🍷 wine|
🍎 apple|🍌 banana|🍞 bread|🍕 pizza|🎂 cake|🎁 gift|🎵 music|⚽ football|
🚲 bicycle|🚗 car|🚆 train|✈️ aeroplane|🏠 house|💡 idea|📌 pin|🔒 lock`
    .split('|')
    .map((line) => {
        const [emoji, ...words] = line.trim().split(' ');
        return { emoji, name: words.join(' ') };
    });

/**
 * Opens the picker beside a button.
 *
 * @param {HTMLElement} button
 * @param {(emoji: string) => void} onPick
 * @param {{ stays?: boolean }} [options] `stays`: it remains open for another.
 */
export function openEmoji(button, onPick, { stays = false } = {}) {
    const close = (isBack) => {
        panel.remove();
        document.removeEventListener('pointerdown', outside, true);
        button.setAttribute('aria-expanded', 'false');
        if (isBack) button.focus();
    };
    const outside = ({ target }) => panel.contains(target) || target === button || button.contains(target) || close(false);
    const buttons = ALL.map(({ emoji, name }, index) => h('button', {
        type: 'button', tabindex: index === 0 ? 0 : -1, 'aria-label': name, title: name,
        onclick: () => {
            if (!stays) close(true);
            onPick(emoji);
        },
    }, emoji));
    const panel = h('div.emoji-panel', { role: 'dialog', 'aria-label': 'Emoji', onkeydown: (event) => {
        if (event.key === 'Escape') {
            event.stopPropagation();
            return close(true);
        }
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
        const next = step && buttons[buttons.indexOf(document.activeElement) + step];
        if (!next) return undefined;
        event.preventDefault();
        return next.focus();
    } }, ...buttons);
    const open = document.querySelector('.emoji-panel');
    if (open) {
        open.remove();
        if (button.getAttribute('aria-expanded') === 'true') return button.setAttribute('aria-expanded', 'false');
    }
    document.body.append(panel);
    place(panel, button);
    button.setAttribute('aria-expanded', 'true');
    document.addEventListener('pointerdown', outside, true);
    return buttons[0].focus();
}

/** Above the button if there is room, else below; always within the window. */
function place(panel, button) {
    const at = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = panel;
    const top = at.top > height + 12 ? at.top - height - 8 : Math.min(at.bottom + 8, innerHeight - height - 8);
    panel.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
    panel.style.top = `${Math.max(8, top)}px`;
}
