// SPDX-License-Identifier: Apache-2.0
//
// PFX files of openssl, of Java (data/java.p12), and bent ones.

import { PASSWORD, makeChain, makeKey, octets, openssl, oursOrNothing, randomFrom, refused,
	spkiOf, write } from './files.mjs';
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { TAG, concat, context, parse, write as der, writeOid, writeUnsigned }
	from '../../certd/web/lib/crypto/asn1.js';
import { openBundle } from '../../certd/web/lib/crypto/bundle.js';
import { openPfx } from '../../certd/web/lib/crypto/pfx.js';

makeKey('p256');
makeChain('p256');
const CHAIN = ['p256', 'middle', 'root'].map(name => octets(`${name}.crt`));
write('cas.pem', Buffer.concat(['middle', 'root'].map(n => octets(`${n}.pem`))));

function makePfx(name, ...argv) {
	const password = argv.includes('-passout') ? [] : ['-passout', 'env:P'];
	openssl('pkcs12', '-export', '-inkey', 'p256.key', '-in', 'p256.pem', '-certfile', 'cas.pem',
		'-out', name, ...password, ...argv);
	return octets(name);
}

async function assertOpens(pfx, password = PASSWORD) {
	const { certificates, key, notes } = await openBundle([pfx], password);
	assert.deepEqual(key.spki, spkiOf('p256'));
	assert.deepEqual(certificates.map(c => c.der).sort(Buffer.compare),
		[...CHAIN].sort(Buffer.compare));
	assert.deepEqual(notes, []);
}

const MODERN = makePfx('modern.pfx');

test('opens what openssl writes today, with its chain', () => assertOpens(MODERN));

test('opens each digest of the MAC and each AES', async () => {
	for (const [mac, cipher] of [['sha1', 'aes-128-cbc'], ['sha256', 'aes-192-cbc'],
		['sha384', 'aes-256-cbc'], ['sha512', 'aes-256-cbc']])
		await assertOpens(makePfx('x.pfx', '-macalg', mac, '-certpbe', cipher, '-keypbe', cipher,
			'-iter', '1000'));
});

test('opens one whose certificates or all of it are in the clear', async () => {
	await assertOpens(makePfx('x.pfx', '-certpbe', 'NONE'));
	await assertOpens(makePfx('x.pfx', '-certpbe', 'NONE', '-keypbe', 'NONE'));
	await assertOpens(makePfx('x.pfx', '-certpbe', 'NONE', '-keypbe', 'NONE', '-nomac'), null);
});

test('opens one of one iteration, of many, and without a MAC', async () => {
	await assertOpens(makePfx('x.pfx', '-noiter', '-nomaciter'));
	await assertOpens(makePfx('x.pfx', '-nomac'));
	await assertOpens(makePfx('x.pfx', '-nomac', '-certpbe', 'AES-256-CBC'));
	await assertOpens(makePfx('x.pfx', '-iter', '10000'));
});

test('an empty password, and none at all, need no asking', async () => {
	const empty = makePfx('x.pfx', '-passout', 'env:NONE');
	await assertOpens(empty, null);
	await assertOpens(empty, '');
});

test('a wrong password is told from a file that cannot be read', async () => {
	await refused('password_needed', openPfx(MODERN, null));
	await refused('password_wrong', openPfx(MODERN, 'wrong'));
	const bare = makePfx('x.pfx', '-nomac', '-certpbe', 'AES-256-CBC');
	await refused('password_wrong', openPfx(bare, 'wrong'));
	await refused('password_needed', openPfx(bare, null));
	await refused('damaged', openPfx(MODERN.slice(0, 900), PASSWORD));
	await refused('damaged', openPfx(new Uint8Array(100), PASSWORD));
});

test('old ciphers are named before the password is asked for', async () => {
	const words = async pfx => refused('legacy', openPfx(pfx, null));
	assert.match(await words(makePfx('x.pfx', '-legacy')), /RC2 of 40 bits/);
	assert.match(await words(makePfx('x.pfx', '-legacy', '-certpbe', 'PBE-SHA1-3DES')), /Triple DES/);
	assert.match(await words(makePfx('x.pfx', '-legacy', '-certpbe', 'PBE-SHA1-RC4-128', '-keypbe',
		'AES-256-CBC')), /RC4/);
	assert.match(await words(makePfx('x.pfx', '-legacy', '-certpbe', 'NONE')), /Triple DES/);
});

test('a PFX of certificates alone has no key', async () => {
	openssl('pkcs12', '-export', '-nokeys', '-in', 'p256.pem', '-out', 'x.pfx', '-passout', 'env:P');
	const { certificates, key } = await openBundle([octets('x.pfx')], PASSWORD);
	assert.equal(key, null);
	assert.deepEqual(certificates.map(c => c.der), [CHAIN[0]]);
});

test('iteration counts are bounded', async () => {
	assert.match(await refused('too_much', openPfx(withMacCount(MODERN, 500001), PASSWORD)),
		/500,000.*holdfast cert upload/);
});

/** The same file, whose MAC says another number of iterations. */
function withMacCount(pfx, count) {
	const [version, safe, mac] = parse(pfx).children();
	const [digest, salt] = mac.children();
	const number = Uint8Array.of(TAG.INTEGER, 4, count >>> 24, count >>> 16, count >>> 8, count);
	/* Four octets are one too many for a small number: BER takes that. */
	return der(TAG.SEQUENCE, version.raw, safe.raw, der(TAG.SEQUENCE, digest.raw, salt.raw, number));
}

