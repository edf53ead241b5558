// SPDX-License-Identifier: Apache-2.0
//
// A request for a certificate: a key is made in the token, and the CSR for it.
// With ?certificate=ID it is for the host names of that one, whose key it is to
// replace.

import { accountField } from '../lib/certificate/where.js';
import { loadChoices, networkField } from '../lib/choices.js';
import { field, form, more } from '../lib/form.js';
import { h } from '../lib/dom.js';
import { card, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { note } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Request a certificate';

const HOSTNAMES_MAX = 100;
const KINDS = [
	{ value: 'ec_p256', label: 'EC P-256', help: 'Fast, and taken by every client of today. The usual choice.' },
	{ value: 'rsa_2048', label: 'RSA 2048', help: 'For clients that are very old. Slower to sign with.' },
	{ value: 'ec_p384', label: 'EC P-384', help: 'Where a policy asks for it.' },
	{ value: 'rsa_3072', label: 'RSA 3072', help: 'Where a policy asks for it.' },
	{ value: 'rsa_4096', label: 'RSA 4096', help: 'Where a policy asks for it. Slow to sign with.' },
];

function checkNames(names) {
	if (names.length > HOSTNAMES_MAX)
		return `At most ${HOSTNAMES_MAX} host names fit into one certificate.`;
	const wrong = names.find(each => /[\s/:@]/.test(each) || !each.includes('.'));
	return wrong ? `"${wrong}" is no host name: write www.example.com or *.example.com, without https:// and path.` : '';
}

function replacesNote(old) {
	return old ? note('info', `For a new key in the place of that of ${old.name}.`, { text: h('p', 'When the CA has issued the certificate, attach it to the request, and ', h('a', { href: href(`/certificates/${old.id}`) }, 'replace the old one everywhere'), '.') }) : null;
}

async function create(ctx, values) {
	const request = await ctx.api.post('/certificate-requests', values);
	toast('The key was made in the token.', { text: 'Take the request below to your CA.' });
	await ctx.navigate(`/requests/${request.id}`);
}

export async function render(ctx) {
	const old = ctx.query.certificate ? await ctx.api.get(`/certificates/${ctx.query.certificate}`) : null;
	const account = await accountField(ctx, old?.account || ctx.query.account);
	const network = networkField(await loadChoices(ctx), old?.key?.network || 'standard');
	const kinds = KINDS.map(each => each.value);
	const items = [
		field({ name: 'hostnames', label: 'Host names', type: 'lines', rows: 4, required: true, mono: true, value: old?.hostnames, check: checkNames,
			placeholder: 'www.example.com', help: 'One on each line; the first one becomes the common name.' }),
		field({ name: 'name', label: 'Name', optional: true, placeholder: 'the first host name', value: old?.name, help: 'For people.', attributes: { maxlength: 100 } }),
		field({ name: 'algorithm', label: 'Kind of key', type: 'choice', value: kinds.includes(old?.key?.algorithm) ? old.key.algorithm : 'ec_p256', options: KINDS }),
		account, more('Network', network),
	].filter(Boolean);
	return page({ title, crumbs: [['Certificate requests', '/requests']], lead: 'The key is made in the token. What you get is the request (CSR) that a CA issues the certificate for.' },
		h('div.stack', replacesNote(old), card({}, form(ctx, { items, submit: 'Make key and request', submitIcon: 'key', cancel: '/requests', onSubmit: values => create(ctx, values) }))));
}
