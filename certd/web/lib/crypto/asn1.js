// SPDX-License-Identifier: Apache-2.0
//
// DER (X.690), read strictly and written.  Elements borrow the octets that they
// are read from.  With `ber` it also takes what PFX and PKCS#7 files of other
// makers have: lengths that are indefinite or longer than they must be, and
// OCTET STRINGs in pieces.  Depth is bounded, so that no file is a trap.

import { FileError } from './file_error.js';

export const TAG = Object.freeze({
	BOOLEAN: 0x01, INTEGER: 0x02, BIT_STRING: 0x03, OCTET_STRING: 0x04, NULL: 0x05,
	OID: 0x06, UTF8: 0x0c, NUMERIC: 0x12, PRINTABLE: 0x13, T61: 0x14, IA5: 0x16,
	UTC_TIME: 0x17, GENERALIZED_TIME: 0x18, VISIBLE: 0x1a, UNIVERSAL: 0x1c, BMP: 0x1e,
	SEQUENCE: 0x30, SET: 0x31,
});
/** Of a context-specific element. */
export const context = (n, constructed = true) => 0x80 | (constructed ? 0x20 : 0) | n;

const CONSTRUCTED = 0x20;
const DEPTH_MAX = 24;

function damaged() {
	return new FileError('damaged', 'The file is damaged or cut short: ' +
		'what stands in it is not as such files are built.');
}

/* ---- reading ---- */

/** The head at `at`: tag, where the content begins and ends; to is -1 while unknown. */
function readHead(octets, at, end, ber) {
	if (end - at < 2)
		throw damaged();
	const tag = octets[at];
	if ((tag & 0x1f) === 0x1f || tag === 0)
		throw damaged();
	const first = octets[at + 1];
	if (first < 0x80)
		return { tag, from: at + 2, to: at + 2 + first };
	if (first === 0x80) {
		if (!ber || (tag & CONSTRUCTED) === 0)
			throw damaged();
		return { tag, from: at + 2, to: -1 };
	}
	const n = first & 0x7f;
	if (n > 4 || end - at < 2 + n)
		throw damaged();
	let length = 0;
	for (let i = 0; i < n; i++)
		length = length * 256 + octets[at + 2 + i];
	if (!ber && (length < 0x80 || octets[at + 2] === 0))
		throw damaged();
	return { tag, from: at + 2 + n, to: at + 2 + n + length };
}

const isEnd = (octets, at, end) => end - at >= 2 && octets[at] === 0 && octets[at + 1] === 0;

/** Where an indefinite content that begins at `at` ends. */
function findEnd(octets, at, end, depth) {
	while (!isEnd(octets, at, end))
		at = readElement(octets, at, end, true, depth).end;
	return at;
}

function readElement(octets, at, end, ber, depth) {
	if (depth > DEPTH_MAX)
		throw damaged();
	const head = readHead(octets, at, end, ber);
	let after = head.to;
	if (head.to === -1) {
		head.to = findEnd(octets, head.from, end, depth + 1);
		after = head.to + 2;
	}
	if (after > end)
		throw damaged();
	return new Element(octets, head, at, after, ber, depth);
}

export class Element {
	#octets;
	#ber;
	#depth;

