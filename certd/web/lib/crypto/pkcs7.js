// SPDX-License-Identifier: Apache-2.0
//
// The certificates of a PKCS#7 (RFC 2315 9.1, RFC 5652 5.1), of which nothing
// else matters here: who signed what is not looked at.

import { TAG, context, parse } from './asn1.js';
import { FileError } from './file_error.js';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** @param {Uint8Array} octets @returns {Uint8Array[]} DER */
export function readPkcs7(octets) {
	const outer = parse(octets, { ber: true }).fields();
	const oid = outer.take(TAG.OID).oid();
	const fields = oid === SIGNED_DATA ? outer.take(context(0)).only().fields() : null;
	fields?.take(TAG.INTEGER);
	fields?.take(TAG.SET);
	fields?.take(TAG.SEQUENCE);
	const certificates = fields?.maybe(context(0))?.children() ?? [];
	const found = certificates.filter(c => c.tag === TAG.SEQUENCE).map(c => c.raw.slice());
	if (found.length === 0)
		throw new FileError('damaged', 'The PKCS#7 (.p7b) holds no certificates.');
	return found;
}
