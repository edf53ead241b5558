// SPDX-License-Identifier: Apache-2.0
//
// What pages say of keys that keyd keeps.

import { h } from './dom.js';
import { word } from './format.js';
import { href } from './router.js';
import { badge, stateBadge } from './status.js';

const STATES = { scheduled: 'To be destroyed', unspecified: 'Not known to keyd' };
const KINDS = { certificate: ['certificates', 'Certificate'], request: ['requests', 'Request'], authority: ['authorities', 'Account at'] };

/** @param {Object} key of keyd */
export function keyBadge(key) {
	return stateBadge(key.state, STATES[key.state] || word(key.state));
}

/** Whether it was ever outside of a token in the clear. @param {Object} key */
export function isExposed(key) {
	return key.origin === 'imported_certd';
}

/** How it came into the token, a mark. @param {Object} key */
export function originBadge(key) {
	if (isExposed(key))
		return badge('notice', 'Exposed');
	if (key.origin === 'generated')
		return badge('good', 'Made in the token', 'shield');
	return key.origin === 'imported_wrapped' ? badge('good', 'Came wrapped', 'lock') : badge('neutral', 'Not known');
}

/** A name for people: what it is used for, else its label. @param {{key: Object, uses: Object[]}} kept */
export function keyTitle(kept) {
	return kept.uses?.[0]?.name || kept.key.label || kept.id.slice(0, 16);
}

/** Where one of its uses is. @param {{kind: string, id: string, name: string}} use */
export function useLink(use) {
	const [place, label] = KINDS[use.kind] || ['', use.kind];
	const name = use.name || use.id;
	const path = place === 'authorities' ? '/authorities' : `/${place}/${encodeURIComponent(use.id)}`;
	return h('span', h('span.quiet', `${label} `), place ? h('a', { href: href(path) }, name) : name);
}
