// SPDX-License-Identifier: Apache-2.0
//
// Setting a password and a second factor: in the settings, and on the first
// page of somebody who has none yet.

import { h } from './dom.js';
import { copyable } from './copy.js';
import { field, form } from './form.js';
import { qrCode } from './qr.js';
import { session } from './session.js';

const SHORTEST = 12;
const LONGEST = 256;

function length(text) {
	return new TextEncoder().encode(text).length;
}

function lengthProblem(value) {
	if ([...value].length < SHORTEST)
		return `At least ${SHORTEST} characters. Four unrelated words are easy to keep in mind and hard to guess.`;
	return length(value) > LONGEST ? `At most ${LONGEST} octets.` : '';
}

/**
 * @param {Object} ctx the page's context
 * @param {{submit: string, done: function(): *, autofocus?: boolean}} options asks for the current one where there is one
 */
export function passwordForm(ctx, options) {
	const has_one = session.data.password_set;
	const current = field({ name: 'current', label: 'Current password', type: 'password', required: true, autocomplete: 'current-password' });
	const fresh = field({
		name: 'new', label: has_one ? 'New password' : 'Password', type: 'password', required: true, autocomplete: 'new-password',
		help: `At least ${SHORTEST} characters. A password manager makes good ones.`, check: lengthProblem,
		attributes: options.autofocus ? { autofocus: true } : {},
	});
	const again = field({
		name: 'again', label: 'Once more', type: 'password', required: true, autocomplete: 'new-password',
		check: value => value === fresh.value ? '' : 'This is not what stands above.',
	});
	const mine = form(ctx, {
		guard: false, submit: options.submit, items: [emailField(), has_one ? current : null, fresh, again],
		onSubmit: async values => {
			session.adopt(await ctx.api.post('/session:password', { current: values.current || '', new: values.new }, { key: null }));
			mine.node.reset();
			await options.done();
		},
	});
	return mine;
}

/* Password managers want to know whose password it is. */
function emailField() {
	return h('input', { type: 'email', name: 'email', autocomplete: 'username', value: session.user?.email || '', hidden: true, readOnly: true });
}

/** Six digits. @returns {import('./field.js').Field} */
export function codeField() {
	return field({
		name: 'code', label: 'Code', required: true, mono: true, autocomplete: 'one-time-code',
		attributes: { inputmode: 'numeric', maxlength: 7, placeholder: '123 456' },
		check: value => /^\d{3}\s?\d{3}$/.test(value) ? '' : 'Six digits, as your authenticator app shows them.',
	});
}

/** The digits of a code as people type it. @param {string} code */
export function digits(code) {
	return code.replace(/\s/g, '');
}

/**
 * A new second factor: shown to the app, then proven by its first code.
 * @param {Object} ctx the page's context @param {function(): *} done @param {Function} [cancel]
 */
export async function totpSetup(ctx, done, cancel) {
	const { secret, uri } = await ctx.api.post('/session:begin_totp', {}, { key: null });
	const code = qrCode(uri, 'QR code for your authenticator app; the key below it says the same');
	return h('div.totp', code,
		h('div.stack',
			h('p', code ? 'Scan the code with an authenticator app, or enter the key by hand. Then type the six digits that the app shows.'
				: 'Enter the key in an authenticator app. Then type the six digits that the app shows.'),
			h('div.stack-s', h('span.small.quiet', 'Key'), copyable(secret.replace(/(.{4})(?=.)/g, '$1 '), { label: 'the key', whole: true })),
			form(null, {
				items: [codeField()], submit: 'Turn on', cancel,
				onSubmit: async values => {
					session.adopt(await ctx.api.post('/session:confirm_totp', { code: digits(values.code) }, { key: null }));
					await done();
				},
			})));
}
