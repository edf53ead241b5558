// SPDX-License-Identifier: Apache-2.0
//
// The MAC of a PFX (RFC 7292 4 and B), which tells a wrong password from a right
// one before anything is decrypted.  The browser makes one digest for each
// iteration, some ten thousand a second: no more than 500,000 are run.

import { TAG, concat } from './asn1.js';
import { FileError, subtle, wipe } from './file_error.js';

export const MAC_ITERATIONS_MAX = 500_000;
const MAC_KEY = 3; /* RFC 7292 B.3 */
const PBMAC1 = '1.2.840.113549.1.5.14';

/** Digests by OID, with the octets of their blocks. */
const HASHES = {
	'1.3.14.3.2.26': { name: 'SHA-1', block: 64 },
	'2.16.840.1.101.3.4.2.1': { name: 'SHA-256', block: 64 },
	'2.16.840.1.101.3.4.2.2': { name: 'SHA-384', block: 128 },
	'2.16.840.1.101.3.4.2.3': { name: 'SHA-512', block: 128 },
};

/**
 * MacData.
 * @param {import("./asn1.js").Element} element
 * @param {import("./pbes2.js").Budget} budget of one try; a second one is not counted
 */
export function readMac(element, budget) {
	const fields = element.fields();
	const info = fields.take(TAG.SEQUENCE).fields();
	const oid = info.take(TAG.SEQUENCE).fields().take(TAG.OID).oid();
	const digest = info.take(TAG.OCTET_STRING).content;
	const salt = fields.take(TAG.OCTET_STRING).content;
	const iterations = fields.maybe(TAG.INTEGER)?.count() ?? 1;
	fields.end();
	if (HASHES[oid] === undefined)
		throw new FileError('unsupported', 'The PFX is protected by ' +
			`${oid === PBMAC1 ? "PBMAC1 (RFC 9579)" : `the MAC ${oid}`}, which this page does ` +
			'not read. Export it anew with a SHA-256 MAC.');
	budget.take(iterations, MAC_ITERATIONS_MAX);
	return { hash: HASHES[oid], digest, salt, iterations };
}

/** These octets over and over, until a multiple of a block is full. */
function filled(octets, block) {
	const whole = new Uint8Array(Math.ceil(octets.length / block) * block);
	for (let i = 0; i < whole.length; i++)
		whole[i] = octets[i % octets.length];
	return whole;
}

/** RFC 7292 B.2, of as many octets as the digest has: one round. */
async function deriveKey(mac, password) {
	const { name, block } = mac.hash;
	const spread = filled(password, block);
	let input = concat(new Uint8Array(block).fill(MAC_KEY), filled(mac.salt, block), spread);
	wipe(spread);
	for (let i = 0; i < mac.iterations; i++) {
		const output = new Uint8Array(await subtle().digest(name, input));
		wipe(input);
		input = output;
	}
	return input;
}

/** B.1: UTF-16, big end first, and a zero behind it. */
function bmpString(password) {
	const octets = new Uint8Array(2 * password.length + 2);
	for (let i = 0; i < password.length; i++) {
		octets[2 * i] = password.charCodeAt(i) >> 8;
		octets[2 * i + 1] = password.charCodeAt(i);
	}
	return octets;
}

/**
 * @param {ReturnType<typeof readMac>} mac
 * @param {Uint8Array} content what it is of
 * @param {string|null} password null: none at all, not even an empty one
 * @returns {Promise<boolean>}
 */
export async function verifyMac(mac, content, password) {
	const octets = password === null ? new Uint8Array(0) : bmpString(password);
	const raw = await deriveKey(mac, octets);
	const key = await subtle().importKey(
		'raw', raw, { name: 'HMAC', hash: mac.hash.name }, false, ['verify']);
	wipe(octets, raw);
	return subtle().verify('HMAC', key, mac.digest, content);
}
