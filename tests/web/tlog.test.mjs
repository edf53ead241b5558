// SPDX-License-Identifier: Apache-2.0
//
// The ledger's proofs, as the console verifies them. data/ledger.json is of a
// real keyd: what it answered to Describe, and to Prove for some entries.

import './files.mjs';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const tlog = await import('../../certd/web/lib/tlog.js');
const { atOf, peerName, readEntry, schemeName } = await import('../../certd/web/lib/ledger_entry.js');

const { ledger, proofs } = JSON.parse(readFileSync(new URL('data/ledger.json', import.meta.url)));
const KEY = ledger.keys.at(-1).verifier_key;
const given = (each, change = {}) => ({ proof: tlog.fromBase64(each.proof), entry: tlog.fromBase64(each.entry), number: each.number, verifier_key: KEY, ...change });
const textOf = each => new TextDecoder().decode(tlog.fromBase64(each.proof));
const octets = text => new TextEncoder().encode(text);
const verify = async how => {
	const seen = [];
	const checkpoint = await tlog.verifyStepwise(how, step => seen.push(step.name));
	return { seen, checkpoint };
};

test('each real proof holds, step by step', async () => {
	for (const each of proofs) {
		const { seen, checkpoint } = await verify(given(each));
		assert.deepEqual(seen, ['leaf', 'path', 'root', 'checkpoint']);
		assert.equal(checkpoint.origin, ledger.origin);
		assert.ok(checkpoint.size > each.number);
	}
});

test('the ledger\'s own checkpoint is signed by its key', async () => {
	const note = new TextDecoder().decode(tlog.fromBase64(ledger.checkpoint));
	const checkpoint = await tlog.verifyCheckpoint(note, KEY);
	assert.equal(checkpoint.size, ledger.size);
});

test('an altered entry leads to another root', async () => {
	for (const each of proofs) {
		const entry = tlog.fromBase64(each.entry);
		entry[entry.length - 1] ^= 1;
		await assert.rejects(verify(given(each, { entry })), { code: 'broken', message: /another root/ });
	}
});

test('a proof of one entry is none of another', async () => {
	await assert.rejects(verify(given(proofs[0], { number: proofs[1].number })), /proof of entry/);
	await assert.rejects(verify(given(proofs[0], { entry: tlog.fromBase64(proofs[1].entry) })), /another root/);
});

test('no altered octet of a proof is taken', async () => {
	const [each] = proofs;
	const proof = tlog.fromBase64(each.proof);
	for (let i = 0; i < proof.length; i++) {
		const altered = Uint8Array.from(proof);
		altered[i] ^= 1;
		await assert.rejects(verify(given(each, { proof: altered })), { name: 'ProofError' }, `octet ${i}`);
	}
});

test('a path that is too short or too long is refused', async () => {
	const each = proofs.at(-2);
	const lines = textOf(each).split('\n');
	const longer = [...lines.slice(0, 2), lines[2], ...lines.slice(2)].join('\n');
	const shorter = [...lines.slice(0, 2), ...lines.slice(3)].join('\n');
	for (const text of [longer, shorter])
		await assert.rejects(verify(given(each, { proof: octets(text) })), { code: 'broken' });
});

test('a signature of another key does not count', async () => {
	const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
	const other = await keyOf(pair, ledger.origin);
	await assert.rejects(verify(given(proofs[0], { verifier_key: other })), { code: 'broken', message: /not signed by/ });
});

test('a damaged key, or one of another kind, is refused', async () => {
	const [, hash] = KEY.split('+');
	const wrong = hash[0] === '0' ? '1' : '0';
	for (const bad of ['', 'x', KEY.replace(`+${hash}`, `+${wrong}${hash.slice(1)}`), KEY.replace('+A', '+B'), `${KEY}A`])
		await assert.rejects(tlog.parseKey(bad), { name: 'ProofError' });
});

test('a tree of every small size proves each of its entries', async () => {
	for (let size = 1; size <= 20; size++) {
		const leaves = await Promise.all(Array.from({ length: size }, (_, i) => tlog.leafHash(Uint8Array.of(i))));
		const root = await rootOf(leaves);
		for (let i = 0; i < size; i++) {
			const climbed = await tlog.climb(leaves[i], i, size, await pathOf(i, leaves));
			assert.equal(tlog.toHex(climbed.root), tlog.toHex(root), `${i} of ${size}`);
		}
	}
	await assert.rejects(tlog.climb(new Uint8Array(32), 3, 3, []), { code: 'broken' });
});

