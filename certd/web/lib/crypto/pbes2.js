// SPDX-License-Identifier: Apache-2.0
//
// What is encrypted with a password (RFC 8018): PBES2 of PBKDF2 and AES-CBC is
// opened by the browser's own cryptography.  Everything else is named, and the
// old ciphers as old.  An iteration count is a stranger's number: it is bounded
// before it is run, to 5,000,000 for one and 10,000,000 for a file, as in
// pki/key_crypt.c.

import { TAG, parse } from './asn1.js';
import { FileError, subtle, wipe } from './file_error.js';

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';
const ITERATIONS_MAX = 5_000_000;
const ALL_ITERATIONS_MAX = 10_000_000;

const PRFS = {
	'1.2.840.113549.2.7': 'SHA-1',
	'1.2.840.113549.2.9': 'SHA-256',
	'1.2.840.113549.2.10': 'SHA-384',
	'1.2.840.113549.2.11': 'SHA-512',
};
const CIPHERS = {
	'2.16.840.1.101.3.4.1.2': 128,
	'2.16.840.1.101.3.4.1.22': 192,
	'2.16.840.1.101.3.4.1.42': 256,
};
const LEGACY = {
	'1.2.840.113549.1.12.1.1': 'RC4 of 128 bits',
	'1.2.840.113549.1.12.1.2': 'RC4 of 40 bits',
	'1.2.840.113549.1.12.1.3': 'Triple DES (3DES)',
	'1.2.840.113549.1.12.1.4': 'Triple DES (2DES)',
	'1.2.840.113549.1.12.1.5': 'RC2 of 128 bits',
	'1.2.840.113549.1.12.1.6': 'RC2 of 40 bits',
	'1.2.840.113549.1.5.1': 'DES',
	'1.2.840.113549.1.5.3': 'DES',
	'1.2.840.113549.1.5.4': 'RC2',
	'1.2.840.113549.1.5.6': 'RC2',
	'1.2.840.113549.1.5.10': 'DES',
	'1.2.840.113549.1.5.11': 'RC2',
	'1.2.840.113549.3.2': 'RC2',
	'1.2.840.113549.3.4': 'RC4',
	'1.2.840.113549.3.7': 'Triple DES (3DES)',
	'1.3.14.3.2.7': 'DES',
};

/** How much stretching one file may ask for. */
export class Budget {
	#left = ALL_ITERATIONS_MAX;

