// SPDX-License-Identifier: Apache-2.0
//
// A PFX (PKCS#12, RFC 7292) opened in the browser: its certificates and its
// private key.  How each part is encrypted is looked at before the password is
// asked for: of one with an old cipher nothing is opened, and the page offers
// another way.  Refuses a file of several private keys, for nobody could know
// which one was meant.

import { TAG, context, parse } from './asn1.js';
import { FileError, wipe } from './file_error.js';
import { Budget, decrypt, passwordNeeded, readEncryption, wrongPassword } from './pbes2.js';
import { readMac, verifyMac } from './pkcs12_mac.js';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const BAG = '1.2.840.113549.1.12.10.1.';
const KEY_BAG = `${BAG}1`, SHROUDED_BAG = `${BAG}2`, CERT_BAG = `${BAG}3`, NESTED_BAG = `${BAG}6`;
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const DEPTH_MAX = 4;

function byPublicKey() {
	return new FileError('unsupported', 'The PFX is protected by a public key, not by a ' +
		'password. Export it with a password.');
}

/** ContentInfo: its type, and what is inside of it. */
function readContent(element) {
	const fields = element.fields();
	const oid = fields.take(TAG.OID).oid();
	return { oid, inner: fields.take(context(0)).only() };
}

/** One that opens in turn: encryption is null where it is in the clear. */
function readSafe(element) {
	const { oid, inner } = readContent(element);
	if (oid === DATA)
		return { encryption: null, octets: inner.octetString() };
	if (oid !== ENCRYPTED_DATA)
		throw byPublicKey();
	const data = inner.fields();
	data.take(TAG.INTEGER);
	const content = data.take(TAG.SEQUENCE).fields();
	content.take(TAG.OID);
	const encryption = readEncryption(content.take(TAG.SEQUENCE));
	return { encryption, octets: content.any().octetString(context(0, false)) };
}

/* ---- bags ---- */

class Contents {
	constructor() {
		this.certificates = [];
		/** In the clear, the file's own octets. */
		this.keys = [];
		/** Encrypted, each with how. */
		this.sealed = [];
	}

	/** SafeContents. */
	take(octets, depth = 0) {
		if (depth > DEPTH_MAX)
			throw new FileError('damaged', 'The PFX is damaged: bags in bags without an end.');
		for (const bag of parse(octets, { ber: true }).expect(TAG.SEQUENCE).children())
			this.#takeBag(bag.fields(), depth);
	}

	#takeBag(fields, depth) {
		const oid = fields.take(TAG.OID).oid();
		const value = fields.take(context(0)).only();
		if (oid === CERT_BAG)
			this.#takeCertificate(value.fields());
		else if (oid === KEY_BAG)
			this.keys.push(value.raw);
		else if (oid === SHROUDED_BAG)
			this.#takeSealed(value.fields());
		else if (oid === NESTED_BAG)
			this.take(value.raw, depth + 1);
		/* Others are lists of revoked ones and the like. */
	}

	#takeCertificate(fields) {
		if (fields.take(TAG.OID).oid() !== X509_CERTIFICATE)
			return;
		this.certificates.push(fields.take(context(0)).only().octetString().slice());
	}

	#takeSealed(fields) {
		const encryption = readEncryption(fields.take(TAG.SEQUENCE));
		this.sealed.push({ encryption, octets: fields.take(TAG.OCTET_STRING).octetString() });
	}

	checkKeys() {
		const n = this.keys.length + this.sealed.length;
		if (n > 1)
			throw new FileError('unsupported', `The PFX holds ${n} private keys; export each ` +
				'by itself.');
	}
}

/* ---- the password ---- */

/** Which one it is: the given one, or none in either of two ways. */
async function findPassword(mac, content, given) {
	const tries = given === null || given === '' ? [null, ''] : [given];
	for (const password of tries)
		if (await verifyMac(mac, content, password))
			return password ?? '';
	if (given === null)
		throw passwordNeeded('PFX');
	throw new FileError('password_wrong',
		'The password of the PFX is wrong (or the file was damaged on its way).');
}

function otherKeyPassword() {
	return new FileError('unsupported', 'The password opens the PFX but not the private key ' +
		'in it, which has another one. Export it with one password for both.');
}

/* ---- the file ---- */

function readOuter(octets) {
	const fields = parse(octets, { ber: true }).fields();
	if (fields.take(TAG.INTEGER).count() !== 3)
		throw new FileError('damaged', 'This is not a PFX, or it is damaged.');
	const { oid, inner } = readContent(fields.take(TAG.SEQUENCE));
	if (oid !== DATA)
		throw byPublicKey();
	const mac = fields.maybe(TAG.SEQUENCE);
	fields.end();
	return { content: inner.octetString(), mac };
}

class Opening {
	constructor(given) {
		this.given = given;
		this.budget = new Budget();
		this.contents = new Contents();
		this.plains = [];
		this.password = null;
		this.isProven = false;
	}

	async prove(mac, content) {
		const text = mac === null ? this.given
			: await findPassword(mac, content, this.given);
		this.isProven = mac !== null;
		this.password = text === null ? null : new TextEncoder().encode(text);
	}

	async open({ encryption, octets }) {
		if (this.password === null)
			throw passwordNeeded('PFX');
		const plain = await decrypt(encryption, octets, this.password, this.budget);
		this.plains.push(plain);
		return plain;
	}

	async openSafe(safe) {
		const plain = await this.open(safe);
		try {
			this.contents.take(plain);
		} catch (error) {
			/* By chance a wrong password decrypts, to nothing that means a thing. */
			throw error.code === 'damaged' && !this.isProven ? wrongPassword() : error;
		}
	}

	async openKey() {
		const [sealed] = this.contents.sealed;
		if (sealed === undefined)
			return this.contents.keys[0]?.slice() ?? null;
		try {
			return (await this.open(sealed)).slice();
		} catch (error) {
			throw error.code === 'password_wrong' && this.isProven ? otherKeyPassword() : error;
		}
	}
}

async function openOuter(opening, octets) {
	const { content, mac } = readOuter(octets);
	const safes = parse(content, { ber: true }).expect(TAG.SEQUENCE).children().map(readSafe);
	for (const safe of safes.filter(s => s.encryption === null))
		opening.contents.take(safe.octets);
	opening.contents.checkKeys();
	await opening.prove(mac === null ? null : readMac(mac, opening.budget), content);
	for (const safe of safes.filter(s => s.encryption !== null))
		await opening.openSafe(safe);
	opening.contents.checkKeys();
	return { certificates: opening.contents.certificates, pkcs8: await opening.openKey() };
}

/**
 * @param {Uint8Array} octets
 * @param {string|null} password null: none was given yet; many files have none
 * @returns {Promise<{certificates: Uint8Array[], pkcs8: Uint8Array|null}>}
 *   pkcs8 is the caller's to wipe
 */
export async function openPfx(octets, password) {
	const opening = new Opening(password);
	try {
		return await openOuter(opening, octets);
	} finally {
		wipe(opening.password, ...opening.plains);
	}
}
