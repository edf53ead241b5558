// SPDX-License-Identifier: Apache-2.0

import './files.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { TAG, concat, parse, write, writeBitString, writeOid, writeUnsigned }
	from '../../certd/web/lib/crypto/asn1.js';
import { FileError } from '../../certd/web/lib/crypto/file_error.js';

const of = (...octets) => Uint8Array.from(octets);
const fails = read => assert.throws(read, error => error instanceof FileError &&
	error.code === 'damaged');

test('what is written is read again', () => {
	const oid = '1.2.840.113549.1.12.10.1.3';
	const long = new Uint8Array(300).fill(7);
	const whole = write(TAG.SEQUENCE, writeUnsigned(0), writeUnsigned(of(0x80, 1)), writeOid(oid),
		writeBitString(long), write(TAG.OCTET_STRING, long));
	const fields = parse(whole).fields();
	assert.equal(fields.take(TAG.INTEGER).count(), 0);
	assert.deepEqual(fields.take(TAG.INTEGER).unsigned(), of(0x80, 1));
	assert.equal(fields.take(TAG.OID).oid(), oid);
	assert.deepEqual(fields.take(TAG.BIT_STRING).bitString(), long);
	assert.deepEqual(fields.take(TAG.OCTET_STRING).octetString(), long);
	fields.end();
	fails(() => fields.any());
});

test('names of the first arcs are told apart', () => {
	for (const oid of ['0.9.2342.19200300.100.1.25', '1.3.101.112', '2.5.4.3', '2.16.840.1'])
		assert.equal(parse(writeOid(oid)).oid(), oid);
	fails(() => parse(of(6, 2, 0x2a, 0x80)).oid());
	fails(() => parse(of(6, 3, 0x2a, 0x80, 0x01)).oid());
});

test('DER has each length in one way only', () => {
	for (const octets of [of(0x04, 0x81, 1, 7), of(0x04, 0x82, 0, 1, 7), of(0x24, 0x80, 0, 0),
		of(0x04, 0x85, 0, 0, 0, 0, 1, 7), of(0x1f, 1, 0), of(0, 0), of(4), of(4, 2, 1),
		of(4, 1, 1, 0), of()])
		fails(() => parse(octets));
	fails(() => parse(of(2, 2, 0, 1)).unsigned());
	fails(() => parse(of(2, 1, 0x80)).unsigned());
	fails(() => parse(of(2, 0)).unsigned());
	fails(() => parse(of(3, 2, 1, 0)).bitString());
});

test('BER\'s indefinite lengths and strings in pieces are read where they are allowed', () => {
	const pieces = of(0x24, 0x80, 0x04, 0x81, 2, 1, 2, 0x24, 3, 4, 1, 3, 0, 0);
	assert.deepEqual(parse(pieces, { ber: true }).octetString(), of(1, 2, 3));
	const whole = concat(of(0x30, 0x80), pieces, of(2, 1, 5, 0, 0));
	const fields = parse(whole, { ber: true }).fields();
	assert.deepEqual(fields.any().octetString(), of(1, 2, 3));
	assert.equal(fields.any().count(), 5);
	fields.end();
	fails(() => parse(of(0x04, 0x80, 0, 0), { ber: true }));
	fails(() => parse(of(0x30, 0x80, 2, 1, 5, 0), { ber: true }));
});

test('no depth is a trap', () => {
	const deep = new Uint8Array(100000);
	for (let i = 0; i < deep.length; i += 2)
		deep.set([0x30, 0x80], i);
	fails(() => parse(deep, { ber: true }));
	let nested = of(0x24, 0);
	for (let i = 0; i < 40; i++)
		nested = write(0x24, nested);
	fails(() => parse(nested, { ber: true }).octetString());
});
