// SPDX-License-Identifier: Apache-2.0
//
// PEM (RFC 7468) as people have it: lax about what surrounds the blocks, which
// is told as notes, and strict about what is in them.  Works on octets, not on
// text, so that a private key is in no string that cannot be overwritten.
// Refuses what could be half of something: a mark that is mangled, a block that
// does not end or ends as another, base64 with a foreign character.

import { FileError } from './file_error.js';

const ascii = text => Uint8Array.from(text, c => c.charCodeAt(0));
const BEGIN = ascii('-----BEGIN ');
const END = ascii('-----END ');
const DASHES = ascii('-----');
const LABEL_MAX = 64;
const BLOCKS_MAX = 64;
const LF = 0x0a;
const CR = 0x0d;

const NOTES = {
	bom: 'Removed a byte order mark.',
	crlf: 'Read lines that end in CR LF.',
	cr: 'Read lines that end in CR alone.',
	blanks: 'Removed blanks around and inside lines.',
	text: 'Ignored text between blocks.',
	noNewline: 'Ended the last line.',
	glued: 'Parted blocks that shared a line.',
};

const isBlank = c => c === 0x20 || c === 0x09 || c === 0x0b || c === 0x0c;
const isNewline = c => c === LF || c === CR;

function refuse(line, sentence) {
	return new FileError('damaged', `Line ${line}: ${sentence}`);
}

/** Where `mark` stands in octets, from `at` on, or -1. */
function find(octets, mark, at, end = octets.length) {
	for (let i = octets.indexOf(mark[0], at); i >= 0 && i + mark.length <= end;
		i = octets.indexOf(mark[0], i + 1))
		if (mark.every((octet, k) => octets[i + k] === octet))
			return i;
	return -1;
}

/** Of these octets, which hold no secret, a text. */
const textOf = (octets, from, to) => String.fromCharCode(...octets.subarray(from, to));

function countLines(octets, from, to) {
	let n = 0;
	for (let i = from; i < to; i++)
		if (octets[i] === LF || (octets[i] === CR && octets[i + 1] !== LF))
			n++;
	return n;
}

const lineOf = (octets, at) => 1 + countLines(octets, 0, at);

function endOfLine(octets, at, end = octets.length) {
	while (at < end && !isNewline(octets[at]))
		at++;
	return at;
}

function nextLine(octets, at, end) {
	at = endOfLine(octets, at, end);
	if (octets[at] === CR && octets[at + 1] === LF)
		return Math.min(at + 2, end);
	return Math.min(at + 1, end);
}

/* ---- what surrounds the blocks ---- */

function noteNewlines(octets, notes) {
	for (let i = octets.indexOf(CR); i >= 0; i = octets.indexOf(CR, i + 1))
		notes.add(octets[i + 1] === LF ? 'crlf' : 'cr');
	if (octets.length > 0 && !isNewline(octets[octets.length - 1]))
		notes.add('noNewline');
}

function checkBetween(octets, from, to, notes) {
	for (const [mark, sentence] of [
		['-BEGIN ', 'there is a BEGIN here that is mangled'],
		['-END ', 'there is an END here without its BEGIN']]) {
		const at = find(octets, ascii(mark), from, to);
		if (at >= 0)
			throw refuse(lineOf(octets, at), `${sentence}; a block begins with ` +
				'"-----BEGIN LABEL-----" and ends with "-----END LABEL-----", ' +
				'the same label and five dashes each.');
	}
	for (let i = from; i < to; i++) {
		if (!isBlank(octets[i]) && !isNewline(octets[i]))
			return notes.add('text');
		if (isBlank(octets[i]))
			notes.add('blanks');
	}
	return notes;
}

/* ---- a block ---- */

/** The label from `at` on, and where its dashes end; null when there is none. */
function takeLabel(octets, at) {
	const end = endOfLine(octets, at);
	const dashes = find(octets, DASHES, at, end);
	const length = dashes - at;
	if (dashes < 0 || length === 0 || length >= LABEL_MAX)
		return null;
	const label = textOf(octets, at, dashes);
	return /^[!-~]([ -~]*[!-~])?$/.test(label) ? { label, to: dashes + DASHES.length } : null;
}

/** RFC 1421 4.4: lines with a colon, then an empty one. */
function splitHeaders(octets, from, to, line) {
	let at = from;
	while (at < to && (isBlank(octets[at]) || isNewline(octets[at])))
		at++;
	if (octets.subarray(at, endOfLine(octets, at, to)).indexOf(0x3a) < 0)
		return { headers: [], body: from };
	const headers = [];
	for (;;) {
		const text = textOf(octets, at, Math.min(endOfLine(octets, at, to), at + 200)).trim();
		if (at >= to)
			throw refuse(line, 'there is no empty line behind the block\'s headers.');
		at = nextLine(octets, at, to);
		if (text === '')
			return { headers, body: at };
		if (headers.length < 8)
			headers.push(text);
	}
}

