// SPDX-License-Identifier: Apache-2.0
//
// What pages say of certificates and their keys.

import { KIND_NAMES } from '../crypto/pkcs8.js';
import { h } from '../dom.js';
import { plural } from '../format.js';
import { href } from '../router.js';
import { badge } from '../status.js';

/** 'EC P-256', as the API's "ec_p256" is called. @param {string} algorithm */
export function keyName(algorithm) {
	return KIND_NAMES[algorithm] || algorithm || '–';
}

const KINDS = { personal: 'Personal', acme: 'ACME', shared: 'Shared' };

/** @param {string} kind 'personal' */
export function kindBadge(kind) {
	return badge('neutral', KINDS[kind] || kind, false);
}

/** How a key came into the token, a sentence. @param {{origin: string, exposed: boolean}} key */
export function originText(key) {
	if (key.exposed)
		return 'It was in the clear outside of the token, in certd too, and is marked as exposed for ever.';
	return {
		generated: 'It was made in the token and has never been outside of it.',
		imported_wrapped: 'It was wrapped for the token by its owner, and opened only inside it.',
		imported_certd: 'It came to certd in the clear, which wrapped it for the token.',
	}[key.origin] || 'How it came into the token is not known.';
}

/** Links to resources, as many as fit. @param {{id: number, name: string}[]} resources @param {number} bound how many there are */
export function resourceLinks(resources, bound, shown = 3) {
	if (!bound)
		return h('span.quiet', 'Nothing');
	const links = resources.slice(0, shown).flatMap((each, i) => [i ? ', ' : null, h('a', { href: href(`/resources/${each.id}`) }, each.name)]);
	const more = bound - Math.min(shown, resources.length);
	return h('span', links, more > 0 ? ` and ${plural(more, 'other')}` : null);
}
