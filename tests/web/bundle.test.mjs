// SPDX-License-Identifier: Apache-2.0
//
// Certificates in all their forms, and what certd is sent of them.

import { bytes, makeChain, makeKey, octets, openssl, oursOrNothing, randomFrom, refused, spkiOf,
	write } from './files.mjs';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import test from 'node:test';
import { certificatesPem, leafOf, openBundle } from '../../certd/web/lib/crypto/bundle.js';
import { isPem } from '../../certd/web/lib/crypto/pem.js';
import { fingerprint, fits, readCertificate } from '../../certd/web/lib/crypto/x509.js';

makeKey('p256');
makeChain('p256');
const [LEAF, MIDDLE, ROOT] = ['p256', 'middle', 'root'].map(name => octets(`${name}.crt`));
const pem = (...names) => Buffer.concat(names.map(name => octets(name)));
const open = (...parts) => openBundle(parts.map(p => new Uint8Array(p)), null);
const ders = bundle => bundle.certificates.map(c => c.der);

test('one text holds all, in any order', async () => {
	const bundle = await open(pem('root.pem', 'p256.key', 'p256.pem', 'middle.pem'));
	assert.deepEqual(ders(bundle), [ROOT, LEAF, MIDDLE]);
	assert.deepEqual(bundle.key.spki, spkiOf('p256'));
	assert.deepEqual(leafOf(bundle).der, LEAF);
	assert.ok(fits(leafOf(bundle), bundle.key) && !fits(bundle.certificates[0], bundle.key));
});

test('four parts hold one each, and blank ones nothing', async () => {
	const bundle = await open(pem('p256.pem'), pem('middle.pem'), bytes(' \r\n'), pem('p256.key'));
	assert.deepEqual(ders(bundle), [LEAF, MIDDLE]);
	assert.ok(bundle.key);
	const empty = await open(bytes(''), bytes('\n'));
	assert.deepEqual([empty.certificates, empty.key, leafOf(empty)], [[], null, null]);
});

test('DER and PKCS#7, and a certificate twice', async () => {
	assert.deepEqual(ders(await open(LEAF, LEAF)), [LEAF]);
	write('all.pem', pem('p256.pem', 'middle.pem', 'root.pem'));
	openssl('crl2pkcs7', '-nocrl', '-certfile', 'all.pem', '-out', 'all.p7b');
	openssl('crl2pkcs7', '-nocrl', '-certfile', 'all.pem', '-outform', 'DER', '-out', 'all.p7c');
	for (const name of ['all.p7b', 'all.p7c'])
		assert.deepEqual(ders(await open(octets(name))), [LEAF, MIDDLE, ROOT]);
	openssl('crl2pkcs7', '-nocrl', '-outform', 'DER', '-out', 'none.p7c');
	await refused('damaged', open(octets('none.p7c')));
	openssl('x509', '-in', 'p256.pem', '-trustout', '-addtrust', 'serverAuth', '-out', 'trust.pem');
	assert.deepEqual(ders(await open(octets('trust.pem'))), [LEAF]);
});

test('certd is sent certificates and nothing else that was given', async () => {
	const secret = 'the owner\'s own words';
	const bundle = await open(Buffer.concat([bytes(`${secret}\n`), pem('p256.key', 'p256.pem'),
		pem('middle.pem')]));
	const sent = certificatesPem(bundle);
	assert.ok(isPem(bytes(sent)) && !sent.includes('PRIVATE') && !sent.includes(secret));
	assert.equal(sent, pem('p256.pem', 'middle.pem').toString());
	assert.deepEqual(bundle.notes, ['Ignored text between blocks.']);
});

test('a block that means nothing here is told', async () => {
	openssl('dhparam', '-dsaparam', '-out', 'dh.pem', '512');
	const { notes } = await open(pem('dh.pem', 'p256.pem'));
	assert.deepEqual(notes, ['Passed over a block "X9.42 DH PARAMETERS", which is not needed.']);
});

