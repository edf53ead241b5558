// SPDX-License-Identifier: Apache-2.0
//
// What pages say of the audit ledger and of its entries.

import { h } from './dom.js';
import { atOf, peerName, readEntry, schemeName } from './ledger_entry.js';
import { remember } from './ledger_memory.js';
import { badge } from './status.js';
import { fromBase64, toHex, verifyCheckpoint } from './tlog.js';

const full_format = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, timeZoneName: 'short' });
const clock_format = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const CONTEXTS = {
	tls13_server: 'TLS 1.3 handshake', tls12_server_ecdhe: 'TLS 1.2 handshake', csr: 'Certificate request', raw: 'Any octets',
	tls13_client: 'TLS 1.3, as a client', acme_jws: 'ACME request', unspecified: '–',
};

/** An entry of the list, read from its leaf. @param {{number: number, leaf: string}} listed */
export function readListed(listed) {
	return { number: listed.number, ...readEntry(fromBase64(listed.leaf)) };
}

/** To the second; all of it in the title. @param {Object} entry @param {boolean} [is_full] */
export function entryTime(entry, is_full) {
	const at = new Date(atOf(entry) * 1000);
	return h('time.num', { datetime: at.toISOString(), title: full_format.format(at) }, (is_full ? full_format : clock_format).format(at));
}

/** "TLS 1.3 handshake", or the act. @param {Object} entry */
export function whatText(entry) {
	return entry.act || CONTEXTS[entry.context] || entry.context;
}

/** Below that. @param {Object} entry */
export function whatMore(entry) {
	if (entry.names.length)
		return entry.names.join(', ');
	return entry.scheme ? schemeName(entry.scheme) : '';
}

/** How it ended. @param {Object} entry */
export function outcomeBadge(entry) {
	if (entry.code)
		return badge('bad', entry.kind === 'custody' ? 'Failed' : 'Refused');
	if (entry.kind === 'custody')
		return entry.stage === 'asked' ? badge('neutral', 'Asked') : badge('good', 'Done');
	return badge('good', 'Signed');
}

/** Who asked. @param {Object} entry */
export function whoText(entry) {
	return peerName(entry.peer);
}

/**
 * GET /v1/ledger, its checkpoint verified here, and compared with what this browser remembers. What does not hold is thrown.
 * @param {Object} described
 */
export async function verifyLedger(described) {
	const keys = described.keys.map(each => each.verifier_key);
	const note = new TextDecoder().decode(fromBase64(described.checkpoint));
	const checkpoint = await verifyCheckpoint(note, keys.at(-1));
	const seen = { origin: checkpoint.origin, size: checkpoint.size, root: toHex(checkpoint.root) };
	return { checkpoint, note, key: keys.at(-1), ...remember(seen, keys) };
}
