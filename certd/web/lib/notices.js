// SPDX-License-Identifier: Apache-2.0
//
// What notices are about, in words, and how one is.

import { now, when, word } from './format.js';
import { stateBadge } from './status.js';

/** Of an account's rules; then those about the whole, which operators have. */
export const EVENTS = {
	expiring: ['A certificate expires soon', 'So many days before, for certificates that do not renew by themselves.'],
	expired: ['A certificate has expired', 'While it is in use.'],
	issued: ['A first certificate was obtained', 'By an enrollment, once its names were validated.'],
	issue_failed: ['A certificate could not be obtained', 'The CA, the DNS or a validation refused.'],
	renewed: ['A certificate was renewed', 'All went well; mostly not worth a mail.'],
	renewal_failed: ['A renewal failed', 'At the first failure, and again as expiry comes near.'],
	revoked: ['A certificate was revoked', 'By you or by its CA.'],
	change_needs_you: ['A change waits for somebody', 'A DNS record to add, or a step to allow.'],
	change_expired: ['An order was not verified in time', 'The CA has let it expire; a new one is needed.'],
	edge_not_converged: ['An edge does not serve what it should', 'For longer than the grace of certd.yaml.'],
	ledger_trouble: ['Trouble with the audit ledger', 'Checkpoints wait, or nothing can be recorded.'],
	hsm_trouble: ['Trouble with keyd or the HSM', 'Lanes that are not ready, or keyd away.'],
};

export const OF_WHOLE = ['edge_not_converged', 'ledger_trouble', 'hsm_trouble'];

/** @param {string} event 'expiring' */
export function eventTitle(event) {
	return EVENTS[event]?.[0] || word(event);
}

const STATES = { queued: 'Waiting', sent: 'Sent', failed: 'Failed', cancelled: 'Not needed' };

/** @param {Object} notice */
export function noticeBadge(notice) {
	return stateBadge(notice.state, STATES[notice.state]);
}

/** What comes of it, below its badge. @param {Object} notice */
export function noticeNext(notice) {
	if (notice.state === 'sent')
		return when(notice.sent_s, 'relative');
	if (notice.state === 'queued' && notice.next_s <= now())
		return 'Due now';
	if (notice.state === 'queued')
		return [notice.attempts ? 'Next attempt ' : 'Due ', when(notice.next_s, 'relative')];
	return notice.state === 'cancelled' && !notice.problem ? 'Dealt with before' : null;
}

/** 'webhook 3' by its name. @param {string} recipient @param {Map<string, string>} names */
export function recipientText(recipient, names) {
	const [, id] = /^webhook (\d+)$/.exec(recipient) || [];
	return id ? `Webhook ${names.get(id) || id}` : recipient;
}

/** Of all that one sees. @param {Object} ctx @returns {Promise<Map<string, string>>} by id */
export async function webhookNames(ctx) {
	const { items } = await ctx.api.all('/webhooks', 'webhooks', {});
	return new Map(items.map(each => [String(each.id), each.name]));
}
