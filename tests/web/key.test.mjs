// SPDX-License-Identifier: Apache-2.0
//
// Private keys of every kind, made and read back by openssl.

import { PASSWORD, bytes, makeKey, octets, openssl, oursOrNothing, randomFrom, refused,
	spkiOf, write } from './files.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { openBundle } from '../../certd/web/lib/crypto/bundle.js';
import { FileError } from '../../certd/web/lib/crypto/file_error.js';
import { writePem } from '../../certd/web/lib/crypto/pem.js';
import { readPrivateKey } from '../../certd/web/lib/crypto/pkcs8.js';

const KINDS = { p256: 'ec_p256', p384: 'ec_p384', rsa2048: 'rsa_2048', rsa3072: 'rsa_3072',
	rsa4096: 'rsa_4096' };
for (const kind of [...Object.keys(KINDS), 'ed25519'])
	makeKey(kind);

const open = async (data, password = null) =>
	(await openBundle([typeof data === 'string' ? bytes(data) : data], password)).key;

/** The key is NAME's, whole, and openssl takes it. */
async function assertIs(key, name) {
	assert.equal(key.kind, KINDS[name]);
	assert.deepEqual(key.spki, spkiOf(name));
	write('back.der', key.pkcs8);
	assert.deepEqual(openssl('pkey', '-inform', 'DER', '-in', 'back.der', '-outform', 'DER'),
		openssl('pkey', '-in', `${name}.key`, '-outform', 'DER'));
}

