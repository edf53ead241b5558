// SPDX-License-Identifier: Apache-2.0
//
// Proofs of the audit ledger, verified here with the browser's own
// cryptography: that an entry is the leaf of that number in a tree (RFC 6962,
// 2.1), and that the tree's checkpoint is signed (C2SP tlog-proof,
// tlog-checkpoint, signed-note; Ed25519). What does not hold is refused with a
// sentence. Nothing here asks certd, and nothing needs a page.

const PROOF_HEAD = 'c2sp.org/tlog-proof@v1';
const HASH_LEN = 32;
const PATH_MAX = 63;
const ED25519 = 1;
const SIGNATURE_LEN = 64;

/** A proof that does not hold, or is not one. code: 'malformed', 'broken', 'unsupported' */
export class ProofError extends Error {
	constructor(code, message) {
		super(message);
		this.name = 'ProofError';
		this.code = code;
	}
}

const malformed = what => new ProofError('malformed', `${what} is not well formed, or was damaged on its way.`);
const utf8 = text => new TextEncoder().encode(text);

/* ---- octets ---- */

/** Strict base64: one text for each run of octets. @param {string} text @param {number} [length] @returns {Uint8Array} */
export function fromBase64(text, length) {
	let octets;
	try {
		octets = Uint8Array.from(atob(text), each => each.charCodeAt(0));
	} catch {
		throw malformed('A base64 text');
	}
	if (toBase64(octets) !== text || (length !== undefined && octets.length !== length))
		throw malformed('A base64 text');
	return octets;
}

/** @param {Uint8Array} octets */
export function toBase64(octets) {
	return btoa(Array.from(octets, each => String.fromCharCode(each)).join(''));
}

/** @param {Uint8Array} octets */
export function toHex(octets) {
	return Array.from(octets, each => each.toString(16).padStart(2, '0')).join('');
}

const equal = (a, b) => a.length === b.length && a.every((octet, i) => octet === b[i]);

async function sha256(...parts) {
	const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

function decimal(text, what) {
	if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(Number(text)))
		throw malformed(what);
	return Number(text);
}

/* ---- the tree ---- */

/** The hash of an entry's octets. @param {Uint8Array} entry */
export function leafHash(entry) {
	return sha256(Uint8Array.of(0), entry);
}

/** The hash over two others. */
export function nodeHash(left, right) {
	return sha256(Uint8Array.of(1), left, right);
}

/**
 * From a leaf to the root, RFC 9162, 2.1.3.2.
 * @param {Uint8Array} leaf its hash @param {number} index @param {number} size of the tree @param {Uint8Array[]} path
 * @returns {Promise<{root: Uint8Array, steps: {side: 'left'|'right', with: Uint8Array, hash: Uint8Array}[]}>} side: where the
 *   path's hash stands
 */
export async function climb(leaf, index, size, path) {
	if (index >= size)
		throw new ProofError('broken', `Entry ${index} is not in a ledger of ${size}.`);
	const steps = [];
	let hash = leaf;
	let at = index;
	let last = size - 1;
	for (const other of path) {
		if (last === 0)
			throw new ProofError('broken', 'The path is longer than the tree is high.');
		const is_right = at % 2 === 1 || at === last;
		hash = is_right ? await nodeHash(other, hash) : await nodeHash(hash, other);
		steps.push({ side: is_right ? 'left' : 'right', with: other, hash });
		/* The last one of a level with an odd number climbs alone. */
		while (is_right && at % 2 === 0 && at !== 0) {
			at = Math.floor(at / 2);
			last = Math.floor(last / 2);
		}
		at = Math.floor(at / 2);
		last = Math.floor(last / 2);
	}
	if (last !== 0)
		throw new ProofError('broken', 'The path ends below the root.');
	return { root: hash, steps };
}

/* ---- what is written ---- */

/** @param {Uint8Array} octets a C2SP tlog-proof @returns {{index: number, path: Uint8Array[], note: string}} */
export function parseProof(octets) {
	const text = decodeText(octets, 'The proof');
	const lines = text.split('\n');
	if (lines.shift() !== PROOF_HEAD)
		throw malformed('The proof');
	if (lines[0]?.startsWith('extra '))
		fromBase64(lines.shift().slice('extra '.length));
	const [, index] = /^index (\S+)$/.exec(lines.shift() || '') || [];
	const end = lines.indexOf('');
	if (index === undefined || end < 0 || end > PATH_MAX)
		throw malformed('The proof');
	return { index: decimal(index, 'The proof'), path: lines.slice(0, end).map(each => fromBase64(each, HASH_LEN)), note: lines.slice(end + 1).join('\n') };
}

function decodeText(octets, what) {
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
	} catch {
		throw malformed(what);
	}
}

/** @param {string} note a signed note @returns {{text: string, signatures: {name: string, hash: string, signature: Uint8Array}[]}} */
export function parseNote(note) {
	const at = note.lastIndexOf('\n\n');
	if (at < 0 || !note.endsWith('\n') || /[\0-\x09\x0b-\x1f]/.test(note))
		throw malformed('The signed note');
	const lines = note.slice(at + 2, -1).split('\n');
	const signatures = lines.map(line => {
		const [, name, base64] = /^— ([^ +]+) (\S+)$/.exec(line) || [];
		const octets = name ? fromBase64(base64) : new Uint8Array();
		if (octets.length <= 4)
			throw malformed('The signed note');
		return { name, hash: toHex(octets.subarray(0, 4)), signature: octets.subarray(4) };
	});
	return { text: note.slice(0, at + 1), signatures };
}

