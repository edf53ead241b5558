// SPDX-License-Identifier: Apache-2.0
//
// What a person gave, opened: certificates and perhaps one private key, out of
// PEM in any order and number of parts, DER, PKCS#7 and PFX.  Nothing of the
// given octets is passed on: certd is sent certificates alone, written anew from
// what was read, and the key wrapped.  The order of a chain is put right, and
// judged, by certd.

import { TAG, equal, parse } from './asn1.js';
import { FileError, wipe } from './file_error.js';
import { openEncryptedKey } from './pbes2.js';
import { base64, isPem, readPem, writePem } from './pem.js';
import { openPfx } from './pfx.js';
import { readPkcs7 } from './pkcs7.js';
import { readPrivateKey } from './pkcs8.js';
import { wrapKey } from './wrap.js';
import { fits, readCertificate } from './x509.js';

const OCTETS_MAX = 256 * 1024; /* of all parts, as in pki/bundle.h */
const CERTIFICATES_MAX = 20;
const KEY_FORMS = { 'PRIVATE KEY': 'pkcs8', 'RSA PRIVATE KEY': 'pkcs1', 'EC PRIVATE KEY': 'sec1' };
const CERTIFICATES = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];
const PKCS7 = ['PKCS7', 'PKCS #7 SIGNED DATA', 'CMS'];

class Bundle {
	constructor(password) {
		this.password = password;
		/** @type {import("./x509.js").Certificate[]} */
		this.certificates = [];
		/** @type {import("./pkcs8.js").PrivateKey|null} */
		this.key = null;
		this.notes = new Set();
		this.given = 0;
	}

	takeCertificate(der) {
		if (++this.given > CERTIFICATES_MAX)
			throw new FileError('too_much', `There are more than ${CERTIFICATES_MAX} ` +
				'certificates; give one, with its own chain.');
		const certificate = readCertificate(der);
		if (!this.certificates.some(other => equal(other.der, der)))
			this.certificates.push(certificate);
	}

	/** der is wiped. */
	async takeKey(der, form) {
		const key = await readPrivateKey(der, form).finally(() => wipe(der));
		if (this.key === null) {
			this.key = key;
			return;
		}
		wipe(key.pkcs8);
		if (key.spki === null || this.key.spki === null || !equal(key.spki, this.key.spki))
			throw new FileError('mismatch', 'There are two private keys; give the one that ' +
				'belongs to the certificate.');
	}

	async takeEncryptedKey(der) {
		let plain;
		try {
			plain = await openEncryptedKey(der, this.password);
			await this.takeKey(plain, 'pkcs8');
		} catch (error) {
			/* By chance a wrong password decrypts, to nothing that means a thing. */
			if (error.code === 'damaged' && plain !== undefined)
				throw new FileError('password_wrong', 'The password of the private key is ' +
					'wrong, or the file is damaged.');
			throw error;
		}
	}

	async takePfx(octets) {
		const { certificates, pkcs8 } = await openPfx(octets, this.password);
		if (pkcs8 !== null)
			await this.takeKey(pkcs8, 'pkcs8');
		certificates.forEach(der => this.takeCertificate(der));
	}

	/* ---- PEM ---- */

	async takePem(octets) {
		const { blocks, notes } = readPem(octets);
		notes.forEach(note => this.notes.add(note));
		try {
			for (const block of blocks)
				await this.takeBlock(block);
		} finally {
			for (const block of blocks.filter(b => b.label.endsWith('PRIVATE KEY')))
				wipe(block.der);
		}
	}

	async takeBlock(block) {
		if (CERTIFICATES.includes(block.label))
			/* OpenSSL's own: what it is trusted for follows the certificate. */
			this.takeCertificate(block.label === 'TRUSTED CERTIFICATE'
				? parse(block.der, { trailing: true }).raw : block.der);
		else if (PKCS7.includes(block.label))
			readPkcs7(block.der).forEach(der => this.takeCertificate(der));
		else if (block.label === 'ENCRYPTED PRIVATE KEY')
			await this.takeEncryptedKey(block.der);
		else if (block.label.endsWith('PRIVATE KEY'))
			await this.takeKeyBlock(block);
		else if (block.label !== 'EC PARAMETERS')
			this.notes.add(`Passed over a block "${block.label}", which is not needed.`);
	}

