// SPDX-License-Identifier: Apache-2.0
//
// What can be done with a resource and its certificate. All of it is done at
// once: there is nothing to be saved afterwards.

import { confirm } from '../dialog.js';
import { h } from '../dom.js';
import { field } from '../field.js';
import { formDialog } from '../form_dialog.js';
import { plural } from '../format.js';
import { hasEnded } from '../change/steps.js';
import { note } from '../status.js';
import { toast } from '../toast.js';
import { certificatesField } from './choose.js';
import { isObtained } from './modes.js';
import { coversAll } from './names.js';

/** @typedef {{resource: Object, enrollment: ?Object, change: ?Object}} State */

/** The change that obtains its certificate just now. @param {State} state @returns {?Object} */
export function underWay(state) {
	return state.change && !hasEnded(state.change) ? state.change : null;
}

/** Asked where something would upset a change under way; null: there is none. @param {State} state */
export function cancelField(state) {
	const change = underWay(state);
	return change ? field({ name: 'cancel_change', type: 'check', label: `Give up change ${change.id}, which is obtaining its certificate`,
		help: 'Without this, certd refuses as long as that change is under way.' }) : null;
}

/* What the answer to a change says of edges that could not be told. */
function tell(text, answer) {
	const { permission_trouble } = answer || {};
	toast(text, permission_trouble ? { kind: 'notice', text: permission_trouble } : {});
}

/* ---- certificates ---- */

/** Those that may be bound. @param {Object} ctx @param {Object} resource @returns {Promise<Object[]>} */
export async function candidates(ctx, resource) {
	const { items } = await ctx.api.all('/certificates', 'certificates', { account: resource.account, for_resource: resource.id, kinds: ['personal', 'shared'], order_by: '-expires' }, 500);
	return items;
}

/**
 * Those that would cover host names which certd does not know yet.
 * @param {Object} ctx @param {{account: string, network: string, hostnames: string[], id?: number}} wanted
 */
export async function covering(ctx, wanted) {
	const { items } = await ctx.api.all('/certificates', 'certificates', { account: wanted.account, kinds: 'personal', order_by: '-expires' });
	return items.filter(each => each.expires_in_days >= 0 && each.key?.network === wanted.network && coversAll(each.hostnames, wanted.hostnames)
		&& (!each.scope.length || each.scope.some(other => other.id === wanted.id)));
}

/** Choose among those that cover. @param {Object} ctx @param {State} state */
export async function bindCertificates(ctx, state) {
	const { resource } = state;
	const certificates = certificatesField({ load: () => candidates(ctx, resource), chosen: resource.certificates.map(each => each.id),
		nothing: 'No certificate of the account covers all host names, fits the network and has not expired.' });
	await certificates.again();
	await formDialog({ title: `Certificates of ${resource.name}`, submit: 'Serve these', items: [
		h('p', isObtained(resource) ? 'The resource is taken out of its mode, and serves what you choose; edges follow within seconds.' : 'Edges follow within seconds; this page shows how far they are.'),
		certificates, cancelField(state)],
	run: async values => tell('Switched. Edges follow now.', await ctx.api.post(`/resources/${resource.id}:bind`, values, { etag: resource.etag })) });
}

/** @param {Object} ctx @param {State} state @param {Object} certificate one that is bound */
export async function unbindCertificate(ctx, state, certificate) {
	const { resource } = state;
	const asked = cancelField(state);
	const is_last = resource.certificates.length === 1;
	await confirm({ title: `Take ${certificate.name} away from ${resource.name}?`, danger: true, confirm: 'Take it away',
		text: h('div.stack', h('p', 'Edges may not sign with its key for this resource any more, at once.'),
			is_last ? note('bad', 'It is the last one: HTTPS goes off, and visitors who come by HTTPS get an error.') : null, asked),
		run: async () => tell('Taken away.', await ctx.api.post(`/resources/${resource.id}:unbind`, { certificates: [certificate.id], ...asked ? { cancel_change: asked.value } : {} }, { etag: resource.etag })) });
}

/* ---- ACME ---- */

/** Obtain one now. @param {Object} ctx @param {State} state */
export async function getCertificate(ctx, state) {
	const { resource, enrollment } = state;
	const has_one = Boolean(enrollment?.certificate);
	if (has_one && !await confirm({ title: 'Get another certificate now?', confirm: 'Get a certificate',
		text: `${resource.name} has a valid one, which is renewed by itself in time. CAs limit how many they issue for a name.` }))
		return null;
	const { change } = await ctx.api.post(`/enrollments/${resource.enrollment}:issue`, { force: has_one });
	toast('A certificate is being obtained.');
	return change;
}