/** @param {string} text of a checkpoint's note @returns {{origin: string, size: number, root: Uint8Array}} */
export function parseCheckpoint(text) {
	const [origin, size, root, ...rest] = text.split('\n');
	if (!origin || !size || !root || rest.at(-1) !== '')
		throw malformed('The checkpoint');
	return { origin, size: decimal(size, 'The checkpoint'), root: fromBase64(root, HASH_LEN) };
}

/** @param {string} text a verifier key, NAME+HASH+BASE64 @returns {Promise<{name: string, hash: string, octets: Uint8Array}>} */
export async function parseKey(text) {
	const [, name, hash, base64] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) || [];
	const octets = name ? fromBase64(base64) : new Uint8Array();
	if (octets.length !== 33 || octets[0] !== ED25519)
		throw new ProofError('malformed', 'The ledger\'s key is not one of Ed25519, or is damaged.');
	const expected = await sha256(utf8(`${name}\n`), octets);
	if (toHex(expected.subarray(0, 4)) !== hash)
		throw new ProofError('malformed', 'The hash in the ledger\'s key is not that of its name and key: it is damaged.');
	return { name, hash, octets: octets.subarray(1) };
}

/* ---- signatures ---- */

async function importKey(octets) {
	try {
		return await crypto.subtle.importKey('raw', octets, { name: 'Ed25519' }, false, ['verify']);
	} catch {
		throw new ProofError('unsupported', 'This browser cannot verify Ed25519 signatures. Use a newer one, or verify by the command line.');
	}
}

/**
 * Every line by that key must hold, and one must be there.
 * @param {{text: string, signatures: Object[]}} note of parseNote() @param {string} verifier_key
 * @returns {Promise<{name: string, hash: string, others: number}>} others: lines by other keys, as those of witnesses
 */
export async function verifyNote(note, verifier_key) {
	const key = await parseKey(verifier_key);
	const own = note.signatures.filter(each => each.name === key.name && each.hash === key.hash);
	if (!own.length)
		throw new ProofError('broken', 'It is not signed by the ledger\'s key.');
	const public_key = await importKey(key.octets);
	for (const each of own) {
		const holds = each.signature.length === SIGNATURE_LEN && await crypto.subtle.verify('Ed25519', public_key, each.signature, utf8(note.text));
		if (!holds)
			throw new ProofError('broken', 'Its signature does not hold: what was signed is not what stands here.');
	}
	return { name: key.name, hash: key.hash, others: note.signatures.length - own.length };
}

/**
 * A whole checkpoint.
 * @param {string} note @param {string} verifier_key
 * @returns {Promise<{origin: string, size: number, root: Uint8Array, key_hash: string, others: number}>}
 */
export async function verifyCheckpoint(note, verifier_key) {
	const parsed = parseNote(note);
	const signer = await verifyNote(parsed, verifier_key);
	const checkpoint = parseCheckpoint(parsed.text);
	if (checkpoint.origin !== signer.name)
		throw new ProofError('broken', 'The checkpoint is of another ledger than the key.');
	return { ...checkpoint, key_hash: signer.hash, others: signer.others };
}

/**
 * Step by step, for people: each step is told when it is done, the first that fails ends it.
 * @param {{proof: Uint8Array, entry: Uint8Array, number: number, verifier_key: string}} given
 * @param {function({name: 'leaf'|'path'|'root'|'checkpoint', data: Object}): void} done
 */
export async function verifyStepwise(given, done) {
	const proof = parseProof(given.proof);
	if (proof.index !== given.number)
		throw new ProofError('broken', `This is a proof of entry ${proof.index}, not of entry ${given.number}.`);
	const leaf = await leafHash(given.entry);
	done({ name: 'leaf', data: { hash: leaf, octets: given.entry.length } });
	const claimed = parseCheckpoint(parseNote(proof.note).text);
	const { root, steps } = await climb(leaf, proof.index, claimed.size, proof.path);
	done({ name: 'path', data: { steps, size: claimed.size } });
	if (!equal(root, claimed.root))
		throw new ProofError('broken', 'The path leads to another root: this entry is not in the tree, or was altered.');
	done({ name: 'root', data: { root } });
	const checkpoint = await verifyCheckpoint(proof.note, given.verifier_key);
	done({ name: 'checkpoint', data: { checkpoint, note: proof.note } });
	return checkpoint;
}

/**
 * A key's dossier: its signature is a note over the ledger's name and its SHA-256, by the ledger's key.
 * @param {Uint8Array} dossier @param {Uint8Array} signature @param {string} verifier_key
 */
export async function verifyDossier(dossier, signature, verifier_key) {
	const note = parseNote(decodeText(signature, 'The signature'));
	const { name } = await verifyNote(note, verifier_key);
	if (note.text !== `${name}/dossier\nsha256\n${toBase64(await sha256(dossier))}\n`)
		throw new ProofError('broken', 'The signature is not one of this dossier: one of the two was altered.');
}
