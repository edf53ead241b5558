// SPDX-License-Identifier: Apache-2.0
//
// Private keys: PKCS#8 (RFC 5208, 5958), PKCS#1 (RFC 8017 A.1.2) and SEC1
// (RFC 5915) become one plain PrivateKeyInfo, without attributes, and the public
// half beside it.  The public half of an EC key is taken from the file or
// reckoned by the browser, and each pair is tried: what the one signs, the other
// must verify.  Refuses what no token here holds.

import { TAG, concat, context, parse, write, writeBitString, writeOid, writeUnsigned }
	from './asn1.js';
import { FileError, subtle, wipe } from './file_error.js';

const RSA = '1.2.840.113549.1.1.1';
const RSA_PSS = '1.2.840.113549.1.1.10';
const EC = '1.2.840.10045.2.1';
const ED25519 = '1.3.101.112';
const CURVES = {
	'1.2.840.10045.3.1.7': { kind: 'ec_p256', name: 'P-256', length: 32 },
	'1.3.132.0.34': { kind: 'ec_p384', name: 'P-384', length: 48 },
};
const RSA_KINDS = { 2048: 'rsa_2048', 3072: 'rsa_3072', 4096: 'rsa_4096' };
const SERVED = 'The token holds RSA of 2048, 3072 or 4096 bits, EC on P-256 or P-384, and Ed25519.';

/** As people call them. */
export const KIND_NAMES = Object.freeze({
	ec_p256: 'EC P-256', ec_p384: 'EC P-384', rsa_2048: 'RSA 2048', rsa_3072: 'RSA 3072',
	rsa_4096: 'RSA 4096', ed25519: 'Ed25519',
});

function notServed(what) {
	return new FileError('unsupported', `This private key is ${what}, which cannot be taken. ${SERVED}`);
}

const damaged = () => new FileError('damaged',
	'The private key is damaged: its numbers are not those of a key.');

const algorithm = (oid, parameters) => write(TAG.SEQUENCE, writeOid(oid), parameters);
const NULL = Uint8Array.of(TAG.NULL, 0);

function bitLength(number) {
	return number.length === 0 ? 0 : number.length * 8 - (Math.clz32(number[0]) - 24);
}

/** PrivateKeyInfo of an algorithm and the octets of its key, which are wiped. */
function privateKeyInfo(algorithmIdentifier, key) {
	const octets = write(TAG.OCTET_STRING, key);
	const pkcs8 = write(TAG.SEQUENCE, writeUnsigned(0), algorithmIdentifier, octets);
	wipe(octets, key);
	return pkcs8;
}

/* ---- RSA ---- */

/** RSAPrivateKey. */
function readRsa(der) {
	const fields = parse(der).fields();
	if (fields.take(TAG.INTEGER).count() !== 0)
		throw notServed('RSA of more than two primes');
	const modulus = fields.take(TAG.INTEGER).unsigned();
	const exponent = fields.take(TAG.INTEGER).unsigned();
	for (let i = 0; i < 6; i++)
		fields.take(TAG.INTEGER).unsigned();
	fields.end();
	const bits = bitLength(modulus);
	if (RSA_KINDS[bits] === undefined)
		throw notServed(`RSA of ${bits} bits`);
	const spki = write(TAG.SEQUENCE, algorithm(RSA, NULL), writeBitString(
		write(TAG.SEQUENCE, writeUnsigned(modulus), writeUnsigned(exponent))));
	return { kind: RSA_KINDS[bits], spki, pkcs8: privateKeyInfo(algorithm(RSA, NULL), der.slice()) };
}

/* ---- EC ---- */

function curveOf(element) {
	if (element.tag !== TAG.OID)
		throw notServed('EC on a curve that is written out rather than named');
	const oid = element.oid();
	if (CURVES[oid] === undefined)
		throw notServed(`EC on another curve (${oid})`);
	return { ...CURVES[oid], oid };
}

const fromBase64Url = text => Uint8Array.from(
	atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));

/** A coordinate, as long as the field. */
function padded(octets, length) {
	const whole = new Uint8Array(length);
	whole.set(octets, length - octets.length);
	return whole;
}

/** The uncompressed point of a key that does not bring it. */
async function reckonPoint(curve, pkcs8) {
	let jwk;
	try {
		const key = await subtle().importKey(
			'pkcs8', pkcs8, { name: 'ECDSA', namedCurve: curve.name }, true, ['sign']);
		jwk = await subtle().exportKey('jwk', key);
	} catch {
		throw new FileError('unsupported', 'This private key lacks its public half, and this ' +
			'browser does not reckon it. Complete the file: openssl ec -in FILE -out NEW');
	}
	return concat(Uint8Array.of(4), padded(fromBase64Url(jwk.x), curve.length),
		padded(fromBase64Url(jwk.y), curve.length));
}