/** As BER has it: indefinite lengths, and strings in pieces. */
function inBer(pfx) {
	const [version, safe, mac] = parse(pfx).children();
	const [oid, content] = safe.children();
	const data = content.only().octetString();
	const loose = (tag, ...parts) => concat(Uint8Array.of(tag, 0x80), ...parts, Uint8Array.of(0, 0));
	const pieces = [];
	for (let i = 0; i < data.length; i += 100)
		pieces.push(der(TAG.OCTET_STRING, data.subarray(i, i + 100)));
	return loose(TAG.SEQUENCE, version.raw, loose(TAG.SEQUENCE, oid.raw,
		loose(context(0), loose(0x24, ...pieces))), mac.raw);
}

test('BER, as Windows and old Java have it, is opened', async () => {
	const ber = inBer(MODERN);
	write('ber.pfx', ber);
	openssl('pkcs12', '-in', 'ber.pfx', '-passin', 'env:P', '-nodes', '-out', 'ber.pem');
	await assertOpens(ber);
});

/** authSafe's ContentInfos through a change, in a PFX without a MAC. */
function withSafes(pfx, change) {
	const [version, safe] = parse(pfx).children();
	const [oid, content] = safe.children();
	const safes = parse(content.only().octetString()).children();
	return der(TAG.SEQUENCE, version.raw, der(TAG.SEQUENCE, oid.raw, der(context(0),
		der(TAG.OCTET_STRING, der(TAG.SEQUENCE, ...safes.flatMap(change))))));
}

test('encrypted content in pieces is put together', async () => {
	let n = 0;
	const inPieces = safe => {
		const [oid, content] = safe.children();
		if (content.only().tag !== TAG.SEQUENCE)
			return [safe.raw];
		const [version, info] = content.only().children();
		const [type, how, sealed] = info.children();
		n++;
		const pieces = [sealed.content.subarray(0, 50), sealed.content.subarray(50)]
			.map(piece => der(TAG.OCTET_STRING, piece));
		return [der(TAG.SEQUENCE, oid.raw, der(context(0), der(TAG.SEQUENCE, version.raw,
			der(TAG.SEQUENCE, type.raw, how.raw, der(context(0), ...pieces)))))];
	};
	await assertOpens(withSafes(makePfx('x.pfx', '-nomac', '-certpbe', 'AES-256-CBC'), inPieces));
	assert.equal(n, 1);
});

test('two private keys are one too many', async () => {
	const pfx = withSafes(makePfx('x.pfx', '-nomac', '-certpbe', 'NONE', '-keypbe', 'NONE'),
		safe => [safe.raw, safe.raw]);
	assert.match(await refused('unsupported', openPfx(pfx, null)), /2 private keys/);
});

/** RFC 7292 B for one iteration of SHA-256, and with it MacData. */
function macOf(content, password) {
	const block = octets => Uint8Array.from({ length: 64 }, (_, i) => octets[i % octets.length]);
	const salt = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
	const text = Buffer.from(`${password}\0`, 'utf16le').swap16();
	const key = createHash('sha256').update(concat(new Uint8Array(64).fill(3), block(salt),
		block(text))).digest();
	const name = der(TAG.SEQUENCE, writeOid('2.16.840.1.101.3.4.2.1'));
	return der(TAG.SEQUENCE, der(TAG.SEQUENCE, name, der(TAG.OCTET_STRING,
		new Uint8Array(createHmac('sha256', key).update(content).digest()))),
	der(TAG.OCTET_STRING, salt));
}

test('a key under another password than the file\'s is told so', async () => {
	const sealed = new Uint8Array(openssl('pkcs8', '-topk8', '-in', 'p256.key', '-passout',
		'pass:other', '-outform', 'DER'));
	const bag = der(TAG.SEQUENCE, writeOid('1.2.840.113549.1.12.10.1.2'), der(context(0), sealed));
	const data = octets => der(TAG.SEQUENCE, writeOid('1.2.840.113549.1.7.1'),
		der(context(0), der(TAG.OCTET_STRING, octets)));
	const safes = der(TAG.SEQUENCE, data(der(TAG.SEQUENCE, bag)));
	const pfx = der(TAG.SEQUENCE, writeUnsigned(3), data(safes), macOf(safes, 'file'));
	assert.match(await refused('unsupported', openPfx(pfx, 'file')), /which has another one/);
	await refused('password_wrong', openPfx(pfx, 'other'));
});

test('opens what Java writes', async () => {
	const pfx = new Uint8Array(readFileSync(new URL('data/java.p12', import.meta.url)));
	const { certificates, key } = await openBundle([pfx], 'java-pass');
	assert.equal(key.kind, 'ec_p256');
	assert.deepEqual(certificates[0].hostnames, ['java.example.com']);
	assert.deepEqual(certificates[0].spki, key.spki);
	await refused('password_wrong', openPfx(pfx, 'wrong'));
});

test('every truncation and a thousand flipped octets of a pfx end in a sentence', async () => {
	const random = randomFrom(42);
	const small = makePfx('x.pfx', '-noiter', '-nomaciter');
	const bare = makePfx('y.pfx', '-nomac', '-certpbe', 'NONE', '-keypbe', 'NONE');
	for (const [pfx, password] of [[small, PASSWORD], [bare, null], [inBer(small), PASSWORD]]) {
		for (let n = 1; n < pfx.length; n++) {
			const { value } = await oursOrNothing(openBundle([pfx.slice(0, n)], password));
			assert.ok(value === undefined, `${n} octets were opened`);
		}
		for (let i = 0; i < 1000; i++) {
			const bent = pfx.slice();
			bent[random(pfx.length)] ^= 1 + random(255);
			await oursOrNothing(openBundle([bent], password));
		}
	}
});