	async takeKeyBlock(block) {
		if (block.headers.some(line => line.includes('ENCRYPTED')))
			throw new FileError('legacy', 'The private key is encrypted as OpenSSL did of old ' +
				'(a DEK-Info line, its key made by MD5), which browsers cannot open. Encrypt ' +
				'it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW');
		if (block.label === 'OPENSSH PRIVATE KEY')
			throw new FileError('unsupported', 'This is a key in OpenSSH\'s own format; on a ' +
				'copy of it run: ssh-keygen -p -m PKCS8 -f FILE');
		if (KEY_FORMS[block.label] === undefined)
			throw new FileError('unsupported', `This is a "${block.label}", of a kind that no ` +
				'token here holds. Use RSA or EC.');
		await this.takeKey(block.der, KEY_FORMS[block.label]);
	}

	/* ---- DER ---- */

	async takeDer(octets) {
		const [first, second] = frontOf(octets);
		if (first?.tag === TAG.OID)
			return readPkcs7(octets).forEach(der => this.takeCertificate(der));
		/* RFC 7292 4: version 3; those of private keys are 0 and 1. */
		if (first?.tag === TAG.INTEGER && first.content[0] === 3)
			return this.takePfx(octets);
		if (first?.tag === TAG.INTEGER)
			return this.takeKey(octets.slice(), keyForm(second));
		if (first?.tag === TAG.SEQUENCE && second?.tag === TAG.OCTET_STRING)
			return this.takeEncryptedKey(octets);
		if (first?.tag === TAG.SEQUENCE)
			return this.takeCertificate(octets.slice());
		throw new FileError('damaged', 'This is neither PEM (there is no "-----BEGIN" line) ' +
			'nor a certificate, PKCS#7, PFX or private key in DER; or the file is damaged.');
	}
}

/** The outer SEQUENCE's first two elements, as far as there are such. */
function frontOf(octets) {
	try {
		const whole = parse(octets, { ber: true });
		return whole.tag === TAG.SEQUENCE ? whole.children() : [];
	} catch {
		return [];
	}
}

function keyForm(second) {
	if (second?.tag === TAG.SEQUENCE)
		return 'pkcs8';
	return second?.tag === TAG.OCTET_STRING ? 'sec1' : 'pkcs1';
}

const isBlank = octets => octets.every(c => c === 0x20 || (c >= 0x09 && c <= 0x0d));

/**
 * @param {Uint8Array[]} parts as given; blank ones are passed over
 * @param {string|null} password of whatever is encrypted in them; null: none yet
 * @returns {Promise<{certificates: import("./x509.js").Certificate[],
 *   key: import("./pkcs8.js").PrivateKey|null, notes: string[]}>}
 *   key.pkcs8 is the caller's to wipe; notes are sentences
 * @throws {FileError}
 */
export async function openBundle(parts, password) {
	const bundle = new Bundle(password);
	const given = parts.filter(part => !isBlank(part));
	if (given.reduce((sum, part) => sum + part.length, 0) > OCTETS_MAX)
		throw new FileError('too_much', 'This is longer than any certificate with its chain ' +
			'(256 KiB).');
	try {
		for (const part of given)
			await (isPem(part) ? bundle.takePem(part) : bundle.takeDer(part));
	} catch (error) {
		wipe(bundle.key?.pkcs8);
		throw error;
	}
	return { certificates: bundle.certificates, key: bundle.key, notes: [...bundle.notes] };
}

/** The one that is served: the key's own, or the one that is no CA's. */
export function leafOf({ certificates, key }) {
	const own = key?.spki == null ? undefined : certificates.find(c => fits(c, key));
	return own ?? certificates.find(c => !c.isCa) ?? certificates[0] ?? null;
}

/** @returns {string} what certd is sent of the certificates: parts.certificate */
export function certificatesPem({ certificates }) {
	return certificates.map(c => writePem('CERTIFICATE', c.der)).join('');
}

/**
 * What certd is sent of a bundle: certificates, and the key for the token alone,
 * whose copy here is overwritten.
 * @param {Awaited<ReturnType<typeof openBundle>>} bundle
 * @param {import("./wrap.js").WrappingKey} wrapping
 */
export async function wrapBundle(bundle, wrapping) {
	const parts = { certificate: certificatesPem(bundle) };
	if (bundle.key === null)
		return { parts };
	const blob = await wrapKey(bundle.key, wrapping);
	return { parts, wrapped_key: { wrapping_key_id: wrapping.id, blob: base64(blob),
		spki: base64(bundle.key.spki) } };
}
