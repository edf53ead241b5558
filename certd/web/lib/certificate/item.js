// SPDX-License-Identifier: Apache-2.0
//
// How an item stands on the page: what was found in it, the password that it
// needs, or another way for what a browser cannot open.

import { base64 } from '../crypto/pem.js';
import { button } from '../button.js';
import { codeBlock } from '../copy.js';
import { dialog } from '../dialog.js';
import { h, icon } from '../dom.js';
import { field } from '../field.js';
import { form } from '../form.js';
import { plural } from '../format.js';
import { keyName } from './words.js';

function foundText(item) {
	const found = [];
	if (item.certificates.length)
		found.push(plural(item.certificates.length, 'certificate'));
	if (item.key)
		found.push(`private key ${keyName(item.key.kind)}, wrapped for the token`);
	if (item.exposed)
		found.push('will be sent in the clear');
	return found.join(', ') || 'nothing that is needed';
}

/* ---- a password ---- */

function passwordField(item, acts) {
	const wrong = item.problem.code === 'password_wrong';
	const input = field({ name: 'password', label: `Password of ${item.name}`, type: 'password', autocomplete: 'off',
		help: 'It is used in this browser only, and sent to nobody.' });
	const open = button('Open', { icon: 'lock', run: () => acts.unlock(item, input.value) });
	input.input.addEventListener('keydown', event => {
		if (event.key !== 'Enter')
			return;
		event.preventDefault();
		open.click();
	});
	if (wrong)
		input.setError(item.problem.message);
	return h('div.unlock', input.node, open);
}

/* ---- what a browser cannot open ---- */

const quoted = name => /^[\w.@%+,:-]+$/.test(name) ? name : `'${name.replaceAll('\'', '\'\\\'\'')}'`;

function exposeDialog(item, acts) {
	const known = field({ name: 'known', label: 'I know that this key counts as exposed from then on, for ever.', type: 'check' });
	known.validate = () => {
		known.setError(known.value ? '' : 'Say that you know, or use the command line.');
		return known.value;
	};
	const fields = [field({ name: 'passphrase', label: 'Password of the file', type: 'password', autocomplete: 'off' }), known];
	const box = dialog({
		title: 'Send the private key in the clear?',
		body: [
			h('p', 'certd opens the file, and so has the private key and its password in its memory before the token has them. The key is marked as exposed for ever, on this page and in the ledger.'),
			h('p', 'The command line does without: it wraps the key on your machine.'),
			form(null, { items: fields, submit: 'Send it in the clear', danger: true, cancel: () => box.close(),
				onSubmit: async values => {
					acts.expose(item, { data: base64(item.locked), passphrase: values.passphrase });
					box.close();
				} }).node,
		],
	});
}

function otherWays(item, acts) {
	return h('div.stack-s', h('p', item.problem.message),
		h('p', 'The command line reads it, and wraps the key on your machine:'),
		codeBlock(`holdfast cert upload ${quoted(item.name)}${acts.account() ? ` --account ${acts.account()}` : ''}`, { label: 'On your machine' }),
		acts.expose && acts.mayExpose() ? h('div.actions', button('Send it in the clear', { kind: 'danger', small: true, run: () => exposeDialog(item, acts) })) : null);
}

/* Old ciphers of a key alone: the sentence says the command that encrypts it anew. */
function said(item, acts) {
	const { problem } = item;
	if (!problem)
		return h('div.small.quiet', foundText(item));
	if (problem.code === 'password_needed' || problem.code === 'password_wrong')
		return passwordField(item, acts);
	if (problem.code === 'legacy')
		return otherWays(item, acts);
	return h('p.small', { role: 'alert' }, problem.detail || problem.message);
}

/* [icon, class] */
function faceOf(item) {
	if (item.exposed)
		return ['notice_mark', 'notice'];
	if (!item.problem)
		return ['good', 'good'];
	return item.problem.code === 'password_needed' ? ['lock', 'locked'] : item.problem.code === 'legacy' ? ['notice_mark', 'notice'] : ['bad', 'bad'];
}

/**
 * @param {import('./reading.js').Item} item
 * @param {{remove: function(Object): void, unlock: function(Object, string): Promise<void>, expose: ?function(Object, Object): void,
 *   mayExpose: function(): boolean, account: function(): string}} acts
 */
export function itemRow(item, acts) {
	const [symbol, kind] = faceOf(item);
	return h('li.item', { class: kind }, icon(symbol),
		h('div.said', h('strong', item.name), said(item, acts)),
		button(`Remove ${item.name}`, { icon: 'close', iconOnly: true, small: true, kind: 'plain', run: () => acts.remove(item) }));
}
