// SPDX-License-Identifier: Apache-2.0
//
// What certd writes into its history, in words for people.

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
