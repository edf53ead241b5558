// SPDX-License-Identifier: Apache-2.0
//
// The certificates of a resource: what is bound, what is kept ready, and what
// can be done about them in its mode.

import { keyName } from '../certificate/words.js';
import { button } from '../button.js';
import { h, icon } from '../dom.js';
import { daysLeft, when } from '../format.js';
import { href } from '../router.js';
import { badge, expiryMark, note } from '../status.js';
import { bindCertificates, getCertificate, mayTurnOn, revokeCertificate, setHttps, setStandby, unbindCertificate, underWay } from './acts.js';
import { isObtained } from './modes.js';

function boundRow(ctx, state, certificate, refresh) {
	const may = ctx.session.mayChange && state.resource.mode === 'personal';
	return h('li', icon('certificate'), h('div.said', h('span.row', h('a', { href: href(`/certificates/${certificate.id}`) }, certificate.name), expiryMark(daysLeft(certificate.not_after_s))),
		h('div.small.quiet', keyName(certificate.key_algorithm.replaceAll('-', '_')), ', until ', when(certificate.not_after_s, 'date'), ', bound ', when(certificate.since_s, 'relative'))),
	h('div.actions', may ? button(`Take ${certificate.name} away`, { icon: 'close', iconOnly: true, small: true, kind: 'plain', run: async () => {
		await unbindCertificate(ctx, state, certificate);
		await refresh();
	} }) : null));
}

function standbyRow(enrollment) {
	if (!enrollment?.standby)
		return null;
	const { standby_certificate: id, standby_problem: problem } = enrollment;
	return h('li', icon('shield'), h('div.said', h('span.row', id ? h('a', { href: href(`/certificates/${id}`) }, `Standby certificate ${id}`) : h('strong', 'Standby certificate'),
		id ? badge('good', 'Ready at the edges') : badge('busy', 'Being obtained')),
	h('div.small.quiet', 'Of another CA, with a key of its own; served only when the first cannot be.'), problem ? h('div.small.ink-notice', problem) : null));
}

function nothingBound(state) {
	if (state.resource.mode === 'shared')
		return 'No shared certificate covers its host names yet.';
	return isObtained(state.resource) ? 'None yet. It is obtained as soon as each host name leads to the edges.' : 'None is bound.';
}

/* ---- what can be done ---- */

function obtainedActs(ctx, state, after) {
	const { enrollment, change } = state;
	if (!enrollment)
		return [];
	const busy = underWay(state);
	const has_one = Boolean(enrollment.certificate);
	return [
		busy ? null : button(has_one ? 'Get another now' : 'Get certificate', { icon: has_one ? 'retry' : 'certificate', kind: has_one ? '' : 'primary', run: after(() => getCertificate(ctx, state)) }),
		button(enrollment.standby ? 'Keep no standby' : 'Keep a standby', { icon: 'shield', run: after(() => setStandby(ctx, enrollment)) }),
		has_one && change ? button('Revoke', { icon: 'stop', kind: 'danger', run: after(() => revokeCertificate(ctx, enrollment, state.resource.name)) }) : null,
	];
}

function acts(ctx, state, refresh) {
	const { resource } = state;
	if (!ctx.session.mayChange)
		return null;
	const after = run => async () => {
		await run();
		await refresh();
	};
	const https = mayTurnOn(resource) ? button('Turn HTTPS on', { icon: 'lock', kind: 'primary', run: after(() => setHttps(ctx, state)) }) : null;
	/* While a certificate is obtained for it, there is nothing to choose. */
	const list = isObtained(resource) ? obtainedActs(ctx, state, after)
		: resource.mode === 'personal' ? [button(resource.certificates.length ? 'Switch certificate' : 'Choose a certificate', { icon: 'swap', kind: resource.certificates.length ? '' : 'primary', run: after(() => bindCertificates(ctx, state)) })] : [];
	return https || list.length ? h('div.actions', https, list) : null;
}

function renewal(enrollment) {
	if (!enrollment?.certificate || !enrollment.next_at_s)
		return null;
	return h('p.small.quiet', 'Renewed by itself ', when(enrollment.next_at_s, 'relative'), enrollment.window_start_s ? ', as its CA wishes' : '', '.');
}

/**
 * @param {Object} ctx @param {import('./acts.js').State} state @param {function(): Promise<void>} refresh
 */
export function certificatesOf(ctx, state, refresh) {
	const { resource, enrollment } = state;
	const rows = [...resource.certificates.map(each => boundRow(ctx, state, each, refresh)), standbyRow(enrollment)].filter(Boolean);
	return h('div.stack', resource.certificates.length || !resource.https ? null : note('info', nothingBound(state), { text: 'Until then it is served by plain HTTP.' }),
		rows.length ? h('ul.bound', rows) : null, renewal(enrollment), acts(ctx, state, refresh));
}