const DIGITS = new Int8Array(256).fill(-1);
ascii('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
	.forEach((c, i) => { DIGITS[c] = i; });

/** Base64 (RFC 4648 4), blanks allowed, padding and zero bits as they must be. */
function decode(octets, from, to, block, notes) {
	const cut = () => refuse(block.line, `the block "${block.label}" is cut short or ` +
		'damaged; copy it whole, from BEGIN to END.');
	const out = new Uint8Array(Math.ceil((to - from) / 4) * 3);
	let length = 0, held = 0, n = 0, pads = 0;
	for (let i = from; i < to; i++) {
		const c = octets[i];
		if (isBlank(c))
			notes.add('blanks');
		if (isBlank(c) || isNewline(c))
			continue;
		if (c === 0x3d) {
			pads++;
			continue;
		}
		if (DIGITS[c] < 0)
			throw refuse(lineOf(octets, i), `the block "${block.label}" holds a character ` +
				'that is not base64; copy it whole and unchanged.');
		if (pads > 0)
			throw cut();
		held = (held << 6 | DIGITS[c]) & 0xffffff;
		if (++n % 4 === 0) {
			out[length++] = held >> 16;
			out[length++] = held >> 8;
			out[length++] = held;
		}
	}
	const left = n % 4;
	if (n === 0 || left === 1 || pads !== (4 - left) % 4 ||
		(left === 2 && (held & 0xf) !== 0) || (left === 3 && (held & 0x3) !== 0))
		throw cut();
	if (left === 2)
		out[length++] = held >> 4;
	if (left === 3) {
		out[length++] = held >> 10;
		out[length++] = held >> 2;
	}
	/* The buffer is only longer than what is in it, and goes with it. */
	return out.subarray(0, length);
}

function takeBlock(octets, begin, notes) {
	const line = lineOf(octets, begin);
	const head = takeLabel(octets, begin + BEGIN.length);
	if (head === null)
		throw refuse(line, 'this BEGIN has no label, or not five dashes behind it.');
	const end = find(octets, END, head.to);
	const next = find(octets, BEGIN, head.to);
	if (end < 0 || (next >= 0 && next < end))
		throw refuse(line, `the block "${head.label}" that begins here does not end; ` +
			'copy it whole, from BEGIN to END.');
	const tail = takeLabel(octets, end + END.length);
	if (tail === null || tail.label !== head.label)
		throw refuse(line, `the block "${head.label}" does not end with ` +
			`"-----END ${head.label}-----".`);
	const { headers, body } = splitHeaders(octets, head.to, end, line);
	const block = { label: head.label, headers, line, der: null };
	block.der = decode(octets, body, end, block, notes);
	return { block, to: tail.to };
}

/** Is there a BEGIN line somewhere? */
export function isPem(octets) {
	return find(octets, ascii('-BEGIN '), 0) >= 0 || isUtf16(octets);
}

function isUtf16(octets) {
	return octets.length >= 2 &&
		((octets[0] === 0xff && octets[1] === 0xfe) || (octets[0] === 0xfe && octets[1] === 0xff));
}

/**
 * @typedef {{label: string, headers: string[], line: number, der: Uint8Array}} PemBlock
 * @param {Uint8Array} octets
 * @returns {{blocks: PemBlock[], notes: string[]}} der is the caller's to wipe
 */
export function readPem(octets) {
	if (isUtf16(octets))
		throw new FileError('damaged',
			'The text is in UTF-16; save it as UTF-8 or as plain text.');
	const notes = new Set();
	const blocks = [];
	let at = 0;
	if (octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf) {
		notes.add('bom');
		at = 3;
	}
	noteNewlines(octets, notes);
	for (;;) {
		const begin = find(octets, BEGIN, at);
		const to = begin < 0 ? octets.length : begin;
		checkBetween(octets, at, to, notes);
		if (begin < 0)
			break;
		if (begin > at && octets[begin - 1] === DASHES[0])
			throw refuse(lineOf(octets, begin), 'this BEGIN has more than five dashes in front.');
		if (blocks.length > 0 && countLines(octets, at, begin) === 0)
			notes.add('glued');
		if (blocks.length === BLOCKS_MAX)
			throw new FileError('too_much', 'There are more than 64 blocks in this text; ' +
				'give one certificate, with its own chain.');
		const taken = takeBlock(octets, begin, notes);
		blocks.push(taken.block);
		at = taken.to;
	}
	return { blocks, notes: Object.keys(NOTES).filter(n => notes.has(n)).map(n => NOTES[n]) };
}

/** @returns {string} base64 with padding, without line breaks */
export function base64(octets) {
	let text = '';
	for (let i = 0; i < octets.length; i += 0x3000)
		text += btoa(textOf(octets, i, i + 0x3000));
	return text;
}

/** @param {string} text @returns {Uint8Array} what certd sent */
export function fromBase64(text) {
	try {
		return Uint8Array.from(atob(text), c => c.charCodeAt(0));
	} catch {
		throw new FileError('damaged', 'The answer of certd is damaged: it is not base64.');
	}
}

/** @returns {string} a block whose last line ends */
export function writePem(label, der) {
	const lines = base64(der).match(/.{1,64}/g) ?? [];
	return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
