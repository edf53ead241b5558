// SPDX-License-Identifier: Apache-2.0
//
// A private key wrapped so that the token alone can open it, as CKM_RSA_AES_KEY_WRAP
// has it: RSA-OAEP of an AES-256 key that is made for this once, then RFC 5649
// over the PKCS#8.  The browser's own AES-KW is RFC 3394, whose other initial
// value cannot be chosen; so the wrap is done here, with AES-CBC as the block
// cipher: of one block and a zero IV, its first block is AES itself.  Refuses a
// wrapping key that protects nothing, or is not the one that its id names.

import { TAG, concat, parse } from './asn1.js';
import { FileError, subtle, wipe } from './file_error.js';
import { fromBase64 } from './pem.js';
import { KIND_NAMES } from './pkcs8.js';
import { fingerprint } from './x509.js';

const HASHES = {
	__proto__: null,
	rsa_oaep_sha1_aes_256_kwp: 'SHA-1',
	rsa_oaep_sha256_aes_256_kwp: 'SHA-256',
};
const SEMIBLOCK = 8;
const ZERO_IV = new Uint8Array(16);
const AIV = Uint8Array.of(0xa6, 0x59, 0x59, 0xa6); /* RFC 5649 3 */
const PKCS8_MAX = 3500;

/* ---- RFC 5649 ---- */

async function encryptBlock(aes, block) {
	const sealed = await subtle().encrypt({ name: 'AES-CBC', iv: ZERO_IV }, aes, block);
	return new Uint8Array(sealed, 0, 16);
}

/** RFC 3394 2.2.1: `text` is the initial value and the semiblocks, in place. */
async function wrapInPlace(aes, text) {
	const n = text.length / SEMIBLOCK - 1;
	const block = new Uint8Array(16);
	block.set(text.subarray(0, SEMIBLOCK));
	for (let t = 1; t <= 6 * n; t++) {
		const at = ((t - 1) % n + 1) * SEMIBLOCK;
		block.set(text.subarray(at, at + SEMIBLOCK), SEMIBLOCK);
		const sealed = await encryptBlock(aes, block);
		block.set(sealed.subarray(0, SEMIBLOCK));
		for (let k = 7, left = t; left > 0; k--, left = Math.floor(left / 256))
			block[k] ^= left % 256;
		text.set(sealed.subarray(SEMIBLOCK), at);
	}
	text.set(block.subarray(0, SEMIBLOCK));
	wipe(block);
	return text;
}

/**
 * AES key wrap with padding (RFC 5649 4.1).
 * @param {Uint8Array} raw the AES key
 * @param {Uint8Array} octets 1 or more
 * @returns {Promise<Uint8Array>}
 */
export async function wrapWithPadding(raw, octets) {
	const aes = await subtle().importKey('raw', raw, 'AES-CBC', false, ['encrypt']);
	const length = Uint8Array.of(octets.length >>> 24, octets.length >>> 16,
		octets.length >>> 8, octets.length);
	const padding = new Uint8Array((SEMIBLOCK - octets.length % SEMIBLOCK) % SEMIBLOCK);
	const text = concat(AIV, length, octets, padding);
	if (text.length > 2 * SEMIBLOCK)
		return wrapInPlace(aes, text);
	const sealed = (await encryptBlock(aes, text)).slice();
	wipe(text);
	return sealed;
}

/* ---- the token's wrapping key ---- */

function modulusBits(spki) {
	const [algorithm, key] = parse(spki).expect(TAG.SEQUENCE).children();
	if (algorithm?.fields().take(TAG.OID).oid() !== '1.2.840.113549.1.1.1' || key === undefined)
		return 0;
	const modulus = parse(key.bitString()).fields().take(TAG.INTEGER).unsigned();
	return modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
}

function refuse(sentence) {
	return new FileError('unsupported', `${sentence} Nothing was sent.`);
}

/**
 * What certd answers to ImportParameters, looked at.
 * @typedef {{hash: string, spki: Uint8Array, id: string, fingerprint: string,
 *   algorithms: string[]}} WrappingKey
 * fingerprint: lower-case hex, SHA-256 of its SPKI; it is its id at keyd too.
 * @returns {Promise<WrappingKey>}
 */
export async function readWrappingKey(parameters) {
	const spki = fromBase64(parameters.wrapping_key);
	const hash = HASHES[parameters.wrapping];
	if (hash === undefined)
		throw refuse('The token wants keys wrapped in a way that this page does not know.');
	const bits = modulusBits(spki);
	if (bits < 2048 || bits > 4096)
		throw refuse('The token\'s wrapping key is not RSA of 2048 to 4096 bits.');
	const print = await fingerprint(spki);
	const id = fromBase64(parameters.wrapping_key_id);
	if (print !== Array.from(id, octet => octet.toString(16).padStart(2, '0')).join(''))
		throw refuse('The token\'s wrapping key is not the one that its id names.');
	return { hash, spki, id: parameters.wrapping_key_id, fingerprint: print,
		algorithms: parameters.algorithms ?? [] };
}

/** Could the token take this kind of key in? Else a FileError that says what to do. */
export function checkKind(kind, wrapping) {
	if (!wrapping.algorithms.includes(kind))
		throw refuse(`The token takes in no ${KIND_NAMES[kind] ?? kind} keys from outside. ` +
			'Have one made in it by a certificate request (CSR), or use another kind of key.');
}

/**
 * The blob that Upload takes; key.pkcs8 is overwritten, whatever comes.
 * @param {import("./pkcs8.js").PrivateKey} key
 * @param {WrappingKey} wrapping
 * @returns {Promise<Uint8Array>}
 */
export async function wrapKey(key, wrapping) {
	const aes = crypto.getRandomValues(new Uint8Array(32));
	try {
		checkKind(key.kind, wrapping);
		if (key.spki === null)
			throw refuse('This browser does not know Ed25519, and cannot tell the key\'s public half.');
		if (key.pkcs8.length > PKCS8_MAX)
			throw refuse('The private key is longer than any that the token holds.');
		const to = await subtle().importKey(
			'spki', wrapping.spki, { name: 'RSA-OAEP', hash: wrapping.hash }, false, ['encrypt']);
		const head = await subtle().encrypt({ name: 'RSA-OAEP' }, to, aes);
		return concat(new Uint8Array(head), await wrapWithPadding(aes, key.pkcs8));
	} finally {
		wipe(aes, key.pkcs8);
	}
}