	/** Of one derivation; max, where it is slower than most. */
	take(iterations, max = ITERATIONS_MAX) {
		if (iterations === 0)
			throw new FileError('damaged', 'The file is damaged: its password is to be ' +
				'stretched by no iterations at all.');
		if (iterations > max || iterations > this.#left)
			throw new FileError('too_much', 'The password of this file is stretched by ' +
				`more than ${max.toLocaleString("en")} iterations, which is beyond reason ` +
				'for a browser. If the file is right, use the command line: ' +
				'holdfast cert upload FILE');
		this.#left -= iterations;
	}
}

/* ---- what it is encrypted with ---- */

function legacy(cipher) {
	return new FileError('legacy', `The file is encrypted with ${cipher}, an old cipher that ` +
		'browsers do not have.');
}

function unsupported(what) {
	return new FileError('unsupported', `The file is encrypted with ${what}, which a browser ` +
		'cannot open. Encrypt it anew with AES-256 and PBKDF2, or use the command line: ' +
		'holdfast cert upload FILE');
}

function readPrf(element) {
	if (element === null)
		return 'SHA-1'; /* RFC 8018 A.2, the default */
	const oid = element.fields().take(TAG.OID).oid();
	if (PRFS[oid] === undefined)
		throw unsupported(`PBKDF2 by the function ${oid}`);
	return PRFS[oid];
}

function readPbkdf2(element) {
	const fields = element.fields();
	const salt = fields.take(TAG.OCTET_STRING).content;
	const iterations = fields.take(TAG.INTEGER).count();
	const keyLength = fields.maybe(TAG.INTEGER)?.count();
	const hash = readPrf(fields.maybe(TAG.SEQUENCE));
	fields.end();
	return { salt, iterations, keyLength, hash };
}

/** AlgorithmIdentifier: its OID and its parameters. */
function readAlgorithm(element) {
	const fields = element.fields();
	const oid = fields.take(TAG.OID).oid();
	return { oid, parameters: fields.rest() };
}

function only(parameters) {
	if (parameters.length !== 1)
		throw new FileError('damaged', 'The file is damaged: how it is encrypted is not said.');
	return parameters[0];
}

function readPbes2(element) {
	const fields = element.fields();
	const kdf = readAlgorithm(fields.take(TAG.SEQUENCE));
	const cipher = readAlgorithm(fields.take(TAG.SEQUENCE));
	fields.end();
	if (LEGACY[cipher.oid] !== undefined)
		throw legacy(LEGACY[cipher.oid]);
	if (kdf.oid !== PBKDF2)
		throw unsupported(kdf.oid === SCRYPT ? 'scrypt' : `the scheme ${kdf.oid}`);
	if (CIPHERS[cipher.oid] === undefined)
		throw unsupported(`the cipher ${cipher.oid}`);
	const iv = only(cipher.parameters).expect(TAG.OCTET_STRING).content;
	const how = { ...readPbkdf2(only(kdf.parameters)), bits: CIPHERS[cipher.oid], iv };
	if (iv.length !== 16 || (how.keyLength ?? how.bits / 8) !== how.bits / 8)
		throw new FileError('damaged',
			'The file is damaged: its cipher and the length of its key do not fit.');
	return how;
}

/**
 * Can these octets be decrypted here?  Asked before a password is, so that
 * nobody types one for nothing.
 * @param {import("./asn1.js").Element} algorithm AlgorithmIdentifier
 */
export function readEncryption(algorithm) {
	const { oid, parameters } = readAlgorithm(algorithm);
	if (oid === PBES2)
		return readPbes2(only(parameters));
	if (LEGACY[oid] !== undefined)
		throw legacy(LEGACY[oid]);
	throw unsupported(`the scheme ${oid}`);
}

/* ---- opening ---- */

/** @returns {FileError} the same words wherever a password does not open */
export function wrongPassword() {
	return new FileError('password_wrong',
		'The password is wrong, or the encrypted part of the file is damaged.');
}

/**
 * @param {ReturnType<typeof readEncryption>} how
 * @param {Uint8Array} sealed
 * @param {Uint8Array} password UTF-8
 * @param {Budget} budget
 * @returns {Promise<Uint8Array>} the caller's to wipe
 */
export async function decrypt(how, sealed, password, budget) {
	budget.take(how.iterations);
	const base = await subtle().importKey('raw', password, 'PBKDF2', false, ['deriveKey']);
	const key = await subtle().deriveKey(
		{ name: 'PBKDF2', hash: how.hash, salt: how.salt, iterations: how.iterations },
		base, { name: 'AES-CBC', length: how.bits }, false, ['decrypt']);
	let plain;
	try {
		plain = await subtle().decrypt({ name: 'AES-CBC', iv: how.iv }, key, sealed);
	} catch {
		throw wrongPassword();
	}
	return new Uint8Array(plain);
}

/**
 * EncryptedPrivateKeyInfo (RFC 5958 3).
 * @param {Uint8Array} der
 * @param {string|null} password null: none was given
 * @returns {Promise<Uint8Array>} PKCS#8, the caller's to wipe
 */
export async function openEncryptedKey(der, password, budget = new Budget()) {
	const fields = parse(der).fields();
	const how = readEncryption(fields.take(TAG.SEQUENCE));
	const sealed = fields.take(TAG.OCTET_STRING).content;
	fields.end();
	if (password === null)
		throw passwordNeeded('private key');
	const octets = new TextEncoder().encode(password);
	try {
		return await decrypt(how, sealed, octets, budget);
	} finally {
		wipe(octets);
	}
}

/** @param {string} what */
export function passwordNeeded(what) {
	return new FileError('password_needed', `The ${what} is encrypted; give its password.`);
}
