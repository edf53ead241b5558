// SPDX-License-Identifier: Apache-2.0
//
// Short words about what was just done. Failures belong beside what failed;
// here stand only those that have no better place, and these stay until closed.

import { h, mount } from './dom.js';
import { note } from './status.js';

const STAYS_MS = 6000;
const MOST = 4;

const box = h('div.toasts', { popover: 'manual', role: 'region', 'aria-label': 'Messages' });
const voice = h('div.visually-hidden', { 'aria-live': 'polite' });

/** Puts the place for messages into the document; once, by main.js. */
export function startToasts() {
	document.body.append(box, voice);
}

/* A popover lies above open dialogs, when it is shown after them. */
function raise() {
	if (box.matches(':popover-open'))
		box.hidePopover();
	box.showPopover();
}

function drop(each) {
	each.remove();
	if (!box.childElementCount && box.matches(':popover-open'))
		box.hidePopover();
}

/**
 * @param {string} text a sentence @param {{kind?: 'good'|'notice'|'bad'|'info', text?: string, actions?: Node[]}} [options]
 */
export function toast(text, options = {}) {
	const kind = options.kind || 'good';
	const each = note(kind, text, { ...options, close: () => drop(each) });
	each.removeAttribute('role');
	box.append(each);
	while (box.childElementCount > MOST)
		box.firstElementChild.remove();
	raise();
	toast.say(text);
	if (kind !== 'bad')
		setTimeout(() => drop(each), STAYS_MS + (options.actions ? STAYS_MS : 0));
}

/** Only for screen readers: "12 certificates". @param {string} text */
toast.say = text => {
	mount(voice);
	setTimeout(() => mount(voice, text), 60);
};
