// SPDX-License-Identifier: Apache-2.0
//
// Changing a resource, in dialogs that say beforehand what follows.

import { edgeGroupField, loadChoices } from '../choices.js';
import { h, mount } from '../dom.js';
import { field } from '../field.js';
import { formDialog } from '../form_dialog.js';
import { note } from '../status.js';
import { toast } from '../toast.js';
import { cancelField, candidates, covering } from './acts.js';
import { certificatesField } from './choose.js';
import { hostnamesField, nameField, originFields, originOf } from './fields.js';
import { MODES, isObtained } from './modes.js';
import { differenceOf } from './names.js';

async function save(ctx, resource, changes, said = 'Saved. Edges follow now.') {
	const answer = await ctx.api.patch(`/resources/${resource.id}`, changes, { etag: resource.etag });
	toast(said, answer.permission_trouble ? { kind: 'notice', text: answer.permission_trouble } : {});
}

/** @param {Object} ctx @param {import('./acts.js').State} state */
export function editName(ctx, { resource }) {
	return formDialog({ title: `Rename ${resource.name}`, submit: 'Save', items: [nameField(resource.name)], run: values => save(ctx, resource, values, 'Renamed.') });
}

/* ---- host names ---- */

/* What follows of other host names, before they are saved. */
function aheadOf(state, hostnames) {
	const { added, removed } = differenceOf(state.resource.hostnames, hostnames);
	if (!added.length && !removed.length)
		return null;
	const list = [];
	if (added.length)
		list.push(`Edges serve ${added.join(', ')} as soon as the DNS leads to ${state.resource.target}.`);
	if (removed.length)
		list.push(`They do not serve ${removed.join(', ')} any more.`.replace(/^They do/, added.length ? 'They do' : 'Edges do'));
	if (isObtained(state.resource) && state.enrollment)
		return note('notice', 'A new certificate is obtained for these host names.', { text: [state.enrollment.certificate ? `The old one serves until every edge was seen serving the new one${added.length ? '; until then browsers refuse it for what is added' : ''}. ` : '', list.join(' ')] });
	return note('info', list.join(' '));
}

/** @param {Object} ctx @param {import('./acts.js').State} state */
export function editHostnames(ctx, state) {
	const { resource } = state;
	const ahead = h('div.changes-ahead', { 'aria-live': 'polite' });
	/* One's own certificates must cover what is added, and may be switched in the same act. */
	const certificates = certificatesField({ chosen: resource.certificates.map(each => each.id), nothing: 'None of the account covers all of these host names. Add one that does first.',
		load: () => covering(ctx, { ...resource, hostnames: hostnames.value }) });
	const show = list => {
		certificates.node.hidden = resource.mode !== 'personal' || !resource.certificates.length || !differenceOf(resource.hostnames, list).added.length;
		mount(ahead, aheadOf(state, list));
		if (!certificates.node.hidden)
			certificates.again();
	};
	const hostnames = hostnamesField(resource.hostnames, show);
	certificates.node.hidden = true;
	return formDialog({ title: `Host names of ${resource.name}`, submit: 'Save', items: [hostnames, certificates, ahead],
		run: values => save(ctx, resource, { hostnames: values.hostnames, ...certificates.node.hidden ? {} : { certificates: values.certificates } }) });
}

/* ---- delivery ---- */

/** @param {Object} ctx @param {import('./acts.js').State} state */
export async function editDelivery(ctx, { resource }) {
	const group = edgeGroupField(await loadChoices(ctx), resource.network, resource.edge_group);
	return formDialog({ title: `Delivery of ${resource.name}`, submit: 'Save', items: [...originFields(resource.origin), group], run: values => {
		const changes = { origin: originOf(values) };
		if (values.edge_group !== resource.edge_group)
			changes.edge_group = values.edge_group;
		return save(ctx, resource, changes);
	} });
}

/* ---- mode ---- */

function consequenceOf(state, mode) {
	const { resource } = state;
	if (mode === resource.mode)
		return null;
	if (mode === 'personal')
		return note('info', isObtained(resource) ? 'What you choose is served in place of the one that was obtained, which is not renewed any more. It is not revoked.' : 'What you choose is served in place of the shared one.');
	if (mode === 'shared')
		return note('info', 'Only for host names in the operator\'s zone. What is bound now serves until the shared one is bound.');
	return note('info', `Each host name must lead to the edges. ${resource.certificates.length ? 'What is bound now serves until the new certificate has come and every edge was seen serving it.' : 'Until the certificate has come, the resource is served by plain HTTP.'}`);
}

/** Another way to come to a certificate. The choice among certificates shows only where it is one's own. */
export async function editMode(ctx, state) {
	const { resource } = state;
	const certificates = certificatesField({ load: () => candidates(ctx, resource), chosen: resource.mode === 'personal' ? resource.certificates.map(each => each.id) : [] });
	const ahead = h('div.changes-ahead', { 'aria-live': 'polite' });
	const https = resource.https ? null : field({ name: 'https', type: 'check', value: true, label: 'Turn HTTPS on', help: 'It is off for this resource. Without it, no certificate is obtained or served.' });
	const show = mode => {
		certificates.node.hidden = mode !== 'personal';
		if (https)
			https.node.hidden = mode === 'personal';
		mount(ahead, consequenceOf(state, mode));
	};
	const mode = field({ name: 'mode', label: 'How it comes to its certificate', type: 'choice', required: true, value: resource.mode, options: MODES, onInput: show });
	await certificates.again();
	show(resource.mode);
	return formDialog({ title: `Mode of ${resource.name}`, submit: 'Save', items: [mode, certificates, https, ahead, cancelField(state)], run: async values => {
		const cancel = values.cancel_change ? { cancel_change: true } : {};
		if (values.mode !== 'personal')
			return save(ctx, resource, { mode: values.mode, ...values.https ? { https: true } : {}, ...cancel }, 'Saved.');
		const answer = await ctx.api.post(`/resources/${resource.id}:bind`, { certificates: values.certificates, ...cancel }, { etag: resource.etag });
		return toast('Switched. Edges follow now.', answer.permission_trouble ? { kind: 'notice', text: answer.permission_trouble } : {});
	} });
}
