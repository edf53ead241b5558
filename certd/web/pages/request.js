// SPDX-License-Identifier: Apache-2.0
//
// One request: the CSR to take to a CA, and the place to attach what comes back.

import { certificateInput } from '../lib/certificate/input.js';
import { scopeField } from '../lib/certificate/where.js';
import { keyName } from '../lib/certificate/words.js';
import { button, linkButton } from '../lib/button.js';
import { codeBlock } from '../lib/copy.js';
import { FileError } from '../lib/crypto/file_error.js';
import { confirm } from '../lib/dialog.js';
import { h, icon, mount } from '../lib/dom.js';
import { field, form, more } from '../lib/form.js';
import { when } from '../lib/format.js';
import { actorText } from '../lib/history.js';
import { card, details, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { badge, note } from '../lib/status.js';
import { toast } from '../lib/toast.js';

export const title = 'Certificate request';

/* ---- attach ---- */

async function attach(ctx, request, reading, values) {
	if (reading.obstacle)
		throw new FileError('damaged', reading.obstacle);
	const { certificate, notes } = await ctx.api.post(`/certificate-requests/${request.id}:attach`, { ...reading.body(), name: values.name, scope: values.scope });
	toast(`${certificate.name} was attached.`, { text: notes.join(' ') });
	await ctx.navigate(`/certificates/${certificate.id}`);
}

function attachForm(ctx, request) {
	const notes = h('ul.notes', { 'aria-live': 'polite' });
	const input = certificateInput({ onChange: reading => mount(notes, reading.notes.map(each => h('li', icon('info'), each))) });
	const folded = more('Name and use', field({ name: 'name', label: 'Name', optional: true, placeholder: request.name, attributes: { maxlength: 100 } }),
		scopeField(ctx, { account: () => request.account }));
	return form(ctx, { wide: true, submit: 'Attach certificate', submitIcon: 'link', onSubmit: values => attach(ctx, request, input.reading, values), items: [input.node, notes, folded] });
}

/* ---- the way of a request ---- */

function step(number, heading, done, ...content) {
	return h('section.card.stage', { 'aria-label': heading }, h('div.card-head', h('h2', h('span.stage-number', { class: done ? 'done' : '' }, done ? icon('check', { label: 'Done' }) : number), heading)),
		h('div.card-body.stack', content));
}

const fileName = request => `${request.name.replace(/[^A-Za-z0-9.-]+/g, '_').replace(/^[._]+/, '') || 'request'}.csr`;

function csrStep(request) {
	return step('1', 'Take the request to your CA', Boolean(request.certificate),
		h('p', 'Order a certificate there, and give it this text. It holds the public half of the key; there is no secret in it.'),
		codeBlock(request.csr, { label: 'Certificate request (CSR)', file: fileName(request), type: 'application/pkcs10' }));
}

function attachStep(ctx, request) {
	if (request.certificate) {
		return step('2', 'Attach the certificate', true, note('good', 'The certificate was attached.', { actions: [linkButton('Show the certificate', `/certificates/${request.certificate}`, { icon: 'certificate' })] }));
	}
	return step('2', 'Attach the certificate', false, h('p', 'What the CA has issued, with its chain. certd looks whether it is for this key.'),
		ctx.session.mayChange ? attachForm(ctx, request) : h('p.quiet', 'Administrators and engineers of the account can attach it.'));
}

function keyCard(request) {
	return card({ title: 'Private key' }, h('div.stack',
		details([['Kind', keyName(request.key.algorithm)], ['Network', request.key.network], ['Id', h('a', { href: href(`/keys/${request.key.id}`), title: request.key.id }, h('code', request.key.id.slice(0, 16)))]]),
		h('p', icon('shield', { class: 'good-ink' }), ' It was made in the token and has never been outside of it.')));
}

function factsCard(request) {
	return card({ title: 'Request' }, details([
		['Host names', h('ul.plain', request.hostnames.map(each => h('li', each)))],
		['Made', h('span', when(request.created_s), ' by ', actorText(request.created_by))],
	]));
}

/* ---- the page ---- */

async function remove(ctx, request) {
	const done = await confirm({ title: `Delete the request ${request.name}?`, danger: true, confirm: 'Delete request',
		text: request.certificate ? 'The request is gone. Its certificate and its key stay.'
			: 'Its key is destroyed in the token too: a certificate that the CA issues for it is of no use then.',
		run: () => ctx.api.delete(`/certificate-requests/${request.id}`) });
	if (done)
		await ctx.navigate('/requests');
}

export async function render(ctx) {
	const request = await ctx.api.get(`/certificate-requests/${ctx.params.id}`);
	ctx.setTitle(request.name);
	return page({ title: request.name, crumbs: [['Certificate requests', '/requests']], badge: request.certificate ? badge('good', 'Attached') : badge('notice', 'Awaits its certificate', 'waiting'),
		lead: ctx.session.seesAll ? `Of account ${request.account}` : null,
		actions: ctx.session.mayChange ? [button('Delete', { icon: 'remove', kind: 'danger', run: () => remove(ctx, request) })] : null },
	h('div.split', h('div.stack', csrStep(request), attachStep(ctx, request)), h('div.stack', keyCard(request), factsCard(request))));
}
