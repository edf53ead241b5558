// SPDX-License-Identifier: Apache-2.0
//
// What can be done with a certificate: renamed, replaced wherever it is bound,
// deleted. What certd refuses is said before it is asked, with the way out.

import { button, linkButton } from '../button.js';
import { confirm, dialog } from '../dialog.js';
import { h } from '../dom.js';
import { field } from '../field.js';
import { form } from '../form.js';
import { expiry, plural } from '../format.js';
import { note } from '../status.js';
import { toast } from '../toast.js';
import { scopeField } from './where.js';
import { keyName } from './words.js';

const HOLDERS_ASKED = 8;

const names = resources => h('ul.plain', resources.map(each => h('li', h('strong', each.name))));

/* ---- replace ---- */

/* Those that may be bound to every resource which holds it: certd is asked for
   the first few, and looks at all of them itself. */
async function candidates(ctx, certificate) {
	const lists = await Promise.all(certificate.resources.slice(0, HOLDERS_ASKED).map(each =>
		ctx.api.all('/certificates', 'certificates', { account: certificate.account, for_resource: each.id, order_by: '-expires', kinds: ['personal', 'shared'] }, 500)));
	return lists[0].items.filter(each => each.id !== certificate.id && lists.every(list => list.items.some(other => other.id === each.id)));
}

const described = each => `${each.name} (${each.id}): ${expiry(each.expires_in_days)}, ${keyName(each.key.algorithm)}`;

function noCandidate(certificate) {
	const path = `/certificates/new?account=${encodeURIComponent(certificate.account)}`;
	return dialog({ title: 'There is none to replace it with', body: [
		h('p', `No other certificate covers all host names of ${plural(certificate.bound, 'resource')} that ${certificate.bound === 1 ? 'holds' : 'hold'} ${certificate.name}:`), names(certificate.resources),
		h('p', 'Add one that does, or request one whose key is made in the token.')],
	actions: [linkButton('Make a replacement key', `/requests/new?certificate=${certificate.id}`, { icon: 'key' }), linkButton('Add a certificate', path, { kind: 'primary', icon: 'plus' })] });
}

/**
 * Another certificate wherever this one is bound.
 * @param {Object} ctx @param {Object} certificate as GET answers it @param {{thenDelete?: boolean}} [options]
 * @returns {Promise<void>}
 */
export async function replaceEverywhere(ctx, certificate, options = {}) {
	const found = await candidates(ctx, certificate);
	if (!found.length) {
		noCandidate(certificate);
		return;
	}
	const choice = field({ name: 'new_id', label: 'With', type: 'select', required: true, options: found.map(each => [String(each.id), described(each)]) });
	const box = dialog({ title: `Replace ${certificate.name} everywhere`, body: [
		h('p', `${plural(certificate.bound, 'resource')} will be switched in one act; edges follow within seconds.`), names(certificate.resources),
		form(null, { items: [choice], submit: 'Replace everywhere', submitIcon: 'swap', cancel: () => box.close(), onSubmit: async values => {
			const answer = await ctx.api.post(`/certificates/${certificate.id}:replace`, { new_id: Number(values.new_id) }, { etag: certificate.etag });
			box.close();
			toast(`${plural(answer.resources.length, 'resource')} switched.`, { text: options.thenDelete
				? 'The old certificate can be deleted once every live edge was seen serving the new one: this page says when.' : 'Edges report here as they serve the new one.' });
			await ctx.reload();
		} }).node] });
}

/* ---- delete ---- */

function refuseBound(ctx, certificate) {
	const box = dialog({ title: `${certificate.name} is in use`, body: [
		h('p', `It cannot be deleted while ${certificate.bound === 1 ? 'this resource holds' : `these ${certificate.bound} resources hold`} it:`), names(certificate.resources),
		h('p', 'Replace it everywhere first. It can be deleted once every live edge was seen serving the other one.')],
	actions: [button('Cancel', { run: () => box.close() }), button('Replace everywhere, then delete', { kind: 'primary', icon: 'swap', run: async () => {
		box.close();
		await replaceEverywhere(ctx, certificate, { thenDelete: true });
	} })] });
}

function waitingText(n) {
	return `${plural(n, 'edge was', 'edges were')} not yet seen serving what came after it.`;
}

async function remove(ctx, certificate, force) {
	const answer = await ctx.api.delete(`/certificates/${certificate.id}`, { force }, { etag: certificate.etag });
	toast(`${certificate.name} was deleted.`, { text: answer.key_destroyed ? 'Its key will be destroyed in the token, after keyd\'s delay.' : '' });
}

function refuseWaiting(ctx, certificate) {
	const may = ctx.session.may('managers');
	const box = dialog({ title: `${certificate.name} may still be served`, body: [
		h('p', waitingText(certificate.waiting_edges)), h('p', 'Wait: deletion unlocks by itself, and this page says when.'),
		may ? note('notice', 'Deleted now, such an edge fails handshakes for its host names.') : null],
	actions: [button('Wait', { kind: 'primary', run: () => box.close() }), may ? button('Delete anyway', { kind: 'danger', run: async () => {
		box.close();
		await removeNow(ctx, certificate, true);
	} }) : null] });
}

async function removeNow(ctx, certificate, force) {
	const done = await confirm({ title: `Delete ${certificate.name}?`, danger: true, confirm: 'Delete certificate', typed: force ? certificate.name : '',
		text: h('div.stack-s', h('p', 'The certificate is gone for good. When no other one has its key, the key is destroyed in the token, and nothing is signed with it any more.'),
			force ? note('bad', waitingText(certificate.waiting_edges)) : null),
		run: () => remove(ctx, certificate, force) });
	if (done)
		await ctx.navigate('/certificates');
}

/** Deletes it, or says what still blocks that. @param {Object} ctx @param {Object} certificate as GET answers it */
export function deleteCertificate(ctx, certificate) {
	if (certificate.bound > 0)
		return refuseBound(ctx, certificate);
	if (certificate.waiting_edges > 0)
		return refuseWaiting(ctx, certificate);
	return removeNow(ctx, certificate, false);
}

/* ---- name and scope ---- */

/** @param {Object} ctx @param {Object} certificate */
export function editCertificate(ctx, certificate) {
	const scope = certificate.kind === 'personal' ? scopeField(ctx, { account: () => certificate.account, value: certificate.scope.map(each => each.id) }) : null;
	const name = field({ name: 'name', label: 'Name', required: true, value: certificate.name, attributes: { maxlength: 100 } });
	const box = dialog({ title: 'Name and scope', body: [form(null, { items: [name, scope].filter(Boolean), submit: 'Save', cancel: () => box.close(), onSubmit: async values => {
		await ctx.api.patch(`/certificates/${certificate.id}`, { name: values.name, ...scope ? { scope: values.scope, set_scope: true } : {} }, { etag: certificate.etag });
		box.close();
		toast('Saved.');
		await ctx.reload();
	} }).node] });
}
