// SPDX-License-Identifier: Apache-2.0
//
// Files as people have them, made by the real openssl for each run, and what the
// tests share.  Imported first: Node 18 keeps WebCrypto out of the globals.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

globalThis.crypto ??= webcrypto;
const { FileError } = await import('../../certd/web/lib/crypto/file_error.js');

export const PASSWORD = 'correct höрse 🐎';
export const folder = mkdtempSync(join(tmpdir(), 'holdfast-web-'));
after(() => rmSync(folder, { recursive: true, force: true }));

export const path = name => join(folder, name);
export const octets = name => new Uint8Array(readFileSync(path(name)));
export const write = (name, data) => writeFileSync(path(name), data);
export const bytes = text => new TextEncoder().encode(text);

/** openssl in the folder; its output. */
export function openssl(...argv) {
	return execFileSync('openssl', argv, {
		cwd: folder, env: { ...process.env, P: PASSWORD, NONE: '' }, stdio: ['ignore', 'pipe', 'pipe'],
	});
}

const CURVES = { p256: 'P-256', p384: 'P-384' };

/** NAME.key and NAME.der, both PKCS#8. */
export function makeKey(kind, name = kind) {
	const how = CURVES[kind] ? ['EC', '-pkeyopt', `ec_paramgen_curve:${CURVES[kind]}`]
		: kind === 'ed25519' ? ['ED25519']
		: ['RSA', '-pkeyopt', `rsa_keygen_bits:${kind.slice(3)}`];
	openssl('genpkey', '-algorithm', ...how, '-out', `${name}.key`);
	openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${name}.key`, '-outform', 'DER', '-out',
		`${name}.der`);
	return name;
}

/** A root, a CA below it, and its certificate for www.example.com and NAME.key. */
export function makeChain(name) {
	const sign = (who, issuer, subject, extensions) => {
		write(`${who}.ext`, extensions);
		openssl('req', '-new', '-key', `${who}.key`, '-subj', subject, '-out', `${who}.csr`);
		openssl('x509', '-req', '-in', `${who}.csr`, '-days', '90', '-extfile', `${who}.ext`, '-out',
			`${who}.pem`, ...(issuer ? ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`,
				'-CAcreateserial'] : ['-key', `${who}.key`]));
		openssl('x509', '-in', `${who}.pem`, '-outform', 'DER', '-out', `${who}.crt`);
	};
	for (const who of ['root', 'middle'])
		makeKey('p256', who);
	sign('root', null, '/O=Example/CN=Root', 'basicConstraints=critical,CA:TRUE\n');
	sign('middle', 'root', '/O=Example/CN=Middle', 'basicConstraints=critical,CA:TRUE\n');
	sign(name, 'middle', '/CN=www.example.com',
		'subjectAltName=DNS:www.example.com,DNS:example.com,IP:192.0.2.1\n');
}

/** Fails with this code, in a sentence. */
export async function refused(code, promise) {
	const error = await promise.then(() => null, e => e);
	assert.ok(error instanceof FileError, `not refused in our own words: ${error?.stack}`);
	assert.equal(error.code, code, error.message);
	assert.match(error.message, /^[A-Z].*[.a-zA-Z]$/s);
	return error.message;
}

/** SubjectPublicKeyInfo of NAME.key, by openssl. */
export const spkiOf = name => new Uint8Array(
	openssl('pkey', '-in', `${name}.key`, '-pubout', '-outform', 'DER'));

/** Reads the sentence or the value; anything but ours is a failure. */
export async function oursOrNothing(promise) {
	try {
		return { value: await promise };
	} catch (error) {
		assert.ok(error instanceof FileError, error.stack);
		assert.match(error.message, /^[A-Z].+/s);
		return { error };
	}
}

/** Numbers that are the same in each run. */
export function randomFrom(seed) {
	let state = seed >>> 0;
	return below => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor(state / 2 ** 32 * below);
	};
}
