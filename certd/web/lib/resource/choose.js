// SPDX-License-Identifier: Apache-2.0
//
// A choice among certificates that cover: one for each kind of key.

import { keyName } from '../certificate/words.js';
import { linkButton } from '../button.js';
import { h, icon, mount, uniqueId } from '../dom.js';
import { date, expiry } from '../format.js';
import { expiryMark } from '../status.js';
import { sameKind } from './names.js';

const algorithmOf = certificate => (certificate.key?.algorithm || '').replaceAll('_', '-');

function row(certificate, chosen, changed) {
	const id = uniqueId('certificate');
	return h('div.check', h('input', { id, type: 'checkbox', checked: chosen.has(certificate.id), on: { change: event => {
		chosen[event.target.checked ? 'add' : 'delete'](certificate.id);
		changed();
	} } }), h('label', { for: id }, h('span.row', h('strong', certificate.name), expiryMark(certificate.expires_in_days)),
		h('span.small.quiet', `${keyName(certificate.key?.algorithm)}, ${expiry(certificate.expires_in_days)}, on ${date(certificate.not_after_s)}; number ${certificate.id}`)));
}

function nothing(text) {
	return h('div.stack-s', h('p.quiet', text), h('div.actions', linkButton('Add a certificate', '/certificates/new', { icon: 'plus', small: true }),
		linkButton('Request one (CSR)', '/requests/new', { icon: 'request', small: true })));
}

/**
 * As a field of form.js, named certificates: a list of ids.
 * @param {{load: function(): Promise<Object[]>, chosen?: number[], nothing?: string, waits?: function(): string, required?: boolean}} options
 *   load: those that may be bound; nothing: said when there is none; waits: '' or what has to be given first
 * @returns {import('../field.js').Field & {again: function(): Promise<void>}}
 */
export function certificatesField(options) {
	const chosen = new Set(options.chosen || []);
	const ids = { label: uniqueId('label'), error: uniqueId('error') };
	const list = h('div', { role: 'group', 'aria-labelledby': ids.label, 'aria-describedby': ids.error });
	const error = h('div.error', { id: ids.error, 'aria-live': 'polite', hidden: true });
	let offered = [];
	let asked = 0;
	const setError = text => {
		error.hidden = !text;
		mount(error, text ? [icon('bad'), h('span', text)] : null);
	};
	const draw = () => {
		const waits = options.waits?.();
		if (waits)
			mount(list, h('p.quiet', waits));
		else if (offered.length)
			mount(list, h('div.certificate-list', offered.map(each => row(each, chosen, () => setError('')))));
		else
			mount(list, nothing(options.nothing || 'You have none that covers all host names.'));
	};
	const again = async () => {
		const mine = ++asked;
		const found = options.waits?.() ? [] : await options.load();
		if (mine !== asked)
			return;
		offered = found;
		[...chosen].filter(id => !found.some(each => each.id === id)).forEach(id => chosen.delete(id));
		draw();
	};
	const picked = () => offered.filter(each => chosen.has(each.id));
	const validate = () => {
		let problem = '';
		if (options.required !== false && !picked().length)
			problem = 'Choose at least one.';
		else if (sameKind(picked().map(each => ({ id: each.id, key_algorithm: algorithmOf(each) }))))
			problem = 'Choose at most one for each kind of key: RSA, ECDSA, Ed25519.';
		setError(problem);
		return !problem;
	};
	return {
		name: 'certificates', input: list, again, setError, validate,
		node: h('div.field', h('span.label', { id: ids.label }, 'Certificates'),
			h('div.help', 'Those that cover all host names, fit the network and have not expired. One for each kind of key: browsers get the one that they like best.'), list, error),
		get value() { return picked().map(each => each.id); },
		focus: () => list.querySelector('input, a')?.focus(),
	};
}
