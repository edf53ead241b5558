// SPDX-License-Identifier: Apache-2.0
//
// How a resource comes to its certificate, in words.

import { daysLeft, sentence } from '../format.js';
import { badge, expiryState } from '../status.js';

export const MODES = [
	{ value: 'automatic', label: 'Automatic', help: 'The operator\'s shared certificate where it covers the host names, else one obtained by ACME. Renewed by itself: nothing is left to do.' },
	{ value: 'acme', label: 'ACME', help: 'A certificate of its own, obtained and renewed by itself. Each host name must lead to the edges first; other host names bring another certificate.' },
	{ value: 'personal', label: 'Personal', help: 'One of your certificates. You watch its expiry, and bind its successor in time; you are told two weeks before.' },
	{ value: 'shared', label: 'Shared', help: 'The operator\'s certificate, free and at once, for host names in the operator\'s zone only. Other resources are served with it too.' },
];

export const PLAIN = { value: 'plain_http', label: 'No HTTPS (not recommended)', help: 'Plain HTTP: what visitors send and see can be read and changed on the way. HTTPS can be turned on later.' };

/** Is its certificate obtained by itself? @param {{mode: string}} resource */
export function isObtained(resource) {
	return resource.mode === 'acme' || resource.mode === 'automatic';
}

/** @param {string} mode 'acme' */
export function modeText(mode) {
	return MODES.find(each => each.value === mode)?.label || mode;
}

/** Whether it is served by HTTPS. @param {{https: boolean, certificates: Object[]}} resource */
export function httpsBadge(resource) {
	if (!resource.https)
		return badge('notice', 'Plain HTTP');
	if (!resource.certificates.length)
		return badge('notice', 'Awaits its certificate', 'waiting');
	const days = Math.min(...resource.certificates.map(each => daysLeft(each.not_after_s)));
	const state = expiryState(days);
	return state ? badge(state === 'expired' ? 'bad' : 'notice', state === 'expired' ? 'HTTPS, expired' : 'HTTPS, expires soon', state) : badge('good', 'HTTPS', 'lock');
}

/** A warning begins as after the resource's name, or with a subject of its own. @param {string} warning @returns {string} */
export function warningText(warning) {
	return sentence(/^(has|serves) /.test(warning) ? `It ${warning}` : warning);
}
