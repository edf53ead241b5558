// SPDX-License-Identifier: Apache-2.0
//
// What a person has given so far, each thing an item: certificates that were
// read, a private key that is wrapped by now, or what stands in the way. A key
// in the clear lives here from its file to its wrapping, and no longer.

import { leafOf, openBundle } from '../crypto/bundle.js';
import { equal } from '../crypto/asn1.js';
import { FileError, wipe } from '../crypto/file_error.js';
import { base64, writePem } from '../crypto/pem.js';
import { wrapKey } from '../crypto/wrap.js';
import { fingerprint } from '../crypto/x509.js';

/**
 * @typedef {Object} Item
 * @property {string} name of the file, or 'Pasted text'
 * @property {(import('../crypto/x509.js').Certificate & {keyId: string})[]} certificates
 * @property {?{kind: string, spki: Uint8Array, id: string, wrapped: Object}} key id: as certd has it; wrapped: as Upload takes it
 * @property {string[]} notes
 * @property {?Error} problem why it cannot be used, or not yet
 * @property {?Uint8Array} locked its octets, while they can only be opened otherwise
 * @property {?{data: string, passphrase: string}} exposed to be sent as it is
 */

/** @param {string} name @returns {Item} */
export const newItem = name => ({ name, certificates: [], key: null, notes: [], problem: null, locked: null, exposed: null });

/* wrapping: null where no private key is wanted. */
async function takeKey(item, key, wrapping) {
	if (!wrapping) {
		wipe(key.pkcs8);
		item.notes.push('The private key in it is not needed here: it was left out.');
		return;
	}
	const to = await wrapping().catch(error => { wipe(key.pkcs8); throw error; });
	const blob = await wrapKey(key, to);
	item.key = { kind: key.kind, spki: key.spki, id: await fingerprint(key.spki),
		wrapped: { wrapping_key_id: to.id, blob: base64(blob), spki: base64(key.spki) } };
}

/**
 * Reads what is in octets, which are overwritten unless they are kept for a password.
 * @param {string} name @param {Uint8Array} octets @param {?string} password
 * @param {?function(): Promise<import('../crypto/wrap.js').WrappingKey>} wrapping
 * @returns {Promise<Item>}
 */
export async function readItem(name, octets, password, wrapping) {
	const item = newItem(name);
	try {
		const bundle = await openBundle([octets], password);
		const ids = await Promise.all(bundle.certificates.map(each => fingerprint(each.spki)));
		Object.assign(item, { certificates: bundle.certificates.map((each, i) => ({ ...each, keyId: ids[i] })), notes: bundle.notes });
		if (bundle.key)
			await takeKey(item, bundle.key, wrapping);
		if (!bundle.certificates.length && !bundle.key)
			throw new FileError('damaged', 'There is nothing in it: neither a certificate nor a private key.');
	} catch (problem) {
		Object.assign(item, newItem(name), { problem });
	}
	if (['password_needed', 'password_wrong', 'legacy'].includes(item.problem?.code))
		item.locked = octets;
	else
		wipe(octets);
	return item;
}

/** All items together. */
export class Reading {
	/** @type {Item[]} */
	items = [];

	/** Each certificate once, in the order given. */
	get certificates() {
		const found = [];
		for (const each of this.items.flatMap(item => item.certificates))
			if (!found.some(other => equal(other.der, each.der)))
				found.push(each);
		return found;
	}

	get key() {
		return this.items.find(item => item.key)?.key || null;
	}

	get exposed() {
		return this.items.find(item => item.exposed)?.exposed || null;
	}

	get notes() {
		return [...new Set(this.items.flatMap(item => item.notes))];
	}

	/** The one that is to be served, as far as can be told. */
	get leaf() {
		return leafOf({ certificates: this.certificates, key: this.key });
	}

	/** Why this cannot be sent yet: a sentence, or ''. */
	get obstacle() {
		const keys = this.items.filter(item => item.key).map(item => item.key);
		if (keys.some(key => !equal(key.spki, keys[0].spki)))
			return 'There are two private keys. Remove the one that does not belong to the certificate.';
		if (this.items.some(item => item.problem))
			return 'One of the files cannot be used as it is. See what it says, or remove it.';
		if (!this.certificates.length && !this.exposed)
			return this.key ? 'The certificate is still missing.' : 'Give a certificate first.';
		return '';
	}

	/** What Upload and Attach take of it: certificates written anew, and the wrapped key. */
	body() {
		const parts = { certificate: this.certificates.map(each => writePem('CERTIFICATE', each.der)).join('') };
		if (this.exposed)
			return { parts: { ...parts, data: this.exposed.data }, passphrase: this.exposed.passphrase };
		return this.key ? { parts, wrapped_key: this.key.wrapped } : { parts };
	}

	/** Keys are wrapped for one network: without it they must be given again. @returns {boolean} there were some */
	dropKeys() {
		const kept = this.items.filter(item => !item.key);
		const had = kept.length !== this.items.length;
		this.items = kept;
		return had;
	}
}