test('a preview says what openssl says', async () => {
	const seen = readCertificate(LEAF);
	const known = new X509Certificate(LEAF);
	assert.equal(seen.subject, 'www.example.com');
	assert.equal(seen.issuer, 'CN=Middle,O=Example');
	assert.equal(seen.serial, known.serialNumber.toLowerCase());
	assert.equal(seen.not_before_s, Date.parse(known.validFrom) / 1000);
	assert.equal(seen.not_after_s, Date.parse(known.validTo) / 1000);
	assert.deepEqual(seen.hostnames, ['www.example.com', 'example.com']);
	assert.deepEqual(seen.addresses, ['192.0.2.1']);
	assert.deepEqual(seen.spki, spkiOf('p256'));
	assert.equal(await fingerprint(LEAF), known.fingerprint256.replaceAll(':', '').toLowerCase());
	assert.deepEqual([seen.isCa, seen.isSelfIssued, seen.kind], [false, false, 'ec_p256']);
	const root = readCertificate(ROOT);
	assert.deepEqual([root.isCa, root.isSelfIssued, root.subject], [true, true, 'Root']);
});

test('keys of every kind are named, also those that no token holds', () => {
	const kindOf = (...newkey) => {
		openssl('req', '-x509', '-newkey', ...newkey, '-nodes', '-keyout', 'k', '-subj', '/CN=x',
			'-outform', 'DER', '-out', 'x.crt');
		return readCertificate(octets('x.crt')).kind;
	};
	assert.equal(kindOf('rsa:2048'), 'rsa_2048');
	assert.equal(kindOf('rsa:1024'), 'RSA 1024');
	assert.equal(kindOf('ec', '-pkeyopt', 'ec_paramgen_curve:P-384'), 'ec_p384');
	assert.equal(kindOf('ec', '-pkeyopt', 'ec_paramgen_curve:P-521'), 'EC');
	assert.equal(kindOf('ed25519'), 'ed25519');
});

test('names of every kind of text and what nobody can see in them', () => {
	const subjectOf = (subject, mask = 'utf8only') => {
		write('req.cnf', `[req]\ndistinguished_name=dn\nstring_mask=${mask}\n[dn]\n`);
		openssl('req', '-x509', '-config', 'req.cnf', '-utf8', '-key', 'p256.key', '-subj', subject,
			'-outform', 'DER', '-out', 'x.crt', '-days', '20000');
		return readCertificate(octets('x.crt'));
	};
	assert.equal(subjectOf('/CN=Müller 🐎').subject, 'Müller 🐎');
	assert.equal(subjectOf('/CN=Müller Ω', 'MASK:0x800').subject, 'Müller Ω');
	assert.equal(subjectOf('/CN=a\u202eb').subject, 'a\ufffdb');
	assert.equal(subjectOf('/O=A, B/OU= x').subject, 'OU=\\ x,O=A\\, B');
	assert.ok(subjectOf('/CN=late').not_after_s > Date.UTC(2060) / 1000);
});

test('too much of anything is refused', async () => {
	await refused('too_much', open(new Uint8Array(256 * 1024 + 1).fill(65)));
	const many = Array.from({ length: 21 }, () => pem('p256.pem'));
	await refused('too_much', open(Buffer.concat(many)));
});

test('what is no such file is said so', async () => {
	for (const text of ['hello', '\u0000', 'PK\u0003\u0004', '%PDF-1.7'])
		await refused('damaged', open(bytes(text)));
});

test('every truncation and a thousand flipped octets of a certificate end in a sentence', async () => {
	const random = randomFrom(7);
	for (let n = 0; n < LEAF.length; n++) {
		const { value } = await oursOrNothing(open(LEAF.slice(0, n)));
		assert.ok(value === undefined || value.certificates.length === 0);
	}
	for (const whole of [LEAF, octets('all.p7c'), octets('all.pem')])
		for (let i = 0; i < 1000; i++) {
			const bent = whole.slice();
			bent[random(whole.length)] ^= 1 + random(255);
			await oursOrNothing(open(bent));
		}
});
