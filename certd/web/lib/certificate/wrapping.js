// SPDX-License-Identifier: Apache-2.0
//
// What private keys are wrapped for on this page: the token's wrapping key,
// asked of certd once for a network, and how a person makes sure of it.

import { readWrappingKey } from '../crypto/wrap.js';
import { codeBlock, copyable } from '../copy.js';
import { h, icon, mount } from '../dom.js';
import { card, loaded } from '../layout.js';

/**
 * @param {Object} ctx the page's context
 * @returns {function(string): Promise<import('../crypto/wrap.js').WrappingKey & {mayExpose: boolean}>} of a network; '': the standard one
 */
export function wrappingKeys(ctx) {
	const asked = new Map();
	const ask = async network => {
		const answer = await ctx.api.get('/certificates:importParameters', { network });
		return { ...await readWrappingKey(answer), mayExpose: answer.exposed_upload === true };
	};
	return network => {
		if (!asked.has(network))
			asked.set(network, ask(network).catch(error => { asked.delete(network); throw error; }));
		return asked.get(network);
	};
}

/**
 * What happens to a private key here.
 * @param {Object} ctx @param {function(): Promise<Object>} load @returns {{node: HTMLElement, again: function(): void}} again: for another network
 */
export function wrappingCard(ctx, load) {
	const box = h('div');
	const again = () => mount(box, loaded(ctx, { lines: 2, load, draw: fingerprintOf }));
	again();
	return { again, node: card({ title: 'What happens to the private key' },
		h('ol.path',
			h('li', icon('lock'), h('div', h('strong', 'Wrapped here'), h('p', 'This page encrypts the key in your browser, for the token alone, and overwrites its copy.'))),
			h('li', icon('upload'), h('div', h('strong', 'Passed on'), h('p', 'certd gets what it cannot open. No one on the way sees the key.'))),
			h('li', icon('shield'), h('div', h('strong', 'Opened in the token'), h('p', 'From there it signs for your edges. It never comes out again.')))),
		box) };
}

function fingerprintOf(wrapping) {
	return h('div.stack-s.fingerprint', h('div', h('span.small.quiet', 'Wrapping key (SHA-256)'), copyable(wrapping.fingerprint, { label: 'the wrapping key\'s fingerprint', whole: true })),
		h('details.more', h('summary', icon('right'), 'Is it the token\'s own?'),
			h('div.stack-s.small', h('p', 'certd told this page the wrapping key. An operator who wants to be sure compares it with keyd\'s ledger, which has the record of its making:'),
				codeBlock(`holdfast audit show --key ${wrapping.fingerprint}`, { label: 'At keyd' }),
				h('p', 'Whoever must not trust certd, nor this page that comes from it, uses the command line, which asks keyd itself:'),
				codeBlock('holdfast cert upload FILE...', { label: 'On your machine' }))));
}