	constructor(octets, head, begin, end, ber, depth) {
		[this.#octets, this.#ber, this.#depth] = [octets, ber, depth];
		/** @type {number} */
		this.tag = head.tag;
		/** What is in it. @type {Uint8Array} */
		this.content = octets.subarray(head.from, head.to);
		/** Head and content. @type {Uint8Array} */
		this.raw = octets.subarray(begin, end);
		this.begin = begin;
		this.end = end;
		this.from = head.from;
		this.to = head.to;
	}

	/** This very tag, or the file is damaged. */
	expect(tag) {
		if (this.tag === tag)
			return this;
		throw damaged();
	}

	/** @returns {Element[]} */
	children() {
		if ((this.tag & CONSTRUCTED) === 0)
			throw damaged();
		const found = [];
		for (let at = this.from; at < this.to;) {
			const child = readElement(this.#octets, at, this.to, this.#ber, this.#depth + 1);
			found.push(child);
			at = child.end;
		}
		return found;
	}

	/** The one child that it has, no more and no less. */
	only() {
		const [child, ...others] = this.children();
		if (child === undefined || others.length > 0)
			throw damaged();
		return child;
	}

	/** The children of a SEQUENCE (or of that tag), one after the other. */
	fields(tag = TAG.SEQUENCE) {
		return new Fields(this.expect(tag).children());
	}

	/** An OCTET STRING's octets; of one in pieces, a copy. `tag` where it is implicit. */
	octetString(tag = TAG.OCTET_STRING) {
		if (this.tag === tag)
			return this.content;
		if (!this.#ber || this.tag !== (tag | CONSTRUCTED))
			throw damaged();
		return concat(...this.children().map(piece => piece.octetString()));
	}

	/** A BIT STRING of whole octets. */
	bitString() {
		if (this.tag !== TAG.BIT_STRING || this.content.length === 0 || this.content[0] !== 0)
			throw damaged();
		return this.content.subarray(1);
	}

	/** An INTEGER that is not negative, without leading zeros (but for 0 itself: empty). */
	unsigned() {
		const c = this.content;
		if (this.tag !== TAG.INTEGER || c.length === 0 || c[0] > 0x7f)
			throw damaged();
		if (!this.#ber && c.length > 1 && c[0] === 0 && c[1] < 0x80)
			throw damaged();
		let at = 0;
		while (at < c.length && c[at] === 0)
			at++;
		return c.subarray(at);
	}

	/** An INTEGER from 0 to 2^31-1; what is more is 2^31-1. */
	count() {
		const n = this.unsigned().reduce((sum, digit) => sum * 256 + digit, 0);
		return Math.min(n, 0x7fffffff);
	}

	/** "1.2.840.113549.1.1.1" */
	oid() {
		if (this.tag !== TAG.OID || this.content.length === 0 || this.content.length > 64)
			throw damaged();
		return oidText(this.content);
	}
}

function oidText(content) {
	const arcs = [];
	let value = 0;
	let isFresh = true;
	for (const octet of content) {
		if ((isFresh && octet === 0x80) || value > 2 ** 40)
			throw damaged();
		value = value * 128 + (octet & 0x7f);
		isFresh = octet < 0x80;
		if (!isFresh)
			continue;
		if (arcs.length === 0) {
			arcs.push(Math.min(Math.floor(value / 40), 2));
			value -= arcs[0] * 40;
		}
		arcs.push(value);
		value = 0;
	}
	if (!isFresh)
		throw damaged();
	return arcs.join('.');
}

/** Elements that are taken in turn. */
export class Fields {
	#left;

	constructor(elements) {
		this.#left = elements;
	}

	/** The next one, whatever it is. @returns {Element} */
	any() {
		const next = this.#left.shift();
		if (next === undefined)
			throw damaged();
		return next;
	}

	/** The next one, of this tag. @returns {Element} */
	take(tag) {
		return this.any().expect(tag);
	}

	/** The next one if it is of this tag, else null. @returns {Element|null} */
	maybe(tag) {
		return this.#left[0]?.tag === tag ? this.#left.shift() : null;
	}

	/** Nothing more may follow. */
	end() {
		if (this.#left.length > 0)
			throw damaged();
	}

	/** Those that are left. @returns {Element[]} */
	rest() {
		return this.#left.splice(0);
	}
}

/**
 * The one element that these octets are.
 * @param {Uint8Array} octets
 * @param {{ber?: boolean, trailing?: boolean}} [how] trailing: more may follow it
 * @returns {Element}
 */
export function parse(octets, { ber = false, trailing = false } = {}) {
	const element = readElement(octets, 0, octets.length, ber, 0);
	if (!trailing && element.end !== octets.length)
		throw damaged();
	return element;
}

/* ---- writing ---- */

/** @param {...Uint8Array} parts */
export function concat(...parts) {
	const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

function lengthOctets(length) {
	if (length < 0x80)
		return Uint8Array.of(length);
	const digits = [];
	for (let left = length; left > 0; left = Math.floor(left / 256))
		digits.unshift(left % 256);
	return Uint8Array.of(0x80 | digits.length, ...digits);
}

/** An element of these parts, in one buffer, so that a caller can wipe it. */
export function write(tag, ...parts) {
	const length = parts.reduce((sum, part) => sum + part.length, 0);
	return concat(Uint8Array.of(tag), lengthOctets(length), ...parts);
}

/** An INTEGER of unsigned octets, or of a small number. */
export function writeUnsigned(value) {
	const octets = typeof value === 'number' ? Uint8Array.of(value) : value;
	const pad = octets.length === 0 || octets[0] > 0x7f ? [0] : [];
	return write(TAG.INTEGER, Uint8Array.from(pad), octets);
}

export function writeOid(text) {
	const [first, second, ...rest] = text.split('.').map(Number);
	const octets = [];
	for (const arc of [first * 40 + second, ...rest]) {
		const digits = [arc % 128];
		for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
			digits.unshift(0x80 | left % 128);
		octets.push(...digits);
	}
	return write(TAG.OID, Uint8Array.from(octets));
}

export const writeBitString = octets => write(TAG.BIT_STRING, Uint8Array.of(0), octets);

/** The same octets? Not for secrets: it stops at the first difference. */
export const equal = (a, b) => a.length === b.length && a.every((octet, i) => octet === b[i]);
