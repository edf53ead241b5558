// SPDX-License-Identifier: Apache-2.0
//
// What is said of a file that cannot be used.  Everything here that reads
// foreign octets throws this and nothing else: a sentence for the person, and a
// code for the page.

/**
 * @typedef {"damaged"|"password_needed"|"password_wrong"|"legacy"|"unsupported"
 *   |"too_much"|"mismatch"} FileErrorCode
 * damaged: not such a file, or no longer; password_needed: it is encrypted, and
 * none was given; legacy: encrypted in a way that browsers have given up, of
 * which the command line still reads a PFX; unsupported: right, but nothing
 * that this page or the token can take; too_much: beyond a bound; mismatch: the
 * parts are of different keys.
 */
export class FileError extends Error {
	/**
	 * @param {FileErrorCode} code
	 * @param {string} sentence
	 */
	constructor(code, sentence) {
		super(sentence);
		this.name = 'FileError';
		this.code = code;
	}
}

/** @returns {SubtleCrypto} the browser's, which it has for HTTPS alone. */
export function subtle() {
	const found = globalThis.crypto?.subtle;
	if (found === undefined)
		throw new FileError('unsupported', 'The browser lets a page use its cryptography ' +
			'only over HTTPS. Open this page by its https:// address.');
	return found;
}

/** Overwrites octets that were secret. @param {...(Uint8Array|null|undefined)} them */
export function wipe(...them) {
	for (const octets of them)
		octets?.fill(0);
}
