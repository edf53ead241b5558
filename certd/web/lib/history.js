// SPDX-License-Identifier: Apache-2.0
//
// What certd writes into its history, in words for people; and the card that
// tells one object's on its page.

import { h } from './dom.js';
import { when } from './format.js';
import { card, loaded } from './layout.js';
import { href } from './router.js';

const EVENTS_SHOWN = 10;

/* Those that certd does by itself are named as in its log. */
const ACTS = {
	'acme.issued': 'Certificate obtained', 'acme.failed': 'Certificate not obtained', 'acme.awaits': 'Change waits for somebody',
	'acme.expired': 'Order not answered in time', 'acme.cancelled': 'Change given up', 'acme.delayed': 'Change put off',
	'acme.revoked': 'Certificate revoked', 'acme.found_revoked': 'Certificate found revoked', 'acme.revocation_delayed': 'Revocation put off',
	'acme_account.create': 'Account at the CA made', 'acme_account.contacts': 'Contacts at the CA changed', 'acme_account.rollover': 'Key at the CA changed',
	'acme_account.rollover_begun': 'Key at the CA is changed', 'acme_account.rollover_given_up': 'Key at the CA kept',
};

/** @param {string} act 'acme.issued', 'certificate uploaded' @returns {string} */
export function actText(act) {
	const text = ACTS[act] || act.replace(/[._]/g, ' ');
	return text[0].toUpperCase() + text.slice(1);
}

/** Who did it: the account stands beside it. @param {string} actor 'user anna@acme.example (acme)', 'certd' @returns {string} */
export function actorText(actor) {
	return actor.replace(/^user (\S+) \([^)]*\)$/, '$1') || '–';
}

function eventRow(event) {
	return h('li', h('div', h('strong', actText(event.act)), h('span.under', actorText(event.actor))), when(event.at_s, 'relative'));
}

/**
 * What was done to one object, the newest of it; null for who may not read the history of its account.
 * @param {Object} ctx @param {string} object 'certificate 17', 'resource 4' @param {string} account its account's name
 */
export function historyCard(ctx, object, account) {
	const is_own = ctx.session.seesAll || account === ctx.session.account;
	if (!is_own || !ctx.session.may('managers, auditors'))
		return null;
	const all = h('a', { href: href(`/history?object=${encodeURIComponent(object)}`) }, 'All of it');
	const draw = ({ items, next }) => items.length ? h('div.stack', h('ol.plain.events', items.map(eventRow)), next ? h('p.small', all) : null)
		: h('p.small.quiet', 'Nothing was written down about it.');
	return card({ title: 'History' }, loaded(ctx, { lines: 3, topics: 'history', load: () => ctx.api.list('/history', 'events', { object, page_size: EVENTS_SHOWN }), draw }));
}
