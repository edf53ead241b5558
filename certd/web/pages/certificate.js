// SPDX-License-Identifier: Apache-2.0
//
// One certificate: what it is, where its key is, what serves it, and how far
// edges have come with that.

import { deleteCertificate, editCertificate, replaceEverywhere } from '../lib/certificate/acts.js';
import { chainOf, readChain } from '../lib/certificate/chain.js';
import { keyName, kindBadge, originText, resourceLinks } from '../lib/certificate/words.js';
import { button, linkButton } from '../lib/button.js';
import { copyable, save } from '../lib/copy.js';
import { h, icon } from '../lib/dom.js';
import { plural, when } from '../lib/format.js';
import { actorText, historyCard } from '../lib/history.js';
import { card, details, loaded, page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { href } from '../lib/router.js';
import { badge, expiryBadge, note, progress } from '../lib/status.js';
import { table } from '../lib/table.js';

export const title = 'Certificate';

const SERVED_SHOWN = 20;
const FORMATS = [['pem', 'PEM', 'certificate and chain'], ['der', 'DER', 'the certificate alone'], ['pkcs7_pem', 'PKCS#7, PEM', 'certificate and chain'], ['pkcs7_der', 'PKCS#7, DER', 'certificate and chain']];

/* ---- what it is ---- */

function scopeOf(certificate) {
	if (certificate.kind === 'acme')
		return 'the resource that it was obtained for';
	if (certificate.kind === 'shared')
		return 'resources of every account whose host names it covers';
	return certificate.scope.length ? resourceLinks(certificate.scope, certificate.scope.length, certificate.scope.length) : 'every resource whose host names it covers';
}

function factsCard(certificate) {
	return card({ title: 'Certificate' }, details([
		['Host names', h('ul.plain', certificate.hostnames.map(each => h('li', each)))],
		['Issued by', certificate.issuer],
		['Valid', h('span', when(certificate.not_before_s, 'date'), ' to ', when(certificate.not_after_s, 'date'))],
		['Fingerprint', copyable(certificate.fingerprint, { label: 'the SHA-256 fingerprint', whole: true })],
		['Serial', copyable(certificate.serial, { label: 'the serial number', whole: true })],
		['May be bound to', scopeOf(certificate)],
		['Added', h('span', when(certificate.created_s), ' by ', actorText(certificate.created_by))],
	]));
}

function chainCard(certificate) {
	return card({ title: 'Chain', text: 'As edges send it, from the certificate to the root.' }, chainOf(readChain(certificate.chain_pem)));
}

/* ---- where it is served ---- */

function convergenceCell(resource) {
	const { convergence: now } = resource;
	if (!resource.https)
		return badge('notice', 'HTTPS is off');
	if (!now?.edges)
		return h('span.quiet', 'No live edge');
	return progress(now.percent, { label: `${now.served} of ${plural(now.edges, 'edge')}`, text: now.percent === 100 ? 'served' : `${now.percent} %` });
}

/* Acts, too, need it as it is by now: what the page says of it is what they go by. */
async function loadServed(ctx, certificate) {
	Object.assign(certificate, await ctx.api.get(`/certificates/${certificate.id}`));
	const resources = await Promise.all(certificate.resources.slice(0, SERVED_SHOWN).map(each => ctx.api.get(`/resources/${each.id}`)));
	return { bound: certificate.bound, waiting: certificate.waiting_edges, resources };
}

function drawServed(ctx, certificate, { bound, waiting, resources }) {
	const waits = waiting ? note('notice', `${plural(waiting, 'edge was', 'edges were')} not yet seen without it.`, { text: 'It can be deleted once every live edge was seen serving what came after it.' }) : null;
	if (!bound) {
		return h('div.stack', h('p.quiet', 'No resource holds it.', waiting ? '' : ' Nothing keeps it from being deleted.'), waits,
			ctx.session.mayChange && certificate.expires_in_days >= 0 ? h('div.actions', linkButton('Bind it in a resource', '/resources', { icon: 'link' })) : null);
	}
	return h('div.stack', waits, table({ caption: 'Resources that hold it', rows: resources, path: each => `/resources/${each.id}`, columns: [
		{ label: 'Resource', class: 'main', cell: each => [h('a', { href: href(`/resources/${each.id}`) }, each.name), h('span.under', each.hostnames[0] || each.target)] },
		{ label: 'Edges', cell: convergenceCell },
		{ label: 'Bound', class: 'fit', cell: each => when(each.certificates.find(other => other.id === certificate.id)?.since_s, 'relative') },
	] }), bound > resources.length ? h('p.small.quiet', `And ${plural(bound - resources.length, 'other resource')}.`) : null);
}

/* ---- the key ---- */

function keyCard(ctx, certificate) {
	const { key } = certificate;
	return card({ title: 'Private key' }, h('div.stack',
		details([
			['Kind', keyName(key.algorithm)],
			['Network', key.network],
			['Id', h('a', { href: href(`/keys/${key.id}`), title: key.id }, h('code', key.id.slice(0, 16)))],
		]),
		key.exposed ? note('notice', 'This key counts as exposed.', { text: originText(key) }) : h('p', icon('shield', { class: 'good-ink' }), ' ', originText(key)),
		h('details.more', h('summary', icon('right'), 'Can it be exported?'), h('div.stack-s.small', h('p', 'No. The token signs with it and gives it to nobody, not even to operators: that is what it is for.'),
			h('p', 'A server that is no edge here gets a key of its own, made there, and a certificate for that. For edges, make a new key in the token, have a certificate issued for it, and replace this one.'))),
		certificate.kind === 'acme' ? h('p.small.quiet', 'The certificate was obtained by itself, and is renewed so: under Enrollments another one, with another key, can be issued at once.') : null,
		ctx.session.mayChange && certificate.kind !== 'acme' ? h('div.actions', linkButton('Make a replacement key', `/requests/new?certificate=${certificate.id}`, { icon: 'key' })) : null));
}

/* ---- export ---- */

async function exportAs(ctx, certificate, format) {
	const answer = await ctx.api.get(`/certificates/${certificate.id}:export`, { format });
	save(Uint8Array.from(atob(answer.content), each => each.charCodeAt(0)), answer.file_name, answer.media_type);
}

function exportCard(ctx, certificate) {
	return card({ title: 'Export' }, h('ul.plain.exports', FORMATS.map(([format, label, what]) => h('li',
		button(label, { icon: 'download', small: true, title: `Export as ${label}`, run: () => exportAs(ctx, certificate, format) }), h('span.small.quiet', what)))));
}

/* ---- the page ---- */

function actions(ctx, certificate) {
	if (!ctx.session.mayChange || (certificate.kind === 'shared' && !ctx.session.isOperator))
		return null;
	return [
		certificate.bound ? button('Replace everywhere', { icon: 'swap', run: () => replaceEverywhere(ctx, certificate) }) : null,
		button('Delete', { icon: 'remove', kind: 'danger', run: () => deleteCertificate(ctx, certificate) }),
		moreMenu(`Acts on ${certificate.name}`, [{ label: 'Change name and scope', icon: 'edit', run: () => editCertificate(ctx, certificate) }]),
	].filter(Boolean);
}

function expiredNote(certificate) {
	if (certificate.expires_in_days > 14 || !certificate.bound)
		return null;
	const kind = certificate.expires_in_days < 0 ? 'bad' : 'notice';
	return note(kind, kind === 'bad' ? 'It has expired, and clients refuse it.' : 'It expires soon.', { text: 'Add its successor, replace it everywhere, and delete it once edges have followed.',
		actions: [linkButton('Add the successor', '/certificates/new', { small: true, icon: 'plus' }), linkButton('Make a replacement key', `/requests/new?certificate=${certificate.id}`, { small: true, icon: 'key' })] });
}

export async function render(ctx) {
	const { id } = ctx.params;
	const certificate = await ctx.api.get(`/certificates/${id}`);
	ctx.setTitle(certificate.name);
	const served = loaded(ctx, { lines: 3, topics: ['certificates', 'resources', 'edges'], load: () => loadServed(ctx, certificate), draw: data => drawServed(ctx, certificate, data) });
	return page({ title: certificate.name, badge: [expiryBadge(certificate.expires_in_days), kindBadge(certificate.kind)], crumbs: [['Certificates', '/certificates']],
		lead: ctx.session.seesAll ? `Of account ${certificate.account}` : null, actions: actions(ctx, certificate) },
	h('div.split', h('div.stack', ctx.session.mayChange ? expiredNote(certificate) : null, card({ title: 'Where it is served' }, h('div.served', served)), factsCard(certificate), chainCard(certificate)),
		h('div.stack', keyCard(ctx, certificate), exportCard(ctx, certificate), historyCard(ctx, `certificate ${id}`, certificate.account))));
}
