// SPDX-License-Identifier: Apache-2.0
//
// An entry of the audit ledger, read from the very octets that are in the tree
// (AuditEntry of proto/holdfast/keyd/v1/audit.proto). What a page shows of an
// entry is then what its proof proves, and not what somebody says it holds.

import { ProofError, toHex } from './tlog.js';

const KINDS = ['unspecified', 'sign', 'custody'];
const STAGES = ['unspecified', 'asked', 'done', 'failed'];
const CONTEXTS = ['unspecified', 'tls13_server', 'tls12_server_ecdhe', 'csr', 'raw', 'tls13_client', 'acme_jws'];
const CODES = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED',
	'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'];
/* TLS SignatureScheme, RFC 8446 4.2.3 */
const SCHEMES = {
	0x0401: 'rsa_pkcs1_sha256', 0x0501: 'rsa_pkcs1_sha384', 0x0601: 'rsa_pkcs1_sha512', 0x0403: 'ecdsa_secp256r1_sha256',
	0x0503: 'ecdsa_secp384r1_sha384', 0x0804: 'rsa_pss_rsae_sha256', 0x0805: 'rsa_pss_rsae_sha384', 0x0806: 'rsa_pss_rsae_sha512', 0x0807: 'ed25519',
};

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/* name, and how a value is read */
const FIELDS = {
	1: ['kind', wordOf(KINDS)], 2: ['time_ns', value => value], 3: ['keyd', textOf], 4: ['peer', textOf], 5: ['key_id', toHex],
	6: ['context', wordOf(CONTEXTS)], 7: ['scheme', Number], 8: ['content_hash', toHex], 9: ['code', Number], 10: ['reason', textOf],
	11: ['act', textOf], 12: ['stage', wordOf(STAGES)], 13: ['names', textOf], 14: ['latency_us', Number], 15: ['ledger_key', textOf],
	16: ['on_behalf_of', textOf],
};

function wordOf(list) {
	return value => list[Number(value)] || `number ${value}`;
}

function textOf(octets) {
	return new TextDecoder().decode(octets);
}

function broken() {
	return new ProofError('malformed', 'The entry\'s octets are not those of an entry.');
}

function varint(octets, from) {
	let value = 0n;
	for (let i = 0; i < 10; i++) {
		const octet = octets[from + i];
		if (octet === undefined)
			break;
		value |= BigInt(octet & 0x7f) << BigInt(7 * i);
		if (octet < 0x80)
			return [value, from + i + 1];
	}
	throw broken();
}

function valueAt(octets, wire, from) {
	if (wire === VARINT)
		return varint(octets, from);
	const [length, at] = wire === BYTES ? varint(octets, from) : [wire === FIXED64 ? 8n : wire === FIXED32 ? 4n : -1n, from];
	const end = at + Number(length);
	if (length < 0n || end > octets.length)
		throw broken();
	return [octets.subarray(at, end), end];
}

/**
 * @param {Uint8Array} leaf
 * @returns {{kind: string, time_ns: bigint, keyd: string, peer: string, key_id: string, context: string, scheme: number, content_hash: string,
 *   code: number, reason: string, act: string, stage: string, names: string[], latency_us: number, ledger_key: string,
 *   on_behalf_of: string, unknown: number[]}} unknown: numbers of fields that this console does not know
 */
export function readEntry(leaf) {
	const entry = { kind: 'unspecified', time_ns: 0n, keyd: '', peer: '', key_id: '', context: 'unspecified', scheme: 0, content_hash: '', code: 0,
		reason: '', act: '', stage: 'unspecified', names: [], latency_us: 0, ledger_key: '', on_behalf_of: '', unknown: [] };
	for (let at = 0; at < leaf.length;) {
		const [tag, from] = varint(leaf, at);
		const number = Number(tag >> 3n);
		const [value, end] = valueAt(leaf, Number(tag & 7n), from);
		take(entry, number, value);
		at = end;
	}
	return entry;
}

function take(entry, number, value) {
	const [name, read] = FIELDS[number] || [];
	if (!name)
		entry.unknown.push(number);
	else if (name === 'names')
		entry.names.push(read(value));
	else
		entry[name] = read(value);
}

/** 'edge/fra-1' of 'spiffe://example.com/edge/fra-1' */
export function peerName(peer) {
	return peer.replace(/^spiffe:\/\/[^/]+\//, '');
}

/** 'ecdsa_secp256r1_sha256' */
export function schemeName(scheme) {
	return SCHEMES[scheme] || `0x${scheme.toString(16).padStart(4, '0')}`;
}

/** 'PERMISSION_DENIED' */
export function codeName(code) {
	return CODES[code] || String(code);
}

/** Seconds since 1970. */
export function atOf(entry) {
	return Number(BigInt(entry.time_ns) / 1000000n) / 1000;
}
