// SPDX-License-Identifier: Apache-2.0
//
// The console's QR codes, read by another program: zbarimg.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { qrMatrix } from '../../certd/web/lib/qr.js';

const URI = 'otpauth://totp/Holdfast:anna%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Holdfast&padding=';
const PIXELS = 4;
const QUIET = 4;
const LONGEST = 213;

/* A portable greymap. */
function picture(grid) {
	const side = (grid.length + 2 * QUIET) * PIXELS;
	const grey = Buffer.alloc(side * side, 255);
	grid.forEach((row, y) => row.forEach((dark, x) => {
		for (let i = 0; dark && i < PIXELS; i++) {
			const at = ((y + QUIET) * PIXELS + i) * side + (x + QUIET) * PIXELS;
			grey.fill(0, at, at + PIXELS);
		}
	}));
	return Buffer.concat([Buffer.from(`P5\n${side} ${side}\n255\n`), grey]);
}

function read(grid) {
	const folder = mkdtempSync(join(tmpdir(), 'qr-'));
	try {
		writeFileSync(join(folder, 'code.pgm'), picture(grid));
		return execFileSync('zbarimg', ['--nodbus', '-q', '--raw', join(folder, 'code.pgm')], { encoding: 'utf8' }).trimEnd();
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test('another program reads the first and the last length of every version', () => {
	for (const length of [1, 14, 15, 26, 27, 42, 43, 62, 63, 84, 85, 106, 107, 122, 123, 152, 153, 180, 181, LONGEST]) {
		const text = URI.padEnd(LONGEST, 'abcXYZ0123456789').slice(0, length);
		assert.equal(read(qrMatrix(text)), text, `${length} octets`);
	}
});

test('a code is a square of the size that its version has', () => {
	for (const [length, version] of [[14, 1], [15, 2], [122, 7], [LONGEST, 10]]) {
		const grid = qrMatrix('x'.repeat(length));
		assert.equal(grid.length, 17 + 4 * version);
		assert.ok(grid.every(row => row.length === grid.length && row.every(each => typeof each === 'boolean')));
	}
});

test('what is longer than a code holds has none', () => {
	assert.equal(qrMatrix('x'.repeat(LONGEST + 1)), null);
	assert.equal(qrMatrix('ä'.repeat(LONGEST / 2 + 1)), null);
});