test('witnesses\' lines are counted and not taken for the ledger\'s', async () => {
	const each = proofs[0];
	const proof = octets(`${textOf(each)}— witness.example ${tlog.toBase64(new Uint8Array(4 + 72))}\n`);
	const { checkpoint } = await verify(given(each, { proof }));
	assert.equal(checkpoint.others, 1);
});

test('a dossier\'s signature holds for that dossier alone', async () => {
	const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
	const key = await keyOf(pair, 'bed.example/keyd');
	const dossier = octets('{"format":"holdfast-dossier-v1"}');
	const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', dossier));
	const sign = async text => {
		const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, octets(text)));
		const hash = Uint8Array.from(key.split('+')[1].match(/../g), each => parseInt(each, 16));
		return octets(`${text}\n— bed.example/keyd ${tlog.toBase64(Uint8Array.from([...hash, ...signature]))}\n`);
	};
	const signature = await sign(`bed.example/keyd/dossier\nsha256\n${tlog.toBase64(digest)}\n`);
	await tlog.verifyDossier(dossier, signature, key);
	await assert.rejects(tlog.verifyDossier(octets('{}'), signature, key), { code: 'broken' });
	const checkpoint = await sign(`bed.example/keyd\n1\n${tlog.toBase64(digest)}\n`);
	await assert.rejects(tlog.verifyDossier(dossier, checkpoint, key), { code: 'broken' });
});

test('an entry is read from the octets that are in the tree', () => {
	const entries = proofs.map(each => readEntry(tlog.fromBase64(each.entry)));
	const first = entries[0];
	assert.equal(first.act, 'begin the ledger');
	assert.equal(first.ledger_key, KEY);
	assert.equal(first.stage, 'done');
	assert.deepEqual(first.unknown, []);
	const signed = entries.find(each => each.context === 'tls13_server');
	assert.equal(peerName(signed.peer), 'edge/e1');
	assert.equal(schemeName(signed.scheme), 'ecdsa_secp256r1_sha256');
	assert.match(signed.content_hash, /^[0-9a-f]{64}$/);
	assert.ok(atOf(signed) > 1.7e9 && atOf(signed) < 1e11);
	assert.ok(entries.some(each => each.names.length && each.context === 'acme_jws'));
	assert.ok(entries.some(each => each.on_behalf_of));
});

test('octets that are no entry are refused, and what is new is told', () => {
	for (const bad of [[0x08], [0x0a, 0x05, 0x61], [0x08, ...Array(11).fill(0xff)], [0x0c]])
		assert.throws(() => readEntry(Uint8Array.from(bad)), { name: 'ProofError' });
	assert.deepEqual(readEntry(Uint8Array.from([0xa0, 0x06, 0x01])).unknown, [100]);
});

async function keyOf(pair, name) {
	const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
	const typed = Uint8Array.from([1, ...raw]);
	const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from([...octets(`${name}\n`), ...typed])));
	return `${name}+${tlog.toHex(digest.subarray(0, 4))}+${tlog.toBase64(typed)}`;
}

/* RFC 6962, 2.1 and 2.1.1, as they stand there. */
const half = n => 2 ** Math.ceil(Math.log2(n) - 1);

async function rootOf(leaves) {
	if (leaves.length === 1)
		return leaves[0];
	const k = half(leaves.length);
	return tlog.nodeHash(await rootOf(leaves.slice(0, k)), await rootOf(leaves.slice(k)));
}

async function pathOf(i, leaves) {
	if (leaves.length === 1)
		return [];
	const k = half(leaves.length);
	return i < k ? [...await pathOf(i, leaves.slice(0, k)), await rootOf(leaves.slice(k))]
		: [...await pathOf(i - k, leaves.slice(k)), await rootOf(leaves.slice(0, k))];
}

test('a browser notices another key and a shorter or rewritten ledger', async () => {
	const { judge } = await import('../../certd/web/lib/ledger_memory.js');
	const kept = { origin: 'a', key: 'k1', size: 10, root: 'r' };
	const seen = change => ({ origin: 'a', size: 12, root: 's', ...change });
	assert.equal(judge(null, seen({}), ['k1']), 'first');
	assert.equal(judge(kept, seen({}), ['k1']), 'same');
	assert.equal(judge(kept, seen({ size: 10, root: 'r' }), ['k1']), 'same');
	assert.equal(judge(kept, seen({}), ['k1', 'k2']), 'rotated');
	assert.equal(judge(kept, seen({}), ['k2']), 'other_key');
	assert.equal(judge(kept, seen({ origin: 'b' }), ['k1']), 'other_key');
	assert.equal(judge(kept, seen({ size: 9 }), ['k1']), 'rolled_back');
	assert.equal(judge(kept, seen({ size: 10 }), ['k1']), 'rewritten');
});