function writeEc(curve, scalar, point) {
	const parts = [writeUnsigned(1), write(TAG.OCTET_STRING, scalar)];
	if (point !== null)
		parts.push(write(context(1), writeBitString(point)));
	const key = write(TAG.SEQUENCE, ...parts);
	wipe(parts[1]);
	return privateKeyInfo(algorithm(EC, writeOid(curve.oid)), key);
}

/** ECPrivateKey; its curve may be named outside of it. */
async function readEc(der, outerCurve) {
	const fields = parse(der).fields();
	if (fields.take(TAG.INTEGER).count() !== 1)
		throw damaged();
	const number = fields.take(TAG.OCTET_STRING).content;
	const named = fields.maybe(context(0))?.only();
	if (outerCurve === null && named === undefined)
		throw damaged();
	const curve = outerCurve ?? curveOf(named);
	let point = fields.maybe(context(1))?.only().bitString() ?? null;
	fields.end();
	if (number.length === 0 || number.length > curve.length)
		throw damaged();
	/* A compressed one is as if there were none. */
	if (point !== null && (point[0] !== 4 || point.length !== 1 + 2 * curve.length))
		point = null;
	const scalar = padded(number, curve.length);
	if (point === null) {
		const half = writeEc(curve, scalar, null);
		point = await reckonPoint(curve, half).finally(() => wipe(half));
	}
	const spki = write(TAG.SEQUENCE, algorithm(EC, writeOid(curve.oid)), writeBitString(point));
	const pkcs8 = writeEc(curve, scalar, point);
	wipe(scalar);
	return { kind: curve.kind, spki, pkcs8 };
}

/* ---- Ed25519 ---- */

/** spki is null where the browser does not know Ed25519. */
async function readEd25519(der) {
	const number = parse(der).octetString();
	if (number.length !== 32)
		throw damaged();
	const pkcs8 = privateKeyInfo(write(TAG.SEQUENCE, writeOid(ED25519)), der.slice());
	let spki = null;
	try {
		const key = await subtle().importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
		const jwk = await subtle().exportKey('jwk', key);
		spki = write(TAG.SEQUENCE, write(TAG.SEQUENCE, writeOid(ED25519)),
			writeBitString(fromBase64Url(jwk.x)));
	} catch { /* then it stays unknown */ }
	return { kind: 'ed25519', spki, pkcs8 };
}

/* ---- the pair ---- */

const SCHEMES = {
	rsa: { key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, sign: 'RSASSA-PKCS1-v1_5' },
	ec_p256: { key: { name: 'ECDSA', namedCurve: 'P-256' }, sign: { name: 'ECDSA', hash: 'SHA-256' } },
	ec_p384: { key: { name: 'ECDSA', namedCurve: 'P-384' }, sign: { name: 'ECDSA', hash: 'SHA-256' } },
	ed25519: { key: 'Ed25519', sign: 'Ed25519' },
};

async function checkPair(key) {
	const scheme = SCHEMES[key.kind] ?? SCHEMES.rsa;
	const text = crypto.getRandomValues(new Uint8Array(32));
	let fits = false;
	try {
		const half = await subtle().importKey('pkcs8', key.pkcs8, scheme.key, false, ['sign']);
		const other = await subtle().importKey('spki', key.spki, scheme.key, false, ['verify']);
		const signature = await subtle().sign(scheme.sign, half, text);
		fits = await subtle().verify(scheme.sign, other, signature, text);
	} catch { /* no key, or no pair */ }
	if (!fits)
		throw damaged();
}

/* ---- the door ---- */

async function readInfo(der) {
	const fields = parse(der).fields();
	const version = fields.take(TAG.INTEGER).count();
	const names = fields.take(TAG.SEQUENCE).fields();
	const oid = names.take(TAG.OID).oid();
	const key = fields.take(TAG.OCTET_STRING).content;
	if (version > 1)
		throw damaged();
	if (oid === RSA)
		return readRsa(key);
	if (oid === EC)
		return readEc(key, curveOf(names.any()));
	if (oid === ED25519)
		return readEd25519(key);
	throw notServed(oid === RSA_PSS ? 'of kind RSA-PSS, which servers and clients hardly take'
		: `of another kind (${oid})`);
}

const READERS = { pkcs8: readInfo, pkcs1: readRsa, sec1: der => readEc(der, null) };

/**
 * @typedef {{kind: string, pkcs8: Uint8Array, spki: Uint8Array|null}} PrivateKey
 * kind as certd has it, "ec_p256"; pkcs8 is the caller's to wipe.
 * @param {Uint8Array} der
 * @param {"pkcs8"|"pkcs1"|"sec1"} form
 * @returns {Promise<PrivateKey>}
 */
export async function readPrivateKey(der, form = 'pkcs8') {
	subtle(); /* without it nothing below would say why */
	const key = await READERS[form](der);
	if (key.spki === null)
		return key;
	try {
		await checkPair(key);
	} catch (error) {
		wipe(key.pkcs8);
		throw error;
	}
	return key;
}
