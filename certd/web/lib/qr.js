// SPDX-License-Identifier: Apache-2.0
//
// QR codes (ISO/IEC 18004), for the secret of a second factor: octets only,
// error correction M, versions 1 to 10, which is up to 213 octets. What is
// longer gets none, and is typed instead.

import { svg } from './dom.js';

const EC_LENGTH = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5];
const CODEWORDS = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346];
const ALIGNMENT = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];
const QUIET = 4;

const MASKS = [
	(x, y) => (x + y) % 2, (x, y) => y % 2, x => x % 3, (x, y) => (x + y) % 3,
	(x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2, (x, y) => x * y % 2 + x * y % 3,
	(x, y) => (x * y % 2 + x * y % 3) % 2, (x, y) => ((x + y) % 2 + x * y % 3) % 2,
];

/* GF(256) by x^8 + x^4 + x^3 + x^2 + 1. */
function times(a, b) {
	let product = 0;
	for (let bit = 7; bit >= 0; bit--) {
		product = (product << 1) ^ ((product >> 7) * 0x11d);
		product ^= ((b >> bit) & 1) * a;
	}
	return product;
}

function generator(length) {
	const result = new Uint8Array(length);
	result[length - 1] = 1;
	for (let i = 0, root = 1; i < length; i++, root = times(root, 2)) {
		for (let j = 0; j < length; j++)
			result[j] = times(result[j], root) ^ (result[j + 1] || 0);
	}
	return result;
}

function remainder(data, divisor) {
	const result = Array.from(divisor, () => 0);
	for (const each of data) {
		const factor = each ^ result.shift();
		result.push(0);
		divisor.forEach((value, i) => { result[i] ^= times(value, factor); });
	}
	return result;
}

function dataOf(octets, version, length) {
	const bits = [];
	const put = (value, n) => {
		for (let i = n - 1; i >= 0; i--)
			bits.push((value >> i) & 1);
	};
	put(4, 4);
	put(octets.length, version < 10 ? 8 : 16);
	octets.forEach(each => put(each, 8));
	put(0, Math.min(4, length * 8 - bits.length));
	put(0, (8 - bits.length % 8) % 8);
	const words = [];
	for (let i = 0; i < bits.length; i += 8)
		words.push(parseInt(bits.slice(i, i + 8).join(''), 2));
	for (let pad = 0xec; words.length < length; pad ^= 0xec ^ 0x11)
		words.push(pad);
	return words;
}

/* In blocks, each with its own correction, column by column. */
function interleave(words, version) {
	const n = BLOCKS[version - 1];
	const divisor = generator(EC_LENGTH[version - 1]);
	const short = Math.floor(words.length / n);
	const n_long = words.length % n;
	const blocks = [];
	for (let i = 0, at = 0; i < n; i++) {
		const length = short + (i < n - n_long ? 0 : 1);
		blocks.push(words.slice(at, at + length));
		at += length;
	}
	const corrections = blocks.map(block => remainder(block, divisor));
	const columns = list => Array.from({ length: Math.max(...list.map(each => each.length)) }, (_, i) =>
		list.map(each => each[i]).filter(each => each !== undefined)).flat();
	return [...columns(blocks), ...columns(corrections)];
}

function emptyGrid(size) {
	return Array.from({ length: size }, () => new Array(size).fill(null));
}

function drawFixed(grid, version) {
	const size = grid.length;
	const put = (x, y, dark) => {
		if (x >= 0 && y >= 0 && x < size && y < size)
			grid[y][x] = dark;
	};
	for (let i = 0; i < size; i++) {
		put(6, i, i % 2 === 0);
		put(i, 6, i % 2 === 0);
	}
	for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]])
		square(4, (dx, dy, far) => put(cx + dx, cy + dy, far !== 2 && far !== 4));
	const places = ALIGNMENT[version - 1];
	const last = places.length - 1;
	places.forEach((cx, i) => places.forEach((cy, j) => {
		if (!(i === 0 && j === 0) && !(i === 0 && j === last) && !(i === last && j === 0))
			square(2, (dx, dy, far) => put(cx + dx, cy + dy, far !== 1));
	}));
	drawFormat(grid, 0);
	if (version >= 7)
		drawVersion(grid, version);
}

function square(reach, run) {
	for (let dy = -reach; dy <= reach; dy++) {
		for (let dx = -reach; dx <= reach; dx++)
			run(dx, dy, Math.max(Math.abs(dx), Math.abs(dy)));
	}
}

