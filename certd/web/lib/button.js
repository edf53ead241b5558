// SPDX-License-Identifier: Apache-2.0
//
// Buttons, and links that look like them.

import { h, icon } from './dom.js';
import { href } from './router.js';
import { toast } from './toast.js';

function inside(label, options) {
	return [options.icon ? icon(options.icon) : null, options.iconOnly ? null : label];
}

function classes(options) {
	return [options.kind, options.small ? 'small' : '', options.iconOnly ? 'icon-only' : ''].flat();
}

/**
 * Runs a function, and is busy as long as that takes. What it throws is told as a message; where a better place is at
 * hand, catch it there.
 * @param {string} label @param {{run: function(Event): *, kind?: 'primary'|'danger'|'plain'|string[], icon?: string,
 *   small?: boolean, iconOnly?: boolean, disabled?: boolean, title?: string}} options
 * @returns {HTMLButtonElement}
 */
export function button(label, options) {
	const node = h('button.button', {
		type: 'button', class: classes(options), disabled: Boolean(options.disabled), title: options.title || (options.iconOnly ? label : null),
		'aria-label': options.iconOnly ? label : null, on: { click: event => busy(node, () => options.run(event)) },
	}, inside(label, options));
	return node;
}

/** A link as a button. @param {string} label @param {string} path without /console @param {Object} [options] as button() */
export function linkButton(label, path, options = {}) {
	return h('a.button', { href: href(path), class: classes(options), title: options.title, 'aria-label': options.iconOnly ? label : null },
		inside(label, options));
}

/** Keeps a button busy while run() goes on. @param {HTMLButtonElement} node @param {function(): *} run */
export async function busy(node, run) {
	if (node.getAttribute('aria-disabled') === 'true')
		return;
	const late = setTimeout(() => node.setAttribute('aria-busy', 'true'), 150);
	node.setAttribute('aria-disabled', 'true');
	try {
		await run();
	} catch (error) {
		if (error.name !== 'AbortError')
			toast(error.title || 'That did not work', { kind: 'bad', text: error.detail || error.message });
	} finally {
		clearTimeout(late);
		node.removeAttribute('aria-busy');
		node.removeAttribute('aria-disabled');
	}
}
