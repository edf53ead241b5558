// SPDX-License-Identifier: Apache-2.0

import { bytes } from './files.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { FileError } from '../../certd/web/lib/crypto/file_error.js';
import { base64, fromBase64, isPem, readPem, writePem } from '../../certd/web/lib/crypto/pem.js';

const DER = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
const BLOCK = writePem('CERTIFICATE', DER);

function read(text) {
	const { blocks, notes } = readPem(typeof text === 'string' ? bytes(text) : text);
	return { ders: blocks.map(b => b.der), labels: blocks.map(b => b.label), notes };
}
function says(words, text) {
	assert.throws(() => read(text), error => error instanceof FileError &&
		error.code === 'damaged' && words.test(error.message));
}

test('base64 goes there and back for every length', () => {
	for (let n = 1; n < 70; n++) {
		const octets = Uint8Array.from({ length: n }, (_, i) => 255 - i);
		assert.deepEqual(fromBase64(base64(octets)), octets);
		assert.deepEqual(read(writePem('X', octets)).ders, [octets]);
	}
});

test('a tidy file has no notes', () => {
	assert.deepEqual(read(BLOCK + BLOCK), { ders: [DER, DER], labels: ['CERTIFICATE', 'CERTIFICATE'],
		notes: [] });
});

test('what surrounds blocks is tolerated and told', () => {
	for (const [text, note] of [
		['\ufeff' + BLOCK, /byte order/], [BLOCK.replaceAll('\n', '\r\n'), /CR LF/],
		[BLOCK.replaceAll('\n', '\r'), /CR alone/], [BLOCK.replaceAll('\n', '  \n'), /blanks/],
		[BLOCK.replaceAll(/^(?=.)/gm, '\t'), /blanks/], ['Subject: x\n' + BLOCK, /text/],
		[BLOCK.trimEnd(), /last line/], [BLOCK.trimEnd() + BLOCK, /shared a line/]]) {
		const { ders, notes } = read(text);
		assert.deepEqual(ders[0], DER);
		assert.equal(notes.length, 1, notes.join());
		assert.match(notes[0], note);
	}
});

test('what could be half of something is refused, with its line', () => {
	says(/Line 2: .*does not end/, 'x\n' + BLOCK.slice(0, 60));
	says(/does not end/, BLOCK.slice(0, 60) + '\n' + BLOCK);
	says(/mangled/, BLOCK.replace('-----BEGIN', '---BEGIN'));
	says(/more than five/, '-' + BLOCK);
	says(/without its BEGIN/, BLOCK.slice(30));
	says(/does not end with/, BLOCK.replace('END CERTIFICATE', 'END CERT'));
	says(/Line 2: .*not base64/, BLOCK.replace(/^A/m, '%'));
	says(/cut short/, BLOCK.replace('=', ''));
	says(/cut short/, writePem('X', DER.subarray(0, 3)).replace(/^(....)$/m, '$1='));
	says(/cut short/, '-----BEGIN X-----\nAB==\n-----END X-----\n');
	says(/cut short/, '-----BEGIN X-----\n\n-----END X-----\n');
	says(/no label/, '-----BEGIN -----\nAAAA\n-----END -----\n');
	says(/UTF-16/, new Uint8Array(Buffer.from('\ufeff' + BLOCK, 'utf16le')));
});

test('headers are read, and need their empty line', () => {
	const [head, ...rest] = BLOCK.split('\n');
	const with_ = lines => [head, ...lines, ...rest].join('\n');
	const { blocks } = readPem(bytes(with_(['Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-256-CBC,00', ''])));
	assert.deepEqual(blocks[0].headers, ['Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-256-CBC,00']);
	assert.deepEqual(blocks[0].der, DER);
	says(/no empty line/, with_(['Proc-Type: 4,ENCRYPTED']));
});

test('a text of many blocks ends soon', () => {
	assert.throws(() => readPem(bytes(BLOCK.repeat(65))), e => e.code === 'too_much');
	assert.equal(readPem(bytes('-'.repeat(200000))).blocks.length, 0);
	assert.ok(!isPem(DER) && isPem(bytes('---BEGIN X')));
});