const REASONS = [
	['unspecified', 'No particular reason'], ['key_compromise', 'The key may be known to others'], ['superseded', 'Another certificate has taken its place'],
	['affiliation_changed', 'The names belong to somebody else now'], ['cessation_of_operation', 'The names are not served any more'],
];

/** Has the CA revoke the certificate of an enrollment. @param {Object} ctx @param {Object} enrollment @param {string} name what uses it */
export async function revokeCertificate(ctx, enrollment, name) {
	await formDialog({ title: `Revoke the certificate of ${name}?`, submit: 'Revoke certificate', danger: true, items: [
		h('p', 'The CA declares it invalid, for ever and for everybody. It is taken out of use first, so that no visitor gets it any more.'),
		field({ name: 'reason', label: 'Reason', type: 'select', value: 'unspecified', options: REASONS, help: 'The CA publishes it.' }),
		field({ name: 'replace', type: 'check', value: true, label: 'Obtain another one first', help: 'The old one serves until every edge was seen serving the new one, and is revoked then. Without this, the resource is served by plain HTTP until it has another one.' }),
	], run: async ({ reason, replace }) => {
		await ctx.api.post(`/enrollments/${enrollment.id}:revoke`, { ...reason === 'unspecified' ? {} : { reason }, replace }, { etag: enrollment.etag });
		toast(replace ? 'Another one is being obtained; then the old one is revoked.' : 'Taken out of use; the CA is told.');
	} });
}

/** A second certificate of another CA, kept ready at the edges. @param {Object} ctx @param {Object} enrollment */
export async function setStandby(ctx, enrollment) {
	const is_on = enrollment.standby;
	await confirm({ title: is_on ? 'Keep no standby certificate?' : 'Keep a standby certificate?', confirm: is_on ? 'Keep none' : 'Keep one', danger: is_on,
		text: is_on ? 'The second certificate is not renewed any more, and edges forget it.' : 'A second certificate, of another CA and with a key of its own, lies ready at every edge. When the first is revoked or cannot be renewed, edges serve the second at once.',
		run: async () => {
			await ctx.api.patch(`/enrollments/${enrollment.id}`, { standby: !is_on }, { etag: enrollment.etag });
			toast(is_on ? 'No standby certificate is kept any more.' : 'A standby certificate is being obtained.');
		} });
}

/* ---- the resource ---- */

/** @param {Object} ctx @param {State} state */
export async function setHttps(ctx, state) {
	const { resource } = state;
	const on = !resource.https;
	const asked = on ? null : cancelField(state);
	await confirm({ title: on ? `Turn HTTPS on for ${resource.name}?` : `Turn HTTPS off for ${resource.name}?`, danger: !on, confirm: on ? 'Turn HTTPS on' : 'Turn HTTPS off',
		text: on ? 'Edges may sign with its certificates again, and serve them within seconds.'
			: h('div.stack', h('p', 'Visitors who come by HTTPS get an error, and what others send and see can be read and changed on the way. No edge may sign for it any more. Its certificates stay bound.'), asked),
		run: async () => tell(on ? 'HTTPS is on.' : 'HTTPS is off.', await ctx.api.patch(`/resources/${resource.id}`, { https: on, ...asked ? { cancel_change: asked.value } : {} }, { etag: resource.etag })) });
}

/** @param {Object} ctx @param {State} state */
export async function deleteResource(ctx, state) {
	const { resource } = state;
	const asked = cancelField(state);
	const names = resource.hostnames.length ? plural(resource.hostnames.length, 'host name') : resource.target;
	const done = await confirm({ title: `Delete ${resource.name}?`, danger: true, confirm: 'Delete resource', typed: resource.name,
		text: h('div.stack', h('p', `Edges stop serving its ${names}, and may not sign for it any more, at once. Its certificates stay, but for one that was obtained for it alone.`), asked),
		run: async () => tell(`${resource.name} was deleted.`, await ctx.api.delete(`/resources/${resource.id}`, { cancel_change: asked?.value }, { etag: resource.etag })) });
	if (done)
		await ctx.navigate('/resources');
}
