// SPDX-License-Identifier: Apache-2.0
//
// As much of a certificate (RFC 5280) as a preview shows, and what tells whether
// a private key is its own.  It judges nothing: whether a certificate may be
// served is for certd to say.

import { TAG, context, equal, parse } from './asn1.js';
import { FileError, subtle } from './file_error.js';

const COMMON_NAME = '2.5.4.3';
const SHORT_NAMES = {
	'2.5.4.3': 'CN', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'ST', '2.5.4.10': 'O',
	'2.5.4.11': 'OU', '0.9.2342.19200300.100.1.25': 'DC', '1.2.840.113549.1.9.1': 'emailAddress',
};
const ALT_NAMES = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const CURVES = { '1.2.840.10045.3.1.7': 'ec_p256', '1.3.132.0.34': 'ec_p384' };
const OTHER_KEYS = { '1.2.840.10045.2.1': 'EC', '1.2.840.113549.1.1.10': 'RSA-PSS' };
const DNS_NAME = context(2, false);
const IP_ADDRESS = context(7, false);

const damaged = () => new FileError('damaged', 'A certificate in it is damaged or cut short.');

/* ---- text ---- */

function wide(octets, size) {
	let text = '';
	for (let i = 0; i + size <= octets.length; i += size) {
		const code = octets.subarray(i, i + size).reduce((sum, octet) => sum * 256 + octet, 0);
		text += code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
	}
	return text;
}