for (const name of Object.keys(KINDS)) {
	test(`reads ${name} as PKCS#8, traditional, PEM and DER`, async () => {
		await assertIs(await open(octets(`${name}.key`)), name);
		openssl('pkey', '-in', `${name}.key`, '-traditional', '-out', 'old.pem');
		await assertIs(await open(octets('old.pem')), name);
		openssl('pkey', '-in', `${name}.key`, '-traditional', '-outform', 'DER', '-out', 'old.der');
		await assertIs(await open(octets('old.der')), name);
		openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${name}.key`, '-outform', 'DER', '-out',
			'new.der');
		await assertIs(await open(octets('new.der')), name);
	});
}

test('an EC key without its public half, or with it compressed, gets it', async () => {
	for (const name of ['p256', 'p384']) {
		openssl('ec', '-in', `${name}.key`, '-no_public', '-out', 'bare.pem');
		await assertIs(await open(octets('bare.pem')), name);
		openssl('ec', '-in', `${name}.key`, '-conv_form', 'compressed', '-out', 'small.pem');
		await assertIs(await open(octets('small.pem')), name);
		openssl('pkcs8', '-topk8', '-nocrypt', '-in', 'bare.pem', '-out', 'bare8.pem');
		await assertIs(await open(octets('bare8.pem')), name);
	}
});

test('EC PARAMETERS before a key are passed over without a word', async () => {
	openssl('ecparam', '-name', 'prime256v1', '-out', 'parameters.pem');
	const text = Buffer.concat([octets('parameters.pem'), octets('p256.key')]);
	const { key, notes } = await openBundle([new Uint8Array(text)], null);
	await assertIs(key, 'p256');
	assert.deepEqual(notes, []);
});

test('opens PBES2 of every PRF and AES', async () => {
	for (const [cipher, prf] of [['aes-256-cbc', 'hmacWithSHA256'], ['aes-128-cbc', 'hmacWithSHA1'],
		['aes-192-cbc', 'hmacWithSHA384'], ['aes-256-cbc', 'hmacWithSHA512']]) {
		openssl('pkcs8', '-topk8', '-in', 'p256.key', '-v2', cipher, '-v2prf', prf, '-passout',
			'env:P', '-out', 'sealed.pem');
		await assertIs(await open(octets('sealed.pem'), PASSWORD), 'p256');
		await refused('password_needed', open(octets('sealed.pem')));
		await refused('password_wrong', open(octets('sealed.pem'), 'wrong'));
	}
	openssl('pkcs8', '-topk8', '-in', 'rsa2048.key', '-iter', '100000', '-passout', 'env:P',
		'-outform', 'DER', '-out', 'sealed.der');
	await assertIs(await open(octets('sealed.der'), PASSWORD), 'rsa2048');
});

test('no wrong password opens, also where it decrypts by chance', async () => {
	openssl('pkcs8', '-topk8', '-in', 'p256.key', '-iter', '1', '-passout', 'env:P', '-out',
		'sealed.pem');
	for (let i = 0; i < 600; i++)
		await refused('password_wrong', open(octets('sealed.pem'), `wrong ${i}`));
});

test('what a browser cannot decrypt is named before a password is asked for', async () => {
	for (const [argv, code, words] of [
		[['-v1', 'PBE-SHA1-3DES'], 'legacy', /Triple DES/],
		[['-v1', 'PBE-SHA1-RC2-40'], 'legacy', /RC2 of 40/],
		[['-v1', 'PBE-MD5-DES'], 'legacy', /DES/],
		[['-v2', 'des3'], 'legacy', /Triple DES/],
		[['-scrypt'], 'unsupported', /scrypt.*holdfast cert upload/],
		[['-v2', 'aria-256-cbc'], 'unsupported', /cipher 1\.2\.410/],
		[['-v2prf', 'hmacWithSHA224'], 'unsupported', /PBKDF2 by the function/]]) {
		openssl('pkcs8', '-topk8', '-in', 'p256.key', ...argv, '-passout', 'env:P', '-provider',
			'legacy', '-provider', 'default', '-out', 'odd.pem');
		assert.match(await refused(code, open(octets('odd.pem'))), words);
	}
	openssl('rsa', '-in', 'rsa2048.key', '-aes256', '-traditional', '-passout', 'env:P', '-out',
		'dek.pem');
	assert.match(await refused('legacy', open(octets('dek.pem'), PASSWORD)),
		/DEK-Info.*openssl pkcs8 -topk8/);
});

test('an iteration count beyond reason is refused at once', async () => {
	openssl('pkcs8', '-topk8', '-in', 'p256.key', '-iter', '5000001', '-passout', 'env:P', '-out',
		'slow.pem');
	assert.match(await refused('too_much', open(octets('slow.pem'), 'x')), /5,000,000/);
});

test('keys that no token holds are refused by name', async () => {
	makeKey('rsa1024');
	assert.match(await refused('unsupported', open(octets('rsa1024.key'))), /RSA of 1024 bits/);
	for (const [curve, words] of [['secp521r1', /another curve/], ['secp256k1', /another curve/]]) {
		openssl('ecparam', '-name', curve, '-genkey', '-noout', '-out', 'curve.pem');
		assert.match(await refused('unsupported', open(octets('curve.pem'))), words);
	}
	openssl('ecparam', '-name', 'prime256v1', '-genkey', '-param_enc', 'explicit', '-out', 'x.pem');
	assert.match(await refused('unsupported', open(octets('x.pem'))), /written out/);
	openssl('genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 's.pem');
	assert.match(await refused('unsupported', open(octets('s.pem'))), /RSA-PSS/);
	openssl('genpkey', '-algorithm', 'X25519', '-out', 'x.pem');
	assert.match(await refused('unsupported', open(octets('x.pem'))), /another kind/);
	openssl('genpkey', '-algorithm', 'DSA', '-genparam', '-pkeyopt', 'dsa_paramgen_bits:1024',
		'-out', 'dsa.params');
	openssl('gendsa', '-out', 'dsa.pem', 'dsa.params');
	assert.match(await refused('unsupported', open(octets('dsa.pem'))), /another kind|DSA/);
	assert.match(await refused('unsupported', open('-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n' +
		'-----END OPENSSH PRIVATE KEY-----\n')), /ssh-keygen/);
});

test('Ed25519 is told apart', async () => {
	const key = await open(octets('ed25519.key'));
	assert.equal(key.kind, 'ed25519');
	assert.deepEqual(key.spki, spkiOf('ed25519'));
	assert.deepEqual(key.pkcs8, octets('ed25519.der'));
});

test('a private key of another public half is damaged', async () => {
	makeKey('p256', 'other');
	const whole = octets('p256.der');
	const other = octets('other.der');
	const mixed = whole.slice();
	mixed.set(other.subarray(-65), whole.length - 65);
	assert.match(await refused('damaged', readPrivateKey(mixed)), /numbers/);
	const rsa = octets('rsa2048.der');
	rsa[100] ^= 1;
	assert.match(await refused('damaged', readPrivateKey(rsa)), /numbers/);
});

test('two private keys are one too many unless they are the same', async () => {
	const two = Buffer.concat([octets('p256.key'), octets('rsa2048.key')]);
	await refused('mismatch', open(new Uint8Array(two)));
	const twice = Buffer.concat([octets('p256.key'), octets('p256.key')]);
	await assertIs(await open(new Uint8Array(twice)), 'p256');
});

test('every truncation and a thousand flipped octets of a key end in a sentence', async () => {
	const random = randomFrom(17);
	const check = async (data, password) => {
		const { value } = await oursOrNothing(open(data, password));
		/* Flips that mean nothing exist; a key that is none does not. */
		assert.ok(value === undefined || value === null || value.pkcs8.length > 0);
	};
	openssl('pkcs8', '-topk8', '-in', 'p256.key', '-iter', '1', '-passout', 'env:P', '-outform',
		'DER', '-out', 'sealed.der');
	for (const [name, password] of [['p256.der', null], ['sealed.der', PASSWORD], ['p256.key', null]]) {
		const whole = octets(name);
		for (let n = 0; n < whole.length - 1; n++) {
			const { value } = await oursOrNothing(open(whole.slice(0, n), password));
			assert.ok(value === undefined || value === null, `${name} of ${n} octets was read`);
		}
		for (let i = 0; i < 1000; i++) {
			const bent = whole.slice();
			bent[random(whole.length)] ^= 1 + random(255);
			await check(bent, password);
		}
	}
});

test('a key in PEM is read whatever PEM it is', async () => {
	const pem = writePem('PRIVATE KEY', octets('p384.der'));
	await assertIs(await open(`Key:\r\n\r\n${pem.replaceAll("\n", " \r\n")}`), 'p384');
	await assert.rejects(open(pem.replace('PRIVATE KEY-----\n', 'RSA PRIVATE KEY-----\n')), FileError);
});
