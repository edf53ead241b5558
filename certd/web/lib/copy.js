// SPDX-License-Identifier: Apache-2.0
//
// Values that people take elsewhere: fingerprints, DNS records, PEM, commands.

import { h, icon, mount } from './dom.js';
import { short } from './format.js';
import { toast } from './toast.js';

const SHOWN_MS = 1600;

async function put(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return false;
	}
}

/** @param {string} text @param {{label?: string, small?: boolean, words?: string}} [options] words: shown on the button */
export function copyButton(text, options = {}) {
	const label = options.label ? `Copy ${options.label}` : 'Copy';
	const face = () => [icon('copy'), options.words];
	const button = h('button.button.plain.small', {
		type: 'button', class: options.words ? '' : 'icon-only', 'aria-label': options.words ? null : label, title: label,
		on: {
			click: async () => {
				if (!await put(text))
					return toast('The browser did not allow copying. Select the text and copy it by hand.', { kind: 'notice' });
				mount(button, icon('check'), options.words ? 'Copied' : null);
				toast.say(`Copied ${options.label || ''}`);
				return setTimeout(() => mount(button, face()), SHOWN_MS);
			},
		},
	}, face());
	return button;
}

/**
 * A value in one line, with a button that copies all of it.
 * @param {string} text @param {{label?: string, short?: number|boolean, whole?: boolean}} [options] label: what it is, for
 *   screen readers; short: show only so many characters; whole: wrap rather than cut
 */
export function copyable(text, options = {}) {
	if (!text)
		return h('span.quiet', '–');
	const shown = options.short ? short(text, options.short === true ? 12 : options.short) : text;
	return h('span.copyable', { class: options.whole ? 'whole' : '' },
		h('code', { title: shown === text ? null : text }, shown), copyButton(text, options));
}

/**
 * Several lines: PEM, a command, a DNS record.
 * @param {string} text @param {{label: string, file?: string, type?: string}} options file: also offered as a download
 */
export function codeBlock(text, options) {
	return h('div.code',
		h('div.bar', h('span', options.label), h('span.row',
			options.file ? h('button.button.plain.small', { type: 'button', on: { click: () => save(text, options.file, options.type) } },
				icon('download'), 'Download') : null,
			copyButton(text, { label: options.label, words: 'Copy' }))),
		h('pre', { tabindex: 0, role: 'region', 'aria-label': options.label }, text));
}

/** Gives a file to the person. @param {string|Blob|Uint8Array} content @param {string} name @param {string} [type] */
export function save(content, name, type = 'application/octet-stream') {
	const blob = content instanceof Blob ? content : new Blob([content], { type });
	const url = URL.createObjectURL(blob);
	const link = h('a', { href: url, download: name });
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}