/** A DirectoryString, with what nobody can see made visible. */
function textOf(element) {
	const text = element.tag === TAG.BMP ? wide(element.content, 2)
		: element.tag === TAG.UNIVERSAL ? wide(element.content, 4)
		: new TextDecoder(element.tag === TAG.UTF8 ? 'utf-8' : 'latin1').decode(element.content);
	return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

/** [[oid, text]], as they stand. */
function readName(element) {
	const found = [];
	for (const set of element.expect(TAG.SEQUENCE).children())
		for (const pair of set.expect(TAG.SET).children()) {
			const fields = pair.fields();
			found.push([fields.take(TAG.OID).oid(), textOf(fields.any())]);
		}
	return found;
}

/** RFC 4514: the last one first. */
function nameText(name) {
	const escaped = text => text.replace(/[,+"\\<>;]/g, '\\$&').replace(/^[ #]|(?<=.) $/g, '\\$&');
	return name.map(([oid, text]) => `${SHORT_NAMES[oid] ?? oid}=${escaped(text)}`)
		.reverse().join(',');
}

const commonName = name => name.filter(([oid]) => oid === COMMON_NAME).pop()?.[1] ?? '';

/* ---- times ---- */

/** Seconds since 1970 UTC. */
function readTime(element) {
	const text = String.fromCharCode(...element.content.subarray(0, 16));
	const isShort = element.tag === TAG.UTC_TIME;
	const match = isShort ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
		: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
	if (match === null || (!isShort && element.tag !== TAG.GENERALIZED_TIME))
		throw damaged();
	const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
	const century = !isShort ? 0 : year < 50 ? 2000 : 1900;
	const date = new Date(0);
	date.setUTCFullYear(century + year, month - 1, day);
	date.setUTCHours(hour, minute, second);
	return Math.floor(date.getTime() / 1000);
}

/* ---- keys and extensions ---- */

function rsaKind(spki) {
	const modulus = parse(spki.bitString()).fields().take(TAG.INTEGER).unsigned();
	const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
	return [2048, 3072, 4096].includes(bits) ? `rsa_${bits}` : `RSA ${bits}`;
}

/** As certd names it, or in words where no token holds such. */
function keyKind(spki) {
	const [algorithm, key] = spki.children();
	const fields = algorithm.fields();
	const oid = fields.take(TAG.OID).oid();
	if (oid === '1.2.840.113549.1.1.1')
		return rsaKind(key);
	if (oid === '1.3.101.112')
		return 'ed25519';
	const curve = fields.maybe(TAG.OID)?.oid();
	return CURVES[curve] ?? OTHER_KEYS[oid] ?? oid;
}

function ipText(octets) {
	if (octets.length === 4)
		return octets.join('.');
	return Array.from({ length: octets.length >> 1 },
		(_, i) => (octets[2 * i] << 8 | octets[2 * i + 1]).toString(16)).join(':');
}

function readAltNames(octets) {
	const found = { hostnames: [], addresses: [] };
	for (const name of parse(octets).expect(TAG.SEQUENCE).children()) {
		if (name.tag === DNS_NAME)
			found.hostnames.push(textOf(name));
		if (name.tag === IP_ADDRESS)
			found.addresses.push(ipText(name.content));
	}
	return found;
}

function readExtensions(element) {
	const found = { hostnames: [], addresses: [], isCa: false };
	for (const extension of element?.only().expect(TAG.SEQUENCE).children() ?? []) {
		const fields = extension.fields();
		const oid = fields.take(TAG.OID).oid();
		fields.maybe(TAG.BOOLEAN);
		const value = fields.take(TAG.OCTET_STRING).content;
		if (oid === ALT_NAMES)
			Object.assign(found, readAltNames(value));
		if (oid === BASIC_CONSTRAINTS)
			found.isCa = parse(value).fields().maybe(TAG.BOOLEAN)?.content[0] === 0xff;
	}
	return found;
}

/* ---- the certificate ---- */

const hex = octets => Array.from(octets, octet => octet.toString(16).padStart(2, '0')).join('');

/**
 * @typedef {object} Certificate
 * @property {Uint8Array} der
 * @property {string} subject its common name, or the first host name, or all of its name
 * @property {string} name of the subject, all of it (RFC 4514)
 * @property {string} issuer the same of the issuer
 * @property {string} issuedBy its common name, or all of its name
 * @property {string} serial lower-case hex
 * @property {number} not_before_s
 * @property {number} not_after_s
 * @property {string[]} hostnames
 * @property {string[]} addresses
 * @property {Uint8Array} spki
 * @property {string} kind "ec_p256"
 * @property {boolean} isCa
 * @property {boolean} isSelfIssued
 */

/** @param {Uint8Array} der @returns {Certificate} */
export function readCertificate(der) {
	const [tbs, , signature] = parse(der).expect(TAG.SEQUENCE).children();
	if (tbs === undefined || signature?.tag !== TAG.BIT_STRING)
		throw damaged();
	const fields = tbs.fields();
	fields.maybe(context(0));
	const serial = fields.take(TAG.INTEGER).content;
	fields.take(TAG.SEQUENCE);
	const issuer = fields.take(TAG.SEQUENCE);
	const [from, to] = fields.take(TAG.SEQUENCE).children();
	const subject = fields.take(TAG.SEQUENCE);
	const spki = fields.take(TAG.SEQUENCE);
	if (to === undefined || spki.children().length !== 2)
		throw damaged();
	const extensions = readExtensions(fields.rest().find(e => e.tag === context(3)));
	const name = readName(subject);
	const issuerName = readName(issuer);
	return {
		der, ...extensions,
		subject: commonName(name) || extensions.hostnames[0] || nameText(name),
		name: nameText(name), issuer: nameText(issuerName),
		issuedBy: commonName(issuerName) || nameText(issuerName),
		serial: hex(serial).replace(/^00(?=..)/, ''),
		not_before_s: readTime(from), not_after_s: readTime(to),
		spki: spki.raw, kind: keyKind(spki),
		isSelfIssued: equal(issuer.raw, subject.raw),
	};
}

/** @returns {Promise<string>} lower-case hex of SHA-256, as certd and keyd name keys */
export async function fingerprint(octets) {
	return hex(new Uint8Array(await subtle().digest('SHA-256', octets)));
}

/** Is this key's public half the certificate's? */
export const fits = (certificate, key) => equal(certificate.spki, key.spki);