function bch(value, bits, polynomial) {
	let rest = value;
	for (let i = 0; i < bits; i++)
		rest = (rest << 1) ^ ((rest >> (bits - 1)) * polynomial);
	return value << bits | rest;
}

/* Level M is 00. */
function drawFormat(grid, mask) {
	const size = grid.length;
	const bits = bch(mask, 10, 0x537) ^ 0x5412;
	for (let i = 0; i < 15; i++) {
		const dark = (bits >> i & 1) === 1;
		const near = i < 6 ? i : i < 8 ? i + 1 : 0;
		if (i < 8)
			grid[near][8] = dark;
		else
			grid[8][i === 8 ? 7 : 14 - i] = dark;
		if (i < 8)
			grid[8][size - 1 - i] = dark;
		else
			grid[size - 15 + i][8] = dark;
	}
	grid[size - 8][8] = true;
}

function drawVersion(grid, version) {
	const size = grid.length;
	const bits = bch(version, 12, 0x1f25);
	for (let i = 0; i < 18; i++) {
		const dark = (bits >> i & 1) === 1;
		const a = size - 11 + i % 3;
		const b = Math.floor(i / 3);
		grid[b][a] = dark;
		grid[a][b] = dark;
	}
}

/* Upwards and downwards in pairs of columns, from the right. */
function drawData(grid, fixed, words, mask) {
	const size = grid.length;
	let at = 0;
	for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
		if (right === 6)
			right = 5;
		for (let i = 0; i < size; i++) {
			const y = up ? size - 1 - i : i;
			for (const x of [right, right - 1]) {
				if (fixed[y][x] !== null)
					continue;
				const bit = (words[at >> 3] >> (7 - (at & 7))) & 1;
				at += 1;
				grid[y][x] = Boolean(bit) !== (MASKS[mask](x, y) === 0);
			}
		}
	}
}

/* How hard it is to read; ISO/IEC 18004 7.8.3. */
function penalty(grid) {
	const rows = grid.map(row => row.map(Number).join(''));
	const columns = rows.map((_, x) => rows.map(row => row[x]).join(''));
	let sum = 0;
	for (const line of [...rows, ...columns]) {
		for (const [run] of line.matchAll(/0{5,}|1{5,}/g))
			sum += run.length - 2;
		sum += 40 * [...line.matchAll(/(?=10111010000|00001011101)/g)].length;
	}
	for (let y = 1; y < rows.length; y++) {
		for (let x = 1; x < rows.length; x++)
			sum += new Set([rows[y][x], rows[y][x - 1], rows[y - 1][x], rows[y - 1][x - 1]]).size === 1 ? 3 : 0;
	}
	const dark = rows.join('').replaceAll('0', '').length / rows.length ** 2;
	return sum + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}

/** @param {string} text @returns {?boolean[][]} rows, true is dark; null: too long */
export function qrMatrix(text) {
	const octets = new TextEncoder().encode(text);
	const version = CODEWORDS.findIndex((total, i) =>
		total - EC_LENGTH[i] * BLOCKS[i] >= octets.length + (i < 9 ? 2 : 3)) + 1;
	if (version === 0)
		return null;
	const length = CODEWORDS[version - 1] - EC_LENGTH[version - 1] * BLOCKS[version - 1];
	const words = interleave(dataOf(octets, version, length), version);
	const fixed = emptyGrid(17 + 4 * version);
	drawFixed(fixed, version);
	const drawings = MASKS.map((_, mask) => {
		const grid = fixed.map(row => [...row]);
		drawData(grid, fixed, words, mask);
		drawFormat(grid, mask);
		return grid;
	});
	const costs = drawings.map(penalty);
	return drawings[costs.indexOf(Math.min(...costs))];
}

/** The code as a drawing, always dark on light. @param {string} text @param {string} label @returns {?SVGElement} null: too long */
export function qrCode(text, label) {
	const grid = qrMatrix(text);
	if (!grid)
		return null;
	const size = grid.length + 2 * QUIET;
	const d = grid.flatMap((row, y) => row.map((dark, x) => dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : '')).join('');
	return svg('svg.qr', { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges' },
		svg('rect', { width: size, height: size, fill: '#fff' }), svg('path', { d, fill: '#000' }));
}
