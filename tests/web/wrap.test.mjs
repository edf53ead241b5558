// SPDX-License-Identifier: Apache-2.0
//
// What the browser wraps, OpenSSL unwraps (by Node's crypto, which is OpenSSL).

import { makeKey, octets, refused, spkiOf } from './files.mjs';
import assert from 'node:assert/strict';
import { constants, createDecipheriv, createHash, createPrivateKey, createPublicKey,
	generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import test from 'node:test';
import { base64 } from '../../certd/web/lib/crypto/pem.js';
import { readPrivateKey } from '../../certd/web/lib/crypto/pkcs8.js';
import { checkKind, readWrappingKey, wrapKey, wrapWithPadding }
	from '../../certd/web/lib/crypto/wrap.js';

const hex = text => Uint8Array.from(Buffer.from(text, 'hex'));
const KINDS = ['ec_p256', 'ec_p384', 'rsa_2048', 'rsa_3072', 'rsa_4096'];
const TOKEN = generateKeyPairSync('rsa', { modulusLength: 3072 });
const TOKEN_SPKI = new Uint8Array(TOKEN.publicKey.export({ type: 'spki', format: 'der' }));
const sha256 = data => new Uint8Array(createHash('sha256').update(data).digest());

const parameters = (more = {}) => ({
	pool: 'standard', wrapping_key: base64(TOKEN_SPKI), wrapping_key_id: base64(sha256(TOKEN_SPKI)),
	wrapping: 'rsa_oaep_sha1_aes_256_kwp', algorithms: KINDS, ...more,
});

function unwrapPadded(aes, blob) {
	const open = createDecipheriv('id-aes256-wrap-pad', aes, hex('a65959a6'));
	return new Uint8Array(Buffer.concat([open.update(blob), open.final()]));
}

test('RFC 5649\'s own example of seven octets, whose key is of 192 bits', async () => {
	const key = hex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8');
	assert.deepEqual(await wrapWithPadding(key, hex('466f7250617369')),
		hex('afbeb0f07dfbf5419200f2ccb50bb24f'));
});

test('RFC 5649\'s own example of twenty octets', async () => {
	const key = hex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8');
	assert.deepEqual(await wrapWithPadding(key, hex('c37b7e6492584340bed12207808941155068f738')),
		hex('138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'));
});

test('what is wrapped here, of every length, OpenSSL unwraps', async () => {
	const lengths = [...Array.from({ length: 70 }, (_, i) => i + 1), 1217, 1218, 2375, 3499];
	for (const length of lengths) {
		const [aes, text] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(length))];
		const copy = text.slice();
		assert.deepEqual(unwrapPadded(aes, await wrapWithPadding(aes, text)), copy);
		assert.deepEqual(text, copy, 'what is wrapped is left as it was');
	}
});

test('a key of every kind comes out of the blob as it went in, and its copy here is gone', async () => {
	for (const [wrapping, hash] of [['rsa_oaep_sha1_aes_256_kwp', 'sha1'],
		['rsa_oaep_sha256_aes_256_kwp', 'sha256']])
		for (const kind of ['p256', 'p384', 'rsa2048', 'rsa3072', 'rsa4096']) {
			makeKey(kind);
			const key = await readPrivateKey(octets(`${kind}.der`));
			const blob = await wrapKey(key, await readWrappingKey(parameters({ wrapping })));
			assert.ok(blob.length <= 4096 && key.pkcs8.every(octet => octet === 0));
			const aes = privateDecrypt({ key: TOKEN.privateKey, oaepHash: hash,
				padding: constants.RSA_PKCS1_OAEP_PADDING }, blob.subarray(0, 384));
			assert.equal(aes.length, 32);
			const pkcs8 = unwrapPadded(aes, blob.subarray(384));
			const whole = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
		
			assert.deepEqual(new Uint8Array(createPublicKey(whole).export(
				{ type: 'spki', format: 'der' })), spkiOf(kind));
		}
});

test('no two blobs share their AES key', async () => {
	const wrapping = await readWrappingKey(parameters());
	const keys = new Set();
	for (let i = 0; i < 3; i++) {
		const blob = await wrapKey(await readPrivateKey(octets('p256.der')), wrapping);
		keys.add(privateDecrypt({ key: TOKEN.privateKey, oaepHash: 'sha1' },
			blob.subarray(0, 384)).toString('hex'));
	}
	assert.equal(keys.size, 3);
});

test('the wrapping key\'s fingerprint is its id, in hex', async () => {
	const { fingerprint, id } = await readWrappingKey(parameters());
	assert.equal(fingerprint, createHash('sha256').update(TOKEN_SPKI).digest('hex'));
	assert.equal(id, parameters().wrapping_key_id);
});

test('a wrapping key that its id does not name is refused', async () => {
	assert.match(await refused('unsupported', readWrappingKey(parameters(
		{ wrapping_key_id: base64(sha256('another')) }))), /not the one that its id names.*Nothing/);
});

test('a wrapping key that protects nothing is refused', async () => {
	const export_ = ({ publicKey }) =>
		new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
	for (const spki of [export_(generateKeyPairSync('rsa', { modulusLength: 1024 })),
		export_(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
		export_(generateKeyPairSync('ed25519'))])
		assert.match(await refused('unsupported', readWrappingKey(parameters(
			{ wrapping_key: base64(spki), wrapping_key_id: base64(sha256(spki)) }))), /not RSA/);
	await refused('damaged', readWrappingKey(parameters({ wrapping_key: base64(Uint8Array.of(1)) })));
	await refused('damaged', readWrappingKey(parameters({ wrapping_key: '?' })));
});

test('a way of wrapping that is not known is refused', async () => {
	for (const wrapping of ['unspecified', 'toString', 'rot13'])
		assert.match(await refused('unsupported', readWrappingKey(parameters({ wrapping }))), /way/);
});

test('a kind of key that the token takes not in is refused and overwritten', async () => {
	makeKey('ed25519');
	const key = await readPrivateKey(octets('ed25519.der'));
	const wrapping = await readWrappingKey(parameters());
	assert.throws(() => checkKind('ed25519', wrapping), /no Ed25519 keys.*certificate request/);
	assert.match(await refused('unsupported', wrapKey(key, wrapping)), /Nothing was sent/);
	assert.ok(key.pkcs8.every(octet => octet === 0));
});
